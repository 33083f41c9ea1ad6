/*
 * scan - which of up to 63 small numbers, side by side in memory, agree with one in certain bits.
 *
 * What a bucket does all day: finding an address is agreeing in every bit, counting a block is
 * agreeing in the bits above it and adding up what agrees. The fastest way that this processor has
 * is chosen when a tree is made; all ways answer the same.
 */
#ifndef AUDIT_SCAN_H
#define AUDIT_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum { SCAN_MAX = 63 };

/*
 * Bit i of the answer: ((number i ^ want) & care) == 0. There are n <= SCAN_MAX numbers, aligned.
 * Bytes up to 64 beyond the last may be read.
 */
typedef uint64_t scan_match(const void *numbers, unsigned n, uint64_t want, uint64_t care);

/* The sum of those of up to SCAN_MAX numbers whose bit is set. */
typedef uint64_t scan_sum(const void *numbers, uint64_t chosen);

struct scan {
	const char *name;
	scan_match *match[4]; /* of numbers of 1, 2, 4, 8 bytes */
	scan_sum *sum_1, *sum_8; /* of 1 byte, of 8 */
};

const struct scan *scan_best(void);
/* All that this processor can do, the plain one first; NULL past the last. */
const struct scan *scan_nth(unsigned nth);

#endif
