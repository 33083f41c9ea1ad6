/* Walking one window of a series in turns. */
#include "base/check.h"
#include "base/clock.h"
#include "series/inside.h"

/* Of its first turn: the window stays until series_walk_end, whatever becomes of the series. */
static void begin(struct series *s, struct series_walk *w, enum ring_kind kind, uint64_t now_ms)
{
	struct ring *r = s->ring;
	struct window *found;

	if (w->begun)
		return;
	w->begun = true;
	w->done = true;
	if (r == NULL)
		return;
	ring_advance(r, now_ms);
	found = r->kind == kind && w->window <= r->newest ? ring_window(r, w->window) : NULL;
	if (found == NULL || window_is_empty(found))
		return;
	w->pinned = found;
	w->done = false;
	window_pin(found);
}

unsigned series_walk(struct series *s, struct series_walk *w, const struct cidr *within,
		     struct tally_entry out[TALLY_TURN])
{
	uint64_t now_ms = clock_wall_ms();
	unsigned n = 0;

	if (!w->begun && w->at.family == ADDR_NONE) {
		w->family = within != NULL ? within->addr.family : ADDR_V4;
		w->at = within != NULL ? within->addr : (struct addr){ .family = ADDR_V4 };
	}
	pthread_mutex_lock(&s->lock);
	begin(s, w, RING_ADDRESSES, now_ms);
	while (n == 0 && !w->done) {
		struct cidr all = { .addr.family = w->family };
		struct addr last = cidr_last(within != NULL ? within : &all);

		n = tally_next(&w->pinned->tally, &w->at, &last, out);
		if (w->at.family != ADDR_NONE)
			break;
		w->done = within != NULL || w->family == ADDR_V6;
		w->family = ADDR_V6;
		w->at.family = ADDR_V6; /* zeros else */
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Texts are copied into room, which may move as it grows; places in it until then. */
static unsigned copy_texts(struct series_walk *w, struct buf *room, size_t places[TALLY_TURN],
			   struct series_text out[TALLY_TURN])
{
	struct keys_entry entry;
	unsigned n = 0;

	while (n < TALLY_TURN && !w->done) {
		uint32_t cell = keys_next(&w->pinned->keys, w->text_at, &entry);

		if (cell != 0) {
			places[n] = room->len;
			if (!buf_add_slice(room, entry.text))
				break;
			out[n++] = (struct series_text){ { NULL, entry.text.len }, entry.amount };
			w->text_at = cell;
		}
		w->done = cell == 0 || cell == w->text_last;
	}
	return n;
}

unsigned series_walk_texts(struct series *s, struct series_walk *w, struct buf *room,
			   struct series_text out[TALLY_TURN])
{
	uint64_t now_ms = clock_wall_ms();
	size_t places[TALLY_TURN];
	unsigned n = 0;

	CHECK(room->max == 0 || room->max >= SERIES_KEY_MAX);
	buf_clear(room);
	pthread_mutex_lock(&s->lock);
	begin(s, w, RING_TEXTS, now_ms);
	if (w->pinned != NULL) {
		if (w->text_last == 0)
			w->text_last = w->pinned->keys.newest;
		n = copy_texts(w, room, places, out);
	}
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < n; i++)
		out[i].key.at = room->at != NULL ? room->at + places[i] : "";
	return n;
}

void series_walk_end(struct series *s, struct series_walk *w)
{
	struct ring *r, *left = NULL;

	if (w->pinned == NULL)
		return;
	r = w->pinned->ring;
	pthread_mutex_lock(&s->lock);
	window_unpin(w->pinned);
	if (r->is_left && r->pins == 0)
		left = r;
	pthread_mutex_unlock(&s->lock);
	ring_free(left);
	w->pinned = NULL;
	w->done = true;
}
