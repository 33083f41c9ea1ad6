/*
 * route - which next hop serves a recipient's domain (T3). Immutable; built by the configuration,
 * lives as long as the rules it belongs to.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/tls.h"

enum hop_kind {
	HOP_HOST,    /* name, looked up when it is dialled */
	HOP_ADDR,    /* addr */
	HOP_MAILDIR, /* path, absolute */
};

struct hop {
	enum hop_kind kind;
	char *name;	 /* host name, the address as text, or the Maildir's path */
	struct addr addr;
	uint16_t port;
	uint16_t pref;	 /* of Routes: the lowest is tried first */
	bool by_mx;	 /* type=mx: name's mail exchangers; else its addresses */
};

/*
 * One next hop as configuration writes it: "host", "host:port", "a.b.c.d:port", "[v6]:port",
 * "smtp://host?pref=10&ttl=300&port=25&type=mx" (ttl is DNS's own business and ignored), or
 * "maildir:PATH", which stays as relative as it is. NULL, or what is wrong and what was expected;
 * then *out holds nothing.
 */
const char *hop_parse(struct slice text, struct hop *out) __attribute__((warn_unused_result));
struct hop *hops_copy(const struct hop *hops, unsigned count);
void hops_free(struct hop *hops, unsigned count);

/* How the next hops of a route are treated. Zeroed: no limits, nothing kept, nothing told. */
struct hop_manner {
	uint32_t connections_max; /* of one worker to one address; 0: no limit */
	uint32_t uses_max;	  /* transactions of one connection; 0: no limit */
	uint32_t idle_ms;  /* a connection is kept so long for the next transaction; 0: is not */
	uint32_t retry_ms; /* one that is not there is left alone so long at most; 0: is not */
	bool xclient;		  /* it is told of the client where it offers XCLIENT */
	bool proxy;		  /* instead by a PROXY header, version 2 */
	bool tls_must; /* no mail in the clear, nor to a peer that is not who it should be */
	struct tls_context *tls; /* for STARTTLS; NULL: never. Borrowed, from who built the route */
};

/* One way on: hops in order of preference. Two recipients share a transaction when they share this
 * pointer. */
struct route {
	struct hop *hops;
	unsigned count;
	const struct cidr *prohibited; /* addresses never dialled (Prohibited_Hosts); borrowed */
	unsigned prohibited_count;
	struct hop_manner manner;
};

struct route_table;

struct route_table *route_table_new(void);
void route_table_free(struct route_table *t);

/* Takes the hops, copies the rest. pattern NULL: the default (Gateway, Routes); "example.org";
 * "*.example.org": its sub-domains. false: the pattern is there already. */
bool route_add(struct route_table *t, const char *pattern, const struct route *route);

/* The next hop of a domain; the default where no pattern fits; NULL where there is no default.
 * Case-insensitive; the longest pattern wins. */
const struct route *route_for(const struct route_table *t, struct slice domain);
/* Has patterns: the next hop is known at RCPT only. */
bool route_by_domain(const struct route_table *t);

#endif
