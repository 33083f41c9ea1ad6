/*
 * reach_parts - what the two halves of reach.h share: reach.c finds a connection, greet.c says on
 * it what comes before MAIL.
 */
#ifndef RELAY_REACH_PARTS_H
#define RELAY_REACH_PARTS_H

#include "base/log.h"
#include "relay/reach.h"

enum reach_state {
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

static inline const struct hop_manner *manner(const struct reach *r)
{
	return &r->relay->route->manner;
}

/* The only place where the state changes. How long it may last, in ms. */
uint64_t reach_enter(struct reach *r, enum reach_state state);
void reach_note(const struct reach *r, enum log_level level, const char *why);
/* The link, which MAIL can be said on; NULL: the relay's reply is the answer. */
void reach_finish(struct reach *r, struct link *link);
/* The link is of no more use: another one, or the answer that there is none. */
void reach_lost(struct reach *r, const char *why);

/* A new one; a kept one. */
void greet_connected(struct reach *r);
void greet_kept(struct reach *r);
void greet_secured(struct reach *r);
void greet_heard(struct reach *r); /* a reply, which is due */
/* Whom the PROXY header announces, from the heap. */
char *greet_header(const struct relay_client *c);

#endif
