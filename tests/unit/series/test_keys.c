/* Amounts by text, against an array of them in order of their last addition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "audit/oracle.h"
#include "series/bounds.h"
#include "series/hash.h"
#include "series/keys.h"

enum { MODEL_MAX = 4000 };

struct model {
	struct {
		unsigned id;
		uint64_t amount;
	} list[MODEL_MAX]; /* the least recently added first */
	unsigned used;
	uint64_t sum;
};

static unsigned model_find(const struct model *m, unsigned id)
{
	unsigned i = 0;

	while (i < m->used && m->list[i].id != id)
		i++;
	return i;
}

static void model_drop(struct model *m, unsigned at)
{
	m->sum -= m->list[at].amount;
	memmove(&m->list[at], &m->list[at + 1], (--m->used - at) * sizeof m->list[0]);
}

static void model_add(struct model *m, unsigned id, uint64_t amount)
{
	unsigned at = model_find(m, id);
	uint64_t before = at < m->used ? m->list[at].amount : 0;

	if (at < m->used)
		model_drop(m, at);
	m->list[m->used].id = id;
	m->list[m->used++].amount = before + amount;
	m->sum += before + amount;
}

/* Short ones, long ones, and the empty one; octets of all kinds. */
static struct slice text_of(unsigned id, char room[1024])
{
	size_t len = id == 0 ? 0 : 4 + id * 37 % (id % 20 == 0 ? 1021 : 40);

	memset(room, (int)(id * 7), len);
	if (len > 0)
		memcpy(room, &id, 4);
	return (struct slice){ room, len };
}

static struct keys_text key_of(unsigned id)
{
	static char room[1024];

	return keys_text(text_of(id, room));
}

static void compare(const struct keys *k, const struct model *m)
{
	struct keys_entry entry;
	uint32_t cell = 0;
	char room[1024];

	assert_int_equal(k->sum, m->sum);
	assert_int_equal(k->entries, m->used);
	for (unsigned i = 0; i < m->used; i++) {
		cell = keys_next(k, cell, &entry);
		assert_int_not_equal(cell, 0);
		assert_true(slice_equal(entry.text, text_of(m->list[i].id, room)));
		assert_int_equal(entry.amount, m->list[i].amount);
		assert_int_equal(keys_amount(k, key_of(m->list[i].id)), entry.amount);
	}
	assert_int_equal(keys_next(k, cell, &entry), 0);
}

static void end(struct keys *k)
{
	keys_clear(k);
	store_free(k->store);
}

static void test_as_the_model_says_D58(void **state)
{
	struct keys k = { .store = store_new(8 << 20) };
	static struct model m;
	struct random r = { 7 };

	(void)state;
	for (unsigned turn = 0; turn < 60000; turn++) {
		unsigned id = (unsigned)random_below(&r, MODEL_MAX), at = model_find(&m, id);
		uint64_t amount = 1 + random_below(&r, 9), had;

		switch (random_below(&r, turn % 20000 < 10000 ? 8 : 3)) {
		case 0:
			had = at < m.used ? m.list[at].amount : 0;
			if (had > 0) {
				m.list[at].amount -= amount < had ? amount : had;
				m.sum -= amount < had ? amount : had;
				if (m.list[at].amount == 0)
					model_drop(&m, at);
			}
			assert_int_equal(keys_take(&k, key_of(id), amount),
					 amount < had ? amount : had);
			break;
		case 1:
			assert_int_equal(keys_drop_oldest(&k), m.used > 0);
			if (m.used > 0)
				model_drop(&m, 0);
			break;
		default:
			model_add(&m, id, amount);
			assert_int_equal(keys_add(&k, key_of(id), amount), KEYS_ADDED);
		}
		if (turn % 500 == 0)
			compare(&k, &m);
	}
	compare(&k, &m);
	keys_clear(&k);
	assert_int_equal(k.sum, 0);
	assert_int_equal(keys_amount(&k, key_of(1)), 0);
	end(&k);
}

