#include "ctl_history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/commands.h"
#include "archive/history.h"
#include "archive/shelf.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text_json.h"

#define DIR_DEFAULT "/var/lib/tidewaiter/journal"

enum { QUERY_TEXT_MAX = 64 << 10, PROGRESS_AFTER_MS = 1000, PROGRESS_EVERY_MS = 200 };

struct printer {
	const char *dir;
	const struct query *q;
	bool json;
	bool begun;	     /* the head of the JSON is out */
	const char *between; /* two rows */
	uint64_t asked_ms, shown_ms;
	bool is_shown; /* progress, on the last line of the terminal */
};

/* --- progress ------------------------------------------------------------------------------ */

static void hide_progress(struct printer *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
}

static void show_progress(void *owner, uint64_t done, uint64_t of)
{
	struct printer *p = owner;
	uint64_t now = clock_ms();

	if (now - p->asked_ms < PROGRESS_AFTER_MS || now - p->shown_ms < PROGRESS_EVERY_MS ||
	    !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%ju of %ju files\033[K", (uintmax_t)done, (uintmax_t)of);
	p->shown_ms = now;
	p->is_shown = true;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static void dump(json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(value);
}

static void begin_json(struct printer *p)
{
	static const char *const rows[] = {
		[QUERY_COUNT] = "rows", [QUERY_AVAILABLE] = "available", [QUERY_CACHE] = "files",
	};
	json_t *series;

	if (p->begun)
		return;
	p->begun = true;
	putchar('{');
	if (p->q->kind == QUERY_COUNT) {
		series = json_array();
		for (unsigned i = 0; i < p->q->series_count; i++)
			json_array_append_new(series, text_json(slice_of(p->q->series[i])));
		fputs("\"series\":", stdout);
		dump(series);
		printf(",\"union\":%s,", p->q->is_union ? "true" : "false");
	}
	printf("\"%s\":[", rows[p->q->kind]);
}

static void print_json(struct printer *p, json_t *row)
{
	begin_json(p);
	fputs(p->between, stdout);
	dump(row);
	p->between = ",\n";
}

static json_t *counts_json(const struct history_row *row)
{
	json_t *counts = json_array();

	for (unsigned i = 0; i < row->columns; i++)
		json_array_append_new(counts, json_pack("{sI sI}", "count",
							(json_int_t)row->counts[i].low, "count_high",
							(json_int_t)row->counts[i].high));
	return counts;
}

/* What was begun is one value, whatever the end. */
static void end_json(struct printer *p, enum history_end end, const char *why)
{
	if (end != HISTORY_FAILED)
		begin_json(p);
	if (!p->begun)
		putchar('{');
	else
		printf("],\"complete\":%s", end == HISTORY_DONE ? "true" : "false");
	if (end == HISTORY_FAILED) {
		printf("%s\"error\":", p->begun ? "," : "");
		dump(text_json(slice_of(why)));
	}
	puts("}");
}

/* --- rows ---------------------------------------------------------------------------------- */

static void print_row(void *owner, const struct history_row *row)
{
	struct printer *p = owner;
	char block[CIDR_TEXT_MAX], day[SHELF_TIME_MAX] = "";

	hide_progress(p);
	cidr_print(&row->block, block);
	if (p->q->is_daily)
		shelf_time(row->day, day);
	day[8] = '\0'; /* YYYYMMDD of it */
	if (p->json) {
		json_t *out = json_object();

		if (p->q->is_daily)
			json_object_set_new(out, "day", json_string(day));
		json_object_set_new(out, "cidr", json_string(block));
		json_object_set_new(out, "counts", counts_json(row));
		print_json(p, out);
		return;
	}
	printf("%s%s%-19s:", day, p->q->is_daily ? " " : "", block);
	if (row->columns == 1) {
		printf("%10ju\n", (uintmax_t)row->counts[0].low);
		return;
	}
	for (unsigned i = 0; i < row->columns; i++)
		printf("%c%ju", i == 0 ? ' ' : ',', (uintmax_t)row->counts[i].low);
	putchar('\n');
}

static void print_series(void *owner, const char *name, uint64_t first, uint64_t last)
{
	char from[SHELF_TIME_MAX], to[SHELF_TIME_MAX];
	struct printer *p = owner;

	shelf_time(first, from);
	shelf_time(last, to);
	if (p->json)
		print_json(p, json_pack("{so ss ss}", "series", text_json(slice_of(name)), "first", from,
					"last", to));
	else
		printf("%s : %s => %s\n", name, from, to);
}

static void print_file(void *owner, const char *file, uint64_t octets)
{
	struct printer *p = owner;

	if (p->json)
		print_json(p, json_pack("{ss sI}", "file", file, "octets", (json_int_t)octets));
	else
		printf("%s : %ju\n", file, (uintmax_t)octets);
}

static void print_trouble(void *owner, const char *text)
{
	struct printer *p = owner;

	hide_progress(p);
	fprintf(stderr, "tidectl: %s/%s (left out)\n", p->dir, text);
}

/* --- queries ------------------------------------------------------------------------------- */

static int answer(const char *dir, struct slice text, bool json)
{
	struct query q;
	struct printer p = { .dir = dir, .q = &q, .json = json, .between = "",
			     .asked_ms = clock_ms() };
	struct history_asker asker = { .owner = &p, .row = print_row, .series = print_series,
				       .file = print_file, .progress = show_progress,
				       .trouble = print_trouble };
	char why[HISTORY_WHY_MAX];
	enum history_end end = HISTORY_FAILED;
	bool is_query = query_parse(text, &q, why);

	if (is_query)
		end = history_ask(dir, &q, &asker, why);
	hide_progress(&p);
	if (end == HISTORY_FAILED)
		fprintf(stderr, "ERROR: %s\n", why);
	if (json)
		end_json(&p, end, why);
	if (!is_query)
		return EXIT_OF_USAGE;
	return end == HISTORY_DONE ? 0 : EXIT_OF_FAILURE;
}

static int answer_words(const char *dir, int argc, char **argv, bool json)
{
	struct buf text;
	bool fits = true;
	int code;

	buf_init(&text, QUERY_TEXT_MAX);
	for (int i = 0; fits && i < argc; i++)
		fits = buf_printf(&text, "%s%s", i > 0 ? " " : "", argv[i]);
	if (fits) {
		code = answer(dir, buf_slice(&text), json);
	} else {
		fputs("ERROR: the query is too long\n", stderr);
		code = EXIT_OF_USAGE;
	}
	buf_free(&text);
	return code;
}

/* A query a line; the code is that of the worst. */
static int answer_lines(const char *dir, bool json)
{
	static char line[QUERY_TEXT_MAX];
	bool is_terminal = isatty(STDIN_FILENO);
	int worst = 0;

	for (;;) {
		struct slice text;
		int code = 0;

		if (is_terminal)
			fputs("cidr>", stdout);
		fflush(stdout);
		if (fgets(line, sizeof line, stdin) == NULL)
			break;
		text = slice_of(line);
		if (text.len == sizeof line - 1 && text.at[text.len - 1] != '\n') {
			fputs("ERROR: the query is too long\n", stderr);
			return EXIT_OF_USAGE;
		}
		if (line[strspn(line, " \t\r\n")] != '\0')
			code = answer(dir, text, json);
		worst = code > worst ? code : worst;
	}
	if (is_terminal)
		putchar('\n');
	return worst;
}

int ctl_history(int argc, char **argv, bool json)
{
	const char *dir = DIR_DEFAULT;
	int code;

	for (argc--, argv++; argc > 0 && argv[0][0] == '-'; argc--, argv++) {
		if (strcmp(argv[0], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[0], "--dir") == 0 && argc > 1) {
			dir = *++argv;
			argc--;
		} else {
			fprintf(stderr, "tidectl: no option \"%s\" of history, or it lacks its "
					"value\n", argv[0]);
			return EXIT_OF_USAGE;
		}
	}
	code = argc > 0 ? answer_words(dir, argc, argv, json) : answer_lines(dir, json);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "tidectl: standard output: %s\n", strerror(errno));
		return EXIT_OF_FAILURE;
	}
	return code;
}
