/*
 * monitor - the shape of a series in time, as configurations and scripts write it: "300,6".
 */
#ifndef SERIES_MONITOR_H
#define SERIES_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	MONITOR_SECONDS_MAX = 366 * 86400,
	MONITOR_WINDOWS_MAX = 2000,
	MONITOR_TEXT_MAX = 24,
};

/* Windows of so many seconds; the current one and `windows` before it are kept (D44). */
struct monitor {
	uint32_t seconds;
	uint32_t windows;
};

/* Blanks do not matter (D53). NULL, or what is wrong. */
const char *monitor_parse(struct slice text, struct monitor *out) __attribute__((warn_unused_result));
const char *monitor_print(struct monitor m, char out[MONITOR_TEXT_MAX]); /* "300,6" */

static inline bool monitor_equal(struct monitor a, struct monitor b)
{
	return a.seconds == b.seconds && a.windows == b.windows;
}

#endif
