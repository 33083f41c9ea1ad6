#include "series/tally_parts.h"

#include "audit/scan.h"
#include "base/check.h"

/*
 * Of each key only the low bytes that the way to the bucket does not tell, in as few (1, 2, 4, 8,
 * 16) as they take, side by side and in no order, so that one comparison of vectors finds a key or
 * a block. The amounts stand behind them, none while all are 1.
 */
struct bucket {
	uint8_t used, room;
	uint8_t suffix; /* a key's bytes are 1 << suffix */
	uint8_t width;	/* an amount's bytes; 0: all amounts are 1 */
	uint16_t amounts_at;
	uint16_t unused;
	unsigned char keys[];
};

enum { SUFFIX_16 = 4 };
_Static_assert((int)BUCKET_MAX <= (int)SCAN_MAX, "a bit for each key");

static const struct scan *scan(void)
{
	static const struct scan *best; /* every thread finds the same one */
	const struct scan *s = __atomic_load_n(&best, __ATOMIC_RELAXED);

	if (s == NULL) {
		s = scan_best();
		__atomic_store_n(&best, s, __ATOMIC_RELAXED);
	}
	return s;
}

static inline struct bucket *bucket_at(const struct tally *t, uint32_t cell)
{
	return store_at(t->store, cell);
}

static unsigned suffix_code(unsigned below)
{
	return below <= 8 ? 0 : below <= 16 ? 1 : below <= 32 ? 2 : below <= 64 ? 3 : SUFFIX_16;
}

static unsigned amount_width(uint64_t amount)
{
	return amount <= 1	      ? 0
	       : amount <= UINT8_MAX  ? 1
	       : amount <= UINT16_MAX ? 2
	       : amount <= UINT32_MAX ? 4
				      : 8;
}

static inline uint64_t number_get(const unsigned char *at, unsigned width, unsigned i)
{
	switch (width) {
	case 1:
		return at[i];
	case 2:
		return ((const uint16_t *)(const void *)at)[i];
	case 4:
		return ((const uint32_t *)(const void *)at)[i];
	}
	return ((const uint64_t *)(const void *)at)[i];
}

static inline void number_put(unsigned char *at, unsigned width, unsigned i, uint64_t value)
{
	switch (width) {
	case 1:
		at[i] = (uint8_t)value;
		return;
	case 2:
		((uint16_t *)(void *)at)[i] = (uint16_t)value;
		return;
	case 4:
		((uint32_t *)(void *)at)[i] = (uint32_t)value;
		return;
	}
	((uint64_t *)(void *)at)[i] = value;
}

/* Numbers of 16 bytes are two rows of 8: all upper halves, then all lower ones. */
static inline u128 key_get(const struct bucket *b, unsigned i)
{
	if (b->suffix < SUFFIX_16)
		return number_get(b->keys, 1u << b->suffix, i);
	return (u128)number_get(b->keys, 8, i) << 64 | number_get(b->keys, 8, b->room + i);
}

static inline void key_put(struct bucket *b, unsigned i, u128 key)
{
	if (b->suffix < SUFFIX_16) {
		number_put(b->keys, 1u << b->suffix, i, (uint64_t)key);
		return;
	}
	number_put(b->keys, 8, i, (uint64_t)(key >> 64));
	number_put(b->keys, 8, b->room + i, (uint64_t)key);
}

static inline unsigned char *amounts(const struct bucket *b)
{
	return (unsigned char *)(uintptr_t)b + b->amounts_at;
}

static inline uint64_t amount_get(const struct bucket *b, unsigned i)
{
	return b->width == 0 ? 1 : number_get(amounts(b), b->width, i);
}

static inline void amount_put(struct bucket *b, unsigned i, uint64_t amount)
{
	if (b->width != 0)
		number_put(amounts(b), b->width, i, amount);
}

static size_t amounts_begin(unsigned suffix, unsigned width, unsigned room)
{
	size_t end = sizeof(struct bucket) + ((size_t)room << suffix);

	return width == 0 ? end : (end + width - 1) / width * width;
}

static size_t size_for(unsigned suffix, unsigned width, unsigned room)
{
	return amounts_begin(suffix, width, room) + (size_t)width * room;
}

