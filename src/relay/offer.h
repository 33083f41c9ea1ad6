/*
 * offer - what a next hop's answer to EHLO offers (RFC 5321 4.1.1.1), and what a message needs of
 * it (T12). Private to this room; a value.
 */
#ifndef RELAY_OFFER_H
#define RELAY_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "smtp/reply.h"
#include "smtp/syntax.h"

enum feature {
	FEATURE_SIZE = 1,
	FEATURE_8BITMIME = 2,
	FEATURE_SMTPUTF8 = 4,
	FEATURE_STARTTLS = 8,
	FEATURE_XCLIENT = 16,
};

struct offer {
	unsigned features; /* enum feature; 0: it knows HELO only */
	unsigned xclient;  /* bits of the attributes that XCLIENT takes: announce.h */
	uint64_t size_max; /* of SIZE; 0: it does not say */
};

/* ehlo: the whole text of the reply, the first line of which is a name. */
struct offer offer_read(const char *ehlo);

/* True: the message needs what the next hop has not, and the refusal is in reply. */
bool offer_lacks(const struct offer *o, const struct path *from, const struct mail_params *params,
		 struct reply *reply);

#endif
