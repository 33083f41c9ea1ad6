/*
 * tally_parts - what a tally is made of: nodes of 16 branches, and buckets of up to 63 addresses.
 *
 * A key is an address as a number of so many bits as its family has. What a reference names tells
 * a block: all keys that agree with the way to it above their low `below` bits. Each branch of a
 * node says what its whole block has, whatever is kept below it. Where the reference is LOSSY the
 * two differ: less is kept, perhaps nothing, and what is missing is the rest of that block.
 *
 * For the tally's own files.
 */
#ifndef SERIES_TALLY_PARTS_H
#define SERIES_TALLY_PARTS_H

#include "series/tally.h"

typedef unsigned __int128 u128;

enum { BRANCH_BITS = 4, BRANCHES = 16, DEPTH_MAX = 32, BUCKET_MAX = 63, BUCKET_MAX_WIDE = 32 };

/* In one line each, as far as one way down needs them. */
struct node {
	u128 prefix;	/* what all keys have above shift + 4 */
	uint64_t rests; /* of the amounts, what no entry below tells */
	uint32_t units; /* of memory: of this node and all below it */
	uint32_t unused[9];
	uint32_t refs[BRANCHES];
	uint64_t amounts[BRANCHES];
};
_Static_assert(sizeof(struct node) == 256, "four lines");

/*
 * A reference: 0 for nothing; a bucket is its cell; a node is its cell in steps of 256 bytes and
 * its shift, which tells which of its lines to fetch before any of them is there.
 */
#define REF_NODE  ((uint32_t)1 << 31)
#define REF_LOSSY ((uint32_t)1 << 30)
enum { REF_SHIFT_AT = 25, NODE_STEP_LOG = 4 };
_Static_assert((STORE_LIMIT_MAX / 4 * 5 / STORE_UNIT >> NODE_STEP_LOG) < 1u << REF_SHIFT_AT,
	       "there is a reference to every cell");

static inline bool ref_is_node(uint32_t ref)
{
	return ref & REF_NODE;
}

static inline bool ref_is_lossy(uint32_t ref)
{
	return ref & REF_LOSSY;
}

/* The 4 bits that a node branches on begin so many bits from the bottom. */
static inline unsigned ref_shift(uint32_t ref)
{
	return (ref >> REF_SHIFT_AT & 31) * BRANCH_BITS;
}

static inline uint32_t ref_of_node(uint32_t cell, unsigned shift)
{
	return REF_NODE | shift / BRANCH_BITS << REF_SHIFT_AT | cell >> NODE_STEP_LOG;
}

/* Of either; 0: it names no memory. */
static inline uint32_t ref_cell(uint32_t ref)
{
	return ref_is_node(ref) ? (ref & (((uint32_t)1 << REF_SHIFT_AT) - 1)) << NODE_STEP_LOG
				: ref & ~REF_LOSSY;
}

static inline struct node *node_at(const struct tally *t, uint32_t ref)
{
	return store_at(t->store, ref_cell(ref));
}

static inline uint64_t node_sum(const struct node *n, unsigned first, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned b = first; b < first + count; b++)
		sum += n->amounts[b];
	return sum;
}

static inline unsigned branch_of(u128 key, unsigned shift)
{
	return (unsigned)(key >> shift) & (BRANCHES - 1);
}

static inline u128 above(u128 key, unsigned bits)
{
	return bits >= 128 ? 0 : key >> bits;
}

/* The last key of a block that begins with zeros. */
static inline u128 below_all(unsigned bits)
{
	return bits >= 128 ? ~(u128)0 : ((u128)1 << bits) - 1;
}

/* --- families --- */

static inline unsigned family_of(const struct addr *a)
{
	return a->family == ADDR_V4 ? 0 : 1;
}

static inline unsigned family_bits(unsigned family)
{
	return family == 0 ? 32 : 128;
}

static inline u128 key_of(const struct addr *a)
{
	return a->family == ADDR_V4 ? a->hi >> 32 : (u128)a->hi << 64 | a->lo;
}

static inline struct addr key_addr(unsigned family, u128 key)
{
	if (family == 0)
		return (struct addr){ (uint64_t)key << 32, 0, ADDR_V4 };
	return (struct addr){ (uint64_t)(key >> 64), (uint64_t)key, ADDR_V6 };
}

/* --- the way down --- */

/* One node that was passed. slot names it, and is below `below` bits. */
struct step {
	uint32_t *slot;
	struct node *node;
	uint8_t below, shift, branch;
};

struct way {
	struct step steps[DEPTH_MAX];
	unsigned depth;
	uint32_t *slot; /* where it ends: no node, or one that the key is not below */
	unsigned below;
};

