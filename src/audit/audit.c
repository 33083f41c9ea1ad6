#include "audit/audit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/mem.h"

/*
 * The services (4.1). A later listener is a row. inbound_cidr is no service of its own: in a
 * cluster of one it reads SMTP (D50).
 */
static const char *const service_names[] = {
	"SMTP", "ECStream", "Control", "ECmmove2", "ECCluster", "HTTP",
};
enum { SERVICES = sizeof service_names / sizeof *service_names };

static const struct {
	struct slice alias, name;
} aliases[] = {
	{ { "inbound_cidr", 12 }, { "SMTP", 4 } },
};

/* Both families of one thing that is counted. */
struct census {
	struct cidr_tree *v4, *v6;
};

struct audit_endpoint {
	char *name;
	struct audit_service *service; /* borrowed: its owner */
	struct census live;
	TAILQ_ENTRY(audit_endpoint) others;
};

struct audit_service {
	const char *name;
	struct census live;
	TAILQ_HEAD(, audit_endpoint) endpoints; /* only ever added to, under audit->lock */
};

struct audit {
	pthread_mutex_t lock;
	struct audit_service services[SERVICES];
};

static void census_init(struct census *c)
{
	*c = (struct census){ cidr_tree_new(ADDR_V4), cidr_tree_new(ADDR_V6) };
}

static uint64_t census_total(const struct census *c)
{
	const struct cidr all_v4 = { .addr.family = ADDR_V4 }, all_v6 = { .addr.family = ADDR_V6 };

	return cidr_tree_count(c->v4, &all_v4) + cidr_tree_count(c->v6, &all_v6);
}

static void census_fini(struct census *c)
{
	CHECK(census_total(c) == 0); /* a ticket was never given back */
	cidr_tree_free(c->v4);
	cidr_tree_free(c->v6);
}

static struct cidr_tree *census_tree(const struct census *c, unsigned family)
{
	CHECK(family == ADDR_V4 || family == ADDR_V6);
	return family == ADDR_V4 ? c->v4 : c->v6;
}

struct audit *audit_new(void)
{
	struct audit *audit = mem_new(sizeof *audit);

	pthread_mutex_init(&audit->lock, NULL);
	for (unsigned i = 0; i < SERVICES; i++) {
		struct audit_service *s = &audit->services[i];

		s->name = service_names[i];
		census_init(&s->live);
		TAILQ_INIT(&s->endpoints);
	}
	return audit;
}

