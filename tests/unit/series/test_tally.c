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

/* --- single promises --- */

static struct cidr block_of(const char *text)
{
	struct cidr block;

	assert_null(cidr_parse(slice_of(text), &block));
	return block;
}

static struct addr addr_of(const char *text)
{
	return block_of(text).addr;
}

static uint64_t exactly(const struct tally *t, const char *block)
{
	struct cidr c = block_of(block);
	struct bounds b = tally_sum(t, &c);

	if (b.low != b.high)
		fail_msg("%s has %lu..%lu", block, (unsigned long)b.low, (unsigned long)b.high);
	return b.low;
}

static void test_a_small_window_costs_a_chunk_and_an_empty_one_nothing(void **state)
{
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };

	(void)state;
	assert_int_equal(exactly(&t, "0.0.0.0/0"), 0);
	assert_int_equal(exactly(&t, "2001:db8::1"), 0);
	assert_int_equal(t.owner.chunks, 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct addr addr = v4(0xc0000200 + i * 0x10001);

		assert_true(tally_add(&t, &addr, 1));
		assert_int_equal(t.owner.chunks, 1);
	}
	assert_int_equal(exactly(&t, "192.0.0.0/8"), 40);
	tally_clear(&t);
	assert_int_equal(exactly(&t, "0.0.0.0/0"), 0);
	assert_int_equal(t.owner.chunks, 0);
	store_free(store);
}

static void test_nothing_passes_the_largest_amount(void **state)
{
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };
	const struct tally *twice[] = { &t, &t };
	struct addr a = addr_of("192.0.2.1"), b = addr_of("192.0.2.2"), c = addr_of("2001:db8::1");
	struct cidr all = block_of("0.0.0.0/0"), rest = block_of("10.0.0.0/8");
	struct bounds sum;

	(void)state;
	assert_true(tally_add(&t, &a, AMOUNT_MAX - 1));
	assert_false(tally_add(&t, &a, 2));
	assert_false(tally_add(&t, &b, 2));
	assert_false(tally_load(&t, &(struct tally_entry){ rest, 2 }));
	assert_int_equal(exactly(&t, "192.0.2.1"), AMOUNT_MAX - 1);
	assert_int_equal(exactly(&t, "192.0.2.2"), 0);
	assert_false(t.is_folded);
	assert_true(tally_add(&t, &b, 1));
	assert_true(tally_add(&t, &c, AMOUNT_MAX));
	assert_false(tally_add(&t, &c, UINT64_MAX));
	assert_int_equal(exactly(&t, "0.0.0.0/0"), AMOUNT_MAX);
	sum = tally_sum_of(twice, 2, &all);
	assert_int_equal(sum.low, AMOUNT_MAX);
	assert_int_equal(sum.high, AMOUNT_MAX);
	assert_int_equal(tally_take(&t, &a, UINT64_MAX), AMOUNT_MAX - 1);
	assert_int_equal(exactly(&t, "0.0.0.0/0"), 1);
	store_free(store);
}

static void test_D58_taking_stops_at_nothing(void **state)
{
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };
	struct addr a = addr_of("192.0.2.1"), b = addr_of("192.0.2.2");
	struct cidr rest = block_of("192.0.2.0/24");

	(void)state;
	assert_int_equal(tally_take(&t, &a, 5), 0);
	assert_true(tally_add(&t, &a, 3));
	assert_int_equal(tally_take(&t, &b, 5), 0);
	assert_int_equal(tally_take(&t, &a, 5), 3);
	assert_int_equal(t.owner.units, 0);
	/* What is known first, then what the fold can hold. */
	assert_true(tally_add(&t, &a, 3));
	assert_true(tally_add(&t, &b, 2));
	assert_true(tally_load(&t, &(struct tally_entry){ rest, 10 }));
	assert_int_equal(tally_take(&t, &a, 7), 7);
	assert_int_equal(exactly(&t, "192.0.2.0/24"), 8);
	assert_int_equal(tally_take(&t, &a, 9), 6);
	assert_int_equal(exactly(&t, "192.0.2.2"), 2);
	assert_int_equal(t.owner.chunks, 1);
	store_free(store);
}

