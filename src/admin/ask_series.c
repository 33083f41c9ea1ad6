/* series: what is counted in windows of time, and what `why`, `status` and `stats` say of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/ask.h"
#include "base/clock.h"
#include "base/mem.h"

static struct series_all *all_of(const struct ask *a)
{
	return a->by->world->series;
}

/* The newest that it has seen, or a later one (D43). */
uint64_t ask_window_now(const struct series_info *info)
{
	uint64_t now = clock_wall_ms() / 1000 / info->is.monitor.seconds;

	return info->window > now ? info->window : now;
}

static const char *const replicate_names[] = {
	[REPLICATE_NONE] = "none",
	[REPLICATE_CLUSTER] = "cluster",
	[REPLICATE_MANAGER] = "manager",
};

static const char *made_by(const struct series_info *info)
{
	if (info->event >= 0)
		return "monitor";
	return info->is_defined ? "lua" : "use";
}

static void say_series(struct view *v, const struct series_info *info)
{
	char monitor[MONITOR_TEXT_MAX], since[CLOCK_TEXT_MAX] = "";
	char windows[40] = "", folds[40] = "", drops[40] = "";

	if (info->folded_since_ms > 0)
		clock_print(info->folded_since_ms, since);
	if (info->windows_folded > 0)
		snprintf(windows, sizeof windows, ", %" PRIu32 " windows folded",
			 info->windows_folded);
	if (info->folds > 0)
		snprintf(folds, sizeof folds, ", %" PRIu64 " folds", info->folds);
	if (info->keys_dropped > 0)
		snprintf(drops, sizeof drops, ", %" PRIu64 " keys dropped",
			 info->keys_dropped);
	monitor_print(info->is.monitor, monitor);
	view_row(v,
		 VIEW_ROW(LOG_STR("name", info->is.name), LOG_STR("monitor", monitor),
			  LOG_STR("type", series_type_name(info->is.type)),
			  LOG_STR("made_by", made_by(info)), LOG_INT("persist", info->is.persist),
			  LOG_INT("serialize", info->is.serialize),
			  LOG_STR("replicate", replicate_names[info->is.replicate]),
			  LOG_INT("bytes", (int64_t)info->bytes),
			  LOG_INT("max_bytes", (int64_t)info->is.max_bytes),
			  LOG_INT("windows_used", info->windows_used),
			  LOG_INT("events", (int64_t)info->events),
			  LOG_INT("windows_folded", info->windows_folded),
			  LOG_INT("folds", (int64_t)info->folds), LOG_STR("folded_since", since),
			  LOG_INT("keys_dropped", (int64_t)info->keys_dropped)),
		 "%-24s %-10s %-9s %-7s %7" PRIu32 " %11" PRIu64 " %11zu %11zu  %s%s%s%s%s%s%s%s%s",
		 info->is.name, monitor, series_type_name(info->is.type), made_by(info),
		 info->windows_used, info->events, info->bytes, info->is.max_bytes,
		 info->is.persist ? "saved" : "not saved", info->is.serialize ? ", journalled" : "",
		 info->is.replicate != REPLICATE_NONE ? ", for the " : "",
		 info->is.replicate != REPLICATE_NONE ? replicate_names[info->is.replicate] : "",
		 windows, folds, drops, since[0] != '\0' ? ", full since " : "", since);
}

/* "badrcpt4", "badrcpt4@300,6". */
static bool is_named(const struct series_info *info, struct slice text)
{
	char monitor[MONITOR_TEXT_MAX], full[SERIES_NAME_MAX + MONITOR_TEXT_MAX + 2];

	snprintf(full, sizeof full, "%s@%s", info->is.name,
		 monitor_print(info->is.monitor, monitor));
	return slice_equal(text, slice_of(info->is.name)) || slice_equal(text, slice_of(full));
}

struct listing {
	unsigned at, shown;
};

static enum ask_step listing_step(struct ask *a)
{
	struct listing *l = a->state;
	struct series_info info;
	struct series *s;

	while ((s = series_nth(all_of(a), l->at)) != NULL) {
		if (ask_step_is_full(a))
			return ASK_MORE;
		l->at++;
		series_describe(s, &info);
		if (a->arg_count > 0 && !is_named(&info, a->args[0]))
			continue;
		l->shown++;
		say_series(&a->view, &info);
	}
	if (a->arg_count == 0 || l->shown > 0)
		return ask_done(a);
	buf_clear(a->by->out); /* a heading, no more */
	return ask_fail(a, EXIT_OF_USAGE, "no series \"%.*s\"", SLICE_ARGS(a->args[0]));
}

enum ask_step ask_series(struct ask *a)
{
	a->state = mem_new(sizeof(struct listing));
	a->state_free = free;
	ask_view(a, VIEW_LIST);
	view_row(&a->view, NULL, "%-24s %-10s %-9s %-7s %7s %11s %11s %11s", "SERIES", "MONITOR",
		 "TYPE", "BY", "WINDOWS", "EVENTS", "BYTES", "MAX");
	a->next = listing_step;
	return listing_step(a);
}

struct series_sums ask_series_sums(const struct ask *a)
{
	struct series_sums sums = { 0 };
	struct series_info one;
	struct series *s;

	for (; (s = series_nth(all_of(a), sums.count)) != NULL; sums.count++) {
		series_describe(s, &one);
		sums.bytes += one.bytes;
		sums.events += one.events;
		sums.folds += one.folds;
		sums.keys_dropped += one.keys_dropped;
	}
	return sums;
}

static bool say_recent(struct ask *a, unsigned nth, const struct cidr *block)
{
	struct series_key key = { .block = *block };
	struct bounds now[EVENTS];
	struct series_info info;
	char monitor[MONITOR_TEXT_MAX], prefix[CIDR_TEXT_MAX];

	for (unsigned event = 0; event < EVENTS; event++) {
		struct series *s = series_builtin(all_of(a), (enum series_event)event, nth);

		if (s == NULL || series_sliding(s, &key, &now[event]) != NULL)
			return false;
		series_describe(s, &info);
	}
	monitor_print(info.is.monitor, monitor);
	cidr_print(block, prefix);
	view_row(&a->view,
		 VIEW_ROW(LOG_STR("monitor", monitor), LOG_STR("prefix", prefix),
			  LOG_INT("connections", (int64_t)now[EVENT_CONNECTION].low),
			  LOG_INT("connections_high", (int64_t)now[EVENT_CONNECTION].high),
			  LOG_INT("receptions", (int64_t)now[EVENT_RECEPTION].low),
			  LOG_INT("receptions_high", (int64_t)now[EVENT_RECEPTION].high),
			  LOG_INT("rejections", (int64_t)now[EVENT_REJECTION].low),
			  LOG_INT("rejections_high", (int64_t)now[EVENT_REJECTION].high)),
		 "%11" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %-10s %s", now[EVENT_CONNECTION].low,
		 now[EVENT_RECEPTION].low, now[EVENT_REJECTION].low, monitor, prefix);
	return true;
}

void ask_say_recent(struct ask *a, const struct cidr *blocks, unsigned count)
{
	const unsigned monitors = series_monitor_count(all_of(a));

	if (monitors > 0)
		view_row(&a->view, NULL, "%11s %10s %10s  %-10s %s", "CONNECTIONS", "RECEPTIONS",
			 "REJECTIONS", "MONITOR", "PREFIX");
	for (unsigned nth = 0; nth < monitors; nth++)
		for (unsigned i = 0; i < count; i++)
			if (!say_recent(a, nth, &blocks[i]))
				return;
}
