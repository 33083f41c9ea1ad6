/*
 * A world for scripts: files in a directory of their own, one session, a host that writes down what
 * it is told, a loop and a disk thread. One line a thing told:
 *
 *   ec_tarpit 10000ms [counter] a.sieve:3 <SMTP 192.0.2.0/24 1001> observe
 */
#ifndef TEST_SIEVE_WORLD_H
#define TEST_SIEVE_WORLD_H

#include <unistd.h>

#include "policy/expect.h"
#include "policy/sieve/sieve.h"

enum { SCRIPTS_MAX = 4, FILES_MAX = 32 };

struct world {
	char dir[32];
	char files[FILES_MAX][64];
	unsigned file_count;
	struct policy_engine engine; /* sieve_engine, with a budget */
	struct sieve_budget budget;
	struct policy_host host;
	struct policy_conf conf;
	struct policy_stanza stanza;
	struct policy_script scripts[SCRIPTS_MAX];
	char *paths[SCRIPTS_MAX];
	struct policy_set *set;
	struct facts facts;
	struct facts_mail mail;
	struct verdict verdict;
	struct loop *loop;
	struct jobs *jobs;
	struct policy_run *waiting;
	unsigned waits;
	uint64_t count; /* of every block */
	struct buf told;
};

static struct world *the_world; /* for load, which gets no owner */

static inline const char *bare(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL ? slash + 1 : file;
}

static inline const char *world_count(void *owner, const struct facts *facts, struct slice service,
				      const struct cidr *block, uint64_t *out)
{
	struct world *w = owner;

	(void)facts;
	(void)block;
	*out = w->count;
	return slice_equal(service, SLICE("Nonsense")) ? "there is no service \"Nonsense\"" : NULL;
}

static inline void world_acted(void *owner, const struct facts *facts, const struct action *a)
{
	struct world *w = owner;
	char text[CIDR_TEXT_MAX];
	bool good = buf_printf(&w->told, "%s", a->name);

	(void)facts;
	if (a->ms != 0)
		good &= buf_printf(&w->told, " %ums", a->ms);
	if (a->code != 0)
		good &= buf_printf(&w->told, " %u \"%.*s\"", a->code, SLICE_ARGS(a->text));
	if (a->counter.len > 0)
		good &= buf_printf(&w->told, " [%.*s]", SLICE_ARGS(a->counter));
	good &= buf_printf(&w->told, " %s:%u", bare(a->file), a->line);
	if (a->cause != NULL)
		good &= buf_printf(&w->told, " <%s %s %u>", a->cause->service,
				   cidr_print(&a->cause->block, text), (unsigned)a->cause->count);
	good &= buf_printf(&w->told, "%s\n", a->observe ? " observe" : "");
	assert_true(good);
}

static inline void world_logged(void *owner, enum log_level level, const struct facts *facts,
				const char *file, unsigned line, struct slice text)
{
	struct world *w = owner;

	(void)level;
	(void)facts;
	assert_true(buf_printf(&w->told, "log %s:%u: %.*s\n", bare(file), line, SLICE_ARGS(text)));
}

static inline struct loop *world_loop(void *owner, unsigned worker)
{
	struct world *w = owner;

	(void)worker;
	return w->loop;
}

static inline void *world_load(const struct policy_stanza *stanza, struct policy_set *set,
			       struct complaints *complaints)
{
	void *module = sieve_engine.load(stanza, set, complaints);

	if (module != NULL && the_world->budget.total > 0)
		sieve_set_budget(module, the_world->budget);
	return module;
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);

	snprintf(w->dir, sizeof w->dir, "/tmp/sieve.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->engine = sieve_engine;
	w->engine.load = world_load;
	w->host = (struct policy_host){
		.owner = w, .count = world_count, .acted = world_acted, .logged = world_logged,
	};
	w->stanza = (struct policy_stanza){
		.kind = "sieve",
		.title = "policy",
		.scripts = w->scripts,
		.cache_size = 200,
		.cache_life_s = 260,
	};
	w->conf = (struct policy_conf){
		.hostname = "edge.example.org",
		.stanzas = &w->stanza, .stanza_count = 1, .workers = 1, .has_inbound_audit = true,
	};
	w->facts.peer = (struct addr){ .family = ADDR_V4, .hi = UINT64_C(0xc0000207) << 32 };
	w->facts.helo = SLICE("client.example.org");
	w->mail.from = SLICE("Ann+list@example.org");
	w->mail.rcpt = SLICE("bob@example.net");
	w->facts.mail = &w->mail;
	buf_init(&w->told, 0);
	return w;
}

