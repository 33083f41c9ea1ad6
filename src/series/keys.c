#include "series/keys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "series/bounds.h"
#include "series/hash.h"

enum {
	PAGE_CHAINS = 128,
	PAGE_BYTES = PAGE_CHAINS * sizeof(uint32_t),
	CHAIN_ENTRIES = 2, /* on average */
};

struct entry {
	uint64_t amount;
	uint32_t hash;
	uint32_t chained;      /* the next in its chain */
	uint32_t older, newer; /* in order of their last addition */
	uint16_t len;
	char text[];
};

static struct entry *entry_at(const struct keys *k, uint32_t cell)
{
	return store_at(k->store, cell);
}

struct keys_text keys_text(struct slice text)
{
	return (struct keys_text){ text, (uint32_t)hash_text(text) };
}

/*
 * Linear hashing (Litwin 1980): with 2^n <= chains < 2^(n+1), the low n+1 bits of a hash name its
 * chain, or where there is none of that number yet, the low n bits do.
 */
static uint32_t highest_bit(uint32_t n)
{
	return (uint32_t)1 << (31 - __builtin_clz(n));
}

static uint32_t chain_of(const struct keys *k, uint32_t hash)
{
	uint32_t n = highest_bit(k->chains), chain = hash & (2 * n - 1);

	return chain < k->chains ? chain : hash & (n - 1);
}

static uint32_t *head_of(const struct keys *k, uint32_t chain)
{
	uint32_t *page = store_at(k->store, k->pages[chain / PAGE_CHAINS]);

	return &page[chain % PAGE_CHAINS];
}

/* Where the reference to the entry stands; what stands there is 0 when there is no such entry. */
static uint32_t *find(const struct keys *k, struct keys_text key)
{
	uint32_t *ref = head_of(k, chain_of(k, key.hash));

	while (*ref != 0) {
		struct entry *e = entry_at(k, *ref);

		if (e->hash == key.hash && e->len == key.text.len &&
		    (e->len == 0 || memcmp(e->text, key.text.at, e->len) == 0))
			break;
		ref = &e->chained;
	}
	return ref;
}

/* A page for the chain after the last, where it is the first of one. */
static bool page_add(struct keys *k)
{
	uint32_t n = k->chains / PAGE_CHAINS, page;

	if (k->chains % PAGE_CHAINS != 0)
		return true;
	page = store_alloc(k->store, &k->owner, PAGE_BYTES);
	if (page == 0)
		return false;
	memset(store_at(k->store, page), 0, PAGE_BYTES);
	if ((n & (n - 1)) == 0) /* full at every power of two */
		k->pages = mem_resize(k->pages, n ? 2 * n : 1, sizeof *k->pages);
	k->pages[n] = page;
	return true;
}

/* One chain more: it gets its part of the one that stood for it. */
static bool chain_add(struct keys *k)
{
	uint32_t added = k->chains, *from, *to;

	if (!page_add(k))
		return false;
	if (k->chains++ == 0)
		return true;
	from = head_of(k, added - highest_bit(added));
	to = head_of(k, added);
	while (*from != 0) {
		uint32_t cell = *from;
		struct entry *e = entry_at(k, cell);

		if (chain_of(k, e->hash) != added) {
			from = &e->chained;
			continue;
		}
		*from = e->chained;
		e->chained = *to;
		*to = cell;
	}
	return true;
}

static void order_put(struct keys *k, uint32_t cell)
{
	struct entry *e = entry_at(k, cell);

	e->older = k->newest;
	e->newer = 0;
	*(k->newest ? &entry_at(k, k->newest)->newer : &k->oldest) = cell;
	k->newest = cell;
}

static void order_take(struct keys *k, const struct entry *e)
{
	*(e->older ? &entry_at(k, e->older)->newer : &k->oldest) = e->newer;
	*(e->newer ? &entry_at(k, e->newer)->older : &k->newest) = e->older;
}

static void entry_free(struct keys *k, uint32_t *ref)
{
	uint32_t cell = *ref;
	struct entry *e = entry_at(k, cell);

	*ref = e->chained;
	order_take(k, e);
	k->sum -= e->amount;
	store_release(k->store, &k->owner, cell);
	if (--k->entries == 0)
		keys_clear(k); /* the table, too */
}

static bool entry_new(struct keys *k, struct keys_text key, uint64_t amount)
{
	uint32_t cell, *head;
	struct entry *e;

	/* A chain too few makes lookups slower, no more. */
	if (k->entries >= k->chains * CHAIN_ENTRIES && !chain_add(k) && k->chains == 0)
		return false;
	cell = store_alloc(k->store, &k->owner, offsetof(struct entry, text) + key.text.len);
	if (cell == 0)
		return false;
	head = head_of(k, chain_of(k, key.hash));
	e = entry_at(k, cell);
	e->amount = amount;
	e->hash = key.hash;
	e->chained = *head;
	e->len = (uint16_t)key.text.len;
	if (e->len > 0)
		memcpy(e->text, key.text.at, e->len);
	*head = cell;
	order_put(k, cell);
	k->entries++;
	return true;
}

enum keys_answer keys_add(struct keys *k, struct keys_text key, uint64_t amount)
{
	uint32_t cell = k->chains ? *find(k, key) : 0;

	if (amount > AMOUNT_MAX - k->sum)
		return KEYS_TOO_MUCH;
	if (cell == 0) {
		if (!entry_new(k, key, amount))
			return KEYS_NO_ROOM;
	} else {
		struct entry *e = entry_at(k, cell);

		e->amount += amount;
		if (!k->is_pinned && cell != k->newest) {
			order_take(k, e);
			order_put(k, cell);
		}
	}
	k->sum += amount;
	return KEYS_ADDED;
}

uint64_t keys_take(struct keys *k, struct keys_text key, uint64_t amount)
{
	uint32_t *ref = k->chains ? find(k, key) : NULL;
	struct entry *e;

	if (ref == NULL || *ref == 0)
		return 0;
	e = entry_at(k, *ref);
	if (amount > e->amount)
		amount = e->amount;
	e->amount -= amount;
	k->sum -= amount;
	if (e->amount == 0 && !k->is_pinned)
		entry_free(k, ref);
	return amount;
}

uint64_t keys_amount(const struct keys *k, struct keys_text key)
{
	uint32_t cell = k->chains ? *find(k, key) : 0;

	return cell ? entry_at(k, cell)->amount : 0;
}

bool keys_drop_oldest(struct keys *k)
{
	struct entry *e;

	if (k->oldest == 0 || k->is_pinned)
		return false;
	e = entry_at(k, k->oldest);
	entry_free(k, find(k, (struct keys_text){ { e->text, e->len }, e->hash }));
	return true;
}

void keys_clear(struct keys *k)
{
	CHECK(!k->is_pinned);
	store_drop(k->store, &k->owner);
	free(k->pages);
	*k = (struct keys){ .store = k->store };
}

uint32_t keys_next(const struct keys *k, uint32_t after, struct keys_entry *out)
{
	uint32_t cell = after ? entry_at(k, after)->newer : k->oldest;

	for (; cell != 0; cell = entry_at(k, cell)->newer) {
		const struct entry *e = entry_at(k, cell);

		*out = (struct keys_entry){ { e->text, e->len }, e->amount };
		if (e->amount > 0)
			break;
	}
	return cell;
}
