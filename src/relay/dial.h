/*
 * dial - the addresses of a route's next hops, one after another, in the order to try them.
 * Private to this room; embedded in its owner.
 *
 * Names and mail exchangers are looked up when their turn comes. Prohibited addresses are left out
 * (T3), and after DIAL_MAX that were not there are no more: the rest of a long list is no likelier.
 */
#ifndef RELAY_DIAL_H
#define RELAY_DIAL_H

#include "net/dns.h"
#include "net/endpoint.h"
#include "relay/relay.h"

enum { DIAL_MAX = 16 };

/* From the loop, never from inside dial_next. to is NULL when there are no more. name is the
 * host's, NULL when the route gives an address. Both are borrowed for the call. */
typedef void dial_said(void *owner, const struct endpoint *to, const char *name);

struct dial {
	const struct relay_world *world;
	const struct route *route;
	uint64_t session; /* for the log */
	dial_said *said;
	void *owner;
	struct timer soon;
	struct dns_query *query;
	unsigned given;
	unsigned hop_at;	    /* the next to look at; the one before it is being worked on */
	struct dns_mx *mx;
	unsigned mx_at, mx_count;
	struct addr addrs[DNS_ADDRS_MAX];
	unsigned addr_at, addr_count;
	const char *name;	    /* of the addrs */
};

void dial_init(struct dial *d, const struct relay_world *world, const struct route *route,
	       uint64_t session, dial_said *said, void *owner);
void dial_fini(struct dial *d); /* at any time; said() will not come */
void dial_next(struct dial *d);
/* How good the address is that was given last: by pref of Routes, then that of its MX; 0 is best. */
uint32_t dial_rank(const struct dial *d);
void dial_back(struct dial *d); /* it will be given again */

#endif