void audit_free(struct audit *audit)
{
	struct audit_endpoint *e;

	if (audit == NULL)
		return;
	for (unsigned i = 0; i < SERVICES; i++) {
		struct audit_service *s = &audit->services[i];

		while ((e = TAILQ_FIRST(&s->endpoints)) != NULL) {
			TAILQ_REMOVE(&s->endpoints, e, others);
			census_fini(&e->live);
			free(e->name);
			free(e);
		}
		census_fini(&s->live);
	}
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

static struct audit_service *service_named(struct audit *audit, struct slice name)
{
	for (unsigned i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (slice_equal(name, aliases[i].alias))
			name = aliases[i].name;
	for (unsigned i = 0; i < SERVICES; i++)
		if (slice_equal(name, slice_of(audit->services[i].name)))
			return &audit->services[i];
	return NULL;
}

struct audit_service *audit_service_find(struct audit *audit, const char *name)
{
	return service_named(audit, slice_of(name));
}

const char *audit_service_name(const struct audit_service *service)
{
	return service->name;
}

const char *audit_service_nth(const struct audit *audit, unsigned n)
{
	return n < SERVICES ? audit->services[n].name : NULL;
}

static struct audit_endpoint *find_endpoint(struct audit_service *service, const char *name)
{
	struct audit_endpoint *e;

	TAILQ_FOREACH (e, &service->endpoints, others)
		if (strcmp(e->name, name) == 0)
			break;
	return e;
}

struct audit_endpoint *audit_endpoint(struct audit *audit, struct audit_service *service,
				      const char *name)
{
	struct audit_endpoint *e;

	pthread_mutex_lock(&audit->lock);
	e = find_endpoint(service, name);
	if (e == NULL) {
		e = mem_new(sizeof *e);
		e->name = mem_strdup(name);
		e->service = service;
		census_init(&e->live);
		TAILQ_INSERT_TAIL(&service->endpoints, e, others);
	}
	pthread_mutex_unlock(&audit->lock);
	return e;
}

struct audit_endpoint *audit_endpoint_find(struct audit *audit, struct audit_service *service,
					   const char *name)
{
	struct audit_endpoint *e;

	pthread_mutex_lock(&audit->lock);
	e = find_endpoint(service, name);
	pthread_mutex_unlock(&audit->lock);
	return e;
}

struct audit_endpoint *audit_endpoint_nth(struct audit *audit, struct audit_service *service,
					  unsigned n)
{
	struct audit_endpoint *e;

	pthread_mutex_lock(&audit->lock);
	TAILQ_FOREACH (e, &service->endpoints, others)
		if (n-- == 0)
			break;
	pthread_mutex_unlock(&audit->lock);
	return e;
}

const char *audit_endpoint_name(const struct audit_endpoint *endpoint)
{
	return endpoint->name;
}

struct audit_service *audit_endpoint_service(const struct audit_endpoint *endpoint)
{
	return endpoint->service;
}

static _Thread_local struct audit_tap *tap;

void audit_set_tap(struct audit_tap *to)
{
	tap = to;
}

void audit_enter(struct audit_endpoint *endpoint, const struct addr *peer,
		 struct audit_ticket *ticket)
{
	CHECK(ticket->endpoint == NULL);
	cidr_tree_enter(census_tree(&endpoint->live, peer->family), peer);
	cidr_tree_enter(census_tree(&endpoint->service->live, peer->family), peer);
	*ticket = (struct audit_ticket){ endpoint, *peer };
	if (tap != NULL)
		tap->told(tap, true, ticket);
}

void audit_leave(struct audit_ticket *ticket)
{
	const struct addr *peer = &ticket->peer;

	if (ticket->endpoint == NULL)
		return;
	cidr_tree_leave(census_tree(&ticket->endpoint->service->live, peer->family), peer);
	cidr_tree_leave(census_tree(&ticket->endpoint->live, peer->family), peer);
	if (tap != NULL)
		tap->told(tap, false, ticket);
	*ticket = (struct audit_ticket){ 0 };
}

/* Out before in: seen at both would be one session too many, which T8 forbids at any moment. */
void audit_move(struct audit_ticket *ticket, const struct addr *peer)
{
	struct audit_endpoint *endpoint = ticket->endpoint;
	struct addr to = *peer; /* may lie in the ticket */

	CHECK(endpoint != NULL);
	if (addr_equal(&to, &ticket->peer))
		return;
	audit_leave(ticket);
	audit_enter(endpoint, &to, ticket);
}

/* Scripts ask by name at every count: nothing is copied on the way to a known service. */
const char *audit_scope_find(struct audit *audit, struct slice name, struct audit_scope *out)
{
	static _Thread_local char why[128];
	struct slice endpoint, service = slice_cut(name, '@', &endpoint);
	char text[256];

	*out = (struct audit_scope){ .service = service_named(audit, service) };
	if (out->service == NULL) {
		snprintf(why, sizeof why, "no service is named \"%.*s\"",
			 (int)(service.len < 64 ? service.len : 64), service.at);
		return why;
	}
	if (service.len == name.len)
		return NULL;
	snprintf(text, sizeof text, "%.*s", SLICE_ARGS(endpoint));
	if (endpoint.len < sizeof text)
		out->endpoint = audit_endpoint_find(audit, out->service, text);
	if (out->endpoint == NULL) {
		snprintf(why, sizeof why, "%s has no endpoint \"%.64s\"", out->service->name, text);
		return why;
	}
	return NULL;
}

static const struct census *scope_census(struct audit_scope scope)
{
	return scope.endpoint != NULL ? &scope.endpoint->live : &scope.service->live;
}

uint64_t audit_count(struct audit_scope scope, const struct cidr *block)
{
	return cidr_tree_count(census_tree(scope_census(scope), block->addr.family), block);
}

uint64_t audit_distinct(struct audit_scope scope, const struct cidr *block)
{
	return cidr_tree_distinct(census_tree(scope_census(scope), block->addr.family), block);
}

uint64_t audit_total(struct audit_scope scope)
{
	return census_total(scope_census(scope));
}

struct levels {
	struct cidr_tree *tree;
	unsigned first, last;
	audit_visit *visit;
	void *arg;
	struct addr before; /* the address visited before this one; ADDR_NONE: none yet */
};

static unsigned common_bits(const struct addr *a, const struct addr *b)
{
	if (a->hi != b->hi)
		return (unsigned)__builtin_clzll(a->hi ^ b->hi);
	return a->lo == b->lo ? 128 : 64 + (unsigned)__builtin_clzll(a->lo ^ b->lo);
}

/* The blocks that begin with this address: those that the address before it is not in. */
static bool levels_visit(void *arg, const struct addr *addr, uint32_t unused)
{
	struct levels *l = arg;
	unsigned len = l->first;

	(void)unused;
	if (l->before.family != ADDR_NONE && common_bits(&l->before, addr) >= len)
		len = common_bits(&l->before, addr) + 1;
	l->before = *addr;
	for (; len <= l->last; len++) {
		struct cidr block = cidr_of(addr, len);
		uint64_t count = cidr_tree_count(l->tree, &block);

		/* none: whoever was here left since the walk saw them */
		if (count > 0 &&
		    !l->visit(l->arg, &block, count, cidr_tree_distinct(l->tree, &block)))
			return false;
	}
	return true;
}

void audit_levels(struct audit_scope scope, enum addr_family family, const struct cidr *within,
		  unsigned first, unsigned last, audit_visit *visit, void *arg)
{
	struct cidr all = { .addr.family = (uint8_t)family };
	struct levels l = { .tree = census_tree(scope_census(scope), family),
			    .visit = visit,
			    .arg = arg };

	if (within == NULL)
		within = &all;
	CHECK(within->addr.family == family);
	l.first = first < within->len ? within->len : first;
	l.last = last > addr_bits(&all.addr) ? addr_bits(&all.addr) : last;
	if (l.first <= l.last)
		cidr_tree_walk(l.tree, within, levels_visit, &l);
}

static size_t census_bytes(const struct census *c)
{
	return cidr_tree_bytes(c->v4) + cidr_tree_bytes(c->v6);
}

size_t audit_bytes(const struct audit *audit)
{
	struct audit *unlocked = (struct audit *)audit; /* the lock is no part of its value */
	struct audit_endpoint *e;
	size_t bytes = 0;

	pthread_mutex_lock(&unlocked->lock);
	for (unsigned i = 0; i < SERVICES; i++) {
		bytes += census_bytes(&audit->services[i].live);
		TAILQ_FOREACH (e, &audit->services[i].endpoints, others)
			bytes += census_bytes(&e->live);
	}
	pthread_mutex_unlock(&unlocked->lock);
	return bytes;
}
