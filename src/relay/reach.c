#include "relay/reach_parts.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

static const struct {
	const char *name; /* for the log */
	const uint32_t *timeout;
} states[] = {
	[REACH_NOTHING] = { "nothing", NULL },
	[REACH_ADDRESS] = { "address lookup", &relay_timeouts.reach },
	[REACH_TURN] = { "a free connection", &relay_timeouts.reach },
	[REACH_CONNECT] = { "connect", &relay_timeouts.connect },
	[REACH_GREETING] = { "greeting", &relay_timeouts.greeting },
	[REACH_EHLO] = { "EHLO", &relay_timeouts.helo },
	[REACH_HELO] = { "HELO", &relay_timeouts.helo },
	[REACH_STARTTLS] = { "STARTTLS", &relay_timeouts.helo },
	[REACH_HANDSHAKE] = { "TLS handshake", &relay_timeouts.connect },
	[REACH_RSET] = { "RSET", &relay_timeouts.mail },
	[REACH_XCLIENT] = { "XCLIENT", &relay_timeouts.helo },
	[REACH_EHLO_AGAIN] = { "EHLO after XCLIENT", &relay_timeouts.helo },
};

uint64_t reach_enter(struct reach *r, enum reach_state state)
{
	uint64_t now = clock_ms(), ms = *states[state].timeout;

	r->state = state;
	timer_stop(&r->timer);
	if (now + ms > r->by_ms)
		ms = r->by_ms > now ? r->by_ms - now : 0;
	return ms;
}

void reach_finish(struct reach *r, struct link *link)
{
	r->link = NULL;
	reach_stop(r);
	r->said(r->owner, link);
}

static void nowhere(struct reach *r)
{
	if (r->crowded)
		reply_set(r->relay->reply, 451, "4.4.5 Next hop is busy");
	else
		reply_set(r->relay->reply, 451, "4.4.1 Next hop cannot be reached");
	reach_finish(r, NULL);
}

static void next_address(struct reach *r)
{
	timer_set(&r->timer, reach_enter(r, REACH_ADDRESS));
	dial_next(&r->dial);
}

void reach_note(const struct reach *r, enum log_level level, const char *why)
{
	log_event(level, "next_hop", r->relay->session, NULL, "next hop %s: %s: %s",
		  r->relay->peer, states[r->state].name, why);
}

/* --- which one ----------------------------------------------------------------------------- */

static void dial_heard(void *owner, const struct endpoint *to, const char *name);
static void take(struct reach *r);

/* It was reached, but for TLS, which it need not have. */
static bool may_do_without(const struct reach *r)
{
	return (r->state == REACH_STARTTLS || r->state == REACH_HANDSHAKE) && !manner(r)->tls_must;
}

void reach_lost(struct reach *r, const char *why)
{
	struct link *link = r->link;
	bool kept = link->uses > 0, in_clear = may_do_without(r);

	reach_note(r, kept ? LOG_DEBUG : LOG_WARN, why);
	r->link = NULL;
	r->in_clear |= in_clear;
	if (kept || in_clear)
		pool_drop(link);
	else
		pool_failed(link, why);
	r->ask.fresh = true;
	if (clock_ms() >= r->by_ms)
		nowhere(r);
	else if (kept || in_clear)
		take(r);
	else
		next_address(r);
}

static void link_heard(void *owner, enum link_news news)
{
	struct reach *r = owner;

	switch (news) {
	case LINK_CONNECTED:
		greet_connected(r);
		break;
	case LINK_REPLY:
		greet_heard(r);
		break;
	case LINK_SECURED:
		greet_secured(r);
		break;
	case LINK_LOST:
		reach_lost(r, r->link->spoilt);
		break;
	case LINK_DRAINED:
		break;
	}
}

/* --- whose turn it is ---------------------------------------------------------------------- */

/* The header was sent when the connection began: it holds for its client only. And one address may
 * have several names. */
static bool is_anothers(const struct reach *r, const struct link *l)
{
	return (manner(r)->proxy && strcmp(l->announced, r->announcing) != 0) ||
	       (manner(r)->tls_must && strcmp(l->name, r->name) != 0);
}

/* It is there, but has no connection to spare: another may have that is as good (RFC 5321 5.1). One
 * that is less good is for when it is not there. */
