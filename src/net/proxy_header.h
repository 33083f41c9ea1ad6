/*
 * proxy_header - the line or block that a balancer puts before what a client says, so that we know
 * whose connection it carries: the PROXY protocol, version 1 (text) and 2 (binary), as HAProxy's
 * proxy-protocol.txt defines it. Pure: no state, no I/O.
 *
 * Whoever may connect can write one: believe it only from those who may (Proxy_Hosts).
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"

enum {
	PROXY_V1_MAX = 107,	   /* with CRLF */
	PROXY_HEADER_MAX = 4096,   /* of version 2, with TLVs; a longer one is refused */
	PROXY_WRITTEN_MAX = 16 + 36,
};

struct proxy_header {
	size_t len;	  /* octets of it; what the client says follows */
	bool is_own;	  /* LOCAL, UNKNOWN, unspecified, Unix: the connection's addresses stand */
	struct addr from; /* the client */
	struct addr to;	  /* what it connected to */
	uint16_t from_port;
	uint16_t to_port;
};

enum proxy_step { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/*
 * bytes: all that came so far. MORE: it may become one. BAD: it can't any more, *why_out says why
 * (static). TLVs are passed over, but for a checksum (CRC32c), which must be right.
 */
enum proxy_step proxy_header_read(struct slice bytes, struct proxy_header *out,
				  const char **why_out);

/* Version 2. One IPv4 and one IPv6 address are both written as IPv6; no `to` (a Unix socket) as
 * zeros. The length. */
size_t proxy_header_write(const struct proxy_header *h, char out[PROXY_WRITTEN_MAX]);

#endif
