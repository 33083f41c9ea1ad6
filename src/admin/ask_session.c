/* who, show inbound, kick: what the workers' sessions are. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/ask.h"
#include "base/mem.h"
#include "session/session.h"

/*
 * Sessions are copied on their worker's thread, so many a trip: enough that going over those that
 * earlier trips brought costs little, few enough that nobody's turn takes long.
 */
enum { ROLL_ROWS = 1024 };

struct roll {
	struct trip trip;
	struct cidr block; /* ADDR_NONE: everybody */
	unsigned worker;   /* where this trip begins, */
	uint64_t below;	   /* with sessions of smaller ids there */
	bool more;	   /* it could not bring all */
	unsigned count;
	struct session_row rows[ROLL_ROWS];
};

/* false: there is no room for it. */
static bool roll_take(struct roll *r, const struct session *s)
{
	if (session_id(s) >= r->below)
		return true;
	if (r->block.addr.family != ADDR_NONE && !cidr_contains(&r->block, session_peer(s)))
		return true;
	if (r->count == ROLL_ROWS)
		return false;
	session_describe(s, &r->rows[r->count++]);
	return true;
}

static void roll_worker(struct errand *self, struct worker *w)
{
	struct roll *r = (struct roll *)self;

	if (r->more || w->index < r->worker)
		return;
	if (w->index > r->worker)
		r->below = UINT64_MAX;
	r->worker = w->index;
	/* Newest first: ids fall. */
	for (struct session *s = LIST_FIRST(&w->sessions); s != NULL; s = session_next(s)) {
		if (!roll_take(r, s)) {
			r->more = true;
			r->below = r->rows[ROLL_ROWS - 1].id;
			return;
		}
	}
}

static void state_text(const struct session_row *row, char *out, size_t size)
{
	if (row->left_ms > 0)
		snprintf(out, size, "%s/%s(%" PRIu64 "s)", row->state, row->wait,
			 (row->left_ms + 999) / 1000);
	else if (strcmp(row->wait, "none") != 0)
		snprintf(out, size, "%s/%s", row->state, row->wait);
	else
		snprintf(out, size, "%s", row->state);
}

typedef void row_print(struct view *v, const struct session_row *row,
		       const struct log_field *fields);

static void who_row(struct view *v, const struct session_row *row, const struct log_field *fields)
{
	char peer[ADDR_PORT_TEXT_MAX], state[48];

	addr_port_print(&row->peer, row->peer_port, peer);
	state_text(row, state, sizeof state);
	view_row(v, fields,
		 "%016" PRIx64 " %-21s %-21s %-16s %6" PRIu64 "s %4u %5u %s%s%s%s%s", row->id, peer,
		 row->endpoint, state, row->age_ms / 1000, row->messages, row->recipients,
		 row->helo[0] ? row->helo : "-", row->from[0] ? " from " : "", row->from,
		 row->relay[0] ? " to " : "", row->relay);
}

/* FD: [inbound/KIND] IPv4 ADDR:PORT STATE (for SECONDSs) [MODULE] [floating]   (3.10) */
static void inbound_row(struct view *v, const struct session_row *row,
			const struct log_field *fields)
{
	const char *family = row->peer.family == ADDR_V6 ? "IPv6" : "IPv4";
	const char *floating = strcmp(row->wait, "disk") == 0 ? " [floating]" : "";
	char peer[ADDR_PORT_TEXT_MAX], state[48];

	addr_port_print(&row->peer, row->peer_port, peer);
	state_text(row, state, sizeof state);
	view_row(v, fields, "%d: [inbound/SMTP] %s %s %s (for %" PRIu64 "s) [%s]%s", row->fd,
		 family, peer, state, row->idle_ms / 1000, row->module[0] ? row->module : "none",
		 floating);
}

static void print_row(struct view *v, const struct session_row *row, row_print *print)
{
	char id[24], client[ADDR_TEXT_MAX];

	snprintf(id, sizeof id, "%016" PRIx64, row->id);
	print(v, row,
	      VIEW_ROW(LOG_STR("session", id),
		       LOG_STR("client", addr_print(&row->peer, client)),
		       LOG_INT("port", row->peer_port),
		       LOG_STR("service", "SMTP"),
		       LOG_STR("listener", row->endpoint),
		       LOG_INT("fd", row->fd),
		       LOG_STR("state", row->state),
		       LOG_STR("wait", row->wait),
		       LOG_STR("phase", row->module),
		       LOG_INT("age_ms", (int64_t)row->age_ms),
		       LOG_INT("idle_ms", (int64_t)row->idle_ms),
		       LOG_INT("left_ms", (int64_t)row->left_ms),
		       LOG_INT("commands", row->commands),
		       LOG_INT("messages", row->messages),
		       LOG_INT("recipients", row->recipients),
		       LOG_STR("helo", row->helo),
		       LOG_STR("from", row->from),
		       LOG_STR("relay", row->relay)));
}

