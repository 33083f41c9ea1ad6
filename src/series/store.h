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

enum { STORE_CELL_MAX = 2048, STORE_CLASSES = 20 };

/* The lists of chunks of one owner. Zeroed: none. */
struct store_owner {
	uint32_t partial[STORE_CLASSES];
	uint32_t chunks; /* all of them, chained */
	uint32_t count;
};

/* limit: of chunks, in bytes; a quarter more is there for what cannot wait for a fold. */
struct store *store_new(size_t limit);
void store_free(struct store *s);

/* 0: there is none. Filled with anything. */
uint32_t store_alloc(struct store *s, struct store_owner *o, size_t bytes)
	__attribute__((warn_unused_result));
void store_release(struct store *s, struct store_owner *o, uint32_t cell);
void *store_at(const struct store *s, uint32_t cell);

/* All that o has goes into the queue of the dropped, at once. */
void store_drop(struct store *s, struct store_owner *o);
/* Give up to so many dropped chunks back to the system; how many. 0: there are none. */
unsigned store_drop_some(struct store *s, unsigned most);

bool store_is_over(const struct store *s); /* more than the limit is in use: fold something */
size_t store_bytes(const struct store *s); /* chunks that are resident, dropped ones included */
size_t store_limit(const struct store *s);

#endif
