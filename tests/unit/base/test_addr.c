/* Addresses and blocks: text in, text out, masks, sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/addr.h"

static void test_addr_parse(void **state)
{
	static const struct {
		const char *name, *text;
		const char *want_text; /* NULL: refused */
		uint8_t want_family;
	} cases[] = {
		{ "v4", "192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "v4 zero", "0.0.0.0", "0.0.0.0", ADDR_V4 },
		{ "v4 last", "255.255.255.255", "255.255.255.255", ADDR_V4 },
		{ "v6", "2001:db8::1", "2001:db8::1", ADDR_V6 },
		{ "v6 in full", "2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1", ADDR_V6 },
		{ "v6 any", "::", "::", ADDR_V6 },
		{ "D47 brackets", "[2001:db8::1]", "2001:db8::1", ADDR_V6 },
		{ "localhost", "localhost", "127.0.0.1", ADDR_V4 },
		{ "localhost, any case", "LocalHost", "127.0.0.1", ADDR_V4 },
		{ "D105 v4-mapped", "::ffff:192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "D105 v4-mapped in hex", "::ffff:c000:0201", "192.0.2.1", ADDR_V4 },
		{ "v4-compatible is v6", "::192.0.2.1", "::192.0.2.1", ADDR_V6 },
		{ "empty", "", NULL, 0 },
		{ "empty brackets", "[]", NULL, 0 },
		{ "open bracket", "[2001:db8::1", NULL, 0 },
		{ "short v4", "192.0.2", NULL, 0 },
		{ "octal-looking v4", "192.0.02.1", NULL, 0 },
		{ "large octet", "192.0.2.256", NULL, 0 },
		{ "blank in front", " 192.0.2.1", NULL, 0 },
		{ "blank behind", "192.0.2.1 ", NULL, 0 },
		{ "port", "192.0.2.1:25", NULL, 0 },
		{ "mask", "192.0.2.1/24", NULL, 0 },
		{ "scope", "fe80::1%eth0", NULL, 0 },
		{ "two gaps", "2001::db8::1", NULL, 0 },
		{ "nine groups", "1:2:3:4:5:6:7:8:9", NULL, 0 },
		{ "name", "mail.example.org", NULL, 0 },
		{ "long", "1111111111111111111111111111111111111111111111111111", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a;
		const char *wrong = addr_parse(slice_of(cases[i].text), &a);

		if ((wrong == NULL) != (cases[i].want_text != NULL))
			fail_msg("%s: %s", cases[i].name, wrong != NULL ? wrong : "accepted");
		if (wrong != NULL)
			continue;
		if (a.family != cases[i].want_family ||
		    strcmp(addr_print(&a, text), cases[i].want_text) != 0)
			fail_msg("%s: %s, want %s", cases[i].name, addr_print(&a, text),
				 cases[i].want_text);
	}
}

static void test_addr_parse_bare(void **state)
{
	static const char *const refused[] = { "[192.0.2.1]", "[2001:db8::1]", "localhost",
					       "LocalHost",   "192.0.2",       "fe80::1%1",
					       "" };
	struct addr bare, other;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (addr_parse_bare(slice_of(refused[i]), &bare) == NULL)
			fail_msg("%s", refused[i]);
	assert_null(addr_parse_bare(SLICE("::ffff:192.0.2.1"), &bare));
	assert_null(addr_parse(SLICE("192.0.2.1"), &other));
	assert_true(addr_equal(&bare, &other));
}

static void test_addr_parse_zero_byte(void **state)
{
	struct addr a;

	(void)state;
	assert_non_null(addr_parse(SLICE("192.0.2.1\0junk"), &a));
}

static void test_cidr_parse(void **state)
{
	static const struct {
		const char *name, *text, *want_text;
	} cases[] = {
		{ "v4 block", "192.0.2.0/24", "192.0.2.0/24" },
		{ "host bits are cleared", "192.0.2.99/24", "192.0.2.0/24" },
		{ "v4 in full", "192.0.2.1", "192.0.2.1/32" },
		{ "everything", "1.2.3.4/0", "0.0.0.0/0" },
		{ "inside an octet", "10.255.0.0/9", "10.128.0.0/9" },
		{ "v6 block", "2001:db8:1:2:3::/48", "2001:db8:1::/48" },
		{ "v6 in full", "2001:db8::1", "2001:db8::1/128" },
		{ "v6 below the middle", "2001:db8::ff00:0:0:1/65", "2001:db8:0:0:8000::/65" },
		{ "v6 everything", "ffff::/0", "::/0" },
		{ "D47 brackets", "[2001:db8::]/32", "2001:db8::/32" },
		{ "localhost", "localhost/8", "127.0.0.0/8" },
		{ "D105 v4-mapped block", "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "D105 v4-mapped in full", "::ffff:192.0.2.7", "192.0.2.7/32" },
		{ "D105 v4-mapped, short mask", "::ffff:192.0.2.0/64", NULL },
		{ "v4 mask too long", "192.0.2.0/33", NULL },
		{ "v6 mask too long", "2001:db8::/129", NULL },
		{ "mask far too long", "2001:db8::/4294967297", NULL },
		{ "no mask", "192.0.2.0/", NULL },
		{ "signed mask", "192.0.2.0/+8", NULL },
		{ "negative mask", "192.0.2.0/-1", NULL },
		{ "dotted mask", "192.0.2.0/255.255.255.0", NULL },
		{ "two masks", "192.0.2.0/24/8", NULL },
		{ "mask alone", "/24", NULL },
		{ "mask in the brackets", "[2001:db8::/32]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[CIDR_TEXT_MAX];
		struct cidr c;
		const char *wrong = cidr_parse(slice_of(cases[i].text), &c);

		if ((wrong == NULL) != (cases[i].want_text != NULL))
			fail_msg("%s: %s", cases[i].name, wrong != NULL ? wrong : "accepted");
		if (wrong == NULL && strcmp(cidr_print(&c, text), cases[i].want_text) != 0)
			fail_msg("%s: %s, want %s", cases[i].name, text, cases[i].want_text);
	}
}

static struct cidr block(const char *text)
{
	struct cidr c;

	assert_null(cidr_parse(slice_of(text), &c));
	return c;
}

static void test_cidr_contains(void **state)
{
	static const struct {
		const char *block, *addr;
		bool want_inside;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/64", "2001:db8::9", true },
		{ "2001:db8::/65", "2001:db8:0:0:8000::", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "2001:db8::1/128", "2001:db8::2", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.1", true }, /* D105 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr b = block(cases[i].block), a = block(cases[i].addr);

		if (cidr_contains(&b, &a.addr) != cases[i].want_inside)
			fail_msg("%s in %s", cases[i].addr, cases[i].block);
	}
}

static void test_cidr_last(void **state)
{
	static const struct {
		const char *block, *want_last;
	} cases[] = {
		{ "0.0.0.0/0", "255.255.255.255" },
		{ "192.0.2.0/25", "192.0.2.127" },
		{ "192.0.2.7", "192.0.2.7" },
		{ "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::/63", "2001:db8:0:1:ffff:ffff:ffff:ffff" },
		{ "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff" },
		{ "2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff" },
		{ "2001:db8::7", "2001:db8::7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr want, last;
		struct cidr block;

		assert_null(cidr_parse(slice_of(cases[i].block), &block));
		assert_null(addr_parse(slice_of(cases[i].want_last), &want));
		last = cidr_last(&block);
		if (!addr_equal(&last, &want))
			fail_msg("%s", cases[i].block);
	}
}

static void test_cidr_of_cuts_to_the_family(void **state)
{
	struct cidr v4 = block("192.0.2.1"), v6 = block("2001:db8::1");
	struct cidr cut = cidr_of(&v4.addr, 64);

	(void)state;
	assert_true(cidr_equal(&cut, &v4));
	cut = cidr_of(&v6.addr, 200);
	assert_true(cidr_equal(&cut, &v6));
}

static void test_addr_compare_orders_families_then_values(void **state)
{
	static const char *const rising[] = { "0.0.0.0", "10.0.0.1", "255.0.0.0", "::",
					      "::1",	 "1::",	     "ff::" };

	(void)state;
	for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
		for (size_t j = 0; j < sizeof rising / sizeof *rising; j++) {
			struct cidr a = block(rising[i]), b = block(rising[j]);

			assert_int_equal(addr_compare(&a.addr, &b.addr), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a.addr, &b.addr), i == j);
		}
	}
}

static void test_sockaddr_there_and_back(void **state)
{
	static const struct {
		const char *addr, *want_text;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1:25" },
		{ "2001:db8::1", "[2001:db8::1]:25" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr c = block(cases[i].addr);
		struct sockaddr_storage ss;
		char text[ADDR_PORT_TEXT_MAX];
		struct addr back;
		uint16_t port;

		assert_true(addr_to_sockaddr(&c.addr, 25, &ss) > 0);
		addr_from_sockaddr((struct sockaddr *)&ss, &back, &port);
		assert_true(addr_equal(&back, &c.addr));
		assert_string_equal(addr_port_print(&back, port, text), cases[i].want_text);
	}
}

static void test_sockaddr_of_other_kinds(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct sockaddr other = { .sa_family = AF_PACKET };
	char text[ADDR_TEXT_MAX];
	struct addr a;
	uint16_t port;

	(void)state;
	addr_from_sockaddr((struct sockaddr *)&un, &a, &port); /* D51 */
	assert_string_equal(addr_print(&a, text), "127.0.0.1");
	assert_int_equal(port, 0);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.sin6_addr); /* D105 */
	addr_from_sockaddr((struct sockaddr *)&mapped, &a, &port);
	assert_string_equal(addr_print(&a, text), "192.0.2.1");
	assert_int_equal(port, 9);
	addr_from_sockaddr(&other, &a, NULL);
	assert_int_equal(a.family, ADDR_NONE);
	assert_string_equal(addr_print(&a, text), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_parse),
		cmocka_unit_test(test_addr_parse_bare),
		cmocka_unit_test(test_addr_parse_zero_byte),
		cmocka_unit_test(test_cidr_parse),
		cmocka_unit_test(test_cidr_contains),
		cmocka_unit_test(test_cidr_last),
		cmocka_unit_test(test_cidr_of_cuts_to_the_family),
		cmocka_unit_test(test_addr_compare_orders_families_then_values),
		cmocka_unit_test(test_sockaddr_there_and_back),
		cmocka_unit_test(test_sockaddr_of_other_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
