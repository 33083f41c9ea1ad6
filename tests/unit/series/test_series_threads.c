/*
 * Many threads at one series: named, added to, taken from, counted, walked, shaped anew, while time
 * goes on (BZ4061: the original crashed). Exact when all is quiet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "audit/oracle.h"
#include "base/clock.h"
#include "series/series.h"

enum { WORKERS = 3, TURNS = 8000, SECONDS = 10, KEPT = 100 };

static struct series_all *all;
static const struct monitor monitor = { SECONDS, KEPT };
static _Atomic int working, wrong;

static void check(bool truth)
{
	if (!truth)
		atomic_fetch_add(&wrong, 1);
}

/* Each worker has a block of its own in every series, and knows what is in it. */
static struct addr host_of(unsigned worker, struct random *r)
{
	if (random_below(r, 2))
		return v4(10u << 24 | worker << 16 | (uint32_t)random_below(r, 3000));
	return (struct addr){ 0x20010db800000000 | (uint64_t)worker << 16, random_below(r, 3000),
			      ADDR_V6 };
}

static void *work(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct series *texts = series_defined(all, SLICE("texts"));
	struct addr passing = v4(10u << 24 | me << 16 | 0xffff);
	struct series_key guest = { .block = cidr_of(&passing, 32) };
	struct random r = { me + 1 };

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct addr host = host_of(me, &r);
		struct series_key key = { .block = cidr_of(&host, 128) };
		char text[32];
		const char *why;
		/* made by whoever comes first */
		struct series *s = series_open(all, SLICE("shared"), monitor, &why);

		check(s != NULL && series_add(s, &key, 2, NULL) == NULL);
		check(series_add(s, &guest, 5, NULL) == NULL);
		check(series_add(s, &guest, -3, NULL) == NULL);
		check(series_remove(s, &guest, NULL) == NULL); /* whatever the window was */
		snprintf(text, sizeof text, "%u-%u", me, (unsigned)random_below(&r, 500));
		key.text = slice_of(text);
		check(series_add(texts, &key, 1, NULL) == NULL);
		series_event(all, EVENT_CONNECTION, &host);
		if (turn % 1000 == 0)
			clock_stop(true, 0, clock_wall_ms() + SECONDS * 1000);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static uint64_t walked(struct series *s, uint64_t window)
{
	struct series_walk w = { .window = window };
	struct tally_entry out[TALLY_TURN];
	struct series_text texts[TALLY_TURN];
	uint64_t sum = 0;
	struct buf room;
	unsigned n;

	buf_init(&room, 1 << 16);
	while ((n = series_walk(s, &w, NULL, out)) > 0)
		for (unsigned i = 0; i < n; i++)
			sum += out[i].amount;
	series_walk_end(s, &w);
	w = (struct series_walk){ .window = window };
	while ((n = series_walk_texts(s, &w, &room, texts)) > 0)
		for (unsigned i = 0; i < n; i++)
			sum += texts[i].amount;
	series_walk_end(s, &w);
	buf_free(&room);
	return sum;
}

static uint64_t counted(struct series *s)
{
	struct series_key v4_all = { .block.addr.family = ADDR_V4, .text = SLICE("1-1") };
	struct series_key v6_all = { .block.addr.family = ADDR_V6 };
	struct bounds a = { 0, 0 }, b = { 0, 0 };

	check(series_sum(s, &v4_all, 0, KEPT - 1, &a) == NULL);
	if (series_type(s) == SERIES_ADDRESSES)
		check(series_sum(s, &v6_all, 0, KEPT - 1, &b) == NULL);
	check(a.low == a.high && b.low == b.high);
	return a.low + b.low;
}

static void *watch(void *unused)
{
	struct series_key key = { .block.addr.family = ADDR_V4, .text = SLICE("1-1") };
	const char *why;

	(void)unused;
	while (atomic_load(&working) > 0) {
		struct series *s;
		struct series_info info;
		struct bounds now;

		for (unsigned n = 0; (s = series_nth(all, n)) != NULL; n++) {
			check(series_sum(s, &key, 0, 0, &now) == NULL);
			check(series_sliding(s, &key, &now) == NULL);
			series_describe(s, &info);
			walked(s, info.window);
			series_tidy(s);
		}
		s = series_named(all, SLICE("shared"), &why);
		check(s == NULL || counted(s) <= (uint64_t)WORKERS * (TURNS * 2 + 5));
	}
	return NULL;
}

/* Reloads: one definition stays, one changes, a monitor comes and goes. */
static void *reload(void *unused)
{
	const struct monitor monitors[] = { monitor, { 60, 5 } };
	struct series_definition d = { .name = "moving", .monitor = { 60, 5 } };
	struct series_definition same = {
		.name = "texts", .type = SERIES_STRING, .monitor = monitor,
	};
	struct addr host = v4(0xc0000207);
	struct series_key key = { .block = cidr_of(&host, 32), .text = SLICE("me") };
	bool dropped;

	(void)unused;
	for (unsigned turn = 0; atomic_load(&working) > 0; turn++) {
		d.type = turn % 2 ? SERIES_STRING : SERIES_CIDR;
		d.monitor.seconds = 60 + turn % 3;
		check(series_define(all, &d, &dropped) == NULL);
		check(series_define(all, &same, &dropped) == NULL && !dropped);
		check(series_add(series_defined(all, SLICE("moving")), &key, 1, NULL) == NULL);
		series_monitors(all, monitors, 1 + turn % 2, SERIES_BYTES_STANDARD, true);
	}
	return NULL;
}

static uint64_t walked_all(struct series *s)
{
	struct series_info info;
	uint64_t sum = 0;

	series_describe(s, &info);
	for (unsigned back = 0; back < KEPT; back++)
		sum += walked(s, info.window - back);
	return sum;
}

static void test_all_at_once_exact_when_quiet_4061(void **state)
{
	struct series_definition d = {
		.name = "texts", .type = SERIES_STRING, .monitor = monitor,
	};
	pthread_t threads[WORKERS + 2];
	const char *why;
	bool dropped;

	(void)state;
	clock_stop(true, 0, 1700000000 * (uint64_t)1000);
	all = series_all_new();
	series_monitors(all, &monitor, 1, SERIES_BYTES_STANDARD, true);
	assert_null(series_define(all, &d, &dropped));
	atomic_store(&working, WORKERS);
	for (uintptr_t i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	pthread_create(&threads[WORKERS], NULL, watch, NULL);
	pthread_create(&threads[WORKERS + 1], NULL, reload, NULL);
	for (unsigned i = 0; i < WORKERS + 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(counted(series_open(all, SLICE("shared"), monitor, &why)),
			 WORKERS * TURNS * 2);
	assert_int_equal(walked_all(series_open(all, SLICE("shared"), monitor, &why)),
			 WORKERS * TURNS * 2);
	assert_int_equal(walked_all(series_defined(all, SLICE("texts"))), WORKERS * TURNS);
	assert_int_equal(counted(series_builtin(all, EVENT_CONNECTION, 0)), WORKERS * TURNS);
	series_all_free(all);
	clock_stop(false, 0, 0);
}

static void *spray(void *arg)
{
	struct series *s = arg;
	struct addr here = v4(0xc0000207);
	struct series_key mine = { .block = cidr_of(&here, 32) };
	static _Atomic uint64_t seeds;
	struct random r = { atomic_fetch_add(&seeds, 1) + 1 };
	struct bounds b;

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct addr a = v6_anywhere(&r);
		struct series_key key = { .block = cidr_of(&a, 128) };

		check(series_add(s, &key, 1, &b) == NULL);
		check(b.high >= 1 && b.low <= b.high);
		check(series_add(s, &mine, 1, NULL) == NULL);
		if (turn % 100 == 0)
			walked(s, 0);
	}
	return NULL;
}

static void test_a_spray_from_all_sides_T14(void **state)
{
	struct series_definition d = {
		.name = "small", .type = SERIES_ADDRESSES, .monitor = monitor,
		.max_bytes = SERIES_BYTES_MIN,
	};
	struct series_key everybody = { .block.addr.family = ADDR_V6 };
	struct addr here = v4(0xc0000207);
	struct series_key mine = { .block = cidr_of(&here, 32) };
	pthread_t threads[WORKERS];
	struct bounds b;
	bool dropped;

	(void)state;
	all = series_all_new();
	clock_stop(true, 0, 1000);
	assert_null(series_define(all, &d, &dropped));
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, spray, series_defined(all, SLICE("small")));
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_null(series_sum(series_defined(all, SLICE("small")), &everybody, 0, 0, &b));
	assert_true(b.low == WORKERS * TURNS && b.high == b.low);
	assert_null(series_sum(series_defined(all, SLICE("small")), &mine, 0, 0, &b));
	assert_true(b.low <= WORKERS * TURNS && b.high >= WORKERS * TURNS);
	series_all_free(all);
	clock_stop(false, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once_exact_when_quiet_4061),
		cmocka_unit_test(test_a_spray_from_all_sides_T14),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
