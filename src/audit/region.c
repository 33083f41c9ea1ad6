#include "audit/region.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "audit/seq.h"
#include "base/check.h"

enum {
	CHUNK = 4096,
	CHUNK_UNITS = CHUNK / REGION_UNIT,
	CHUNKS = (1u << REGION_UNIT_BITS) / CHUNK_UNITS,
	HUGE = 2 << 20,
	GUARD = 8 * CHUNK, /* a reader with a stale name may run past the end of the last chunk */
	SMALL = HUGE,	   /* up to here small pages: most trees are small, and there are many */
	RESERVE = 32,
};

/* What is known of a chunk. Its free cells are chained through their first word. */
struct chunk {
	uint32_t next, prev; /* in the arena's list, or in the region's; 0: none */
	uint16_t used;	     /* cells handed out */
	uint16_t free;	     /* the first free cell, plus 1 */
	uint16_t fresh;	     /* cells from here on were never handed out */
	uint8_t class;
	uint8_t arena;
};

/* In units. Steps of at most a third, so a cell wastes an eighth on average. */
static const uint8_t class_units[REGION_CLASSES] = { 1,	 2,  4,	 6,  8,	 10, 12, 14, 16,
						     20, 24, 28, 32, 40, 48, 56, 64 };

unsigned region_class(size_t bytes)
{
	unsigned class = 0;

	CHECK(bytes <= REGION_CELL_MAX);
	while (region_class_size(class) < bytes)
		class++;
	return class;
}

unsigned region_class_size(unsigned class)
{
	return class_units[class] * REGION_UNIT;
}

static const size_t range = (size_t)CHUNKS * CHUNK + GUARD;
static const size_t range_all = (size_t)CHUNKS * CHUNK + GUARD + CHUNKS * sizeof(struct chunk);

static _Noreturn void out_of_memory(const char *what)
{
	fprintf(stderr, "fatal: out of memory: %s\n", what);
	exit(71); /* EX_OSERR */
}

