#include "net/proxy_header.h"

#include <netinet/in.h>
#include <string.h>

static const struct slice v1_signature = { "PROXY ", 6 };
static const struct slice v2_signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

enum {
	FIXED = 16, /* of version 2, before the addresses */
	IS_V2 = 0x20,
	LOCAL = 0,
	PROXY = 1,
	UNSPEC = 0x00, /* family and transport in one octet */
	TCP4 = 0x11,
	TCP6 = 0x21,
	UNIX = 0x31,
	TLV_CRC32C = 0x03,
};

/* What has come of it so far is as it should be. */
static bool begins_with(struct slice bytes, struct slice signature)
{
	size_t len = bytes.len < signature.len ? bytes.len : signature.len;

	return memcmp(bytes.at, signature.at, len) == 0;
}

static enum proxy_step bad(const char **why_out, const char *why)
{
	*why_out = why;
	return PROXY_BAD;
}

/* --- version 1 ----------------------------------------------------------------------------- */

/* IPv4 in IPv6's clothes is IPv6 here. */
static bool read_text_addr(struct slice text, bool is_v6, struct addr *out)
{
	return is_v6 == slice_has(text, ':') && addr_parse_bare(text, out) == NULL;
}

static bool read_text_port(struct slice text, uint16_t *out)
{
	uint64_t port;

	if (!slice_number(text, UINT16_MAX, &port) || (text.len > 1 && text.at[0] == '0'))
		return false;
	*out = (uint16_t)port;
	return true;
}

static enum proxy_step read_v1(struct slice bytes, struct proxy_header *out, const char **why_out)
{
	size_t len = bytes.len < PROXY_V1_MAX ? bytes.len : PROXY_V1_MAX;
	const char *lf = memchr(bytes.at, '\n', len);
	struct slice rest, protocol, from, to, from_port, to_port;
	bool is_v6;

	if (lf == NULL)
		return len < PROXY_V1_MAX ? PROXY_MORE
					  : bad(why_out, "it has no end within 107 octets");
	out->len = (size_t)(lf - bytes.at) + 1;
	if (out->len < v1_signature.len + 2 || lf[-1] != '\r')
		return bad(why_out, "its line does not end in CRLF");
	rest = (struct slice){ bytes.at + v1_signature.len, out->len - 2 - v1_signature.len };
	protocol = slice_cut(rest, ' ', &rest);
	if (slice_equal(protocol, SLICE("UNKNOWN"))) {
		out->is_own = true; /* and what follows it means nothing */
		return PROXY_DONE;
	}
	is_v6 = slice_equal(protocol, SLICE("TCP6"));
	if (!is_v6 && !slice_equal(protocol, SLICE("TCP4")))
		return bad(why_out, "its protocol is not TCP4, TCP6 or UNKNOWN");
	from = slice_cut(rest, ' ', &rest);
	to = slice_cut(rest, ' ', &rest);
	from_port = slice_cut(rest, ' ', &to_port);
	if (!read_text_addr(from, is_v6, &out->from) || !read_text_addr(to, is_v6, &out->to))
		return bad(why_out, "an address is not one of its family");
	if (!read_text_port(from_port, &out->from_port) || !read_text_port(to_port, &out->to_port))
		return bad(why_out, "a port is not one");
	return PROXY_DONE;
}

/* --- version 2 ----------------------------------------------------------------------------- */

static unsigned read_16(const char *at)
{
	return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static void read_v4(const char *at, struct addr *out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	memcpy(&sa.sin_addr, at, 4);
	addr_from_sockaddr((struct sockaddr *)&sa, out, NULL);
}

static void read_v6(const char *at, struct addr *out)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };

	memcpy(&sa.sin6_addr, at, 16);
	addr_from_sockaddr((struct sockaddr *)&sa, out, NULL);
}

static const struct family {
	unsigned char code;
	unsigned char addr_size; /* 0: none of ours */
	unsigned char size;	 /* of addresses and ports */
	void (*read)(const char *at, struct addr *out);
} families[] = {
	{ UNSPEC, 0, 0, NULL },
	{ TCP4, 4, 12, read_v4 },
	{ TCP6, 16, 36, read_v6 },
	{ UNIX, 0, 216, NULL },
};

static const struct family *family_find(unsigned char code)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (families[i].code == code)
			return &families[i];
	return NULL;
}

