#include "net/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
	TRIES = 2,
	TTL_MIN_S = 1,	  /* also of what is in /etc/hosts */
	TTL_MAX_S = 3600,
	NOTHING_S = 30,
	FAILED_S = 5,
};

int dns_try_ms = 3000;

/* A socket that c-ares opened: watched for as long as it wants. */
struct watch {
	struct event event;
	LIST_ENTRY(watch) next;
	struct dns *dns;
	ares_socket_t fd;
};

/*
 * A question and, when it is in, its answer. While c-ares holds a pointer to it (asking), and while
 * somebody waits for it, it stays.
 */
struct answer {
	UT_hash_handle hh;
	TAILQ_ENTRY(answer) used; /* the latest first; not while asking */
	struct dns *dns;
	LIST_HEAD(, dns_query) queries;
	bool asking;
	bool is_mx;
	enum dns_status status;
	unsigned count;
	struct addr *addrs; /* of one kind, as many as there are */
	struct dns_mx *mx;
	uint64_t until_ms;
	char key[]; /* "A" or "M", and the name in lower case */
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	struct timer retry;
	LIST_HEAD(, watch) watches;
	struct answer *answers;
	TAILQ_HEAD(answers, answer) known;
};

/* Told when its timer fires, at once: one way for all, and one that can be called off. */
struct dns_query {
	LIST_ENTRY(dns_query) next;
	struct answer *answer;
	struct timer tell;
	dns_addrs_said *addrs_said;
	dns_mx_said *mx_said;
	void *owner;
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
		timer_set(&dns->retry,
			  (uint64_t)tv->tv_sec * 1000 + (uint64_t)tv->tv_usec / 1000 + 1);
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
	TAILQ_INIT(&dns->known);
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

/* --- the cache ----------------------------------------------------------------------------- */

static void answer_free(struct answer *a)
{
	HASH_DEL(a->dns->answers, a);
	if (!a->asking)
		TAILQ_REMOVE(&a->dns->known, a, used);
	free(a->addrs);
	free(a->mx);
	free(a);
}

/* What is waited for is not let go: it is new, and the queries are as many as there
 * are sessions. */
static void make_room(struct dns *dns)
{
	struct answer *a, *before;

	for (a = TAILQ_LAST(&dns->known, answers); a != NULL; a = before) {
		before = TAILQ_PREV(a, answers, used);
		if (HASH_COUNT(dns->answers) < DNS_CACHE_MAX)
			return;
		if (LIST_EMPTY(&a->queries))
			answer_free(a);
	}
}

static struct answer *answer_new(struct dns *dns, const char *key, bool is_mx)
{
	size_t len = strlen(key);
	struct answer *a = mem_new(sizeof *a + len + 1);

	make_room(dns);
	a->dns = dns;
	a->is_mx = is_mx;
	a->asking = true;
	memcpy(a->key, key, len);
	LIST_INIT(&a->queries);
	HASH_ADD_KEYPTR(hh, dns->answers, a->key, len, a);
	return a;
}

/* NULL: not known, or not any more. */
static struct answer *answer_find(struct dns *dns, const char *key)
{
	struct answer *a;

