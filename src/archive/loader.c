#include "archive/loader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "archive/saved.h"
#include "archive/shelf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* --- one ----------------------------------------------------------------------------------- */

/* Whole, every octet looked at. NULL: why[] says. */
static struct volume *open_whole(const char *path, char why[VOLUME_WHY_MAX])
{
	struct volume *v = volume_open(path, why);

	if (v == NULL || volume_check(v))
		return v;
	snprintf(why, VOLUME_WHY_MAX, "%s", volume_wrong(v));
	volume_close(v);
	return NULL;
}

static bool is_of(const struct volume *v, struct series *s)
{
	const struct series_definition *is = &volume_about(v)->is;
	struct series_info info;

	series_describe(s, &info);
	return info.is.type == is->type && monitor_equal(info.is.monitor, is->monitor);
}

static void say_lost(const struct volume *v, const struct saved_count *count)
{
	if (count->lost > 0)
		log_warn("series %s: %llu entries of its file found no room",
			 volume_about(v)->is.name, (unsigned long long)count->lost);
}

bool loader_one(struct series *s, const char *path, char why[VOLUME_WHY_MAX])
{
	struct volume *v = open_whole(path, why);
	struct saved_count count;
	bool fine;

	if (v == NULL)
		return false;
	fine = is_of(v, s);
	if (!fine)
		snprintf(why, VOLUME_WHY_MAX, "%s: it is of another definition", path);
	fine = fine && saved_read(v, s, true, &count, why);
	if (fine)
		say_lost(v, &count);
	volume_close(v);
	return fine;
}

/* --- all ----------------------------------------------------------------------------------- */

struct loading {
	struct series_all *all;
	const char *dir;
	unsigned loaded, set_aside;
	uint64_t entries;
};

static char *path_of(const char *dir, const char *file)
{
	return mem_printf("%s/%s", dir, file);
}

static void set_aside(struct loading *l, const char *path, const char *why)
{
	char when[SHELF_TIME_MAX];
	char *aside = mem_printf("%s.bad-%s", path, shelf_time(clock_wall_ms() / 1000, when));

	if (rename(path, aside) == 0)
		log_error("%s; set aside as %s", why, aside);
	else
		log_error("%s; and it cannot be set aside: %s", why, strerror(errno));
	free(aside);
	l->set_aside++;
}

/* A copy under another name would count everything twice. */
static bool is_called(const struct volume_about *about, const char *file)
{
	const struct series_info info = {
		.is = about->is, .event = about->event, .is_defined = about->is_defined,
	};
	char name[SHELF_NAME_MAX];

	return shelf_saved(name, &info) && strcmp(name, file) == 0;
}

static bool is_past(const struct volume *v)
{
	const struct monitor *m = &volume_about(v)->is.monitor;
	uint64_t now = clock_wall_ms() / 1000 / m->seconds;
	unsigned count = volume_windows(v);
	uint64_t last = count > 0 ? volume_window(v, count - 1)->number : 0;

	return last < now && now - last > m->windows;
}

/* Nobody defines it now; perhaps a later start does. */
static void leave(const struct volume *v, const char *path)
{
	if (is_past(v))
		unlink(path);
	else
		log_info("%s: there is no such series now, it is left", path);
}

static void load_into(struct loading *l, struct volume *v, struct series *s, const char *path)
{
	struct saved_count count;
	char why[VOLUME_WHY_MAX];
	struct series_info info;

	if (!is_of(v, s)) {
		log_warn("%s: the series is defined otherwise now, what was saved is dropped (D60)",
			 path);
	} else if (saved_read(v, s, false, &count, why)) {
		l->loaded++;
		l->entries += count.entries;
		say_lost(v, &count);
	} else {
		log_error("%s; part of it was loaded", why);
	}
	series_describe(s, &info);
	if (!info.is.persist)
		unlink(path);
}

static void load_file(struct loading *l, const char *file)
{
	char *path = path_of(l->dir, file), why[VOLUME_WHY_MAX];
	struct volume *v = open_whole(path, why);
	bool is_own = v != NULL && is_called(volume_about(v), file);
	struct series *s = is_own ? shelf_series(l->all, file) : NULL;

	if (v != NULL && !is_own)
		snprintf(why, sizeof why, "%.256s: is the file of another series", path);
	if (!is_own) /* whatever the reason: the next save would write over it */
		set_aside(l, path, why);
	else if (s == NULL)
		leave(v, path);
	else
		load_into(l, v, s, path);
	volume_close(v);
	free(path);
}

static int is_saved(const struct dirent *e)
{
	return shelf_is_saved(e->d_name);
}

static int is_new(const struct dirent *e)
{
	return shelf_is_new(e->d_name);
}

/* Names first, because files are renamed on the way. false: there are none. */
static bool next_name(struct dirent **list, int count, int *at)
{
	if (*at >= 0 && *at < count)
		free(list[*at]);
	if (++*at < count)
		return true;
	if (count >= 0)
		free(list);
	return false;
}

void loader_clean(const char *dir)
{
	struct dirent **list = NULL;
	int count = scandir(dir, &list, is_new, alphasort);

	for (int i = -1; next_name(list, count, &i);) {
		char *path = path_of(dir, list[i]->d_name);

		if (unlink(path) == 0)
			log_info("%s: unfinished, removed", path);
		free(path);
	}
}

void loader_all(struct series_all *all, const char *dir)
{
	struct loading l = { .all = all, .dir = dir };
	uint64_t began_ms = clock_ms();
	struct dirent **list = NULL;
	int count = scandir(dir, &list, is_saved, alphasort);

	if (count < 0 && errno != ENOENT)
		log_error("series cannot be loaded: %s: %s", dir, strerror(errno));
	for (int i = -1; next_name(list, count, &i);)
		load_file(&l, list[i]->d_name);
	if (l.loaded > 0 || l.set_aside > 0)
		log_info("%u series loaded, %llu entries, %u files set aside, in %llu ms",
			 l.loaded, (unsigned long long)l.entries, l.set_aside,
			 (unsigned long long)(clock_ms() - began_ms));
}
