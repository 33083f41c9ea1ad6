/* PROXY headers as balancers write them, and as somebody else might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/proxy_header.h"

#define TEXT(text) { text, sizeof(text) - 1 }
#define COUNT(array) (sizeof(array) / sizeof *(array))

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(command, family, length) SIGNATURE command family length
#define ADDRS4                                                                                     \
	"\xc0\x00\x02\x07\xc6\x33\x64\x09\x30\x39\x00\x19" /* 192.0.2.7:12345 to 198.51.100.9:25   \
							    */
#define ADDRS6                                                                                     \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\x30\x39\x00\x19"
#define MAPPED                                                                                     \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x09\x30\x39\x00\x19"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define PATHS HUNDRED HUNDRED TEN "012345" /* 216 octets */

static const char plain[] = "192.0.2.7:12345 198.51.100.9:25";
static const char plain6[] = "[2001:db8::7]:12345 [2001:db8::9]:25";

static const struct {
	const char *name;
	struct slice bytes;
	enum proxy_step want;
	const char *want_is; /* DONE: the addresses, or "own"; BAD: a word of the reason */
	size_t want_behind;  /* octets that are not of the header */
} cases[] = {
	{ "nothing yet", TEXT(""), PROXY_MORE, "", 0 },
	{ "v1", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 25\r\n"), PROXY_DONE, plain, 0 },
	{ "v1, and what the client says",
	  TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 25\r\nEHLO x\r\n"), PROXY_DONE, plain, 8 },
	{ "v1, IPv6", TEXT("PROXY TCP6 2001:db8::7 2001:DB8::9 12345 25\r\n"), PROXY_DONE, plain6,
	  0 },
	{ "v1, IPv4-mapped (D105)",
	  TEXT("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.9 12345 25\r\n"), PROXY_DONE, plain,
	  0 },
	{ "v1, highest port", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 65535 0\r\n"), PROXY_DONE,
	  "192.0.2.7:65535 198.51.100.9:0", 0 },
	{ "v1, unknown", TEXT("PROXY UNKNOWN\r\n"), PROXY_DONE, "own", 0 },
	{ "v1, unknown with the rest, 107 octets",
	  TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  PROXY_DONE, "own", 0 },
	{ "v1, one octet too long",
	  TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655355\r\n"),
	  PROXY_BAD, "107", 0 },
	{ "v1, without end", TEXT("PROXY UNKNOWN " HUNDRED), PROXY_BAD, "107", 0 },
	{ "v1, cut", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 25\r"), PROXY_MORE, "", 0 },
	{ "v1, bare LF", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 25\n"), PROXY_BAD, "CRLF",
	  0 },
	{ "v1, nothing but LF", TEXT("PROXY \n"), PROXY_BAD, "CRLF", 0 },
	{ "v1, small letters", TEXT("proxy tcp4"), PROXY_BAD, "begin", 0 },
	{ "v1, unknown protocol", TEXT("PROXY UDP4 192.0.2.7 198.51.100.9 12345 25\r\n"), PROXY_BAD,
	  "protocol", 0 },
	{ "v1, glued", TEXT("PROXY UNKNOWNX\r\n"), PROXY_BAD, "protocol", 0 },
	{ "v1, no protocol", TEXT("PROXY \r\n"), PROXY_BAD, "protocol", 0 },
	{ "v1, IPv6 as TCP4", TEXT("PROXY TCP4 2001:db8::7 2001:db8::9 12345 25\r\n"), PROXY_BAD,
	  "family", 0 },
	{ "v1, IPv4 as TCP6", TEXT("PROXY TCP6 192.0.2.7 198.51.100.9 12345 25\r\n"), PROXY_BAD,
	  "family", 0 },
	{ "v1, one of each", TEXT("PROXY TCP6 2001:db8::7 198.51.100.9 12345 25\r\n"), PROXY_BAD,
	  "family", 0 },
	{ "v1, a name", TEXT("PROXY TCP4 localhost 198.51.100.9 12345 25\r\n"), PROXY_BAD, "family",
	  0 },
	{ "v1, brackets", TEXT("PROXY TCP6 [2001:db8::7] 2001:db8::9 12345 25\r\n"), PROXY_BAD,
	  "family", 0 },
	{ "v1, octal", TEXT("PROXY TCP4 192.0.02.7 198.51.100.9 12345 25\r\n"), PROXY_BAD, "family",
	  0 },
	{ "v1, two blanks", TEXT("PROXY TCP4  192.0.2.7 198.51.100.9 12345 25\r\n"), PROXY_BAD,
	  "family", 0 },
	{ "v1, blank at the end", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 25 \r\n"),
	  PROXY_BAD, "port", 0 },
	{ "v1, port too high", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 65536 25\r\n"), PROXY_BAD,
	  "port", 0 },
	{ "v1, port with a zero before", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 025\r\n"),
	  PROXY_BAD, "port", 0 },
	{ "v1, port with a sign", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 +1 25\r\n"), PROXY_BAD,
	  "port", 0 },
	{ "v1, no ports", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9\r\n"), PROXY_BAD, "port", 0 },
	{ "v1, CR inside", TEXT("PROXY TCP4 192.0.2.7 198.51.100.9 12345 2\r5\r\n"), PROXY_BAD,
	  "port", 0 },
	{ "v1, NUL in an address", TEXT("PROXY TCP4 192.0.2.7\0 198.51.100.9 12345 25\r\n"),
	  PROXY_BAD, "family", 0 },
	{ "no header at all", TEXT("EHLO x\r\n"), PROXY_BAD, "begin", 0 },
	{ "TLS instead", TEXT("\x16\x03\x01"), PROXY_BAD, "begin", 0 },

	{ "v2", TEXT(V2("\x21", "\x11", "\x00\x0c") ADDRS4), PROXY_DONE, plain, 0 },
	{ "v2, and what the client says", TEXT(V2("\x21", "\x11", "\x00\x0c") ADDRS4 "EHLO"),
	  PROXY_DONE, plain, 4 },
	{ "v2, IPv6", TEXT(V2("\x21", "\x21", "\x00\x24") ADDRS6), PROXY_DONE, plain6, 0 },
	{ "v2, IPv4-mapped (D105)", TEXT(V2("\x21", "\x21", "\x00\x24") MAPPED), PROXY_DONE, plain,
	  0 },
	{ "v2, local", TEXT(V2("\x20", "\x00", "\x00\x00")), PROXY_DONE, "own", 0 },
	{ "v2, local whose family means nothing", TEXT(V2("\x20", "\xff", "\x00\x02") "xx"),
	  PROXY_DONE, "own", 0 },
	{ "v2, unspecified", TEXT(V2("\x21", "\x00", "\x00\x03") "xxx"), PROXY_DONE, "own", 0 },
	{ "v2, Unix", TEXT(V2("\x21", "\x31", "\x00\xd8") PATHS), PROXY_DONE, "own", 0 },
	{ "v2, signature cut", TEXT("\r\n\r\n"), PROXY_MORE, "", 0 },
	{ "v2, signature wrong in its last octet", TEXT("\r\n\r\n\0\r\nQUIT\r"), PROXY_BAD, "begin",
	  0 },
	{ "v2, addresses cut", TEXT(V2("\x21", "\x11", "\x00\x0c") "\xc0\x00\x02\x07"), PROXY_MORE,
	  "", 0 },
	{ "v2, version 1", TEXT(V2("\x11", "\x11", "\x00\x0c")), PROXY_BAD, "version", 0 },
	{ "v2, unknown command", TEXT(V2("\x22", "\x11", "\x00\x0c")), PROXY_BAD, "command", 0 },
	{ "v2, UDP", TEXT(V2("\x21", "\x12", "\x00\x0c")), PROXY_BAD, "family", 0 },
	{ "v2, IPv4 without a transport", TEXT(V2("\x21", "\x10", "\x00\x0c")), PROXY_BAD, "family",
	  0 },
	{ "v2, unknown family", TEXT(V2("\x21", "\x41", "\x00\x0c")), PROXY_BAD, "family", 0 },
	{ "v2, too short for IPv4", TEXT(V2("\x21", "\x11", "\x00\x0b")), PROXY_BAD, "short", 0 },
	{ "v2, too short for IPv6", TEXT(V2("\x21", "\x21", "\x00\x0c")), PROXY_BAD, "short", 0 },
	{ "v2, too short for paths", TEXT(V2("\x21", "\x31", "\x00\xd7")), PROXY_BAD, "short", 0 },
	{ "v2, longest", TEXT(V2("\x20", "\x00", "\x0f\xf0")), PROXY_MORE, "", 0 },
	{ "v2, one octet longer", TEXT(V2("\x20", "\x00", "\x0f\xf1")), PROXY_BAD, "long", 0 },
	{ "v2, TLVs passed over",
	  TEXT(V2("\x21", "\x11", "\x00\x14") ADDRS4 "\x04\x00\x00\xea\x00\x02xx"), PROXY_DONE,
	  plain, 0 },
	{ "v2, TLV without a length", TEXT(V2("\x21", "\x11", "\x00\x0e") ADDRS4 "\x04\x00"),
	  PROXY_BAD, "TLV", 0 },
	{ "v2, TLV longer than the header",
	  TEXT(V2("\x21", "\x11", "\x00\x0f") ADDRS4 "\x04\x00\x01"), PROXY_BAD, "TLV", 0 },
	{ "v2, checksum",
	  TEXT(V2("\x21", "\x11", "\x00\x13") ADDRS4 "\x03\x00\x04\x6d\x8b\x61\x8b"), PROXY_DONE,
	  plain, 0 },
	{ "v2, checksum, and a TLV behind",
	  TEXT(V2("\x21", "\x11", "\x00\x16") ADDRS4 "\x03\x00\x04\x88\xd3\xe5\xe3\x04\x00\x00"),
	  PROXY_DONE, plain, 0 },
	{ "v2, wrong checksum",
	  TEXT(V2("\x21", "\x11", "\x00\x13") ADDRS4 "\x03\x00\x04\x00\x00\x00\x00"), PROXY_BAD,
	  "wrong", 0 },
	{ "v2, short checksum", TEXT(V2("\x21", "\x11", "\x00\x12") ADDRS4 "\x03\x00\x03xxx"),
	  PROXY_BAD, "checksum", 0 },
};

static void describe(const struct proxy_header *h, char *out, size_t size)
{
	char from[ADDR_PORT_TEXT_MAX], to[ADDR_PORT_TEXT_MAX];

	if (h->is_own)
		snprintf(out, size, "own");
	else
		snprintf(out, size, "%s %s", addr_port_print(&h->from, h->from_port, from),
			 addr_port_print(&h->to, h->to_port, to));
}

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice bytes = cases[i].bytes;
		struct proxy_header h;
		const char *why = "";
		char is[2 * ADDR_PORT_TEXT_MAX] = "";
		enum proxy_step got = proxy_header_read(bytes, &h, &why);

		if (got == PROXY_DONE)
			describe(&h, is, sizeof is);
		else if (got == PROXY_BAD)
			snprintf(is, sizeof is, "%s", why);
		if (got != cases[i].want || strstr(is, cases[i].want_is) == NULL)
			fail_msg("%s: got %d \"%s\", want %d \"%s\"", cases[i].name, got, is,
				 cases[i].want, cases[i].want_is);
		if (got == PROXY_DONE && h.len != bytes.len - cases[i].want_behind)
			fail_msg("%s: %zu octets", cases[i].name, h.len);
	}
}

/* Octet by octet, nothing is judged before it is there, and nothing is read beyond it. */
static void test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct proxy_header h;
		const char *why;

		if (cases[i].want != PROXY_DONE)
			continue;
		for (size_t len = 0; len < cases[i].bytes.len - cases[i].want_behind; len++) {
			if (proxy_header_read((struct slice){ cases[i].bytes.at, len }, &h, &why) !=
			    PROXY_MORE)
				fail_msg("%s: judged after %zu octets", cases[i].name, len);
		}
	}
}

