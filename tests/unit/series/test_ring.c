/* Windows by number, whatever the clock does (D43), and their budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "audit/oracle.h"
#include "series/ring.h"

static const struct addr someone = { (uint64_t)0xc0000207 << 32, 0, ADDR_V4 };

static struct ring *ring_of(uint32_t seconds, uint32_t windows, enum ring_kind kind, size_t bytes)
{
	return ring_new((struct monitor){ seconds, windows }, kind, bytes);
}

static void add_now(struct ring *r, uint64_t amount)
{
	assert_true(tally_add(&ring_window_made(r, r->newest)->tally, &someone, amount));
}

/* What window `back` before the current one holds. */
static uint64_t amount(const struct ring *r, uint64_t back)
{
	struct window *w = back <= r->newest ? ring_window(r, r->newest - back) : NULL;
	struct cidr block = cidr_of(&someone, 32);

	return w != NULL ? tally_sum(&w->tally, &block).low : 0;
}

static void test_time_moves_windows_D43(void **state)
{
	/* each step: the clock shows this, 1 is added; then windows 0..3 hold this */
	static const struct {
		const char *name;
		uint64_t wall_s;
		uint64_t want[4];
	} steps[] = {
		{ "first", 6000, { 1 } },
		{ "same window, its last second", 6059, { 2 } },
		{ "the next one", 6060, { 1, 2 } },
		{ "one is skipped", 6180, { 1, 0, 1, 2 } },
		{ "back by a window: nothing moves back", 6120, { 2, 0, 1, 2 } },
		{ "back by a day", 6120 - 5000, { 3, 0, 1, 2 } },
		{ "time has caught up", 6240, { 1, 3, 0, 1 } },
		{ "forth by just what is kept", 6240 + 180, { 1, 0, 0, 1 } },
		{ "and by more than is kept", 6420 + 60 * 1000, { 1, 0, 0, 0 } },
		{ "suspended for a year", 6420 + 60 * 600000, { 1, 0, 0, 0 } },
	};
	struct ring *r = ring_of(60, 3, RING_ADDRESSES, 1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		ring_advance(r, steps[i].wall_s * 1000);
		add_now(r, 1);
		for (unsigned back = 0; back < 4; back++)
			if (amount(r, back) != steps[i].want[back])
				fail_msg("%s: window %u holds %llu, want %llu", steps[i].name, back,
					 (unsigned long long)amount(r, back),
					 (unsigned long long)steps[i].want[back]);
	}
	assert_int_equal(amount(r, 4), 0);
	ring_free(r);
}

/* A leap second smeared over a day: the clock runs slow by 11 ppm, and is read often. */
static void test_a_slewed_clock_loses_nothing(void **state)
{
	struct ring *r = ring_of(3600, 24, RING_ADDRESSES, 1 << 20);
	uint64_t sum = 0, begin = 1483142400000;

	(void)state;
	for (uint64_t ms = 0; ms < 86400000; ms += 4321) {
		ring_advance(r, begin + ms - ms / 86400);
		add_now(r, 1);
	}
	for (unsigned back = 0; back <= 24; back++) {
		sum += amount(r, back);
		assert_in_range(amount(r, back), 0, 3600000 / 4321 + 1);
	}
	assert_int_equal(sum, 86400000 / 4321 + 1);
	ring_free(r);
}

static void test_windows_by_number(void **state)
{
	struct ring *r = ring_of(60, 3, RING_ADDRESSES, 1 << 20);

	(void)state;
	ring_advance(r, 60000 * 100);
	assert_null(ring_window(r, 100));
	assert_null(ring_window_made(r, 96)); /* too old */
	assert_non_null(ring_window_made(r, 97));
	assert_int_equal(ring_window_made(r, 1000)->number, 100); /* a future one is the current */
	assert_ptr_equal(ring_window(r, UINT64_MAX), ring_window(r, 100));
	assert_null(ring_window(r, 98));
	ring_advance(r, 60000 * 101);
	assert_null(ring_window(r, 97));
	assert_null(ring_window(r, 101));
	assert_non_null(ring_window(r, 100));
	ring_free(r);
}

static void test_near_1970(void **state)
{
	struct ring *r = ring_of(60, 3, RING_ADDRESSES, 1 << 20);

	(void)state;
	ring_advance(r, 0);
	add_now(r, 5);
	ring_advance(r, 60000);
	add_now(r, 1);
	assert_int_equal(amount(r, 0), 1);
	assert_int_equal(amount(r, 1), 5);
	assert_int_equal(amount(r, 2), 0);
	ring_free(r);
}

