/*
 * bounds - an amount that is known to lie between two numbers, both included. Exact when they are
 * the same, which they are wherever nothing was folded (tally.h).
 */
#ifndef SERIES_BOUNDS_H
#define SERIES_BOUNDS_H

#include <stdint.h>

struct bounds {
	uint64_t low, high;
};

/* No sum of a window passes this; sums over windows stop at it. */
#define AMOUNT_MAX ((uint64_t)INT64_MAX)

static inline uint64_t amount_plus(uint64_t a, uint64_t b)
{
	return a > AMOUNT_MAX - b ? AMOUNT_MAX : a + b;
}

static inline void bounds_add(struct bounds *to, struct bounds more)
{
	to->low = amount_plus(to->low, more.low);
	to->high = amount_plus(to->high, more.high);
}

#endif
