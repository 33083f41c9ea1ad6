/*
 * history - what journals say: queries (query.h) answered from a directory of volumes (volume.h).
 *
 * No daemon is asked, and files may come and go meanwhile. One block at one level costs two
 * look-ups in each file of the period. A listing reads what its rows need of every file, one at a
 * time, and holds no more than HISTORY_ROWS_MAX sums of 32 octets (twice that while it merges
 * them): where there are more it answers for as much of the addresses as fits, and begins again
 * behind them. `order by count` holds the rows that it may have to print, instead of printing them
 * as they come: `limit` of them, or all, and then not more than HISTORY_TOP_MAX.
 *
 * A fold's rest (tally.h) is in the sum of every block around it. Of a block inside, the low bound
 * is what is known, and the rest only counts in the high one.
 */
#ifndef ARCHIVE_HISTORY_H
#define ARCHIVE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "archive/query.h"
#include "series/bounds.h"

enum {
	HISTORY_ROWS_MAX = 4 << 20,
	HISTORY_TOP_MAX = 1 << 20,
	HISTORY_WHY_MAX = 512,
};

struct history_row {
	uint64_t day; /* of a daily aggregate: its first second */
	struct cidr block;
	const struct bounds *counts; /* a series each, or one of their union; borrowed */
	unsigned columns;
};

/* Who asks, and hears the answer as it comes. NULL where the news is not wanted. */
struct history_asker {
	void *owner;
	void (*row)(void *owner, const struct history_row *row);
	/* show available: the ends of its first and of its last window, seconds since 1970. */
	void (*series)(void *owner, const char *name, uint64_t first, uint64_t last);
	/* cache details */
	void (*file)(void *owner, const char *file, uint64_t octets);
	/* So many files of those to be read, each time they are. */
	void (*progress)(void *owner, uint64_t done, uint64_t of);
	/* A file that is left out, and why. */
	void (*trouble)(void *owner, const char *text);
	size_t rows_max; /* 0: HISTORY_ROWS_MAX; a test takes less */
};

enum history_end {
	HISTORY_DONE,
	HISTORY_PARTLY, /* files were left out */
	HISTORY_FAILED, /* why[] says */
};

enum history_end history_ask(const char *dir, const struct query *q,
			     const struct history_asker *asker, char why[HISTORY_WHY_MAX])
	__attribute__((warn_unused_result));
#endif
