/* Heavy hitters against what somebody who looks at every block of every length finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "series/hitters.h"

enum { MOST = 600, FOUND_MAX = 4096, SUMS_A_BIT = 2 };

/* Addresses, an amount each; rest: of nobody knows whom in the block. */
struct world {
	struct item {
		struct cidr block;
		uint64_t amount;
	} items[MOST];
	unsigned count;
	uint64_t asked;
};

struct answer {
	struct hitter list[FOUND_MAX];
	unsigned count;
};

static uint64_t seed = 42;

static uint64_t random_below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static struct cidr block_of(const char *text)
{
	struct cidr block;

	assert_null(cidr_parse(slice_of(text), &block));
	return block;
}

static void world_add(struct world *w, struct cidr block, uint64_t amount)
{
	assert_true(w->count < MOST);
	w->items[w->count++] = (struct item){ block, amount };
}

/* What is known of a block: everything inside it; what a rest around it may add is the high. */
static struct bounds world_sum(void *arg, const struct cidr *block)
{
	struct world *w = arg;
	struct bounds b = { 0, 0 };

	w->asked++;
	for (const struct item *i = w->items; i < w->items + w->count; i++) {
		bool inside = i->block.len >= block->len && cidr_contains(block, &i->block.addr);
		bool around = i->block.len < block->len && cidr_contains(&i->block, &block->addr);

		b.low += inside ? i->amount : 0;
		b.high += inside || around ? i->amount : 0;
	}
	return b;
}

static void found(void *arg, const struct hitter *h)
{
	struct answer *a = arg;

	assert_true(a->count < FOUND_MAX);
	a->list[a->count++] = *h;
}

struct both {
	struct world *world;
	struct answer *answer;
};

static struct bounds both_sum(void *arg, const struct cidr *block)
{
	return world_sum(((struct both *)arg)->world, block);
}

static void both_found(void *arg, const struct hitter *h)
{
	found(((struct both *)arg)->answer, h);
}

static void ask(struct world *w, struct cidr within, uint64_t threshold, unsigned turn,
		struct answer *out)
{
	struct both both = { w, out };
	struct hitters *h = mem_new(sizeof *h);
	unsigned turns = 0;

	h->within = within;
	h->threshold = threshold;
	h->sum = both_sum;
	h->found = both_found;
	h->arg = &both;
	*out = (struct answer){ .count = 0 };
	w->asked = 0;
	while (hitters_on(h, turn))
		turns++;
	assert_true(w->asked <= (uint64_t)(turns + 1) * turn + 1);
	assert_false(hitters_on(h, turn));
	free(h);
}

static uint64_t covered(const struct answer *a, const struct cidr *block)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < a->count; i++) {
		bool outermost = true;

		if (!cidr_contains(block, &a->list[i].block.addr) ||
		    a->list[i].block.len <= block->len)
			continue;
		for (unsigned j = 0; j < a->count && outermost; j++)
			outermost = !(a->list[j].block.len > block->len &&
				      a->list[j].block.len < a->list[i].block.len &&
				      cidr_contains(&a->list[j].block, &a->list[i].block.addr));
		sum += outermost ? a->list[i].amount.low : 0;
	}
	return sum;
}

/* The definition, longest blocks first. */
static void oracle(struct world *w, const struct cidr *within, uint64_t threshold,
		   struct answer *out)
{
	*out = (struct answer){ .count = 0 };
	for (unsigned len = addr_bits(&within->addr) + 1; len-- > within->len;)
		for (unsigned i = 0; i < w->count; i++) {
			struct cidr block = cidr_of(&w->items[i].block.addr, len);
			struct bounds amount;
			uint64_t residual;
			bool known = !cidr_contains(within, &block.addr) ||
				     w->items[i].block.len < len;

			for (unsigned j = 0; j < out->count && !known; j++)
				known = cidr_equal(&out->list[j].block, &block);
			if (known)
				continue;
			amount = world_sum(w, &block);
			residual = amount.low - covered(out, &block);
			if (residual >= threshold)
				found(out, &(struct hitter){ block, amount, residual });
		}
}

static int by_block(const void *a, const void *b)
{
	const struct hitter *x = a, *y = b;
	int order = addr_compare(&x->block.addr, &y->block.addr);

	return order != 0 ? order : (int)x->block.len - (int)y->block.len;
}