/* Waits are possible from now on; files are read on a thread. */
static inline void world_can_wait(struct world *w)
{
	w->loop = loop_new();
	w->jobs = jobs_new(1);
	w->host.loop = world_loop;
	w->host.jobs = w->jobs;
}

static inline void world_file(struct world *w, const char *name, struct slice text)
{
	char path[64];
	FILE *out;
	unsigned i = 0;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	while (i < w->file_count && strcmp(w->files[i], path) != 0)
		i++;
	if (i == w->file_count)
		memcpy(w->files[w->file_count++], path, sizeof path);
	out = fopen(path, "wb");
	assert_non_null(out);
	assert_true(text.len == 0 || fwrite(text.at, text.len, 1, out) == 1);
	fclose(out);
}

/* The script that is run at the title's phase. */
static inline void world_script(struct world *w, const char *title, const char *name,
				const char *text, bool observe)
{
	unsigned n = w->stanza.script_count++;

	world_file(w, name, slice_of(text));
	w->paths[n] = calloc(1, 64);
	snprintf(w->paths[n], 64, "%s/%s", w->dir, name);
	w->scripts[n] =
		(struct policy_script){ .title = title, .source = w->paths[n], .observe = observe };
}

/* Complaints are told, a line each, with bare file names. */
static inline bool world_load_set(struct world *w)
{
	const struct policy_engine *const engines[] = { &w->engine, NULL };
	struct complaints complaints;
	char line[1024];

	the_world = w;
	complaints_init(&complaints);
	w->set = policy_load(&w->conf, engines, &w->host, &complaints);
	for (unsigned i = 0; i < complaints.count; i++) {
		char *at = line, *dir;

		complaint_print(&complaints.list[i], line, sizeof line);
		while ((dir = strstr(at, w->dir)) != NULL)
			memmove(dir, dir + strlen(w->dir) + 1,
				strlen(dir + strlen(w->dir) + 1) + 1);
		assert_true(buf_printf(&w->told, "%s\n", line));
	}
	complaints_free(&complaints);
	return w->set != NULL;
}

static inline void world_said(void *owner)
{
	struct world *w = owner;

	w->waiting = NULL;
	loop_stop(w->loop);
}

static inline void world_ask(struct world *w, enum phase phase)
{
	if (policy_ask(w->set, phase, &w->facts, &w->verdict, world_said, w, &w->waiting) ==
	    POLICY_DONE)
		return;
	w->waits++;
	loop_run(w->loop);
	assert_null(w->waiting);
}

static inline void world_free(struct world *w)
{
	if (w->set != NULL)
		policy_session_over(w->set, &w->facts);
	policy_unref(w->set);
	if (w->jobs != NULL)
		jobs_free(w->jobs);
	if (w->loop != NULL)
		loop_free(w->loop);
	verdict_clear(&w->verdict);
	ctx_clear(&w->facts.conn);
	ctx_clear(&w->mail.mess);
	for (unsigned i = 0; i < w->file_count; i++)
		unlink(w->files[i]);
	rmdir(w->dir);
	for (unsigned i = 0; i < w->stanza.script_count; i++)
		free(w->paths[i]);
	buf_free(&w->told);
	free(w);
}

static inline void expect_told(struct world *w, const char *name, const char *want)
{
	if (!slice_equal(buf_slice(&w->told), slice_of(want)))
		fail_msg("%s:\nwant: %s\ngot:  %s", name, want,
			 w->told.len > 0 ? buf_text(&w->told) : "");
	buf_clear(&w->told);
}

/* One connect script, loaded and run; what was told of both. */
static inline void expect_run(const char *name, const char *script, uint64_t count,
			      const char *want)
{
	struct world *w = world_new();

	w->count = count;
	world_script(w, "rcptto_phase1", "a.sieve", script, false);
	if (world_load_set(w))
		world_ask(w, PHASE_RCPTTO);
	expect_told(w, name, want);
	world_free(w);
}

#endif