/* Castagnoli's, bit by bit: headers are short, and few have one. */
static uint32_t crc32c(uint32_t crc, const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Of the header as if the checksum in it, at value, were zeros. */
static bool checksum_fits(struct slice header, const char *value)
{
	size_t before = (size_t)(value - header.at);
	uint32_t crc = crc32c(UINT32_MAX, header.at, before);

	crc = crc32c(crc, "\0\0\0\0", 4);
	crc = ~crc32c(crc, value + 4, header.len - before - 4);
	return crc == (read_16(value) << 16 | read_16(value + 2));
}

/* NULL, or what is wrong. */
static const char *check_tlvs(struct slice header, size_t at)
{
	bool summed = false;

	while (at < header.len) {
		size_t left = header.len - at, len;

		if (left < 3 || (len = read_16(header.at + at + 1)) > left - 3)
			return "a TLV does not end within it";
		if (header.at[at] == TLV_CRC32C) {
			if (len != 4 || summed)
				return "its checksum is not one";
			if (!checksum_fits(header, header.at + at + 3))
				return "its checksum is wrong";
			summed = true;
		}
		at += 3 + len;
	}
	return NULL;
}

static enum proxy_step read_v2(struct slice bytes, struct proxy_header *out, const char **why_out)
{
	const struct family *family;
	const char *addrs, *wrong;
	size_t size;

	if (bytes.len < FIXED)
		return PROXY_MORE;
	if (((unsigned char)bytes.at[12] & 0xf0) != IS_V2 || (bytes.at[12] & 0xf) > PROXY)
		return bad(why_out, "its version or command is unknown");
	size = read_16(bytes.at + 14);
	if (size > PROXY_HEADER_MAX - FIXED)
		return bad(why_out, "it is too long");
	family = family_find((unsigned char)bytes.at[13]);
	out->is_own = (bytes.at[12] & 0xf) == LOCAL || (family != NULL && family->code == UNSPEC);
	if (!out->is_own && family == NULL)
		return bad(why_out, "its family is not TCP over IPv4 or IPv6, nor a Unix stream");
	if (!out->is_own && size < family->size)
		return bad(why_out, "it is too short for its addresses");
	out->len = FIXED + size;
	if (bytes.len < out->len)
		return PROXY_MORE;
	if (out->is_own)
		return PROXY_DONE;
	wrong = check_tlvs((struct slice){ bytes.at, out->len }, FIXED + family->size);
	if (wrong != NULL)
		return bad(why_out, wrong);
	if (family->read == NULL) {
		out->is_own = true;
		return PROXY_DONE;
	}
	addrs = bytes.at + FIXED;
	family->read(addrs, &out->from);
	family->read(addrs + family->addr_size, &out->to);
	out->from_port = (uint16_t)read_16(addrs + 2 * family->addr_size);
	out->to_port = (uint16_t)read_16(addrs + 2 * family->addr_size + 2);
	return PROXY_DONE;
}

enum proxy_step proxy_header_read(struct slice bytes, struct proxy_header *out,
				  const char **why_out)
{
	*out = (struct proxy_header){ 0 };
	if (bytes.len == 0)
		return PROXY_MORE;
	if (begins_with(bytes, v2_signature))
		return read_v2(bytes, out, why_out);
	if (begins_with(bytes, v1_signature))
		return read_v1(bytes, out, why_out);
	return bad(why_out, "it does not begin as one");
}

/* --- writing ------------------------------------------------------------------------------- */

static char *write_number(char *at, uint64_t n, int octets)
{
	for (int i = octets; i-- > 0; n >>= 8)
		at[i] = (char)(n & 0xff);
	return at + octets;
}

static char *write_addr(char *at, const struct addr *a, bool as_v6)
{
	if (!as_v6)
		return write_number(at, a->hi >> 32, 4);
	if (a->family != ADDR_V4) {
		at = write_number(at, a->hi, 8);
		return write_number(at, a->lo, 8);
	}
	at = write_number(at, 0, 8);
	at = write_number(at, 0xffff, 4);
	return write_number(at, a->hi >> 32, 4);
}

size_t proxy_header_write(const struct proxy_header *h, char out[PROXY_WRITTEN_MAX])
{
	bool is_v6 = h->from.family == ADDR_V6 || h->to.family == ADDR_V6;
	const struct family *family = family_find(h->is_own ? UNSPEC : is_v6 ? TCP6 : TCP4);
	char *at = out;

	memcpy(at, v2_signature.at, v2_signature.len);
	at += v2_signature.len;
	*at++ = (char)(IS_V2 | (h->is_own ? LOCAL : PROXY));
	*at++ = (char)family->code;
	at = write_number(at, family->size, 2);
	if (h->is_own)
		return (size_t)(at - out);
	at = write_addr(at, &h->from, is_v6);
	at = write_addr(at, &h->to, is_v6);
	at = write_number(at, h->from_port, 2);
	at = write_number(at, h->to_port, 2);
	return (size_t)(at - out);
}
