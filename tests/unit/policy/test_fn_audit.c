/* Live counts for scripts: what a CIDR argument means (3.3), and which count is read (3.4). */
#include "policy/fake.h"

static void test_cidr_arguments(void **state)
{
	static const struct policy_mask_map map[] = { { 24, 64 }, { 28, 0 } };
	static const struct {
		const char *name;
		const char *peer; /* NULL: none */
		struct value cidr;
		const char *want_asked;
		const char *want; /* result, or '!' and the error */
	} cases[] = {
		{ "D45 /32 is this address", "192.0.2.7", STR("/32"), "SMTP 192.0.2.7/32\n", "7" },
		{ "D45 /32 is this address, IPv6", "2001:db8::7", STR("/32"),
		  "SMTP 2001:db8::7/128\n", "7" },
		{ "D45 nil is /32", "192.0.2.7", NONE, "SMTP 192.0.2.7/32\n", "7" },
		{ "D45 nil is /32, IPv6", "2001:db8::7", NONE, "SMTP 2001:db8::7/128\n", "7" },
		{ "host bits are cleared", "192.0.2.7", STR("/24"), "SMTP 192.0.2.0/24\n", "7" },
		{ "D45 other lengths are literal, IPv6", "2001:db8:1234::7", STR("/48"),
		  "SMTP 2001:db8:1234::/48\n", "7" },
		{ "D45 /16 is a /16 of IPv6 too", "2001:db8::7", STR("/16"), "SMTP 2001::/16\n",
		  "7" },
		{ "D45 /64 of an IPv4 peer is /32", "192.0.2.7", STR("/64"), "SMTP 192.0.2.7/32\n",
		  "7" },
		{ "D45 /128", "2001:db8::7", STR("/128"), "SMTP 2001:db8::7/128\n", "7" },
		{ "D42 ipv6_mask_map /24 is /64", "2001:db8::7", STR("/24"), "SMTP 2001:db8::/64\n",
		  "7" },
		{ "D42 ipv6_mask_map leaves IPv4 alone", "192.0.2.7", STR("/28"),
		  "SMTP 192.0.2.0/28\n", "7" },
		{ "D42 ipv6_mask_map to everything", "2001:db8::7", STR("/28"),
		  "SMTP 0.0.0.0/0\nSMTP ::/0\n", "14" },
		{ "D48 implied /0 is both families", "192.0.2.7", STR("/0"),
		  "SMTP 0.0.0.0/0\nSMTP ::/0\n", "14" },
		{ "D48 implied /0 is both families, IPv6", "2001:db8::7", STR("/0"),
		  "SMTP 0.0.0.0/0\nSMTP ::/0\n", "14" },
		{ "an explicit /0 is its family", "192.0.2.7", STR("::/0"), "SMTP ::/0\n", "7" },
		{ "an address", "192.0.2.7", STR("198.51.100.9"), "SMTP 198.51.100.9/32\n", "7" },
		{ "an address and a mask", "192.0.2.7", STR("198.51.100.9/24"),
		  "SMTP 198.51.100.0/24\n", "7" },
		{ "D45 explicit IPv6 masks are literal", "192.0.2.7", STR("2001:db8::1/32"),
		  "SMTP 2001:db8::/32\n", "7" },
		{ "D42 the map is for implied masks", "2001:db8::7", STR("2001:db8::1/24"),
		  "SMTP 2001:d00::/24\n", "7" },
		{ "D47 brackets", "192.0.2.7", STR("[2001:db8::1]"), "SMTP 2001:db8::1/128\n",
		  "7" },
		{ "D47 brackets and a mask", "192.0.2.7", STR("[2001:db8::1]/64"),
		  "SMTP 2001:db8::/64\n", "7" },
		{ "D105 v4-mapped", "192.0.2.7", STR("::ffff:198.51.100.9"),
		  "SMTP 198.51.100.9/32\n", "7" },
		{ "localhost", "192.0.2.7", STR("localhost/32"), "SMTP 127.0.0.1/32\n", "7" },
		{ "blanks around", "192.0.2.7", STR(" /24 "), "SMTP 192.0.2.0/24\n", "7" },
		{ "no peer needed with an address", NULL, STR("198.51.100.0/24"),
		  "SMTP 198.51.100.0/24\n", "7" },

		{ "no current peer", NULL, STR("/32"), "",
		  "!\"/32\": there is no current peer, and no address was given" },
		{ "no current peer, nil", NULL, NONE, "",
		  "!there is no current peer, and no address was given" },
		{ "mask too long", "192.0.2.7", STR("/129"), "",
		  "!\"/129\": a mask is /0 to /128" },
		{ "mask far too long", "192.0.2.7", STR("/4294967296"), "",
		  "!\"/4294967296\": a mask is /0 to /128" },
		{ "no mask", "192.0.2.7", STR("/"), "", "!\"/\": a mask is /0 to /128" },
		{ "a mask that is no number", "192.0.2.7", STR("/-1"), "",
		  "!\"/-1\": a mask is /0 to /128" },
		{ "mask too long for IPv4", "192.0.2.7", STR("198.51.100.9/33"), "",
		  "!\"198.51.100.9/33\": the mask of an IPv4 block is 0 to 32" },
		{ "a name", "192.0.2.7", STR("example.org"), "",
		  "!\"example.org\": not an IPv4 or IPv6 address" },
		{ "empty, as of an unset variable", "192.0.2.7", STR(""), "",
		  "!\"\": not an IPv4 or IPv6 address" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { .count = 7 };
		enum fn_status status;

		fake.conf.has_inbound_audit = true;
		fake.conf.mask_map = map;
		fake.conf.mask_map_count = COUNT(map);
		fake.facts.peer = addr_of(cases[i].peer);
		fake_begin(&fake);
		status = fake_call(&fake, FN_LUA, "msys.audit.inbound_session_count",
				   &cases[i].cidr, 1);
		expect_result(cases[i].name, &fake, status, cases[i].want);
		expect_text(cases[i].name, &fake.asked, cases[i].want_asked);
		fake_end(&fake);
	}
}

static void test_which_count(void **state)
{
	static const struct {
		const char *name;
		unsigned language;
		const char *fn;
		unsigned argc;
		struct value argv[3];
		const char *want_asked;
		const char *want;
	} cases[] = {
		{ "this endpoint",
		  FN_SIEVE,
		  "audit_connections_on_listener",
		  1,
		  { STR("/24") },
		  "LISTENER 192.0.2.0/24\n",
		  "[7]" },
		{ "this service",
		  FN_SIEVE,
		  "audit_connections_on_service",
		  1,
		  { STR("/24") },
		  "SMTP 192.0.2.0/24\n",
		  "[7]" },
		{ "a service",
		  FN_SIEVE,
		  "audit_service",
		  2,
		  { STR("ECStream"), STR("/32") },
		  "ECStream 192.0.2.7/32\n",
		  "[7]" },
		{ "D2 case",
		  FN_SIEVE,
		  "Audit_Service",
		  2,
		  { STR("Control"), STR("/0") },
		  "Control 0.0.0.0/0\nControl ::/0\n",
		  "[14]" },
		{ "Lua, /24",
		  FN_LUA,
		  "msys.audit.inbound_session_count",
		  2,
		  { STR("/24"), STR("SMTP") },
		  "SMTP 192.0.2.0/24\n",
		  "7" },
		{ "Lua, addr/mask",
		  FN_LUA,
		  "msys.audit.inbound_session_count",
		  2,
		  { STR("198.51.100.1/16"), STR("ECStream") },
		  "ECStream 198.51.0.0/16\n",
		  "7" },
		{ "D52 no argument: endpoint and peer",
		  FN_LUA,
		  "ac:inbound_session_count",
		  0,
		  { NONE },
		  "LISTENER 192.0.2.7/32\n",
		  "7" },
		{ "D52 a block: the SMTP service",
		  FN_LUA,
		  "ac:inbound_session_count",
		  1,
		  { STR("/24") },
		  "SMTP 192.0.2.0/24\n",
		  "7" },
		{ "D52 nil and a service: the peer",
		  FN_LUA,
		  "ac:inbound_session_count",
		  2,
		  { NONE, STR("Control") },
		  "Control 192.0.2.7/32\n",
		  "7" },
		{ "pbp: service first",
		  FN_LUA,
		  "ac:pbp_inbound_session_count_service",
		  2,
		  { STR("SMTP"), STR("/0") },
		  "SMTP 0.0.0.0/0\nSMTP ::/0\n",
		  "14" },
		{ "Sieve wants every argument",
		  FN_SIEVE,
		  "audit_service",
		  1,
		  { STR("SMTP") },
		  "",
		  "!audit_service takes at least 2 arguments, not 1" },
		{ "Sieve wants no more",
		  FN_SIEVE,
		  "audit_connections_on_service",
		  2,
		  { STR("/32"), STR("x") },
		  "",
		  "!audit_connections_on_service takes at most 1 argument, not 2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { .count = 7 };
		enum fn_status status;

		fake.conf.has_inbound_audit = true;
		fake.facts.peer = addr_of("192.0.2.7");
		fake_begin(&fake);
		status = fake_call(&fake, cases[i].language, cases[i].fn, cases[i].argv,
				   cases[i].argc);
		expect_result(cases[i].name, &fake, status, cases[i].want);
		expect_text(cases[i].name, &fake.asked, cases[i].want_asked);
		expect_text(cases[i].name, &fake.logged, "");
		fake_end(&fake);
	}
}

static void test_refusals(void **state)
{
	static const struct value argv[] = { STR("SMPT"), STR("/32") };
	struct fake fake = { .refusal = "there is no service \"SMPT\"" };

	(void)state;
	fake.conf.has_inbound_audit = true;
	fake.facts.peer = addr_of("192.0.2.7");
	fake_begin(&fake);
	expect_result("D50 the host names it", &fake,
		      fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
		      "!there is no service \"SMPT\"");
	assert_int_equal(fake.run.read_count, 0);
	fake_end(&fake);

	fake = (struct fake){ 0 };
	fake_begin(&fake);
	expect_result("D110 no inbound_audit", &fake,
		      fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
		      "!audit_service requires module inbound_audit");
	fake_end(&fake);
}

/* Known, but filled by a cluster only: said once a load, or refused; unless there is one. */
static void test_D50_services_of_a_cluster(void **state)
{
	static const char *const names[] = { "inbound_cidr", "ECmmove2", "ECCluster" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct value argv[] = {
			{ .type = VALUE_STRING, .string = slice_of(names[i]) }, STR("/32")
		};
		struct fake fake = { .count = 7 };
		char want[128];

		fake.conf.has_inbound_audit = true;
		fake.facts.peer = addr_of("192.0.2.7");
		fake_begin(&fake);
		expect_result(names[i], &fake, fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
			      "[7]");
		expect_result(names[i], &fake, fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
			      "[7]");
		snprintf(want, sizeof want,
			 "a.siv:3: %s is a service of a cluster, and this node is in none\n",
			 names[i]);
		expect_text(names[i], &fake.logged, want);
		assert_int_equal(fake.level, LOG_WARN);
		fake_end(&fake);

		fake = (struct fake){ .count = 7 };
		fake.conf.has_inbound_audit = fake.conf.strict_services = true;
		fake.conf.has_cluster = true;
		fake.facts.peer = addr_of("192.0.2.7");
		fake_begin(&fake);
		expect_result(names[i], &fake, fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
			      "[7]");
		expect_text(names[i], &fake.logged, "");
		fake_end(&fake);

		fake = (struct fake){ .count = 7 };
		fake.conf.has_inbound_audit = fake.conf.strict_services = true;
		fake.facts.peer = addr_of("192.0.2.7");
		fake_begin(&fake);
		snprintf(want, sizeof want,
			 "!%s is a service of a cluster, and this node is in none", names[i]);
		expect_result(names[i], &fake, fake_call(&fake, FN_SIEVE, "audit_service", argv, 2),
			      want);
		fake_end(&fake);
	}
}

/* A site that wants an IPv6 host to be its /64: written, or defaulted; a peer of IPv4
 * stays itself. */
static void test_d45_map_of_32(void **state)
{
	static const struct policy_mask_map map[] = { { 32, 64 } };
	static const struct value slash_32 = STR("/32");
	static const struct {
		const char *peer;
		unsigned argc;
		const char *want_asked;
	} cases[] = {
		{ "2001:db8::7", 1, "SMTP 2001:db8::/64\n" },
		{ "2001:db8::7", 0, "SMTP 2001:db8::/64\n" },
		{ "192.0.2.7", 1, "SMTP 192.0.2.7/32\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };

		fake.conf.has_inbound_audit = true;
		fake.conf.mask_map = map;
		fake.conf.mask_map_count = COUNT(map);
		fake.facts.peer = addr_of(cases[i].peer);
		fake_begin(&fake);
		assert_int_equal(fake_call(&fake, FN_LUA, "msys.audit.inbound_session_count",
					   &slash_32, cases[i].argc),
				 FN_OK);
		expect_text(cases[i].peer, &fake.asked, cases[i].want_asked);
		fake_end(&fake);
	}
}

/* The result knows the read that made it; the ring of reads keeps the latest. */
static void test_origin(void **state)
{
	static const struct value cidr = STR("/24");
	struct fake fake = { .count = 41 };

	(void)state;
	fake.conf.has_inbound_audit = true;
	fake.facts.peer = addr_of("192.0.2.7");
	fake_begin(&fake);
	for (unsigned i = 0; i < POLICY_READS_MAX + 2; i++) {
		const struct audit_read *read = &fake.run.reads[i % POLICY_READS_MAX];

		fake.count = 41 + i;
		assert_int_equal(
			fake_call(&fake, FN_SIEVE, "audit_connections_on_service", &cidr, 1),
			FN_OK);
		assert_int_equal(value_origin(&fake.call.result), i % POLICY_READS_MAX + 1);
		assert_int_equal(fake.call.result.list[0].origin, i % POLICY_READS_MAX + 1);
		assert_string_equal(read->service, "SMTP");
		assert_int_equal(read->block.len, 24);
		assert_int_equal(read->count, 41 + i);
	}
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cidr_arguments),
		cmocka_unit_test(test_which_count),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_D50_services_of_a_cluster),
		cmocka_unit_test(test_d45_map_of_32),
		cmocka_unit_test(test_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
