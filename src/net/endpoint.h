/*
 * endpoint - where to listen or to connect, as configuration writes it (4.3, T5, T9).
 *
 *   "*:25" ":25"  any IPv4 address       "192.0.2.1:25"  one IPv4 address
 *   "[*]:25"      any IPv6 address       "[2001:db8::1]:25"  one IPv6 address
 *   "/run/x.sock" (anything with a '/')  a Unix socket
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/addr.h"

struct endpoint {
	struct addr addr; /* ADDR_NONE: a Unix socket */
	uint16_t port;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* NULL, or what is wrong and what was expected: a bare IPv6 is told to write [..]. A relative path
 * stays relative: the caller makes it absolute first. */
const char *endpoint_parse(struct slice text, struct endpoint *out)
	__attribute__((warn_unused_result));
bool endpoint_is_unix(const struct endpoint *e);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);

enum { ENDPOINT_TEXT_MAX = 120 };
const char *endpoint_print(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX]);

#endif
