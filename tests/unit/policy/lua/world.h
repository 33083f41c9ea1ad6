/* A world for Lua scripts: one session, a host that knows counts by table and remembers what it was
 * told. */
#ifndef TEST_LUA_WORLD_H
#define TEST_LUA_WORLD_H

#include <unistd.h>

#include "base/mem.h"
#include "policy/expect.h"
#include "policy/lua/lua.h"

struct world_count {
	const char *service;
	const char *block;
	uint64_t count;
};

struct world {
	struct policy_host host;
	struct policy_conf conf;
	struct policy_stanza stanza;
	struct policy_script script;
	bool stub_unavailable;
	struct policy_set *set;
	struct complaints complaints;
	struct facts facts;
	struct facts_mail mail;
	struct verdict verdict;
	const struct world_count *counts; /* ends with service NULL; what is not there is 0 */
	struct buf acted;
	struct buf logged;
	char directory[32];
};

static inline const char *world_count(void *owner, const struct facts *facts, struct slice service,
				      const struct cidr *block, uint64_t *out)
{
	const struct world *w = owner;
	char text[CIDR_TEXT_MAX];

	(void)facts;
	*out = 0;
	if (slice_equal(service, SLICE("SMPT")))
		return "there is no service \"SMPT\"";
	cidr_print(block, text);
	for (const struct world_count *c = w->counts; c && c->service; c++)
		if (slice_equal(service, slice_of(c->service)) && strcmp(text, c->block) == 0)
			*out = c->count;
	return NULL;
}

static inline void world_acted(void *owner, const struct facts *facts, const struct action *a)
{
	struct world *w = owner;
	char text[CIDR_TEXT_MAX];

	(void)facts;
	assert_true(buf_printf(&w->acted, "%s %s %s:%u", phase_name(a->phase), a->name, a->file,
			       a->line));
	if (a->ms)
		assert_true(buf_printf(&w->acted, " ms=%u", a->ms));
	if (a->code)
		assert_true(buf_printf(&w->acted, " %u %.*s", a->code, SLICE_ARGS(a->text)));
	if (a->cause)
		assert_true(buf_printf(&w->acted, " cause=%s %s %lu", a->cause->service,
				       cidr_print(&a->cause->block, text),
				       (unsigned long)a->cause->count));
	assert_true(buf_printf(&w->acted, "%s\n", a->observe ? " observe" : ""));
}

static inline void world_logged(void *owner, enum log_level level, const struct facts *facts,
				const char *file, unsigned line, struct slice text)
{
	struct world *w = owner;

	(void)level;
	assert_non_null(facts);
	assert_true(buf_printf(&w->logged, "%s:%u: %.*s\n", file, line, SLICE_ARGS(text)));
}

static inline void expect_has(const char *name, struct buf *got, const char *want)
{
	if (!strstr(buf_text(got), want))
		fail_msg("%s: want \"%s\" in \"%s\"", name, want, buf_text(got));
	buf_clear(got);
}

static inline void world_file(struct world *w, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", w->directory, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static inline void world_init(struct world *w)
{
	*w = (struct world){ .host = { .owner = w, .count = world_count, .acted = world_acted,
				       .logged = world_logged },
			     .conf = { .hostname = "edge.example.org", .workers = 2,
				       .has_inbound_audit = true },
			     .directory = "/tmp/tidewaiter.XXXXXX" };
	complaints_init(&w->complaints);
	w->facts.session = 0xa1f3c29b04e771;
	w->facts.peer = addr_of("192.0.2.7");
	w->facts.peer_port = 4711;
	w->facts.local = addr_of("198.51.100.1");
	w->facts.local_port = 25;
	w->facts.helo_line = SLICE("EHLO client.example");
	w->facts.helo = SLICE("client.example");
	w->mail.from = SLICE("a@example.org");
	w->mail.mail_line = SLICE("MAIL FROM:<a@example.org>");
	w->mail.rcpt = SLICE("c@example.net");
	w->mail.rcpt_line = SLICE("RCPT TO:<c@example.net>");
	w->mail.size = 1234;
	assert_non_null(mkdtemp(w->directory));
}

/* The script of that source (without ".lua"), or with a text, DIRECTORY/limits.lua made of it. */
static inline bool world_load(struct world *w, const char *source, const char *text)
{
	static const struct policy_engine *const engines[] = { &lua_engine, NULL };
	char *own = mem_printf("%s/limits", w->directory);

	if (text)
		world_file(w, "limits.lua", text);
	w->script.title = "limits";
	w->script.source = source ? source : own;
	w->script.at = (struct place){ "tidewaiter.conf", 7, 3 };
	w->stanza = (struct policy_stanza){ .kind = "scriptlet",
					    .title = "scriptlet",
					    .scripts = &w->script,
					    .script_count = 1,
					    .stub_unavailable = w->stub_unavailable };
	w->conf.stanzas = &w->stanza;
	w->conf.stanza_count = 1;
	w->set = policy_load(&w->conf, engines, &w->host, &w->complaints);
	free(own);
	return w->set != NULL;
}

/* Which says what was complained of if it fails. */
static inline void world_must_load(struct world *w, const char *source, const char *text)
{
	if (!world_load(w, source, text))
		complaints_print(&w->complaints, stderr);
	assert_non_null(w->set);
}

static inline void world_ask(struct world *w, enum phase phase)
{
	struct policy_run *run;

	verdict_clear(&w->verdict);
	w->facts.mail = phase >= PHASE_MAILFROM ? &w->mail : NULL;
	assert_int_equal(policy_ask(w->set, phase, &w->facts, &w->verdict, NULL, NULL, &run),
			 POLICY_DONE);
}

static inline void world_session_over(struct world *w)
{
	if (w->set)
		policy_session_over(w->set, &w->facts);
	ctx_clear(&w->facts.conn);
	ctx_clear(&w->mail.mess);
}

static inline void world_fini(struct world *w)
{
	char *command = mem_printf("rm -rf %s", w->directory);

	world_session_over(w);
	policy_unref(w->set);
	verdict_clear(&w->verdict);
	complaints_free(&w->complaints);
	buf_free(&w->acted);
	buf_free(&w->logged);
	assert_int_equal(system(command), 0);
	free(command);
}

#endif