static void test_nothing_is_kept_of_what_is_gone(void **state)
{
	struct keys k = { .store = store_new(1 << 20) };

	(void)state;
	for (unsigned id = 0; id < 3000; id++)
		assert_int_equal(keys_add(&k, key_of(id), 1), KEYS_ADDED);
	for (unsigned id = 0; id < 3000; id++)
		assert_int_equal(keys_take(&k, key_of(id), 5), 1);
	assert_int_equal(k.owner.chunks, 0);
	assert_false(keys_drop_oldest(&k));
	end(&k);
}

/* While somebody walks, others add, add again and take away; what was there is told once. */
static void test_a_walk_sees_all_once(void **state)
{
	struct keys k = { .store = store_new(1 << 20) };
	struct keys_entry entry;
	unsigned seen = 0;
	uint64_t sum = 0;
	uint32_t cell = 0, last;

	(void)state;
	for (unsigned id = 1; id <= 100; id++)
		assert_int_equal(keys_add(&k, key_of(id), 1), KEYS_ADDED);
	last = k.newest;
	k.is_pinned = true;
	while (cell != last && (cell = keys_next(&k, cell, &entry)) != 0) {
		seen++;
		sum += entry.amount;
		assert_int_equal(keys_add(&k, key_of(seen), 10), KEYS_ADDED);	    /* behind */
		assert_int_equal(keys_add(&k, key_of(1000 + seen), 1), KEYS_ADDED); /* new */
		if (seen == 50)
			assert_int_equal(keys_take(&k, key_of(60), 99), 1); /* ahead */
	}
	assert_int_equal(seen, 99);
	assert_int_equal(sum, 99);
	assert_false(keys_drop_oldest(&k));
	k.is_pinned = false;
	assert_int_equal(k.sum, 99 + 99 * 10 + 99);
	assert_int_equal(keys_amount(&k, key_of(60)), 10); /* came back when it was passed */
	assert_int_equal(keys_amount(&k, key_of(100)), 1);
	assert_int_equal(keys_take(&k, key_of(60), 99), 10);
	assert_int_equal(k.entries, 198);
	end(&k);
}

static void test_the_sum_has_an_end(void **state)
{
	struct keys k = { .store = store_new(1 << 20) };

	(void)state;
	assert_int_equal(keys_add(&k, key_of(1), AMOUNT_MAX - 5), KEYS_ADDED);
	assert_int_equal(keys_add(&k, key_of(2), 6), KEYS_TOO_MUCH);
	assert_int_equal(keys_add(&k, key_of(1), 6), KEYS_TOO_MUCH);
	assert_int_equal(keys_amount(&k, key_of(2)), 0);
	assert_int_equal(keys_add(&k, key_of(2), 5), KEYS_ADDED);
	assert_int_equal(k.sum, AMOUNT_MAX);
	end(&k);
}

/* Room for a quarter more than the limit, then none: what is there stays as it is. */
static void test_no_room(void **state)
{
	struct keys k = { .store = store_new(64 << 10) };
	unsigned id = 0;

	(void)state;
	while (keys_add(&k, key_of(id), 1) == KEYS_ADDED)
		id++;
	assert_in_range(id, 200, 20000);
	assert_int_equal(k.sum, id);
	assert_int_equal(k.entries, id);
	for (unsigned i = 0; i < id; i++)
		assert_int_equal(keys_amount(&k, key_of(i)), 1);
	while (keys_drop_oldest(&k))
		;
	assert_int_equal(keys_add(&k, key_of(id), 1), KEYS_ADDED);
	end(&k);
}

/* The vectors of the authors' reference: key 00 01 .. 0f, texts 00, 00 01, ... */
static void test_hash_is_siphash(void **state)
{
	static const struct {
		size_t len;
		uint64_t want;
	} cases[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	static const struct hash_secret secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(hash_with(secret, (struct slice){ text, cases[i].len }),
				 cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_model_says_D58),
		cmocka_unit_test(test_nothing_is_kept_of_what_is_gone),
		cmocka_unit_test(test_a_walk_sees_all_once),
		cmocka_unit_test(test_the_sum_has_an_end),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_hash_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
