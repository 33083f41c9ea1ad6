/*
 * bucket - a leaf of the trie: up to 63 keys that share their upper bits, each with a weight.
 *
 * A key is up to 128 bits, right-aligned; `below` says how many of its low bits are not told by
 * the way to the bucket. Of each key the bucket keeps only the low bytes that hold those, in as
 * few bytes (1, 2, 4, 8, 16) as they take, side by side and in no order, so that one comparison of
 * vectors finds a key or all keys of a block. The weights stand behind them.
 *
 * A weight is two numbers in one word, so that sums of weights are sums of both: how many are
 * here (low half) and how many different ones (high half). Most addresses are here once; a bucket
 * where all are keeps no weights at all, others keep the low half in 1, 2 or 4 bytes. A trie of
 * `pairs` keeps whole weights.
 *
 * A bucket that is full, far too empty, or has too narrow weights moves to another cell. Weights
 * narrow again only when a burst or a collapse makes the bucket anew.
 */
#ifndef AUDIT_BUCKET_H
#define AUDIT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/region.h"
#include "audit/scan.h"

typedef unsigned __int128 u128;

static inline uint64_t weight(uint64_t different, uint64_t count)
{
	return different << 32 | count;
}

/* What the buckets of one trie have in common. Borrowed by all calls. */
struct trie {
	struct region *region;
	const struct scan *scan;
	uint8_t arena; /* of its cells */
	uint8_t below; /* of its roots */
	bool pairs;
	uint8_t *hints; /* of pairs, HINTS of them: where in its bucket a key like this was last */
};

enum { HINTS = 256 };

enum { BUCKET_MAX = SCAN_MAX, BUCKET_MAX_WIDE = 32 };

/* How many keys fit: fewer of those that take 16 bytes. */
static inline unsigned bucket_max(unsigned below)
{
	return below > 64 ? BUCKET_MAX_WIDE : BUCKET_MAX;
}

struct item {
	u128 key;
	uint64_t weight;
};

enum bucket_news {
	BUCKET_CHANGED,
	BUCKET_APPEARED, /* the key was not there before */
	BUCKET_VANISHED, /* its weight is 0: it is gone */
	BUCKET_FULL,	 /* nothing was done */
};

/* Its first line tells where to look in the next ones: fetch them all at once. */
static inline void bucket_prefetch(const struct trie *t, uint32_t ref)
{
	const unsigned char *at = region_at(t->region, ref);

	__builtin_prefetch(at + 64);
	__builtin_prefetch(at + 128);
}

/*
 * Add to a key's weight; *ref names the bucket, 0 for none yet, and may name another afterwards.
 * Without pairs, delta is of the count alone. For the holder of the writers' lock.
 */
enum bucket_news bucket_add(const struct trie *t, uint32_t *ref, unsigned below, u128 key,
			    int64_t delta);

/*
 * The same, of pairs, if the key is where it was last and stays; else false, and nothing was done.
 * Of a few busy keys nearly all additions are such.
 */
bool bucket_bump(const struct trie *t, uint32_t ref, uint64_t key, int64_t delta);

/* The sum of what agrees with key above its low `rest` bits. Safe on a bucket that is changing or
 * gone. */
uint64_t bucket_weigh(const struct trie *t, uint32_t ref, u128 key, unsigned rest);

/* For the holder of the lock: the contents, upper bits completed from `key`; how many. */
unsigned bucket_items(const struct trie *t, uint32_t ref, u128 key, struct item out[BUCKET_MAX]);
uint32_t bucket_new(const struct trie *t, unsigned below, const struct item *items, unsigned n);

#endif
