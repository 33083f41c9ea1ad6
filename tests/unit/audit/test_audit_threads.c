/*
 * Tickets of many threads: sessions that move (D49) are never seen at both addresses, counts of a
 * service and of its endpoints meet at quiet points, and endpoints may be made meanwhile (T8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "audit/audit.h"
#include "oracle.h"

enum { SESSIONS = 50, TURNS = 6000, WORKERS = 3 };

static struct audit *audit;
static _Atomic int working, wrong;

/* The addresses of one worker are its own block: 10.N.0.0/16 or 2001:db8:N::/48. */
static struct addr peer_of(unsigned worker, struct random *r)
{
	if (random_below(r, 2))
		return v4(10u << 24 | worker << 16 | (uint32_t)random_below(r, 300));
	return (struct addr){ 0x20010db800000000 | (uint64_t)worker << 16, random_below(r, 300),
			      ADDR_V6 };
}

static void *work(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct audit_service *smtp = audit_service_find(audit, "SMTP");
	struct audit_ticket tickets[SESSIONS] = { 0 };
	struct random r = { me + 1 };

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct audit_ticket *t = &tickets[random_below(&r, SESSIONS)];
		struct addr peer = peer_of(me, &r);
		char name[32];

		snprintf(name, sizeof name, "127.0.0.1:%u", 25 + (unsigned)random_below(&r, 5));
		if (t->endpoint == NULL)
			audit_enter(audit_endpoint(audit, smtp, name), &peer, t);
		else if (random_below(&r, 2))
			audit_move(t, &peer);
		else
			audit_leave(t);
	}
	for (unsigned i = 0; i < SESSIONS; i++)
		audit_leave(&tickets[i]);
	atomic_fetch_sub(&working, 1);
	return NULL;
}

/* One session, moving between two hosts of one /24: an instantaneous count there is 0 or 1. */
static void *hop(void *unused)
{
	struct audit_endpoint *at = audit_endpoint(audit, audit_service_find(audit, "HTTP"), "hop");
	struct addr from = v4(0xc0000201), to = v4(0xc0000202);
	struct audit_ticket t = { 0 };

	(void)unused;
	audit_enter(at, &from, &t);
	for (unsigned turn = 0; turn < TURNS; turn++)
		audit_move(&t, turn % 2 ? &from : &to);
	audit_leave(&t);
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void *watch(void *unused)
{
	struct audit_scope http = { audit_service_find(audit, "HTTP"), NULL };
	struct audit_scope smtp = { audit_service_find(audit, "SMTP"), NULL };
	struct addr a = v4(0xc0000200);
	struct cidr hosts = cidr_of(&a, 24);

	(void)unused;
	while (atomic_load(&working) > 0) {
		if (audit_count(http, &hosts) > 1 || audit_distinct(http, &hosts) > 1)
			atomic_fetch_add(&wrong, 1);
		/* a session may have gone from the one family, counted, to the other before that
		 * was */
		if (audit_total(smtp) > WORKERS * SESSIONS * 2)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void test_sessions_come_move_and_go_T8(void **state)
{
	pthread_t threads[WORKERS + 2];
	struct audit_scope smtp;

	(void)state;
	audit = audit_new();
	smtp = (struct audit_scope){ audit_service_find(audit, "SMTP"), NULL };
	atomic_store(&working, WORKERS + 1);
	for (uintptr_t i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	pthread_create(&threads[WORKERS], NULL, hop, NULL);
	pthread_create(&threads[WORKERS + 1], NULL, watch, NULL);
	for (unsigned i = 0; i < WORKERS + 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(audit_total(smtp), 0);
	audit_free(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions_come_move_and_go_T8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
