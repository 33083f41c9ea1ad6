#include "relay/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	SWEEP_MS = 500,		  /* how often it is looked what has been kept for too long */
	CROWDED_MS = 100,	  /* the same, while somebody waits */
	OFFER_MS = 5 * 60 * 1000, /* what a next hop offers is believed for so long */
	FIRST_DELAY_MS = 1000,	  /* it is left alone, after the first failure */
	REST_MS = 200,		  /* a client may take so long, even if others wait */
};

/* Hashed as it lies in memory: zeroed first. */
struct place_key {
	uint64_t hi, lo;
	uintptr_t tls;
	uint32_t family;
	uint16_t port;
	uint8_t xclient, proxy; /* tls_must is the context's */
};

/* Links are in use, or kept, the latest first. */
TAILQ_HEAD(links, link);

struct pool_place {
	UT_hash_handle hh;
	struct place_key key;
	struct pool *pool;
	struct hop_manner manner; /* as last asked for: a reload may change its numbers */
	unsigned open;
	struct links used, kept;
	TAILQ_HEAD(, pool_ask) asks;
	struct timer serve;
	uint64_t asked_ms;

	uint32_t delay_ms;  /* 0: it is there, as far as we know */
	uint64_t alone_until_ms;
	bool probing;
	uint64_t failed_wall_ms; /* 0: never */
	char failure[sizeof ((struct pool_state *)0)->failure];
	struct offer offer;
	uint64_t offer_until_ms;
};

struct pool {
	struct loop *loop;
	struct pool_place *places;
	struct timer sweep;
};

/* --- links --------------------------------------------------------------------------------- */

/* What is kept is asked nothing: whatever it says, it is over. */
static void kept_heard(void *owner, enum link_news news)
{
	if (news != LINK_DRAINED)
		pool_drop(owner);
}

static void unlist(struct link *l)
{
	struct pool_place *at = l->place;

	pool_works(l);
	if (l->hear == kept_heard)
		TAILQ_REMOVE(&at->kept, l, next);
	else
		TAILQ_REMOVE(&at->used, l, next);
}

/* To whom it is given says who hears of it. */
static void give(struct link *l, const struct pool_ask *ask)
{
	l->hear = NULL;
	l->session = ask->session;
	TAILQ_INSERT_HEAD(&l->place->used, l, next);
}

static void serve_soon(struct pool_place *at)
{
	if (!TAILQ_EMPTY(&at->asks))
		timer_set(&at->serve, 0);
}

void pool_drop(struct link *l)
{
	struct pool_place *at = l->place;

	unlist(l);
	at->open--;
	if (l->probe)
		at->probing = false;
	link_free(l, at->pool->loop);
	serve_soon(at);
}

void pool_keep(struct link *l)
{
	struct pool_place *at = l->place;
	const struct hop_manner *m = &at->manner;

	if (l->spoilt != NULL || l->expecting || m->idle_ms == 0 ||
	    (m->uses_max != 0 && l->uses >= m->uses_max)) {
		pool_drop(l);
		return;
	}
	unlist(l);
	l->hear = kept_heard;
	l->owner = l;
	l->since_ms = clock_ms();
	TAILQ_INSERT_HEAD(&at->kept, l, next);
	serve_soon(at);
}

void pool_rests(struct link *l, void (*yield)(void *owner))
{
	l->yield = yield;
	l->since_ms = clock_ms();
}

void pool_works(struct link *l)
{
	l->yield = NULL;
}

/* --- health -------------------------------------------------------------------------------- */

static bool left_alone(const struct pool_place *at)
{
	return at->delay_ms != 0 && (at->probing || clock_ms() < at->alone_until_ms);
}

/* Several dials that fail together count once. Once it was reached, what fails is about the client:
 * nobody may have it left alone by what he says of himself. */
void pool_failed(struct link *l, const char *why)
{
	struct pool_place *at = l->place;
	uint32_t most = at->manner.retry_ms;

	at->failed_wall_ms = clock_wall_ms();
	snprintf(at->failure, sizeof at->failure, "%s", why);
	if (most != 0 && !l->excused && (l->probe || at->delay_ms == 0)) {
		at->delay_ms = at->delay_ms == 0 ? FIRST_DELAY_MS : at->delay_ms * 2;
		if (at->delay_ms > most)
			at->delay_ms = most;
		at->alone_until_ms = clock_ms() + at->delay_ms;
	}
	pool_drop(l);
}

