/*
 * addr - a network address, and a block of them, as values.
 *
 * IPv4 and IPv6 share one shape: 128 bits, most significant first, in two host-order words. IPv4
 * sits in the top 32 bits of hi. So a prefix of length n is the top n bits in either family, and
 * nothing below the address layer asks which family it has.
 *
 * An IPv4-mapped IPv6 address is the IPv4 address (D105); a Unix-socket peer is 127.0.0.1 (D51).
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint64_t hi;
	uint64_t lo;
	uint8_t family; /* enum addr_family; ADDR_NONE: no address */
};

struct cidr {
	struct addr addr; /* bits below len are zero */
	uint8_t len;	  /* 0..addr_bits() */
};

enum { ADDR_TEXT_MAX = 46, CIDR_TEXT_MAX = 50, ADDR_PORT_TEXT_MAX = 56 };

static inline unsigned addr_bits(const struct addr *a)
{
	return a->family == ADDR_V4 ? 32 : 128;
}

bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b); /* IPv4 first, then by value */

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "localhost". NULL, or what is wrong with it. */
const char *addr_parse(struct slice text, struct addr *out) __attribute__((warn_unused_result));
/* The first two forms only, which are those of protocols. */
const char *addr_parse_bare(struct slice text, struct addr *out)
	__attribute__((warn_unused_result));
/* The same, or "ADDR/LEN". Bits below LEN are cleared; no LEN is the full length. */
const char *cidr_parse(struct slice text, struct cidr *out) __attribute__((warn_unused_result));

const char *addr_print(const struct addr *a, char out[ADDR_TEXT_MAX]);		    /* bare */
const char *cidr_print(const struct cidr *c, char out[CIDR_TEXT_MAX]);		    /* ADDR/LEN */
const char *addr_port_print(const struct addr *a, uint16_t port, char out[ADDR_PORT_TEXT_MAX]);
				      /* a.b.c.d:port, [v6]:port */

/* len is cut to what the family has. */
struct cidr cidr_of(const struct addr *a, unsigned len);
struct addr cidr_last(const struct cidr *block); /* the highest address in it */
bool cidr_contains(const struct cidr *block, const struct addr *a);
bool cidr_equal(const struct cidr *a, const struct cidr *b);

/* port_out may be NULL. A family that is neither IP nor Unix gives ADDR_NONE. */
void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port_out);
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);

#endif
