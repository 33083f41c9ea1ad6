/* One hash table of exact addresses: what one would write first. Answers no prefix, takes
 * no lock. */
#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"
#include "kind.h"

struct entry {
	uint64_t key[2];
	uint32_t count;
	UT_hash_handle hh;
};

struct table {
	struct entry *entries;
	unsigned key_size;
};

static void *table_new(enum addr_family family)
{
	struct table *t = mem_new(sizeof *t);

	t->key_size = family == ADDR_V4 ? 8 : 16;
	return t;
}

static void table_free(void *counter)
{
	struct table *t = counter;
	struct entry *e, *next;

	HASH_ITER (hh, t->entries, e, next) {
		HASH_DEL(t->entries, e);
		free(e);
	}
	free(t);
}

static struct entry *find(const struct table *t, const struct addr *addr)
{
	uint64_t key[2] = { addr->hi, addr->lo };
	struct entry *e;

	HASH_FIND(hh, t->entries, key, t->key_size, e);
	return e;
}

static void table_enter(void *counter, const struct addr *addr)
{
	struct table *t = counter;
	struct entry *e = find(t, addr);

	if (e == NULL) {
		e = mem_new(sizeof *e);
		e->key[0] = addr->hi;
		e->key[1] = addr->lo;
		HASH_ADD_KEYPTR(hh, t->entries, e->key, t->key_size, e);
	}
	e->count++;
}

static void table_leave(void *counter, const struct addr *addr)
{
	struct table *t = counter;
	struct entry *e = find(t, addr);

	if (--e->count == 0) {
		HASH_DEL(t->entries, e);
		free(e);
	}
}

const struct kind kind_uthash = { "uthash", table_new, table_free, table_enter, table_leave };
