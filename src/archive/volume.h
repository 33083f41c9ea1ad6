/*
 * volume - a file of windows of one series: what `persist` saves, and what `serialize` journals.
 *
 *	header		fixed: magic, version, octets in all, where the directory is
 *	blocks		up to 256 records each: keys in order, and sums of the amounts so far
 *	directory	what the series is; each window, and of each of its blocks the first key, the
 *			sum of all before it, and a CRC-32
 *
 * Numbers are little-endian, and every octet is under one of the checksums. The directory is read
 * when a file is opened, a block when it is touched: what came from a block of addresses is the
 * difference of two sums so far, whatever else is in the file. A fold's rest (tally.h) is a record
 * like an address, with a shorter length; it comes before the addresses in its block.
 *
 * Everything here blocks: for the keeper's thread and for tools. One thread at a time has a volume.
 * A file is hostile until it was checked: none can do worse than be refused.
 */
#ifndef ARCHIVE_VOLUME_H
#define ARCHIVE_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "series/bounds.h"
#include "series/series.h"
#include "series/tally.h"

enum {
	VOLUME_VERSION = 1,
	VOLUME_WHY_MAX = 512, /* "FILE: what is wrong" */
	VOLUME_WINDOWS_MAX = MONITOR_WINDOWS_MAX + 1,
};

struct volume_about {
	struct series_definition is;
	int event;	 /* enum series_event of a built-in one; -1 */
	bool is_defined; /* from Lua */
	uint64_t saved_ms; /* wall clock */
};

/*
 * Writing: to FILE.new beside it, which nobody else may be writing. What goes wrong on the way is
 * kept, and volume_commit tells it; the calls between may ignore it, or stop early when they see
 * false. Windows come in ascending order, entries as series_walk gives them, texts likewise. An
 * amount of 0 is left out.
 */
struct volume_writer;

/* NULL: why[] says. */
struct volume_writer *volume_create(const char *path, const struct volume_about *about,
				    char why[VOLUME_WHY_MAX]);
bool volume_begin_window(struct volume_writer *w, uint64_t number);
bool volume_add(struct volume_writer *w, const struct tally_entry *entry);
bool volume_add_text(struct volume_writer *w, struct slice key, uint64_t amount);
/* What was written so far, in octets: who must not write too much at once looks here. */
uint64_t volume_written(const struct volume_writer *w);
/* On the disk under its own name, or false: why[] says, and the old file is as it was. Frees w. */
bool volume_commit(struct volume_writer *w, char why[VOLUME_WHY_MAX])
	__attribute__((warn_unused_result));
/* The old file is as it was. Frees w; NULL is harmless. */
void volume_abandon(struct volume_writer *w);

struct volume;

/* The directory is read and checked. NULL: why[] says. */
struct volume *volume_open(const char *path, char why[VOLUME_WHY_MAX]);
struct volume *volume_open_at(int dir, const char *file, char why[VOLUME_WHY_MAX]);
void volume_close(struct volume *v); /* NULL is harmless */

/* Of all that follows: what went wrong first, "FILE: ..."; NULL: nothing did. */
const char *volume_wrong(const struct volume *v);

const struct volume_about *volume_about(const struct volume *v); /* borrowed */

struct volume_window {
	uint64_t number;
	uint64_t sums[TALLY_FAMILIES]; /* IPv4, IPv6 */
	uint64_t texts;		       /* their sum */
	uint64_t records;
};
unsigned volume_windows(const struct volume *v);
const struct volume_window *volume_window(const struct volume *v, unsigned nth);

/* Every block is read and checked, so that who loads all of it never stops half way. */
bool volume_check(struct volume *v) __attribute__((warn_unused_result));

/* What the nth window has of the block; false: volume_wrong says. */
bool volume_sum(struct volume *v, unsigned nth, const struct cidr *block, struct bounds *out)
	__attribute__((warn_unused_result));

/*
 * Walking a window. Zeroed but for nth: all of it. first and last, of one family, narrow it to the
 * addresses between them, and to the rests that begin there. level, unless 0, cuts addresses and
 * rests longer than it to that length and adds up what falls together; blocks that hold nothing
 * else are then not read.
 */
struct volume_walk {
	unsigned nth;
	unsigned level;
	struct addr first, last;
	unsigned section, block, record;
	bool begun;
};
/* How many; 0: the end, or volume_wrong says. */
unsigned volume_next(struct volume *v, struct volume_walk *w, struct tally_entry out[TALLY_TURN]);
/* Keys are borrowed until the next call of anything here. */
unsigned volume_next_text(struct volume *v, struct volume_walk *w,
			  struct series_text out[TALLY_TURN]);

#endif
