#include "relay/reach.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/proxy_header.h"
#include "relay/announce.h"

enum state {
	REACH_NOTHING,
	REACH_ADDRESS,
	REACH_TURN, /* all connections to the next hop are in use */
	REACH_CONNECT,
	REACH_GREETING,
	REACH_EHLO,
	REACH_HELO,
	REACH_STARTTLS,
	REACH_HANDSHAKE,
	REACH_RSET,
	REACH_XCLIENT,
	REACH_EHLO_AGAIN,
};

static void greeting_heard(struct reach *r);
static void ehlo_heard(struct reach *r);
static void helo_heard(struct reach *r);
static void starttls_heard(struct reach *r);
static void rset_heard(struct reach *r);
static void xclient_heard(struct reach *r);
static void ehlo_again_heard(struct reach *r);

static const struct {
	const char *name; /* for the log */
	const uint32_t *timeout;
	void (*heard)(struct reach *r); /* NULL: no reply is due */
} states[] = {
	[REACH_NOTHING] = { "nothing", NULL, NULL },
	[REACH_ADDRESS] = { "address lookup", &relay_timeouts.reach, NULL },
	[REACH_TURN] = { "a free connection", &relay_timeouts.reach, NULL },
	[REACH_CONNECT] = { "connect", &relay_timeouts.connect, NULL },
	[REACH_GREETING] = { "greeting", &relay_timeouts.greeting, greeting_heard },
	[REACH_EHLO] = { "EHLO", &relay_timeouts.helo, ehlo_heard },
	[REACH_HELO] = { "HELO", &relay_timeouts.helo, helo_heard },
	[REACH_STARTTLS] = { "STARTTLS", &relay_timeouts.helo, starttls_heard },
	[REACH_HANDSHAKE] = { "TLS handshake", &relay_timeouts.connect, NULL },
	[REACH_RSET] = { "RSET", &relay_timeouts.mail, rset_heard },
	[REACH_XCLIENT] = { "XCLIENT", &relay_timeouts.helo, xclient_heard },
	[REACH_EHLO_AGAIN] = { "EHLO after XCLIENT", &relay_timeouts.helo, ehlo_again_heard },
};

static const struct hop_manner *manner(const struct reach *r)
{
	return &r->relay->route->manner;
}

/* The only place where the state changes. How long it may last, in ms. */
static uint64_t enter(struct reach *r, enum state state)
{
	uint64_t now = clock_ms(), ms = *states[state].timeout;

	r->state = state;
	timer_stop(&r->timer);
	if (now + ms > r->by_ms)
		ms = r->by_ms > now ? r->by_ms - now : 0;
	return ms;
}

static void finish(struct reach *r, struct link *link)
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
	finish(r, NULL);
}

static void next_address(struct reach *r)
{
	timer_set(&r->timer, enter(r, REACH_ADDRESS));
	dial_next(&r->dial);
}

static void note(const struct reach *r, enum log_level level, const char *why)
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