static void test_a_rest_is_anywhere_in_its_block(void **state)
{
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };
	struct addr a = addr_of("10.1.2.3");
	struct cidr rest = block_of("10.1.0.0/16"), odd = block_of("10.1.2.0/23"),
		    all = block_of("::/0");
	static const struct {
		const char *block;
		uint64_t want_low, want_high;
	} cases[] = {
		{ "0.0.0.0/0", 126, 126 },  { "10.0.0.0/8", 126, 126 }, { "10.1.0.0/16", 126, 126 },
		{ "10.1.0.0/17", 26, 126 }, { "10.1.2.3/32", 1, 126 },	{ "10.1.2.4/32", 0, 125 },
		{ "10.1.16.0/24", 0, 100 }, { "10.2.0.0/16", 0, 0 },	{ "::1/128", 0, 7 },
		{ "10.1.0.0/20", 26, 126 },
	};

	(void)state;
	assert_true(tally_load(&t, &(struct tally_entry){ rest, 100 }));
	assert_true(tally_load(&t, &(struct tally_entry){ { a, 32 }, 1 }));
	assert_true(tally_load(&t, &(struct tally_entry){ all, 7 }));
	tally_clear(&t);
	/* The other way round, and one below the other. */
	assert_true(tally_load(&t, &(struct tally_entry){ { a, 32 }, 1 }));
	assert_true(tally_load(&t, &(struct tally_entry){ odd, 25 }));
	assert_true(tally_load(&t, &(struct tally_entry){ rest, 100 }));
	assert_true(tally_load(&t, &(struct tally_entry){ all, 7 }));
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr block = block_of(cases[i].block);
		struct bounds b = tally_sum(&t, &block);

		if (b.low != cases[i].want_low || b.high != cases[i].want_high)
			fail_msg("%s has %lu..%lu", cases[i].block, (unsigned long)b.low,
				 (unsigned long)b.high);
	}
	store_free(store);
}

/* Also into a tally that has something already, and into one that has hardly any memory. */
static void test_what_was_walked_can_be_loaded(void **state)
{
	static const size_t limits[] = { 16 * MIB, 64 << 10, 0 };
	struct walked *again = mem_new(sizeof *again);

	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct scene *s = scene_new(kind, 16 * MIB);
		enum addr_family family = address_kinds[kind].family;

		for (unsigned i = 0; i < 3000; i++)
			add(s);
		for (unsigned i = 0; i < 40; i++)
			(void)tally_fold(&s->tally);
		walk(&s->tally, family, &s->walked);
		for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
			struct store *store = store_new(limits[l]);
			struct tally t = { .store = store };

			for (unsigned i = 0; i < s->walked.used; i++)
				assert_true(tally_load(&t, &s->walked.list[i]));
			walk(&t, family, again);
			walk_check(&t, s->family, again, s->name);
			assert_int_equal(t.sums[s->family], s->tally.sums[s->family]);
			if (l == 0) {
				assert_int_equal(again->used, s->walked.used);
				for (unsigned i = 0; i < again->used; i++) {
					assert_true(cidr_equal(&again->list[i].block,
							       &s->walked.list[i].block));
					assert_int_equal(again->list[i].amount,
							 s->walked.list[i].amount);
				}
			}
			store_free(store);
		}
		/* Twice as much of everything. */
		for (unsigned i = 0; i < s->walked.used; i++)
			assert_true(tally_load(&s->tally, &s->walked.list[i]));
		for (unsigned i = 0; i < s->truth.used; i++)
			s->truth.list[i].amount *= 2;
		ask_around(s);
		scene_free(s);
	}
	free(again);
}

