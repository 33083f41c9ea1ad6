/* status, stats, why, reload, drain, stop: what the daemon is and does. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/ask.h"
#include "base/clock.h"

static void say_text(struct view *v, const char *key, const char *value)
{
	view_row(v, VIEW_ROW(LOG_STR(key, value)), "%-14s %s", key, value);
}

static void say_number(struct view *v, const char *key, uint64_t n, const char *unit)
{
	view_row(v, VIEW_ROW(LOG_INT(key, (int64_t)n)), "%-14s %" PRIu64 "%s%s", key,
		 n, *unit ? " " : "", unit);
}

static void say_endpoint(struct view *v, const char *service, struct audit_endpoint *e)
{
	struct audit_scope scope = { audit_endpoint_service(e), e };
	const char *name = audit_endpoint_name(e);
	uint64_t count = audit_total(scope);

	view_row(v, VIEW_ROW(LOG_STR("service", service), LOG_STR("listener", name),
			     LOG_INT("count", (int64_t)count)),
		 "%-14s %" PRIu64 " on %s", service, count, name);
}

static void say_endpoints(struct view *v, struct audit *audit)
{
	const char *name;

	for (unsigned i = 0; (name = audit_service_nth(audit, i)) != NULL; i++) {
		struct audit_service *service = audit_service_find(audit, name);
		struct audit_endpoint *e;

		for (unsigned n = 0; (e = audit_endpoint_nth(audit, service, n)) != NULL; n++)
			say_endpoint(v, name, e);
	}
}

enum ask_step ask_status(struct ask *a)
{
	const struct console_world *w = a->by->world;
	uint64_t now = clock_wall_ms();
	uint64_t up_ms = now > w->started_wall_ms ? now - w->started_wall_ms : 0;
	char started[CLOCK_TEXT_MAX];
	struct crew_stats stats;
	struct view *v = &a->view;

	crew_stats(w->crew, &stats);
	ask_view(a, VIEW_OBJECT);
	say_text(v, "version", w->version);
	say_number(v, "pid", (uint64_t)getpid(), "");
	say_text(v, "state", crew_is_draining(w->crew) ? "draining" : "running");
	say_text(v, "file", w->file(w->owner));
	say_text(v, "started", clock_print(w->started_wall_ms, started));
	say_number(v, "uptime_s", up_ms / 1000, "");
	say_text(v, "user", w->user);
	say_text(v, "landlock", w->landlock);
	say_text(v, "seccomp", w->seccomp);
	say_number(v, "workers", crew_size(w->crew), "");
	say_number(v, "sessions", stats.live, "");
	say_number(v, "held", stats.held, "in a tarpit");
	say_number(v, "audit_bytes", audit_bytes(w->audit), "");
	say_number(v, "log_dropped", log_dropped(), "lines");
	view_section(v, "endpoints");
	say_endpoints(v, w->audit);
	return ask_done(a);
}

static bool say_counter(void *arg, const char *phase, const char *name, const char *class,
			uint64_t n)
{
	struct view *v = arg;

	view_row(v, VIEW_ROW(LOG_STR("phase", phase), LOG_STR("counter", name),
			  LOG_STR("class", class), LOG_INT("count", (int64_t)n)),
		 "%s:%s (%s) = %" PRIu64, phase, name, class, n);
	return !v->full;
}

/* The policy counters in the form of 1.8, then what the workers counted. */
enum ask_step ask_stats(struct ask *a)
{
	const struct console_world *w = a->by->world;
	struct crew_stats stats;
	struct view *v = &a->view;
	char since[CLOCK_TEXT_MAX];

	crew_stats(w->crew, &stats);
	clock_print(ledger_since_ms(w->ledger), since);
	ask_view(a, VIEW_OBJECT);
	view_row(v, VIEW_ROW(LOG_STR("since", since)),
		 "sieve statistics since: %.10s %.8s", since, since + 11);
	view_section(v, "counters");
	ledger_counters(w->ledger, say_counter, v);
	view_section(v, NULL);
#define SAY(name, text) say_number(v, #name, stats.name, text);
	WORKER_STATS(SAY)
#undef SAY
	say_number(v, "uncounted", ledger_uncounted(w->ledger), "actions under further counters");
	return ask_done(a);
}

enum ask_step ask_stats_reset(struct ask *a)
{
	ledger_reset(a->by->world->ledger);
	ask_view(a, VIEW_OBJECT);
	return ask_done(a);
}

struct latest {
	struct view *view;
	unsigned left;
};

