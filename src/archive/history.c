#include "archive/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/history_parts.h"
#include "archive/shelf.h"
#include "base/mem.h"
#include "base/nearest.h"

enum { DAY = 86400 };

struct journal_list {
	struct journal *list;
	size_t n, room;
};

static bool go_wrong(char why[HISTORY_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool go_wrong(char why[HISTORY_WHY_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, HISTORY_WHY_MAX, format, args);
	va_end(args);
	return false;
}

static void list_add(struct journal_list *all, const char *file, const char *series, uint64_t end_s)
{
	if (all->n == all->room) {
		all->room = all->room > 0 ? 2 * all->room : 256;
		all->list = mem_resize(all->list, all->room, sizeof *all->list);
	}
	all->list[all->n++] = (struct journal){
		.file = mem_strdup(file), .series = mem_strdup(series), .end_s = end_s,
	};
}

static void list_free(struct journal_list *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->list[i].file);
		free(all->list[i].series);
	}
	free(all->list);
}

static int by_series(const void *a, const void *b)
{
	const struct journal *x = a, *y = b;
	int order = strcmp(x->series, y->series);

	return order != 0 ? order : (x->end_s > y->end_s) - (x->end_s < y->end_s);
}

static int by_time(const void *a, const void *b)
{
	const struct journal *x = a, *y = b;

	if (x->end_s != y->end_s)
		return x->end_s < y->end_s ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

/* What is no journal (being written, set aside, not ours) is passed over. */
static bool list_read(struct journal_list *all, const char *dir, char why[HISTORY_WHY_MAX])
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (d == NULL)
		return go_wrong(why, "%s: %s", dir, strerror(errno));
	while ((errno = 0, entry = readdir(d)) != NULL) {
		char series[SERIES_NAME_MAX + 1];
		uint64_t end_s;

		if (shelf_is_journal(entry->d_name, series, sizeof series, &end_s))
			list_add(all, entry->d_name, series, end_s);
	}
	if (errno != 0)
		go_wrong(why, "%s: %s", dir, strerror(errno));
	closedir(d);
	if (all->n > 0)
		qsort(all->list, all->n, sizeof *all->list, by_series);
	return why[0] == '\0';
}

/* --- lists --------------------------------------------------------------------------------- */

static void tell_available(const struct journal_list *all, const struct history_asker *asker)
{
	for (size_t i = 0, first = 0; i < all->n; i++) {
		if (strcmp(all->list[i].series, all->list[first].series) != 0)
			first = i;
		if (i + 1 == all->n || strcmp(all->list[i + 1].series, all->list[i].series) != 0)
			asker->series(asker->owner, all->list[i].series, all->list[first].end_s,
				      all->list[i].end_s);
	}
}

static void tell_files(const struct journal_list *all, const struct history_asker *asker, int dir)
{
	struct stat st;

	for (size_t i = 0; i < all->n; i++)
		if (fstatat(dir, all->list[i].file, &st, 0) == 0)
			asker->file(asker->owner, all->list[i].file, (uint64_t)st.st_size);
}

/* --- which journals ------------------------------------------------------------------------ */

static bool check_known(const struct journal_list *all, const char *series, const char *dir,
			char why[HISTORY_WHY_MAX])
{
	struct nearest near;

	nearest_begin(&near, slice_of(series));
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->list[i].series, series) == 0)
			return true;
		if (i == 0 || strcmp(all->list[i].series, all->list[i - 1].series) != 0)
			nearest_try(&near, all->list[i].series);
	}
	if (near.name != NULL)
		return go_wrong(why, "no journal of series \"%s\" in %.200s; did you mean \"%s\"?",
				series, dir, near.name);
	return go_wrong(why, "no journal of series \"%s\" in %.200s", series, dir);
}

static bool is_in(const struct journal *j, const struct query *q)
{
	return j->end_s > q->from && j->end_s <= q->to;
}

/* Those of the query and of its period, a column each. One named twice is in both, but once in a
 * union. */
static bool choose(const struct journal_list *all, const struct query *q, const char *dir,
		   struct journal_list *out, char why[HISTORY_WHY_MAX])
{
	for (unsigned s = 0; s < q->series_count; s++) {
		bool is_again = false;

		if (!check_known(all, q->series[s], dir, why))
			return false;
		for (unsigned i = 0; i < s; i++)
			is_again |= strcmp(q->series[i], q->series[s]) == 0;
		if (q->is_union && is_again)
			continue;
		for (size_t i = 0; i < all->n; i++) {
			const struct journal *j = &all->list[i];

			if (strcmp(j->series, q->series[s]) != 0 || !is_in(j, q))
				continue;
			list_add(out, j->file, j->series, j->end_s);
			out->list[out->n - 1].column = q->is_union ? 0 : s;
		}
	}
	if (out->n > 0)
		qsort(out->list, out->n, sizeof *out->list, by_time);
	return true;
}

/* --- reading them -------------------------------------------------------------------------- */

