/*
 * arena - memory for things that die together, under a limit.
 *
 * Nothing is freed alone. Past the limit arena_take answers NULL: what is built in an arena is
 * sized by scripts and by peers. arena_reset keeps the first block, so that a run of the usual
 * size takes nothing from the heap.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/buf.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used;  /* bytes handed out */
	size_t limit;
};

void arena_init(struct arena *a, size_t limit);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);

/* Zeroed, aligned for anything; NULL: over the limit. */
void *arena_take(struct arena *a, size_t size);
bool arena_copy(struct arena *a, struct slice from, struct slice *out)
	__attribute__((warn_unused_result));

#endif
