/* Journals asked: every answer beside one that is added up from plain lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/entries.h"
#include "archive/history.h"
#include "archive/shelf.h"
#include "archive/volume.h"
#include "base/mem.h"

enum { NOV20 = 1795132800, QUARTER = 900, FILES = 12, ENTRIES_MAX = 400 };

static char dir[] = "/tmp/test_history.XXXXXX";

/* One journal, as a list. */
struct list {
	const char *series;
	uint64_t end_s;
	struct tally_entry at[ENTRIES_MAX];
	unsigned n;
};
static struct list *lists; /* FILES of them */

static void list_fill(struct list *l, unsigned want)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < want; i++) {
		struct addr a = { .family = random_number() % 2 == 0 ? ADDR_V4 : ADDR_V6 };
		unsigned bits = addr_bits(&a), len = bits;

		a.hi = UINT64_C(0x0a01000000000000) | (random_number() % 512) << 32;
		if (a.family == ADDR_V6)
			a.lo = random_number() % 4 << 60 | random_number() % 16;
		if (random_number() % 8 == 0)
			len = random_number() % (bits / 4) * 4;
		l->at[i] = (struct tally_entry){ cidr_of(&a, len), 1 + random_number() % 100 };
	}
	qsort(l->at, want, sizeof *l->at, entry_order);
	for (unsigned i = 0; i < want; i++)
		if (i == 0 || entry_order(&l->at[kept - 1], &l->at[i]) != 0)
			l->at[kept++] = l->at[i];
	l->n = kept;
}

static const char *path_of(const char *series, uint64_t end_s)
{
	static char path[sizeof dir + SHELF_NAME_MAX + 1];
	char file[SHELF_NAME_MAX];

	assert_true(shelf_journal(file, series, end_s));
	snprintf(path, sizeof path, "%s/%s", dir, file);
	return path;
}

static void write_journal(const struct list *l, const char *as, enum series_type type)
{
	struct volume_about about = { .is = { .type = type, .monitor = { QUARTER, 4 } },
				      .event = -1 };
	char why[VOLUME_WHY_MAX];
	struct volume_writer *w;

	snprintf(about.is.name, sizeof about.is.name, "%s", l->series);
	w = volume_create(path_of(as, l->end_s), &about, why);
	if (w == NULL)
		fail_msg("%s", why);
	assert_true(volume_begin_window(w, l->end_s / QUARTER - 1));
	for (unsigned i = 0; i < l->n; i++)
		assert_true(volume_add(w, &l->at[i]));
	if (type == SERIES_STRING)
		assert_true(volume_add_text(w, SLICE("text"), 1));
	assert_true(volume_commit(w, why));
}

/* Four quarters of each of three series, around midnight. */
static void make_journals(void)
{
	static const char *const names[] = { "a", "b.c", "d e" };

	lists = mem_array(FILES, sizeof *lists);
	random_state = 7;
	for (unsigned i = 0; i < FILES; i++) {
		lists[i].series = names[i % 3];
		lists[i].end_s = NOV20 - QUARTER + i / 3 * QUARTER;
		list_fill(&lists[i], i == 0 ? 0 : 20 + random_number() % (ENTRIES_MAX - 20));
		write_journal(&lists[i], lists[i].series, SERIES_ADDRESSES);
	}
}

/* --- the answer as it should be ------------------------------------------------------------ */

struct rows {
	struct want_row {
		uint64_t day;
		struct cidr block;
		struct bounds counts[QUERY_SERIES_MAX];
	} *at;
	unsigned n, room, columns;
	unsigned troubles;
	char trouble[VOLUME_WHY_MAX];
};

static void rows_add(struct rows *r, const struct want_row *row)
{
	if (r->n == r->room) {
		r->room = 2 * r->room + 64;
		r->at = mem_resize(r->at, r->room, sizeof *r->at);
	}
	r->at[r->n++] = *row;
}

static struct bounds list_sum(const struct list *l, const struct cidr *block)
{
	return entries_sum(l->at, l->n, block);
}

static bool has_series(const struct query *q, const char *series)
{
	for (unsigned s = 0; s < q->series_count; s++)
		if (strcmp(q->series[s], series) == 0)
			return true;
	return false;
}

