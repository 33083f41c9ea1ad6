#include "session/rules.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/check.h"
#include "base/mem.h"

/* A name of the domain itself, or, for "*.example.org", any below it. */
static bool pattern_fits(const char *pattern, struct slice domain)
{
	struct slice tail = slice_of(pattern);

	if (pattern[0] != '*')
		return slice_equal_nocase(tail, domain);
	tail = (struct slice){ tail.at + 1, tail.len - 1 };
	return domain.len > tail.len &&
	       slice_equal_nocase(tail,
				  (struct slice){ domain.at + domain.len - tail.len, tail.len });
}

bool domain_list_has(const struct domain_list *list, struct slice domain)
{
	for (unsigned i = 0; i < list->count; i++)
		if (pattern_fits(list->patterns[i], domain))
			return true;
	return false;
}

bool cidr_list_has(const struct cidr_list *list, const struct addr *addr)
{
	for (unsigned i = 0; i < list->count; i++)
		if (cidr_contains(&list->blocks[i], addr))
			return true;
	return false;
}

/* A block without the padding of struct cidr, to be hashed. */
struct block_key {
	uint64_t hi, lo, kind;
};

struct peer_entry {
	struct block_key key;
	struct settings *settings;
	UT_hash_handle hh;
};

/* Blocks of one length can be hashed; a look-up asks for each length that there is. */
struct peer_map {
	struct peer_entry *by_block;
	bool has_len[2][129]; /* by family */
};

static struct block_key key_of(const struct cidr *block)
{
	return (struct block_key){ block->addr.hi, block->addr.lo,
				   (uint64_t)block->addr.family << 8 | block->len };
}

static struct peer_entry *entry_find(const struct peer_map *m, const struct cidr *block)
{
	struct block_key key = key_of(block);
	struct peer_entry *entry;

	HASH_FIND(hh, m->by_block, &key, sizeof key, entry);
	return entry;
}

struct peer_map *peer_map_new(void)
{
	return mem_new(sizeof(struct peer_map));
}

void peer_map_free(struct peer_map *m, void (*free_settings)(struct settings *))
{
	struct peer_entry *entry, *next;

	if (m == NULL)
		return;
	HASH_ITER (hh, m->by_block, entry, next) {
		HASH_DEL(m->by_block, entry);
		if (free_settings != NULL)
			free_settings(entry->settings);
		free(entry);
	}
	free(m);
}

bool peer_map_add(struct peer_map *m, const struct cidr *block, struct settings *settings)
{
	struct peer_entry *entry;

	if (entry_find(m, block) != NULL)
		return false;
	entry = mem_new(sizeof *entry);
	entry->key = key_of(block);
	entry->settings = settings;
	HASH_ADD(hh, m->by_block, key, sizeof entry->key, entry);
	m->has_len[block->addr.family == ADDR_V6][block->len] = true;
	return true;
}

const struct settings *peer_map_find(const struct peer_map *m, const struct addr *peer)
{
	const bool *has_len = m->has_len[peer->family == ADDR_V6];
	struct peer_entry *entry;
	struct cidr block;

	for (unsigned len = addr_bits(peer) + 1; len-- > 0;) {
		if (!has_len[len])
			continue;
		block = cidr_of(peer, len);
		entry = entry_find(m, &block);
		if (entry != NULL)
			return entry->settings;
	}
	return NULL;
}

const struct settings *door_settings(const struct door *d, const struct addr *peer)
{
	const struct settings *special = d->peers ? peer_map_find(d->peers, peer) : NULL;

	return special ? special : &d->plain;
}

struct rules *rules_ref(struct rules *r)
{
	CHECK(atomic_fetch_add(&r->refs, 1) > 0);
	return r;
}

void rules_unref(struct rules *r)
{
	unsigned before;

	if (r == NULL)
		return;
	before = atomic_fetch_sub(&r->refs, 1);
	CHECK(before > 0);
	if (before == 1)
		r->free(r);
}
