/* A tally against a plain list of amounts: exact where nothing was folded, and bounds that hold the
 * truth, as narrow as the walk tells, where something was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "audit/oracle.h" /* the addresses */
#include "series/tally.h"

enum { POOL = 4000, WALKED_MAX = 3 * POOL, MIB = 1 << 20 };

/* --- the truth --- */

struct truth {
	struct entry {
		struct addr addr;
		uint64_t amount;
	} list[POOL];
	unsigned used;
};

static struct entry *truth_of(struct truth *m, const struct addr *addr)
{
	unsigned i = 0;

	while (i < m->used && !addr_equal(&m->list[i].addr, addr))
		i++;
	if (i == m->used)
		m->list[m->used++] = (struct entry){ *addr, 0 };
	return &m->list[i];
}

static uint64_t truth_sum(const struct truth *m, const struct cidr *block)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->used; i++)
		if (cidr_contains(block, &m->list[i].addr))
			sum += m->list[i].amount;
	return sum;
}

/* --- what the tally says of itself --- */

struct walked {
	struct tally_entry list[WALKED_MAX];
	unsigned used;
};

static const struct addr v6_last = { UINT64_MAX, UINT64_MAX, ADDR_V6 };

static void walk(const struct tally *t, enum addr_family family, struct walked *out)
{
	struct addr first = { 0, 0, (uint8_t)family }, last = v6_last;
	unsigned n;

	if (family == ADDR_V4)
		last = v4(UINT32_MAX);
	out->used = 0;
	while ((n = tally_next(t, &first, &last, out->list + out->used)) > 0) {
		out->used += n;
		assert_true(out->used + TALLY_TURN <= WALKED_MAX);
	}
}

static bool is_rest(const struct tally_entry *e)
{
	return e->block.len < addr_bits(&e->block.addr);
}

/* In order, each once, and together what the tally has. */
static void walk_check(const struct tally *t, unsigned family, const struct walked *w,
		       const char *name)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->used; i++) {
		const struct cidr *block = &w->list[i].block, *before = block - 1;
		int order = 1;

		if (i > 0) {
			before = &w->list[i - 1].block;
			order = addr_compare(&block->addr, &before->addr);
		}
		if (order < 0 || (order == 0 && block->len <= before->len))
			fail_msg("%s: entry %u is out of order", name, i);
		assert_true(w->list[i].amount > 0);
		sum += w->list[i].amount;
	}
	if (sum != t->sums[family])
		fail_msg("%s: walked %lu, has %lu", name, (unsigned long)sum,
			 (unsigned long)t->sums[family]);
}

/* What follows for a block from all that is known. */
static struct bounds bounds_of(const struct walked *w, const struct cidr *block)
{
	struct bounds b = { 0, 0 };

	for (unsigned i = 0; i < w->used; i++) {
		const struct tally_entry *e = &w->list[i];

		if (e->block.len >= block->len && cidr_contains(block, &e->block.addr))
			bounds_add(&b, (struct bounds){ e->amount, e->amount });
		else if (is_rest(e) && cidr_contains(&e->block, &block->addr))
			bounds_add(&b, (struct bounds){ 0, e->amount });
	}
	return b;
}

/* --- both --- */

struct scene {
	const char *name;
	struct random random;
	address_kind *next;
	unsigned family;
	struct store *store;
	struct tally tally;
	struct truth truth;
	struct walked walked;
};

static struct scene *scene_new(unsigned kind, size_t limit)
{
	struct scene *s = mem_new(sizeof *s);

	s->name = address_kinds[kind].name;
	s->random.state = 0x9e3779b97f4a7c15 + kind;
	s->next = address_kinds[kind].next;
	s->family = address_kinds[kind].family == ADDR_V4 ? 0 : 1;
	s->store = store_new(limit);
	s->tally.store = s->store;
	return s;
}

static void scene_free(struct scene *s)
{
	store_free(s->store);
	free(s);
}

