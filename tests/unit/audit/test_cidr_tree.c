/* The tree against an oracle (T8 at quiet points), its order of walking, and its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "audit/cidr_tree.h"
#include "oracle.h"

enum { POOL = 6000, STEPS = 24000 };

static void ask(struct cidr_tree *tree, const struct oracle *oracle, const struct cidr *block,
		const char *kind)
{
	struct counts want = oracle_ask(oracle, block);
	uint64_t count = cidr_tree_count(tree, block), distinct = cidr_tree_distinct(tree, block);
	char text[CIDR_TEXT_MAX];

	if (count != want.count || distinct != want.distinct)
		fail_msg("%s: %s has %lu sessions of %lu addresses, want %lu of %lu", kind,
			 cidr_print(block, text), (unsigned long)count, (unsigned long)distinct,
			 (unsigned long)want.count, (unsigned long)want.distinct);
}

static void ask_every_length(struct cidr_tree *tree, const struct oracle *oracle,
			     const struct addr *addr, const char *kind)
{
	for (unsigned len = 0; len <= addr_bits(addr); len++) {
		struct cidr block = cidr_of(addr, len);

		ask(tree, oracle, &block, kind);
	}
}

/*
 * Tides: mostly entering, then mostly leaving, three times over, so that nodes burst and collapse.
 * Every session in the pool is one enter; an address may have several.
 */
static void follow(unsigned kind)
{
	struct random r = { 0x9e3779b97f4a7c15 + kind };
	struct addr *pool = mem_array(POOL, sizeof *pool);
	struct cidr_tree *tree = cidr_tree_new(address_kinds[kind].family);
	const char *name = address_kinds[kind].name;
	struct oracle oracle;
	unsigned live = 0;

	oracle_init(&oracle, POOL);
	for (unsigned step = 0; step < STEPS; step++) {
		bool flood = step / (STEPS / 6) % 2 == 0;

		if (live < POOL && (live == 0 || random_below(&r, 10) < (flood ? 8 : 2))) {
			pool[live] = random_below(&r, 6) == 0 && live > 0
					     ? pool[random_below(&r, live)]
					     : address_kinds[kind].next(&r);
			cidr_tree_enter(tree, &pool[live]);
			oracle_add(&oracle, &pool[live++], 1);
		} else {
			unsigned i = (unsigned)random_below(&r, live);

			cidr_tree_leave(tree, &pool[i]);
			oracle_add(&oracle, &pool[i], -1);
			pool[i] = pool[--live];
		}
		if (step % 16 == 0) {
			struct addr any = random_below(&r, 2) && live > 0
						  ? pool[random_below(&r, live)]
						  : address_kinds[kind].next(&r);
			struct cidr block =
				cidr_of(&any, (unsigned)random_below(&r, addr_bits(&any) + 1));

			ask(tree, &oracle, &block, name);
		}
		if (step % 1024 == 0 && live > 0)
			ask_every_length(tree, &oracle, &pool[random_below(&r, live)], name);
	}
	while (live > 0) {
		struct addr last = pool[--live];

		cidr_tree_leave(tree, &last);
		oracle_add(&oracle, &last, -1);
		if (live % 64 == 0)
			ask_every_length(tree, &oracle, &last, name);
	}
	cidr_tree_free(tree);
	free(oracle.list);
	free(pool);
}

static void test_every_prefix_equals_the_oracle_T8(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++)
		follow(kind);
}

/* The counts of an address need 0, 1, 2, then 4 bytes, and its neighbours' with it. */
static void test_an_address_with_many_sessions(void **state)
{
	struct cidr_tree *tree = cidr_tree_new(ADDR_V4);
	struct addr hot = v4(0x7f000001);
	struct cidr block = cidr_of(&hot, 24);

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct addr neighbour = v4(0x7f000000 | (i + 2));

		cidr_tree_enter(tree, &neighbour);
	}
	for (unsigned n = 1; n <= 70000; n++) {
		cidr_tree_enter(tree, &hot);
		if (n < 600 || n % 1000 == 0)
			assert_int_equal(cidr_tree_count(tree, &block), 40 + n);
	}
	assert_int_equal(cidr_tree_distinct(tree, &block), 41);
	for (unsigned n = 70000; n > 0; n--)
		cidr_tree_leave(tree, &hot);
	assert_int_equal(cidr_tree_count(tree, &block), 40);
	assert_int_equal(cidr_tree_distinct(tree, &block), 40);
	cidr_tree_free(tree);
}

