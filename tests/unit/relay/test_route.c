/* Next hops as they are written (T3, 4.3), and which of them serves a domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "relay/route.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FORMS "expected HOST, HOST:PORT, [IPV6]:PORT, smtp://HOST?pref=N or maildir:PATH"
#define PORTS "not a port, expected 1 to 65535"
#define BRACKETS "an IPv6 address without brackets, expected [ADDRESS] or [ADDRESS]:PORT"

static void test_hop(void **state)
{
	static const struct {
		const char *name, *text, *want_name;
		enum hop_kind want_kind;
		uint16_t want_port, want_pref;
		bool want_mx;
	} cases[] = {
		{ "a host", "mx.example.org", "mx.example.org", HOP_HOST, 25, 0, false },
		{ "a host with a number", "mx-1.example.org", "mx-1.example.org", HOP_HOST, 25, 0, false },
		{ "a host and port", "mx:2525", "mx", HOP_HOST, 2525, 0, false },
		{ "an address", "192.0.2.1", "192.0.2.1", HOP_ADDR, 25, 0, false },
		{ "an address and port", "192.0.2.1:2525", "192.0.2.1", HOP_ADDR, 2525, 0, false },
		{ "IPv6", "[2001:db8::1]", "[2001:db8::1]", HOP_ADDR, 25, 0, false },
		{ "IPv6 and port", "[2001:db8::1]:2525", "[2001:db8::1]", HOP_ADDR, 2525, 0,
		  false },
		{ "localhost may be either family", "localhost:2525", "localhost", HOP_HOST, 2525,
		  0, false },
		{ "a URL", "smtp://mx.example.org", "mx.example.org", HOP_HOST, 25, 0, false },
		{ "a URL with a slash", "SMTP://mx.example.org/", "mx.example.org", HOP_HOST, 25, 0,
		  false },
		{ "a URL with all", "smtp://example.org?pref=10&ttl=300&port=2525&type=mx",
		  "example.org", HOP_HOST, 2525, 10, true },
		{ "a URL with an address", "smtp://[::1]:26?pref=65535&type=a", "[::1]", HOP_ADDR,
		  26, 65535, false },
		{ "a Maildir", "maildir:../x y", "../x y", HOP_MAILDIR, 25, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hop *hop = mem_new(sizeof *hop);
		const char *wrong = hop_parse(slice_of(cases[i].text), hop);

		if (wrong != NULL)
			fail_msg("%s: %s", cases[i].name, wrong);
		if (hop->kind != cases[i].want_kind || strcmp(hop->name, cases[i].want_name) != 0 ||
		    hop->port != cases[i].want_port || hop->pref != cases[i].want_pref ||
		    hop->by_mx != cases[i].want_mx)
			fail_msg("%s: got %d %s %u %u %d", cases[i].name, hop->kind, hop->name,
				 hop->port, hop->pref, hop->by_mx);
		assert_int_equal(hop->addr.family != ADDR_NONE, hop->kind == HOP_ADDR);
		hops_free(hop, 1);
	}
}

static void test_hop_refused(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "nothing", "", FORMS },
		{ "bare IPv6", "2001:db8::1", BRACKETS },
		{ "bare IPv6 in a URL", "smtp://::1?pref=1", BRACKETS },
		{ "brackets around IPv4", "[192.0.2.1]:25",
		  "an IPv4 address in [..], expected ADDRESS:PORT" },
		{ "brackets around a name", "[mx]:25", FORMS },
		{ "no host", ":25", FORMS },
		{ "no port", "mx:", PORTS },
		{ "port 0", "mx:0", PORTS },
		{ "a leading zero", "mx:025", PORTS },
		{ "a blank", "m x", FORMS },
		{ "an empty label", "a..b", FORMS },
		{ "a dot at the end", "a.", FORMS },
		{ "a dot alone", ".", FORMS },
		{ "a negative number", "-1", FORMS },
		{ "a hyphen at an end", "mx-.example.org", FORMS },
		{ "an address that is none", "192.0.2.256:25", FORMS },
		{ "a port alone", "10025", FORMS },
		{ "no path", "maildir:", "no path, expected maildir:PATH" },
		{ "an unknown parameter", "smtp://mx?x=1",
		  "unknown parameter, expected pref, ttl, port or type" },
		{ "a wrong type", "smtp://mx?type=srv", "not a type, expected mx or a" },
		{ "a wrong number", "smtp://mx?pref=x", "not a number after pref= or ttl=" },
		{ "a preference too large", "smtp://mx?pref=65536",
		  "not a number after pref= or ttl=" },
		{ "mail exchangers of an address", "smtp://192.0.2.1?type=mx",
		  "type=mx of an address, expected a host name" },
		{ "4.3 __mx__", "__mx__", "__mx__ is not available, expected a host" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hop hop;
		const char *wrong = hop_parse(slice_of(cases[i].text), &hop);

		if (wrong == NULL || strcmp(wrong, cases[i].want) != 0)
			fail_msg("%s: got %s", cases[i].name, wrong ? wrong : "nothing wrong");
		assert_null(hop.name);
	}
}

static bool add(struct route_table *t, const char *pattern, const char *host)
{
	struct hop *hop = mem_new(sizeof *hop);

	assert_null(hop_parse(slice_of(host), hop));
	return route_add(t, pattern, &(struct route){ .hops = hop, .count = 1 });
}

static void test_route(void **state)
{
	static const struct {
		const char *name, *domain, *want;
	} cases[] = {
		{ "the domain", "example.org", "exact" },
		{ "case does not matter", "EXAMPLE.Org", "exact" },
		{ "T3 a sub-domain", "a.example.org", "sub" },
		{ "T3 far below", "x.y.example.org", "sub" },
		{ "the longest pattern", "b.a.example.org", "subsub" },
		{ "a domain beats a pattern", "c.example.org", "c" },
		{ "T3 *. is not the domain itself", "example.net", "other" },
		{ "below it", "x.example.net", "net" },
		{ "not only the letters", "notexample.org", "other" },
		{ "the rest", "x", "other" },
		{ "nothing", "", "other" },
	};
	struct route_table *t = route_table_new();
	char longest[400];

	(void)state;
	assert_null(route_for(t, SLICE("example.org")));
	assert_false(route_by_domain(t));
	assert_true(add(t, NULL, "other"));
	assert_false(route_by_domain(t));
	assert_true(add(t, "example.org", "exact"));
	assert_true(add(t, "*.example.org", "sub"));
	assert_true(add(t, "*.a.Example.org", "subsub"));
	assert_true(add(t, "c.example.org", "c"));
	assert_true(add(t, "*.example.net", "net"));
	assert_false(add(t, NULL, "again"));
	assert_false(add(t, "EXAMPLE.org", "again"));
	assert_true(route_by_domain(t));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct route *route = route_for(t, slice_of(cases[i].domain));

		if (strcmp(route->hops[0].name, cases[i].want) != 0)
			fail_msg("%s: got %s", cases[i].name, route->hops[0].name);
	}
	memset(longest, 'x', sizeof longest);
	assert_string_equal(route_for(t, (struct slice){ longest, sizeof longest })->hops[0].name,
			    "other");
	route_table_free(t);
}

static void test_preference(void **state)
{
	static const char *const texts[] = { "smtp://c?pref=20", "smtp://a?pref=10",
					     "smtp://b?pref=10", "smtp://d?pref=20" };
	struct route_table *t = route_table_new();
	struct hop hops[COUNT(texts)];
	char got[8] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_null(hop_parse(slice_of(texts[i]), &hops[i]));
	assert_true(route_add(
		t, NULL,
		&(struct route){ .hops = hops_copy(hops, COUNT(hops)), .count = COUNT(hops) }));
	for (size_t i = 0; i < COUNT(hops); i++) {
		got[i] = route_for(t, SLICE("x"))->hops[i].name[0];
		free(hops[i].name);
	}
	assert_string_equal(got, "abcd");
	route_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hop),
		cmocka_unit_test(test_hop_refused),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_preference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