void answer_leave_out(struct answer *a, struct journal *j, const char *wrong)
{
	j->is_bad = a->is_partly = true;
	if (a->asker->trouble != NULL)
		a->asker->trouble(a->asker->owner, wrong);
}

/* Its name says what is in it, and what was asked for went by the name. */
static const char *foreign(const struct volume *v, const struct journal *j)
{
	const struct volume_about *about = volume_about(v);

	if (strcmp(about->is.name, j->series) != 0)
		return "is of another series than its name says";
	if (volume_windows(v) != 1 ||
	    volume_window(v, 0)->number != j->end_s / about->is.monitor.seconds - 1 ||
	    j->end_s % about->is.monitor.seconds != 0)
		return "is of another window than its name says";
	return NULL;
}

struct volume *answer_open(struct answer *a, struct journal *j)
{
	char wrong[VOLUME_WHY_MAX];
	struct volume *v;
	const char *why;

	if (a->asker->progress != NULL)
		a->asker->progress(a->asker->owner, a->files_done, a->files_all);
	a->files_done++;
	if (j->is_bad)
		return NULL;
	v = volume_open_at(a->dir, j->file, wrong);
	if (v == NULL) {
		answer_leave_out(a, j, wrong);
		return NULL;
	}
	why = foreign(v, j);
	if (why != NULL) {
		snprintf(wrong, sizeof wrong, "%s: %s", j->file, why);
		answer_leave_out(a, j, wrong);
	} else if (volume_about(v)->is.type == SERIES_STRING) {
		go_wrong(a->why, "series \"%s\" counts texts, not addresses", j->series);
	} else {
		return v;
	}
	volume_close(v);
	return NULL;
}

/* --- one block at one level ---------------------------------------------------------------- */

static bool sum_up(struct answer *a, struct journal *journals, size_t n)
{
	struct bounds counts[QUERY_SERIES_MAX] = { { 0, 0 } }, one;
	struct history_row row = { a->day, a->q->block, counts, a->columns };

	for (size_t i = 0; i < n; i++) {
		struct volume *v = answer_open(a, &journals[i]);

		if (v == NULL && a->why[0] != '\0')
			return false;
		if (v == NULL)
			continue;
		if (volume_sum(v, 0, &a->q->block, &one))
			bounds_add(&counts[journals[i].column], one);
		else
			answer_leave_out(a, &journals[i], volume_wrong(v));
		volume_close(v);
	}
	if (counts[0].low >= a->q->threshold)
		a->asker->row(a->asker->owner, &row);
	return true;
}

static bool answer_period(struct answer *a, struct journal *journals, size_t n)
{
	const struct query *q = a->q;

	return q->level_first == q->block.len && q->level_last == q->block.len
		       ? sum_up(a, journals, n)
		       : listing_make(a, journals, n);
}

/* The day of a window is the one that it ends in, at its last moment included. */
static uint64_t day_of(const struct journal *j)
{
	return (j->end_s - 1) / DAY;
}

static bool answer_days(struct answer *a, struct journal_list *chosen)
{
	size_t first = 0;

	while (first < chosen->n) {
		size_t last = first + 1;
		uint64_t day = day_of(&chosen->list[first]);

		while (last < chosen->n && day_of(&chosen->list[last]) == day)
			last++;
		a->day = day * DAY;
		if (!answer_period(a, chosen->list + first, last - first))
			return false;
		first = last;
	}
	return true;
}

static enum history_end answer_count(const struct journal_list *all, const char *dir, int dir_fd,
				     const struct query *q, const struct history_asker *asker,
				     char why[HISTORY_WHY_MAX])
{
	struct answer a = { .q = q, .asker = asker, .dir = dir_fd, .why = why,
			    .columns = q->is_union ? 1 : q->series_count };
	struct journal_list chosen = { 0 };
	bool done = choose(all, q, dir, &chosen, why);

	a.files_all = chosen.n;
	if (done)
		done = q->is_daily ? answer_days(&a, &chosen)
				   : answer_period(&a, chosen.list, chosen.n);
	list_free(&chosen);
	if (!done)
		return HISTORY_FAILED;
	return a.is_partly ? HISTORY_PARTLY : HISTORY_DONE;
}

enum history_end history_ask(const char *dir, const struct query *q,
			     const struct history_asker *asker, char why[HISTORY_WHY_MAX])
{
	enum history_end end = HISTORY_FAILED;
	struct journal_list all = { 0 };
	int fd;

	why[0] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		go_wrong(why, "%s: %s", dir, strerror(errno));
		return end;
	}
	if (list_read(&all, dir, why)) {
		end = HISTORY_DONE;
		switch (q->kind) {
		case QUERY_AVAILABLE:
			tell_available(&all, asker);
			break;
		case QUERY_CACHE:
			tell_files(&all, asker, fd);
			break;
		case QUERY_COUNT:
			end = answer_count(&all, dir, fd, q, asker, why);
			break;
		}
	}
	list_free(&all);
	close(fd);
	return end;
}
