/*
 * policy - the world of a benchmark of one script: sessions in a real audit, of which the script
 * reads counts, and nothing that it may do but that.
 */
#ifndef BENCH_POLICY_H
#define BENCH_POLICY_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"
#include "policy/engine.h"

enum { SESSIONS = 10000, BATCH = 1000, RUN_S = 2 };

struct bench {
	struct audit *audit;
	struct audit_ticket *tickets; /* SESSIONS */
	struct policy_host host;
	struct policy_set *set;
};

static const char *bench_count(void *owner, const struct facts *facts, struct slice service,
			       const struct cidr *block, uint64_t *out)
{
	struct audit_scope scope = { 0 };
	const char *wrong = NULL;

	if (slice_equal(service, SLICE("LISTENER")))
		scope = (struct audit_scope){ audit_endpoint_service(facts->endpoint),
					      facts->endpoint };
	else
		wrong = audit_scope_find(owner, service, &scope);
	if (wrong == NULL)
		*out = audit_count(scope, block);
	return wrong;
}

static void bench_acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	fprintf(stderr, "unexpected %s: %.*s\n", action->name, SLICE_ARGS(action->text));
	exit(1);
}

static void bench_logged(void *owner, enum log_level level, const struct facts *facts,
			 const char *file, unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	fprintf(stderr, "%s:%u: %.*s\n", file, line, SLICE_ARGS(text));
}

static struct policy_set *bench_load(const struct bench *b, const struct policy_engine *engine,
				     const struct policy_script *script)
{
	const struct policy_engine *const engines[] = { engine, NULL };
	struct policy_stanza stanza = { .kind = engine->kind, .title = "bench", .scripts = script,
					.script_count = 1 };
	struct policy_conf conf = { .stanzas = &stanza, .stanza_count = 1, .workers = 1,
				    .has_inbound_audit = true };
	struct complaints complaints;
	struct policy_set *set;

	complaints_init(&complaints);
	set = policy_load(&conf, engines, &b->host, &complaints);
	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	if (set == NULL)
		exit(1);
	return set;
}

static void bench_open(struct bench *b, const struct policy_engine *engine,
		       const struct policy_script *script)
{
	struct audit_endpoint *endpoint;

	b->audit = audit_new();
	endpoint = audit_endpoint(b->audit, audit_service_find(b->audit, "SMTP"), "127.0.0.1:25");
	b->tickets = mem_array(SESSIONS, sizeof *b->tickets);
	b->host = (struct policy_host){ .owner = b->audit, .count = bench_count,
					.acted = bench_acted, .logged = bench_logged };
	b->set = bench_load(b, engine, script);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct addr peer = { .hi = (uint64_t)(i * 2654435761u) << 32, .family = ADDR_V4 };

		audit_enter(endpoint, &peer, &b->tickets[i]);
	}
}

static void bench_close(struct bench *b)
{
	for (uint32_t i = 0; i < SESSIONS; i++)
		audit_leave(&b->tickets[i]);
	policy_unref(b->set);
	audit_free(b->audit);
	free(b->tickets);
}

/* Nanoseconds of processor time from policy_ask to its verdict, so that others on the machine count
 * for less. */
static double bench_run(struct bench *b, bool new_sessions)
{
	struct verdict verdict = { 0 };
	struct facts facts = { .session = 1, .endpoint = b->tickets[0].endpoint };
	struct policy_run *run;
	clock_t begin = clock(), now;
	unsigned n = 0;

	do {
		for (unsigned i = 0; i < BATCH; i++, n++) {
			facts.peer = b->tickets[(n * 7919u) % SESSIONS].peer;
			CHECK(policy_ask(b->set, PHASE_CONNECT, &facts, &verdict, NULL, NULL,
					 &run) == POLICY_DONE);
			if (new_sessions)
				policy_session_over(b->set, &facts);
		}
		now = clock();
	} while (now - begin < RUN_S * CLOCKS_PER_SEC);
	policy_session_over(b->set, &facts);
	return (double)(now - begin) * (1e9 / CLOCKS_PER_SEC) / n;
}

#endif
