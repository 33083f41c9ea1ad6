/*
 * news - one change of a series as a line, for the process that counts it now (an upgrade):
 *
 *	FILE AMOUNT KEY
 *
 * FILE names the series as its file would (shelf.h), AMOUNT is what was added, 0 that the key was
 * removed; KEY is an address, or a text percent-encoded.
 */
#ifndef ARCHIVE_NEWS_H
#define ARCHIVE_NEWS_H

#include "archive/shelf.h"

enum { NEWS_LINE_MAX = SHELF_NAME_MAX + 24 + 3 * SERIES_KEY_MAX };

/* Without an end. false: it cannot be said, or the buf is full; part of it may be there. */
bool news_say(struct buf *out, struct series *s, const struct series_key *key, int64_t amount)
	__attribute__((warn_unused_result));
/* The same here; of a series that is not defined here: nothing. NULL, or what is wrong with it. */
const char *news_hear(struct series_all *all, struct slice line)
	__attribute__((warn_unused_result));

#endif
