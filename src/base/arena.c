#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_FIRST = 4 << 10, BLOCK_MAX = 64 << 10, ALIGN = alignof(max_align_t) };

/* Newest first; the oldest, of the usual size, is the one that a reset keeps. */
struct arena_block {
	struct arena_block *older;
	size_t size;
	size_t used;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

static void free_down_to(struct arena *a, const struct arena_block *keep)
{
	while (a->blocks != keep) {
		struct arena_block *older = a->blocks->older;

		free(a->blocks);
		a->blocks = older;
	}
	a->used = 0;
}

void arena_free(struct arena *a)
{
	free_down_to(a, NULL);
}

void arena_reset(struct arena *a)
{
	struct arena_block *first = a->blocks;

	if (first == NULL)
		return;
	while (first->older != NULL)
		first = first->older;
	free_down_to(a, first->size == BLOCK_FIRST ? first : NULL);
	if (a->blocks != NULL)
		a->blocks->used = 0;
}

static void block_add(struct arena *a, size_t size)
{
	size_t usual = a->blocks == NULL ? BLOCK_FIRST : a->blocks->size * 2;
	struct arena_block *block;

	if (usual > BLOCK_MAX)
		usual = BLOCK_MAX;
	if (size < usual)
		size = usual;
	block = mem_resize(NULL, 1, sizeof *block + size);
	*block = (struct arena_block){ .older = a->blocks, .size = size };
	a->blocks = block;
}

void *arena_take(struct arena *a, size_t size)
{
	struct arena_block *block = a->blocks;
	void *at;

	if (size > a->limit - a->used)
		return NULL;
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (size > a->limit - a->used)
		return NULL;
	if (block == NULL || size > block->size - block->used) {
		block_add(a, size);
		block = a->blocks;
	}
	at = block->bytes + block->used;
	block->used += size;
	a->used += size;
	return memset(at, 0, size);
}

bool arena_copy(struct arena *a, struct slice from, struct slice *out)
{
	char *at = arena_take(a, from.len);

	if (at == NULL)
		return false;
	if (from.len > 0)
		memcpy(at, from.at, from.len);
	*out = (struct slice){ at, from.len };
	return true;
}
