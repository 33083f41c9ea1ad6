/* What is kept, who gets it, who waits, and how long a dead next hop is left alone. No sockets: a
 * link need not be connected for this, and the clock stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>

#include "base/clock.h"
#include "relay/pool.h"

enum { IDLE_MS = 5000, RETRY_MS = 6000, ASKERS = 4 };

struct asker {
	struct pool_ask ask;
	enum pool_answer answer;
	struct link *link;
	unsigned said;
	unsigned yielded;
};

struct scene {
	struct loop *loop;
	struct pool *pool;
	struct endpoint to;
	struct hop_manner manner;
	struct asker askers[ASKERS];
	uint64_t now;
};

static void pass(struct scene *s, uint64_t ms)
{
	s->now += ms;
	clock_stop(true, s->now, s->now);
}

static void turn(struct scene *s)
{
	event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
}

/* The pool looks for what is old by a timer, which runs on real time. */
static void sweep(struct scene *s)
{
	struct timeval soon = { 0, 600000 };

	event_base_loopexit(loop_base(s->loop), &soon);
	event_base_loop(loop_base(s->loop), EVLOOP_NO_EXIT_ON_EMPTY);
}

static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof *s);
	s->loop = loop_new();
	s->pool = pool_new(s->loop);
	assert_null(endpoint_parse(SLICE("192.0.2.1:25"), &s->to));
	s->manner = (struct hop_manner){ .connections_max = 2, .uses_max = 3, .idle_ms = IDLE_MS,
					 .retry_ms = RETRY_MS };
	pass(s, 1000000);
}

static void scene_close(struct scene *s)
{
	for (unsigned i = 0; i < ASKERS; i++) {
		pool_forget(&s->askers[i].ask);
		if (s->askers[i].link != NULL)
			pool_drop(s->askers[i].link);
	}
	turn(s);
	pool_free(s->pool);
	loop_free(s->loop);
	clock_stop(false, 0, 0);
}

static void on_news(void *owner, enum link_news news)
{
	(void)owner, (void)news;
}

static void taken(struct asker *a, enum pool_answer answer, struct link *link)
{
	a->answer = answer;
	a->link = link;
	if (link != NULL) {
		link->hear = on_news;
		link->owner = a;
		link->uses++;
	}
}

static void said(void *owner, enum pool_answer answer, struct link *link)
{
	struct asker *a = owner;

	a->said++;
	taken(a, answer, link);
}

/* Asker i is session i. */
static enum pool_answer take(struct scene *s, unsigned i, bool own, bool fresh)
{
	struct asker *a = &s->askers[i];
	struct link *link = NULL;
	enum pool_answer answer;

	a->ask = (struct pool_ask){
		.session = i, .own = own, .fresh = fresh, .waits = true, .said = said, .owner = a
	};
	answer = pool_take(s->pool, &s->to, &s->manner, &a->ask, &link);
	taken(a, answer, link);
	return answer;
}

static struct link *let_go(struct scene *s, unsigned i)
{
	struct link *l = s->askers[i].link;

	s->askers[i].link = NULL;
	return l;
}

static void keep(struct scene *s, unsigned i)
{
	pool_keep(let_go(s, i));
}

static void test_kept_for_the_next(void **state)
{
	struct scene s;
	struct link *l;

	(void)state;
	scene_open(&s);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	l = s.askers[0].link;
	keep(&s, 0);
	assert_int_equal(take(&s, 1, false, false), POOL_KEPT);
	assert_ptr_equal(s.askers[1].link, l);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL); /* that one is in use */
	keep(&s, 1);
	keep(&s, 0);
	assert_int_equal(take(&s, 1, false, false),
			 POOL_KEPT); /* rather the one it had than the latest */
	assert_ptr_equal(s.askers[1].link, l);
	keep(&s, 1); /* three uses are enough */
	assert_int_equal(take(&s, 1, false, false), POOL_KEPT);
	assert_int_equal(s.askers[1].link->uses, 2);
	scene_close(&s);
}

