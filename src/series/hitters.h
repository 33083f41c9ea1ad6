/*
 * hitters - the blocks, of whatever length, that stand out: hierarchical heavy hitters.
 *
 * A block is one of them when what it has outside of the longer ones inside it reaches a threshold.
 * So at most total / threshold are found, and any block has less than the threshold outside of what
 * was found: the parts of a sum, none of them counted twice. Where sums are lower bounds, because
 * something was folded below, both still hold: what a fold hides is found at the block of the fold.
 *
 * It goes down from a block to its halves where their sum reaches the threshold, and nowhere else,
 * so it asks for at most two sums a bit and found block; a few at a time, as its caller wants. It
 * holds one way down, nothing else. What changes meanwhile is seen as it is when it is asked for.
 */
#ifndef SERIES_HITTERS_H
#define SERIES_HITTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "series/bounds.h"

enum { HITTERS_DEPTH = 128 };

struct hitter {
	struct cidr block;
	struct bounds amount;
	uint64_t residual; /* of amount.low, outside of those found inside it */
};

typedef struct bounds hitters_sum(void *arg, const struct cidr *block);
typedef void hitters_found(void *arg, const struct hitter *h); /* the inner ones first */

struct hitters {
	struct cidr within;
	uint64_t threshold; /* > 0 */
	hitters_sum *sum;
	hitters_found *found;
	void *arg;

	/* Private: the way down. */
	bool begun, done;
	struct addr at;
	unsigned depth;
	struct hitters_level {
		struct bounds amount;
		uint64_t covered; /* by those found inside */
		uint8_t halves;	  /* that were looked at */
	} levels[HITTERS_DEPTH + 1];
};

/* What is not private is filled in, the rest zeroed. Asks for up to so many sums. true: there is
 * more to do. */
bool hitters_on(struct hitters *h, unsigned sums);

#endif