struct region *region_new(size_t fixed)
{
	unsigned char *at = mmap(NULL, range_all + HUGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip = HUGE - (uintptr_t)at % HUGE;
	struct region *r;

	if (at == MAP_FAILED)
		out_of_memory("no address range for a tree");
	munmap(at, skip);
	at += skip;
	munmap(at + range_all, HUGE - skip);
	madvise(at, range_all, MADV_NOHUGEPAGE);
	r = (struct region *)at;
	r->fixed = (uint32_t)((fixed + CHUNK - 1) / CHUNK);
	r->fresh = r->fixed;
	r->chunks = (struct chunk *)(at + range);
	return r;
}

void region_free(struct region *r)
{
	if (r != NULL)
		munmap(r, range_all);
}

static void *chunk_at(struct region *r, uint32_t chunk)
{
	return (unsigned char *)r + (size_t)chunk * CHUNK;
}

static uint32_t pop(struct region *r, uint32_t *list, uint32_t *count)
{
	uint32_t chunk = *list;

	*list = r->chunks[chunk].next;
	--*count;
	return chunk;
}

static void push(struct region *r, uint32_t *list, uint32_t *count, uint32_t chunk)
{
	r->chunks[chunk].next = *list;
	*list = chunk;
	++*count;
}

/* A tree that has grown wants few translations more than it minds whole pages. */
static void use_huge_pages(struct region *r, uint32_t chunk)
{
	unsigned char *at = chunk_at(r, chunk);

	if ((uintptr_t)at % HUGE == 0 && at >= (unsigned char *)r + SMALL)
		madvise(at, HUGE, MADV_HUGEPAGE);
}

static uint32_t chunk_take(struct region *r, unsigned arena, unsigned class)
{
	uint32_t chunk;

	seq_lock(&r->lock);
	if (r->warm != 0) {
		chunk = pop(r, &r->warm, &r->warm_count);
	} else if (r->cold != 0) {
		chunk = pop(r, &r->cold, &r->cold_count);
	} else {
		if (r->fresh == CHUNKS)
			out_of_memory("a tree is full");
		chunk = r->fresh++;
		use_huge_pages(r, chunk);
	}
	seq_unlock(&r->lock);
	r->chunks[chunk] = (struct chunk){ .class = (uint8_t)class, .arena = (uint8_t)arena };
	return chunk;
}

/* In use and in reserve. */
static uint32_t resident(const struct region *r)
{
	return r->fresh - r->fixed - r->cold_count;
}

static void chunk_give(struct region *r, uint32_t chunk)
{
	uint32_t surplus = 0;

	seq_lock(&r->lock);
	push(r, &r->warm, &r->warm_count, chunk);
	if (r->warm_count > RESERVE + resident(r) / 8)
		surplus = pop(r, &r->warm, &r->warm_count);
	seq_unlock(&r->lock);
	if (surplus == 0)
		return;
	/* Nobody has its name while this takes its time. */
	madvise(chunk_at(r, surplus), CHUNK, MADV_DONTNEED);
	seq_lock(&r->lock);
	push(r, &r->cold, &r->cold_count, surplus);
	seq_unlock(&r->lock);
}

static void list_add(struct region *r, uint32_t *list, uint32_t chunk)
{
	r->chunks[chunk].prev = 0;
	r->chunks[chunk].next = *list;
	if (*list != 0)
		r->chunks[*list].prev = chunk;
	*list = chunk;
}

static void list_remove(struct region *r, uint32_t *list, uint32_t chunk)
{
	const struct chunk *c = &r->chunks[chunk];

	if (c->next != 0)
		r->chunks[c->next].prev = c->prev;
	if (c->prev != 0)
		r->chunks[c->prev].next = c->next;
	else
		*list = c->next;
}

uint32_t region_alloc(struct region *r, unsigned arena, unsigned class)
{
	struct region_arena *a = &r->arenas[arena];
	unsigned units = class_units[class], cell;
	uint32_t chunk, unit;
	struct chunk *c;

	seq_lock(&a->lock);
	if (a->partial[class] == 0)
		list_add(r, &a->partial[class], chunk_take(r, arena, class));
	chunk = a->partial[class];
	c = &r->chunks[chunk];
	cell = c->free ? c->free - 1u : c->fresh++;
	unit = chunk * CHUNK_UNITS + cell * units;
	if (c->free)
		c->free = (uint16_t)*(uint32_t *)region_at(r, unit);
	if (++c->used == CHUNK_UNITS / units)
		list_remove(r, &a->partial[class], chunk);
	seq_unlock(&a->lock);
	return unit;
}

void region_release(struct region *r, uint32_t unit)
{
	uint32_t chunk = unit / CHUNK_UNITS;
	struct chunk *c = &r->chunks[chunk];
	struct region_arena *a = &r->arenas[c->arena];
	unsigned units = class_units[c->class], cell = unit % CHUNK_UNITS / units;
	uint32_t *list = &a->partial[c->class];
	bool is_empty;

	seq_lock(&a->lock);
	if (c->used-- == CHUNK_UNITS / units)
		list_add(r, list, chunk);
	is_empty = c->used == 0;
	if (is_empty) {
		list_remove(r, list, chunk);
	} else {
		PUT((uint32_t *)region_at(r, unit), c->free);
		c->free = (uint16_t)(cell + 1);
	}
	seq_unlock(&a->lock);
	if (is_empty)
		chunk_give(r, chunk);
}

void region_trim(struct region *r)
{
	unsigned char *end;

	seq_lock(&r->lock);
	end = chunk_at(r, r->fresh);
	/* Of a huge page, what no chunk has used yet. */
	madvise(end, HUGE - (uintptr_t)end % HUGE, MADV_DONTNEED);
	while (r->warm != 0) {
		uint32_t chunk = pop(r, &r->warm, &r->warm_count);

		madvise(chunk_at(r, chunk), CHUNK, MADV_DONTNEED);
		push(r, &r->cold, &r->cold_count, chunk);
	}
	seq_unlock(&r->lock);
}

size_t region_bytes(const struct region *r)
{
	struct region *unlocked = (struct region *)r; /* the lock is no part of its value */
	size_t bytes;

	seq_lock(&unlocked->lock);
	bytes = (size_t)resident(r) * (CHUNK + sizeof(struct chunk));
	seq_unlock(&unlocked->lock);
	return bytes;
}
