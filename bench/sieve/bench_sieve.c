/*
 * How many times a second one core runs a connect script that reads four live counts of the real
 * audit, two of them published examples, from policy_ask to its verdict.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"
#include "policy/sieve/sieve.h"

enum { SESSIONS = 10000, BATCH = 1000, RUN_S = 2 };

static const char *count(void *owner, const struct facts *facts, struct slice service,
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

static void acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	fprintf(stderr, "bench_sieve: unexpected %s: %.*s\n", action->name,
		SLICE_ARGS(action->text));
	exit(1);
}

static void logged(void *owner, enum log_level level, const struct facts *facts, const char *file,
		   unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	fprintf(stderr, "bench_sieve: %s:%u: %.*s\n", file, line, SLICE_ARGS(text));
}

static struct policy_set *load(const struct policy_host *host, const char *path)
{
	static const struct policy_engine *const engines[] = { &sieve_engine, NULL };
	struct policy_script script = { .title = "connect_phase1", .source = path };
	struct policy_stanza stanza = {
		.kind = "sieve", .title = "policy", .scripts = &script, .script_count = 1
	};
	struct policy_conf conf = {
		.stanzas = &stanza, .stanza_count = 1, .workers = 1, .has_inbound_audit = true
	};
	struct complaints complaints;
	struct policy_set *set;

	complaints_init(&complaints);
	set = policy_load(&conf, engines, host, &complaints);
	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	if (set == NULL)
		exit(1);
	return set;
}

/* Nanoseconds of processor time for one, so that others on the machine count for less. */
static double measure(struct policy_set *set, const struct audit_ticket *tickets)
{
	struct verdict verdict = { 0 };
	struct facts facts = { .session = 1, .endpoint = tickets[0].endpoint };
	struct policy_run *run;
	clock_t begin = clock(), now;
	unsigned n = 0;

	do {
		for (unsigned i = 0; i < BATCH; i++, n++) {
			facts.peer = tickets[(n * 7919u) % SESSIONS].peer;
			CHECK(policy_ask(set, PHASE_CONNECT, &facts, &verdict, NULL, NULL, &run) ==
			      POLICY_DONE);
		}
		now = clock();
	} while (now - begin < RUN_S * CLOCKS_PER_SEC);
	return (double)(now - begin) * (1e9 / CLOCKS_PER_SEC) / n;
}

int main(int argc, char **argv)
{
	struct audit *audit = audit_new();
	struct audit_endpoint *endpoint =
		audit_endpoint(audit, audit_service_find(audit, "SMTP"), "127.0.0.1:25");
	struct policy_host host = { .owner = audit,
				    .count = count,
				    .acted = acted,
				    .logged = logged };
	struct audit_ticket *tickets = mem_array(SESSIONS, sizeof *tickets);
	struct policy_set *set = load(&host, argc > 1 ? argv[1] : "bench/sieve/counts.sieve");
	double ns;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct addr peer = { .hi = (uint64_t)(i * 2654435761u) << 32, .family = ADDR_V4 };

		audit_enter(endpoint, &peer, &tickets[i]);
	}
	ns = measure(set, tickets);
	printf("sieve: four counts of %d sessions: %.0f ns, %.2f M/s\n", SESSIONS, ns, 1e3 / ns);
	for (uint32_t i = 0; i < SESSIONS; i++)
		audit_leave(&tickets[i]);
	policy_unref(set);
	audit_free(audit);
	free(tickets);
	return 0;
}