static uint64_t day_of(const struct query *q, const struct list *l)
{
	return q->is_daily ? (l->end_s - 1) / 86400 * 86400 : 0;
}

static bool is_asked(const struct query *q, const struct list *l, uint64_t day)
{
	return has_series(q, l->series) && l->end_s > q->from &&
	       l->end_s <= q->to && day_of(q, l) == day;
}

static void sum_up(struct want_row *row, const struct query *q)
{
	unsigned columns = q->is_union ? 1 : q->series_count;

	for (unsigned i = 0; i < FILES; i++)
		for (unsigned c = 0; c < columns && is_asked(q, &lists[i], row->day); c++)
			if (q->is_union || strcmp(q->series[c], lists[i].series) == 0)
				bounds_add(&row->counts[c], list_sum(&lists[i], &row->block));
}

static bool order_is_by_count;
static int row_order(const void *a, const void *b)
{
	const struct want_row *x = a, *y = b;
	int order = addr_compare(&x->block.addr, &y->block.addr);

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	if (order_is_by_count && x->counts[0].low != y->counts[0].low)
		return x->counts[0].low > y->counts[0].low ? -1 : 1;
	return order != 0 ? order : x->block.len - y->block.len;
}

/* Every block once, its sums, those that are asked for, in their order. */
static void finish(struct rows *r, const struct query *q)
{
	unsigned kept = 0, of_day = 0;

	order_is_by_count = false;
	if (r->n > 0)
		qsort(r->at, r->n, sizeof *r->at, row_order);
	for (unsigned i = 0; i < r->n; i++) {
		struct want_row row = r->at[i];

		if (kept > 0 && row_order(&r->at[kept - 1], &row) == 0)
			continue;
		sum_up(&row, q);
		r->at[kept++] = row;
	}
	r->n = kept;
	order_is_by_count = q->by_count;
	if (r->n > 0)
		qsort(r->at, r->n, sizeof *r->at, row_order);
	kept = 0;
	for (unsigned i = 0; i < r->n; i++) {
		if (kept > 0 && r->at[i].day != r->at[kept - 1].day)
			of_day = 0;
		if (r->at[i].counts[0].low < q->threshold)
			continue;
		if (q->limit == 0 || of_day++ < q->limit)
			r->at[kept++] = r->at[i];
	}
	r->n = kept;
}

static void want_block(struct rows *r, const struct cidr *block, uint64_t day)
{
	rows_add(r, &(struct want_row){ .day = day, .block = *block });
}

static void want_rows(struct rows *r, const struct query *q)
{
	bool is_one = q->level_first == q->block.len && q->level_last == q->block.len;

	if (is_one && !q->is_daily)
		want_block(r, &q->block, 0);
	for (unsigned i = 0; i < FILES; i++) {
		uint64_t day = day_of(q, &lists[i]);

		if (!is_asked(q, &lists[i], day))
			continue;
		if (is_one)
			want_block(r, &q->block, day);
		for (unsigned e = 0; e < lists[i].n; e++) {
			const struct cidr *block = &lists[i].at[e].block;

			if (!cidr_contains(&q->block, &block->addr) || block->len < q->block.len)
				continue;
			for (unsigned len = q->level_first;
			     len <= q->level_last && len <= block->len; len++) {
				struct cidr cut = cidr_of(&block->addr, len);

				want_block(r, &cut, day);
			}
		}
	}
	finish(r, q);
}

/* --- the answer as it is ------------------------------------------------------------------- */

static void take_row(void *owner, const struct history_row *row)
{
	struct want_row got = { .day = row->day, .block = row->block };
	struct rows *r = owner;

	r->columns = row->columns;
	memcpy(got.counts, row->counts, row->columns * sizeof *got.counts);
	rows_add(r, &got);
}

static void take_trouble(void *owner, const char *text)
{
	struct rows *r = owner;

	r->troubles++;
	snprintf(r->trouble, sizeof r->trouble, "%s", text);
}

static struct query parse(const char *text)
{
	char wrong[QUERY_WRONG_MAX];
	struct query q;

	if (!query_parse(slice_of(text), &q, wrong))
		fail_msg("%s: %s", text, wrong);
	return q;
}

