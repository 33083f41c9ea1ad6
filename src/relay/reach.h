/*
 * reach - the way to a connection on which MAIL can be said: kept or new, to the first next hop of
 * the route that is there, and told of the client. Private to this room; embedded in its relay.
 *
 *   a new one    ADDRESS (-> TURN) -> CONNECT -> GREETING -> EHLO (-> HELO)
 *                (-> STARTTLS -> HANDSHAKE -> EHLO) (-> XCLIENT -> EHLO_AGAIN)
 *   a kept one   ADDRESS (-> TURN) (-> RSET) (-> XCLIENT -> EHLO_AGAIN)
 *
 * What fails with a new connection is tried with the next address; with a kept one, which may only
 * have grown old, with a new one; a handshake that need not succeed, without TLS. A next hop that
 * has no connection to spare is waited for when none of the same preference has.
 */
#ifndef RELAY_REACH_H
#define RELAY_REACH_H

#include "relay/dial.h"
#include "relay/kind.h"
#include "relay/pool.h"

/* From the loop. link NULL: the answer to MAIL is in the relay's reply. */
typedef void reach_said(void *owner, struct link *link);

struct reach {
	struct relay *relay; /* borrowed; its peer is kept up to date */
	const struct path *from;	/* what the message needs; borrowed */
	const struct mail_params *params;
	reach_said *said;
	void *owner;
	struct dial dial;
	struct timer timer; /* while there is no link */
	struct pool_ask ask;
	struct endpoint to;
	char *name;	  /* whom TLS should find there */
	bool in_clear;	  /* TLS with it has failed */
	struct link *link;
	char *announcing; /* what XCLIENT or the header is telling */
	uint8_t state;
	bool crowded;	  /* full was there, but had no connection to spare */
	struct endpoint full;
	char *full_name;  /* NULL: the route gives its address */
	uint32_t full_rank;
	uint64_t by_ms;	  /* clock_ms: no more addresses after it */
};

void reach_init(struct reach *r, struct relay *relay, const struct path *from,
		const struct mail_params *params, reach_said *said, void *owner);
/* fresh: not by a kept connection. One at a time. */
void reach_begin(struct reach *r, bool fresh);
void reach_stop(struct reach *r); /* at any time; said() will not come */

#endif
