#include "archive/shelf.h"

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

bool shelf_encode(struct buf *to, struct slice text)
{
	bool fine = true;

	for (size_t i = 0; fine && i < text.len; i++)
		fine = is_plain(text.at[i]) ? buf_add(to, &text.at[i], 1)
					    : buf_printf(to, "%%%02X", (unsigned char)text.at[i]);
	return fine;
}

static bool name_file(char out[SHELF_NAME_MAX], const char *before, const char *series,
		      const char *more)
{
	struct buf name;
	bool fine;

	buf_init(&name, NAME_ROOM);
	fine = shelf_encode(&name, slice_of(series)) && name.len > 0;
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

bool shelf_decode(struct slice from, char *to, size_t room, struct slice *out)
{
	size_t len = 0;

	for (size_t i = 0; i < from.len; i++) {
		char c = from.at[i];

		if (c == '%' && from.len - i > 2 && hex(from.at[i + 1]) >= 0 &&
		    hex(from.at[i + 2]) >= 0) {
			c = (char)(hex(from.at[i + 1]) << 4 | hex(from.at[i + 2]));
			i += 2;
			if (is_plain(c))
				return false;
		} else if (!is_plain(c)) {
			return false;
		}
		if (len == room)
			return false;
		to[len++] = c;
	}
	*out = (struct slice){ to, len };
	return true;
}

/* Of a series: it is not empty, and has an end. */
static bool read_name(struct slice from, char *to, size_t room)
{
	struct slice name;

	if (!shelf_decode(from, to, room - 1, &name) || name.len == 0 ||
	    memchr(name.at, '\0', name.len) != NULL)
		return false;
	to[name.len] = '\0';
	return true;
}

bool shelf_is_journal(const char *file, char *series, size_t room, uint64_t *end_s)
{
	const char *dot = strchr(file, '.');

	return dot != NULL && read_time(dot + 1, end_s) &&
	       read_name((struct slice){ file, (size_t)(dot - file) }, series, room);
}

/* What a saved series' name says. */
struct label {
	bool is_built_in, has_monitor;
	char series[SHELF_NAME_MAX];
	struct monitor monitor;
};

static bool read_label(const char *file, struct label *out)
{
	struct slice monitor, name;

	out->is_built_in = *file == '@';
	name = slice_cut(slice_of(file + out->is_built_in), '@', &monitor);
	out->has_monitor = monitor.len > 0;
	return read_name(name, out->series, sizeof out->series) &&
	       (out->has_monitor || (!out->is_built_in && name.len == strlen(file))) &&
	       (!out->has_monitor || monitor_parse(monitor, &out->monitor) == NULL);
}

bool shelf_is_saved(const char *file)
{
	struct label label;

	return read_label(file, &label);
}

static struct series *built_in(struct series_all *all, const struct label *label)
{
	for (unsigned e = 0; e < EVENTS; e++)
		if (strcmp(label->series, series_event_name(e)) == 0)
			return series_builtin_named(all, e, label->monitor);
	return NULL;
}

struct series *shelf_series(struct series_all *all, const char *file)
{
	struct label label;
	const char *why;

	if (!read_label(file, &label))
		return NULL;
	if (label.is_built_in)
		return built_in(all, &label);
	if (label.has_monitor)
		return series_open(all, slice_of(label.series), label.monitor, &why);
	return series_defined(all, slice_of(label.series));
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
