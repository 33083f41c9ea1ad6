// room: policy/sieve
/* Any text as a script: compiled, and run on next to nothing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/sieve/sieve.h"
#include "series/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *count(void *owner, const struct facts *facts, struct slice service,
			 const struct cidr *block, uint64_t *out)
{
	(void)owner;
	(void)facts;
	*out = 1 + service.len * block->len;
	return service.len > 20 ? "no such service" : NULL;
}

static void acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	(void)action;
}

static void logged(void *owner, enum log_level level, const struct facts *facts, const char *file,
		   unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	(void)file;
	(void)line;
	(void)text;
}

static void *load(const struct policy_stanza *stanza, struct policy_set *set,
		  struct complaints *complaints)
{
	void *module = sieve_engine.load(stanza, set, complaints);

	if (module != NULL)
		sieve_set_budget(module, (struct sieve_budget){ 50, 3000 });
	return module;
}

static void run(struct policy_set *set, enum phase phase)
{
	struct facts_mail mail = { .from = SLICE("a+b@example.org"),
				   .rcpt = SLICE("c@example.net"),
				   .size = 1000 };
	struct facts facts = { .peer = { .family = ADDR_V4, .hi = UINT64_C(0xc0000207) << 32 },
			       .helo = SLICE("client"),
			       .mail = phase >= PHASE_MAILFROM ? &mail : NULL };
	struct verdict verdict = { 0 };
	struct policy_run *waiting;

	policy_ask(set, phase, &facts, &verdict, NULL, NULL, &waiting);
	policy_session_over(set, &facts);
	verdict_clear(&verdict);
	ctx_clear(&facts.conn);
	ctx_clear(&mail.mess);
}

static const char *script_file(const uint8_t *data, size_t size)
{
	static char path[64];
	FILE *out;

	snprintf(path, sizeof path, "/tmp/fuzz_sieve.%d", (int)getpid());
	out = fopen(path, "wb");
	if (out == NULL || fwrite(data, 1, size, out) != size || fclose(out) != 0)
		abort();
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = script_file(data, size);
	const struct policy_script scripts[] = {
		{ .title = "accept_phase1", .source = path },
		{ .title = "connect_phase1", .source = path },
		{ .title = "rcptto_phase1", .source = path },
		{ .title = "rcptto_phase2", .source = path, .observe = true },
	};
	const struct policy_stanza stanza = { .kind = "sieve",
					      .scripts = scripts,
					      .script_count = 4,
					      .cache_size = 2,
					      .cache_life_s = 10,
					      .runtime_error_continue = size % 2 };
	static const struct monitor monitors[] = { { 300, 6 }, { 60, 10 } };
	const struct policy_conf conf = { .stanzas = &stanza,
					  .stanza_count = 1,
					  .has_inbound_audit = true,
					  .monitors = monitors,
					  .monitor_count = 2 };
	const struct policy_host host = { .count = count,
					  .acted = acted,
					  .logged = logged,
					  .series = series_all_new() };
	struct policy_engine engine = sieve_engine;
	const struct policy_engine *const engines[] = { &engine, NULL };
	struct complaints complaints;
	struct policy_set *set;

	engine.load = load;
	series_monitors(host.series, monitors, 2, SERIES_BYTES_MIN, false);
	complaints_init(&complaints);
	set = policy_load(&conf, engines, &host, &complaints);
	for (unsigned i = 0; set != NULL && i < PHASE_COUNT; i++)
		run(set, (enum phase)i);
	policy_unref(set);
	complaints_free(&complaints);
	series_all_free(host.series);
	unlink(path);
	return 0;
}