	HASH_FIND_STR(dns->answers, key, a);
	if (a == NULL || a->asking)
		return a;
	TAILQ_REMOVE(&dns->known, a, used);
	TAILQ_INSERT_HEAD(&dns->known, a, used);
	if (clock_ms() < a->until_ms || !LIST_EMPTY(&a->queries))
		return a;
	answer_free(a);
	return NULL;
}

/* --- queries ------------------------------------------------------------------------------- */

static void query_free(struct dns_query *q)
{
	LIST_REMOVE(q, next);
	timer_stop(&q->tell);
	free(q);
}

void dns_cancel(struct dns_query *q)
{
	if (q != NULL)
		query_free(q);
}

void dns_free(struct dns *dns)
{
	struct answer *a, *after;

	if (dns == NULL)
		return;
	ares_destroy(dns->channel); /* tells what it still had */
	HASH_ITER (hh, dns->answers, a, after) {
		while (!LIST_EMPTY(&a->queries))
			query_free(LIST_FIRST(&a->queries));
		answer_free(a);
	}
	timer_stop(&dns->retry);
	free(dns);
}

/* Best first; equals in any order, so that load spreads (RFC 5321 5.1). */
static unsigned shuffle(const struct answer *a, struct dns_mx out[DNS_MX_MAX])
{
	unsigned char coin;

	for (unsigned i = 0; i < a->count; i++) {
		unsigned at = i;

		for (; at > 0 && out[at - 1].pref >= a->mx[i].pref; at--) {
			evutil_secure_rng_get_bytes(&coin, 1);
			if (out[at - 1].pref == a->mx[i].pref && (coin & 1))
				break;
			out[at] = out[at - 1];
		}
		out[at] = a->mx[i];
	}
	return a->count;
}

static void tell(void *arg)
{
	struct dns_query *q = arg;
	struct answer *a = q->answer;
	struct dns_mx mx[DNS_MX_MAX];

	if (a->is_mx)
		q->mx_said(q->owner, a->status, mx, shuffle(a, mx));
	else
		q->addrs_said(q->owner, a->status, a->addrs, a->count);
	query_free(q);
}

/* --- answers ------------------------------------------------------------------------------- */

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

/* c-ares is through with the question. */
static void answered(struct answer *a, int ares, int ttl_s)
{
	const int standard_s[] = {
		[DNS_FOUND] = ttl_s, [DNS_NOTHING] = NOTHING_S, [DNS_FAILED] = FAILED_S
	};
	struct dns_query *q;

	a->status = status_of(ares);
	if (a->status == DNS_FOUND && !a->is_mx && a->count == 0)
		a->status = DNS_NOTHING;
	ttl_s = standard_s[a->status];
	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	a->until_ms = clock_ms() + (uint64_t)(ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S) * 1000;
	a->asking = false;
	TAILQ_INSERT_HEAD(&a->dns->known, a, used);
	LIST_FOREACH (q, &a->queries, next)
		timer_set(&q->tell, 0);
}

static void addrs_answered(void *arg, int ares, int timeouts, struct ares_addrinfo *found)
{
	struct answer *a = arg;
	int ttl_s = TTL_MAX_S;

	(void)timeouts;
	if (ares == ARES_SUCCESS) {
		a->addrs = mem_array(DNS_ADDRS_MAX, sizeof a->addrs[0]);
		for (struct ares_addrinfo_node *n = found->nodes; n != NULL; n = n->ai_next) {
			if (a->count < DNS_ADDRS_MAX)
				addr_from_sockaddr(n->ai_addr, &a->addrs[a->count++], NULL);
			if (n->ai_ttl < ttl_s)
				ttl_s = n->ai_ttl;
		}
	}
	if (found != NULL)
		ares_freeaddrinfo(found);
	answered(a, ares, ttl_s);
}

/* The worst gives way to a better one. */
static void add_mx(struct answer *a, uint16_t pref, const char *name)
{
	struct dns_mx *worst = &a->mx[0];

	if (name[0] == '\0' || strlen(name) > DNS_NAME_MAX)
		return;
	if (a->count < DNS_MX_MAX) {
		worst = &a->mx[a->count++];
	} else {
		for (unsigned i = 1; i < a->count; i++) {
			if (a->mx[i].pref > worst->pref)
				worst = &a->mx[i];
		}
		if (worst->pref <= pref)
			return;
	}
	worst->pref = pref;
	snprintf(worst->name, sizeof worst->name, "%s", name);
}

/* Behind a name of a message; NULL: it does not end in it. */
static const unsigned char *skip_name(const unsigned char *at, const unsigned char *end)
{
	while (at < end && *at != 0 && *at < 0xc0)
		at += *at + 1;
	if (at >= end)
		return NULL;
	return at + (*at == 0 ? 1 : 2);
}

/* The least TTL of the answers, which c-ares has found whole, but does not tell. RFC 1035 4.1. */
static int least_ttl(const unsigned char *reply, int len)
{
	enum { HEADER = 12, RECORD = 10 };
	const unsigned char *at = reply + HEADER, *end = reply + len;
	uint32_t least = TTL_MAX_S, ttl;
	unsigned answers;

	if (len < HEADER || (at = skip_name(at, end)) == NULL)
		return 0;
	at += 4;
	for (answers = (unsigned)reply[6] << 8 | reply[7]; answers > 0; answers--) {
		if (at >= end || (at = skip_name(at, end)) == NULL || end - at < RECORD)
			return 0;
		ttl = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7];
		if (ttl < least)
			least = ttl;
		at += RECORD + ((unsigned)at[8] << 8 | at[9]);
	}
	return (int)least;
}

