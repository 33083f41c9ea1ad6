/*
 * A keeper in a directory of its own, with a clock that is set, and what one looks for afterwards.
 */
#ifndef TESTS_ARCHIVE_SCENE_H
#define TESTS_ARCHIVE_SCENE_H

#include "archive/keeper.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { SAVE_MS = 10000, DAY_S = 86400 };
static const uint64_t began_s = 1795168800; /* 2026-11-20T10:00:00Z, where windows begin */

/* A directory, and one life after the other in it. */
struct world {
	char dir[64], series_dir[80], journal_dir[80];
	uint64_t now_s; /* both clocks */
	struct series_all *all;
	struct keeper *keeper;
};

static inline void set_time(struct world *w, uint64_t s)
{
	w->now_s = s;
	clock_stop(true, s * 1000, s * 1000);
}

static const struct monitor five_minutes = { 300, 6 };

static inline void define(struct world *w, const char *name, enum series_type type, bool persist,
			  bool serialize)
{
	struct series_definition d = {
		.type = type, .monitor = five_minutes, .persist = persist, .serialize = serialize,
	};
	bool dropped;

	snprintf(d.name, sizeof d.name, "%s", name);
	assert_null(series_define(w->all, &d, &dropped));
}

static inline struct keeper_rules rules_of(const struct world *w)
{
	return (struct keeper_rules){
		.series_dir = w->series_dir, .journal_dir = w->journal_dir, .save_ms = SAVE_MS,
		.journal_days = 30,
	};
}

static inline void live(struct world *w)
{
	struct keeper_rules rules = rules_of(w);

	w->all = series_all_new();
	series_monitors(w->all, &five_minutes, 1, 1 << 20, true);
	w->keeper = keeper_new(w->all, &rules);
}

static inline void die(struct world *w)
{
	keeper_stop(w->keeper);
	series_all_free(w->all);
	w->keeper = NULL;
	w->all = NULL;
}

static inline void turn(struct world *w)
{
	keeper_inherit(w->keeper);
	keeper_turn(w->keeper);
}

/* Time for the next saving comes. */
static inline void let_save(struct world *w)
{
	turn(w);
	set_time(w, w->now_s + SAVE_MS / 1000);
	turn(w);
}

static inline int set_up(void **state)
{
	struct world *w = mem_new(sizeof *w);

	snprintf(w->dir, sizeof w->dir, "/tmp/test_keeper.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->series_dir, sizeof w->series_dir, "%s/series", w->dir);
	snprintf(w->journal_dir, sizeof w->journal_dir, "%s/journal", w->dir);
	mkdir(w->journal_dir, 0750);
	log_set_level(LOG_ERROR + 1);
	set_time(w, began_s);
	live(w);
	*state = w;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *w = *state;
	char *command = mem_printf("rm -rf '%s'", w->dir);

	die(w);
	assert_int_equal(system(command), 0);
	free(command);
	free(w);
	clock_stop(false, 0, 0);
	return 0;
}

/* --- what is in a series, and in a directory ------------------------------------------------ */

static inline struct series_key key_of(const char *text)
{
	struct series_key key = { .text = slice_of(text) };

	if (cidr_parse(key.text, &key.block) != NULL)
		key.block = (struct cidr){ 0 };
	return key;
}

static inline void add(struct world *w, const char *series, const char *key, int64_t amount)
{
	const char *why;
	struct series *s = series_named(w->all, slice_of(series), &why);
	struct series_key k = key_of(key);

	assert_non_null(s);
	assert_null(series_add(s, &k, amount, NULL));
}

/* -1: there is no such series. */
static inline int64_t sum(struct world *w, const char *series, const char *key, unsigned first,
			  unsigned last)
{
	const char *why;
	struct series *s = series_named(w->all, slice_of(series), &why);
	struct series_key k = key_of(key);
	struct bounds b;

	if (s == NULL)
		return -1;
	assert_null(series_sum(s, &k, first, last, &b));
	assert_int_equal(b.low, b.high);
	return (int64_t)b.low;
}

static inline int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* "a b c", in order. */
static inline const char *files(const char *dir)
{
	static char text[2000];
	struct dirent **list = NULL;
	int count = scandir(dir, &list, no_dots, alphasort);
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "",
					list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return text;
}

static inline char *path_in(const char *dir, const char *file)
{
	return mem_printf("%s/%s", dir, file);
}

static inline void write_file(const char *dir, const char *file, const void *octets, size_t len)
{
	char *path = path_in(dir, file);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	fclose(f);
	free(path);
}

static inline size_t read_file(const char *dir, const char *file, unsigned char *octets,
			       size_t room)
{
	char *path = path_in(dir, file);
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(octets, 1, room, f);
	fclose(f);
	free(path);
	return len;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
