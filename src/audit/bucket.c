#include "audit/bucket.h"

#include "audit/seq.h"
#include "base/check.h"

/*
 * The header, one word so that a reader sees it whole. From the bottom: used 6 bits, room 6,
 * suffix 4, weight 4, class 8. Whatever the memory holds by the time a reader looks, the fields
 * are small enough for it to stay near.
 */
struct view {
	unsigned used, room;
	unsigned suffix; /* a key's bytes are 1 << suffix */
	unsigned weight; /* see weight_bytes() */
	unsigned class;
	unsigned char *suffixes, *weights;
};

enum { HEAD = 8, SUFFIX_16 = 4, WEIGHT_NONE = 0, WEIGHT_PAIR = 4 };

static inline unsigned weight_bytes(unsigned code)
{
	return (1u << code) >> 1;
}

static unsigned suffix_code(unsigned below)
{
	return below <= 8 ? 0 : below <= 16 ? 1 : below <= 32 ? 2 : below <= 64 ? 3 : SUFFIX_16;
}

static unsigned weight_code(uint64_t largest, bool pairs)
{
	uint32_t count = (uint32_t)largest;

	return pairs ? WEIGHT_PAIR : count <= 1 ? WEIGHT_NONE : count <= UINT8_MAX ? 1 : count <= UINT16_MAX ? 2 : 3;
}

/* The weights begin at the next address that suits them; none need none. */
static inline void view_place(struct view *v, unsigned char *at)
{
	unsigned end = HEAD + (v->room << v->suffix), align = weight_bytes(v->weight) - 1;

	v->suffixes = at + HEAD;
	v->weights = at + ((end + align) & ~align);
}

static inline struct view view_of(const struct trie *t, uint32_t ref)
{
	unsigned char *at = region_at(t->region, ref);
	uint64_t head = LOOK((uint64_t *)(void *)at);
	struct view v = {
		.used = head & 63,
		.room = head >> 6 & 63,
		.suffix = head >> 12 & 7,
		.weight = head >> 16 & 7,
		.class = head >> 20 & 255,
	};

	view_place(&v, at);
	return v;
}

static inline void head_put(const struct view *v)
{
	PUT((uint64_t *)(void *)(v->suffixes - HEAD),
	    (uint64_t)(v->used | v->room << 6 | v->suffix << 12 | v->weight << 16 | v->class << 20));
}

static inline uint64_t number_look(const unsigned char *at, unsigned width, unsigned i)
{
	switch (width) {
	case 0: return LOOK(at + i);
	case 1: return LOOK((const uint16_t *)(const void *)at + i);
	case 2: return LOOK((const uint32_t *)(const void *)at + i);
	}
	return LOOK((const uint64_t *)(const void *)at + i);
}

static inline void number_put(unsigned char *at, unsigned width, unsigned i, uint64_t value)
{
	switch (width) {
	case 0: PUT(at + i, (uint8_t)value); return;
	case 1: PUT((uint16_t *)(void *)at + i, (uint16_t)value); return;
	case 2: PUT((uint32_t *)(void *)at + i, (uint32_t)value); return;
	}
	PUT((uint64_t *)(void *)at + i, value);
}

/* Numbers of 16 bytes are two rows of 8: all upper halves, then all lower ones. */
static inline u128 suffix_look(const struct view *v, unsigned i)
{
	if (v->suffix < SUFFIX_16)
		return number_look(v->suffixes, v->suffix, i);
	return (u128)number_look(v->suffixes, 3, i) << 64 | number_look(v->suffixes, 3, v->room + i);
}

static inline void suffix_put(const struct view *v, unsigned i, u128 key)
{
	if (v->suffix < SUFFIX_16) {
		number_put(v->suffixes, v->suffix, i, (uint64_t)key);
		return;
	}
	number_put(v->suffixes, 3, i, (uint64_t)(key >> 64));
	number_put(v->suffixes, 3, v->room + i, (uint64_t)key);
}

static inline uint64_t weight_look(const struct view *v, unsigned i)
{
	if (v->weight == WEIGHT_NONE)
		return weight(1, 1);
	if (v->weight == WEIGHT_PAIR)
		return number_look(v->weights, 3, i);
	return weight(1, number_look(v->weights, v->weight - 1u, i));
}

static inline void weight_put(const struct view *v, unsigned i, uint64_t w)
{
	if (v->weight == WEIGHT_NONE)
		return;
	number_put(v->weights, v->weight - 1u, i, v->weight == WEIGHT_PAIR ? w : (uint32_t)w);
}

static inline uint64_t care_above(unsigned rest)
{
	return rest >= 64 ? 0 : UINT64_MAX << rest;
}

/* Which entries agree with key above its low `rest` bits. */
static inline uint64_t match(const struct trie *t, const struct view *v, u128 key, unsigned rest)
{
	scan_match *match_8 = t->scan->match[3];
	uint64_t low;

	if (v->suffix < SUFFIX_16)
		return t->scan->match[v->suffix](v->suffixes, v->used, (uint64_t)key, care_above(rest));
	low = match_8(v->suffixes + 8 * v->room, v->used, (uint64_t)key, care_above(rest));
	if (low == 0)
		return 0;
	return low & match_8(v->suffixes, v->used, (uint64_t)(key >> 64),
			     rest <= 64 ? UINT64_MAX : care_above(rest - 64));
}

uint64_t bucket_weigh(const struct trie *t, uint32_t ref, u128 key, unsigned rest)
{
	struct view v = view_of(t, ref);
	uint64_t found = match(t, &v, key, rest), sum = 0;

	if (v.weight == WEIGHT_NONE)
		return (uint64_t)__builtin_popcountll(found) * weight(1, 1);
	for (; found != 0; found &= found - 1)
		sum += weight_look(&v, (unsigned)__builtin_ctzll(found));
	return sum;
}