static enum history_end ask(const char *text, struct rows *got, size_t rows_max,
			    char why[HISTORY_WHY_MAX])
{
	struct history_asker asker = { .owner = got, .row = take_row, .trouble = take_trouble,
				       .rows_max = rows_max };
	struct query q = parse(text);

	return history_ask(dir, &q, &asker, why);
}

static void compare(const char *text, const struct rows *got, const struct rows *want)
{
	char block[CIDR_TEXT_MAX];

	for (unsigned i = 0; i < want->n && i < got->n; i++) {
		const struct want_row *w = &want->at[i], *g = &got->at[i];

		if (w->day != g->day || !cidr_equal(&w->block, &g->block) ||
		    memcmp(w->counts, g->counts, sizeof w->counts) != 0)
			fail_msg("%s: row %u is %s %ju..%ju %ju..%ju, not %ju..%ju %ju..%ju", text,
				 i, cidr_print(&g->block, block), (uintmax_t)g->counts[0].low,
				 (uintmax_t)g->counts[0].high, (uintmax_t)g->counts[1].low,
				 (uintmax_t)g->counts[1].high, (uintmax_t)w->counts[0].low,
				 (uintmax_t)w->counts[0].high, (uintmax_t)w->counts[1].low,
				 (uintmax_t)w->counts[1].high);
	}
	if (got->n != want->n)
		fail_msg("%s: %u rows, not %u", text, got->n, want->n);
}

static void test_answers_are_those_of_plain_lists(void **state)
{
	static const char *const queries[] = {
		"show count for 10.0.0.0/8 in a cidrsize 8",
		"show count for 10.1.0.0/16 in a cidrsize 24",
		"show count for 10.1.0.7 in a",
		"show count for 10.1.0.0/28 in a cidrsize 28",
		"show count for 11.0.0.0/8 in a cidrsize 8",
		"show count for 11.0.0.0/8 in a cidrsize 9",
		"show count for 11.0.0.0/8 in a threshold 1 cidrsize 8",
		"show count for 10.0.0.0/8 in a",
		"show count for 0.0.0.0/0 in a,b.c,\"d e\"",
		"show count for 0.0.0.0/0 in a,a,b.c cidrsize 0",
		"show count for 10.1.0.0/20 in union(a,b.c,\"d e\",a)",
		"show count for ::/0 in b.c",
		"show count for ::/0 in union(b.c) cidrsize 0",
		"show count for a01::/16 in b.c,a cidrsize 16 to 128",
		"show count for a01::/16 in b.c cidrsize 62 to 67",
		"show count for 10.1.0.0/23 in \"d e\" cidrsize 23 to 32",
		"show count for 0.0.0.0/0 in a cidrsize 0 to 32 threshold 200",
		"show count for 0.0.0.0/0 in a,b.c cidrsize 32 order by count",
		"show count for 0.0.0.0/0 in a,b.c cidrsize 20 to 31 order by count limit 7",
		"show count for 0.0.0.0/0 in b.c cidrsize 26 limit 5",
		"show count for 0.0.0.0/0 in b.c cidrsize 31 order by cidr limit 1 threshold 100",
		"show count for 0.0.0.0/0 in b.c cidrsize 26 aggregate daily limit 5",
		"show count for 0.0.0.0/0 in a,b.c cidrsize 0 aggregate daily",
		"show count for 10.1.0.0/22 in union(a,b.c) aggregate daily order by count",
		"show count for 0.0.0.0/0 in b.c cidrsize 0 on 20261119",
		"show count for 0.0.0.0/0 in b.c cidrsize 0 on 20261120",
		"show count for ::/0 in a cidrsize 0 from 20261119T234500 to 20261120T001500",
		"show count for 0.0.0.0/0 in b.c cidrsize 0 from 20261119 to 20261120",
		"show count for 0.0.0.0/0 in b.c cidrsize 0 since 20261120T000000",
		"show count for 0.0.0.0/0 in b.c since 20261120T003000",
	};
	static const size_t rows_max[] = { 0, 1, 20, 100, 600 };
	char why[HISTORY_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		struct query q = parse(queries[i]);
		struct rows want = { 0 };

		want_rows(&want, &q);
		for (size_t m = 0; m < sizeof rows_max / sizeof *rows_max; m++) {
			struct rows got = { 0 };

			if (ask(queries[i], &got, rows_max[m], why) != HISTORY_DONE)
				fail_msg("%s: %s", queries[i], why);
			compare(queries[i], &got, &want);
			free(got.at);
		}
		free(want.at);
	}
}

