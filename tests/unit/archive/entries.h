/* Plain entries of a window, and what they say of a block: the truth that files are held against. */
#ifndef TESTS_ARCHIVE_ENTRIES_H
#define TESTS_ARCHIVE_ENTRIES_H

#include "series/tally.h"

static uint64_t random_state;
static uint64_t random_number(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33 ^ random_state << 31;
}

static int entry_order(const void *a, const void *b)
{
	const struct tally_entry *x = a, *y = b;
	int order = addr_compare(&x->block.addr, &y->block.addr);

	return order != 0 ? order : x->block.len - y->block.len;
}

static struct bounds entries_sum(const struct tally_entry *at, unsigned n, const struct cidr *block)
{
	struct bounds sum = { 0, 0 };

	for (const struct tally_entry *e = at; e < at + n; e++) {
		if (e->block.len >= block->len && cidr_contains(block, &e->block.addr))
			bounds_add(&sum, (struct bounds){ e->amount, e->amount });
		else if (e->block.len < block->len && cidr_contains(&e->block, &block->addr))
			sum.high += e->amount;
	}
	return sum;
}

#endif
