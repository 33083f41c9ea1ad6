/*
 * ring - the windows of one contributor, by wall clock, in bounded memory.
 *
 * A window is known by its number, floor(time / seconds) (D43); the newest seen and as many before
 * it as the monitor says are there (D44). Those that hold something are windows of either kind,
 * tallies of addresses or keys of texts, all in one store; the others cost a pointer.
 *
 * A window that somebody walks is pinned: it is not folded, its texts are not dropped, and when
 * time leaves it behind it lives on outside the ring until the last walk lets go of it.
 *
 * Nothing here locks, reads the clock or writes a log.
 */
#ifndef SERIES_RING_H
#define SERIES_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "series/keys.h"
#include "series/monitor.h"
#include "series/tally.h"

enum ring_kind { RING_ADDRESSES, RING_TEXTS };

struct window {
	uint64_t number;
	uint32_t pins;
	bool is_outside; /* of the ring: the last who unpins it frees it */
	struct ring *ring;
	union {
		struct tally tally;
		struct keys keys;
	};
};

struct ring {
	struct monitor monitor;
	enum ring_kind kind;
	struct store *store;
	uint64_t newest;      /* number of the current window */
	uint64_t newest_ends; /* ms: until then time changes nothing */
	uint64_t first_used;  /* no window before this one holds anything */
	uint64_t folds, keys_dropped;
	uint32_t folding; /* slot of the window that is folded at present */
	uint32_t pins;	  /* of all its windows, those outside included */
	bool is_left;	  /* its series has another one: the last who unpins something frees it */
	uint32_t slots;
	struct window **windows; /* by number % slots; NULL: never used */
};

struct ring *ring_new(struct monitor monitor, enum ring_kind kind, size_t max_bytes);
void ring_free(struct ring *r); /* nothing is pinned any more */

/* Time has come so far. It never goes back: what is earlier than the newest window changes nothing.
 * However far it jumps, what falls out is given up window by window, never entry by entry. */
void ring_advance(struct ring *r, uint64_t wall_ms);

/* The window of this number, or the newest for a later one. NULL: too old, or never used. */
struct window *ring_window(const struct ring *r, uint64_t number);
/* The same, and made where it was never used. NULL: too old. */
struct window *ring_window_made(struct ring *r, uint64_t number);
bool window_is_empty(const struct window *w);

/*
 * After additions: keeps the store within its limit, moving at most RING_MOVES_MAX entries together
 * with one addition. Folds
 * the biggest tallies; drops the least recently added texts of the oldest windows.
 */
enum { RING_MOVES_MAX = 4096 };
void ring_shrink(struct ring *r);
/* Into w, one of r's, dropping older texts where there is no room. */
enum keys_answer ring_add_text(struct ring *r, struct window *w, struct keys_text key,
			       uint64_t amount) __attribute__((warn_unused_result));

void window_pin(struct window *w);
void window_unpin(struct window *w); /* may free it */

#endif
