#include "audit/elsewhere.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"

/* One address at one endpoint; without padding, for it is hashed as it lies. */
struct key {
	struct audit_endpoint *endpoint;
	uint64_t hi, lo, family;
};

struct crowd {
	struct key key;
	uint32_t count;
	UT_hash_handle hh;
};

struct elsewhere {
	struct audit *audit;
	struct crowd *crowds;
	uint64_t sessions;
	unsigned endpoints; /* made for it */
};

struct elsewhere *elsewhere_new(struct audit *audit)
{
	struct elsewhere *e = mem_new(sizeof *e);

	e->audit = audit;
	return e;
}

static void one_leaves(struct crowd *c)
{
	struct audit_ticket ticket = {
		c->key.endpoint,
		{ .family = (uint8_t)c->key.family, .hi = c->key.hi, .lo = c->key.lo },
	};

	audit_leave(&ticket);
	c->count--;
}

void elsewhere_free(struct elsewhere *e)
{
	struct crowd *c, *following;

	if (e == NULL)
		return;
	HASH_ITER(hh, e->crowds, c, following) {
		while (c->count > 0)
			one_leaves(c);
		HASH_DEL(e->crowds, c);
		free(c);
	}
	free(e);
}

static const char *enter(struct elsewhere *e, const struct key *key, const struct addr *addr)
{
	struct audit_ticket ticket = { 0 };
	struct crowd *c;

	if (e->sessions >= ELSEWHERE_SESSIONS_MAX)
		return "too many sessions";
	HASH_FIND(hh, e->crowds, key, sizeof *key, c);
	if (c == NULL) {
		c = mem_new(sizeof *c);
		c->key = *key;
		HASH_ADD(hh, e->crowds, key, sizeof *key, c);
	}
	audit_enter(key->endpoint, addr, &ticket);
	c->count++;
	e->sessions++;
	return NULL;
}

static const char *leave(struct elsewhere *e, const struct key *key)
{
	struct crowd *c;

	HASH_FIND(hh, e->crowds, key, sizeof *key, c);
	if (c == NULL)
		return "who leaves was not there";
	one_leaves(c);
	e->sessions--;
	if (c->count == 0) {
		HASH_DEL(e->crowds, c);
		free(c);
	}
	return NULL;
}

/* NULL: there is none of that name, and no more are made. */
static struct audit_endpoint *find_endpoint(struct elsewhere *e, struct audit_service *service,
					    struct slice name)
{
	char text[ELSEWHERE_LINE_MAX];
	struct audit_endpoint *found;

	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	found = audit_endpoint_find(e->audit, service, text);
	if (found != NULL || e->endpoints == ELSEWHERE_ENDPOINTS_MAX)
		return found;
	e->endpoints++;
	return audit_endpoint(e->audit, service, text);
}

const char *elsewhere_hear(struct elsewhere *e, struct slice line)
{
	struct slice rest, verb, where, who, service_name;
	struct audit_service *service;
	struct key key = { 0 };
	struct addr addr;
	char text[32];

	if (line.len >= ELSEWHERE_LINE_MAX || memchr(line.at, '\0', line.len) != NULL)
		return "no line of ours";
	verb = slice_cut(line, ' ', &rest);
	who = slice_cut(rest, ' ', &rest);
	service_name = slice_cut(rest, ' ', &where);
	if (!slice_equal(verb, SLICE("+")) && !slice_equal(verb, SLICE("-")))
		return "expected + or -";
	if (addr_parse(who, &addr) != NULL)
		return "expected an address";
	if (service_name.len >= sizeof text || where.len == 0)
		return "expected a service and an endpoint";
	memcpy(text, service_name.at, service_name.len);
	text[service_name.len] = '\0';
	service = audit_service_find(e->audit, text);
	key.endpoint = service != NULL ? find_endpoint(e, service, where) : NULL;
	if (key.endpoint == NULL)
		return "expected a service and an endpoint";
	key.hi = addr.hi;
	key.lo = addr.lo;
	key.family = addr.family;
	return verb.at[0] == '+' ? enter(e, &key, &addr) : leave(e, &key);
}

uint64_t elsewhere_sessions(const struct elsewhere *e)
{
	return e->sessions;
}

bool elsewhere_say(struct buf *out, bool entered, const struct audit_ticket *ticket)
{
	char who[ADDR_TEXT_MAX];

	return buf_printf(out, "%c %s %s %s\n", entered ? '+' : '-', addr_print(&ticket->peer, who),
			  audit_service_name(audit_endpoint_service(ticket->endpoint)),
			  audit_endpoint_name(ticket->endpoint));
}
