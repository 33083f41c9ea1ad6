/*
 * trouble - what goes wrong over and over, told when it begins, when it becomes something else, and
 * when it ends. One thread's.
 */
#ifndef ARCHIVE_TROUBLE_H
#define ARCHIVE_TROUBLE_H

#include <stdint.h>

#include "archive/volume.h"

struct trouble {
	const char *what; /* "series cannot be saved" */
	const char *over; /* "series are saved again" */
	/* Private. */
	char now[VOLUME_WHY_MAX]; /* of this round, the first; empty: none */
	char told[VOLUME_WHY_MAX];
	unsigned count; /* in this round */
};

void trouble_note(struct trouble *t, const char *why);
/* The round is over; the next one is in so many milliseconds. */
void trouble_tell(struct trouble *t, uint64_t next_ms);

#endif
