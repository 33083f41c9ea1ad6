/*
 * link - one SMTP connection to a next hop: what is said goes out, and one whole reply at a time
 * comes back. Private to this room.
 *
 * It belongs to the pool, which makes and frees it (pool.h); one at a time uses it and hears of it.
 * Nothing is said on it before the last answer is in. What the next hop says before it was asked
 * cannot be the answer to what is said next: it ends the connection, and so does what is not SMTP.
 * The reply that came before it stands.
 */
#ifndef RELAY_LINK_H
#define RELAY_LINK_H

#include "net/stream.h"
#include "relay/offer.h"
#include "smtp/reply.h"

enum link_news {
	LINK_CONNECTED,
	LINK_REPLY,	/* in heard; where spoilt is set, it is the last one */
	LINK_SECURED,	/* there is TLS on it */
	LINK_DRAINED,	/* room for more output, as STREAM_DRAINED */
	LINK_LOST,	/* of no more use; spoilt says why */
};

typedef void link_hear(void *owner, enum link_news news);

struct pool_place;

struct link {
	TAILQ_ENTRY(link) next; /* the pool's */
	struct pool_place *place; /* the pool's */
	struct burial burial;
	struct stream stream;
	struct timer timer;
	link_hear *hear;
	void *owner;
	bool expecting;		/* a reply is due */
	struct reply_reader reader;
	struct reply heard;
	const char *spoilt;	/* why the connection ends here; NULL: it does not */

	/* What its users know of it. */
	struct offer offer;
	char *name;		/* whom TLS has found it to be; NULL: nobody asked */
	char *announced;	/* the client that the next hop was told of; NULL: none */
	uint64_t session;	/* who used it last */
	bool in_mail;		/* the next hop holds a transaction: RSET before the next */
	unsigned uses;		/* transactions, this one included */

	/* The pool's. */
	bool probe;		/* dialled to see whether its next hop is there again */
	bool excused;		/* whatever fails now, the next hop is there */
	uint64_t since_ms;	/* it rests, or is kept, since then */
	void (*yield)(void *owner); /* not NULL: it rests, and can be taken away */
};

struct link *link_new(struct loop *loop, link_hear *hear, void *owner);
/* Closes at once, QUIT before it where that makes sense; freed at the end of the turn. */
void link_free(struct link *l, struct loop *loop);

/* CONNECTED or LOST comes. false: spoilt says why not. */
bool link_connect(struct link *l, struct loop *loop, const struct endpoint *to, uint64_t within_ms)
	__attribute__((warn_unused_result));
/* The handshake; SECURED or LOST comes. What the peer said behind its last reply was its end. */
void link_secure(struct link *l, struct tls_context *ctx, const char *name, uint64_t within_ms);
/* A whole command but for its CRLF. A reply, or LOST, comes within that time. */
void link_say(struct link *l, uint64_t within_ms, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what was written to the stream already, or the greeting. */
void link_expect(struct link *l, uint64_t within_ms);
/* The first digit of what was heard. */
static inline unsigned link_class(const struct link *l)
{
	return l->heard.code / 100;
}

#endif
