/*
 * announce - telling the next hop who the client is: XCLIENT where it is offered (Postfix's
 * XCLIENT_README), else the PROXY header, version 2. Private to this room.
 */
#ifndef RELAY_ANNOUNCE_H
#define RELAY_ANNOUNCE_H

#include "relay/relay.h"

/* Bits of the attributes in "NAME ADDR PROTO ..."; unknown ones are left out. */
unsigned announce_attributes(struct slice words);

/* "XCLIENT NAME=.. ADDR=..", of these attributes, without CRLF, within 1,280 octets. The caller's
 * to free. */
char *announce_xclient(const struct relay_client *client, unsigned attributes);

/* The name to greet with for this client: what it called itself, or ours. Borrowed. */
struct slice announce_helo(const struct relay_client *client, const char *hostname);

#endif
