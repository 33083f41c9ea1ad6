#include "audit/trie.h"

#include <stdlib.h>

#include "audit/seq.h"
#include "base/check.h"

/*
 * The 4 key bits that a node branches on begin `shift` bits from the bottom. The shift is told by
 * the reference to the node, so that the right one of its lines can be fetched at once.
 */
struct node {
	uint64_t prefix_hi, prefix_lo; /* what all keys have above shift + 4 */
	uint64_t unused[6];
	uint32_t refs[16];
	uint64_t weights[16];
};

enum { NODE_SIZE = 256, BRANCH_BITS = 4, DEPTH_MAX = 32 };
_Static_assert(sizeof(struct node) == NODE_SIZE, "four cache lines");

/* A reference: a bucket is its unit; a node is the flag, the shift / 4, and its unit in steps of 64
 * bytes. */
enum { NODE_BIT = 1u << 31, NODE_SHIFT_AT = 24, NODE_UNITS_LOG = 2 };

static inline bool is_node(uint32_t ref)
{
	return ref >> 31;
}

static inline unsigned shift_of(uint32_t ref)
{
	return (ref >> NODE_SHIFT_AT & 31) * BRANCH_BITS;
}

static inline uint32_t node_unit(uint32_t ref)
{
	return (ref & ((1u << NODE_SHIFT_AT) - 1)) << NODE_UNITS_LOG;
}

static inline struct node *node_at(const struct trie *t, uint32_t ref)
{
	return region_at(t->region, node_unit(ref));
}

static inline unsigned branch_of(u128 key, unsigned shift)
{
	uint64_t half = (uint64_t)(shift >= 64 ? key >> 64 : key);

	return (unsigned)(half >> shift % 64) & 15;
}

static inline u128 above(u128 key, unsigned bits)
{
	return bits >= 128 ? 0 : key >> bits;
}

static inline u128 node_prefix(const struct node *n)
{
	return (u128)LOOK(&n->prefix_hi) << 64 | LOOK(&n->prefix_lo);
}

static unsigned highest_bit(u128 x)
{
	uint64_t hi = (uint64_t)(x >> 64), lo = (uint64_t)x;

	return hi ? 127u - (unsigned)__builtin_clzll(hi) : 63u - (unsigned)__builtin_clzll(lo);
}

/* An empty node on the way of key, branching where the bits of `differ` begin. */
static uint32_t node_new(const struct trie *t, u128 key, u128 differ)
{
	unsigned shift = highest_bit(differ) / BRANCH_BITS * BRANCH_BITS;
	u128 prefix = shift + BRANCH_BITS == 128
			      ? 0
			      : key >> (shift + BRANCH_BITS) << (shift + BRANCH_BITS);
	uint32_t unit = region_alloc(t->region, t->arena, region_class(NODE_SIZE));
	struct node *n = region_at(t->region, unit);

	PUT(&n->prefix_hi, (uint64_t)(prefix >> 64));
	PUT(&n->prefix_lo, (uint64_t)prefix);
	for (unsigned i = 0; i < 16; i++) {
		PUT(&n->refs[i], 0);
		PUT(&n->weights[i], 0);
	}
	return NODE_BIT | shift / BRANCH_BITS << NODE_SHIFT_AT | unit >> NODE_UNITS_LOG;
}

static void node_free(const struct trie *t, uint32_t ref)
{
	region_release(t->region, node_unit(ref));
}

static void node_count(struct node *n, unsigned branch, uint64_t change)
{
	PUT(&n->weights[branch], n->weights[branch] + change);
}

static inline uint64_t node_sum(const struct node *n, unsigned first, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned b = first; b < first + count; b++)
		sum += LOOK(&n->weights[b]);
	return sum;
}

/* A node above the one at *slot, where key leaves its path. */
static void split(const struct trie *t, uint32_t *slot, u128 key)
{
	uint32_t old = *slot, ref;
	const struct node *below = node_at(t, old);
	u128 prefix = node_prefix(below), apart = (key ^ prefix) >> (shift_of(old) + BRANCH_BITS);
	struct node *n;
	unsigned branch;

	ref = node_new(t, key, apart << (shift_of(old) + BRANCH_BITS));
	n = node_at(t, ref);
	branch = branch_of(prefix, shift_of(ref));
	PUT(&n->refs[branch], old);
	node_count(n, branch, node_sum(below, 0, 16));
	PUT(slot, ref);
}

