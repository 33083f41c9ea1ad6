#include "net/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { TRIES = 2 };

int dns_try_ms = 3000;

/* A socket that c-ares opened: watched for as long as it wants. */
struct watch {
	struct event event;
	LIST_ENTRY(watch) next;
	struct dns *dns;
	ares_socket_t fd;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	struct timer retry;
	LIST_HEAD(, watch) watches;
	LIST_HEAD(, dns_query) queries;
};

/*
 * c-ares may answer from inside the asking call. So every answer is kept, and told when the timer
 * fires at once: one way for all, and one that can be called off.
 */
struct dns_query {
	LIST_ENTRY(dns_query) next;
	struct timer tell;
	bool asking;	/* c-ares holds a pointer to this */
	bool cancelled;
	dns_addrs_said *addrs_said;
	dns_mx_said *mx_said;
	void *owner;
	enum dns_status status;
	unsigned count;
	union {
		struct addr addrs[DNS_ADDRS_MAX];
		struct dns_mx mx[DNS_MX_MAX];
	};
};

/* Not safe with threads, so it comes before any. */
static void library_init(void) __attribute__((constructor));
static void library_init(void)
{
	CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

static void set_retry(struct dns *dns)
{
	struct timeval room, *tv = ares_timeout(dns->channel, NULL, &room);

	if (tv != NULL) /* rounded up: too early finds nothing to do, and asks again */
		timer_set(&dns->retry, (uint64_t)tv->tv_sec * 1000 + (uint64_t)tv->tv_usec / 1000 + 1);
	else
		timer_stop(&dns->retry);
}

static void retry_due(void *arg)
{
	struct dns *dns = arg;

	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_retry(dns);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct dns *dns = ((struct watch *)arg)->dns; /* the watch may be gone after the call */

	ares_process_fd(dns->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_retry(dns);
}

static void watch_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = arg;
	struct watch *w;
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	LIST_FOREACH(w, &dns->watches, next) {
		if (w->fd == fd)
			break;
	}
	if (w != NULL) {
		event_del(&w->event);
	} else {
		w = mem_new(sizeof *w);
		w->dns = dns;
		w->fd = fd;
		LIST_INSERT_HEAD(&dns->watches, w, next);
	}
	if (!readable && !writable) {
		LIST_REMOVE(w, next);
		free(w);
		return;
	}
	event_assign(&w->event, loop_base(dns->loop), fd, what, on_socket, w);
	event_add(&w->event, NULL);
}

struct dns *dns_new(struct loop *loop, const char *servers)
{
	struct dns *dns = mem_new(sizeof *dns);
	struct ares_options options = {
		.timeout = dns_try_ms,
		.tries = TRIES,
		.sock_state_cb = watch_socket,
		.sock_state_cb_data = dns,
	};

	dns->loop = loop;
	LIST_INIT(&dns->watches);
	LIST_INIT(&dns->queries);
	timer_init(&dns->retry, loop, retry_due, dns);
	if (ares_init_options(&dns->channel, &options,
			      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
	    ARES_SUCCESS) {
		free(dns);
		return NULL;
	}
	if (servers != NULL && ares_set_servers_ports_csv(dns->channel, servers) != ARES_SUCCESS) {
		ares_destroy(dns->channel);
		free(dns);
		return NULL;
	}
	return dns;
}

static void query_free(struct dns_query *q)
{
	LIST_REMOVE(q, next);
	timer_stop(&q->tell);
	free(q);
}

void dns_free(struct dns *dns)
{
	struct dns_query *q, *after;

	if (dns == NULL)
		return;
	for (q = LIST_FIRST(&dns->queries); q != NULL; q = after) {
		after = LIST_NEXT(q, next);
		dns_cancel(q);
	}
	ares_destroy(dns->channel); /* tells what it still had; nothing of ours is left after it */
	timer_stop(&dns->retry);
	free(dns);
}

void dns_cancel(struct dns_query *q)
{
	if (q == NULL)
		return;
	q->cancelled = true;
	if (!q->asking)
		query_free(q);
}

static void tell(void *arg)
{
	struct dns_query *q = arg;

	LIST_REMOVE(q, next);
	if (q->addrs_said != NULL)
		q->addrs_said(q->owner, q->status, q->addrs, q->count);
	else
		q->mx_said(q->owner, q->status, q->mx, q->count);
	free(q);
}

static struct dns_query *query_new(struct dns *dns, void *owner)
{
	struct dns_query *q = mem_new(sizeof *q);

	q->owner = owner;
	timer_init(&q->tell, dns->loop, tell, q);
	LIST_INSERT_HEAD(&dns->queries, q, next);
	return q;
}

static enum dns_status status_of(int ares)
{
	switch (ares) {
	case ARES_SUCCESS:
		return DNS_FOUND;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return DNS_NOTHING;
	}
	return DNS_FAILED;
}

/* c-ares is through with the query. False: so is everybody. */
static bool answered(struct dns_query *q, int ares)
{
	q->asking = false;
	if (q->cancelled) {
		query_free(q);
		return false;
	}
	q->status = status_of(ares);
	timer_set(&q->tell, 0);
	return true;
}

static void addrs_answered(void *arg, int ares, int timeouts, struct ares_addrinfo *found)
{
	struct dns_query *q = arg;

	(void)timeouts;
	if (answered(q, ares) && ares == ARES_SUCCESS) {
		for (struct ares_addrinfo_node *n = found->nodes; n != NULL; n = n->ai_next) {
			if (q->count < DNS_ADDRS_MAX)
				addr_from_sockaddr(n->ai_addr, &q->addrs[q->count++], NULL);
		}
		if (q->count == 0)
			q->status = DNS_NOTHING;
	}
	if (found != NULL)
		ares_freeaddrinfo(found);
}

struct dns_query *dns_addrs(struct dns *dns, const char *name, dns_addrs_said *said, void *owner)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct dns_query *q = query_new(dns, owner);

	q->addrs_said = said;
	if (addr_parse(slice_of(name), &q->addrs[0]) == NULL) {
		q->count = 1;
		timer_set(&q->tell, 0);
		return q;
	}
	q->asking = true;
	ares_getaddrinfo(dns->channel, name, NULL, &hints, addrs_answered, q);
	set_retry(dns);
	return q;
}

/* Best first; equals in any order, so that load spreads (RFC 5321 5.1). */
static void add_mx(struct dns_query *q, uint16_t pref, const char *name)
{
	unsigned at = q->count;
	unsigned char coin;

	if (name[0] == '\0' || strlen(name) > DNS_NAME_MAX)
		return;
	if (at == DNS_MX_MAX && q->mx[--at].pref <= pref)
		return;
	for (; at > 0 && q->mx[at - 1].pref >= pref; at--) {
		evutil_secure_rng_get_bytes(&coin, 1);
		if (q->mx[at - 1].pref == pref && (coin & 1))
			break;
		q->mx[at] = q->mx[at - 1];
	}
	q->mx[at].pref = pref;
	strcpy(q->mx[at].name, name);
	if (q->count < DNS_MX_MAX)
		q->count++;
}

static void mx_answered(void *arg, int ares, int timeouts, unsigned char *reply, int len)
{
	struct dns_query *q = arg;
	struct ares_mx_reply *found = NULL;

	(void)timeouts;
	if (ares == ARES_SUCCESS)
		ares = ares_parse_mx_reply(reply, len, &found);
	if (answered(q, ares)) {
		for (struct ares_mx_reply *mx = found; mx != NULL; mx = mx->next)
			add_mx(q, mx->priority, mx->host);
	}
	if (found != NULL)
		ares_free_data(found);
}

struct dns_query *dns_mx(struct dns *dns, const char *name, dns_mx_said *said, void *owner)
{
	struct dns_query *q = query_new(dns, owner);

	q->mx_said = said;
	q->asking = true;
	ares_query(dns->channel, name, ns_c_in, ns_t_mx, mx_answered, q);
	set_retry(dns);
	return q;
}