static void test_not_for_everybody(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	s.manner.connections_max = 1;
	take(&s, 0, true, false);
	keep(&s, 0);
	assert_int_equal(take(&s, 1, true, false), POOL_DIAL); /* another's made room */
	keep(&s, 1);
	assert_int_equal(take(&s, 1, true, false), POOL_KEPT);
	keep(&s, 1);
	assert_int_equal(take(&s, 1, false, true), POOL_DIAL);
	s.manner.xclient = true; /* another manner is another next hop */
	assert_int_equal(take(&s, 2, false, false), POOL_DIAL);
	s.to.port++;
	assert_int_equal(take(&s, 3, false, false), POOL_DIAL);
	scene_close(&s);
}

static void test_not_kept(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	take(&s, 0, false, false);
	s.askers[0].link->spoilt = "it closes";
	keep(&s, 0);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	s.askers[0].link->expecting = true;
	keep(&s, 0);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	keep(&s, 0);
	s.manner.idle_ms = 0; /* as a reload may have it */
	assert_int_equal(take(&s, 0, false, false), POOL_KEPT);
	keep(&s, 0);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	scene_close(&s);
}

static void test_idle_time(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	take(&s, 0, false, false);
	keep(&s, 0);
	pass(&s, IDLE_MS - 1);
	sweep(&s);
	assert_int_equal(take(&s, 0, false, false), POOL_KEPT);
	keep(&s, 0);
	pass(&s, IDLE_MS);
	sweep(&s);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	scene_close(&s);
}

static void test_turns(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	take(&s, 0, false, false);
	s.manner.connections_max = 1;
	assert_int_equal(take(&s, 1, false, false), POOL_WAIT);
	assert_int_equal(take(&s, 2, false, false), POOL_WAIT);
	assert_int_equal(take(&s, 3, false, false), POOL_WAIT);
	pool_forget(&s.askers[2].ask);
	pool_forget(&s.askers[2].ask);
	keep(&s, 0);
	assert_int_equal(take(&s, 0, false, false), POOL_WAIT); /* not past those who wait */
	assert_int_equal(s.askers[1].said, 0);			 /* never from inside a call */
	turn(&s);
	assert_int_equal(s.askers[1].said, 1);
	assert_int_equal(s.askers[1].answer, POOL_KEPT);
	assert_int_equal(s.askers[3].said, 0);
	pool_drop(let_go(&s, 1));
	turn(&s);
	assert_int_equal(s.askers[2].said, 0);
	assert_int_equal(s.askers[3].answer, POOL_DIAL);
	pool_failed(let_go(&s, 3), "refused");
	turn(&s);
	assert_int_equal(s.askers[0].said, 1);
	assert_int_equal(s.askers[0].answer, POOL_DOWN);
	scene_close(&s);
}

/* What fails once it was reached is the client's doing, and is no reason to leave it alone. */
static void test_not_blamed(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
		pool_reached(s.askers[0].link);
		pool_failed(let_go(&s, 0), "refused");
	}
	scene_close(&s);
}

/* 1 s, 2 s, 4 s, then RETRY_MS; one tries it each time. */
static void test_left_alone(void **state)
{
	const uint64_t want_ms[] = { 1000, 2000, 4000, RETRY_MS, RETRY_MS };
	struct scene s;

	(void)state;
	scene_open(&s);
	for (unsigned i = 0; i < sizeof want_ms / sizeof want_ms[0]; i++) {
		assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
		if (i == 0) { /* together with the first: counts once */
			assert_int_equal(take(&s, 1, false, false), POOL_DIAL);
			pool_failed(let_go(&s, 1), "refused");
		} else {
			assert_int_equal(take(&s, 1, false, false), POOL_DOWN);
		}
		pool_failed(let_go(&s, 0), "refused");
		pass(&s, want_ms[i] - 1);
		assert_int_equal(take(&s, 0, false, false), POOL_DOWN);
		pass(&s, 1);
	}
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	pool_drop(let_go(&s, 0)); /* its client left: nothing is known */
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	pool_reached(s.askers[0].link);
	assert_int_equal(take(&s, 1, false, false), POOL_DIAL);
	pool_failed(let_go(&s, 1), "refused");
	pass(&s, 999);
	assert_int_equal(take(&s, 1, false, false), POOL_DOWN);
	keep(&s, 0); /* what is connected is of use all the same */
	assert_int_equal(take(&s, 1, false, false), POOL_KEPT);
	scene_close(&s);
}