static void pass_by(struct reach *r)
{
	if (!r->crowded) {
		r->crowded = true;
		r->full = r->to;
		r->full_rank = dial_rank(&r->dial);
		free(r->full_name);
		r->full_name = r->dial.name != NULL ? mem_strdup(r->dial.name) : NULL;
	}
	next_address(r);
}

static void taken(void *owner, enum pool_answer answer, struct link *link)
{
	struct reach *r = owner;

	r->link = link;
	if (r->ask.waits && answer != POOL_WAIT)
		r->ask.waits = r->crowded = false;
	if (link != NULL) {
		link->hear = link_heard;
		link->owner = r;
	}
	switch (answer) {
	case POOL_KEPT:
		if (is_anothers(r, link)) {
			pool_drop(link);
			r->ask.fresh = true;
			take(r);
		} else {
			greet_kept(r);
		}
		break;
	case POOL_DIAL:
		if (!link_connect(link, r->relay->world->loop, &r->to,
				  reach_enter(r, REACH_CONNECT)))
			reach_lost(r, link->spoilt);
		break;
	case POOL_DOWN:
		next_address(r);
		break;
	case POOL_WAIT:
		if (r->ask.waits)
			timer_set(&r->timer, reach_enter(r, REACH_TURN));
		else
			pass_by(r);
		break;
	}
}

static void take(struct reach *r)
{
	struct link *link = NULL;
	enum pool_answer answer =
		pool_take(r->relay->world->pool, &r->to, manner(r), &r->ask, &link);

	taken(r, answer, link);
}

static void set_peer(struct reach *r, const char *name)
{
	char text[ADDR_TEXT_MAX];

	addr_print(&r->to.addr, text);
	free(r->relay->peer);
	r->relay->peer = mem_printf("%s[%s]:%u", name != NULL ? name : "", text, r->to.port);
	free(r->name);
	r->name = mem_strdup(name != NULL ? name : text);
}

/* Nobody as good has room either: back to the first. */
static void wait_for_turn(struct reach *r)
{
	r->ask.waits = true;
	r->in_clear = false;
	r->to = r->full;
	set_peer(r, r->full_name);
	take(r);
}

static void dial_heard(void *owner, const struct endpoint *to, const char *name)
{
	struct reach *r = owner;
	const struct offer *known;

	if (r->crowded && (to == NULL || dial_rank(&r->dial) > r->full_rank)) {
		if (to != NULL)
			dial_back(&r->dial);
		wait_for_turn(r);
		return;
	}
	if (to == NULL || clock_ms() >= r->by_ms) {
		nowhere(r);
		return;
	}
	r->to = *to;
	r->in_clear = false;
	set_peer(r, name);
	known = pool_offer(r->relay->world->pool, to, manner(r));
	if (known != NULL && offer_lacks(known, r->from, r->params, r->relay->reply))
		reach_finish(r, NULL);
	else
		take(r);
}

static void too_late(void *arg)
{
	struct reach *r = arg;

	reach_note(r, LOG_WARN, "timeout");
	nowhere(r);
}

/* --- birth and death ----------------------------------------------------------------------- */

void reach_init(struct reach *r, struct relay *relay, const struct path *from,
		const struct mail_params *params, reach_said *said, void *owner)
{
	*r = (struct reach){ .relay = relay, .from = from, .params = params, .said = said,
			     .owner = owner };
	timer_init(&r->timer, relay->world->loop, too_late, r);
}

void reach_begin(struct reach *r, bool fresh)
{
	struct relay *relay = r->relay;

	dial_init(&r->dial, relay->world, relay->route, relay->session, dial_heard, r);
	r->by_ms = clock_ms() + relay_timeouts.reach;
	r->ask = (struct pool_ask){ .session = relay->session, .own = manner(r)->proxy,
				    .fresh = fresh, .said = taken, .owner = r };
	if (manner(r)->proxy)
		r->announcing = greet_header(relay->client);
	r->crowded = false;
	next_address(r);
}

void reach_stop(struct reach *r)
{
	if (r->state == REACH_NOTHING)
		return;
	r->state = REACH_NOTHING;
	dial_fini(&r->dial);
	timer_stop(&r->timer);
	pool_forget(&r->ask);
	if (r->link != NULL)
		pool_drop(r->link);
	r->link = NULL;
	free(r->announcing);
	free(r->name);
	free(r->full_name);
	r->announcing = r->name = r->full_name = NULL;
}
