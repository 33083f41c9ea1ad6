/*
 * Everything here is done by one thread, a turn a second: its own once keeper_start was called,
 * before that the caller's. Only what others say to it (rules, tasks, the end) is under the lock.
 */
#include "archive/keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive/journals.h"
#include "archive/loader.h"
#include "archive/saved.h"
#include "archive/shelf.h"
#include "archive/trouble.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	TURN_S = 1,
	TIDY_MOST = 256, /* times in a turn, of one series */
};

enum keeper_state {
	KEEPER_WAITS,   /* another process may still have the series */
	KEEPER_KEEPS,
	KEEPER_RETIRED, /* another process has them now */
};

struct keeper {
	struct series_all *all; /* borrowed */
	pthread_mutex_t lock;
	pthread_cond_t asked, loaded;
	pthread_t thread;
	bool has_thread;
	struct keeper_rules *new_rules;		 /* under lock, NULL: none */
	STAILQ_HEAD(, keeper_task) tasks;	 /* under lock */
	bool inherits, has_loaded, ending;	 /* under lock */
	/* The thread's own. */
	struct keeper_rules rules;
	enum keeper_state state;
	uint64_t save_at_ms;
	struct trouble saving;
	struct journals journals;
	bool is_waiting; /* for the clock */
};

/* --- rules --------------------------------------------------------------------------------- */

static struct keeper_rules rules_copy(const struct keeper_rules *from)
{
	struct keeper_rules copy = *from;

	copy.series_dir = mem_strdup(from->series_dir);
	copy.journal_dir = mem_strdup(from->journal_dir);
	return copy;
}

static void rules_free(struct keeper_rules *rules)
{
	free((char *)rules->series_dir);
	free((char *)rules->journal_dir);
}

void keeper_rule(struct keeper *k, const struct keeper_rules *rules)
{
	struct keeper_rules *fresh = mem_new(sizeof *fresh), *unread;

	*fresh = rules_copy(rules);
	pthread_mutex_lock(&k->lock);
	unread = k->new_rules;
	k->new_rules = fresh;
	pthread_mutex_unlock(&k->lock);
	if (unread != NULL)
		rules_free(unread);
	free(unread);
}

/* Another interval may bring the next saving forward, and never puts it off. */
static void take_rules(struct keeper *k)
{
	struct keeper_rules *fresh;
	uint64_t next_ms;

	pthread_mutex_lock(&k->lock);
	fresh = k->new_rules;
	k->new_rules = NULL;
	pthread_mutex_unlock(&k->lock);
	if (fresh == NULL)
		return;
	rules_free(&k->rules);
	k->rules = *fresh;
	free(fresh);
	next_ms = clock_ms() + k->rules.save_ms;
	if (k->save_at_ms == 0 || next_ms < k->save_at_ms)
		k->save_at_ms = next_ms;
}

/* --- saving -------------------------------------------------------------------------------- */

/* Where it is saved, from the heap. NULL: why[] says. */
static char *path_of(const struct keeper *k, const struct series_info *info,
		     char why[VOLUME_WHY_MAX])
{
	char file[SHELF_NAME_MAX];

	if (shelf_saved(file, info))
		return mem_printf("%s/%s", k->rules.series_dir, file);
	snprintf(why, VOLUME_WHY_MAX, "series %s: its name is too long for a file", info->is.name);
	return NULL;
}

/* As it is, also where time has emptied it. false: why[] says. */
static bool save_one(struct keeper *k, struct series *s, const struct series_info *info,
		     char why[VOLUME_WHY_MAX])
{
	uint64_t last = info->window, kept = info->is.monitor.windows;
	char *path = path_of(k, info, why);
	bool fine;

	if (path == NULL)
		return false;
	mkdir(k->rules.series_dir, 0750); /* if that fails, so does what follows */
	fine = saved_write(s, info, last > kept ? last - kept : 0, last, path, true, why);
	free(path);
	return fine;
}

/* heir NULL: what persists. Otherwise everything, and what comes after that is told to the heir. */
static void save_all(struct keeper *k, struct series_tap *heir)
{
	char why[VOLUME_WHY_MAX];
	struct series_info info;
	struct series *s;

	for (unsigned n = 0; (s = series_nth(k->all, n)) != NULL; n++) {
		if (heir != NULL)
			series_forward(s, heir);
		series_describe(s, &info);
		if ((info.is.persist || heir != NULL) && info.window != 0 &&
		    !save_one(k, s, &info, why))
			trouble_note(&k->saving, why);
	}
}

