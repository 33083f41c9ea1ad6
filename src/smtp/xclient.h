/*
 * xclient - what XCLIENT says of somebody else's client (Postfix's XCLIENT_README), and the
 * attribute=value pairs that it and XSETCONTEXT are made of. Pure.
 */
#ifndef SMTP_XCLIENT_H
#define SMTP_XCLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "smtp/smtp.h"
#include "smtp/syntax.h"

#define XCLIENT_ATTRIBUTES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

/* What was not said, or is "[UNAVAILABLE]" or "[TEMPUNAVAIL]", is empty. */
struct xclient {
	struct addr addr; /* ADDR_NONE: not said */
	struct addr dest_addr;
	uint16_t port; /* 0: not said */
	uint16_t dest_port;
	bool is_esmtp;
	char name[SMTP_DOMAIN_MAX + 1]; /* a domain */
	char helo[SMTP_DOMAIN_MAX + 1];	/* the name said in it, as syntax_helo() takes it */
	char login[SMTP_DOMAIN_MAX + 1]; /* text without controls */
};

/* The args of the command; the last of several values for one attribute holds. *out is whole only
 * when NULL comes back. */
syntax_fault xclient_parse(struct slice args, struct xclient *out);

/* Takes the first "name=xtext" of *args, which is not empty. The value takes the place of what was
 * in value_out. */
syntax_fault attribute_take(struct slice *args, struct slice *name_out, struct buf *value_out);

/* "192.0.2.1", "IPV6:2001:db8::1", "2001:db8::1"; nothing else that is an address elsewhere. */
bool xclient_addr(struct slice text, struct addr *out);

#endif
