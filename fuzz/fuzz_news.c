// room: archive
/* What another process says of series: nothing it says does more than change a number, and what is
 * not right changes none. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "archive/news.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct series_all *world(void)
{
	static const struct monitor hour = { 3600, 4 };
	static const enum series_type types[] = { SERIES_CIDR, SERIES_CIDR_IPV6, SERIES_STRING };
	struct series_all *all = series_all_new();
	bool dropped;

	series_monitors(all, &hour, 1, SERIES_BYTES_MIN, false);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct series_definition d = {
			.type = types[i], .monitor = hour, .max_bytes = SERIES_BYTES_MIN,
		};

		snprintf(d.name, sizeof d.name, "%s", series_type_name(d.type));
		assert(series_define(all, &d, &dropped) == NULL);
	}
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct series_all *all; /* what it is told stays: that is what it is for */
	struct slice line, rest = { (const char *)data, size };

	if (all == NULL)
		all = world();
	while (rest.len > 0) {
		line = slice_cut(rest, '\n', &rest);
		if (news_hear(all, line) == NULL)
			assert(memchr(line.at, ' ', line.len) != NULL);
	}
	return 0;
}