static void mx_answered(void *arg, int ares, int timeouts, unsigned char *reply, int len)
{
	struct answer *a = arg;
	struct ares_mx_reply *found = NULL;

	(void)timeouts;
	if (ares == ARES_SUCCESS)
		ares = ares_parse_mx_reply(reply, len, &found);
	if (found != NULL) {
		a->mx = mem_array(DNS_MX_MAX, sizeof a->mx[0]);
		for (struct ares_mx_reply *mx = found; mx != NULL; mx = mx->next)
			add_mx(a, mx->priority, mx->host);
		a->mx = mem_resize(a->mx, a->count + 1, sizeof a->mx[0]); /* most have one or two */
		ares_free_data(found);
	}
	answered(a, ares, ares == ARES_SUCCESS ? least_ttl(reply, len) : 0);
}

/* --- asking -------------------------------------------------------------------------------- */

static void put_address(struct answer *a, const struct addr *addr)
{
	a->addrs = mem_array(1, sizeof *addr);
	a->addrs[0] = *addr;
	a->count = 1;
	answered(a, ARES_SUCCESS, TTL_MAX_S);
}

static void ask(struct answer *a, const char *name)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
						   .ai_socktype = SOCK_STREAM };
	struct addr addr;

	if (a->is_mx)
		ares_query(a->dns->channel, name, ns_c_in, ns_t_mx, mx_answered, a);
	else if (addr_parse(slice_of(name), &addr) == NULL)
		put_address(a, &addr);
	else
		ares_getaddrinfo(a->dns->channel, name, NULL, &hints, addrs_answered, a);
	set_retry(a->dns);
}

static struct dns_query *look_up(struct dns *dns, const char *name, bool is_mx,
				 const struct dns_query *as)
{
	struct dns_query *q = mem_new(sizeof *q);
	char *key = mem_printf("%c%s", is_mx ? 'M' : 'A', name);
	struct answer *a;

	for (char *c = key + 1; *c != '\0'; c++)
		*c = ascii_lower(*c);
	a = answer_find(dns, key);
	*q = *as;
	q->answer = a != NULL ? a : answer_new(dns, key, is_mx);
	timer_init(&q->tell, dns->loop, tell, q);
	LIST_INSERT_HEAD(&q->answer->queries, q, next);
	if (a == NULL)
		ask(q->answer, name);
	else if (!a->asking)
		timer_set(&q->tell, 0);
	free(key);
	return q;
}

struct dns_query *dns_addrs(struct dns *dns, const char *name, dns_addrs_said *said, void *owner)
{
	return look_up(dns, name, false, &(struct dns_query){ .addrs_said = said, .owner = owner });
}

struct dns_query *dns_mx(struct dns *dns, const char *name, dns_mx_said *said, void *owner)
{
	return look_up(dns, name, true, &(struct dns_query){ .mx_said = said, .owner = owner });
}
