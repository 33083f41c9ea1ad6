/*
 * query - a question about journals, in the language of cidr_cli.
 *
 *	show available
 *	cache details
 *	show count for CIDR in SERIES [, SERIES...] [PARAM...]
 *	show count for CIDR in union(SERIES [, SERIES...]) [PARAM...]
 *
 *	from DATE to DATE | since DATE | on DATE	which windows
 *	cidrsize N [to N]				rows of which lengths (the host's)
 *	order by cidr | order by count			(cidr)
 *	aggregate [daily]				one sum of the period, or one a day
 *	limit N | threshold N				so many rows; rows of at least N
 *
 * Dates are YYYYMMDD or YYYYMMDDTHHMMSS, UTC. A day is its first second after `from` and `since`,
 * and all of it after `to`, so `on D` is `from D to D`. Words are taken in either case, names of
 * series as they are, in double quotes where they hold blanks or punctuation. Wrong ones are
 * answered (D81); what the words mean where nobody says is D82.
 */
#ifndef ARCHIVE_QUERY_H
#define ARCHIVE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "series/series.h"

enum { QUERY_SERIES_MAX = 16, QUERY_WRONG_MAX = 256 };

enum query_kind { QUERY_COUNT, QUERY_AVAILABLE, QUERY_CACHE };

/* A value. */
struct query {
	enum query_kind kind;
	struct cidr block;
	char series[QUERY_SERIES_MAX][SERIES_NAME_MAX + 1];
	unsigned series_count;
	bool is_union;
	bool is_daily;
	bool by_count;
	uint8_t level_first, level_last; /* both at least the block's length */
	/* Seconds since 1970; a window belongs to it when its end is in (from, to]. */
	uint64_t from, to;
	uint64_t threshold;
	uint64_t limit; /* 0: none */
};

/* false: wrong[] says `syntax near "WORD": ...`. */
bool query_parse(struct slice text, struct query *out, char wrong[QUERY_WRONG_MAX])
	__attribute__((warn_unused_result));

#endif
