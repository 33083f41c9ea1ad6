/* Cells that do not overlap, chunks that are counted and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "audit/oracle.h" /* random numbers */
#include "series/store.h"

enum { CHUNK = 4096, CELLS = 3000, MIB = 1 << 20 };

struct cell {
	uint32_t name;
	uint16_t size;
	unsigned char mark;
};

static void cell_fill(const struct store *s, struct cell *c, unsigned i)
{
	c->mark = (unsigned char)(i * 31 + 7);
	memset(store_at(s, c->name), c->mark, c->size);
}

static void cell_check(const struct store *s, const struct cell *c)
{
	const unsigned char *at = store_at(s, c->name);

	for (unsigned i = 0; i < c->size; i++)
		assert_int_equal(at[i], c->mark);
}

static void test_a_cell_of_every_size(void **state)
{
	struct store *s = store_new(16 * MIB);
	struct store_owner o = { .chunks = 0 };

	(void)state;
	for (unsigned size = 1; size <= STORE_CELL_MAX; size++) {
		uint32_t cell = store_alloc(s, &o, size);

		assert_int_not_equal(cell, 0);
		assert_true(store_size(s, cell) >= size);
		assert_true(size < 256 || store_size(s, cell) <= size + size / 2 ||
			    size > STORE_CELL_MAX / 2);
		assert_int_equal((uintptr_t)store_at(s, cell) % STORE_UNIT, 0);
		if (size == 256)
			assert_int_equal((uintptr_t)store_at(s, cell) % 256, 0);
		memset(store_at(s, cell), 0xaa, store_size(s, cell));
	}
	store_free(s);
}

/* Owners in turn get, give back, put together, and are dropped; what is in a cell stays. */
static void test_cells_keep_what_is_in_them(void **state)
{
	enum { OWNERS = 3, STEPS = 60000 };
	struct store *s = store_new(2 * MIB);
	struct store_owner owners[OWNERS] = { 0 };
	struct cell *cells[OWNERS];
	unsigned used[OWNERS] = { 0 };
	struct random r = { 99 };

	(void)state;
	for (unsigned o = 0; o < OWNERS; o++)
		cells[o] = mem_array(CELLS, sizeof *cells[o]);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned o = (unsigned)random_below(&r, OWNERS), what;
		struct cell *c = cells[o] + random_below(&r, used[o] + 1);

		what = (unsigned)random_below(&r, step % 10000 < 7000 ? 40 : 70);
		if (what < 30 && used[o] < CELLS) {
			c = &cells[o][used[o]];
			c->size = (uint16_t)(1 + random_below(&r, 1 + random_below(&r, 600)));
			c->name = store_alloc(s, &owners[o], c->size);
			assert_int_not_equal(c->name, 0);
			cell_fill(s, c, step);
			used[o]++;
		} else if (what >= 30 && c < cells[o] + used[o]) {
			cell_check(s, c);
			if (what % 2 == 0) {
				c->name = store_pack(s, &owners[o], c->name);
				cell_check(s, c);
			} else {
				store_release(s, &owners[o], c->name);
				*c = cells[o][--used[o]];
			}
		}
		if (random_below(&r, 20000) == 0) {
			store_drop(s, &owners[o]);
			used[o] = 0;
		}
		if (random_below(&r, 1000) == 0)
			store_drop_some(s, 5);
	}
	for (unsigned o = 0; o < OWNERS; o++) {
		while (used[o] > 0) {
			cell_check(s, &cells[o][--used[o]]);
			store_release(s, &owners[o], cells[o][used[o]].name);
		}
		assert_int_equal(owners[o].chunks, 0);
		assert_int_equal(owners[o].units, 0);
		free(cells[o]);
	}
	assert_false(store_is_over(s));
	store_free(s);
}

static void test_a_quarter_above_the_limit_there_is_no_more(void **state)
{
	static const size_t limits[] = { 0, 4096, 64 << 10, 1 << 20 };

	(void)state;
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct store *s = store_new(limits[i]);
		struct store_owner o = { .chunks = 0 };
		uint32_t cell, last = 0;

		while ((cell = store_alloc(s, &o, 200)) != 0)
			last = cell;
		assert_int_not_equal(last, 0);
		assert_true(store_bytes(s) >= limits[i]);
		assert_true(store_bytes(s) <=
			    limits[i] + limits[i] / 4 + limits[i] / 128 + 2 * CHUNK);
		assert_true(store_is_over(s));
		store_release(s, &o, last);
		assert_int_equal(store_alloc(s, &o, 200), last);
		store_drop(s, &o);
		assert_int_not_equal(store_alloc(s, &o, 2000), 0);
		store_free(s);
	}
}

