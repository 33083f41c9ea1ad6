/*
 * audit - who is connected right now: services, their endpoints, and the tickets of the live.
 *
 * A service (`SMTP`, `Control`, ... 4.1) is what scripts name; an endpoint is one Listen of it.
 * Each has a tree for either family. A session enters with a ticket and leaves with it; nothing
 * else changes a count, so every count is the number of tickets out (D37, D51).
 *
 * Any thread may call anything here, except that a ticket belongs to its session's thread.
 * Services and endpoints live until audit_free; an endpoint that is configured again, after a
 * reload, is the same endpoint, by its name.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/cidr_tree.h"
#include "base/addr.h"

struct audit;
struct audit_service;
struct audit_endpoint;

struct audit *audit_new(void); /* with the documented services, see audit_service_names */
void audit_free(struct audit *audit); /* every ticket is back: a CHECK */

/* Case-sensitive. NULL: no such service. */
struct audit_service *audit_service_find(struct audit *audit, const char *name);
const char *audit_service_name(const struct audit_service *service);
/* The service table, in its order, until NULL. */
const char *audit_service_nth(const struct audit *audit, unsigned n);

/* Found, or made at first sight. The name is the Listen text ("127.0.0.1:2525"). */
struct audit_endpoint *audit_endpoint(struct audit *audit, struct audit_service *service,
				      const char *name);
/* Found, never made. */
struct audit_endpoint *audit_endpoint_find(struct audit *audit, struct audit_service *service,
					   const char *name);
/* In the order made, until NULL. */
struct audit_endpoint *audit_endpoint_nth(struct audit *audit, struct audit_service *service,
					  unsigned n);
const char *audit_endpoint_name(const struct audit_endpoint *endpoint);
struct audit_service *audit_endpoint_service(const struct audit_endpoint *endpoint);

/* Owned by the session. Zeroed: not inside. */
struct audit_ticket {
	struct audit_endpoint *endpoint; /* NULL: not inside */
	struct addr peer;
};

void audit_enter(struct audit_endpoint *endpoint, const struct addr *peer,
		 struct audit_ticket *ticket);
/* To another address (D49). Seen at either, never at both, never at neither after the call (T8). */
void audit_move(struct audit_ticket *ticket, const struct addr *peer);
/* Takes the ticket out; leaving twice, or with a zeroed ticket, is harmless. */
void audit_leave(struct audit_ticket *ticket);

/*
 * Who is told of every entering and leaving that the calling thread does from now on, after it is
 * counted; NULL: nobody. How another process follows what this one holds (audit/elsewhere.h).
 */
struct audit_tap {
	void (*told)(struct audit_tap *self, bool entered, const struct audit_ticket *ticket);
};
void audit_set_tap(struct audit_tap *tap);

/*
 * What to look at: a service, or with endpoint one of its endpoints. Resolved once from a name by
 * audit_scope_find: "SMTP", "SMTP@127.0.0.1:2525", "inbound_cidr" (SMTP here: a cluster of one,
 * D50).
 */
struct audit_scope {
	struct audit_service *service;
	struct audit_endpoint *endpoint; /* NULL: the whole service */
};

/* NULL, or what is wrong, naming it. */
const char *audit_scope_find(struct audit *audit, struct slice name, struct audit_scope *out);

/* Live sessions, or different addresses, inside the block. */
uint64_t audit_count(struct audit_scope scope, const struct cidr *block);
uint64_t audit_distinct(struct audit_scope scope, const struct cidr *block);
/* Both families: /0 everywhere (D48). */
uint64_t audit_total(struct audit_scope scope);

/*
 * Subtotals level by level (T15): every block of a length first..last that holds anything, in
 * address order, a block before what lies in it. Stops when visit answers false.
 */
typedef bool audit_visit(void *arg, const struct cidr *block, uint64_t count, uint64_t distinct);
void audit_levels(struct audit_scope scope, enum addr_family family,
		  const struct cidr *within /* NULL: all */, unsigned first, unsigned last,
		  audit_visit *visit, void *arg);

/* Bytes held by all trees. */
size_t audit_bytes(const struct audit *audit);

#endif
