/*
 * trie - keys with weights, and the sum of the weights under any prefix.
 *
 * A counted burst trie: inner nodes of 16 branches, one for each value of 4 key bits, paths
 * without a branch left out; buckets (bucket.h) as leaves. A node knows the weight below each
 * branch, so the sum of a block is one way down to where the block ends: there, a few numbers side
 * by side in one node, or one scan of one bucket. A bucket that is full bursts into a node at the
 * first bits in which its keys differ; a node of few keys collapses into a bucket. No step moves
 * more than 63 keys.
 *
 * The caller owns the roots (uint32_t, 0: empty), holds the writers' lock where told, tells
 * readers that a root is changing, and validates what trie_weigh answered without the lock (seq.h).
 */
#ifndef AUDIT_TRIE_H
#define AUDIT_TRIE_H

#include "audit/bucket.h"

/* Under the lock. Without pairs delta is of the count alone. What changed: the sum, and so the sums
 * above it. */
uint64_t trie_add(const struct trie *t, uint32_t *root, u128 key, int64_t delta);

/* The sum of all that agrees with key above its low `rest` bits. Needs no lock. */
uint64_t trie_weigh(const struct trie *t, const uint32_t *root, u128 key, unsigned rest);

/*
 * Under the lock: the next few items of first..last in order, none when there are no more. All
 * keys of the root agree with `first` above t->below bits.
 */
unsigned trie_next(const struct trie *t, const uint32_t *root, u128 first, u128 last,
		   struct item out[BUCKET_MAX]);

#endif
