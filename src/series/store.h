/*
 * store - the memory of one series, handed out in small cells, and counted.
 *
 * A reserved range of addresses that costs nothing until it is touched, cut into chunks of 4 KiB.
 * A chunk belongs to one owner (a window), and holds cells of one size. What counts against the
 * limit is chunks, so the figure is what the system sees as resident. An owner that is dropped
 * gives back its chunks without a look at what is in them.
 *
 * A cell is named by a number, its place in steps of 16 bytes; 0 names none. Under the lock of the
 * series, all of it.
 */
#ifndef SERIES_STORE_H
#define SERIES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum { STORE_UNIT = 16, STORE_CELL_MAX = 2048, STORE_CLASSES = 20 };
#define STORE_LIMIT_MAX ((size_t)4 << 30)

/* The chunks of one owner, in lists. Zeroed: none. */
struct store_owner {
	uint32_t partial[STORE_CLASSES]; /* with a cell to give */
	uint32_t full;
	uint32_t chunks; /* in all */
	uint32_t units;	 /* that its cells take */
};

/* limit: of chunks, in bytes, cut to STORE_LIMIT_MAX; a quarter more is there for what cannot wait
 * for a fold. */
struct store *store_new(size_t limit);
void store_free(struct store *s);

/* 0: there is none. Filled with anything, aligned to 16; one of 256 bytes is aligned to that. */
uint32_t store_alloc(struct store *s, struct store_owner *o, size_t bytes)
	__attribute__((warn_unused_result));
void store_release(struct store *s, struct store_owner *o, uint32_t cell);
size_t store_size(const struct store *s, uint32_t cell); /* of the cell: at least what was asked */

/* Many of its chunks are half empty: moving what is in them would be worth it. */
bool store_is_sparse(const struct store_owner *o);
/* Moved, if there is a fuller chunk for it: where it is now. */
uint32_t store_pack(struct store *s, struct store_owner *o, uint32_t cell);

/* Up to 64 bytes past any cell can be read, whatever they hold. */
static inline void *store_at(const struct store *s, uint32_t cell)
{
	return (unsigned char *)s + (size_t)cell * STORE_UNIT;
}

/* All that o has is free at once, for whoever needs it next, and for store_drop_some. */
void store_drop(struct store *s, struct store_owner *o);
/* Give up to so many free chunks back to the system; how many. 0: only a small reserve is left. */
unsigned store_drop_some(struct store *s, unsigned most);

/* Fold something. Not only chunks count but what is in them, so that a fold whose cells lie among
 * others in chunks that stay is a step too. */
bool store_is_over(const struct store *s);
size_t store_bytes(const struct store *s); /* chunks that are resident, free ones included */
size_t store_limit(const struct store *s);

#endif
