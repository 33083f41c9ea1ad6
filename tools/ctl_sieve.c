#include "ctl_sieve.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/text_json.h"
#include "policy/sieve/sieve.h"

enum { EXIT_TROUBLE = 1, EXIT_SCRIPT_FAILED = 2, COUNTS_MAX = 1000, MESSAGE_MAX = 64 << 20 };

/* A count given with --count (T17). */
struct given {
	char *service;
	struct cidr block;
	uint64_t count;
};

struct eval {
	enum phase phase;
	const char *script;
	const char *message_path;
	const char *output_path;
	struct buf message;
	struct facts facts;
	struct facts_mail mail;
	struct given given[COUNTS_MAX];
	unsigned given_count;
	struct policy_engine engine; /* sieve_engine, watched */
	struct audit *audit; /* for the names of services */
	json_t *actions;
	json_t *error;	     /* NULL: none */
	bool keeps;	     /* no action but `stop` ended the script */
};

static const char usage[] =
	"usage: tidectl sieve eval [--phase PHASE] [--count SERVICE=PREFIX=N]... [--message FILE]\n"
	"           [--envelope-from ADDRESS] [--envelope-to ADDRESS] [--client-addr IP]\n"
	"           [--auth-user USER] [--output-message FILE] SCRIPT\n";

/* --- what the script sees ---------------------------------------------------------------- */

static const struct given *given_find(const struct eval *e, struct slice service,
				      const struct cidr *block)
{
	for (unsigned i = e->given_count; i-- > 0;)
		if (slice_equal(slice_of(e->given[i].service), service) &&
		    cidr_equal(&e->given[i].block, block))
			return &e->given[i];
	return NULL;
}

static const char *service_fault(struct eval *e, struct slice service)
{
	struct audit_scope scope;

	return slice_equal(service, SLICE("LISTENER"))
		       ? NULL
		       : audit_scope_find(e->audit, service, &scope);
}

static const char *count(void *owner, const struct facts *facts, struct slice service,
			 const struct cidr *block, uint64_t *out)
{
	struct eval *e = owner;
	const struct given *given = given_find(e, service, block);

	(void)facts;
	if (given == NULL && slice_equal(service, SLICE("inbound_cidr")))
		given = given_find(e, SLICE("SMTP"), block);
	*out = given != NULL ? given->count : 0;
	return service_fault(e, service);
}

static json_t *seconds_json(uint32_t ms)
{
	return ms % 1000 == 0 ? json_integer(ms / 1000) : json_real(ms / 1000.0);
}

static void acted(void *owner, const struct facts *facts, const struct action *action)
{
	json_t *json = json_object();
	struct eval *e = owner;
	char *place;

	(void)facts;
	json_object_set_new(json, "action", json_string(action->name));
	switch (action->kind) {
	case ACTION_TARPIT:
		json_object_set_new(json, "seconds", seconds_json(action->ms));
		break;
	case ACTION_REPLY:
	case ACTION_DISCONNECT:
		if (action->code != 0) {
			json_object_set_new(json, "code", json_integer(action->code));
			json_object_set_new(json, "reason", text_json(action->text));
		}
		break;
	case ACTION_KEEP:
		if (action->text.len > 0)
			json_object_set_new(json, "reason", text_json(action->text));
		json_array_append_new(e->actions, json);
		return;
	case ACTION_ERROR:
		json_decref(json);
		place = mem_printf("%s:%u: %.*s", action->file, action->line,
				   SLICE_ARGS(action->text));
		e->error = text_json(slice_of(place));
		free(place);
		return;
	case ACTION_COUNT:
		break;
	}
	json_object_set_new(json, "counter",
			    action->counter.len > 0 ? text_json(action->counter) : json_null());
	json_array_append_new(e->actions, json);
}

static void logged(void *owner, enum log_level level, const struct facts *facts, const char *file,
		   unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	fprintf(stderr, "%s:%u: %.*s\n", file, line, SLICE_ARGS(text));
}

static void ended(void *owner, enum sieve_end end)
{
	struct eval *e = owner;

	if (end == SIEVE_STOPPED)
		json_array_append_new(e->actions, json_pack("{s:s}", "action", "stop"));
	e->keeps = end != SIEVE_ACTED;
}

