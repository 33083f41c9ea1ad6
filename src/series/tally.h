/*
 * tally - amounts by address in one window, and their sum under any prefix, in bounded memory.
 *
 * A counted burst trie of either family, as audit/trie.h, but with what a window of history needs
 * instead: amounts of 64 bits, one lock around all of it (its caller's), limited memory,
 * and folding. Where memory runs short a node and the buckets below it are folded: the few biggest
 * addresses stay, of the others only their sum remains, in the branch above. So every prefix that
 * ends above a fold is exact as before; of one below it the answer is what is known there, and at
 * most that and the rest of the fold more. One rule tells the rest at any branch: what the branch
 * says, less what is known below it.
 *
 * Windows share their series' store; a chunk of it belongs to one tally, so dropping a whole window
 * is giving back chunks, whatever is in them. No roots are laid out beforehand: an empty tally has
 * no memory.
 *
 * Nothing here locks, reads a clock or fails for want of memory: what finds none is left to a rest,
 * and nothing that is known gives way to it but in tally_fold.
 */
#ifndef SERIES_TALLY_H
#define SERIES_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "series/bounds.h"
#include "series/store.h"

enum { TALLY_FAMILIES = 2 };

/* Zeroed but for store: an empty one. Plain to move while empty. */
struct tally {
	struct store *store; /* borrowed */
	uint32_t roots[TALLY_FAMILIES];
	uint64_t sums[TALLY_FAMILIES];
	bool is_folded;	 /* something in it is not exact any more */
	bool is_packing; /* memory is being put together, and folding waits its turn */
	struct addr packed; /* so far; ADDR_NONE: from the start */
	struct store_owner owner;
};

/* false: the sum would pass AMOUNT_MAX, and nothing was done. amount > 0. */
bool tally_add(struct tally *t, const struct addr *addr, uint64_t amount)
	__attribute__((warn_unused_result));
/* Take away at most this; below a fold, of what is known first, then of the rest. What was taken.
 * An address that has nothing left is gone (D58). */
uint64_t tally_take(struct tally *t, const struct addr *addr, uint64_t amount);
/* An address and its amount; or, where len is shorter, the rest of the fold at that block. */
struct tally_entry {
	struct cidr block;
	uint64_t amount;
};

/*
 * What tally_next gave comes back, on top of what is there: an address, which is told apart even
 * below a fold; or a rest, more of nobody knows who in the block (or, its length being no multiple
 * of 4, in the next larger one that is). false: as tally_add.
 */
bool tally_load(struct tally *t, const struct tally_entry *entry)
	__attribute__((warn_unused_result));

struct bounds tally_sum(const struct tally *t, const struct cidr *block);
/* The sums of the same block in n of them, added up: the ways down go side by side, so that their
 * waits for memory overlap. */
struct bounds tally_sum_of(const struct tally *const *tallies, unsigned n,
			   const struct cidr *block);

enum { TALLY_TURN = 64 };

/*
 * The next few entries of first..last (of one family) in address order, and where to go on; a rest
 * comes before the addresses in its block, and is told where all of its block is asked for. Give
 * back *first as it was left; 0: no more. A walk that must see everything once keeps it from being
 * folded meanwhile.
 */
unsigned tally_next(const struct tally *t, struct addr *first, const struct addr *last,
		    struct tally_entry out[TALLY_TURN]);

/*
 * One step towards less memory: put together what lies scattered over half-empty chunks, or fold
 * the place that costs the most for what it tells. How many entries were moved, at most
 * FOLD_MOVES_MAX; 0: nothing is left to fold.
 */
enum { FOLD_MOVES_MAX = 1024 };
unsigned tally_fold(struct tally *t);

/* Empty it at once; the memory goes back to the store in turns (store_drop_some). */
void tally_clear(struct tally *t);

#endif
