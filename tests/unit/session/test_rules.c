/* Lists, the map of Peer blocks, and who frees the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "session/rules.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_domains(void **state)
{
	static const struct {
		const char *name, *domain;
		bool want;
	} cases[] = {
		{ "the domain", "example.org", true },
		{ "in capitals", "EXAMPLE.ORG", true },
		{ "its sub-domain", "a.example.org", false },
		{ "below a glob", "a.example.net", true },
		{ "far below", "A.B.Example.Net", true },
		{ "the glob's domain", "example.net", false },
		{ "a dot alone", ".example.net", false },
		{ "the letters alone", "xexample.net", false },
		{ "nothing", "", false },
	};
	static char one[] = "example.org", below[] = "*.example.net", *patterns[] = { one, below };
	const struct domain_list list = { patterns, COUNT(patterns) };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (domain_list_has(&list, slice_of(cases[i].domain)) != cases[i].want)
			fail_msg("%s", cases[i].name);
}

static struct addr addr(const char *text)
{
	struct addr a;

	assert_null(addr_parse(slice_of(text), &a));
	return a;
}

static struct cidr cidr(const char *text)
{
	struct cidr c;

	assert_null(cidr_parse(slice_of(text), &c));
	return c;
}

static void test_cidrs(void **state)
{
	struct cidr blocks[] = { cidr("10.0.0.0/8"), cidr("2001:db8::/32"), cidr("192.0.2.1") };
	const struct cidr_list list = { blocks, COUNT(blocks) };
	const struct addr in[] = { addr("10.255.0.1"), addr("2001:db8:ffff::1"), addr("192.0.2.1"),
				   addr("::ffff:10.1.1.1") };
	const struct addr out[] = { addr("11.0.0.1"), addr("2001:db9::1"), addr("192.0.2.2"),
				    addr("a00::1") };
	const struct addr none = { .family = ADDR_NONE };

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++) {
		assert_true(cidr_list_has(&list, &in[i]));
		assert_false(cidr_list_has(&list, &out[i]));
	}
	assert_false(cidr_list_has(&list, &none));
}

static unsigned freed;

static void free_settings(struct settings *s)
{
	freed++;
	free(s);
}

static void add(struct peer_map *m, const char *block, uint32_t mark)
{
	struct settings *s = mem_new(sizeof *s);
	struct cidr c = cidr(block);

	s->max_errors = mark;
	assert_true(peer_map_add(m, &c, s));
}

static void test_peers(void **state)
{
	static const struct {
		const char *name, *peer;
		uint32_t want; /* 0: the door's own */
	} cases[] = {
		{ "the longest", "10.1.2.3", 24 },  { "the next", "10.1.3.3", 16 },
		{ "the shortest", "10.9.9.9", 8 },  { "none", "11.1.1.1", 0 },
		{ "exactly", "192.0.2.1", 32 },	    { "beside it", "192.0.2.2", 0 },
		{ "IPv6 all", "2001:db9::1", 1 },   { "IPv6 block", "2001:db8::1", 48 },
		{ "IPv6 one", "2001:db8::2", 128 }, { "D105 mapped", "::ffff:10.1.2.3", 24 },
	};
	struct door door = { .peers = peer_map_new() };
	struct cidr again = cidr("10.1.99.99/16");
	struct addr none = { .family = ADDR_NONE }, peer = addr("10.1.2.3");

	(void)state;
	assert_ptr_equal(door_settings(&door, &peer), &door.plain);
	add(door.peers, "10.0.0.0/8", 8);
	add(door.peers, "10.1.0.0/16", 16);
	add(door.peers, "10.1.2.0/24", 24);
	add(door.peers, "192.0.2.1", 32);
	add(door.peers, "::/0", 1);
	add(door.peers, "2001:db8::/48", 48);
	add(door.peers, "2001:db8::2", 128);
	assert_false(peer_map_add(door.peers, &again, &door.plain));
	for (size_t i = 0; i < COUNT(cases); i++) {
		peer = addr(cases[i].peer);
		if (door_settings(&door, &peer)->max_errors != cases[i].want)
			fail_msg("%s: got %u", cases[i].name,
				 door_settings(&door, &peer)->max_errors);
	}
	assert_null(peer_map_find(door.peers, &none));
	peer_map_free(door.peers, free_settings);
	assert_int_equal(freed, 7);

	door.peers = NULL;
	assert_ptr_equal(door_settings(&door, &peer), &door.plain);
	peer_map_free(NULL, free_settings);
}

static void count_free(struct rules *r)
{
	r->hop_limit++;
}

static void test_references(void **state)
{
	struct rules r = { .refs = 1, .free = count_free };

	(void)state;
	assert_ptr_equal(rules_ref(&r), &r);
	rules_unref(&r);
	assert_int_equal(r.hop_limit, 0);
	rules_unref(&r);
	assert_int_equal(r.hop_limit, 1);
	rules_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_cidrs),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