/* --- the command line -------------------------------------------------------------------- */

static const char *phase_option(struct eval *e, char *text)
{
	return phase_find(slice_of(text), &e->phase)
		       ? NULL
		       : "a phase is accept, connect, ehlo, mailfrom, rcptto or data";
}

static const char *count_option(struct eval *e, char *text)
{
	char *prefix = strchr(text, '='), *number = strrchr(text, '='), *end;
	struct given *given = &e->given[e->given_count];
	const char *wrong;

	if (prefix == NULL || prefix == number)
		return "a count is SERVICE=PREFIX=N";
	if (e->given_count == COUNTS_MAX)
		return "more than 1000 counts";
	*prefix++ = *number++ = '\0';
	wrong = service_fault(e, slice_of(text));
	if (wrong == NULL)
		wrong = cidr_parse(slice_of(prefix), &given->block);
	if (wrong != NULL)
		return wrong;
	errno = 0;
	given->count = strtoull(number, &end, 10);
	if (*number < '0' || *number > '9' || *end != '\0' || errno != 0 ||
	    given->count > INT64_MAX)
		return "the N of a count is a whole number";
	given->service = text;
	e->given_count++;
	return NULL;
}

static struct slice address(const char *text)
{
	size_t len = strlen(text);

	return len >= 2 && text[0] == '<' && text[len - 1] == '>'
		       ? (struct slice){ text + 1, len - 2 }
		       : slice_of(text);
}

static const char *from_option(struct eval *e, char *text)
{
	e->mail.from = address(text);
	return NULL;
}

static const char *to_option(struct eval *e, char *text)
{
	e->mail.rcpt = address(text);
	return NULL;
}

static const char *client_option(struct eval *e, char *text)
{
	return addr_parse(slice_of(text), &e->facts.peer);
}

static const char *user_option(struct eval *e, char *text)
{
	e->facts.auth_user = slice_of(text);
	return NULL;
}

static const char *message_option(struct eval *e, char *text)
{
	e->message_path = text;
	return NULL;
}

static const char *output_option(struct eval *e, char *text)
{
	e->output_path = text;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*take)(struct eval *e, char *text);
} options[] = {
	{ "phase", phase_option },	     { "count", count_option },
	{ "message", message_option },	     { "envelope-from", from_option },
	{ "envelope-to", to_option },	     { "client-addr", client_option },
	{ "auth-user", user_option },	     { "output-message", output_option },
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static bool command_line(struct eval *e, int argc, char **argv)
{
	struct option known[OPTIONS + 1] = { { .name = NULL } };
	int got, index;

	for (int i = 0; i < OPTIONS; i++)
		known[i] = (struct option){ options[i].name, required_argument, NULL, 0 };
	argv[0] = (char *)"tidectl sieve eval"; /* as getopt names itself */
	optind = 0;
	while ((got = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *wrong = got == 0 ? options[index].take(e, optarg) : NULL;

		if (wrong != NULL)
			fprintf(stderr, "%s: --%s: %s\n", argv[0], options[index].name, wrong);
		if (got != 0 || wrong != NULL)
			return false;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "%s", usage);
		return false;
	}
	e->script = argv[optind];
	return true;
}

/* --- the run ----------------------------------------------------------------------------- */

static bool read_message(struct eval *e)
{
	FILE *in = e->message_path != NULL ? fopen(e->message_path, "rb") : NULL;
	char chunk[8192];
	size_t n;

	if (e->message_path == NULL)
		return true;
	if (in == NULL) {
		fprintf(stderr, "tidectl sieve eval: %s: %s\n", e->message_path, strerror(errno));
		return false;
	}
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0 && buf_add(&e->message, chunk, n))
		;
	if (n > 0)
		fprintf(stderr, "tidectl sieve eval: %s: more than 64 MiB\n", e->message_path);
	else if (ferror(in))
		fprintf(stderr, "tidectl sieve eval: %s: %s\n", e->message_path, strerror(errno));
	n += (size_t)ferror(in);
	fclose(in);
	return n == 0;
}

