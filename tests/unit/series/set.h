/* A set of all series, with the clock standing. */
#ifndef TESTS_SERIES_SET_H
#define TESTS_SERIES_SET_H

#include "base/clock.h"
#include "series/series.h"

static struct series_all *all;

static int begin(void **state)
{
	(void)state;
	all = series_all_new();
	clock_stop(true, 0, 1700000000 * (uint64_t)1000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	series_all_free(all);
	clock_stop(false, 0, 0);
	return 0;
}

#endif
