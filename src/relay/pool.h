/*
 * pool - the connections of one worker to its next hops, and what it remembers of each next hop:
 * whether it is there, and what it offers. Private to this room, but for its birth and death.
 *
 * A next hop is an address and port, and the manner in which it is treated. Its connections are in
 * use by one transaction each, or kept for the next. Whoever asks gets a kept one, or may dial, or
 * waits for its turn, in order; a next hop that could not be reached is left alone for a while that
 * doubles, then one transaction tries it again.
 */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include "net/endpoint.h"
#include "relay/link.h"
#include "relay/route.h"

struct pool;

struct pool *pool_new(struct loop *loop);
void pool_free(struct pool *pool); /* nobody uses or waits for any link; the kept ones end here */

enum pool_answer {
	POOL_KEPT, /* a link used before: the next hop is greeted, and may hold a transaction */
	POOL_DIAL, /* a link that is not connected yet */
	POOL_DOWN, /* the next hop is being left alone */
	POOL_WAIT, /* all its connections are in use: who waits is told, with another answer */
};

/* A question, which is part of who asks. It fills in what is not private. */
struct pool_ask {
	TAILQ_ENTRY(pool_ask) next; /* private */
	struct pool_place *waits_at; /* private; NULL: it does not wait */
	uint64_t session;
	bool own;   /* only a kept link that this session used is of use */
	bool fresh; /* none that was kept is */
	bool waits; /* for its turn */
	void (*said)(void *owner, enum pool_answer answer, struct link *link); /* from the loop */
	void *owner;
};

/* KEPT and DIAL fill *link_out, which is the asker's until it is kept or dropped. */
enum pool_answer pool_take(struct pool *pool, const struct endpoint *to,
			   const struct hop_manner *manner, struct pool_ask *ask,
			   struct link **link_out);
void pool_forget(struct pool_ask *ask); /* it waits no more; harmless if it did not */

/* What the next hop offered lately; NULL: not known, or it is left alone. Borrowed until the loop's
 * next turn. */
const struct offer *pool_offer(struct pool *pool, const struct endpoint *to,
			       const struct hop_manner *manner);

void pool_reached(struct link *l); /* it was dialled, and said what it offers */
void pool_failed(struct link *l, const char *why); /* it was dialled, in vain; it is dropped */
void pool_keep(struct link *l);	   /* the transaction is over; kept if that is allowed */
void pool_drop(struct link *l);

/*
 * Its transaction waits for the client. After a while, and if somebody else wants a connection,
 * yield takes it away: the link was kept by then, and its owner has none. Until pool_works.
 */
void pool_rests(struct link *l, void (*yield)(void *owner));
void pool_works(struct link *l);

/* A next hop that was lately asked for, as it is now; for people. */
struct pool_state {
	struct addr addr;
	uint16_t port;
	unsigned used, kept, waiting; /* connections, and transactions that have none */
	uint64_t alone_ms;	      /* it is left alone for so much longer */
	uint64_t failed_wall_ms;      /* 0: it never did */
	char failure[120];
};
void pool_describe(const struct pool *pool, void (*visit)(void *arg, const struct pool_state *s),
		   void *arg);

#endif
