/*
 * daemon - the parts put together: their order of birth, signals, reload, and the order of death.
 */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include <stdbool.h>

/* Runs until it is stopped (T7), or has handed over; upgrade: takes over from the one that runs, if
 * one does. The exit code: 0, 1 (it could not start), 78 (the configuration). */
int daemon_run(const char *file, bool upgrade);
/* -t: read and compile everything, say what is wrong, change nothing. 0 or 78. */
int daemon_check(const char *file);

#endif
