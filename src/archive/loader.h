/*
 * loader - the files of the series directory on their way back into memory (3.9).
 */
#ifndef ARCHIVE_LOADER_H
#define ARCHIVE_LOADER_H

#include "archive/volume.h"

/* What a crash left half written in this directory is removed. Nobody may be writing there. */
void loader_clean(const char *dir);
/*
 * Every saved series of the directory. What cannot be read is set aside, what is not one of ours by
 * its name stays; the log tells. The file of a series that does not persist was for one load (an
 * upgrade's) and is removed.
 */
void loader_all(struct series_all *all, const char *dir);
/* One file into this series: the windows that hold nothing yet. false: why[] says. */
bool loader_one(struct series *s, const char *path, char why[VOLUME_WHY_MAX])
	__attribute__((warn_unused_result));

#endif
