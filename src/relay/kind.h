/*
 * kind - what relay.c knows of the two kinds of next hop, and what both begin with. Private to this
 * room.
 */
#ifndef RELAY_KIND_H
#define RELAY_KIND_H

#include "relay/relay.h"

struct relay_kind {
	enum relay_step (*mail)(struct relay *r, const struct mail_command *mail);
	enum relay_step (*rcpt)(struct relay *r, const struct path *to);
	enum relay_step (*message)(struct relay *r, struct message *m);
	void (*free)(struct relay *r); /* when no event of this turn can still hold it, or later */
};

/* The first member of either. What it points to is borrowed, but for peer. */
struct relay {
	const struct relay_kind *kind;
	const struct relay_world *world;
	const struct route *route;
	const struct relay_client *client;
	uint64_t session;
	struct reply *reply;
	relay_said *said;
	void *owner;
	char *peer;
};

/* begun: all but kind. */
struct relay *relay_smtp_new(const struct relay *begun);
struct relay *relay_maildir_new(const struct relay *begun);

#endif
