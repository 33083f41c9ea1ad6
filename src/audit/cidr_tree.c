/*
 * The tree is many small tries (trie.h) behind many locks (seq.h).
 *
 * IPv4: a root for each /16, a lock and a sum for each /8, a sum for each /12. A block of /16 or
 * longer is one way down one root; a /8 or shorter adds up the sums; what lies between adds up
 * roots.
 *
 * IPv6: the /48 of an address chooses one of 4096 roots by its hash, so that neighbours spread,
 * and those share 16 locks. What lies above /48 is in one more trie behind each lock, the upper
 * one: there, the keys are /48s and the weights what is inside them. A short block adds up what
 * the 16 say; an update goes to one of them, so no word in memory sees all updates.
 *
 * All sums are of words that belong to certain addresses, never to a thread. So each word's part
 * of a sum is right at the moment it is read, which is what makes short blocks keep T8.
 *
 * Lock order: shard, arena, region.
 */
#include "audit/cidr_tree.h"

#include "audit/seq.h"
#include "audit/trie.h"
#include "base/check.h"

enum {
	V4_SHARDS = 256,
	V6_SHARDS = 16,
	V4_SUMS = 1 << 12,
	V4_ROOTS = 1 << CIDR_TREE_KEY_V4,
	V6_ROOTS = 4096,
	V4_BITS = 32,
	V4_BELOW = V4_BITS - CIDR_TREE_KEY_V4,
	V4_SUM_BELOW = V4_BITS - 12,
	V4_SHARD_BELOW = V4_BITS - 8,
	V6_BITS = 128,
	V6_BELOW = V6_BITS - CIDR_TREE_KEY_V6,
	LOOKS = 16, /* at a thing that is changing, before a reader takes the lock to see it */
};

struct shard {
	uint32_t lock;
	uint32_t version; /* IPv4: of its roots; IPv6: of upper */
	uint32_t upper;	  /* IPv6: root of the trie of its /48s */
	uint64_t sum;	  /* IPv4: of its /8 */
};

struct cidr_tree {
	struct region region; /* first: the tree lies in its own memory */
	enum addr_family family;
	struct trie tries[REGION_ARENAS]; /* of addresses; shard i is in the i-th, modulo */
	struct trie uppers[V6_SHARDS];	  /* of /48s */
	struct shard shards[V4_SHARDS];
	/* Pages of zeros until touched: */
	uint64_t sums[V4_SUMS];	     /* IPv4: of its /12s */
	uint32_t versions[V6_ROOTS]; /* IPv6: of its roots */
	uint8_t hints[V6_SHARDS][HINTS];
	uint32_t roots[];	     /* V4_ROOTS or V6_ROOTS */
};

struct cidr_tree *cidr_tree_new(enum addr_family family)
{
	size_t roots = family == ADDR_V4 ? V4_ROOTS : V6_ROOTS;
	struct cidr_tree *t = (void *)region_new(sizeof *t + roots * sizeof t->roots[0]);

	t->family = family;
	for (unsigned i = 0; i < REGION_ARENAS; i++)
		t->tries[i] = (struct trie){
			.region = &t->region,
			.scan = scan_best(),
			.arena = (uint8_t)i,
			.below = family == ADDR_V4 ? V4_BELOW : V6_BITS,
		};
	for (unsigned i = 0; i < V6_SHARDS; i++)
		t->uppers[i] = (struct trie){
			.region = &t->region,
			.scan = scan_best(),
			.arena = (uint8_t)i,
			.below = CIDR_TREE_KEY_V6,
			.pairs = true,
			.hints = t->hints[i],
		};
	return t;
}

void cidr_tree_free(struct cidr_tree *t)
{
	if (t != NULL)
		region_free(&t->region);
}

enum addr_family cidr_tree_family(const struct cidr_tree *t)
{
	return t->family;
}

/* Keys are right-aligned: 32, 128, or for the upper tries 48 bits. */
static u128 key_of(const struct addr *a)
{
	return a->family == ADDR_V4 ? a->hi >> 32 : (u128)a->hi << 64 | a->lo;
}

static struct addr addr_of(enum addr_family family, u128 key)
{
	if (family == ADDR_V4)
		return (struct addr){ (uint64_t)key << 32, 0, ADDR_V4 };
	return (struct addr){ (uint64_t)(key >> 64), (uint64_t)key, ADDR_V6 };
}

/* A root, and what guards it. */
struct place {
	const struct trie *trie;
	uint32_t *lock, *version, *root;
};

static inline struct place place_v4(struct cidr_tree *t, uint32_t key)
{
	unsigned shard = key >> V4_SHARD_BELOW;
	struct shard *s = &t->shards[shard];

	return (struct place){ &t->tries[shard % REGION_ARENAS], &s->lock, &s->version,
			       &t->roots[key >> V4_BELOW] };
}

