#include "relay/relay.h"

#include <stdlib.h>

#include "base/mem.h"
#include "relay/kind.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

struct relay_timeouts relay_timeouts = {
	.reach = 4 * MINUTE,
	.connect = 30 * SECOND,
	.greeting = 5 * MINUTE,
	.helo = 5 * MINUTE,
	.mail = 5 * MINUTE,
	.rcpt = 5 * MINUTE,
	.data = 2 * MINUTE,
	.block = 3 * MINUTE,
	.dot = 10 * MINUTE,
};

static char *first_peer(const struct hop *hop)
{
	char text[ADDR_PORT_TEXT_MAX];

	switch (hop->kind) {
	case HOP_HOST:
		return mem_printf("%s:%u", hop->name, hop->port);
	case HOP_ADDR:
		return mem_strdup(addr_port_print(&hop->addr, hop->port, text));
	case HOP_MAILDIR:
		break;
	}
	return mem_printf("maildir:%s", hop->name);
}

struct relay *relay_new(const struct relay_world *world, const struct route *route,
			const struct relay_client *client, uint64_t session, struct reply *reply,
			relay_said *said, void *owner)
{
	const struct relay begun = { .world = world, .route = route, .client = client,
				     .session = session, .reply = reply, .said = said,
				     .owner = owner, .peer = first_peer(&route->hops[0]) };

	return route->hops[0].kind == HOP_MAILDIR ? relay_maildir_new(&begun)
						  : relay_smtp_new(&begun);
}

void relay_free(struct relay *r)
{
	if (r != NULL)
		r->kind->free(r);
}

enum relay_step relay_mail(struct relay *r, const struct mail_command *mail)
{
	return r->kind->mail(r, mail);
}

enum relay_step relay_rcpt(struct relay *r, const struct path *to)
{
	return r->kind->rcpt(r, to);
}

enum relay_step relay_message(struct relay *r, struct message *m)
{
	return r->kind->message(r, m);
}

const char *relay_peer(const struct relay *r)
{
	return r->peer;
}