static enum ask_step roll_print(struct ask *a, row_print *print, ask_run *again)
{
	struct roll *r = (struct roll *)a->trip;

	for (unsigned i = 0; i < r->count; i++)
		print_row(&a->view, &r->rows[i], print);
	if (!r->more || a->view.full)
		return ask_done(a);
	a->next = again;
	return ASK_MORE;
}

static enum ask_step roll_send(struct ask *a, ask_run *next)
{
	struct roll *r = (struct roll *)a->trip;

	r->more = false;
	r->count = 0;
	return ask_send(a, roll_worker, next);
}

static struct roll *roll_begin(struct ask *a)
{
	struct roll *r = mem_new(sizeof *r);

	r->below = UINT64_MAX;
	a->trip = &r->trip;
	ask_view(a, VIEW_LIST);
	return r;
}

static enum ask_step who_again(struct ask *a);
static enum ask_step who_print(struct ask *a)
{
	return roll_print(a, who_row, who_again);
}

static enum ask_step who_again(struct ask *a)
{
	return roll_send(a, who_print);
}

enum ask_step ask_who(struct ask *a)
{
	struct cidr block = { .addr.family = ADDR_NONE };
	const char *wrong = a->arg_count > 0 ? cidr_parse(a->args[0], &block) : NULL;

	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	roll_begin(a)->block = block;
	view_row(&a->view, NULL, "%-16s %-21s %-21s %-16s %7s %4s %5s %s", "SESSION", "CLIENT",
		 "LISTENER", "STATE", "AGE", "MAIL", "RCPT", "HELO");
	return roll_send(a, who_print);
}

static enum ask_step inbound_again(struct ask *a);
static enum ask_step inbound_print(struct ask *a)
{
	return roll_print(a, inbound_row, inbound_again);
}

static enum ask_step inbound_again(struct ask *a)
{
	return roll_send(a, inbound_print);
}

enum ask_step ask_show_inbound(struct ask *a)
{
	roll_begin(a);
	return roll_send(a, inbound_print);
}

struct kick {
	struct trip trip;
	uint64_t id; /* 0: the block's */
	struct cidr block;
	unsigned kicked;
};

static bool kick_means(const struct kick *k, const struct session *s)
{
	if (k->id != 0)
		return session_id(s) == k->id;
	return cidr_contains(&k->block, session_peer(s));
}

static void kick_worker(struct errand *self, struct worker *w)
{
	struct kick *k = (struct kick *)self;
	struct session *s, *next;

	for (s = LIST_FIRST(&w->sessions); s != NULL; s = next) {
		next = session_next(s);
		if (!kick_means(k, s))
			continue;
		session_kick(s);
		k->kicked++;
	}
}

static enum ask_step kick_print(struct ask *a)
{
	const struct kick *k = (struct kick *)a->trip;

	if (k->id != 0 && k->kicked == 0)
		return ask_fail(a, EXIT_OF_FAILURE, "no session %016" PRIx64, k->id);
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view, VIEW_ROW(LOG_INT("kicked", k->kicked)), "kicked %u",
		 k->kicked);
	return ask_done(a);
}

/* As the log and `who` print it: 16 hex digits. */
static bool session_parse(struct slice text, uint64_t *out)
{
	char copy[17] = "";

	if (text.len != 16)
		return false;
	memcpy(copy, text.at, 16);
	if (strspn(copy, "0123456789abcdef") != 16)
		return false;
	*out = strtoull(copy, NULL, 16);
	return *out != 0;
}

enum ask_step ask_kick(struct ask *a)
{
	uint64_t id = 0;
	struct cidr block = { 0 };
	const char *wrong = session_parse(a->args[0], &id) ? NULL : cidr_parse(a->args[0], &block);
	struct kick *k;

	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "\"%.*s\" is no session (16 hex digits) and %s",
				SLICE_ARGS(a->args[0]), wrong);
	k = mem_new(sizeof *k);
	k->id = id;
	k->block = block;
	a->trip = &k->trip;
	return ask_send(a, kick_worker, kick_print);
}