void pool_reached(struct link *l)
{
	struct pool_place *at = l->place;

	at->delay_ms = 0;
	at->probing = l->probe = false;
	l->excused = true;
	at->offer = l->offer;
	at->offer_until_ms = clock_ms() + OFFER_MS;
}

/* --- places -------------------------------------------------------------------------------- */

static struct place_key key_of(const struct endpoint *to, const struct hop_manner *m)
{
	struct place_key key;

	memset(&key, 0, sizeof key);
	key.hi = to->addr.hi;
	key.lo = to->addr.lo;
	key.family = to->addr.family;
	key.port = to->port;
	key.tls = (uintptr_t)m->tls;
	key.xclient = m->xclient;
	key.proxy = m->proxy;
	return key;
}

static struct pool_place *place_find(struct pool *pool, const struct place_key *key)
{
	struct pool_place *at;

	HASH_FIND(hh, pool->places, key, sizeof *key, at);
	return at;
}

static void serve(void *arg);

static struct pool_place *place_new(struct pool *pool, const struct place_key *key)
{
	struct pool_place *at = mem_new(sizeof *at);

	at->pool = pool;
	at->key = *key;
	TAILQ_INIT(&at->used);
	TAILQ_INIT(&at->kept);
	TAILQ_INIT(&at->asks);
	timer_init(&at->serve, pool->loop, serve, at);
	HASH_ADD(hh, pool->places, key, sizeof at->key, at);
	if (!timer_is_set(&pool->sweep))
		timer_set(&pool->sweep, SWEEP_MS);
	return at;
}

static void place_free(struct pool_place *at)
{
	HASH_DELETE(hh, at->pool->places, at);
	timer_stop(&at->serve);
	free(at);
}

const struct offer *pool_offer(struct pool *pool, const struct endpoint *to,
			       const struct hop_manner *manner)
{
	const struct place_key key = key_of(to, manner);
	const struct pool_place *at = place_find(pool, &key);

	if (at == NULL || left_alone(at) || clock_ms() >= at->offer_until_ms)
		return NULL;
	return &at->offer;
}

/* --- taking -------------------------------------------------------------------------------- */

/* One that this session used needs no announcing of its client; of others the latest is likeliest
 * to live. */
static struct link *pick(struct pool_place *at, const struct pool_ask *ask)
{
	struct link *l;

	if (ask->fresh)
		return NULL;
	TAILQ_FOREACH (l, &at->kept, next) {
		if (l->session == ask->session)
			return l;
	}
	return ask->own ? NULL : TAILQ_FIRST(&at->kept);
}

static enum pool_answer dial(struct pool_place *at, const struct pool_ask *ask,
			     struct link **link_out)
{
	const unsigned most = at->manner.connections_max;
	struct link *l;

	if (left_alone(at))
		return POOL_DOWN;
	if (most != 0 && at->open >= most) {
		if (TAILQ_EMPTY(&at->kept))
			return POOL_WAIT;
		pool_drop(TAILQ_LAST(&at->kept, links)); /* it is of no use to who is here now */
	}
	*link_out = l = link_new(at->pool->loop, NULL, NULL);
	l->place = at;
	l->probe = at->probing = at->delay_ms != 0;
	at->open++;
	give(l, ask);
	return POOL_DIAL;
}

static enum pool_answer take(struct pool_place *at, const struct pool_ask *ask,
			     struct link **link_out)
{
	struct link *l = pick(at, ask);

	if (l == NULL)
		return dial(at, ask, link_out);
	unlist(l);
	give(l, ask);
	*link_out = l;
	return POOL_KEPT;
}

/* Those who wait, in order, as far as it goes. */
static void serve(void *arg)
{
	struct pool_place *at = arg;
	enum pool_answer answer;
	struct pool_ask *ask;
	struct link *link;

	while ((ask = TAILQ_FIRST(&at->asks)) != NULL) {
		link = NULL;
		answer = take(at, ask, &link);
		if (answer == POOL_WAIT)
			return;
		pool_forget(ask);
		ask->said(ask->owner, answer, link);
	}
}

enum pool_answer pool_take(struct pool *pool, const struct endpoint *to,
			   const struct hop_manner *manner, struct pool_ask *ask,
			   struct link **link_out)
{
	const struct place_key key = key_of(to, manner);
	struct pool_place *at = place_find(pool, &key);
	enum pool_answer answer = POOL_WAIT;

