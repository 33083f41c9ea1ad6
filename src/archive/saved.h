/*
 * saved - a series on its way into a file (archive/volume.h) and back, a turn at a time, so that
 * its lock is never held for long. Blocks on the disk: for the keeper's thread.
 */
#ifndef ARCHIVE_SAVED_H
#define ARCHIVE_SAVED_H

#include "archive/volume.h"

/*
 * Its windows first..last that hold anything; where none does and `even_empty` is not said, there
 * is no file. false: why[] says, and what was there is as it was.
 */
bool saved_write(struct series *s, const struct series_info *info, uint64_t first, uint64_t last,
		 const char *path, bool even_empty, char why[VOLUME_WHY_MAX])
	__attribute__((warn_unused_result));

struct saved_count {
	uint64_t entries;
	uint64_t lost; /* entries that found no room */
};

/*
 * What is in the file is added to the series, of windows that are not too old (3.2); only_empty:
 * and that hold nothing yet. The file was checked. false: why[] says, and part of it was loaded.
 */
bool saved_read(struct volume *v, struct series *s, bool only_empty, struct saved_count *out,
		char why[VOLUME_WHY_MAX]) __attribute__((warn_unused_result));

#endif