/* The bucket at *slot becomes a node with a bucket at each branch. */
static void burst(const struct trie *t, uint32_t *slot, u128 key)
{
	struct item items[BUCKET_MAX], sorted[BUCKET_MAX];
	unsigned starts[17] = { 0 }, at[16], n = bucket_items(t, *slot, key, items), shift;
	uint32_t old = *slot, ref;
	u128 differ = 0;
	struct node *node;

	for (unsigned i = 1; i < n; i++)
		differ |= items[i].key ^ items[0].key;
	ref = node_new(t, items[0].key, differ);
	node = node_at(t, ref);
	shift = shift_of(ref);
	for (unsigned i = 0; i < n; i++)
		starts[branch_of(items[i].key, shift) + 1]++;
	for (unsigned b = 0; b < 16; b++) {
		at[b] = starts[b];
		starts[b + 1] += starts[b];
	}
	for (unsigned i = 0; i < n; i++)
		sorted[at[branch_of(items[i].key, shift)]++] = items[i];
	for (unsigned b = 0; b < 16; b++) {
		unsigned count = starts[b + 1] - starts[b];

		if (count == 0)
			continue;
		for (unsigned i = starts[b]; i < starts[b + 1]; i++)
			node_count(node, b, sorted[i].weight);
		PUT(&node->refs[b], bucket_new(t, shift, sorted + starts[b], count));
	}
	PUT(slot, ref);
	region_release(t->region, old);
}

/* The node at *slot, all of whose branches are buckets, becomes one bucket. */
static void collapse(const struct trie *t, uint32_t *slot, unsigned below)
{
	struct item items[BUCKET_MAX];
	uint32_t old = *slot;
	const struct node *node = node_at(t, old);
	unsigned n = 0;


	for (unsigned b = 0; b < 16; b++) {
		uint32_t ref = node->refs[b];

		if (ref == 0)
			continue;
		CHECK(!is_node(ref)); /* a node below has more items than may collapse here */
		n += bucket_items(t, ref, node_prefix(node) | (u128)b << shift_of(old), items + n);
		region_release(t->region, ref);
	}
	PUT(slot, bucket_new(t, below, items, n));
	node_free(t, old);
}

/* The only branch of a node, if that is a node too; else 0. */
static uint32_t lone_node(const struct node *n)
{
	uint32_t found = 0;

	for (unsigned b = 0; b < 16; b++) {
		if (n->refs[b] == 0)
			continue;
		if (found != 0 || !is_node(n->refs[b]))
			return 0;
		found = n->refs[b];
	}
	return found;
}

/* One on the way down. */
struct step {
	uint32_t *slot; /* that names the node */
	unsigned below; /* of the slot */
	unsigned branch;
	struct node *node;
};

/*
 * After a key vanished from a bucket of the last node. The different addresses below are at
 * least as many as the keys, so what collapses fits, and with it any node below would have.
 */
static void tidy(const struct trie *t, const struct step *last, bool branch_went)
{
	unsigned few = bucket_max(last->below) / 2;
	uint32_t lone;

	if (node_sum(last->node, last->branch & 8, 8) >> 32 <= few &&
	    node_sum(last->node, 0, 16) >> 32 <= few) {
		collapse(t, last->slot, last->below);
	} else if (branch_went && (lone = lone_node(last->node)) != 0) {
		node_free(t, *last->slot);
		PUT(last->slot, lone);
	}
}

static inline uint64_t change_of(const struct trie *t, enum bucket_news news, int64_t delta)
{
	uint64_t change = (uint64_t)delta;

	if (t->pairs || news == BUCKET_CHANGED)
		return change;
	return news == BUCKET_APPEARED ? change + weight(1, 0) : change - weight(1, 0);
}