	if (at == NULL)
		at = place_new(pool, &key);
	at->manner = *manner;
	at->asked_ms = clock_ms();
	if (TAILQ_EMPTY(&at->asks))
		answer = take(at, ask, link_out);
	if (answer == POOL_WAIT && ask->waits) {
		if (TAILQ_EMPTY(&at->asks))
			timer_set(&pool->sweep, CROWDED_MS);
		TAILQ_INSERT_TAIL(&at->asks, ask, next);
		ask->waits_at = at;
	}
	return answer;
}

void pool_forget(struct pool_ask *ask)
{
	if (ask->waits_at != NULL)
		TAILQ_REMOVE(&ask->waits_at->asks, ask, next);
	ask->waits_at = NULL;
}

/* --- telling ------------------------------------------------------------------------------- */

static unsigned links_count(const struct links *links)
{
	const struct link *l;
	unsigned n = 0;

	TAILQ_FOREACH (l, links, next)
		n++;
	return n;
}

static void describe(const struct pool_place *at, uint64_t now, struct pool_state *out)
{
	const struct pool_ask *ask;

	*out = (struct pool_state){
		.addr = { at->key.hi, at->key.lo, (uint8_t)at->key.family },
		.port = at->key.port,
		.used = links_count(&at->used),
		.kept = links_count(&at->kept),
		.failed_wall_ms = at->failed_wall_ms,
	};
	if (at->delay_ms != 0 && at->alone_until_ms > now)
		out->alone_ms = at->alone_until_ms - now;
	TAILQ_FOREACH (ask, &at->asks, next)
		out->waiting++;
	memcpy(out->failure, at->failure, sizeof out->failure);
}

void pool_describe(const struct pool *pool, void (*visit)(void *arg, const struct pool_state *s),
		   void *arg)
{
	const uint64_t now = clock_ms();
	struct pool_state state;

	for (const struct pool_place *at = pool->places; at != NULL; at = at->hh.next) {
		describe(at, now, &state);
		visit(arg, &state);
	}
}

/* --- sweeping ------------------------------------------------------------------------------ */

static void drop_old(struct pool_place *at, uint64_t now)
{
	struct link *l;

	while ((l = TAILQ_LAST(&at->kept, links)) != NULL &&
	       now - l->since_ms >= at->manner.idle_ms)
		pool_drop(l);
}

/* One for each who waits, of those whose clients are silent: the oldest first. */
static void make_room(struct pool_place *at, uint64_t now)
{
	struct link *l, *before;
	struct pool_ask *ask = TAILQ_FIRST(&at->asks);

	for (l = TAILQ_LAST(&at->used, links); l != NULL && ask != NULL; l = before) {
		void (*yield)(void *) = l->yield;
		void *owner = l->owner;

		before = TAILQ_PREV(l, links, next);
		if (yield == NULL || now - l->since_ms < REST_MS)
			continue;
		ask = TAILQ_NEXT(ask, next);
		pool_keep(l);
		yield(owner);
	}
}

static void sweep(void *arg)
{
	struct pool *pool = arg;
	uint64_t now = clock_ms();
	struct pool_place *at, *next;
	bool crowded = false;

	HASH_ITER (hh, pool->places, at, next) {
		drop_old(at, now);
		make_room(at, now);
		crowded |= !TAILQ_EMPTY(&at->asks);
		if (at->open == 0 && TAILQ_EMPTY(&at->asks) && now - at->asked_ms >= OFFER_MS)
			place_free(at);
	}
	if (pool->places != NULL)
		timer_set(&pool->sweep, crowded ? CROWDED_MS : SWEEP_MS);
}

struct pool *pool_new(struct loop *loop)
{
	struct pool *pool = mem_new(sizeof *pool);

	pool->loop = loop;
	timer_init(&pool->sweep, loop, sweep, pool);
	return pool;
}

void pool_free(struct pool *pool)
{
	struct pool_place *at, *next;

	if (pool == NULL)
		return;
	timer_stop(&pool->sweep);
	HASH_ITER (hh, pool->places, at, next) {
		CHECK(TAILQ_EMPTY(&at->used) && TAILQ_EMPTY(&at->asks));
		while (!TAILQ_EMPTY(&at->kept))
			pool_drop(TAILQ_FIRST(&at->kept));
		place_free(at);
	}
	free(pool);
}