static bool say_action(void *arg, const struct ledger_entry *e)
{
	struct latest *l = arg;
	char when[CLOCK_TEXT_MAX], session[24], client[ADDR_TEXT_MAX], prefix[CIDR_TEXT_MAX] = "";
	char cause[160] = "", what[160];

	if (e->ms > 0)
		snprintf(what, sizeof what, " %u.%03us", e->ms / 1000, e->ms % 1000);
	else if (e->code > 0)
		snprintf(what, sizeof what, " %u %s", e->code, e->text);
	else
		snprintf(what, sizeof what, "%s%s", e->text[0] ? " " : "", e->text);
	if (e->has_cause)
		snprintf(cause, sizeof cause, ", for %" PRIu64 " live of %s on %s", e->cause.count,
			 cidr_print(&e->cause.block, prefix), e->cause.service);
	snprintf(session, sizeof session, "%016" PRIx64, e->session);
	view_row(l->view, VIEW_ROW(LOG_STR("ts", clock_print(e->wall_ms, when)),
			  LOG_STR("session", session),
			  LOG_STR("client", addr_print(&e->peer, client)),
			  LOG_STR("phase", phase_name(e->phase)),
			  LOG_STR("action", e->name),
			  LOG_INT("ms", e->ms),
			  LOG_INT("code", e->code),
			  LOG_STR("text", e->text),
			  LOG_STR("counter", e->counter),
			  LOG_STR("file", e->file),
			  LOG_INT("line", e->line),
			  LOG_STR("service", e->has_cause ? e->cause.service : ""),
			  LOG_STR("prefix", prefix),
			  LOG_INT("value", e->has_cause ? (int64_t)e->cause.count : 0),
			  LOG_INT("observe", e->observe)),
		 "%s %s %s: %s%s%s \"%s\" (%s:%u), %s%s", when, session, client, e->name, what,
		 e->observe ? " (observed, not done)" : "", e->counter, e->file, e->line,
		 phase_name(e->phase), cause);
	return --l->left > 0 && !l->view->full;
}

static void say_block(struct ask *a, struct audit_scope scope, const struct cidr *block)
{
	ask_say_block(a, block, audit_count(scope, block), audit_distinct(scope, block));
}

/* Also of a block: then what was done to anybody in it. */
enum ask_step ask_why(struct ask *a)
{
	static const uint8_t around_v4[] = { 24, 16, 8, 0 }, around_v6[] = { 64, 56, 48, 32, 0 };
	const struct console_world *w = a->by->world;
	struct latest latest = { &a->view, a->limit };
	struct audit_scope scope = { .service = audit_service_find(w->audit, "SMTP") };
	struct view *v = &a->view;
	struct cidr block;
	const uint8_t *len;
	const char *wrong = cidr_parse(a->args[0], &block);

	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	len = block.addr.family == ADDR_V4 ? around_v4 : around_v6;
	ask_view(a, VIEW_OBJECT);
	view_section(v, "actions");
	ledger_latest(w->ledger, &block, say_action, &latest);
	if (latest.left == a->limit)
		view_row(v, NULL, "no action on it is remembered");
	view_section(v, "blocks");
	ask_say_block_heading(a);
	say_block(a, scope, &block);
	for (; *len > 0; len++) {
		struct cidr around = cidr_of(&block.addr, *len);

		if (*len < block.len)
			say_block(a, scope, &around);
	}
	return ask_done(a);
}

enum ask_step ask_reload(struct ask *a)
{
	const struct console_world *w = a->by->world;
	struct complaints complaints;
	char line[1400];
	bool done;

	complaints_init(&complaints);
	done = w->reload(w->owner, &complaints);
	for (unsigned i = 0; i < complaints.count; i++) {
		complaint_print(&complaints.list[i], line, sizeof line);
		ask_complain(a, line);
	}
	if (complaints_unlisted(&complaints) > 0)
		ask_complain(a, "... and more");
	complaints_free(&complaints);
	if (!done)
		return ask_fail(a, EXIT_OF_FAILURE, "nothing was changed");
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view, VIEW_ROW(LOG_STR("file", w->file(w->owner))), "loaded %s",
		 w->file(w->owner));
	return ask_done(a);
}

static enum ask_step leave(struct ask *a, void (*how)(void *owner), const char *state)
{
	const struct console_world *w = a->by->world;
	uint64_t live = crew_sessions(w->crew);

	how(w->owner);
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view, VIEW_ROW(LOG_STR("state", state), LOG_INT("sessions", (int64_t)live)),
		 "%s, %" PRIu64 " sessions", state, live);
	return ask_done(a);
}

enum ask_step ask_drain(struct ask *a)
{
	return leave(a, a->by->world->drain, "draining");
}

enum ask_step ask_stop(struct ask *a)
{
	return leave(a, a->by->world->stop, "stopping");
}

enum ask_step ask_upgrade(struct ask *a)
{
	if (crew_is_draining(a->by->world->crew))
		return ask_fail(a, EXIT_OF_FAILURE, "it is stopping");
	a->hand_over = true;
	ask_view(a, VIEW_LIST);
	return ask_done(a);
}
