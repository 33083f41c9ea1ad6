#include "series/shelf.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

static const char suffix_new[] = ".new";

/* In the "C" locale, which is the only one here. */
static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* With room for the longest that ours add, and for what is added to that. */
enum { NAME_ROOM = SHELF_NAME_MAX - MONITOR_TEXT_MAX - SHELF_TIME_MAX - sizeof suffix_new };

static bool encode(struct buf *to, const char *name)
{
	bool fine = *name != '\0';

	for (; fine && *name != '\0'; name++)
		fine = is_plain(*name) ? buf_add(to, name, 1)
				       : buf_printf(to, "%%%02X", (unsigned char)*name);
	return fine && to->len <= NAME_ROOM;
}

static bool name_file(char out[SHELF_NAME_MAX], const char *before, const char *series,
		      const char *more)
{
	struct buf name;
	bool fine;

	buf_init(&name, SHELF_NAME_MAX);
	fine = encode(&name, series);
	if (fine)
		snprintf(out, SHELF_NAME_MAX, "%s%.*s%s", before, SLICE_ARGS(buf_slice(&name)),
			 more);
	buf_free(&name);
	return fine;
}

bool shelf_saved(char out[SHELF_NAME_MAX], const struct series_info *series)
{
	char more[MONITOR_TEXT_MAX + 1] = "", text[MONITOR_TEXT_MAX];

	if (!series->is_defined)
		snprintf(more, sizeof more, "@%s", monitor_print(series->is.monitor, text));
	return name_file(out, series->event >= 0 ? "@" : "", series->is.name, more);
}

bool shelf_journal(char out[SHELF_NAME_MAX], const char *series, uint64_t end_s)
{
	char more[SHELF_TIME_MAX + 1], text[SHELF_TIME_MAX];

	snprintf(more, sizeof more, ".%s", shelf_time(end_s, text));
	return name_file(out, "", series, more);
}

const char *shelf_time(uint64_t s, char out[SHELF_TIME_MAX])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, SHELF_TIME_MAX, "%Y%m%dT%H%M%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

/* As shelf_time prints it, and no other way. */
static bool read_time(const char *text, uint64_t *out)
{
	char again[SHELF_TIME_MAX];
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
	time_t t = end != NULL && *end == '\0' ? timegm(&tm) : -1;

	if (t < 0 || strcmp(shelf_time((uint64_t)t, again), text) != 0)
		return false;
	*out = (uint64_t)t;
	return true;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What encode makes, and nothing else: a name that could be written otherwise is not one of ours. */
static bool decode(struct slice from, char *to, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < from.len; i++) {
		char c = from.at[i];

		if (c == '%' && from.len - i > 2 && hex(from.at[i + 1]) >= 0 &&
		    hex(from.at[i + 2]) >= 0) {
			c = (char)(hex(from.at[i + 1]) << 4 | hex(from.at[i + 2]));
			i += 2;
			if (is_plain(c) || c == '\0')
				return false;
		} else if (!is_plain(c)) {
			return false;
		}
		if (len + 1 >= room)
			return false;
		to[len++] = c;
	}
	to[len] = '\0';
	return len > 0;
}

bool shelf_is_journal(const char *file, char *series, size_t room, uint64_t *end_s)
{
	const char *dot = strchr(file, '.');

	return dot != NULL && read_time(dot + 1, end_s) &&
	       decode((struct slice){ file, (size_t)(dot - file) }, series, room);
}

bool shelf_is_saved(const char *file)
{
	struct slice monitor, name = slice_of(file + (*file == '@'));
	char series[SHELF_NAME_MAX];
	struct monitor m;

	name = slice_cut(name, '@', &monitor);
	return decode(name, series, sizeof series) &&
	       (name.len == strlen(file) || monitor_parse(monitor, &m) == NULL);
}

bool shelf_is_new(const char *file)
{
	size_t len = strlen(file), tail = sizeof suffix_new - 1;
	char stem[SHELF_NAME_MAX], series[SHELF_NAME_MAX];
	uint64_t end_s;

	if (len <= tail || len - tail >= sizeof stem || strcmp(file + len - tail, suffix_new) != 0)
		return false;
	memcpy(stem, file, len - tail);
	stem[len - tail] = '\0';
	return shelf_is_saved(stem) || shelf_is_journal(stem, series, sizeof series, &end_s);
}