static uint64_t add_below(const struct trie *t, uint32_t *root, u128 key, int64_t delta)
{
	struct step way[DEPTH_MAX];
	unsigned depth = 0, below = t->below;
	enum bucket_news news;
	uint32_t *slot = root;
	uint64_t change;

	for (;;) {
		while (is_node(*slot)) {
			struct node *n = node_at(t, *slot);
			unsigned shift = shift_of(*slot), branch = branch_of(key, shift);

			/* a node right below its parent cannot be off the way: spare its prefix's
			 * line */
			if (shift + BRANCH_BITS != below &&
			    above(key ^ node_prefix(n), shift + BRANCH_BITS) != 0) {
				split(t, slot, key);
				continue;
			}
			__builtin_prefetch(&n->weights[branch], 1);
			way[depth++] = (struct step){ slot, below, branch, n };
			slot = &n->refs[branch];
			below = shift;
		}
		bucket_prefetch(t, *slot);
		news = bucket_add(t, slot, below, key, delta);
		if (news != BUCKET_FULL)
			break;
		burst(t, slot, key);
	}
	change = change_of(t, news, delta);
	for (unsigned i = 0; i < depth; i++)
		node_count(way[i].node, way[i].branch, change);
	if (news == BUCKET_VANISHED && depth > 0)
		tidy(t, &way[depth - 1], *slot == 0);
	return change;
}

uint64_t trie_add(const struct trie *t, uint32_t *root, u128 key, int64_t delta)
{
	enum bucket_news news;

	if (!is_node(*root)) {
		if (t->pairs && *root != 0 && bucket_bump(t, *root, (uint64_t)key, delta))
			return (uint64_t)delta;
		news = bucket_add(t, root, t->below, key, delta);
		if (news != BUCKET_FULL)
			return change_of(t, news, delta);
	}
	return add_below(t, root, key, delta);
}

static uint64_t weigh_below(const struct trie *t, uint32_t ref, u128 key, unsigned rest)
{
	unsigned below = 128 + BRANCH_BITS;

	do {
		const struct node *n = node_at(t, ref);
		unsigned shift = shift_of(ref), branch = branch_of(key, shift);

		if (shift >= below) /* torn: whatever we answer will not be believed */
			return 0;
		if (shift + BRANCH_BITS != below) {
			u128 apart = key ^ node_prefix(n);

			if (rest >= shift + BRANCH_BITS)
				return above(apart, rest) == 0 ? node_sum(n, 0, 16) : 0;
			if (above(apart, shift + BRANCH_BITS) != 0)
				return 0;
		}
		if (rest >= shift) {
			unsigned width = 1u << (rest - shift);

			return node_sum(n, branch & ~(width - 1), width);
		}
		ref = LOOK(&n->refs[branch]);
		below = shift;
	} while (is_node(ref));
	if (ref == 0)
		return 0;
	bucket_prefetch(t, ref);
	return bucket_weigh(t, ref, key, rest);
}

uint64_t trie_weigh(const struct trie *t, const uint32_t *root, u128 key, unsigned rest)
{
	uint32_t ref = LOOK(root);

	if (ref == 0)
		return 0;
	return is_node(ref) ? weigh_below(t, ref, key, rest) : bucket_weigh(t, ref, key, rest);
}

static int by_key(const void *a, const void *b)
{
	u128 x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;

	return x < y ? -1 : x > y;
}

static unsigned next_of_bucket(const struct trie *t, uint32_t ref, u128 path, u128 first, u128 last,
			       struct item out[BUCKET_MAX])
{
	unsigned all = bucket_items(t, ref, path, out), n = 0;

	for (unsigned i = 0; i < all; i++)
		if (out[i].key >= first && out[i].key <= last)
			out[n++] = out[i];
	qsort(out, n, sizeof *out, by_key);
	return n;
}

/* path: any key below ref, as far as it is known. Every level has a smaller shift, so at most 32
 * deep. */
static unsigned next_below(const struct trie *t, uint32_t ref, u128 path, u128 first, u128 last,
			   struct item out[BUCKET_MAX])
{
	const struct node *n = node_at(t, ref);
	unsigned shift = shift_of(ref), found = 0;

	if (ref == 0)
		return 0;
	if (!is_node(ref))
		return next_of_bucket(t, ref, path, first, last, out);
	for (unsigned b = 0; b < 16 && found == 0; b++) {
		u128 low = node_prefix(n) | (u128)b << shift, high = low | (((u128)1 << shift) - 1);

		if (n->refs[b] != 0 && high >= first && low <= last)
			found = next_below(t, n->refs[b], low, first, last, out);
	}
	return found;
}

unsigned trie_next(const struct trie *t, const uint32_t *root, u128 first, u128 last,
		   struct item out[BUCKET_MAX])
{
	return next_below(t, *root, first, first, last, out);
}
