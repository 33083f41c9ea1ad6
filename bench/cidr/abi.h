/*
 * abi - what a counting structure exports to be measured beside others.
 *
 * An address is 128 bits in two host-order words; IPv4 stands in the top 32 bits of hi, lo is 0.
 * cc_caps says which families and which prefix lengths it can answer.
 */
#ifndef BENCH_CIDR_ABI_H
#define BENCH_CIDR_ABI_H

#include <stdint.h>

enum {
	CC_V4 = 1,
	CC_V6 = 2,
	CC_ANY = 4,	/* any prefix length */
	CC_SLOWANY = 8, /* any, but by walking */
};
#define CC_NA UINT64_MAX /* a count that it cannot tell */

extern const unsigned cc_caps;

void *cc_new(int family); /* 4 or 6 */
void cc_free(void *counter);
void cc_enter(void *counter, uint64_t hi, uint64_t lo);
void cc_leave(void *counter, uint64_t hi, uint64_t lo);
uint64_t cc_count(void *counter, uint64_t hi, uint64_t lo, unsigned len);
void cc_trim(void *counter); /* spare memory back to the system */

#endif
