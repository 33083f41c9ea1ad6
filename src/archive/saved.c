#include "archive/saved.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	TEXTS_ROOM = TALLY_TURN * SERIES_KEY_MAX,
	SAY_MS = 2000, /* between two lines about a load that takes long */
};

static bool holds_anything(struct series *s, uint64_t number, bool is_texts)
{
	struct series_walk walk = { .window = number };
	struct tally_entry entries[TALLY_TURN];
	struct series_text texts[TALLY_TURN];
	struct buf room;
	bool holds;

	buf_init(&room, TEXTS_ROOM);
	holds = (is_texts ? series_walk_texts(s, &walk, &room, texts)
			  : series_walk(s, &walk, NULL, entries)) > 0;
	series_walk_end(s, &walk);
	buf_free(&room);
	return holds;
}

/* --- out ----------------------------------------------------------------------------------- */

static bool put(struct volume_writer *w, const struct tally_entry *entries, unsigned n)
{
	bool fine = true;

	for (unsigned i = 0; fine && i < n; i++)
		fine = volume_add(w, &entries[i]);
	return fine;
}

static bool put_texts(struct volume_writer *w, const struct series_text *texts, unsigned n)
{
	bool fine = true;

	for (unsigned i = 0; fine && i < n; i++)
		fine = volume_add_text(w, texts[i].key, texts[i].amount);
	return fine;
}

/* Whether it held anything; what goes wrong volume_commit tells. */
static bool put_window(struct volume_writer *w, struct series *s, uint64_t number, bool is_texts,
		       struct buf *room)
{
	struct series_walk walk = { .window = number };
	struct tally_entry entries[TALLY_TURN];
	struct series_text texts[TALLY_TURN];
	bool holds = false, fine = true;

	while (fine) {
		unsigned n = is_texts ? series_walk_texts(s, &walk, room, texts)
				      : series_walk(s, &walk, NULL, entries);

		if (n == 0)
			break;
		fine = (holds || volume_begin_window(w, number)) &&
		       (is_texts ? put_texts(w, texts, n) : put(w, entries, n));
		holds = true;
	}
	series_walk_end(s, &walk);
	return holds;
}

bool saved_write(struct series *s, const struct series_info *info, uint64_t first, uint64_t last,
		 const char *path, bool even_empty, char why[VOLUME_WHY_MAX])
{
	const struct volume_about about = {
		.is = info->is, .event = info->event, .is_defined = info->is_defined,
		.saved_ms = clock_wall_ms(),
	};
	bool is_texts = info->is.type == SERIES_STRING, holds = false;
	struct volume_writer *w;
	struct buf room;

	while (first <= last && !holds_anything(s, first, is_texts))
		first++;
	if (first > last && !even_empty)
		return true;
	w = volume_create(path, &about, why);
	if (w == NULL)
		return false;
	buf_init(&room, TEXTS_ROOM);
	for (uint64_t number = first; number <= last; number++)
		holds |= put_window(w, s, number, is_texts, &room);
	buf_free(&room);
	if (holds || even_empty)
		return volume_commit(w, why);
	volume_abandon(w);
	return true;
}

/* --- and back ------------------------------------------------------------------------------ */

struct reading {
	struct volume *volume;
	struct series *series;
	struct saved_count *count;
	const char *name;
	uint64_t said_ms;
};

static void count_entry(struct reading *r, bool loaded)
{
	r->count->entries++;
	r->count->lost += !loaded;
	if (r->count->entries % 65536 != 0 || clock_ms() - r->said_ms < SAY_MS)
		return;
	r->said_ms = clock_ms();
	log_info("series %s: %llu entries read so far", r->name,
		 (unsigned long long)r->count->entries);
}

static void read_window(struct reading *r, unsigned nth)
{
	uint64_t number = volume_window(r->volume, nth)->number;
	struct tally_entry entries[TALLY_TURN];
	struct volume_walk walk = { .nth = nth };
	unsigned n;

	while ((n = volume_next(r->volume, &walk, entries)) > 0)
		for (unsigned i = 0; i < n; i++)
			count_entry(r, series_load(r->series, number, &entries[i]));
}

static void read_texts(struct reading *r, unsigned nth)
{
	uint64_t number = volume_window(r->volume, nth)->number;
	struct series_text texts[TALLY_TURN];
	struct volume_walk walk = { .nth = nth };
	unsigned n;

	while ((n = volume_next_text(r->volume, &walk, texts)) > 0)
		for (unsigned i = 0; i < n; i++)
			count_entry(r, series_load_text(r->series, number, texts[i].key,
							texts[i].amount));
}

/* The current window's number, also after the clock stepped back (D43). */
static uint64_t newest(struct series *s)
{
	struct series_info info;
	uint64_t now;

	series_describe(s, &info);
	now = clock_wall_ms() / 1000 / info.is.monitor.seconds;
	return info.window > now ? info.window : now;
}

bool saved_read(struct volume *v, struct series *s, bool only_empty, struct saved_count *out,
		char why[VOLUME_WHY_MAX])
{
	const struct series_definition *is = &volume_about(v)->is;
	struct reading r = { v, s, out, is->name, clock_ms() };
	uint64_t now = newest(s), filled = UINT64_MAX; /* by this file, it was empty */
	bool is_texts = is->type == SERIES_STRING;

	*out = (struct saved_count){ 0 };
	for (unsigned i = 0; i < volume_windows(v) && volume_wrong(v) == NULL; i++) {
		uint64_t number = volume_window(v, i)->number;
		uint64_t to = number < now ? number : now; /* a future one counts as now (3.2) */

		if (now - to > is->monitor.windows)
			continue;
		if (only_empty && to != filled && holds_anything(s, to, is_texts))
			continue;
		filled = to;
		if (is_texts)
			read_texts(&r, i);
		else
			read_window(&r, i);
	}
	if (volume_wrong(v) != NULL)
		snprintf(why, VOLUME_WHY_MAX, "%s", volume_wrong(v));
	return volume_wrong(v) == NULL;
}