/* Room for n entries and for what else the cell holds. NULL: no memory. */
static struct bucket *cell_new(struct tally *t, unsigned below, unsigned width, unsigned n,
			       uint32_t *cell_out)
{
	unsigned suffix = suffix_code(below), room = n;
	struct bucket *b;
	size_t size;

	*cell_out = store_alloc(t->store, &t->owner, size_for(suffix, width, n));
	if (*cell_out == 0)
		return NULL;
	size = store_size(t->store, *cell_out);
	while (room < bucket_max(below) && size_for(suffix, width, room + 1) <= size)
		room++;
	b = bucket_at(t, *cell_out);
	*b = (struct bucket){
		.room = (uint8_t)room,
		.suffix = (uint8_t)suffix,
		.width = (uint8_t)width,
		.amounts_at = (uint16_t)amounts_begin(suffix, width, room),
	};
	return b;
}

static void fill(struct bucket *b, const struct item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		key_put(b, i, items[i].key);
		amount_put(b, i, items[i].amount);
	}
	b->used = (uint8_t)n;
}

static unsigned widest(const struct item *items, unsigned n)
{
	uint64_t largest = 0;

	for (unsigned i = 0; i < n; i++)
		if (items[i].amount > largest)
			largest = items[i].amount;
	return amount_width(largest);
}

uint32_t tally_bucket_new(struct tally *t, unsigned below, const struct item *items, unsigned n)
{
	struct bucket *b;
	uint32_t cell;

	CHECK(n <= bucket_max(below));
	if (n == 0)
		return 0;
	b = cell_new(t, below, widest(items, n), n, &cell);
	if (b != NULL)
		fill(b, items, n);
	return cell;
}

void tally_bucket_free(struct tally *t, uint32_t cell)
{
	if (cell != 0)
		store_release(t->store, &t->owner, cell);
}

unsigned tally_bucket_count(const struct tally *t, uint32_t cell)
{
	return cell == 0 ? 0 : bucket_at(t, cell)->used;
}

unsigned tally_bucket_items(const struct tally *t, uint32_t cell, u128 path,
			    struct item out[BUCKET_MAX])
{
	const struct bucket *b;
	u128 upper;

	if (cell == 0)
		return 0;
	b = bucket_at(t, cell);
	upper = path & ~below_all(8u << b->suffix);
	for (unsigned i = 0; i < b->used; i++)
		out[i] = (struct item){ upper | key_get(b, i), amount_get(b, i) };
	return b->used;
}

static inline uint64_t care_above(unsigned rest)
{
	return rest >= 64 ? 0 : UINT64_MAX << rest;
}

/* Which entries agree with key above its low `rest` bits. */
static inline uint64_t match(const struct bucket *b, u128 key, unsigned rest)
{
	const struct scan *s = scan();
	uint64_t low;

	if (b->suffix < SUFFIX_16)
		return s->match[b->suffix](b->keys, b->used, (uint64_t)key, care_above(rest));
	low = s->match[3](b->keys + 8 * b->room, b->used, (uint64_t)key, care_above(rest));
	if (low == 0)
		return 0;
	return low & s->match[3](b->keys, b->used, (uint64_t)(key >> 64),
				 rest <= 64 ? UINT64_MAX : care_above(rest - 64));
}

uint64_t tally_bucket_sum(const struct tally *t, uint32_t cell, u128 key, unsigned rest)
{
	const struct bucket *b;
	uint64_t found, sum = 0;

	if (cell == 0)
		return 0;
	b = bucket_at(t, cell);
	found = match(b, key, rest);
	/* of a long block none or one, most of the time */
	if ((found & (found - 1)) == 0)
		return found == 0 ? 0 : amount_get(b, (unsigned)__builtin_ctzll(found));
	if (b->width == 0)
		return (uint64_t)__builtin_popcountll(found);
	if (b->width == 1)
		return scan()->sum_1(amounts(b), found);
	if (b->width == 8)
		return scan()->sum_8(amounts(b), found);
	for (; found != 0; found &= found - 1)
		sum += amount_get(b, (unsigned)__builtin_ctzll(found));
	return sum;
}

/* The items, in a cell with room for so many. false: no memory. */
static bool remake(struct tally *t, uint32_t *cell, unsigned below, unsigned width,
		   const struct item *items, unsigned n, unsigned room)
{
	uint32_t old = *cell, new;
	struct bucket *b = cell_new(t, below, width, room, &new);

	if (b == NULL)
		return false;
	fill(b, items, n);
	*cell = new;
	tally_bucket_free(t, old);
	return true;
}

/* An entry needs wider amounts than the others have. */
static bool widen(struct tally *t, uint32_t *cell, unsigned below, u128 key, unsigned i,
		  uint64_t amount)
{
	struct item items[BUCKET_MAX];
	unsigned n = tally_bucket_items(t, *cell, key, items);

	items[i].amount = amount;
	return remake(t, cell, below, amount_width(amount), items, n, n);
}