/* A window belongs to a period when its end is in (from, to]. */
static void test_D82_periods(void **state)
{
	static const struct {
		const char *name, *period;
		unsigned want_first, want_last; /* quarters; lists 3 * first + 1 .. */
	} cases[] = {
		{ "all", "", 0, 3 },
		{ "midnight ends the day before", "on 20261119", 0, 1 },
		{ "and does not begin the next", "on 20261120", 2, 3 },
		{ "from is before it", "from 20261119T234500 to 20261120T000000", 1, 1 },
		{ "a second earlier", "from 20261119T234459 to 20261120T000000", 0, 1 },
		{ "to is in it", "from 20261119 to 20261120T001500", 0, 2 },
		{ "to a day is all of it", "from 20261119 to 20261120", 0, 3 },
		{ "since", "since 20261120T001500", 3, 3 },
	};
	char text[200], why[HISTORY_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr all = { { 0, 0, ADDR_V4 }, 0 };
		struct bounds want = { 0, 0 };
		struct rows got = { 0 };

		for (unsigned k = cases[i].want_first; k <= cases[i].want_last; k++)
			bounds_add(&want, list_sum(&lists[3 * k + 1], &all));
		snprintf(text, sizeof text, "show count for 0.0.0.0/0 in b.c cidrsize 0 %s",
			 cases[i].period);
		assert_int_equal(ask(text, &got, 0, why), HISTORY_DONE);
		if (got.n != 1 || got.at[0].counts[0].low != want.low)
			fail_msg("%s: %ju, not %ju", cases[i].name,
				 got.n > 0 ? (uintmax_t)got.at[0].counts[0].low : 0,
				 (uintmax_t)want.low);
		free(got.at);
	}
}

static void add_line(void *owner, const char *name, uint64_t first, uint64_t last)
{
	char one[SHELF_TIME_MAX], two[SHELF_TIME_MAX];
	bool fits = buf_printf(owner, "%s : %s => %s\n", name, shelf_time(first, one),
			       shelf_time(last, two));

	assert_true(fits);
}

static void add_file(void *owner, const char *file, uint64_t octets)
{
	bool fits = octets > 0 && buf_printf(owner, "%s\n", file);

	assert_true(fits);
}

static void touch(const char *name)
{
	char path[sizeof dir + 64];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void test_what_there_is(void **state)
{
	static const char *const strangers[] = { "a", "a.20261120T000000Z.new", "b.c", ".hidden",
						 "a.20261120T000000", "lost+found" };
	struct history_asker asker = { .series = add_line, .file = add_file };
	struct query available = parse("show available"), cache = parse("cache details");
	char why[HISTORY_WHY_MAX];
	struct buf got;

	(void)state;
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		touch(strangers[i]);
	buf_init(&got, 0);
	asker.owner = &got;
	assert_int_equal(history_ask(dir, &available, &asker, why), HISTORY_DONE);
	assert_string_equal(buf_text(&got), "a : 20261119T234500Z => 20261120T003000Z\n"
					    "b.c : 20261119T234500Z => 20261120T003000Z\n"
					    "d e : 20261119T234500Z => 20261120T003000Z\n");
	buf_clear(&got);
	assert_int_equal(history_ask(dir, &cache, &asker, why), HISTORY_DONE);
	assert_ptr_equal(strstr(buf_text(&got), "a.20261119T234500Z\na.20261120T000000Z\n"),
			 buf_text(&got));
	assert_non_null(strstr(buf_text(&got), "\nd%20e.20261120T003000Z\n"));
	assert_null(strstr(buf_text(&got), "new"));
	buf_free(&got);
}

static void test_what_cannot_be_answered(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "unknown series", "show count for ::/0 in x", "no journal of series \"x\" in " },
		{ "the nearest is named", "show count for ::/0 in a,bc", "did you mean \"b.c\"?" },
		{ "in a union", "show count for ::/0 in union(a,x)", "series \"x\"" },
		{ "unknown in the period, too", "show count for ::/0 in x on 20200101", "\"x\"" },
		{ "texts", "show count for 10.0.0.0/8 in texts cidrsize 8",
		  "series \"texts\" counts texts, not addresses" },
		{ "texts, listed", "show count for 10.0.0.0/8 in texts",
		  "series \"texts\" counts texts, not addresses" },
	};
	struct list texts = { .series = "texts", .end_s = NOV20 };
	struct history_asker nobody = { 0 };
	struct query q = parse("show available");
	char why[HISTORY_WHY_MAX];

	(void)state;
	write_journal(&texts, "texts", SERIES_STRING);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rows got = { 0 };

		if (ask(cases[i].text, &got, 0, why) != HISTORY_FAILED || got.n > 0 ||
		    strstr(why, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].name, why);
	}
	unlink(path_of("texts", NOV20));
	assert_int_equal(history_ask("/nonexistent", &q, &nobody, why), HISTORY_FAILED);
	assert_string_equal(why, "/nonexistent: No such file or directory");
}

