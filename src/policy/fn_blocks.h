/*
 * fn_blocks - what the address arguments of scripts mean (3.3): one block; or, for an implied /0,
 * everything of both families (D48).
 */
#ifndef POLICY_FN_BLOCKS_H
#define POLICY_FN_BLOCKS_H

#include "policy/fn.h"

struct blocks {
	struct cidr block[2];
	unsigned count;
};

enum {
	BLOCKS_MASK_IMPLIED = 32, /* where none is written; of IPv6 it means all bits (D45) */
	BLOCKS_MASK_MAX = 128,
};

/* ADDR/LEN, ADDR, /LEN of the current peer, or nothing. Fails the call. */
enum fn_status blocks_read(struct fn_call *call, const struct value *arg, struct blocks *out);

/* The current peer's, of a length that was written or defaulted (D45). NULL, or what is wrong. */
const char *blocks_implied(const struct policy_run *run, unsigned len, struct blocks *out);
void blocks_one(struct blocks *out, struct cidr block);
/* "24", "/24". NULL, or what is wrong. */
const char *blocks_mask(struct slice text, unsigned *len_out);

/* What is wrong without an address, and with a mask. */
extern const char blocks_no_peer[], blocks_no_mask[];

#endif
