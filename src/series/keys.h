/*
 * keys - amounts by text in one window, what tally.h is for addresses: least recently added first.
 *
 * Entries and the table that finds them are cells of the series' store, so what they cost is what
 * the store counts, and a window is dropped by giving back its chunks, whatever is in them. The
 * table is a linear hash: it grows by one chain at a time, so that no addition moves more than the
 * entries of one.
 *
 * Texts are hostile: the hash has a secret (hash.h). While somebody walks, order and entries stay
 * as they are: what is added again keeps its place, what is taken away keeps it with nothing left.
 *
 * Nothing here locks or reads a clock.
 */
#ifndef SERIES_KEYS_H
#define SERIES_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "series/store.h"

/* Zeroed but for store: empty. */
struct keys {
	struct store *store; /* borrowed */
	struct store_owner owner;
	uint32_t *pages;  /* of chains: cells, PAGE_CHAINS heads in each */
	uint32_t chains;  /* in use */
	uint32_t entries; /* those with nothing left included */
	uint32_t oldest, newest;
	uint64_t sum;
	bool is_pinned;
};

/* The caller looks for one text in many windows: it is hashed once. */
struct keys_text {
	struct slice text; /* at most SERIES_KEY_MAX octets */
	uint32_t hash;
};
struct keys_text keys_text(struct slice text);

enum keys_answer { KEYS_ADDED, KEYS_TOO_MUCH, KEYS_NO_ROOM };

/* amount > 0. KEYS_TOO_MUCH: the sum would pass AMOUNT_MAX. Neither changes anything. */
enum keys_answer keys_add(struct keys *k, struct keys_text key, uint64_t amount)
	__attribute__((warn_unused_result));
/* Take away at most this; what was. An entry that has nothing left is gone (D58). */
uint64_t keys_take(struct keys *k, struct keys_text key, uint64_t amount);
uint64_t keys_amount(const struct keys *k, struct keys_text key); /* 0: it is not there */

/* Drop the least recently added one; false: there is none, or it is pinned. */
bool keys_drop_oldest(struct keys *k);
void keys_clear(struct keys *k); /* all of them, at once; the store keeps the chunks for a while */

struct keys_entry {
	struct slice text; /* good until the next change */
	uint64_t amount;
};
/* The entry after this cell, oldest first; 0 at the start, and for the end. Pin it between two
 * calls. */
uint32_t keys_next(const struct keys *k, uint32_t after, struct keys_entry *out);

#endif