static void check(struct world *w, const char *name, struct cidr within, uint64_t threshold,
		  unsigned turn)
{
	struct answer *got = mem_new(sizeof *got), *want = mem_new(sizeof *want);
	uint64_t total = world_sum(w, &within).low;

	ask(w, within, threshold, turn, got);
	assert_true(w->asked <= 1 + (uint64_t)SUMS_A_BIT * HITTERS_DEPTH * (total / threshold));
	assert_true(got->count <= total / threshold);
	oracle(w, &within, threshold, want);
	qsort(got->list, got->count, sizeof got->list[0], by_block);
	qsort(want->list, want->count, sizeof want->list[0], by_block);
	if (got->count != want->count)
		fail_msg("%s: found %u, want %u", name, got->count, want->count);
	for (unsigned i = 0; i < want->count; i++) {
		const struct hitter *g = &got->list[i], *x = &want->list[i];
		char a[CIDR_TEXT_MAX], b[CIDR_TEXT_MAX];

		if (!cidr_equal(&g->block, &x->block) || g->amount.low != x->amount.low ||
		    g->amount.high != x->amount.high || g->residual != x->residual)
			fail_msg("%s: found %s, want %s", name, cidr_print(&g->block, a),
				 cidr_print(&x->block, b));
	}
	free(got);
	free(want);
}

/* Close together at some lengths and apart at others, so that blocks of every length stand out. */
static struct addr random_addr(enum addr_family family)
{
	static const uint64_t nets[] = { 0xc000020000000000, 0xc000030000000000, 0x0a00000000000000,
					 0x20010db800000000, 0x20010db800010000 };
	uint64_t spread = (uint64_t)1 << random_below(40);
	struct addr a = { .family = (uint8_t)family };

	a.hi = nets[random_below(5)] ^ (random_below(spread) << 24);
	if (family == ADDR_V6)
		a.lo = random_below(2) ? random_below(4) : random_below(UINT64_MAX);
	else
		a.hi &= 0xffffffff00000000;
	return a;
}

static void test_random_against_the_definition(void **state)
{
	static const struct {
		const char *name;
		enum addr_family family;
		const char *within;
		unsigned addresses, rests;
		uint64_t amount_most;
	} cases[] = {
		{ "v4", ADDR_V4, "0.0.0.0/0", 300, 0, 1 },
		{ "v4, amounts", ADDR_V4, "0.0.0.0/0", 200, 0, 1000 },
		{ "v4, folds", ADDR_V4, "0.0.0.0/0", 150, 20, 100 },
		{ "v4 within", ADDR_V4, "192.0.2.0/23", 200, 0, 20 },
		{ "v6", ADDR_V6, "::/0", 120, 0, 1 },
		{ "v6, amounts and folds", ADDR_V6, "::/0", 100, 20, 1000 },
		{ "v6 within", ADDR_V6, "2001:db8::/30", 120, 0, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned round = 0; round < 6; round++) {
			struct world *w = mem_new(sizeof *w);
			struct cidr within = block_of(cases[i].within);
			unsigned limit = 1 + (unsigned)random_below(60);
			uint64_t total;

			for (unsigned n = 0; n < cases[i].addresses; n++) {
				struct addr a = random_addr(cases[i].family);

				world_add(w, cidr_of(&a, addr_bits(&a)),
					  1 + random_below(cases[i].amount_most));
			}
			for (unsigned n = 0; n < cases[i].rests; n++) {
				struct addr a = random_addr(cases[i].family);

				world_add(w, cidr_of(&a, 4 * (unsigned)random_below(8)),
					  1 + random_below(cases[i].amount_most));
			}
			total = world_sum(w, &within).low;
			if (total > 0)
				check(w, cases[i].name, within, (total + limit - 1) / limit,
				      1 + (unsigned)random_below(64));
			free(w);
		}
}

/* The promise about what is not found: any block has less than the threshold outside of it, even
 * where a fold hides who had what. Here nobody but the test knows who was folded. */
static void test_what_is_not_shown_is_below_the_threshold(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct world *seen = mem_new(sizeof *seen), *truth = mem_new(sizeof *truth);
		struct answer *a = mem_new(sizeof *a);
		struct cidr all = block_of("0.0.0.0/0");
		uint64_t threshold;

		for (unsigned n = 0; n < 200; n++) {
			struct addr addr = random_addr(ADDR_V4);
			uint64_t amount = 1 + random_below(50);
			bool folded = addr.hi >> 56 == 10 && random_below(4) > 0;

			world_add(truth, cidr_of(&addr, 32), amount);
			world_add(seen, cidr_of(&addr, folded ? 20 : 32), amount);
		}
		threshold = (world_sum(truth, &all).low + 9) / 10;
		ask(seen, all, threshold, 16, a);
		for (unsigned n = 0; n < truth->count; n++)
			for (unsigned len = 0; len <= 32; len++) {
				struct cidr block = cidr_of(&truth->items[n].block.addr, len);
				bool inside = false;

				for (unsigned i = 0; i < a->count; i++)
					inside |= a->list[i].block.len <= len &&
						  cidr_contains(&a->list[i].block, &block.addr);
				assert_true(inside || world_sum(truth, &block).low <
							      threshold + covered(a, &block));
			}
		free(seen);
		free(truth);
		free(a);
	}
}