/* A rest within a rest, and more addresses in them than one bucket has. */
static void test_what_is_below_a_rest_is_told_apart_again(void **state)
{
	static const char *const rests[] = { "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0" };
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };
	struct cidr address, block = block_of("10.1.2.0/24");
	struct bounds b;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(tally_load(&t, &(struct tally_entry){ block_of(rests[i]), 1000 }));
	for (uint32_t i = 0; i < 200; i++) {
		struct addr a = v4(0x0a010200 + i);

		assert_true(tally_load(&t, &(struct tally_entry){ { a, 32 }, 1 + i }));
	}
	for (uint32_t i = 0; i < 200; i++) {
		address.addr = v4(0x0a010200 + i);
		address.len = 32;
		b = tally_sum(&t, &address);
		assert_int_equal(b.low, 1 + i);
		assert_int_equal(b.high, 1 + i + 3000);
	}
	b = tally_sum(&t, &block);
	assert_int_equal(b.low, 200 * 201 / 2 + 1000);
	assert_int_equal(b.high, b.low + 2000);
	store_free(store);
}

static void test_a_walk_of_a_part_is_part_of_the_walk(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct scene *s = scene_new(kind, 16 * MIB);
		struct tally_entry out[TALLY_TURN];

		for (unsigned i = 0; i < 2000; i++)
			add(s);
		for (unsigned i = 0; i < 10; i++)
			(void)tally_fold(&s->tally);
		walk(&s->tally, address_kinds[kind].family, &s->walked);
		for (unsigned turn = 0; turn < 50; turn++) {
			struct addr first = some_addr(s), last = some_addr(s), from;
			unsigned n, at = 0;

			if (addr_compare(&first, &last) > 0) {
				from = first;
				first = last;
				last = from;
			}
			from = first;
			while ((n = tally_next(&s->tally, &first, &last, out)) > 0)
				for (unsigned i = 0; i < n; i++, at++) {
					while (addr_compare(&s->walked.list[at].block.addr, &from) <
						       0 ||
					       !cidr_equal(&s->walked.list[at].block,
							   &out[i].block))
						assert_true(++at < s->walked.used);
					assert_true(addr_compare(&out[i].block.addr, &last) <= 0);
					assert_int_equal(out[i].amount, s->walked.list[at].amount);
				}
			assert_int_equal(tally_next(&s->tally, &first, &last, out), 0);
		}
		scene_free(s);
	}
}

static void test_many_windows_add_up(void **state)
{
	enum { WINDOWS = 150 };
	static const unsigned counts[] = { 0, 1, 2, 63, 64, 65, WINDOWS };
	struct store *store = store_new(16 * MIB);
	struct tally *windows = mem_array(WINDOWS, sizeof *windows);
	const struct tally *all[WINDOWS];
	struct random r = { 5 };

	(void)state;
	for (unsigned i = 0; i < WINDOWS; i++) {
		windows[i].store = store;
		all[i] = &windows[i];
		for (unsigned n = 0; n < i * 5; n++) {
			struct addr addr = n % 2 ? v6_spray(&r) : v4_one_16(&r);

			assert_true(tally_add(&windows[i], &addr, 1 + n));
		}
		if (i % 3 == 0)
			(void)tally_fold(&windows[i]);
	}
	for (unsigned i = 0; i < 400; i++) {
		unsigned n = counts[i % (sizeof counts / sizeof *counts)];
		struct addr addr = i % 2 ? v6_spray(&r) : v4_one_16(&r);
		struct cidr block =
			cidr_of(&addr, (unsigned)random_below(&r, addr_bits(&addr) + 1));
		struct bounds got = tally_sum_of(all, n, &block), want = { 0, 0 };

		while (n-- > 0)
			bounds_add(&want, tally_sum(all[n], &block));
		assert_int_equal(got.low, want.low);
		assert_int_equal(got.high, want.high);
	}
	for (unsigned i = 0; i < WINDOWS; i++)
		tally_clear(&windows[i]);
	store_free(store);
	free(windows);
}