static inline unsigned hash_v6(u128 key)
{
	return (unsigned)((uint64_t)(key >> V6_BELOW) * 0x9e3779b97f4a7c15u >> 52);
}

static inline unsigned shard_v6(unsigned hash)
{
	return hash % V6_SHARDS;
}

static inline struct place place_v6(struct cidr_tree *t, unsigned hash)
{
	unsigned shard = shard_v6(hash);

	return (struct place){ &t->tries[shard], &t->shards[shard].lock, &t->versions[hash],
			       &t->roots[hash] };
}

static inline struct place place_upper(struct cidr_tree *t, unsigned shard)
{
	struct shard *s = &t->shards[shard];

	return (struct place){ &t->uppers[shard], &s->lock, &s->version, &s->upper };
}

static inline uint64_t add_at(const struct place *p, u128 key, int64_t delta)
{
	uint64_t change;

	seq_change(p->version);
	change = trie_add(p->trie, p->root, key, delta);
	seq_changed(p->version);
	return change;
}

static void add_v4(struct cidr_tree *t, uint32_t key, int64_t delta)
{
	struct place p = place_v4(t, key);
	uint64_t *slash_8 = &t->shards[key >> V4_SHARD_BELOW].sum,
		 *slash_12 = &t->sums[key >> V4_SUM_BELOW];
	uint64_t change;

	seq_lock(p.lock);
	change = add_at(&p, key, delta);
	PUT(slash_8, *slash_8 + change);
	PUT(slash_12, *slash_12 + change);
	seq_unlock(p.lock);
}

static void add_v6(struct cidr_tree *t, u128 key, int64_t delta)
{
	unsigned hash = hash_v6(key);
	struct place p = place_v6(t, hash), upper = place_upper(t, shard_v6(hash));
	uint64_t change;

	seq_lock(p.lock);
	change = add_at(&p, key, delta);
	add_at(&upper, key >> V6_BELOW, (int64_t)change);
	seq_unlock(p.lock);
}

static void add(struct cidr_tree *t, const struct addr *addr, int64_t delta)
{
	CHECK(addr->family == t->family);
	if (t->family == ADDR_V4)
		add_v4(t, (uint32_t)(addr->hi >> 32), delta);
	else
		add_v6(t, key_of(addr), delta);
}

void cidr_tree_enter(struct cidr_tree *t, const struct addr *addr)
{
	add(t, addr, 1);
}

void cidr_tree_leave(struct cidr_tree *t, const struct addr *addr)
{
	add(t, addr, -1);
}

/* trie_weigh, as it was at one moment. */
static inline uint64_t weigh_at(const struct place *p, u128 key, unsigned rest)
{
	uint64_t sum;

	for (unsigned look = 0; look < LOOKS; look++) {
		uint32_t begun = seq_begin(p->version);

		if (seq_is_changing(begun)) {
			seq_relax(look);
			continue;
		}
		sum = trie_weigh(p->trie, p->root, key, rest);
		if (seq_is_still(p->version, begun))
			return sum;
	}
	seq_lock(p->lock);
	sum = trie_weigh(p->trie, p->root, key, rest);
	seq_unlock(p->lock);
	return sum;
}

static inline uint64_t weigh_root_v4(struct cidr_tree *t, uint32_t key, unsigned rest)
{
	struct place p = place_v4(t, key);

	return weigh_at(&p, key, rest);
}

static uint64_t weigh_v4(struct cidr_tree *t, uint32_t key, unsigned rest)
{
	uint32_t at, n;
	uint64_t sum = 0;

	if (rest <= V4_BELOW)
		return weigh_root_v4(t, key, rest);
	if (rest >= V4_SHARD_BELOW) {
		n = 1u << (rest - V4_SHARD_BELOW);
		at = key >> V4_SHARD_BELOW & ~(n - 1);
		for (uint32_t end = at + n; at < end; at++)
			sum += LOOK(&t->shards[at].sum);
		return sum;
	}
	if (rest >= V4_SUM_BELOW) {
		n = 1u << (rest - V4_SUM_BELOW);
		at = key >> V4_SUM_BELOW & ~(n - 1);
		for (uint32_t end = at + n; at < end; at++)
			sum += LOOK(&t->sums[at]);
		return sum;
	}
	n = 1u << (rest - V4_BELOW);
	at = key >> V4_BELOW & ~(n - 1);
	for (uint32_t end = at + n; at < end; at++)
		if (LOOK(&t->roots[at]) != 0)
			sum += weigh_root_v4(t, at << V4_BELOW, V4_BELOW);
	return sum;
}

