/*
 * history_parts - what history.c, which knows the directory, gives to listing.c, which adds up
 * rows.
 */
#ifndef ARCHIVE_HISTORY_PARTS_H
#define ARCHIVE_HISTORY_PARTS_H

#include "archive/history.h"
#include "archive/volume.h"

struct journal {
	char *file, *series;
	uint64_t end_s;
	unsigned column; /* of the answer */
	bool is_bad;	 /* told, and left out from then on */
};

struct answer {
	const struct query *q;
	const struct history_asker *asker;
	int dir;
	unsigned columns;
	uint64_t day;			/* of the rows that come now */
	uint64_t files_done, files_all; /* for progress */
	bool is_partly;
	char *why; /* HISTORY_WHY_MAX */
};

/* NULL: it was bad, or is now, and the asker knows; or all of it must end, and why[] says. */
struct volume *answer_open(struct answer *a, struct journal *j);
/* It showed itself bad while it was read. */
void answer_leave_out(struct answer *a, struct journal *j, const char *wrong);

/* Rows of one period; false: why[] says. */
bool listing_make(struct answer *a, struct journal *journals, size_t n);

#endif