static bool append_wider(struct tally *t, uint32_t *cell, unsigned below, u128 key, uint64_t amount)
{
	struct item items[BUCKET_MAX];
	unsigned n = tally_bucket_items(t, *cell, key, items), width = amount_width(amount);

	if (n > 0 && bucket_at(t, *cell)->width > width)
		width = bucket_at(t, *cell)->width;
	items[n++] = (struct item){ key, amount };
	return remake(t, cell, below, width, items, n, n);
}

static bool entry_set(struct tally *t, uint32_t *cell, unsigned below, u128 key, unsigned i,
		      uint64_t amount)
{
	struct bucket *b = bucket_at(t, *cell);

	if (amount_width(amount) > b->width)
		return widen(t, cell, below, key, i, amount);
	amount_put(b, i, amount);
	return true;
}

enum bucket_news tally_bucket_add(struct tally *t, uint32_t *cell, unsigned below, u128 key,
				  uint64_t amount)
{
	struct bucket *b = *cell == 0 ? NULL : bucket_at(t, *cell);
	uint64_t found = b == NULL ? 0 : match(b, key, 0);

	if (found != 0) {
		unsigned i = (unsigned)__builtin_ctzll(found);
		uint64_t now = amount_get(b, i) + amount;

		return entry_set(t, cell, below, key, i, now) ? BUCKET_DONE : BUCKET_NO_MEMORY;
	}
	if (b != NULL && b->used == bucket_max(below))
		return BUCKET_FULL;
	if (b == NULL || b->used == b->room || amount_width(amount) > b->width)
		return append_wider(t, cell, below, key, amount) ? BUCKET_DONE : BUCKET_NO_MEMORY;
	key_put(b, b->used, key);
	amount_put(b, b->used, amount);
	b->used++;
	return BUCKET_DONE;
}

bool tally_bucket_bump(struct tally *t, uint32_t *cell, unsigned below, u128 key, uint64_t amount)
{
	const struct bucket *b = bucket_at(t, *cell);
	uint64_t found = match(b, key, 0);
	unsigned i;

	if (found == 0)
		return false;
	i = (unsigned)__builtin_ctzll(found);
	return entry_set(t, cell, below, key, i, amount_get(b, i) + amount);
}

/* It keeps its cell, which is the next one's. */
static void entry_drop(struct tally *t, uint32_t *cell, unsigned i)
{
	struct bucket *b = bucket_at(t, *cell);
	unsigned last = --b->used;

	key_put(b, i, key_get(b, last));
	amount_put(b, i, amount_get(b, last));
	if (last == 0) {
		tally_bucket_free(t, *cell);
		*cell = 0;
	}
}

uint64_t tally_bucket_take(struct tally *t, uint32_t *cell, u128 key, uint64_t amount)
{
	struct bucket *b = *cell == 0 ? NULL : bucket_at(t, *cell);
	uint64_t found = b == NULL ? 0 : match(b, key, 0), has;
	unsigned i;

	if (found == 0)
		return 0;
	i = (unsigned)__builtin_ctzll(found);
	has = amount_get(b, i);
	if (amount >= has)
		entry_drop(t, cell, i);
	else
		amount_put(b, i, has - amount);
	return amount < has ? amount : has;
}

unsigned tally_biggest(struct item *items, unsigned n)
{
	unsigned kept = 0;

	for (; kept < LOSSY_MAX; kept++) {
		unsigned best = kept;
		struct item item;

		for (unsigned i = kept; i < n; i++)
			if (items[i].amount > items[best].amount)
				best = i;
		if (best >= n || items[best].amount < LOSSY_LEAST)
			break;
		item = items[best];
		items[best] = items[kept];
		items[kept] = item;
	}
	return kept;
}

void tally_bucket_fold(struct tally *t, uint32_t *ref, unsigned below)
{
	struct item items[BUCKET_MAX];
	uint32_t cell = ref_cell(*ref);
	unsigned n = tally_bucket_items(t, cell, 0, items), kept = tally_biggest(items, n);

	t->is_folded = true;
	if (kept == 0) {
		tally_bucket_free(t, cell);
		cell = 0;
	} else if (!remake(t, &cell, below, widest(items, kept), items, kept, kept)) {
		fill(bucket_at(t, cell), items, kept);
	}
	*ref = cell | REF_LOSSY;
}