static bool write_message(const struct eval *e)
{
	FILE *out = e->output_path != NULL ? fopen(e->output_path, "wb") : NULL;
	bool good;

	if (e->output_path == NULL)
		return true;
	good = out != NULL &&
	       (e->message.len == 0 || fwrite(e->message.at, e->message.len, 1, out) == 1);
	if (out != NULL && fclose(out) != 0)
		good = false;
	if (!good)
		fprintf(stderr, "tidectl sieve eval: %s: %s\n", e->output_path, strerror(errno));
	return good;
}

/* The dialogue up to the phase, as the options tell it. */
static void set_facts(struct eval *e)
{
	if (e->phase < PHASE_MAILFROM)
		return;
	e->facts.mail = &e->mail;
	e->mail.size = e->phase >= PHASE_DATA ? e->message.len : 0;
	if (e->phase < PHASE_RCPTTO)
		e->mail.rcpt = (struct slice){ 0 };
	else if (e->phase > PHASE_RCPTTO)
		e->mail.rcpt_count = e->facts.rcpt_count = e->mail.rcpt.at != NULL;
}

static void *load_watched(const struct policy_stanza *stanza, struct policy_set *set,
			  struct complaints *complaints)
{
	void *module = sieve_engine.load(stanza, set, complaints);

	if (module != NULL)
		sieve_set_watch(module, ended, policy_set_host(set)->owner);
	return module;
}

static struct policy_set *load(struct eval *e, const struct policy_host *host)
{
	char *title = mem_printf("%s_phase1", phase_name(e->phase));
	const struct policy_script script = { .title = title, .source = e->script };
	const struct policy_stanza stanza = {
		.kind = "sieve",
		.title = "eval",
		.scripts = &script,
		.script_count = 1,
		.cache_size = 200,
		.cache_life_s = 260,
	};
	const struct policy_conf conf = {
		.stanzas = &stanza, .stanza_count = 1, .workers = 1,
		.has_inbound_audit = true, .has_cluster = true /* as --count says */
	};
	const struct policy_engine *const engines[] = { &e->engine, NULL };
	struct complaints complaints;
	struct policy_set *set;

	e->engine = sieve_engine;
	e->engine.load = load_watched;
	complaints_init(&complaints);
	set = policy_load(&conf, engines, host, &complaints);
	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	free(title);
	return set;
}

static int print_result(struct eval *e)
{
	int code = e->error != NULL ? EXIT_SCRIPT_FAILED : 0;
	json_t *result = json_object();

	json_object_set(result, "actions", e->actions);
	json_object_set_new(result, "implicit_keep", json_boolean(e->keeps));
	json_object_set_new(result, "error", e->error != NULL ? e->error : json_null());
	json_dumpf(result, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(result);
	if (fflush(stdout) != 0)
		code = EXIT_TROUBLE;
	return code;
}

static int run(struct eval *e)
{
	struct policy_host host = { .owner = e,
				    .count = count,
				    .acted = acted,
				    .logged = logged };
	struct policy_set *set = load(e, &host);
	struct policy_run *waiting;
	struct verdict verdict = { 0 };

	if (set == NULL)
		return EXIT_TROUBLE;
	CHECK(policy_ask(set, e->phase, &e->facts, &verdict, NULL, NULL, &waiting) == POLICY_DONE);
	policy_session_over(set, &e->facts);
	verdict_clear(&verdict);
	policy_unref(set);
	return print_result(e);
}

int ctl_sieve_eval(int argc, char **argv)
{
	struct eval *e = mem_new(sizeof *e);
	int code = EX_USAGE;

	e->phase = PHASE_DATA;
	e->keeps = true;
	e->audit = audit_new();
	e->actions = json_array();
	buf_init(&e->message, MESSAGE_MAX);
	if (command_line(e, argc, argv)) {
		set_facts(e);
		code = read_message(e) ? run(e) : EXIT_TROUBLE;
		if ((code == 0 || code == EXIT_SCRIPT_FAILED) && !write_message(e))
			code = EXIT_TROUBLE;
	}
	ctx_clear(&e->facts.conn);
	ctx_clear(&e->mail.mess);
	json_decref(e->actions);
	audit_free(e->audit);
	buf_free(&e->message);
	free(e);
	return code;
}
