#include "audit/bucket.h"

#include "audit/seq.h"
#include "base/check.h"

/*
 * The header, one word so that a reader sees it whole. Whatever the memory holds by the time a
 * reader looks, the fields are small enough for it to stay near.
 */
struct view {
	unsigned char *at;
	unsigned used, room;
	unsigned suffix; /* a key's bytes are 1 << suffix */
	unsigned weight; /* see weight_bytes() */
	unsigned few;	     /* so many fit into a cell two classes smaller */
	unsigned weights_at; /* from the start of the cell */
};

enum { HEAD = 8, SUFFIX_16 = 4, WEIGHT_NONE = 0, WEIGHT_PAIR = 4 };
enum { ROOM_AT = 8, SUFFIX_AT = 16, WEIGHT_AT = 20, FEW_AT = 24, WEIGHTS_AT = 32 };

static inline unsigned weight_bytes(unsigned code)
{
	return (1u << code) >> 1;
}

static unsigned suffix_code(unsigned below)
{
	return below <= 8 ? 0 : below <= 16 ? 1 : below <= 32 ? 2 : below <= 64 ? 3 : SUFFIX_16;
}

static inline unsigned weight_code(uint64_t largest, bool pairs)
{
	uint32_t count = (uint32_t)largest;

	return pairs		     ? WEIGHT_PAIR
	       : count <= 1	     ? WEIGHT_NONE
	       : count <= UINT8_MAX  ? 1
	       : count <= UINT16_MAX ? 2
				     : 3;
}

static inline struct view view_of(const struct trie *t, uint32_t ref)
{
	unsigned char *at = region_at(t->region, ref);
	uint64_t head = LOOK((uint64_t *)(void *)at);

	return (struct view){
		.at = at,
		.used = head & SCAN_MAX,
		.room = head >> ROOM_AT & SCAN_MAX,
		.suffix = head >> SUFFIX_AT & 7,
		.weight = head >> WEIGHT_AT & 7,
		.few = head >> FEW_AT & SCAN_MAX,
		.weights_at = head >> WEIGHTS_AT & 1023,
	};
}

static inline void head_put(const struct view *v)
{
	uint64_t low = v->used | v->room << ROOM_AT | v->suffix << SUFFIX_AT |
		       v->weight << WEIGHT_AT | v->few << FEW_AT;

	PUT((uint64_t *)(void *)v->at, low | (uint64_t)v->weights_at << WEIGHTS_AT);
}

static inline unsigned char *suffixes(const struct view *v)
{
	return v->at + HEAD;
}

static inline unsigned char *weights(const struct view *v)
{
	return v->at + v->weights_at;
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
		return number_look(suffixes(v), v->suffix, i);
	return (u128)number_look(suffixes(v), 3, i) << 64 |
	       number_look(suffixes(v), 3, v->room + i);
}

static inline void suffix_put(const struct view *v, unsigned i, u128 key)
{
	if (v->suffix < SUFFIX_16) {
		number_put(suffixes(v), v->suffix, i, (uint64_t)key);
		return;
	}
	number_put(suffixes(v), 3, i, (uint64_t)(key >> 64));
	number_put(suffixes(v), 3, v->room + i, (uint64_t)key);
}

static inline uint64_t weight_look(const struct view *v, unsigned i)
{
	if (v->weight == WEIGHT_NONE)
		return weight(1, 1);
	if (v->weight == WEIGHT_PAIR)
		return number_look(weights(v), 3, i);
	return weight(1, number_look(weights(v), v->weight - 1u, i));
}

static inline void weight_put(const struct view *v, unsigned i, uint64_t w)
{
	if (v->weight == WEIGHT_NONE)
		return;
	number_put(weights(v), v->weight - 1u, i, v->weight == WEIGHT_PAIR ? w : (uint32_t)w);
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
		return t->scan->match[v->suffix](suffixes(v), v->used, (uint64_t)key,
						 care_above(rest));
	low = match_8(suffixes(v) + 8 * v->room, v->used, (uint64_t)key, care_above(rest));
	if (low == 0)
		return 0;
	return low & match_8(suffixes(v), v->used, (uint64_t)(key >> 64),
			     rest <= 64 ? UINT64_MAX : care_above(rest - 64));
}

/* Not every processor that we run on has an instruction for it. */
static inline unsigned ones(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned)(x * 0x0101010101010101 >> 56);
}

static uint64_t sum_counts(const struct view *v, uint64_t chosen)
{
	uint64_t sum = 0;

	for (; chosen != 0; chosen &= chosen - 1)
		sum += weight_look(v, (unsigned)__builtin_ctzll(chosen));
	return sum;
}