static void test_over_is_told_by_chunks_and_by_what_is_in_them(void **state)
{
	enum { LIMIT = 1 << 20, SIZE = 256 };
	struct store *s = store_new(LIMIT);
	struct store_owner o = { .chunks = 0 };
	uint32_t cells[LIMIT / SIZE + 16];
	unsigned n = 0, left = 0;

	(void)state;
	while (!store_is_over(s))
		cells[n++] = store_alloc(s, &o, SIZE);
	assert_int_equal(n, LIMIT / SIZE + 1);
	/* One of each chunk: no chunk comes back, and it is not over any more. */
	for (unsigned i = 0; i < n; i += 16, left++)
		store_release(s, &o, cells[i]);
	assert_false(store_is_over(s));
	assert_true(o.chunks * CHUNK >= LIMIT);
	store_free(s);
}

static void test_what_was_refused_is_owed_until_as_much_is_released(void **state)
{
	struct store *s = store_new(64 << 10);
	struct store_owner small = { .chunks = 0 }, o = { .chunks = 0 };
	uint32_t cells[64], n = 0;

	(void)state;
	/* Chunks with hardly anything in them, of many sizes. */
	for (unsigned size = 16; size <= 2048 && n < 64; size += 32) {
		struct store_owner *whose = n % 2 ? &o : &small;

		cells[n] = store_alloc(s, whose, size);
		if (cells[n] == 0)
			break;
		n++;
	}
	assert_int_equal(store_alloc(s, &o, 2048), 0);
	assert_true(store_is_over(s));
	store_drop(s, &o);
	store_drop(s, &small);
	assert_false(store_is_over(s));
	assert_int_not_equal(store_alloc(s, &o, 2048), 0);
	store_free(s);
}

static void test_dropping_takes_one_step_and_gives_back_in_turns(void **state)
{
	struct store *s = store_new(8 * MIB);
	struct store_owner o = { .chunks = 0 }, other = { .chunks = 0 };
	size_t full;
	unsigned given = 0, n;

	(void)state;
	while (o.chunks < 1000)
		assert_int_not_equal(store_alloc(s, &o, 16 + o.chunks % 500), 0);
	assert_int_not_equal(store_alloc(s, &other, 16), 0);
	full = store_bytes(s);
	store_drop(s, &o);
	assert_int_equal(o.chunks, 0);
	assert_int_equal(store_bytes(s), full);
	/* What comes next takes of that. */
	while (other.chunks < 500)
		assert_int_not_equal(store_alloc(s, &other, 300), 0);
	assert_int_equal(store_bytes(s), full);
	while ((n = store_drop_some(s, 16)) > 0) {
		assert_true(n <= 16);
		given += n;
	}
	assert_true(given >= 480 && given < 501);
	assert_true(store_bytes(s) < full - given * CHUNK + 1);
	store_free(s);
}

static void test_packing_brings_half_empty_chunks_back(void **state)
{
	enum { SIZE = 64, COUNT = 6400 };
	struct store *s = store_new(8 * MIB);
	struct store_owner o = { .chunks = 0 };
	struct cell *cells = mem_array(COUNT, sizeof *cells);
	unsigned before;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		cells[i] = (struct cell){ store_alloc(s, &o, SIZE), SIZE, 0 };
		cell_fill(s, &cells[i], i);
	}
	assert_false(store_is_sparse(&o));
	for (unsigned i = 0; i < COUNT; i++)
		if (i % 8 != 0)
			store_release(s, &o, cells[i].name);
	assert_true(store_is_sparse(&o));
	before = o.chunks;
	for (unsigned i = 0; i < COUNT; i += 8)
		cells[i].name = store_pack(s, &o, cells[i].name);
	assert_true(o.chunks <= before / 8 + 2);
	assert_false(store_is_sparse(&o));
	for (unsigned i = 0; i < COUNT; i += 8)
		cell_check(s, &cells[i]);
	free(cells);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cell_of_every_size),
		cmocka_unit_test(test_cells_keep_what_is_in_them),
		cmocka_unit_test(test_a_quarter_above_the_limit_there_is_no_more),
		cmocka_unit_test(test_over_is_told_by_chunks_and_by_what_is_in_them),
		cmocka_unit_test(test_what_was_refused_is_owed_until_as_much_is_released),
		cmocka_unit_test(test_dropping_takes_one_step_and_gives_back_in_turns),
		cmocka_unit_test(test_packing_brings_half_empty_chunks_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
