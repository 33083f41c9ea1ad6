/*
 * shelf - the names of the files that series are kept in.
 *
 * A series' name is percent-encoded but for letters, digits, `_` and `-` (D67), so that what ours
 * add to it, which begins with `@` or `.`, cannot come from a name:
 *
 *	NAME			   a saved series that is defined
 *	NAME@SECONDS,WINDOWS	   one that a script without definitions made
 *	@NAME@SECONDS,WINDOWS	   a built-in one
 *	NAME.YYYYMMDDTHHMMSSZ	   the journal of the window that ended then, UTC (D68, T16)
 *	....new			   being written, or left so by a crash
 *	....bad-YYYYMMDDTHHMMSSZ   set aside: it could not be read
 */
#ifndef ARCHIVE_SHELF_H
#define ARCHIVE_SHELF_H

#include "series/series.h"

enum { SHELF_NAME_MAX = 256, SHELF_TIME_MAX = 20 };

/* false: as a file's name it is too long. */
bool shelf_saved(char out[SHELF_NAME_MAX], const struct series_info *series)
	__attribute__((warn_unused_result));
bool shelf_journal(char out[SHELF_NAME_MAX], const char *series, uint64_t end_s)
	__attribute__((warn_unused_result));

bool shelf_is_saved(const char *file);
/* Whose it is now: one that a script without definitions made is made again. NULL: nobody's. */
struct series *shelf_series(struct series_all *all, const char *file);
bool shelf_is_new(const char *file);
/* It names a journal; of which series (decoded, up to room), and the end of its window. */
bool shelf_is_journal(const char *file, char *series, size_t room, uint64_t *end_s);

/* Percent-encoded; back only what was encoded so. *out is what is in the room then. */
bool shelf_encode(struct buf *to, struct slice text) __attribute__((warn_unused_result));
bool shelf_decode(struct slice from, char *to, size_t room, struct slice *out)
	__attribute__((warn_unused_result));
const char *shelf_time(uint64_t s, char out[SHELF_TIME_MAX]); /* YYYYMMDDTHHMMSSZ */

#endif