static void test_the_edges_of_address_space(void **state)
{
	static const struct {
		const char *name;
		struct addr addr;
	} edges[] = {
		{ "first v4", { 0, 0, ADDR_V4 } },
		{ "last v4", { 0xffffffff00000000, 0, ADDR_V4 } },
		{ "first v6", { 0, 0, ADDR_V6 } },
		{ "last v6", { UINT64_MAX, UINT64_MAX, ADDR_V6 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof edges / sizeof *edges; i++) {
		struct cidr_tree *tree = cidr_tree_new(edges[i].addr.family);

		assert_int_equal(cidr_tree_family(tree), edges[i].addr.family);
		cidr_tree_enter(tree, &edges[i].addr);
		for (unsigned len = 0; len <= addr_bits(&edges[i].addr); len++) {
			struct cidr block = cidr_of(&edges[i].addr, len);

			if (cidr_tree_count(tree, &block) != 1 ||
			    cidr_tree_distinct(tree, &block) != 1)
				fail_msg("%s: not found in its /%u", edges[i].name, len);
		}
		cidr_tree_leave(tree, &edges[i].addr);
		cidr_tree_free(tree);
	}
}

struct seen {
	const struct oracle *oracle;
	const struct cidr *block;
	unsigned next; /* in the oracle */
	unsigned stop_after;
	unsigned visited;
};

static bool see(void *arg, const struct addr *addr, uint32_t count)
{
	struct seen *s = arg;

	while (s->next < s->oracle->used &&
	       !cidr_contains(s->block, &s->oracle->list[s->next].addr))
		s->next++;
	assert_true(s->next < s->oracle->used);
	assert_true(addr_equal(addr, &s->oracle->list[s->next].addr));
	assert_int_equal(count, s->oracle->list[s->next].count);
	s->next++;
	return ++s->visited != s->stop_after;
}

static void test_walk_is_in_order_and_complete(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct random r = { 77 + kind };
		struct cidr_tree *tree = cidr_tree_new(address_kinds[kind].family);
		struct oracle oracle;

		oracle_init(&oracle, 3000);
		for (unsigned i = 0; i < 3000; i++) {
			struct addr a = address_kinds[kind].next(&r);

			cidr_tree_enter(tree, &a);
			oracle_add(&oracle, &a, 1);
		}
		oracle_sort(&oracle);
		for (unsigned len = 0; len <= addr_bits(&oracle.list[0].addr); len += 4) {
			struct cidr block =
				cidr_of(&oracle.list[random_below(&r, oracle.used)].addr, len);
			struct seen all = { .oracle = &oracle, .block = &block }, some = all;

			cidr_tree_walk(tree, &block, see, &all);
			assert_int_equal(all.visited, oracle_ask(&oracle, &block).distinct);
			some.stop_after = 1;
			cidr_tree_walk(tree, &block, see, &some);
			assert_int_equal(some.visited, 1);
		}
		cidr_tree_free(tree);
		free(oracle.list);
	}
}

static void test_memory_follows_what_is_live(void **state)
{
	enum { MANY = 200000, MIB = 1 << 20 };

	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++) {
		struct random r = { 5 }, again = r;
		struct cidr_tree *tree = cidr_tree_new(address_kinds[kind].family);
		size_t empty = cidr_tree_bytes(tree), full;

		assert_true(empty <= MIB);
		for (unsigned i = 0; i < MANY; i++) {
			struct addr a = address_kinds[kind].next(&r);

			cidr_tree_enter(tree, &a);
		}
		full = cidr_tree_bytes(tree);
		if (full > empty + (size_t)MANY * 75)
			fail_msg("%s: %zu bytes", address_kinds[kind].name, full);
		for (unsigned i = 0; i < MANY; i++) {
			struct addr a = address_kinds[kind].next(&again);

			cidr_tree_leave(tree, &a);
		}
		assert_true(cidr_tree_bytes(tree) <= empty + MIB); /* without being asked */
		cidr_tree_trim(tree);
		assert_int_equal(cidr_tree_bytes(tree), empty);
		cidr_tree_free(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_prefix_equals_the_oracle_T8),
		cmocka_unit_test(test_an_address_with_many_sessions),
		cmocka_unit_test(test_the_edges_of_address_space),
		cmocka_unit_test(test_walk_is_in_order_and_complete),
		cmocka_unit_test(test_memory_follows_what_is_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