static void remember(void *arg, const struct pool_state *s)
{
	struct pool_state *list = arg;

	while (list->port != 0)
		list++;
	*list = *s;
}

static void test_describe(void **state)
{
	struct pool_state got[4] = { 0 };
	struct scene s;

	(void)state;
	scene_open(&s);
	pool_describe(s.pool, remember, got);
	assert_int_equal(got[0].port, 0);
	take(&s, 0, false, false);
	take(&s, 1, false, false);
	keep(&s, 0);
	pool_describe(s.pool, remember, got);
	assert_true(addr_equal(&got[0].addr, &s.to.addr));
	assert_int_equal(got[0].port, s.to.port);
	assert_int_equal(got[0].used, 1);
	assert_int_equal(got[0].kept, 1);
	assert_int_equal(got[0].failed_wall_ms, 0);
	pool_failed(let_go(&s, 1), "connect: refused");
	pass(&s, 400);
	memset(got, 0, sizeof got);
	pool_describe(s.pool, remember, got);
	assert_int_equal(got[0].used, 0);
	assert_int_equal(got[0].alone_ms, 600);
	assert_int_not_equal(got[0].failed_wall_ms, 0);
	assert_string_equal(got[0].failure, "connect: refused");
	assert_int_equal(got[1].port, 0);
	scene_close(&s);
}

static void test_never_left_alone(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	s.manner.retry_ms = 0;
	take(&s, 0, false, false);
	pool_failed(let_go(&s, 0), "refused");
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	scene_close(&s);
}

static void test_offer(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	assert_null(pool_offer(s.pool, &s.to, &s.manner));
	take(&s, 0, false, false);
	s.askers[0].link->offer.size_max = 1234;
	pool_reached(s.askers[0].link);
	assert_int_equal(pool_offer(s.pool, &s.to, &s.manner)->size_max, 1234);
	pass(&s, 5 * 60 * 1000 - 1);
	assert_non_null(pool_offer(s.pool, &s.to, &s.manner));
	take(&s, 1, false, false);
	pool_failed(let_go(&s, 1), "refused"); /* another next hop may have it */
	assert_null(pool_offer(s.pool, &s.to, &s.manner));
	pass(&s, 1);
	assert_null(pool_offer(s.pool, &s.to, &s.manner));
	scene_close(&s);
}

static void yield(void *owner)
{
	struct asker *a = owner;

	a->yielded++;
	a->link = NULL;
}

static void test_taken_away(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	take(&s, 0, false, false);
	take(&s, 1, false, false);
	pool_rests(s.askers[0].link, yield);
	pass(&s, 10000);
	sweep(&s);
	assert_int_equal(s.askers[0].yielded, 0); /* nobody wants it */
	pool_rests(s.askers[1].link, yield);
	assert_int_equal(take(&s, 2, false, false), POOL_WAIT);
	pass(&s, 199);
	sweep(&s);
	assert_int_equal(s.askers[0].yielded, 1); /* it has rested longest */
	assert_int_equal(s.askers[1].yielded, 0);
	assert_int_equal(s.askers[2].answer, POOL_KEPT);
	assert_int_equal(take(&s, 0, false, false), POOL_WAIT);
	pool_works(s.askers[1].link);
	pass(&s, 10000);
	sweep(&s);
	assert_int_equal(s.askers[1].yielded, 0);
	scene_close(&s);
}

/* A next hop that nobody asks for is forgotten. */
static void test_forgotten(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	s.manner.retry_ms = 24 * 3600 * 1000;
	take(&s, 0, false, false);
	pool_failed(let_go(&s, 0), "refused");
	pass(&s, 5 * 60 * 1000);
	sweep(&s);
	assert_int_equal(take(&s, 0, false, false), POOL_DIAL);
	assert_false(s.askers[0].link->probe);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_for_the_next),
		cmocka_unit_test(test_not_for_everybody),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_idle_time),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_not_blamed),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_never_left_alone),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_taken_away),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
