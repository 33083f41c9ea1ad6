#include "series/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

enum {
	CHUNK = 4096,
	CHUNK_UNITS = CHUNK / STORE_UNIT,
	GUARD = CHUNK, /* a vector may be read past the end of the last cell */
	RESERVE = 8,
};

/* What is known of a chunk. Its free cells are chained through their first word. */
struct chunk {
	uint32_t next, prev; /* in one of its owner's lists; 0: none */
	uint16_t used;	     /* cells handed out */
	uint16_t free;	     /* the first free cell, plus 1 */
	uint16_t fresh;	     /* cells from here on were never handed out */
	uint16_t class;
};

/* At the start of its own range, in chunk 0, which is nobody's. */
struct store {
	struct chunk *chunks;
	size_t limit, range; /* bytes */
	uint64_t units;	     /* that cells take */
	size_t owed;	     /* bytes to be released, or a chunk, since one was refused */
	uint32_t count;	     /* chunks there are, */
	uint32_t fresh;	     /* the first never used, */
	uint32_t used;	     /* and those that somebody has */
	uint32_t warm;	     /* free ones that still have their page, see chain_push, */
	uint32_t cold;	     /* and those that gave it back */
	uint32_t warm_count, cold_count;
};

/* In units. Few, for cells of one size cannot be had from chunks of another; and such that little
 * of a chunk is left over. */
static const uint8_t class_units[STORE_CLASSES] = { 1,	2,  3,	4,  6,	8,  10, 12, 14, 16,
						    18, 21, 25, 28, 32, 36, 42, 51, 64, 128 };

static unsigned class_of(size_t bytes)
{
	unsigned class = 0;

	CHECK(bytes <= STORE_CELL_MAX);
	while ((size_t)class_units[class] * STORE_UNIT < bytes)
		class++;
	return class;
}

static _Noreturn void out_of_memory(void)
{
	fprintf(stderr, "fatal: out of memory: no address range for a series\n");
	exit(71); /* EX_OSERR */
}

struct store *store_new(size_t limit)
{
	size_t count, range;
	unsigned char *at;
	struct store *s;