static inline void way_step(struct way *w, struct node *n, unsigned shift, unsigned branch)
{
	w->steps[w->depth++] =
		(struct step){ w->slot, n, (uint8_t)w->below, (uint8_t)shift, (uint8_t)branch };
	w->slot = &n->refs[branch];
	w->below = shift;
}

/* On, from where it ends at present, as far as nodes lead; not below the low `least` bits. */
void tally_way_descend(struct way *w, const struct tally *t, u128 key, unsigned least);
/* After what was made or released at its end, since when the tally's owner had so many units. */
void tally_way_account(struct way *w, const struct tally *t, uint32_t units);
/* From the bottom up, nodes that are no longer worth it go. */
void tally_way_tidy(struct way *w, struct tally *t);

static inline struct way way_from(struct tally *t, unsigned family)
{
	struct way w;

	w.depth = 0;
	w.slot = &t->roots[family];
	w.below = family_bits(family);
	return w;
}

/* What the branch above the depth-th node says, at whose end `ref` is. */
static inline uint64_t *way_amount(struct way *w, struct tally *t, unsigned family, unsigned depth)
{
	if (depth == 0)
		return &t->sums[family];
	return &w->steps[depth - 1].node->amounts[w->steps[depth - 1].branch];
}

/* So much more that no entry tells, at the branch above the depth-th node. */
static inline void way_rest(struct way *w, unsigned depth, uint64_t change)
{
	for (unsigned i = 0; i < depth; i++)
		w->steps[i].node->rests += change;
}

/* What is kept below ref. The branch has that, and the rest. */
uint64_t tally_kept(const struct tally *t, uint32_t ref);
/* All rests at ref, whose branch has `amount`, and below it. */
uint64_t tally_rests(const struct tally *t, uint32_t ref, uint64_t amount);

/* --- buckets --- */

struct item {
	u128 key;
	uint64_t amount;
};

static inline unsigned bucket_max(unsigned below)
{
	return below > 64 ? BUCKET_MAX_WIDE : BUCKET_MAX;
}

enum bucket_news {
	BUCKET_DONE,
	BUCKET_FULL,	  /* nothing was done */
	BUCKET_NO_MEMORY, /* nothing was done */
};

/* 0: no memory, or no items. */
uint32_t tally_bucket_new(struct tally *t, unsigned below, const struct item *items, unsigned n);
void tally_bucket_free(struct tally *t, uint32_t cell); /* 0 is fine */
/* Upper bits completed from `path`; how many. */
unsigned tally_bucket_items(const struct tally *t, uint32_t cell, u128 path,
			    struct item out[BUCKET_MAX]);
/* *cell names the bucket, 0 for none yet, and may name another afterwards. */
enum bucket_news tally_bucket_add(struct tally *t, uint32_t *cell, unsigned below, u128 key,
				  uint64_t amount);
/* The same, only if the key is there, and there is room for a larger number. */
bool tally_bucket_bump(struct tally *t, uint32_t *cell, unsigned below, u128 key, uint64_t amount);
/* At most what the key has; what was taken. */
uint64_t tally_bucket_take(struct tally *t, uint32_t *cell, u128 key, uint64_t amount);
/* Of what agrees with key above its low `rest` bits. */
uint64_t tally_bucket_sum(const struct tally *t, uint32_t cell, u128 key, unsigned rest);
unsigned tally_bucket_count(const struct tally *t, uint32_t cell);

/* Its first line tells where to look in the next ones: fetch them all at once. Those of long keys
 * are longer. */
static inline void tally_bucket_prefetch(const struct tally *t, uint32_t cell, unsigned below)
{
	const unsigned char *at = store_at(t->store, cell);

	__builtin_prefetch(at);
	__builtin_prefetch(at + 64);
	if (below <= 16)
		return;
	__builtin_prefetch(at + 128);
	if (below <= 32)
		return;
	__builtin_prefetch(at + 192);
	__builtin_prefetch(at + 256);
	__builtin_prefetch(at + 320);
}

/* --- folding --- */

enum { LOSSY_MAX = 4, LOSSY_LEAST = 4 };

/* Of the bucket at *ref only the few biggest stay, the others go into the rest. Needs no memory. */
void tally_bucket_fold(struct tally *t, uint32_t *ref, unsigned below);
/* Some cells are moved to fuller chunks; how many entries that were. */
unsigned tally_pack(struct tally *t);
/* Moves the few biggest to the front; how many. */
unsigned tally_biggest(struct item *items, unsigned n);

#endif