static uint64_t weigh_v6(struct cidr_tree *t, u128 key, unsigned rest)
{
	uint64_t sum = 0;
	struct place p;

	if (rest <= V6_BELOW) {
		p = place_v6(t, hash_v6(key));
		return weigh_at(&p, key, rest);
	}
	for (unsigned shard = 0; shard < V6_SHARDS; shard++) {
		p = place_upper(t, shard);
		sum += weigh_at(&p, key >> V6_BELOW, rest - V6_BELOW);
	}
	return sum;
}

/* Both answers of a block, in one word (bucket.h). */
static uint64_t weigh_block(struct cidr_tree *t, const struct cidr *block)
{
	unsigned rest = addr_bits(&block->addr) - block->len;
	u128 key = key_of(&block->addr);

	CHECK(block->addr.family == t->family && block->len <= addr_bits(&block->addr));
	return t->family == ADDR_V4 ? weigh_v4(t, (uint32_t)key, rest) : weigh_v6(t, key, rest);
}

uint64_t cidr_tree_count(struct cidr_tree *t, const struct cidr *block)
{
	return (uint32_t)weigh_block(t, block);
}

uint64_t cidr_tree_distinct(struct cidr_tree *t, const struct cidr *block)
{
	return weigh_block(t, block) >> 32;
}

static unsigned next_at(const struct place *p, u128 first, u128 last, struct item out[BUCKET_MAX])
{
	unsigned n;

	if (LOOK(p->root) == 0)
		return 0;
	seq_lock(p->lock);
	n = trie_next(p->trie, p->root, first, last, out);
	seq_unlock(p->lock);
	return n;
}

struct walk {
	struct cidr_tree *tree;
	cidr_tree_visit *visit;
	void *arg;
};

/* first..last lie below one root. False: visit wants no more. */
static bool walk_root(const struct walk *w, u128 first, u128 last)
{
	struct cidr_tree *t = w->tree;
	struct place p =
		t->family == ADDR_V4 ? place_v4(t, (uint32_t)first) : place_v6(t, hash_v6(first));
	struct item items[BUCKET_MAX];
	unsigned n;

	for (;;) {
		n = next_at(&p, first, last, items);
		for (unsigned i = 0; i < n; i++) {
			struct addr a = addr_of(t->family, items[i].key);

			if (!w->visit(w->arg, &a, (uint32_t)items[i].weight))
				return false;
		}
		if (n == 0 || items[n - 1].key == last)
			return true;
		first = items[n - 1].key + 1;
	}
}

/* The next /48 of first..last with anything in it; false when there is none. */
static bool next_48(struct cidr_tree *t, u128 first, u128 last, u128 *out)
{
	struct item items[BUCKET_MAX];
	bool found = false;

	for (unsigned shard = 0; shard < V6_SHARDS; shard++) {
		struct place p = place_upper(t, shard);

		if (next_at(&p, first, last, items) == 0)
			continue;
		last = items[0].key;
		found = true;
	}
	*out = last;
	return found;
}

/* The next root's part of first..last that may hold anything, as its number of KEY bits. */
static bool next_root(struct cidr_tree *t, u128 first, u128 last, u128 *out)
{
	if (t->family == ADDR_V6)
		return next_48(t, first, last, out);
	while (first <= last && LOOK(&t->roots[first]) == 0)
		first++;
	*out = first;
	return first <= last;
}

void cidr_tree_walk(struct cidr_tree *t, const struct cidr *block, cidr_tree_visit *visit,
		    void *arg)
{
	const struct walk w = { t, visit, arg };
	unsigned below = t->family == ADDR_V4 ? V4_BELOW : V6_BELOW;
	unsigned rest = addr_bits(&block->addr) - block->len;
	u128 first = key_of(&block->addr),
	     last = first | (rest == 128 ? ~(u128)0 : ((u128)1 << rest) - 1);
	u128 at = first >> below, root;

	CHECK(block->addr.family == t->family);
	for (; at <= last >> below && next_root(t, at, last >> below, &root); at = root + 1) {
		u128 low = root << below, high = low | (((u128)1 << below) - 1);

		if (!walk_root(&w, low > first ? low : first, high < last ? high : last))
			return;
	}
}

/* The fixed part counts whole, though most of an idle tree's is untouched. */
size_t cidr_tree_bytes(const struct cidr_tree *t)
{
	size_t roots = t->family == ADDR_V4 ? V4_ROOTS : V6_ROOTS;

	return sizeof *t + roots * sizeof t->roots[0] + region_bytes(&t->region);
}

void cidr_tree_trim(struct cidr_tree *t)
{
	region_trim(&t->region);
}
