/*
 * journals - one file for each finished window of a series with serialize, for as long as they are
 * wanted (D68). For the keeper's thread.
 */
#ifndef ARCHIVE_JOURNALS_H
#define ARCHIVE_JOURNALS_H

#include "archive/keeper.h"
#include "archive/trouble.h"

/* Up to which window a series is journalled; another one, or of another monitor: from the start. */
struct journalled {
	const struct series *series;
	struct monitor monitor;
	uint64_t next;
};

enum { JOURNALS_MOST = SERIES_MOST + MONITORS_MAX * EVENTS };

/* Private but for again_ms. */
struct journals {
	struct trouble trouble;
	uint64_t again_ms;		   /* clock_ms: not before, there was trouble; 0: at once */
	uint64_t began_ms, began_wall_ms; /* both clocks, at journals_init */
	struct journalled journalled[JOURNALS_MOST];
};

void journals_init(struct journals *j);
/* Windows that have finished, unless their file is there. After trouble not before the next
 * interval: what is full stays so. */
void journals_write(struct journals *j, struct series_all *all, const struct keeper_rules *rules);
/*
 * What is older than journal_days, and is called as a journal of ours, goes. Time that the clock
 * was set ahead by, since journals_init, makes nothing older: it did not pass.
 */
void journals_expire(const struct journals *j, const struct keeper_rules *rules);

#endif