/* --- what is asked ------------------------------------------------------------------------- */

static bool load_named(struct keeper *k, const struct keeper_task *t, char why[VOLUME_WHY_MAX])
{
	const char *reason;
	struct series *s = series_named(k->all, slice_of(t->series), &reason);
	struct series_info info;
	char *path;
	bool fine;

	if (s == NULL) {
		snprintf(why, VOLUME_WHY_MAX, "%s", reason);
		return false;
	}
	series_describe(s, &info);
	if (t->file == NULL)
		path = path_of(k, &info, why);
	else if (t->file[0] == '/')
		path = mem_strdup(t->file);
	else
		path = mem_printf("%s/%s", k->rules.series_dir, t->file);
	fine = path != NULL && loader_one(s, path, why);
	free(path);
	return fine;
}

static bool save_named(struct keeper *k, const char *name, char why[VOLUME_WHY_MAX])
{
	const char *reason;
	struct series *s = series_named(k->all, slice_of(name), &reason);
	struct series_info info;

	if (s == NULL) {
		snprintf(why, VOLUME_WHY_MAX, "%s", reason);
		return false;
	}
	series_describe(s, &info);
	return save_one(k, s, &info, why);
}

static bool save_each(struct keeper *k, struct series_tap *heir, char why[VOLUME_WHY_MAX])
{
	save_all(k, heir);
	snprintf(why, VOLUME_WHY_MAX, "%s", k->saving.now);
	trouble_tell(&k->saving, k->rules.save_ms);
	return *why == '\0';
}

static bool do_task(struct keeper *k, struct keeper_task *t)
{
	bool fine;

	if (k->state != KEEPER_KEEPS) {
		snprintf(t->wrong, sizeof t->wrong, "another process keeps the series");
		return false;
	}
	switch (t->work) {
	case KEEPER_LOAD:
		return load_named(k, t, t->wrong);
	case KEEPER_SAVE:
		if (t->series != NULL)
			return save_named(k, t->series, t->wrong);
		return save_each(k, NULL, t->wrong);
	case KEEPER_RETIRE:
		journals_write(&k->journals, k->all, &k->rules);
		fine = save_each(k, t->tap, t->wrong);
		k->state = KEEPER_RETIRED;
		return fine;
	}
	return false;
}

static struct keeper_task *next_task(struct keeper *k)
{
	struct keeper_task *t;

	pthread_mutex_lock(&k->lock);
	t = STAILQ_FIRST(&k->tasks);
	if (t != NULL)
		STAILQ_REMOVE_HEAD(&k->tasks, next);
	pthread_mutex_unlock(&k->lock);
	return t;
}

void keeper_ask(struct keeper *k, struct keeper_task *task)
{
	pthread_mutex_lock(&k->lock);
	STAILQ_INSERT_TAIL(&k->tasks, task, next);
	pthread_cond_signal(&k->asked);
	pthread_mutex_unlock(&k->lock);
}

static void inherit_if_told(struct keeper *k)
{
	bool told;

	pthread_mutex_lock(&k->lock);
	told = k->inherits;
	pthread_mutex_unlock(&k->lock);
	if (!told || k->state != KEEPER_WAITS)
		return;
	loader_clean(k->rules.series_dir);
	loader_clean(k->rules.journal_dir);
	loader_all(k->all, k->rules.series_dir);
	k->state = KEEPER_KEEPS;
	pthread_mutex_lock(&k->lock);
	k->has_loaded = true;
	pthread_cond_broadcast(&k->loaded);
	pthread_mutex_unlock(&k->lock);
}

static void do_tasks(struct keeper *k)
{
	struct keeper_task *t;

	while ((t = next_task(k)) != NULL) {
		inherit_if_told(k); /* what was told before the task was asked */
		if (do_task(k, t))
			t->wrong[0] = '\0';
		t->done(t);
	}
}

void keeper_inherit(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->inherits = true;
	pthread_cond_signal(&k->asked);
	pthread_mutex_unlock(&k->lock);
}

