/* Where to listen: every form of 4.3, T5 and T9, and what is told to those who write another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "net/endpoint.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FORMS "expected ADDRESS:PORT, *:PORT, [*]:PORT, [IPV6]:PORT or a path with '/'"
#define PORTS "not a port, expected 1 to 65535"
#define BRACKETS "an IPv6 address without brackets, expected [ADDRESS]:PORT"

static void test_parse(void **state)
{
	static const struct {
		const char *name, *text, *want; /* what it prints as */
		int want_family;
	} cases[] = {
		{ "T9 any IPv4", "*:25", "*:25", AF_INET },
		{ "any IPv4, short", ":25", "*:25", AF_INET },
		{ "any IPv4, long", "0.0.0.0:25", "*:25", AF_INET },
		{ "T9 any IPv6", "[*]:25", "[*]:25", AF_INET6 },
		{ "any IPv6, long", "[::]:25", "[*]:25", AF_INET6 },
		{ "IPv4", "192.0.2.1:2525", "192.0.2.1:2525", AF_INET },
		{ "IPv6", "[2001:DB8::1]:2525", "[2001:db8::1]:2525", AF_INET6 },
		{ "D105 mapped", "[::ffff:192.0.2.1]:25", "192.0.2.1:25", AF_INET },
		{ "localhost", "localhost:25", "127.0.0.1:25", AF_INET },
		{ "the last port", "*:65535", "*:65535", AF_INET },
		{ "T5 a path", "/run/x.sock", "/run/x.sock", AF_UNIX },
		{ "T5 a relative path, with a colon", "a/b:25", "a/b:25", AF_UNIX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[ENDPOINT_TEXT_MAX];
		struct sockaddr_storage sa;
		struct endpoint e, same;
		const char *wrong = endpoint_parse(slice_of(cases[i].text), &e);

		if (wrong != NULL || strcmp(endpoint_print(&e, text), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, wrong ? wrong : text);
		assert_true(endpoint_sockaddr(&e, &sa) <= sizeof sa);
		assert_int_equal(sa.ss_family, cases[i].want_family);
		assert_int_equal(endpoint_is_unix(&e), cases[i].want_family == AF_UNIX);
		assert_null(endpoint_parse(slice_of(cases[i].want), &same));
		assert_true(endpoint_equal(&e, &same));
	}
}

static void test_refuse(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "nothing", "", FORMS },
		{ "bare IPv6 with a port", "2001:db8::1:25", BRACKETS },
		{ "bare IPv6", "2001:db8::1", BRACKETS },
		{ "bare any", ":::25", BRACKETS },
		{ "no port", "192.0.2.1", "no port, expected ADDRESS:PORT" },
		{ "no port in brackets", "[::1]", "no port, expected ADDRESS:PORT" },
		{ "a port alone", "25", FORMS },
		{ "an empty port", "*:", PORTS },
		{ "port 0", "*:0", PORTS },
		{ "a leading zero", "*:025", PORTS },
		{ "a port too large", "*:65536", PORTS },
		{ "a port with a sign", "*:+25", PORTS },
		{ "a port with letters", "*:smtp", PORTS },
		{ "a host name", "mx.example:25", FORMS },
		{ "brackets that do not close", "[::1:25", FORMS },
		{ "brackets that close late", "[::1]x:25", FORMS },
		{ "brackets around IPv4", "[192.0.2.1]:25",
		  "an IPv4 address in [..], expected ADDRESS:PORT" },
		{ "brackets around nothing", "[]:25", FORMS },
		{ "too long for a socket",
		  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "the path is too long for a socket, expected at most 107 octets" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint e;
		const char *wrong = endpoint_parse(slice_of(cases[i].text), &e);

		if (wrong == NULL || strcmp(wrong, cases[i].want) != 0)
			fail_msg("%s: got %s", cases[i].name, wrong ? wrong : "nothing wrong");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse),
					    cmocka_unit_test(test_refuse) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
