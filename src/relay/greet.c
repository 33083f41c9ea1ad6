/*
 * What is said on a connection, and heard, until MAIL can be said: greeting, EHLO or HELO, TLS, and
 * who the client is. One thing is awaited at a time, and its row says what to make of the reply.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/proxy_header.h"
#include "relay/announce.h"
#include "relay/reach_parts.h"

/* The client is not welcome there, which is the answer to it. */
static void refused(struct reach *r)
{
	struct link *l = r->link;

	reach_note(r, LOG_INFO, l->heard.text);
	reply_free(r->relay->reply);
	*r->relay->reply = reply_take(&l->heard);
	pool_drop(l);
	reach_finish(r, NULL);
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
	reach_lost(r, why);
}

static void ready(struct reach *r)
{
	struct link *l = r->link;

	if (offer_lacks(&l->offer, r->from, r->params, r->relay->reply)) {
		pool_keep(l);
		reach_finish(r, NULL);
		return;
	}
	l->uses++;
	reach_finish(r, l);
}

static void say_ehlo(struct reach *r, enum reach_state state, struct slice name)
{
	link_say(r->link, reach_enter(r, state), "EHLO %.*s", SLICE_ARGS(name));
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
		link_say(l, reach_enter(r, REACH_XCLIENT), "%.*s",
			 (int)strcspn(r->announcing, "\n"), r->announcing);
}

static void announced(struct reach *r)
{
	free(r->link->announced);
	r->link->announced = mem_strdup(r->announcing);
}

static void greeted(struct reach *r)
{
	if (manner(r)->tls_must && stream_tls(&r->link->stream) == NULL) {
		reach_lost(r, "it offers no STARTTLS");
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

/* Who and where; the ports make it this connection of the client. */
char *greet_header(const struct relay_client *c)
{
	char from[ADDR_PORT_TEXT_MAX], to[ADDR_PORT_TEXT_MAX];

	return mem_printf("PROXY %s %s", addr_port_print(&c->peer, c->peer_port, from),
			  addr_port_print(&c->local, c->local_port, to));
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

void greet_connected(struct reach *r)
{
	if (manner(r)->proxy)
		write_header(r);
	link_expect(r->link, reach_enter(r, REACH_GREETING));
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
			link_say(l, reach_enter(r, REACH_STARTTLS), "STARTTLS");
		else
			greeted(r);
	} else if (link_class(l) == 5) {
		link_say(l, reach_enter(r, REACH_HELO), "HELO %s", r->relay->world->hostname);
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
		link_secure(l, manner(r)->tls, r->name, reach_enter(r, REACH_HANDSHAKE));
	else
		greeted(r);
}

/* What it offered in the clear is forgotten (RFC 3207 4.2). */
void greet_secured(struct reach *r)
{
	const struct tls_info *tls = stream_tls(&r->link->stream);

	log_event(LOG_DEBUG, "next_hop", r->relay->session, NULL, "next hop %s: %s with %s",
		  r->relay->peer, tls->version, tls->cipher);
	r->link->name = mem_strdup(r->name);
	say_ehlo(r, REACH_EHLO, slice_of(r->relay->world->hostname));
}

/* One that is kept may have been left in the middle of a transaction. */
void greet_kept(struct reach *r)
{
	if (r->link->in_mail)
		link_say(r->link, reach_enter(r, REACH_RSET), "RSET");
	else
		introduce(r);
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

void greet_heard(struct reach *r)
{
	static void (*const heard[])(struct reach *r) = {
		[REACH_GREETING] = greeting_heard, [REACH_EHLO] = ehlo_heard,
		[REACH_HELO] = helo_heard,	   [REACH_STARTTLS] = starttls_heard,
		[REACH_RSET] = rset_heard,	   [REACH_XCLIENT] = xclient_heard,
		[REACH_EHLO_AGAIN] = ehlo_again_heard,
	};

	heard[r->state](r);
}