	if (limit > STORE_LIMIT_MAX)
		limit = STORE_LIMIT_MAX;
	count = 2 + limit / CHUNK * 5 / 4;
	range = count * (CHUNK + sizeof(struct chunk)) + GUARD;
	at = mmap(NULL, range, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (at == MAP_FAILED)
		out_of_memory();
	/* A huge page would spare a sum over many windows a fifth of its time, and cost the event
	 * that touches it first 7 ms. */
	madvise(at, range, MADV_NOHUGEPAGE);
	s = (struct store *)(void *)at;
	s->chunks = (struct chunk *)(void *)(at + count * CHUNK + GUARD);
	s->limit = limit;
	s->range = range;
	s->count = (uint32_t)count;
	s->fresh = 1;
	return s;
}

void store_free(struct store *s)
{
	if (s != NULL)
		munmap(s, s->range);
}

static void list_add(struct store *s, uint32_t *list, uint32_t chunk)
{
	s->chunks[chunk].prev = 0;
	s->chunks[chunk].next = *list;
	if (*list != 0)
		s->chunks[*list].prev = chunk;
	*list = chunk;
}

static void list_remove(struct store *s, uint32_t *list, uint32_t chunk)
{
	const struct chunk *c = &s->chunks[chunk];

	if (c->next != 0)
		s->chunks[c->next].prev = c->prev;
	if (c->prev != 0)
		s->chunks[c->prev].next = c->next;
	else
		*list = c->next;
}

/* A whole list becomes free in one step: the first one's prev, which it does not need, names the
 * chain that was pushed before. */
static void chain_push(struct store *s, uint32_t first)
{
	s->chunks[first].prev = s->warm;
	s->warm = first;
}

static uint32_t warm_pop(struct store *s)
{
	uint32_t chunk = s->warm, next = s->chunks[chunk].next;

	if (next != 0)
		s->chunks[next].prev = s->chunks[chunk].prev;
	s->warm = next != 0 ? next : s->chunks[chunk].prev;
	s->warm_count--;
	return chunk;
}

static void *chunk_at(struct store *s, uint32_t chunk)
{
	return (unsigned char *)s + (size_t)chunk * CHUNK;
}

static uint32_t chunk_take(struct store *s)
{
	uint32_t chunk;

	if (s->warm != 0)
		return warm_pop(s);
	if (s->cold == 0)
		return s->fresh < s->count ? s->fresh++ : 0;
	chunk = s->cold;
	s->cold = s->chunks[chunk].next;
	s->cold_count--;
	return chunk;
}

static bool chunk_open(struct store *s, struct store_owner *o, unsigned class)
{
	uint32_t chunk = chunk_take(s);

	if (chunk == 0) {
		s->owed = CHUNK;
		return false;
	}
	s->chunks[chunk] = (struct chunk){ .class = (uint16_t)class };
	list_add(s, &o->partial[class], chunk);
	o->chunks++;
	s->used++;
	return true;
}

uint32_t store_alloc(struct store *s, struct store_owner *o, size_t bytes)
{
	unsigned class = class_of(bytes), units = class_units[class], cell;
	uint32_t chunk, name;
	struct chunk *c;

	if (o->partial[class] == 0 && !chunk_open(s, o, class))
		return 0;
	chunk = o->partial[class];
	c = &s->chunks[chunk];
	cell = c->free ? c->free - 1u : c->fresh++;
	name = chunk * CHUNK_UNITS + cell * units;
	if (c->free)
		c->free = (uint16_t)*(uint32_t *)store_at(s, name);
	if (++c->used == CHUNK_UNITS / units) {
		list_remove(s, &o->partial[class], chunk);
		list_add(s, &o->full, chunk);
	}
	o->units += units;
	s->units += units;
	return name;
}

static void chunk_close(struct store *s, struct store_owner *o, uint32_t chunk)
{
	list_remove(s, &o->partial[s->chunks[chunk].class], chunk);
	s->chunks[chunk].next = 0;
	chain_push(s, chunk);
	s->warm_count++;
	o->chunks--;
	s->used--;
	s->owed = 0;
}

/* A chunk that is no longer full comes first, so that the fullest are filled up and the others can
 * become empty. */
void store_release(struct store *s, struct store_owner *o, uint32_t cell)
{
	uint32_t chunk = cell / CHUNK_UNITS;
	struct chunk *c = &s->chunks[chunk];
	unsigned units = class_units[c->class];

	CHECK(c->used > 0);
	o->units -= units;
	s->units -= units;
	s->owed -= s->owed < units * STORE_UNIT ? s->owed : units * STORE_UNIT;
	if (c->used-- == CHUNK_UNITS / units) {
		list_remove(s, &o->full, chunk);
		list_add(s, &o->partial[c->class], chunk);
	}
	*(uint32_t *)store_at(s, cell) = c->free;
	c->free = (uint16_t)(cell % CHUNK_UNITS / units + 1);
	if (c->used == 0)
		chunk_close(s, o, chunk);
}

size_t store_size(const struct store *s, uint32_t cell)
{
	return (size_t)class_units[s->chunks[cell / CHUNK_UNITS].class] * STORE_UNIT;
}

bool store_is_sparse(const struct store_owner *o)
{
	return (uint64_t)o->units * 8 < (uint64_t)o->chunks * CHUNK_UNITS * 7;
}

uint32_t store_pack(struct store *s, struct store_owner *o, uint32_t cell)
{
	uint32_t chunk = cell / CHUNK_UNITS, to;
	const struct chunk *c = &s->chunks[chunk];
	size_t size = (size_t)class_units[c->class] * STORE_UNIT;

	to = o->partial[c->class];
	if (c->used * size > CHUNK / 4 * 3 || to == chunk || s->chunks[to].used < c->used)
		return cell;
	to = store_alloc(s, o, size);
	memcpy(store_at(s, to), store_at(s, cell), size);
	store_release(s, o, cell);
	return to;
}

void store_drop(struct store *s, struct store_owner *o)
{
	for (unsigned class = 0; class < STORE_CLASSES; class++)
		if (o->partial[class] != 0)
			chain_push(s, o->partial[class]);
	if (o->full != 0)
		chain_push(s, o->full);
	if (o->chunks > 0)
		s->owed = 0;
	s->warm_count += o->chunks;
	s->used -= o->chunks;
	s->units -= o->units;
	*o = (struct store_owner){ .chunks = 0 };
}

unsigned store_drop_some(struct store *s, unsigned most)
{
	unsigned n = 0;

	for (; n < most && s->warm_count > RESERVE; n++) {
		uint32_t chunk = warm_pop(s);

		madvise(chunk_at(s, chunk), CHUNK, MADV_DONTNEED);
		s->chunks[chunk].next = s->cold;
		s->cold = chunk;
		s->cold_count++;
	}
	return n;
}

bool store_is_over(const struct store *s)
{
	return s->owed > 0 ||
	       s->units * STORE_UNIT + (uint64_t)s->used * CHUNK > 2 * (uint64_t)s->limit;
}

size_t store_bytes(const struct store *s)
{
	return (size_t)(s->fresh - 1 - s->cold_count) * (CHUNK + sizeof(struct chunk));
}

size_t store_limit(const struct store *s)
{
	return s->limit;
}
