#include "series/ring.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct ring *ring_new(struct monitor monitor, enum ring_kind kind, size_t max_bytes)
{
	struct ring *r = mem_new(sizeof *r);

	r->monitor = monitor;
	r->kind = kind;
	r->store = store_new(max_bytes);
	r->slots = monitor.windows + 1;
	r->windows = mem_array(r->slots, sizeof *r->windows);
	return r;
}

static void window_clear(struct window *w)
{
	switch (w->ring->kind) {
	case RING_ADDRESSES:
		tally_clear(&w->tally);
		break;
	case RING_TEXTS:
		keys_clear(&w->keys);
		break;
	}
}

static void window_free(struct window *w)
{
	window_clear(w);
	free(w);
}

void ring_free(struct ring *r)
{
	if (r == NULL)
		return;
	CHECK(r->pins == 0);
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->windows[i] != NULL)
			window_free(r->windows[i]);
	store_free(r->store);
	free(r->windows);
	free(r);
}

/* Its place is somebody else's now; the window itself is used again, unless somebody is in it. */
static void retire(struct window **slot)
{
	struct window *w = *slot;

	if (w == NULL)
		return;
	if (w->pins == 0) {
		window_clear(w);
		return;
	}
	w->is_outside = true;
	*slot = NULL;
}

void ring_advance(struct ring *r, uint64_t wall_ms)
{
	uint64_t length = (uint64_t)r->monitor.seconds * 1000, number, fallen;

	if (wall_ms < r->newest_ends)
		return;
	number = wall_ms / length;
	fallen = number - r->newest < r->slots ? number - r->newest : r->slots;
	for (uint64_t n = r->newest + 1; n <= r->newest + fallen; n++)
		retire(&r->windows[n % r->slots]);
	r->newest = number;
	r->newest_ends = (number + 1) * length;
}

static bool is_too_old(const struct ring *r, uint64_t number)
{
	return r->newest - number >= r->slots;
}

struct window *ring_window(const struct ring *r, uint64_t number)
{
	struct window *w;

	if (number > r->newest)
		number = r->newest;
	if (is_too_old(r, number))
		return NULL;
	w = r->windows[number % r->slots];
	return w != NULL && w->number == number ? w : NULL;
}

struct window *ring_window_made(struct ring *r, uint64_t number)
{
	struct window **slot;

	if (number > r->newest)
		number = r->newest;
	if (is_too_old(r, number))
		return NULL;
	if (number < r->first_used)
		r->first_used = number;
	slot = &r->windows[number % r->slots];
	if (*slot == NULL) {
		*slot = mem_new(sizeof **slot);
		(*slot)->ring = r;
		switch (r->kind) {
		case RING_ADDRESSES:
			(*slot)->tally.store = r->store;
			break;
		case RING_TEXTS:
			(*slot)->keys.store = r->store;
			break;
		}
	}
	(*slot)->number = number; /* what was there before has been retired */
	return *slot;
}

bool window_is_empty(const struct window *w)
{
	switch (w->ring->kind) {
	case RING_ADDRESSES:
		for (unsigned i = 0; i < TALLY_FAMILIES; i++)
			if (w->tally.sums[i] > 0)
				return false;
		break;
	case RING_TEXTS:
		return w->keys.sum == 0;
	}
	return true;
}

static bool can_fold(const struct window *w)
{
	return w != NULL && w->pins == 0 && w->tally.owner.chunks > 0;
}

/* The slot of the biggest one that can be folded, if any can. */
static uint32_t biggest(const struct ring *r)
{
	uint32_t found = 0, most = 0;

	for (uint32_t i = 0; i < r->slots; i++) {
		if (!can_fold(r->windows[i]) || r->windows[i]->tally.owner.chunks <= most)
			continue;
		most = r->windows[i]->tally.owner.chunks;
		found = i;
	}
	return found;
}

enum {
	BURST_MAX = 64, /* what the addition itself may have moved */
	FOLDS_MAX = (RING_MOVES_MAX - BURST_MAX) / FOLD_MOVES_MAX,
	CHOOSE_EVERY = 64, /* folds: there may be 2,000 windows to look at */
};

static void shrink_tallies(struct ring *r)
{
	for (unsigned n = 0; n < FOLDS_MAX && store_is_over(r->store); n++) {
		if (r->folds % CHOOSE_EVERY == 0 || !can_fold(r->windows[r->folding]))
			r->folding = biggest(r);
		if (!can_fold(r->windows[r->folding]) ||
		    tally_fold(&r->windows[r->folding]->tally) == 0)
			break;
		r->folds++;
	}
}

/* Of the oldest window that has one to give. Those before first_used have none, and it only looks
 * on from there. */
static bool drop_one_text(struct ring *r)
{
	uint64_t oldest = r->newest < r->slots ? 0 : r->newest - r->slots + 1;
	bool is_first = true;

	if (r->first_used < oldest)
		r->first_used = oldest;
	for (uint64_t n = r->first_used; n <= r->newest; n++) {
		struct window *w = ring_window(r, n);
		uint64_t sum;

		if (w == NULL || w->keys.entries == 0) {
			r->first_used += is_first;
			continue;
		}
		is_first = false;
		sum = w->keys.sum;
		if (keys_drop_oldest(&w->keys)) {
			r->keys_dropped += w->keys.sum != sum; /* it may have nothing left */
			return true;
		}
	}
	return false;
}

/* Two for one would do, but texts differ in size, and a chunk goes with the last text in it. */
enum { DROPS_MAX = 256 };

static void shrink_texts(struct ring *r)
{
	for (unsigned n = 0; n < DROPS_MAX && store_is_over(r->store); n++)
		if (!drop_one_text(r))
			break;
}

void ring_shrink(struct ring *r)
{
	switch (r->kind) {
	case RING_ADDRESSES:
		shrink_tallies(r);
		break;
	case RING_TEXTS:
		shrink_texts(r);
		break;
	}
}

enum keys_answer ring_add_text(struct ring *r, struct window *w, struct keys_text key,
			       uint64_t amount)
{
	enum keys_answer answer = keys_add(&w->keys, key, amount);

	for (unsigned n = DROPS_MAX; n < RING_MOVES_MAX && answer == KEYS_NO_ROOM; n++) {
		if (!drop_one_text(r))
			break;
		answer = keys_add(&w->keys, key, amount);
	}
	if (answer == KEYS_NO_ROOM)
		r->keys_dropped++; /* this one */
	ring_shrink(r);
	return answer;
}

void window_pin(struct window *w)
{
	w->ring->pins++;
	if (w->pins++ > 0)
		return;
	if (w->ring->kind == RING_TEXTS)
		w->keys.is_pinned = true;
}

void window_unpin(struct window *w)
{
	CHECK(w->pins > 0);
	w->ring->pins--;
	if (--w->pins > 0)
		return;
	if (w->ring->kind == RING_TEXTS)
		w->keys.is_pinned = false;
	if (w->is_outside)
		window_free(w);
}