void keeper_wait(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	while (!k->has_loaded)
		pthread_cond_wait(&k->loaded, &k->lock);
	pthread_mutex_unlock(&k->lock);
}

/* --- a turn -------------------------------------------------------------------------------- */

static void tidy_all(struct keeper *k)
{
	struct series *s;

	for (unsigned n = 0; (s = series_nth(k->all, n)) != NULL; n++)
		for (unsigned times = 0; times < TIDY_MOST && series_tidy(s); times++)
			;
}

/*
 * A clock that was set back stands still for the windows that are newer (D43). One that was wrong
 * by years would stand for years, so that must be seen.
 */
static void tell_waiting(struct keeper *k)
{
	uint64_t now_s = clock_wall_ms() / 1000;
	bool is_waiting = false;
	char until[SHELF_TIME_MAX];
	struct series_info info;
	struct series *s;

	for (unsigned n = 0; !is_waiting && (s = series_nth(k->all, n)) != NULL; n++) {
		series_describe(s, &info);
		is_waiting = info.window > now_s / info.is.monitor.seconds + 1;
	}
	if (is_waiting && !k->is_waiting)
		log_warn("the clock was set back: series %s counts into one window until %s, or a "
			 "restart", info.is.name,
			 shelf_time(info.window * info.is.monitor.seconds, until));
	k->is_waiting = is_waiting;
}

static void do_what_was_asked(struct keeper *k)
{
	take_rules(k);
	inherit_if_told(k);
	do_tasks(k);
}

void keeper_turn(struct keeper *k)
{
	do_what_was_asked(k);
	tidy_all(k);
	tell_waiting(k);
	if (k->state != KEEPER_KEEPS)
		return;
	journals_write(&k->journals, k->all, &k->rules);
	if (clock_ms() < k->save_at_ms)
		return;
	save_all(k, NULL);
	trouble_tell(&k->saving, k->rules.save_ms);
	journals_expire(&k->journals, &k->rules);
	k->save_at_ms = clock_ms() + k->rules.save_ms;
}

/* --- its thread ---------------------------------------------------------------------------- */

/* false: the time has come. */
static bool wait_for_asking(struct keeper *k, const struct timespec *until)
{
	int error = 0;

	while (error == 0 && !k->ending && STAILQ_EMPTY(&k->tasks) &&
	       !(k->inherits && k->state == KEEPER_WAITS))
		error = pthread_cond_timedwait(&k->asked, &k->lock, until);
	return error == 0;
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	struct timespec turn_at = { 0 };
	bool ending = false;

	while (!ending) {
		bool asked;

		pthread_mutex_lock(&k->lock);
		asked = wait_for_asking(k, &turn_at);
		ending = k->ending;
		pthread_mutex_unlock(&k->lock);
		if (asked) {
			do_what_was_asked(k);
			continue;
		}
		keeper_turn(k);
		clock_gettime(CLOCK_MONOTONIC, &turn_at);
		turn_at.tv_sec += TURN_S;
	}
	k->save_at_ms = 0;
	k->journals.again_ms = 0;
	keeper_turn(k);
	return NULL;
}

struct keeper *keeper_new(struct series_all *all, const struct keeper_rules *rules)
{
	struct keeper *k = mem_new(sizeof *k);
	pthread_condattr_t attr;

	k->all = all;
	k->saving.what = "series cannot be saved";
	k->saving.over = "series are saved again";
	journals_init(&k->journals);
	STAILQ_INIT(&k->tasks);
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->asked, &attr);
	pthread_cond_init(&k->loaded, NULL);
	pthread_condattr_destroy(&attr);
	keeper_rule(k, rules);
	return k;
}

void keeper_start(struct keeper *k)
{
	k->has_thread = pthread_create(&k->thread, NULL, keeper_main, k) == 0;
	CHECK(k->has_thread);
}

void keeper_stop(struct keeper *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->ending = true;
	pthread_cond_signal(&k->asked);
	pthread_mutex_unlock(&k->lock);
	if (k->has_thread)
		pthread_join(k->thread, NULL);
	if (k->new_rules != NULL)
		rules_free(k->new_rules);
	free(k->new_rules);
	rules_free(&k->rules);
	pthread_cond_destroy(&k->asked);
	pthread_cond_destroy(&k->loaded);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
