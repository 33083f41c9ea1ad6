#include "relay/dial.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

static void note(const struct dial *d, const char *name, const char *what)
{
	log_event(LOG_WARN, "next_hop", d->session, NULL, "next hop %s: %s", name, what);
}

static bool is_prohibited(const struct route *route, const struct addr *addr)
{
	for (unsigned i = 0; i < route->prohibited_count; i++) {
		if (cidr_contains(&route->prohibited[i], addr))
			return true;
	}
	return false;
}

static void addrs_said(void *owner, enum dns_status status, const struct addr *addrs,
		       unsigned count)
{
	struct dial *d = owner;

	d->query = NULL;
	if (status != DNS_FOUND)
		note(d, d->name,
		     status == DNS_NOTHING ? "has no address" : "address lookup failed");
	else if (count > 0)
		memcpy(d->addrs, addrs, count * sizeof addrs[0]);
	d->addr_at = 0;
	d->addr_count = status == DNS_FOUND ? count : 0;
	dial_next(d);
}

static void look_up(struct dial *d, const char *name)
{
	d->name = name;
	d->query = dns_addrs(d->world->dns, name, addrs_said, d);
}

static void mx_said(void *owner, enum dns_status status, const struct dns_mx *mx, unsigned count)
{
	struct dial *d = owner;
	const char *domain = d->route->hops[d->hop_at - 1].name;

	d->query = NULL;
	if (status == DNS_NOTHING) { /* RFC 5321 5.1: then it is its own */
		look_up(d, domain);
		return;
	}
	if (status == DNS_FAILED || count == 0)
		note(d, domain,
		     status == DNS_FAILED ? "MX lookup failed" : "takes no mail (RFC 7505)");
	free(d->mx);
	d->mx = NULL;
	d->mx_at = 0;
	d->mx_count = status == DNS_FOUND ? count : 0;
	if (d->mx_count > 0) {
		d->mx = mem_array(count, sizeof mx[0]);
		memcpy(d->mx, mx, count * sizeof mx[0]);
	}
	dial_next(d);
}

/* Either something to dial is in addrs after it, or a query is out, or the hop was skipped. */
static void open_hop(struct dial *d, const struct hop *hop)
{
	d->mx_at = d->mx_count = 0;
	switch (hop->kind) {
	case HOP_HOST:
		if (hop->by_mx)
			d->query = dns_mx(d->world->dns, hop->name, mx_said, d);
		else
			look_up(d, hop->name);
		break;
	case HOP_ADDR:
		d->name = NULL;
		d->addrs[0] = hop->addr;
		d->addr_at = 0;
		d->addr_count = 1;
		break;
	case HOP_MAILDIR: /* is alone in its route, or is nothing */
		break;
	}
}

/* False: it must not be dialled. */
static bool give(struct dial *d, const struct addr *addr)
{
	const struct endpoint to = { .addr = *addr, .port = d->route->hops[d->hop_at - 1].port };
	char text[ADDR_TEXT_MAX];

	if (is_prohibited(d->route, addr)) {
		note(d, addr_print(addr, text), "prohibited, not dialled");
		return false;
	}
	d->given++;
	d->said(d->owner, &to, d->name);
	return true;
}

static void go_on(void *arg)
{
	struct dial *d = arg;

	while (d->given < DIAL_MAX && d->query == NULL) {
		if (d->addr_at < d->addr_count) {
			if (give(d, &d->addrs[d->addr_at++]))
				return;
		} else if (d->mx_at < d->mx_count) {
			look_up(d, d->mx[d->mx_at++].name);
		} else if (d->hop_at < d->route->count) {
			open_hop(d, &d->route->hops[d->hop_at++]);
		} else {
			break;
		}
	}
	if (d->query == NULL)
		d->said(d->owner, NULL, NULL);
}

void dial_init(struct dial *d, const struct relay_world *world, const struct route *route,
	       uint64_t session, dial_said *said, void *owner)
{
	*d = (struct dial){ .world = world, .route = route, .session = session,
			    .said = said, .owner = owner };
	timer_init(&d->soon, world->loop, go_on, d);
}

void dial_fini(struct dial *d)
{
	dns_cancel(d->query);
	d->query = NULL;
	timer_stop(&d->soon);
	free(d->mx);
	d->mx = NULL;
}

void dial_next(struct dial *d)
{
	timer_set(&d->soon, 0);
}

uint32_t dial_rank(const struct dial *d)
{
	uint32_t mx = d->mx_at > 0 ? d->mx[d->mx_at - 1].pref : 0;

	return (uint32_t)d->route->hops[d->hop_at - 1].pref << 16 | mx;
}

void dial_back(struct dial *d)
{
	d->given--;
	d->addr_at--;
}