static void test_write(void **state)
{
	static const struct {
		const char *name, *from, *to;
		bool is_own;
		struct slice want;
	} written[] = {
		{ "IPv4", "192.0.2.7", "198.51.100.9", false,
		  TEXT(V2("\x21", "\x11", "\x00\x0c") ADDRS4) },
		{ "IPv6", "2001:db8::7", "2001:db8::9", false,
		  TEXT(V2("\x21", "\x21", "\x00\x24") ADDRS6) },
		{ "one of each", "192.0.2.7", "2001:db8::9", false,
		  TEXT(V2("\x21", "\x21",
			  "\x00\x24") "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"
				      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\x30\x39\x00\x19") },
		{ "to a Unix socket", "192.0.2.7", NULL, false,
		  TEXT(V2("\x21", "\x11", "\x00\x0c") "\xc0\x00\x02\x07\0\0\0\0\x30\x39\x00\x19") },
		{ "own", "192.0.2.7", "198.51.100.9", true, TEXT(V2("\x20", "\x00", "\x00\x00")) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(written); i++) {
		struct proxy_header h = { .is_own = written[i].is_own,
					  .from_port = 12345,
					  .to_port = 25 };
		char bytes[PROXY_WRITTEN_MAX];
		struct slice got = { bytes, 0 };

		assert_null(addr_parse(slice_of(written[i].from), &h.from));
		if (written[i].to != NULL)
			assert_null(addr_parse(slice_of(written[i].to), &h.to));
		got.len = proxy_header_write(&h, bytes);
		if (!slice_equal(got, written[i].want))
			fail_msg("%s", written[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
