/*
 * All series: found without a lock, made under one.
 *
 * A series, once made, is in its chain and in the list until the end, so whoever finds one may keep
 * it. A definition that changes shapes it anew in place. Built-in ones of a monitor that is gone
 * rest without a ring until some monitor needs them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/hash.h"
#include "series/inside.h"

enum { CHAINS = 1024, BUILTINS_MAX = MONITORS_MAX * EVENTS };

/* What monitors there are: replaced as a whole. Whoever reads an old one is never in the way, so
 * they are all kept: there is one more with each reload that changes them. */
struct builtins {
	unsigned count;
	struct series *of[MONITORS_MAX][EVENTS];
	struct builtins *older;
};

struct series_all {
	pthread_mutex_t lock; /* of making, shaping, and the members below it */
	size_t max_bytes;     /* of what does not say */
	unsigned others;      /* made, without the built-in ones */

	_Atomic(struct builtins *) builtins;
	_Atomic unsigned count;
	_Atomic(struct series *) chains[CHAINS]; /* by name alone */
	struct series *list[SERIES_MOST + BUILTINS_MAX];
};

static const char *const type_names[] = {
	[SERIES_CIDR] = "cidr",
	[SERIES_CIDR_IPV6] = "cidr_ipv6",
	[SERIES_ADDRESSES] = "address",
	[SERIES_STRING] = "string",
};

static const char *const event_names[EVENTS] = {
	[EVENT_CONNECTION] = "connections",
	[EVENT_RECEPTION] = "receptions",
	[EVENT_REJECTION] = "rejections",
};

const char *series_type_name(enum series_type type)
{
	return type_names[type];
}

const char *series_event_name(enum series_event event)
{
	return event_names[event];
}

struct series_all *series_all_new(void)
{
	struct series_all *all = mem_new(sizeof *all);

	pthread_mutex_init(&all->lock, NULL);
	all->max_bytes = SERIES_BYTES_STANDARD;
	all->builtins = mem_new(sizeof(struct builtins));
	return all;
}