static void ask(struct scene *s, const struct cidr *block)
{
	struct bounds got = tally_sum(&s->tally, block), want = bounds_of(&s->walked, block);
	uint64_t truth = truth_sum(&s->truth, block);
	char text[CIDR_TEXT_MAX];

	if (got.low > truth || got.high < truth || got.low != want.low || got.high != want.high ||
	    (!s->tally.is_folded && got.low != got.high))
		fail_msg("%s: %s has %lu..%lu, known are %lu..%lu, the truth is %lu", s->name,
			 cidr_print(block, text), (unsigned long)got.low, (unsigned long)got.high,
			 (unsigned long)want.low, (unsigned long)want.high, (unsigned long)truth);
}

static struct addr some_addr(struct scene *s)
{
	if (s->truth.used > 0 && random_below(&s->random, 2) == 0)
		return s->truth.list[random_below(&s->random, s->truth.used)].addr;
	return s->next(&s->random);
}

static void ask_around(struct scene *s)
{
	walk(&s->tally, s->family == 0 ? ADDR_V4 : ADDR_V6, &s->walked);
	walk_check(&s->tally, s->family, &s->walked, s->name);
	for (unsigned i = 0; i < 8; i++) {
		struct addr addr = some_addr(s);

		for (unsigned len = 0; len <= addr_bits(&addr); len += 1 + i % 3) {
			struct cidr block = cidr_of(&addr, len);

			ask(s, &block);
		}
	}
}

static uint64_t some_amount(struct random *r)
{
	static const uint64_t most[] = { 1, 1, 1, 3, 9, 300, 70000, (uint64_t)1 << 40 };

	return 1 + random_below(r, most[random_below(r, sizeof most / sizeof *most)]);
}

static void add(struct scene *s)
{
	struct addr addr = some_addr(s);
	uint64_t amount = some_amount(&s->random);

	if (s->truth.used == POOL)
		return;
	assert_true(tally_add(&s->tally, &addr, amount));
	truth_of(&s->truth, &addr)->amount += amount;
}

/* What an address has can always be taken, wherever it is known to be. */
static void take(struct scene *s)
{
	struct entry *e = s->truth.list + random_below(&s->random, s->truth.used);
	uint64_t amount = e->amount;

	if (amount > 1 && random_below(&s->random, 2) == 0)
		amount = 1 + random_below(&s->random, amount);
	if (amount > 0)
		assert_int_equal(tally_take(&s->tally, &e->addr, amount), amount);
	e->amount -= amount;
	if (e->amount == 0)
		*e = s->truth.list[--s->truth.used];
}

/* Mostly adding, then mostly taking, three times over. */
static void follow(unsigned kind, size_t limit, bool folds)
{
	enum { STEPS = 9000 };
	struct scene *s = scene_new(kind, limit);

	for (unsigned step = 0; step < STEPS; step++) {
		bool flood = step / (STEPS / 6) % 2 == 0;

		if (s->truth.used == 0 || random_below(&s->random, 10) < (flood ? 8 : 2))
			add(s);
		else
			take(s);
		if (folds && (store_is_over(s->store) || random_below(&s->random, 400) == 0))
			assert_true(tally_fold(&s->tally) <= FOLD_MOVES_MAX);
		if (step % 512 == 0)
			ask_around(s);
	}
	ask_around(s);
	while (s->truth.used > 0)
		take(s);
	ask_around(s);
	assert_int_equal(s->tally.sums[s->family], 0);
	assert_int_equal(s->tally.owner.units, 0);
	assert_int_equal(s->tally.owner.chunks, 0);
	assert_int_equal(s->tally.roots[s->family], 0);
	scene_free(s);
}

static void test_exact_without_folds(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++)
		follow(kind, 16 * MIB, false);
}

static void test_bounds_hold_with_folds(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++)
		follow(kind, 16 * MIB, true);
}

static void test_bounds_hold_where_memory_is_short(void **state)
{
	static const size_t limits[] = { 64 << 10, 16 << 10, 4 << 10, 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++)
		for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
			follow(kind, limits[i], true);
			follow(kind, limits[i], false);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_without_folds),
		cmocka_unit_test(test_bounds_hold_with_folds),
		cmocka_unit_test(test_bounds_hold_where_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
