/*
 * dns - names looked up through c-ares on a worker's loop; nothing blocks.
 *
 * One resolver a worker, with a cache: answers are remembered for as long as they say themselves,
 * within bounds; that there is none, or that no server answers, for a short while. Who asks what is
 * being asked already waits for the same answer. Answers come from the loop, never from inside the
 * asking call, exactly once unless dns_cancel was called.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/loop.h"

struct dns;
struct dns_query;

enum dns_status {
	DNS_FOUND,
	DNS_NOTHING, /* the name exists not, or has no such record: permanent */
	DNS_FAILED,  /* no answer, or a broken one: try again */
};

enum { DNS_ADDRS_MAX = 16, DNS_MX_MAX = 16, DNS_NAME_MAX = 255, DNS_CACHE_MAX = 512 /* answers */ };

/* A server that is silent for so long is asked once more, which has twice as long. For tests. */
extern int dns_try_ms;

/* servers: "127.0.0.1:5353,..." for tests; NULL: the system's. NULL: no resolver can be had. */
struct dns *dns_new(struct loop *loop, const char *servers);
void dns_free(struct dns *dns); /* cancels what is asked */

/* A and AAAA, in the order of RFC 6724, /etc/hosts included. addrs is borrowed during the call. */
typedef void dns_addrs_said(void *owner, enum dns_status status, const struct addr *addrs,
			    unsigned count);
struct dns_query *dns_addrs(struct dns *dns, const char *name, dns_addrs_said *said, void *owner);

struct dns_mx {
	uint16_t pref;
	char name[DNS_NAME_MAX + 1];
};
/* Best first, equals in random order. FOUND and none: a null MX (RFC 7505), it takes no mail. */
typedef void dns_mx_said(void *owner, enum dns_status status, const struct dns_mx *mx,
			 unsigned count);
struct dns_query *dns_mx(struct dns *dns, const char *name, dns_mx_said *said, void *owner);

void dns_cancel(struct dns_query *query); /* before it has said; NULL is fine */

#endif