uint64_t bucket_weigh(const struct trie *t, uint32_t ref, u128 key, unsigned rest)
{
	struct view v = view_of(t, ref);
	uint64_t found = match(t, &v, key, rest);

	if (found == 0)
		return 0;
	if (v.weight == WEIGHT_NONE)
		return ones(found) * weight(1, 1);
	if (v.weight == 1)
		return weight(ones(found), t->scan->sum_1(weights(&v), found));
	if (v.weight == WEIGHT_PAIR)
		return t->scan->sum_8(weights(&v), found);
	return sum_counts(&v, found);
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

/* At the next address that suits them. */
static unsigned weights_begin(const struct view *v)
{
	unsigned end = HEAD + (v->room << v->suffix),
		 align = v->weight > 1 ? weight_bytes(v->weight) : 1;

	return (end + align - 1) & ~(align - 1);
}

/* A cell for n entries of these widths, with nothing in it yet but the room. */
static struct view cell_new(const struct trie *t, unsigned suffix, unsigned weight_width,
			    unsigned n, uint32_t *ref_out)
{
	struct view v = { .used = n, .suffix = suffix, .weight = weight_width };
	unsigned class = 0;

	while (room_in(class, suffix, weight_width) < n)
		class++;
	v.room = room_in(class, suffix, weight_width);
	/* not one smaller: a bucket at the edge of a class would be remade all the time */
	v.few = class < 2 ? 0 : room_in(class - 2, suffix, weight_width);
	v.weights_at = weights_begin(&v);
	*ref_out = region_alloc(t->region, t->arena, class);
	v.at = region_at(t->region, *ref_out);
	return v;
}

uint32_t bucket_new(const struct trie *t, unsigned below, const struct item *items, unsigned n)
{
	uint64_t largest = 0;
	struct view v;
	uint32_t ref;

	CHECK(n > 0 && n <= bucket_max(below));
	for (unsigned i = 0; i < n; i++)
		if ((uint32_t)items[i].weight > largest)
			largest = (uint32_t)items[i].weight;
	v = cell_new(t, suffix_code(below), weight_code(largest, t->pairs), n, &ref);
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

static void replace(const struct trie *t, uint32_t *ref, uint32_t by)
{
	region_release(t->region, *ref);
	PUT(ref, by);
}

static void words_copy(unsigned char *to, const unsigned char *from, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		PUT((uint64_t *)(void *)(to + i), *(const uint64_t *)(const void *)(from + i));
}

/* To a cell that suits `room` entries of the same widths; v becomes its view. */
__attribute__((noinline)) static void resize(const struct trie *t, uint32_t *ref, struct view *v,
					     unsigned room)
{
	unsigned n = v->used;
	uint32_t new_ref;
	struct view to = cell_new(t, v->suffix, v->weight, room, &new_ref);

	to.used = n;
	if (v->suffix == SUFFIX_16) {
		words_copy(suffixes(&to) + 8 * to.room, suffixes(v) + 8 * v->room, 8 * n);
		words_copy(suffixes(&to), suffixes(v), 8 * n);
	} else {
		/* A few bytes more, before the weights. */
		words_copy(suffixes(&to), suffixes(v), n << v->suffix);
	}
	for (unsigned i = 0; i < n; i++)
		weight_put(&to, i, weight_look(v, i));
	head_put(&to);
	replace(t, ref, new_ref);
	*v = to;
}

/* The same with a weight that is wider than the others. */
__attribute__((noinline)) static void widen(const struct trie *t, uint32_t *ref, unsigned below,
					    u128 key, unsigned i, uint64_t w)
{
	struct item items[BUCKET_MAX];
	unsigned n = bucket_items(t, *ref, key, items);

	items[i].weight = w;
	replace(t, ref, bucket_new(t, below, items, n));
}

static inline enum bucket_news append(const struct trie *t, uint32_t *ref, unsigned below,
				      struct view *v, u128 key, uint64_t w)
{
	CHECK((int64_t)w > 0); /* leaving what never entered */
	if (*ref == 0) {
		PUT(ref, bucket_new(t, below, &(struct item){ key, w }, 1));
		return BUCKET_APPEARED;
	}
	if (v->used == v->room) {
		if (v->used == bucket_max(below))
			return BUCKET_FULL;
		resize(t, ref, v, v->used + 1);
	}
	suffix_put(v, v->used, key);
	weight_put(v, v->used, w);
	v->used++;
	head_put(v);
	return BUCKET_APPEARED;
}

static inline enum bucket_news drop(const struct trie *t, uint32_t *ref, struct view *v, unsigned i)
{
	unsigned last = --v->used;

	if (last == 0) {
		replace(t, ref, 0);
		return BUCKET_VANISHED;
	}
	suffix_put(v, i, suffix_look(v, last));
	weight_put(v, i, weight_look(v, last));
	head_put(v);
	if (last <= v->few)
		resize(t, ref, v, last);
	return BUCKET_VANISHED;
}

static inline bool fits(const struct view *v, uint64_t w)
{
	return v->weight == WEIGHT_PAIR || weight_code(w, false) <= v->weight;
}

bool bucket_bump(const struct trie *t, uint32_t ref, uint64_t key, int64_t delta)
{
	unsigned i = t->hints[key % HINTS];
	struct view v = view_of(t, ref);
	uint64_t w;

	if (i >= v.used || v.suffix != 3 || number_look(suffixes(&v), 3, i) != key)
		return false;
	w = number_look(weights(&v), 3, i) + (uint64_t)delta;
	if ((uint32_t)w == 0)
		return false;
	number_put(weights(&v), 3, i, w);
	return true;
}

enum bucket_news bucket_add(const struct trie *t, uint32_t *ref, unsigned below, u128 key,
			    int64_t delta)
{
	struct view v = { 0 };
	uint64_t found = 0, w;
	unsigned i;

	if (*ref != 0) {
		v = view_of(t, *ref);
		found = match(t, &v, key, 0);
	}
	if (found == 0)
		return append(t, ref, below, &v, key,
			      t->pairs ? (uint64_t)delta : weight(1, (uint64_t)delta));
	i = (unsigned)__builtin_ctzll(found);
	if (t->pairs)
		t->hints[key % HINTS] = (uint8_t)i;
	w = weight_look(&v, i) + (uint64_t)delta;
	if ((uint32_t)w == 0)
		return drop(t, ref, &v, i);
	if (fits(&v, w))
		weight_put(&v, i, w);
	else
		widen(t, ref, below, key, i, w);
	return BUCKET_CHANGED;
}