static void test_folding_ends_with_the_sum_alone(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct scene *s = scene_new(kind, 16 * MIB);
		unsigned moved, folds = 0;

		for (unsigned i = 0; i < 3000; i++)
			add(s);
		while ((moved = tally_fold(&s->tally)) > 0) {
			assert_true(moved <= FOLD_MOVES_MAX);
			if (folds++ % 16 == 0)
				ask_around(s);
		}
		ask_around(s);
		assert_int_equal(s->tally.owner.chunks, 0);
		walk(&s->tally, address_kinds[kind].family, &s->walked);
		assert_int_equal(s->walked.used, 1);
		scene_free(s);
	}
}

/* A path's branches are folded, and it stays, until nothing costs more for what it tells. */
static void test_a_path_that_was_folded_is_not_the_next(void **state)
{
	enum { ALL = 16 * 7 };
	struct store *store = store_new(MIB);
	struct tally t = { .store = store };
	struct addr a[ALL], b[ALL];

	(void)state;
	for (uint64_t i = 0; i < ALL; i++) {
		a[i] = (struct addr){ 0x20010db800010000, i % 16 << 12 | i, ADDR_V6 };
		b[i] = (struct addr){ 0x20010db800020000, i % 16 << 12 | i, ADDR_V6 };
		assert_true(tally_add(&t, &a[i], 1));
		assert_true(tally_add(&t, &b[i], 10));
	}
	assert_int_equal(tally_fold(&t), ALL);
	for (unsigned i = 0; i < ALL; i++)
		assert_true(tally_add(&t, &a[i], 100));
	assert_int_equal(tally_fold(&t), ALL);
	assert_int_equal(exactly(&t, "2001:db8:1::3000/116"), 7 * 101);
	assert_int_equal(exactly(&t, "2001:db8:2::3000/116"), 7 * 10);
	store_free(store);
}

/* Somebody may be walking it: only tally_fold gives up what is known. */
static void test_what_finds_no_memory_takes_none_from_others(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct scene *s = scene_new(kind, 16 << 10);
		unsigned known;

		while (!s->tally.is_folded && s->truth.used < POOL / 2)
			add(s);
		for (known = s->truth.used - 1; s->truth.used < POOL && known-- > 0;) {
			struct cidr block = cidr_of(&s->truth.list[known].addr, 128);
			uint64_t least = s->truth.list[known].amount;

			add(s);
			add(s);
			if (tally_sum(&s->tally, &block).low < least)
				fail_msg("%s: %u is forgotten", s->name, known);
		}
		ask_around(s);
		scene_free(s);
	}
}

/* One /32 of a spray costs the others nothing: not their addresses, not their networks. */
static void test_a_spray_leaves_others_exact(void **state)
{
	enum { LIMIT = 512 << 10, EVENTS = 200000, OTHERS = 500 };
	struct store *store = store_new(LIMIT);
	struct tally t = { .store = store };
	struct addr others[OTHERS];
	struct random r = { 17 };

	(void)state;
	for (unsigned i = 0; i < OTHERS; i++)
		others[i] = (struct addr){ 0x2a00123400000000 | random_below(&r, 20) << 16,
					   random_next(&r), ADDR_V6 };
	for (unsigned i = 0; i < EVENTS; i++) {
		struct addr sprayed = { 0x20010db800000000 | (random_next(&r) >> 32),
					random_next(&r), ADDR_V6 };
		unsigned moved = 0;

		assert_true(tally_add(&t, &sprayed, 1));
		if (i % 20 == 0)
			assert_true(tally_add(&t, &others[i / 20 % OTHERS], 1));
		for (unsigned n = 0; n < 4 && store_is_over(store); n++)
			moved += tally_fold(&t);
		assert_true(moved <= 4096);
	}
	assert_true(t.is_folded);
	assert_true(store_bytes(store) <= LIMIT + LIMIT / 4 + LIMIT / 64);
	assert_true((size_t)t.owner.units * STORE_UNIT >= LIMIT / 2);
	assert_int_equal(exactly(&t, "2001:db8::/32"), EVENTS);
	assert_int_equal(exactly(&t, "2a00:1234::/32"), EVENTS / 20);
	for (unsigned i = 0; i < OTHERS; i++) {
		struct cidr block = cidr_of(&others[i], 128);
		struct bounds b = tally_sum(&t, &block);

		assert_int_equal(b.low, EVENTS / 20 / OTHERS);
		assert_int_equal(b.high, b.low);
	}
	store_free(store);
}