/* The rest is answered, and what was left out is named once. */
static void test_bad_files_are_left_out(void **state)
{
	static const struct {
		const char *name, *query, *want;
		long cut_to;
		const char *inside; /* series in the file */
		int late_s;	    /* its window is so much off its name */
	} cases[] = {
		{ "cut short", "cidrsize 0", "is cut short: 100 of ", 100, "good", 0 },
		{ "empty", "cidrsize 0", "is no file of a series", 0, "good", 0 },
		{ "another series", "cidrsize 0", "is of another series", -1, "other", 0 },
		{ "another window", "cidrsize 0", "is of another window", -1, "good", QUARTER },
		{ "in many passes", "cidrsize 32", "is cut short", 1000, "good", 0 },
	};
	static struct list good, bad;
	char why[HISTORY_WHY_MAX], text[200], from[sizeof dir + SHELF_NAME_MAX + 1];

	(void)state;
	good.series = "good";
	good.end_s = NOV20;
	list_fill(&good, 300);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr all = { { 0, 0, ADDR_V4 }, 0 };
		struct rows got = { 0 };
		uint64_t sum = 0, want = 0;

		bad = good;
		bad.series = cases[i].inside;
		bad.end_s = NOV20 + QUARTER + (unsigned)cases[i].late_s;
		write_journal(&good, "good", SERIES_ADDRESSES);
		write_journal(&bad, "good", SERIES_ADDRESSES);
		snprintf(from, sizeof from, "%s", path_of("good", bad.end_s));
		assert_int_equal(rename(from, path_of("good", NOV20 + QUARTER)), 0);
		if (cases[i].cut_to >= 0)
			assert_int_equal(truncate(path_of("good", NOV20 + QUARTER),
						  cases[i].cut_to), 0);
		snprintf(text, sizeof text, "show count for 0.0.0.0/0 in good %s", cases[i].query);
		if (ask(text, &got, 50, why) != HISTORY_PARTLY || got.troubles != 1 ||
		    strstr(got.trouble, cases[i].want) == NULL ||
		    strncmp(got.trouble, "good.20261120T001500Z: ", 23) != 0)
			fail_msg("%s: %u, %s", cases[i].name, got.troubles, got.trouble);
		for (unsigned r = 0; r < got.n; r++)
			sum += got.at[r].counts[0].low;
		for (unsigned e = 0; e < good.n; e++)
			if (cidr_contains(&all, &good.at[e].block.addr) &&
			    (good.at[e].block.len == 32 || got.n == 1))
				want += good.at[e].amount;
		assert_int_equal(sum, want);
		free(got.at);
	}
	unlink(path_of("good", NOV20));
	unlink(path_of("good", NOV20 + QUARTER));
}

static void remove_all(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_those_of_plain_lists),
		cmocka_unit_test(test_D82_periods),
		cmocka_unit_test(test_what_there_is),
		cmocka_unit_test(test_what_cannot_be_answered),
		cmocka_unit_test(test_bad_files_are_left_out),
	};
	int failures;

	assert_non_null(mkdtemp(dir));
	make_journals();
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	free(lists);
	remove_all();
	return failures;
}