static void test_small(void **state)
{
	static const struct {
		const char *name;
		const char *blocks[4];
		uint64_t amounts[4];
		const char *within;
		uint64_t threshold;
		const char *want[4];
		uint64_t want_residual[4];
	} cases[] = {
		{ "nothing", { 0 }, { 0 }, "::/0", 1, { 0 }, { 0 } },
		{ "one address has it all", { "192.0.2.1" }, { 9 }, "0.0.0.0/0", 1,
		  { "192.0.2.1/32" }, { 9 } },
		{ "one address, v6", { "2001:db8::1" }, { 9 }, "::/0", 9, { "2001:db8::1/128" },
		  { 9 } },
		{ "too little", { "2001:db8::1" }, { 9 }, "::/0", 10, { 0 }, { 0 } },
		{ "the first and the last", { "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		  { 3, 4 }, "::/0", 3,
		  { "::/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" }, { 3, 4 } },
		{ "together only", { "192.0.2.0", "192.0.2.3" }, { 3, 4 }, "0.0.0.0/0", 5,
		  { "192.0.2.0/30" }, { 7 } },
		{ "a block beside its address", { "192.0.2.0", "192.0.2.2", "192.0.2.3" },
		  { 9, 3, 3 }, "0.0.0.0/0", 6, { "192.0.2.0/32", "192.0.2.2/31" }, { 9, 6 } },
		{ "a block around its address", { "192.0.2.0", "192.0.2.2", "192.0.2.5" },
		  { 9, 3, 3 }, "0.0.0.0/0", 6, { "192.0.2.0/32", "192.0.2.0/29" }, { 9, 6 } },
		{ "everything spread", { "10.0.0.0", "80.0.0.0", "150.0.0.0", "220.0.0.0" },
		  { 1, 1, 1, 1 }, "0.0.0.0/0", 3, { "0.0.0.0/0" }, { 4 } },
		{ "a fold", { "10.0.0.0/8", "10.1.1.1" }, { 7, 2 }, "0.0.0.0/0", 5,
		  { "10.0.0.0/8" }, { 9 } },
		{ "as much as there can be", { "10.0.0.1", "10.0.0.2" },
		  { AMOUNT_MAX / 2, AMOUNT_MAX / 2 }, "0.0.0.0/0", AMOUNT_MAX - 1,
		  { "10.0.0.0/30" }, { AMOUNT_MAX - 1 } },
		{ "within one address", { "10.0.0.1" }, { 2 }, "10.0.0.1/32", 2,
		  { "10.0.0.1/32" }, { 2 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = mem_new(sizeof *w);
		struct answer *a = mem_new(sizeof *a);
		unsigned want = 0;

		for (unsigned n = 0; n < 4 && cases[i].blocks[n] != NULL; n++)
			world_add(w, block_of(cases[i].blocks[n]), cases[i].amounts[n]);
		ask(w, block_of(cases[i].within), cases[i].threshold, 1, a);
		for (; want < 4 && cases[i].want[want] != NULL; want++) {
			char text[CIDR_TEXT_MAX];

			if (want >= a->count)
				fail_msg("%s: no %s", cases[i].name, cases[i].want[want]);
			assert_string_equal(cidr_print(&a->list[want].block, text),
					    cases[i].want[want]);
			assert_int_equal(a->list[want].residual, cases[i].want_residual[want]);
		}
		if (a->count != want)
			fail_msg("%s: found %u, want %u", cases[i].name, a->count, want);
		free(a);
		free(w);
	}
}

/* The worst for it: as many as can be, each at the end of a long way of its own. */
static void test_work_is_bounded(void **state)
{
	struct world *w = mem_new(sizeof *w);
	struct answer *a = mem_new(sizeof *a);

	(void)state;
	for (unsigned n = 0; n < 500; n++)
		world_add(w, (struct cidr){ { random_below(UINT64_MAX), random_below(UINT64_MAX),
					      ADDR_V6 }, 128 }, 7);
	ask(w, block_of("::/0"), 7, 100, a);
	assert_int_equal(a->count, 500);
	assert_true(w->asked < 500 * 128 * SUMS_A_BIT);
	free(a);
	free(w);
}

/* Sums that disagree, as they do while somebody adds. */
static struct bounds growing_sum(void *arg, const struct cidr *block)
{
	uint64_t *n = arg;

	(void)block;
	*n += 1000;
	return (struct bounds){ *n, *n };
}

static void count_found(void *arg, const struct hitter *h)
{
	(void)arg;
	assert_true(h->residual <= h->amount.low);
}

static void test_changing_sums_end_all_the_same(void **state)
{
	uint64_t n = 0;
	struct hitters h = {
		.within = block_of("10.0.0.0/20"), .threshold = 1, .sum = growing_sum,
		.found = count_found, .arg = &n,
	};

	(void)state;
	while (hitters_on(&h, 7))
		;
	assert_true(n <= 1000 * 2 * (1 << 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_random_against_the_definition),
		cmocka_unit_test(test_what_is_not_shown_is_below_the_threshold),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_changing_sums_end_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
