#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic bool is_stopped;
static _Atomic uint64_t stopped_ms, stopped_wall_ms;

static uint64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	return is_stopped ? stopped_ms : read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ms(void)
{
	return is_stopped ? stopped_wall_ms : read_ms(CLOCK_REALTIME);
}

void clock_stop(bool stopped, uint64_t ms, uint64_t wall_ms)
{
	stopped_ms = ms;
	stopped_wall_ms = wall_ms;
	is_stopped = stopped;
}

const char *clock_print(uint64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, CLOCK_TEXT_MAX - len, ".%03uZ", (unsigned)(wall_ms % 1000));
	return out;
}