/* The link is of no more use. */
static void lost(struct reach *r, const char *why)
{
	struct link *link = r->link;
	bool kept = link->uses > 0, in_clear = may_do_without(r);

	note(r, kept ? LOG_DEBUG : LOG_WARN, why);
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

/* The client is not welcome there, which is the answer to it. */
static void refused(struct reach *r)
{
	struct link *l = r->link;

	note(r, LOG_INFO, l->heard.text);
	reply_free(r->relay->reply);
	*r->relay->reply = reply_take(&l->heard);
	pool_drop(l);
	finish(r, NULL);
}

/* Of the client: not of the connection, nor of how a command is written (RFC 5321 4.2.2). */
static bool is_refusal(const struct link *l)
{
	const unsigned code = l->heard.code;

	return code >= 400 && code != 421 && !(code >= 500 && code <= 504);
}

/* Who has greeted nobody behind a header lately may not know what a header is: to such it is a
 * client that talks too early, which some refuse with 521 or 554. */
static bool knows_headers(const struct reach *r)
{
	return manner(r)->proxy && pool_offer(r->relay->world->pool, &r->to, manner(r)) != NULL;
}

/* What was heard leads nowhere from here. Behind a header it may be said of the client; when it is
 * said for good there is nobody else to ask. */
static void unfit(struct reach *r)
{
	struct link *l = r->link;
	char why[200];

	if (l->uses == 0 && link_class(l) == 5 && is_refusal(l) && knows_headers(r)) {
		refused(r);
		return;
	}
	l->excused |= manner(r)->proxy;
	snprintf(why, sizeof why, "%s: %u %s", l->spoilt != NULL ? l->spoilt : "it says",
		 l->heard.code, l->heard.text);
	lost(r, why);
}

static void link_heard(void *owner, enum link_news news);

/* --- greeting ------------------------------------------------------------------------------ */

static void ready(struct reach *r)
{
	struct link *l = r->link;

	if (offer_lacks(&l->offer, r->from, r->params, r->relay->reply)) {
		pool_keep(l);
		finish(r, NULL);
		return;
	}
	l->uses++;
	finish(r, l);
}

static void say_ehlo(struct reach *r, enum state state, struct slice name)
{
	link_say(r->link, enter(r, state), "EHLO %.*s", SLICE_ARGS(name));
}

/* The XCLIENT, and the name in the EHLO after it, which is told even if XCLIENT takes no HELO. */
static char *introduction(const struct reach *r)
{
	const struct relay_client *c = r->relay->client;
	struct slice helo = announce_helo(c, r->relay->world->hostname);
	char *xclient = announce_xclient(c, r->link->offer.xclient);
	char *both = mem_printf("%s\n%.*s", xclient, SLICE_ARGS(helo));

	free(xclient);
	return both;
}

/* XCLIENT, where it is offered and says anything new. */
static void introduce(struct reach *r)
{
	struct link *l = r->link;

	if (!manner(r)->xclient || manner(r)->proxy || !(l->offer.features & FEATURE_XCLIENT)) {
		ready(r);
		return;
	}
	free(r->announcing);
	r->announcing = introduction(r);
	if (l->announced != NULL && strcmp(l->announced, r->announcing) == 0)
		ready(r);
	else
		link_say(l, enter(r, REACH_XCLIENT), "%.*s", (int)strcspn(r->announcing, "\n"),
			 r->announcing);
}

static void announced(struct reach *r)
{
	free(r->link->announced);
	r->link->announced = mem_strdup(r->announcing);
}

static void greeted(struct reach *r)
{
	if (manner(r)->tls_must && stream_tls(&r->link->stream) == NULL) {
		lost(r, "it offers no STARTTLS");
		return;
	}
	pool_reached(r->link);
	introduce(r);
}

static bool wants_tls(const struct reach *r)
{
	const struct link *l = r->link;

	return manner(r)->tls != NULL && !r->in_clear && stream_tls(&l->stream) == NULL &&
	       (l->offer.features & FEATURE_STARTTLS);
}

static void write_header(struct reach *r)
{
	const struct relay_client *c = r->relay->client;
	const struct proxy_header h = { .from = c->peer, .from_port = c->peer_port,
					.to = c->local, .to_port = c->local_port };
	char bytes[PROXY_WRITTEN_MAX];

	stream_write(&r->link->stream, (struct slice){ bytes, proxy_header_write(&h, bytes) });
	announced(r);
}

static void connected(struct reach *r)
{
	if (manner(r)->proxy)
		write_header(r);
	link_expect(r->link, enter(r, REACH_GREETING));
}

static void greeting_heard(struct reach *r)
{
	if (link_class(r->link) != 2 || r->link->spoilt != NULL)
		unfit(r);
	else
		say_ehlo(r, REACH_EHLO, slice_of(r->relay->world->hostname));
}

static void ehlo_heard(struct reach *r)
{
	struct link *l = r->link;

	if (l->spoilt != NULL) {
		unfit(r);
	} else if (link_class(l) == 2) {
		l->offer = offer_read(l->heard.text);
		if (wants_tls(r))
			link_say(l, enter(r, REACH_STARTTLS), "STARTTLS");
		else
			greeted(r);
	} else if (link_class(l) == 5) {
		link_say(l, enter(r, REACH_HELO), "HELO %s", r->relay->world->hostname);
	} else {
		unfit(r);
	}
}

static void helo_heard(struct reach *r)
{
	if (link_class(r->link) != 2 || r->link->spoilt != NULL)
		unfit(r);
	else
		greeted(r);
}

static void starttls_heard(struct reach *r)
{
	struct link *l = r->link;

	if (l->spoilt != NULL || stream_unsent(&l->stream) > 0 || link_class(l) == 3)
		unfit(r);
	else if (link_class(l) == 2)
		link_secure(l, manner(r)->tls, r->name, enter(r, REACH_HANDSHAKE));
	else
		greeted(r);
}

/* What it offered in the clear is forgotten (RFC 3207 4.2). */
static void secured(struct reach *r)
{
	const struct tls_info *tls = stream_tls(&r->link->stream);

	log_event(LOG_DEBUG, "next_hop", r->relay->session, NULL, "next hop %s: %s with %s",
		  r->relay->peer, tls->version, tls->cipher);
	r->link->name = mem_strdup(r->name);
	say_ehlo(r, REACH_EHLO, slice_of(r->relay->world->hostname));
}

static void rset_heard(struct reach *r)
{
	if (link_class(r->link) != 2 || r->link->spoilt != NULL) {
		unfit(r);
		return;
	}
	r->link->in_mail = false;
	introduce(r);
}

static void xclient_heard(struct reach *r)
{
	struct link *l = r->link;

	if (is_refusal(l)) {
		refused(r);
	} else if (link_class(l) != 2 || l->spoilt != NULL) {
		unfit(r);
	} else {
		announced(r);
		say_ehlo(r, REACH_EHLO_AGAIN,
			 announce_helo(r->relay->client, r->relay->world->hostname));
	}
}

/* The name is the client's, and so is a refusal of it. */
static void ehlo_again_heard(struct reach *r)
{
	struct link *l = r->link;
	struct offer offer;

	if (l->spoilt != NULL || link_class(l) == 3) {
		unfit(r);
		return;
	}
	if (link_class(l) != 2) {
		refused(r);
		return;
	}
	offer = offer_read(l->heard.text);
	offer.features |= FEATURE_XCLIENT; /* it is our right, not the client's */
	offer.xclient = l->offer.xclient;
	l->offer = offer;
	ready(r);
}

static void link_heard(void *owner, enum link_news news)
{
	struct reach *r = owner;

	switch (news) {
	case LINK_CONNECTED:
		connected(r);
		break;
	case LINK_REPLY:
		states[r->state].heard(r);
		break;
	case LINK_SECURED:
		secured(r);
		break;
	case LINK_LOST:
		lost(r, r->link->spoilt);
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
		} else if (link->in_mail) {
			link_say(link, enter(r, REACH_RSET), "RSET");
		} else {
			introduce(r);
		}
		break;
	case POOL_DIAL:
		if (!link_connect(link, r->relay->world->loop, &r->to, enter(r, REACH_CONNECT)))
			lost(r, link->spoilt);
		break;
	case POOL_DOWN:
		next_address(r);
		break;
	case POOL_WAIT:
		if (r->ask.waits)
			timer_set(&r->timer, enter(r, REACH_TURN));
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
		finish(r, NULL);
	else
		take(r);
}

static void too_late(void *arg)
{
	struct reach *r = arg;

	note(r, LOG_WARN, "timeout");
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

/* Who and where; the ports make it this connection of the client. */
static char *header_text(const struct relay_client *c)
{
	char from[ADDR_PORT_TEXT_MAX], to[ADDR_PORT_TEXT_MAX];

	return mem_printf("PROXY %s %s", addr_port_print(&c->peer, c->peer_port, from),
			  addr_port_print(&c->local, c->local_port, to));
}

void reach_begin(struct reach *r, bool fresh)
{
	struct relay *relay = r->relay;

	dial_init(&r->dial, relay->world, relay->route, relay->session, dial_heard, r);
	r->by_ms = clock_ms() + relay_timeouts.reach;
	r->ask = (struct pool_ask){ .session = relay->session, .own = manner(r)->proxy,
				    .fresh = fresh, .said = taken, .owner = r };
	if (manner(r)->proxy)
		r->announcing = header_text(relay->client);
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