static void test_a_pinned_window_outlives_its_place(void **state)
{
	struct ring *r = ring_of(60, 3, RING_ADDRESSES, 1 << 20);
	struct cidr block = cidr_of(&someone, 32);
	struct window *w;

	(void)state;
	ring_advance(r, 6000000);
	add_now(r, 7);
	w = ring_window(r, r->newest);
	window_pin(w);
	window_pin(w);
	ring_advance(r, 7000000);
	add_now(r, 1);
	assert_null(ring_window(r, 100));
	assert_int_equal(tally_sum(&w->tally, &block).low, 7);
	window_unpin(w);
	assert_int_equal(tally_sum(&w->tally, &block).low, 7);
	window_unpin(w);
	assert_int_equal(r->pins, 0);
	assert_int_equal(amount(r, 0), 1);
	ring_free(r);
}

/* Whatever falls, the whole is known. */
static void test_a_budget_folds_the_biggest(void **state)
{
	struct ring *r = ring_of(60, 2000, RING_ADDRESSES, 64 << 10);
	struct cidr all = { .addr.family = ADDR_V4 };
	struct random random = { 3 };
	uint64_t sum = 0;

	(void)state;
	for (unsigned n = 0; n < 60000; n++) {
		struct addr a = v4_anywhere(&random);

		ring_advance(r, (uint64_t)n * 2000);
		assert_true(tally_add(&ring_window_made(r, r->newest)->tally, &a, 1));
		ring_shrink(r);
		assert_in_range(store_bytes(r->store), 0, 90 << 10);
	}
	for (uint64_t n = 0; n <= r->newest; n++)
		if (ring_window(r, n) != NULL)
			sum += tally_sum(&ring_window(r, n)->tally, &all).low;
	assert_int_equal(sum, 60000);
	assert_true(r->folds > 0);
	ring_free(r);
}

static void add_text(struct ring *r, unsigned id)
{
	char text[20];
	struct slice key = { text, (size_t)snprintf(text, sizeof text, "user%u", id) };

	assert_int_equal(ring_add_text(r, ring_window_made(r, r->newest), keys_text(key), 1),
			 KEYS_ADDED);
}

static unsigned texts_of(const struct ring *r, uint64_t back)
{
	const struct window *w = ring_window(r, r->newest - back);

	return w != NULL ? w->keys.entries : 0;
}

static void test_the_oldest_windows_lose_their_texts_first(void **state)
{
	struct ring *r = ring_of(60, 3, RING_TEXTS, 256 << 10);
	unsigned before;

	(void)state;
	ring_advance(r, 6000000);
	for (unsigned i = 0; i < 1000; i++)
		add_text(r, i);
	ring_advance(r, 6060000);
	for (unsigned i = 0; i < 1000; i++)
		add_text(r, i);
	assert_int_equal(r->keys_dropped, 0);
	for (unsigned i = 1000; texts_of(r, 1) > 0; i++)
		add_text(r, i);
	assert_int_equal(r->keys_dropped, 1000);
	before = texts_of(r, 0);
	assert_in_range(before, 1001, 6000);
	for (unsigned i = 0; i < 10000; i++)
		add_text(r, 10000 + i);
	assert_in_range(texts_of(r, 0), before - 300, before + 300);
	assert_in_range(store_bytes(r->store), 0, 320 << 10);
	ring_free(r);
}

/* None can be dropped from a window that is walked: what comes is. */
static void test_a_walk_outlasts_a_spray_of_texts(void **state)
{
	struct ring *r = ring_of(60, 3, RING_TEXTS, 64 << 10);
	struct window *w;
	unsigned refused = 0;
	char text[20];

	(void)state;
	ring_advance(r, 6000000);
	w = ring_window_made(r, r->newest);
	add_text(r, 0);
	window_pin(w);
	for (unsigned i = 1; i < 10000; i++) {
		struct slice key = { text, (size_t)snprintf(text, sizeof text, "user%u", i) };

		refused += ring_add_text(r, w, keys_text(key), 1) != KEYS_ADDED;
	}
	assert_int_equal(r->keys_dropped, refused);
	assert_int_equal(w->keys.entries + refused, 10000);
	assert_in_range(refused, 1, 9999);
	window_unpin(w);
	add_text(r, 10000);
	assert_true(r->keys_dropped > refused);
	ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_moves_windows_D43),
		cmocka_unit_test(test_a_slewed_clock_loses_nothing),
		cmocka_unit_test(test_windows_by_number),
		cmocka_unit_test(test_near_1970),
		cmocka_unit_test(test_a_pinned_window_outlives_its_place),
		cmocka_unit_test(test_a_budget_folds_the_biggest),
		cmocka_unit_test(test_the_oldest_windows_lose_their_texts_first),
		cmocka_unit_test(test_a_walk_outlasts_a_spray_of_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
