/*
 * relay - one transaction's way to its next hop: an SMTP client, or a Maildir.
 *
 * The session passes on command by command (T3) and answers with what it hears. Every call is
 * answered DONE with the reply filled in, or WAIT: then said() comes from the loop, once, with it
 * filled in, never from inside the call. One call at a time.
 *
 * A next hop that can't be reached, or dies, answers 451 4.4.1 or 451 4.4.2; never 2xx. Its 4xx and
 * 5xx are passed on as they are, but for 421, which is about its own connection: 451. After the
 * message was handed over (relay_message) nothing but the next hop's own 2xx to the final dot, or
 * the Maildir's rename made durable, gives a 2xx.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "net/dns.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "relay/message.h"
#include "relay/route.h"
#include "smtp/reply.h"
#include "smtp/syntax.h"

/* What relays of one worker share. Borrowed by all of them. */
struct relay_world {
	struct loop *loop;
	struct dns *dns;
	struct jobs *jobs;
	const char *hostname; /* for EHLO and file names */
	struct pool *pool;    /* relay/pool.h */
};

/* Who sends, for next hops that want to be told (XCLIENT, PROXY). Slices are empty where it is not
 * known, or was not said. */
struct relay_client {
	struct addr peer;
	struct addr local; /* where it came in; ADDR_NONE: not by IP */
	uint16_t peer_port;
	uint16_t local_port;
	struct slice name;
	struct slice helo;
	struct slice login; /* what a trusted proxy says it has logged in as */
	bool extended;
};

/*
 * RFC 5321 4.5.3.2, in ms; variables so that a test need not wait five minutes. `reach` is for all
 * that comes before MAIL, over all addresses: the client waits five minutes for our answer to its.
 */
struct relay_timeouts {
	uint32_t reach, connect, greeting, helo, mail, rcpt, data, block, dot;
};
extern struct relay_timeouts relay_timeouts;

struct relay;
enum relay_step { RELAY_DONE, RELAY_WAIT };
typedef void relay_said(void *owner);

/* Dials nothing yet. A route whose first hop is a Maildir is that Maildir, alone. session is for
 * the log, and what a kept connection is known by. client and reply belong to the caller and
 * outlive the relay. */
struct relay *relay_new(const struct relay_world *world, const struct route *route,
			const struct relay_client *client, uint64_t session,
			struct reply *reply, relay_said *said, void *owner);
/* At any time: cancels what is under way; where nothing is, the connection may be kept for the next
 * transaction. No said() after it. */
void relay_free(struct relay *r);

/* Once. Takes a connection, kept or dialled, and sends MAIL. Refuses what the next hop lacks
 * (T12): 555 5.6.3, 553 5.6.7, 552 5.3.4. */
enum relay_step relay_mail(struct relay *r, const struct mail_command *mail);
enum relay_step relay_rcpt(struct relay *r, const struct path *to);
/* DATA, the message, the dot. The relay takes a reference to m. */
enum relay_step relay_message(struct relay *r, struct message *m);

/* "mail.example.org[192.0.2.1]:25", "maildir:/var/mail/in", for logs. Borrowed. */
const char *relay_peer(const struct relay *r);

#endif