/* Entries of these widths that a cell of this class has room for. */
static unsigned room_in(unsigned class, unsigned suffix, unsigned weight_width)
{
	unsigned each = (1u << suffix) + weight_bytes(weight_width);
	unsigned slack = weight_width > 1 ? weight_bytes(weight_width) - 1 : 0;
	unsigned room = (region_class_size(class) - HEAD - slack) / each;
	unsigned most = suffix == SUFFIX_16 ? BUCKET_MAX_WIDE : BUCKET_MAX;

	return room > most ? most : room;
}

uint32_t bucket_new(const struct trie *t, unsigned below, const struct item *items, unsigned n)
{
	struct view v = { .used = n, .suffix = suffix_code(below) };
	uint64_t largest = 0;
	uint32_t ref;

	CHECK(n > 0 && n <= bucket_max(below));
	for (unsigned i = 0; i < n; i++)
		if ((uint32_t)items[i].weight > largest)
			largest = (uint32_t)items[i].weight;
	v.weight = weight_code(largest, t->pairs);
	while (room_in(v.class, v.suffix, v.weight) < n)
		v.class++;
	v.room = room_in(v.class, v.suffix, v.weight);

	ref = region_alloc(t->region, v.class);
	view_place(&v, region_at(t->region, ref));
	for (unsigned i = 0; i < n; i++) {
		suffix_put(&v, i, items[i].key);
		weight_put(&v, i, items[i].weight);
	}
	head_put(&v);
	return ref;
}

unsigned bucket_items(const struct trie *t, uint32_t ref, u128 key, struct item out[BUCKET_MAX])
{
	struct view v = view_of(t, ref);
	unsigned bits = 8u << v.suffix;
	u128 upper = bits == 128 ? 0 : key >> bits << bits;

	for (unsigned i = 0; i < v.used; i++)
		out[i] = (struct item){ upper | suffix_look(&v, i), weight_look(&v, i) };
	return v.used;
}

/* What cannot be done in place: the bucket with these items instead, none for n == 0. */
static void remake(const struct trie *t, uint32_t *ref, unsigned below, const struct item *items, unsigned n)
{
	uint32_t old = *ref;

	PUT(ref, n > 0 ? bucket_new(t, below, items, n) : 0);
	if (old != 0)
		region_release(t->region, old);
}

/* The same with one more item. */
__attribute__((noinline)) static enum bucket_news grow(const struct trie *t, uint32_t *ref, unsigned below,
						       u128 key, uint64_t w)
{
	struct item items[BUCKET_MAX + 1];
	unsigned n = *ref == 0 ? 0 : bucket_items(t, *ref, key, items);

	if (n == bucket_max(below))
		return BUCKET_FULL;
	items[n] = (struct item){ key, w };
	remake(t, ref, below, items, n + 1);
	return BUCKET_APPEARED;
}

/* The same in no more bytes than it takes. */
__attribute__((noinline)) static void shrink(const struct trie *t, uint32_t *ref, unsigned below, u128 key)
{
	struct item items[BUCKET_MAX];

	remake(t, ref, below, items, bucket_items(t, *ref, key, items));
}

/* The same with a weight that is wider than the others. */
__attribute__((noinline)) static void widen(const struct trie *t, uint32_t *ref, unsigned below, u128 key,
					    unsigned i, uint64_t w)
{
	struct item items[BUCKET_MAX];
	unsigned n = bucket_items(t, *ref, key, items);

	items[i].weight = w;
	remake(t, ref, below, items, n);
}

static inline enum bucket_news append(const struct trie *t, uint32_t *ref, unsigned below, struct view *v,
				      u128 key, uint64_t w)
{
	CHECK((int64_t)w > 0); /* leaving what never entered */
	if (*ref == 0 || v->used == v->room)
		return grow(t, ref, below, key, w);
	suffix_put(v, v->used, key);
	weight_put(v, v->used, w);
	v->used++;
	head_put(v);
	return BUCKET_APPEARED;
}

static inline enum bucket_news drop(const struct trie *t, uint32_t *ref, unsigned below, struct view *v, unsigned i,
				    u128 key)
{
	unsigned last = --v->used;

	suffix_put(v, i, suffix_look(v, last));
	weight_put(v, i, weight_look(v, last));
	head_put(v);
	/* two classes down, so that a bucket at the edge of one is not remade all the time */
	if (last == 0 || (v->class >= 2 && room_in(v->class - 2, v->suffix, v->weight) >= last))
		shrink(t, ref, below, key);
	return BUCKET_VANISHED;
}

static inline bool fits(const struct view *v, uint64_t w)
{
	return v->weight == WEIGHT_PAIR || weight_code(w, false) <= v->weight;
}

enum bucket_news bucket_add(const struct trie *t, uint32_t *ref, unsigned below, u128 key, int64_t delta)
{
	struct view v = { 0 };
	uint64_t found = 0, w;
	unsigned i;

	if (*ref != 0) {
		v = view_of(t, *ref);
		found = match(t, &v, key, 0);
	}
	if (found == 0)
		return append(t, ref, below, &v, key, t->pairs ? (uint64_t)delta : weight(1, (uint64_t)delta));
	i = (unsigned)__builtin_ctzll(found);
	w = weight_look(&v, i) + (uint64_t)delta;
	if ((uint32_t)w == 0)
		return drop(t, ref, below, &v, i, key);
	if (fits(&v, w))
		weight_put(&v, i, w);
	else
		widen(t, ref, below, key, i, w);
	return BUCKET_CHANGED;
}