/* Nor where these have a good part of the memory, however long it goes on. */
static void test_a_long_spray_leaves_others_exact(void **state)
{
	enum { LIMIT = 512 << 10, EVENTS = 480000, OTHERS = 8000 };
	struct store *store = store_new(LIMIT);
	struct tally t = { .store = store };
	struct random r = { 17 };
	struct cidr other = { .len = 32 };

	(void)state;
	for (uint32_t i = 0; i < EVENTS; i++) {
		struct addr sprayed = v6_anywhere(&r);

		other.addr = v4(i / 20 % OTHERS * 977);
		assert_true(tally_add(&t, &sprayed, 1));
		if (i % 20 == 0)
			assert_true(tally_add(&t, &other.addr, 1));
		for (unsigned n = 0; n < 4 && store_is_over(store); n++)
			(void)tally_fold(&t);
	}
	for (uint32_t i = 0; i < OTHERS; i++) {
		struct bounds b;

		other.addr = v4(i * 977);
		b = tally_sum(&t, &other);
		assert_int_equal(b.low, EVENTS / 20 / OTHERS);
		assert_int_equal(b.high, b.low);
	}
	assert_int_equal(exactly(&t, "::/0"), EVENTS);
	store_free(store);
}

/* A branch at every depth: what an address can cost at most. */
static void test_a_chain_of_chosen_addresses_stays_small(void **state)
{
	struct store *store = store_new(16 * MIB);
	struct tally t = { .store = store };
	unsigned n = 0;

	(void)state;
	for (unsigned bit = 0; bit < 128; bit++)
		for (unsigned more = 0; more < 8; more++, n++) {
			struct addr a = { 0x20010db85a5a5a5a, 0xa5a5a5a5a5a5a5a5, ADDR_V6 };

			if (bit < 64)
				a.lo ^= (uint64_t)1 << bit;
			else
				a.hi ^= (uint64_t)1 << (bit - 64);
			a.lo ^= more;
			assert_true(tally_add(&t, &a, 1));
		}
	assert_int_equal(exactly(&t, "::/0"), n);
	assert_true((size_t)t.owner.units * STORE_UNIT <= 100 * n);
	while (tally_fold(&t) > 0)
		;
	assert_int_equal(exactly(&t, "::/0"), n);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_without_folds),
		cmocka_unit_test(test_bounds_hold_with_folds),
		cmocka_unit_test(test_bounds_hold_where_memory_is_short),
		cmocka_unit_test(test_a_small_window_costs_a_chunk_and_an_empty_one_nothing),
		cmocka_unit_test(test_nothing_passes_the_largest_amount),
		cmocka_unit_test(test_D58_taking_stops_at_nothing),
		cmocka_unit_test(test_a_rest_is_anywhere_in_its_block),
		cmocka_unit_test(test_what_was_walked_can_be_loaded),
		cmocka_unit_test(test_what_is_below_a_rest_is_told_apart_again),
		cmocka_unit_test(test_a_walk_of_a_part_is_part_of_the_walk),
		cmocka_unit_test(test_many_windows_add_up),
		cmocka_unit_test(test_folding_ends_with_the_sum_alone),
		cmocka_unit_test(test_a_path_that_was_folded_is_not_the_next),
		cmocka_unit_test(test_what_finds_no_memory_takes_none_from_others),
		cmocka_unit_test(test_a_spray_leaves_others_exact),
		cmocka_unit_test(test_a_long_spray_leaves_others_exact),
		cmocka_unit_test(test_a_chain_of_chosen_addresses_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
