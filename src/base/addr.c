#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

static const char not_an_address[] = "not an IPv4 or IPv6 address";

static uint64_t word_load(const uint8_t *at)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | at[i];
	return word;
}

static void word_store(uint8_t *at, uint64_t word)
{
	for (int i = 7; i >= 0; i--, word >>= 8)
		at[i] = (uint8_t)word;
}

static void from_v4(const struct in_addr *in, struct addr *out)
{
	*out = (struct addr){ (uint64_t)ntohl(in->s_addr) << 32, 0, ADDR_V4 };
}

static void from_v6(const struct in6_addr *in, struct addr *out)
{
	uint64_t hi = word_load(in->s6_addr), lo = word_load(in->s6_addr + 8);

	if (hi == 0 && lo >> 32 == 0xffff) /* D105 */
		*out = (struct addr){ lo << 32, 0, ADDR_V4 };
	else
		*out = (struct addr){ hi, lo, ADDR_V6 };
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->hi == b->hi && a->lo == b->lo && a->family == b->family;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return 0;
}

const char *addr_parse_bare(struct slice text, struct addr *out)
{
	char copy[ADDR_TEXT_MAX];
	struct in6_addr v6;
	struct in_addr v4;

	if (text.len == 0 || text.len >= sizeof copy || slice_has(text, '\0'))
		return not_an_address;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1)
		from_v4(&v4, out);
	else if (inet_pton(AF_INET6, copy, &v6) == 1)
		from_v6(&v6, out);
	else
		return not_an_address;
	return NULL;
}

const char *addr_parse(struct slice text, struct addr *out)
{
	if (slice_equal_nocase(text, SLICE("localhost"))) {
		*out = (struct addr){ (uint64_t)INADDR_LOOPBACK << 32, 0, ADDR_V4 };
		return NULL;
	}
	if (text.len >= 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		text = (struct slice){ text.at + 1, text.len - 2 };
	return addr_parse_bare(text, out);
}

const char *cidr_parse(struct slice text, struct cidr *out)
{
	struct slice len_text, addr_text = slice_cut(text, '/', &len_text);
	struct addr addr;
	uint64_t len;
	const char *wrong = addr_parse(addr_text, &addr);

	if (wrong != NULL)
		return wrong;
	if (addr_text.len == text.len) {
		*out = cidr_of(&addr, addr_bits(&addr));
		return NULL;
	}
	if (len_text.len > 3 || !slice_number(len_text, UINT64_MAX, &len))
		return "the mask after '/' is not a number";
	if (addr.family == ADDR_V4 && slice_has(addr_text, ':')) {
		if (len < 96 || len > 128) /* D105: ::ffff:192.0.2.0/120 is 192.0.2.0/24 */
			return "the mask of an IPv4-mapped block is 96 to 128";
		len -= 96;
	}
	if (len > addr_bits(&addr))
		return addr.family == ADDR_V4 ? "the mask of an IPv4 block is 0 to 32"
					      : "the mask of an IPv6 block is 0 to 128";
	*out = cidr_of(&addr, (unsigned)len);
	return NULL;
}

const char *addr_print(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	uint8_t bytes[16];

	if (a->family == ADDR_NONE) {
		snprintf(out, ADDR_TEXT_MAX, "none");
		return out;
	}
	word_store(bytes, a->hi);
	word_store(bytes + 8, a->lo);
	inet_ntop(a->family == ADDR_V4 ? AF_INET : AF_INET6, bytes, out, ADDR_TEXT_MAX);
	return out;
}

const char *cidr_print(const struct cidr *c, char out[CIDR_TEXT_MAX])
{
	size_t len;

	addr_print(&c->addr, out);
	len = strlen(out);
	snprintf(out + len, CIDR_TEXT_MAX - len, "/%u", c->len);
	return out;
}

const char *addr_port_print(const struct addr *a, uint16_t port, char out[ADDR_PORT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_print(a, text);
	snprintf(out, ADDR_PORT_TEXT_MAX, a->family == ADDR_V6 ? "[%s]:%u" : "%s:%u", text, port);
	return out;
}

static uint64_t top_bits(uint64_t word, unsigned len)
{
	return len == 0 ? 0 : len >= 64 ? word : word & ~(UINT64_MAX >> len);
}

struct cidr cidr_of(const struct addr *a, unsigned len)
{
	unsigned bits = addr_bits(a);
	struct cidr c;

	if (len > bits)
		len = bits;
	c.len = (uint8_t)len;
	c.addr.family = a->family;
	c.addr.hi = top_bits(a->hi, len);
	c.addr.lo = top_bits(a->lo, len > 64 ? len - 64 : 0);
	return c;
}

struct addr cidr_last(const struct cidr *block)
{
	struct addr last = block->addr;

	last.hi |= ~top_bits(UINT64_MAX, block->len);
	if (last.family == ADDR_V4)
		last.hi &= top_bits(UINT64_MAX, 32);
	else
		last.lo |= ~top_bits(UINT64_MAX, block->len > 64 ? block->len - 64 : 0);
	return last;
}

bool cidr_contains(const struct cidr *block, const struct addr *a)
{
	struct cidr other;

	if (block->addr.family != a->family)
		return false;
	other = cidr_of(a, block->len);
	return addr_equal(&other.addr, &block->addr);
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port_out)
{
	uint16_t port = 0;

	switch (sa->sa_family) {
	case AF_INET: {
		const struct sockaddr_in *in = (const void *)sa;

		from_v4(&in->sin_addr, out);
		port = ntohs(in->sin_port);
		break;
	}
	case AF_INET6: {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		from_v6(&in6->sin6_addr, out);
		port = ntohs(in6->sin6_port);
		break;
	}
	case AF_UNIX:
		*out = (struct addr){ (uint64_t)INADDR_LOOPBACK << 32, 0, ADDR_V4 }; /* D51 */
		break;
	default:
		*out = (struct addr){ 0 };
	}
	if (port_out != NULL)
		*port_out = port;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof *out);
	if (a->family == ADDR_V4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl((uint32_t)(a->hi >> 32));
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	word_store(in6->sin6_addr.s6_addr, a->hi);
	word_store(in6->sin6_addr.s6_addr + 8, a->lo);
	return sizeof *in6;
}
