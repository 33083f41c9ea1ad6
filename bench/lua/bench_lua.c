/*
 * How many times a second one core runs a validate_connect that reads four live counts of the real
 * audit, from policy_ask to its verdict: in a session that was asked before, and with a new session
 * (its `self` made and let go) each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"
#include "policy/lua/lua.h"

enum { SESSIONS = 10000, BATCH = 1000, RUN_S = 1 };

static const char *count(void *owner, const struct facts *facts, struct slice service,
			 const struct cidr *block, uint64_t *out)
{
	struct audit_scope scope;
	const char *wrong = audit_scope_find(owner, service, &scope);

	(void)facts;
	if (!wrong)
		*out = audit_count(scope, block);
	return wrong;
}

static void acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	fprintf(stderr, "bench_lua: unexpected %s: %.*s\n", action->name, SLICE_ARGS(action->text));
	exit(1);
}

static void logged(void *owner, enum log_level level, const struct facts *facts, const char *file,
		   unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	fprintf(stderr, "bench_lua: %s:%u: %.*s\n", file, line, SLICE_ARGS(text));
}

static struct policy_set *load(const struct policy_host *host, const char *script)
{
	static const struct policy_engine *const engines[] = { &lua_engine, NULL };
	struct policy_script one = { .title = "counts", .source = script };
	struct policy_stanza stanza = {
	    .kind = "scriptlet", .title = "scriptlet", .scripts = &one, .script_count = 1};
	struct policy_conf conf = {
	    .stanzas = &stanza, .stanza_count = 1, .workers = 1, .has_inbound_audit = true};
	struct complaints complaints;
	struct policy_set *set;

	complaints_init(&complaints);
	set = policy_load(&conf, engines, host, &complaints);
	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	if (!set)
		exit(1);
	return set;
}

/* Nanoseconds for one. */
static double measure(struct policy_set *set, struct audit_ticket *tickets, bool new_sessions)
{
	struct verdict verdict = { 0 };
	struct facts facts = { .session = 1 };
	struct policy_run *run;
	clock_t begin = clock(), now; /* of the processor, so that neighbours do not count */
	unsigned n = 0;

	do {
		for (unsigned i = 0; i < BATCH; i++, n++) {
			facts.peer = tickets[(n * 7919u) % SESSIONS].peer;
			policy_ask(set, PHASE_CONNECT, &facts, &verdict, NULL, NULL, &run);
			if (new_sessions)
				policy_session_over(set, &facts);
		}
		now = clock();
	} while (now - begin < RUN_S * CLOCKS_PER_SEC);
	policy_session_over(set, &facts);
	return (double)(now - begin) * (1e9 / CLOCKS_PER_SEC) / n;
}

int main(int argc, char **argv)
{
	struct audit *audit = audit_new();
	struct audit_endpoint *endpoint =
	    audit_endpoint(audit, audit_service_find(audit, "SMTP"), "127.0.0.1:25");
	struct policy_host host = {
	    .owner = audit, .count = count, .acted = acted, .logged = logged};
	struct audit_ticket *tickets = mem_array(SESSIONS, sizeof *tickets);
	struct policy_set *set = load(&host, argc > 1 ? argv[1] : "bench/lua/counts");
	double same, new;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct addr peer = { .hi = (uint64_t)(i * 2654435761u) << 32, .family = ADDR_V4 };

		audit_enter(endpoint, &peer, &tickets[i]);
	}
	same = measure(set, tickets, false);
	new = measure(set, tickets, true);
	printf("lua: four counts of %d sessions: %.0f ns, %.2f M/s; with a new session each: %.0f "
	       "ns, %.2f M/s\n",
	       SESSIONS, same, 1e3 / same, new, 1e3 / new);
	for (uint32_t i = 0; i < SESSIONS; i++)
		audit_leave(&tickets[i]);
	policy_unref(set);
	audit_free(audit);
	free(tickets);
	return 0;
}
