/* status, stats, why, reload, drain, stop: what the daemon is and does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/ask.h"
#include "base/clock.h"
#include "base/mem.h"
#include "relay/pool.h"

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

/* The next hops of all workers, those of one address together. */
enum { NEXT_HOPS_MAX = 256 };

struct hops {
	struct trip trip;
	unsigned count;
	bool more;
	struct pool_state list[NEXT_HOPS_MAX];
};

static struct pool_state *hops_find(struct hops *h, const struct pool_state *s)
{
	for (struct pool_state *i = h->list; i < h->list + h->count; i++)
		if (i->port == s->port && addr_equal(&i->addr, &s->addr))
			return i;
	return NULL;
}

static void hops_add(void *arg, const struct pool_state *s)
{
	struct hops *h = arg;
	struct pool_state *sum = hops_find(h, s);

	if (sum == NULL && h->count == NEXT_HOPS_MAX) {
		h->more = true;
	} else if (sum == NULL) {
		h->list[h->count++] = *s;
	} else {
		sum->used += s->used;
		sum->kept += s->kept;
		sum->waiting += s->waiting;
		sum->alone_ms = s->alone_ms > sum->alone_ms ? s->alone_ms : sum->alone_ms;
		if (s->failed_wall_ms > sum->failed_wall_ms) {
			sum->failed_wall_ms = s->failed_wall_ms;
			memcpy(sum->failure, s->failure, sizeof sum->failure);
		}
	}
}

static void hops_worker(struct errand *self, struct worker *w)
{
	pool_describe(w->relay.pool, hops_add, self);
}

static void say_hop(struct view *v, const struct pool_state *s)
{
	char where[ADDR_PORT_TEXT_MAX], when[CLOCK_TEXT_MAX] = "";
	char alone[40] = "", failure[200] = "";

	addr_port_print(&s->addr, s->port, where);
	if (s->alone_ms > 0)
		snprintf(alone, sizeof alone, ", left alone for %" PRIu64 " s",
			 (s->alone_ms + 999) / 1000);
	if (s->failed_wall_ms > 0)
		snprintf(failure, sizeof failure, ", failed %s: %s",
			 clock_print(s->failed_wall_ms, when), s->failure);
	view_row(v, VIEW_ROW(LOG_STR("next_hop", where), LOG_INT("used", s->used),
			     LOG_INT("kept", s->kept), LOG_INT("waiting", s->waiting),
			     LOG_INT("alone_ms", (int64_t)s->alone_ms), LOG_STR("failed", when),
			     LOG_STR("failure", s->failure)),
		 "%-14s %s: %u used, %u kept, %u waiting%s%s", "next_hop", where, s->used, s->kept,
		 s->waiting, alone, failure);
}

static enum ask_step status_print(struct ask *a)
{
	const struct hops *h = (struct hops *)a->trip;
	const struct console_world *w = a->by->world;
	uint64_t now = clock_wall_ms();
	uint64_t up_ms = now > w->started_wall_ms ? now - w->started_wall_ms : 0;
	char started[CLOCK_TEXT_MAX];
	const struct series_sums series = ask_series_sums(a);
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
	say_number(v, "series", series.count, "");
	say_number(v, "series_bytes", series.bytes, "");
	say_number(v, "log_dropped", log_dropped(), "lines");
	view_section(v, "endpoints");
	say_endpoints(v, w->audit);
	view_section(v, "next_hops");
	for (unsigned i = 0; i < h->count; i++)
		say_hop(v, &h->list[i]);
	if (h->more)
		view_row(v, NULL, "%-14s ... and more", "next_hop");
	return ask_done(a);
}

enum ask_step ask_status(struct ask *a)
{
	struct hops *h = mem_new(sizeof *h);

	a->trip = &h->trip;
	return ask_send(a, hops_worker, status_print);
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
	const struct series_sums series = ask_series_sums(a);
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
	say_number(v, "series_events", series.events, "additions to series");
	say_number(v, "series_folds", series.folds, "folds for want of room");
	say_number(v, "series_keys_dropped", series.keys_dropped, "text keys, for want of room");
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

/* ", for 23 live of 192.0.2.0/24 on SMTP", ", for 130 connections 300,6 of 192.0.2.0/24", "" */
static void cause_print(const struct ledger_entry *e, char prefix[CIDR_TEXT_MAX], char *out,
			size_t size)
{
	const struct audit_read *c = &e->cause;

	prefix[0] = out[0] = '\0';
	if (!e->has_cause)
		return;
	if (c->block.addr.family != ADDR_NONE)
		cidr_print(&c->block, prefix);
	if (c->is_series)
		snprintf(out, size, ", for %" PRIu64 " %s%s%s", c->count, c->service,
			 prefix[0] ? " of " : "", prefix);
	else
		snprintf(out, size, ", for %" PRIu64 " live of %s on %s", c->count, prefix,
			 c->service);
}

static bool say_action(void *arg, const struct ledger_entry *e)
{
	struct latest *l = arg;
	char when[CLOCK_TEXT_MAX], session[24], client[ADDR_TEXT_MAX], prefix[CIDR_TEXT_MAX];
	char cause[160], what[160];

	if (e->ms > 0)
		snprintf(what, sizeof what, " %u.%03us", e->ms / 1000, e->ms % 1000);
	else if (e->code > 0)
		snprintf(what, sizeof what, " %u %s", e->code, e->text);
	else
		snprintf(what, sizeof what, "%s%s", e->text[0] ? " " : "", e->text);
	cause_print(e, prefix, cause, sizeof cause);
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

/* Also of a block: then what was done to anybody in it. */
enum ask_step ask_why(struct ask *a)
{
	static const uint8_t around_v4[] = { 24, 16, 8, 0 }, around_v6[] = { 64, 56, 48, 32, 0 };
	struct cidr blocks[1 + sizeof around_v6];
	unsigned count = 0;
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
	blocks[count++] = block;
	for (; *len > 0; len++)
		if (*len < block.len)
			blocks[count++] = cidr_of(&block.addr, *len);
	for (unsigned i = 0; i < count; i++)
		ask_say_block(a, &blocks[i], audit_count(scope, &blocks[i]),
			      audit_distinct(scope, &blocks[i]));
	view_section(v, "series");
	ask_say_recent(a, blocks, count);
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
