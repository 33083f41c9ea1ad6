#include "series/monitor.h"

#include <inttypes.h>
#include <stdio.h>

/* A whole number of at most `most`, blanks around it cut off. */
static bool number(struct slice text, uint64_t most, uint32_t *out)
{
	uint64_t n;

	if (!slice_number(slice_trim(text), most, &n) || n == 0)
		return false;
	*out = (uint32_t)n;
	return true;
}

const char *monitor_parse(struct slice text, struct monitor *out)
{
	struct slice windows, seconds = slice_cut(text, ',', &windows);

	if (seconds.len == text.len)
		return "a monitor is \"SECONDS,WINDOWS\"";
	if (!number(seconds, MONITOR_SECONDS_MAX, &out->seconds))
		return "a monitor's SECONDS are 1 to 31622400";
	if (!number(windows, MONITOR_WINDOWS_MAX, &out->windows))
		return "a monitor's WINDOWS are 1 to 2000";
	return NULL;
}

const char *monitor_print(struct monitor m, char out[MONITOR_TEXT_MAX])
{
	snprintf(out, MONITOR_TEXT_MAX, "%" PRIu32 ",%" PRIu32, m.seconds, m.windows);
	return out;
}
