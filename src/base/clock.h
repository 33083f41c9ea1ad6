/*
 * clock - the time, in two kinds.
 *
 * clock_ms() only moves forward and is for waiting and for ages. clock_wall_ms() is what the
 * calendar says (milliseconds since 1970, UTC) and is for logs and for windows. Nobody else asks
 * the system for the time; a test can stop the clock and set it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t clock_ms(void);
uint64_t clock_wall_ms(void);

/* For tests: from now on both clocks stand at these values; false lets them run again. */
void clock_stop(bool stopped, uint64_t ms, uint64_t wall_ms);

enum { CLOCK_TEXT_MAX = 32 };
/* 2026-11-20T10:30:00.123Z */
const char *clock_print(uint64_t wall_ms, char out[CLOCK_TEXT_MAX]);

#endif