void series_all_free(struct series_all *all)
{
	struct builtins *b, *older;

	if (all == NULL)
		return;
	for (unsigned i = 0; i < all->count; i++) {
		ring_free(all->list[i]->ring);
		pthread_mutex_destroy(&all->list[i]->lock);
		free(all->list[i]);
	}
	for (b = all->builtins; b != NULL; b = older) {
		older = b->older;
		free(b);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* --- finding ------------------------------------------------------------------------------- */

enum { BUILT_IN = 1, DEFINED = 2, OTHER = 4, ANY_MONITOR = 0 };

static unsigned sort_of(const struct series *s)
{
	if (s->event >= 0)
		return BUILT_IN;
	return s->is_defined ? DEFINED : OTHER;
}

/* Of one of these sorts, and of this shape or ANY_MONITOR. *several: there is another one; may be
 * NULL. */
static struct series *look(const struct series_all *all, struct slice name, unsigned sorts,
			   uint64_t shape, bool *several)
{
	uint64_t hash = hash_text(name);
	struct series *s = atomic_load_explicit(&all->chains[hash % CHAINS], memory_order_acquire);
	struct series *found = NULL;

	for (; s != NULL; s = s->chained) {
		if (s->hash != hash || !s->is_there || (sort_of(s) & sorts) == 0 ||
		    (shape != ANY_MONITOR && s->shape != shape) ||
		    !slice_equal(slice_of(s->is.name), name))
			continue;
		if (several == NULL)
			return s;
		*several = found != NULL;
		found = s;
	}
	return found;
}

struct series *series_defined(struct series_all *all, struct slice name)
{
	return look(all, name, DEFINED, ANY_MONITOR, NULL);
}

static struct series *made_by_anyone(const struct series_all *all, struct slice name,
				     struct monitor monitor)
{
	return look(all, name, DEFINED | OTHER, shape_of(monitor), NULL);
}

static struct series *builtin_named(const struct series_all *all, struct slice name,
				    struct monitor monitor)
{
	return look(all, name, BUILT_IN, shape_of(monitor), NULL);
}

/* A built-in one comes before one of the same name and monitor that somebody defined. */
struct series *series_find(struct series_all *all, struct slice name, struct monitor monitor)
{
	struct series *s = builtin_named(all, name, monitor);

	return s != NULL ? s : made_by_anyone(all, name, monitor);
}

struct series *series_nth(struct series_all *all, unsigned n)
{
	unsigned count = atomic_load_explicit(&all->count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (all->list[i]->is_there && n-- == 0)
			return all->list[i];
	return NULL;
}

/* "NAME@SECONDS,WINDOWS" */
static struct series *find_with_monitor(struct series_all *all, struct slice text)
{
	const char *at = text.len > 0 ? memrchr(text.at, '@', text.len) : NULL;
	struct slice name = { text.at, at != NULL ? (size_t)(at - text.at) : 0 };
	struct monitor monitor;

	if (at == NULL ||
	    monitor_parse((struct slice){ at + 1, text.len - name.len - 1 }, &monitor) != NULL)
		return NULL;
	return series_find(all, name, monitor);
}

struct series *series_named(struct series_all *all, struct slice text, const char **why)
{
	struct series *s = NULL;
	bool several = false;

	for (unsigned e = 0; e < EVENTS && s == NULL; e++)
		if (slice_equal(text, slice_of(event_names[e])))
			s = series_builtin(all, (enum series_event)e, 0);
	if (s == NULL)
		s = series_defined(all, text);
	if (s == NULL)
		s = find_with_monitor(all, text);
	if (s == NULL)
		s = look(all, text, OTHER, ANY_MONITOR, &several);
	if (s == NULL)
		*why = series_wrong("there is no series %.*s", SLICE_ARGS(text));
	else if (several)
		*why = series_wrong("there are several series %.*s: say which, as in %.*s@300,6",
				    SLICE_ARGS(text), SLICE_ARGS(text));
	return several ? NULL : s;
}

/* --- making -------------------------------------------------------------------------------- */

static const char *check_name(struct slice name)
{
	if (name.len == 0)
		return "a series has a name";
	if (name.len > SERIES_NAME_MAX)
		return series_wrong("a series' name has at most %d octets, not %zu",
				    SERIES_NAME_MAX, name.len);
	for (size_t i = 0; i < name.len; i++)
		if (ascii_is_control(name.at[i]))
			return "a series' name has no control characters";
	return NULL;
}

/* With the lock. It has no ring yet, and is not there until somebody says so. */
static struct series *make(struct series_all *all, struct slice name, int event)
{
	struct series *s = mem_new(sizeof *s);
	_Atomic(struct series *) *chain;

	CHECK(name.len <= SERIES_NAME_MAX);
	pthread_mutex_init(&s->lock, NULL);
	memcpy(s->is.name, name.at, name.len);
	s->all = all;
	s->event = event;
	s->hash = hash_text(name);
	chain = &all->chains[s->hash % CHAINS];
	s->chained = *chain;
	all->list[all->count] = s;
	atomic_store_explicit(chain, s, memory_order_release);
	atomic_fetch_add_explicit(&all->count, 1, memory_order_release);
	all->others += event < 0;
	return s;
}

void series_reshape(struct series *s, const struct series_definition *d, size_t max_bytes)
{
	struct ring *r = NULL, *old;

	if (d != NULL)
		r = ring_new(d->monitor, type_kind(d->type), max_bytes);
	pthread_mutex_lock(&s->lock);
	old = s->ring;
	s->ring = r;
	s->events = 0;
	s->full_since_ms = s->losses = 0;
	if (d != NULL) {
		s->is.type = d->type;
		s->is.monitor = d->monitor;
		s->type = d->type;
		s->shape = shape_of(d->monitor);
	}
	s->is_there = d != NULL;
	if (old != NULL && old->pins > 0) {
		old->is_left = true;
		old = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	ring_free(old);
}

static const char *too_many(struct slice name)
{
	return series_wrong("series %.*s: there are %d already, and no more are made",
			    SLICE_ARGS(name), SERIES_MOST);
}

/* --- as they come -------------------------------------------------------------------------- */

static struct series *open_locked(struct series_all *all, struct slice name, struct monitor monitor,
				  const char **why)
{
	struct series_definition d = { .type = SERIES_ADDRESSES, .monitor = monitor };
	struct series *s = made_by_anyone(all, name, monitor);

	if (s != NULL)
		return s;
	if (all->others == SERIES_MOST) {
		*why = too_many(name);
		return NULL;
	}
	s = make(all, name, -1);
	series_reshape(s, &d, all->max_bytes);
	return s;
}

struct series *series_open(struct series_all *all, struct slice name, struct monitor monitor,
			   const char **why)
{
	struct series *s = series_find(all, name, monitor);

	if (s != NULL && s->event < 0)
		return s;
	*why = check_name(name);
	if (s != NULL)
		*why = series_wrong("series %.*s with this monitor is built in", SLICE_ARGS(name));
	if (*why != NULL)
		return NULL;
	pthread_mutex_lock(&all->lock);
	s = open_locked(all, name, monitor, why);
	pthread_mutex_unlock(&all->lock);
	return s;
}

/* --- as they are defined ------------------------------------------------------------------- */

bool series_definition_equal(const struct series_definition *a, const struct series_definition *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       monitor_equal(a->monitor, b->monitor) && a->serialize == b->serialize &&
	       a->persist == b->persist && a->replicate == b->replicate &&
	       a->max_bytes == b->max_bytes;
}

const char *series_definition_check(const struct series_definition *d)
{
	const char *wrong = check_name((struct slice){ d->name, strnlen(d->name, sizeof d->name) });

	if (wrong != NULL)
		return wrong;
	if (d->monitor.seconds == 0 || d->monitor.seconds > MONITOR_SECONDS_MAX)
		return series_wrong("series %s: an interval is 1 to %d seconds", d->name,
				    MONITOR_SECONDS_MAX);
	if (d->monitor.windows == 0 || d->monitor.windows > MONITOR_WINDOWS_MAX)
		return series_wrong("series %s: there are 1 to %d windows", d->name,
				    MONITOR_WINDOWS_MAX);
	if (d->max_bytes != 0 &&
	    (d->max_bytes < SERIES_BYTES_MIN || d->max_bytes > STORE_LIMIT_MAX))
		return series_wrong("series %s: max_bytes is %d to %zu", d->name, SERIES_BYTES_MIN,
				    STORE_LIMIT_MAX);
	return NULL;
}

/* Journals are named after the series alone. But for these two, which may be NULL. */
static const char *check_journal(const struct series_all *all, const char *name,
				 const struct series *but, const struct series *nor)
{
	for (unsigned i = 0; i < all->count; i++) {
		const struct series *s = all->list[i];

		if (s != but && s != nor && s->is.serialize && strcmp(s->is.name, name) == 0)
			return series_wrong("series %s of another monitor is journalled already",
					    name);
	}
	return NULL;
}

const char *series_set_serialize(struct series *s)
{
	const char *wrong = NULL;

	pthread_mutex_lock(&s->all->lock);
	if (!s->is.serialize) {
		wrong = check_journal(s->all, s->is.name, s, NULL);
		pthread_mutex_lock(&s->lock);
		s->is.serialize = wrong == NULL;
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&s->all->lock);
	return wrong;
}

/* What a script made can be taken over with what is in it. */
static bool can_become(const struct series *s, const struct series_definition *d, size_t max_bytes)
{
	return !s->is_defined && monitor_equal(s->is.monitor, d->monitor) &&
	       type_kind(s->is.type) == type_kind(d->type) &&
	       store_limit(s->ring->store) == max_bytes;
}

/* All but its ring; d NULL: it is a script's again. */
static void become(struct series *s, const struct series_definition *d)
{
	pthread_mutex_lock(&s->lock);
	s->is.type = d != NULL ? d->type : SERIES_ADDRESSES;
	s->is.serialize = d != NULL && d->serialize;
	s->is.persist = d != NULL && d->persist;
	s->is.replicate = d != NULL ? d->replicate : REPLICATE_NONE;
	s->is.max_bytes = d != NULL ? d->max_bytes : 0;
	s->type = s->is.type;
	s->is_defined = d != NULL;
	pthread_mutex_unlock(&s->lock);
}

/* Its data go. */
static void undefine(struct series *s)
{
	struct series_definition d = { .type = SERIES_ADDRESSES, .monitor = s->is.monitor };

	series_reshape(s, &d, s->all->max_bytes);
	become(s, NULL);
}

static const char *define_locked(struct series_all *all, const struct series_definition *d,
				 bool *dropped)
{
	struct slice name = slice_of(d->name);
	size_t max_bytes = d->max_bytes ? d->max_bytes : all->max_bytes;
	struct series *before = series_defined(all, name);
	struct series *s = look(all, name, OTHER, shape_of(d->monitor), NULL);
	const char *wrong;

	if (before != NULL && series_definition_equal(&before->is, d))
		return NULL;
	wrong = d->serialize ? check_journal(all, d->name, before, s) : NULL;
	if (wrong != NULL)
		return wrong;
	if (before == NULL && s == NULL) {
		if (all->others == SERIES_MOST)
			return too_many(name);
		s = make(all, name, -1);
		series_reshape(s, d, max_bytes);
	} else if (s == NULL) {
		s = before;
	} else if (before != NULL) {
		undefine(before);
	}
	*dropped = before != NULL || !can_become(s, d, max_bytes);
	if (s == before || !can_become(s, d, max_bytes))
		series_reshape(s, d, max_bytes);
	become(s, d);
	return NULL;
}

const char *series_define(struct series_all *all, const struct series_definition *d, bool *dropped)
{
	const char *wrong = series_definition_check(d);

	*dropped = false;
	if (wrong != NULL)
		return wrong;
	pthread_mutex_lock(&all->lock);
	wrong = define_locked(all, d, dropped);
	pthread_mutex_unlock(&all->lock);
	return wrong;
}

/* --- the built-in ones --------------------------------------------------------------------- */

static bool is_listed(const struct series *s, const struct monitor *monitors, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (monitor_equal(s->is.monitor, monitors[i]))
			return true;
	return false;
}

/* One of a monitor that is gone; or a new one. */
static struct series *spare(struct series_all *all, int event)
{
	for (unsigned i = 0; i < all->count; i++)
		if (all->list[i]->event == event && !all->list[i]->is_there)
			return all->list[i];
	return make(all, slice_of(event_names[event]), event);
}

static struct series *builtin(struct series_all *all, enum series_event event,
			      struct monitor monitor, bool persist)
{
	struct series_definition d = { .type = SERIES_ADDRESSES, .monitor = monitor };
	struct series *s = series_builtin_named(all, event, monitor);

	if (s == NULL) {
		s = spare(all, (int)event);
		series_reshape(s, &d, all->max_bytes);
	} else if (store_limit(s->ring->store) != all->max_bytes) {
		char text[MONITOR_TEXT_MAX];

		log_info("%s (%s) keeps its max_bytes of %zu until the next start", s->is.name,
			 monitor_print(monitor, text), store_limit(s->ring->store));
	}
	pthread_mutex_lock(&s->lock);
	s->is.persist = persist;
	pthread_mutex_unlock(&s->lock);
	return s;
}

void series_monitors(struct series_all *all, const struct monitor *monitors, unsigned count,
		     size_t max_bytes, bool persist)
{
	struct builtins *now = mem_new(sizeof *now), *before;

	CHECK(count <= MONITORS_MAX);
	pthread_mutex_lock(&all->lock);
	all->max_bytes = max_bytes < STORE_LIMIT_MAX ? max_bytes : STORE_LIMIT_MAX;
	for (unsigned i = 0; i < all->count; i++)
		if (all->list[i]->event >= 0 && all->list[i]->is_there &&
		    !is_listed(all->list[i], monitors, count))
			series_reshape(all->list[i], NULL, 0);
	for (unsigned i = 0; i < count; i++)
		for (int e = 0; e < EVENTS; e++)
			now->of[i][e] = builtin(all, (enum series_event)e, monitors[i], persist);
	now->count = count;
	before = all->builtins;
	if (before->count == count && memcmp(before->of, now->of, sizeof now->of) == 0) {
		free(now);
	} else {
		now->older = before;
		atomic_store_explicit(&all->builtins, now, memory_order_release);
	}
	pthread_mutex_unlock(&all->lock);
}

static const struct builtins *builtins(const struct series_all *all)
{
	return atomic_load_explicit(&all->builtins, memory_order_acquire);
}

unsigned series_monitor_count(const struct series_all *all)
{
	return builtins(all)->count;
}

struct series *series_builtin(struct series_all *all, enum series_event event, unsigned monitor)
{
	const struct builtins *b = builtins(all);

	return monitor < b->count ? b->of[monitor][event] : NULL;
}

struct series *series_builtin_named(struct series_all *all, enum series_event event,
				    struct monitor monitor)
{
	return builtin_named(all, slice_of(event_names[event]), monitor);
}

void series_event(struct series_all *all, enum series_event event, const struct addr *peer)
{
	const struct builtins *b = builtins(all);
	uint64_t now_ms;

	if (b->count == 0 || peer->family == ADDR_NONE)
		return;
	now_ms = clock_wall_ms();
	for (unsigned i = 0; i < b->count; i++)
		series_count(b->of[i][event], peer, now_ms);
}
