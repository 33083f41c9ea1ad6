/*
 * keeper - the thread that looks after all series: lets go of old windows, saves, loads, journals.
 *
 * Saved series (persist) are files of the series directory, one a series, named after it: `NAME` of
 * one that is defined, `NAME@SECONDS,WINDOWS` of the others, percent-encoded (D67). Journals are
 * files of the journal directory, one for each finished window that holds anything, named
 * `NAME.YYYYMMDDTHHMMSSZ` after the window's end (D68, T16); one that is there is left as it is.
 * Both are written by archive/volume.h.
 *
 * A disk that is full, or a directory that is not ours, is told once in the log, and tried again at
 * the next turn; so is it when it works again.
 */
#ifndef ARCHIVE_KEEPER_H
#define ARCHIVE_KEEPER_H

#include <sys/queue.h>

#include "archive/volume.h"

struct keeper;

/* Copied. */
struct keeper_rules {
	const char *series_dir;	 /* serialize_dir */
	const char *journal_dir; /* log_dir */
	uint32_t save_ms;	 /* maintenance_interval */
	uint32_t journal_days;	 /* older journals are removed; 0: none are */
};

/* No thread yet. all is borrowed. */
struct keeper *keeper_new(struct series_all *all, const struct keeper_rules *rules);
/* From its next turn on. */
void keeper_rule(struct keeper *k, const struct keeper_rules *rules);
/* Its thread. Until keeper_inherit nothing is loaded, saved or journalled. */
void keeper_start(struct keeper *k);

/*
 * Nobody else has the series, or not any more: everything that was saved comes back, and is added
 * to what came here meanwhile; from then on they are kept. After the configuration's series were
 * defined. A file that is torn, foreign or newer is set aside as `NAME.bad-YYYYMMDDTHHMMSSZ`, one
 * of another definition (D60) and windows that are too old are not read, what a crash left half
 * written is removed. Says in the log what it did. Again: harmless.
 */
void keeper_inherit(struct keeper *k);
/* Until that is done: before anybody is let in. */
void keeper_wait(struct keeper *k);
/*
 * Saves a last time, and waits for its thread. What was asked is answered first. NULL is harmless.
 */
void keeper_stop(struct keeper *k);

enum keeper_work {
	KEEPER_SAVE, /* series NULL: all that persist */
	KEEPER_LOAD, /* the windows that hold nothing yet: what is in memory is not counted twice */
	/* Save every series, also those that do not persist, and write no more files; what comes
	 * after that is for the tap (series_forward). */
	KEEPER_RETIRE,
};

/* Embedded in whoever wants it done; file and series stay until then. */
struct keeper_task {
	STAILQ_ENTRY(keeper_task) next;
	enum keeper_work work;
	const char *series; /* as the console names it: series_named */
	/* To load: absolute, or in the series directory; NULL: the series' own. */
	const char *file;
	struct series_tap *tap; /* KEEPER_RETIRE */
	/* On the keeper's thread, once. */
	void (*done)(struct keeper_task *self);
	char wrong[VOLUME_WHY_MAX]; /* empty: it is done */
};
/* Any thread, never waits. */
void keeper_ask(struct keeper *k, struct keeper_task *task);

/* What its thread does each second; for tests, without keeper_start. */
void keeper_turn(struct keeper *k);

#endif
