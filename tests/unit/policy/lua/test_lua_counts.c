/* The published calls (3.4) in their four forms, for each service, and what led to an action. */
#include "world.h"

/* Every service has its own numbers: hundreds for the net, tens for the host, units for all. */
#define SERVICE(name_, n_, net_, host_)                                                            \
	{ name_, net_, 100 + (n_) }, { name_, host_, 10 + (n_) },                                  \
		{ name_, "0.0.0.0/0", 1000 + (n_) },                                               \
	{                                                                                          \
		name_, "::/0", 5000                                                                \
	}
#define ALL(net_, host_)                                                                           \
	SERVICE("SMTP", 1, net_, host_), SERVICE("ECStream", 2, net_, host_),                      \
		SERVICE("Control", 3, net_, host_), SERVICE("ECmmove2", 4, net_, host_),           \
		SERVICE("ECCluster", 5, net_, host_), SERVICE("inbound_cidr", 6, net_, host_),     \
		SERVICE("HTTP", 7, net_, host_)

static const struct world_count v4_counts[] = {
	ALL("192.0.2.0/24", "192.0.2.7/32"), { "LISTENER", "192.0.2.7/32", 4 }, { NULL, NULL, 0 }
};
static const struct world_count v6_counts[] = { ALL("2001:d00::/24", "2001:db8::7/128"),
						{ "LISTENER", "2001:db8::7/128", 4 },
						{ NULL, NULL, 0 } };

static const char *const services[] = {
	"SMTP", "ECStream", "Control", "ECmmove2", "ECCluster", "inbound_cidr", "HTTP"
};

/* "counts.lua:10: SMTP /24 number 101\n": only what is said. */
static void strip_places(struct buf *logged, struct buf *out)
{
	static const char D50_warning[] = " is a service of a cluster";
	struct slice rest = buf_slice(logged), line;

	while (rest.len > 0) {
		line = slice_cut(rest, '\n', &rest);
		slice_cut(line, ' ', &line);
		if (memmem(line.at, line.len, D50_warning, sizeof D50_warning - 1) != NULL)
			continue;
		assert_true(buf_printf(out, "%.*s\n", SLICE_ARGS(line)));
	}
	buf_clear(logged);
}

static void test_forms(void **state)
{
	static const struct {
		const char *name;
		const char *peer;
		const struct world_count *counts;
	} cases[] = {
		{ "IPv4", "192.0.2.7", v4_counts },
		{ "IPv6, D45", "2001:db8::7", v6_counts },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf want = { 0 }, got = { 0 };
		struct world w;

		world_init(&w);
		w.counts = cases[i].counts;
		w.facts.peer = addr_of(cases[i].peer);
		world_must_load(&w, "tests/lua/counts", NULL);
		world_ask(&w, PHASE_CONNECT);
		for (unsigned s = 0; s < COUNT(services); s++)
			assert_true(buf_printf(
				&want,
				"%s /24 number %u\n%s /32 number %u\n%s /0 number %u\n%s net/24 number %u\n"
				"%s addr number %u\n",
				services[s], 101 + s, services[s], 11 + s, services[s], 6001 + s,
				services[s], 101 + s, services[s], 11 + s));
		strip_places(&w.logged, &got);
		expect_text(cases[i].name, &got, buf_text(&want));
		world_ask(&w, PHASE_EHLO);
		strip_places(&w.logged, &got);
		expect_text(
			cases[i].name, &got,
			"listener number 4\nSMTP /24 number 101\nSMTP peer number 11\nControl /24 number 103\n"
			"pbp /24 number 101\npbp peer number 11\nac as address number 11\n"
			"remote_addr as address number 11\n");
		buf_free(&want);
		buf_free(&got);
		world_fini(&w);
	}
}

static void test_limits(void **state)
{
	static const struct world_count quiet[] = { { "SMTP", "192.0.2.7/32", 10 },
						    { NULL, NULL, 0 } };
	static const struct world_count host[] = { { "SMTP", "192.0.2.7/32", 11 },
						   { NULL, NULL, 0 } };
	static const struct world_count net[] = { { "SMTP", "192.0.2.0/24", 101 },
						  { NULL, NULL, 0 } };
	static const struct world_count all[] = { { "SMTP", "0.0.0.0/0", 20001 },
						  { NULL, NULL, 0 } };
	static const struct {
		const char *name;
		const struct world_count *counts;
		bool trusted;
		uint16_t want_code;
		uint32_t want_delay_ms;
		const char *want_acted;
	} cases[] = {
		{ "quiet", quiet, false, 0, 0, "" },
		{ "one host", host, false, 421, 0,
		  "connect vctx:disconnect limits.lua:21 421 connection limit exceeded: 11 from 192.0.2.7 "
		  "cause=SMTP 192.0.2.7/32 11\n" },
		{ "one net", net, false, 0, 10000,
		  "connect vctx:tarpit limits.lua:25 ms=10000 cause=SMTP 192.0.2.0/24 101\n" },
		{ "trusted", host, true, 0, 0, "" },
		{ "all", all, true, 421, 0,
		  "connect vctx:disconnect limits.lua:15 421 connection limit exceeded cause=SMTP 0.0.0.0/0 20001\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;

		world_init(&w);
		w.counts = cases[i].counts;
		if (cases[i].trusted)
			assert_null(ctx_set(&w.facts.conn, SLICE("trusted"), SLICE("yes")));
		world_must_load(&w, "tests/lua/limits", NULL);
		world_ask(&w, PHASE_CONNECT);
		expect_text(cases[i].name, &w.acted, cases[i].want_acted);
		assert_int_equal(w.verdict.code, cases[i].want_code);
		assert_int_equal(w.verdict.delay_ms, cases[i].want_delay_ms);
		world_fini(&w);
	}
}

/* The method comes from the function table, the field does not: both know what they are for. */
static void test_cause_of_the_field(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_must_load(&w, NULL,
			"local m = {}\n"
			"function m:validate_connect(ac, vctx)\n"
			"  vctx.disconnect = 1\n"
			"  ac:inbound_session_count('/24')\n"
			"  vctx.disconnect = 1\n"
			"  return msys.core.VALIDATE_CONT\n"
			"end\n"
			"msys.registerModule('m', m)\n");
	world_ask(&w, PHASE_CONNECT);
	expect_text("vctx.disconnect", &w.acted,
		    "connect vctx.disconnect limits.lua:3\n"
		    "connect vctx.disconnect limits.lua:5 cause=SMTP 192.0.2.0/24 0\n");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cause_of_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
