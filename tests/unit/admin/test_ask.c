/* Commands and their answers: the table, the words, the framing. */
#include "asking.h"

#include "base/clock.h"

static int set_up(void **state)
{
	static const char *const peers[] = {
		"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.3.1", "198.51.100.9",
		"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1",
	};
	struct fixture *fx = fixture_new();

	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		fake_world_enter(fx->f, peers[i]);
	log_set_level(LOG_ERROR);
	*state = fx;
	return 0;
}

static int tear_down(void **state)
{
	fixture_free(*state);
	return 0;
}

static void test_answers(void **state)
{
	static const struct {
		const char *line;
		const char *want;
	} cases[] = {
		{ "count SMTP 192.0.2.0/24", "3\n. 0\n" },
		{ "count SMTP 192.0.2.1", "2\n. 0\n" },
		{ "count SMTP ::/0", "3\n. 0\n" },
		{ "count SMTP [2001:db8::]/64", "2\n. 0\n" },
		{ "count inbound_cidr 192.0.2.0/24", "3\n. 0\n" },
		{ "count SMTP@127.0.0.1:25 0.0.0.0/0", "5\n. 0\n" },
		{ "count \"SMTP@127.0.0.1:25\" 0.0.0.0/0", "5\n. 0\n" },
		{ "count ECStream 0.0.0.0/0", "0\n. 0\n" },
		{ "count --json SMTP 192.0.2.9/24",
		  "{\"service\":\"SMTP\",\"prefix\":\"192.0.2.0/24\",\"count\":3}\n. 0\n" },
		{ "distinct SMTP 192.0.2.0/24", "2\n. 0\n" },
		{ "distinct SMTP 0.0.0.0/0 --json",
		  "{\"service\":\"SMTP\",\"prefix\":\"0.0.0.0/0\",\"distinct\":4}\n. 0\n" },
		{ "count SMTP 16-24 -4",
		  "4 192.0.0.0/16\n 4 192.0.0.0/17\n  4 192.0.0.0/18\n   4 192.0.0.0/19\n"
		  "    4 192.0.0.0/20\n     4 192.0.0.0/21\n      4 192.0.0.0/22\n"
		  "       4 192.0.2.0/23\n        3 192.0.2.0/24\n        1 192.0.3.0/24\n"
		  "1 198.51.0.0/16\n 1 198.51.0.0/17\n  1 198.51.64.0/18\n   1 198.51.96.0/19\n"
		  "    1 198.51.96.0/20\n     1 198.51.96.0/21\n      1 198.51.100.0/22\n"
		  "       1 198.51.100.0/23\n        1 198.51.100.0/24\n. 0\n" },
		{ "count SMTP 24-24",
		  "3 192.0.2.0/24\n1 192.0.3.0/24\n1 198.51.100.0/24\n3 2001:d00::/24\n. 0\n" },
		{ "count SMTP 64-64", "2 2001:db8::/64\n1 2001:db8:0:1::/64\n. 0\n" },
		{ "count SMTP 64-64 -4", ". 0\n" },
		{ "count SMTP 32-33 -4 -6 --json",
		  "[{\"prefix\":\"192.0.2.1/32\",\"count\":2,\"distinct\":1},\n"
		  "{\"prefix\":\"192.0.2.2/32\",\"count\":1,\"distinct\":1},\n"
		  "{\"prefix\":\"192.0.3.1/32\",\"count\":1,\"distinct\":1},\n"
		  "{\"prefix\":\"198.51.100.9/32\",\"count\":1,\"distinct\":1},\n"
		  "{\"prefix\":\"2001:db8::/32\",\"count\":3,\"distinct\":3},\n"
		  "{\"prefix\":\"2001:db8::/33\",\"count\":3,\"distinct\":3}]\n. 0\n" },
		{ "top",
		  " SESSIONS ADDRESSES  PREFIX\n        3         2  192.0.2.0/24\n"
		  "        2         2  2001:db8::/64\n        1         1  192.0.3.0/24\n"
		  "        1         1  198.51.100.0/24\n        1         1  2001:db8:0:1::/64\n. 0\n" },
		{ "top --by 32 --limit 2 -4",
		  " SESSIONS ADDRESSES  PREFIX\n        2         1  192.0.2.1/32\n"
		  "        1         1  192.0.2.2/32\n. 0\n" },
		{ "top --by 48 --json",
		  "[{\"prefix\":\"2001:db8::/48\",\"count\":3,\"distinct\":3}]\n. 0\n" },
		{ "top ECStream", " SESSIONS ADDRESSES  PREFIX\n. 0\n" },
		{ "who --json", "[]\n. 0\n" },
		{ "show inbound", ". 0\n" },
		{ "who 10.0.0.0/8 --json", "[]\n. 0\n" },
		{ "kick 192.0.2.0/24", "kicked 0\n. 0\n" },
		{ "kick 192.168.100.0/24", "kicked 0\n. 0\n" }, /* as long as an id */
		{ "kick 0000000000000001", ". 1 no session 0000000000000001\n" },
		{ "stats reset", ". 0\n" },
		{ "reload", "! x.conf:2:3: warning: old\\x0astyle\nloaded /etc/x.conf\n. 0\n" },
		{ "drain", "draining, 0 sessions\n. 0\n" },
		{ "stop --json", "{\"state\":\"stopping\",\"sessions\":0}\n. 0\n" },
		{ "help stats reset",
		  "stats reset\n        set the policy counters to zero\n. 0\n" },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = say(fx, cases[i].line);

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got <%s>", cases[i].line, got);
	}
	assert_int_equal(fx->f->reloads, 1);
	assert_int_equal(fx->f->drains, 1);
	assert_int_equal(fx->f->stops, 1);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *line;
		const char *want;
	} cases[] = {
		{ "", ". 64 no command; \"help\" lists them\n" },
		{ "cuont SMTP 1.2.3.4", ". 64 no command \"cuont\"; did you mean \"count\"?\n" },
		{ "shwo inbound", ". 64 no command \"shwo\"; did you mean \"show inbound\"?\n" },
		{ "show", ". 64 no command \"show\"; did you mean \"show inbound\"?\n" },
		{ "COUNT SMTP 1.2.3.4", ". 64 no command \"COUNT\"; did you mean \"count\"?\n" },
		{ "xyzzy", ". 64 no command \"xyzzy\"; \"help\" lists them\n" },
		{ "help xyzzy", ". 64 no command \"xyzzy\"; \"help\" lists them\n" },
		{ "\"\"", ". 64 no command \"\"; \"help\" lists them\n" },
		{ "status now", ". 64 usage: status\n" },
		{ "status --limit 3", ". 64 usage: status\n" },
		{ "why", ". 64 usage: why ADDRESS [--limit N]\n" },
		{ "why 1.2.3.4 --limit", ". 64 usage: why ADDRESS [--limit N]\n" },
		{ "why 1.2.3.4 --limit 0", ". 64 usage: why ADDRESS [--limit N]\n" },
		{ "why 1.2.3.4 --limit 1001", ". 64 usage: why ADDRESS [--limit N]\n" },
		{ "why 1.2.3", ". 64 not an IPv4 or IPv6 address\n" },
		{ "count smtp 1.2.3.4", ". 64 no service is named \"smtp\"\n" },
		{ "count SMTP@25 1.2.3.4", ". 64 SMTP has no endpoint \"25\"\n" },
		{ "count SMTP 1.2.3.4/33", ". 64 the mask of an IPv4 block is 0 to 32\n" },
		{ "count SMTP /24", ". 64 not an IPv4 or IPv6 address\n" },
		{ "count SMTP 1.2.3.4 -4",
		  ". 64 -4 and -6 go with FIRST-LAST: a prefix has a family\n" },
		{ "count SMTP 24-16", ". 64 \"24-16\" is not FIRST-LAST, lengths from 0 to 128\n" },
		{ "count SMTP 16-129",
		  ". 64 \"16-129\" is not FIRST-LAST, lengths from 0 to 128\n" },
		{ "count SMTP 16-", ". 64 \"16-\" is not FIRST-LAST, lengths from 0 to 128\n" },
		{ "count SMTP 1-2-3", ". 64 \"1-2-3\" is not FIRST-LAST, lengths from 0 to 128\n" },
		{ "kick me",
		  ". 64 \"me\" is no session (16 hex digits) and not an IPv4 or IPv6 address\n" },
		{ "count \"SMTP", ". 64 a quote is not closed\n" },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = say(fx, cases[i].line);

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got <%s>", cases[i].line, got);
	}
}

static void test_rights(void **state)
{
	struct fixture *fx = *state;

	fx->by.rights = RIGHT_LOOK;
	assert_string_equal(say(fx, "reload"), ". 1 \"reload\" is not permitted\n");
	assert_string_equal(say(fx, "kick 0.0.0.0/0"), ". 1 \"kick\" is not permitted\n");
	assert_string_equal(say(fx, "count SMTP 192.0.2.0/24"), "3\n. 0\n");
	assert_int_equal(fx->f->reloads, 0);
	fx->by.rights = 0;
	assert_string_equal(say(fx, "help"), ". 1 \"help\" is not permitted\n");
}

static void test_reload_fails(void **state)
{
	struct fixture *fx = *state;

	fx->f->reload_fails = true;
	assert_string_equal(
		say(fx, "reload"),
		"! x.conf:2:3: warning: old\\x0astyle\n! x.conf:4:5: wrong\n. 1 nothing was changed\n");
}

/* 1.8 */
static void test_ledger_T15(void **state)
{
	struct fixture *fx = *state;
	struct audit_read cause = { .service = "SMTP", .count = 41 };
	struct action action = {
		.kind = ACTION_TARPIT,
		.phase = PHASE_CONNECT,
		.name = "ec_tarpit",
		.file = "/p/c.sieve",
		.line = 6,
		.ms = 10500,
		.counter = SLICE("slow:net"),
		.cause = &cause,
	};
	struct addr peer;
	const char *stats;

	clock_stop(true, 5, 1700000000000);
	ledger_reset(fx->f->world.ledger);
	assert_null(addr_parse(SLICE("192.0.2.1"), &peer));
	cause.block = cidr_of(&peer, 24);
	ledger_add(fx->f->world.ledger, 0xabc, &peer, &action);
	action.kind = ACTION_DISCONNECT;
	action.code = 421;
	action.text = SLICE("4.7.0 no");
	action.ms = 0;
	action.observe = true;
	action.cause = NULL;
	ledger_add(fx->f->world.ledger, 0xabd, &peer, &action);
	series_monitors(fx->f->world.series, NULL, 0, 0, false); /* test_ask_series.c has them */
	assert_string_equal(
		say(fx, "why 192.0.2.1"),
		"2023-11-14T22:13:20.000Z 0000000000000abd 192.0.2.1: ec_tarpit 421 4.7.0 no (observed, not done) "
		"\"slow:net\" (/p/c.sieve:6), connect\n"
		"2023-11-14T22:13:20.000Z 0000000000000abc 192.0.2.1: ec_tarpit 10.500s \"slow:net\" "
		"(/p/c.sieve:6), connect, for 41 live of 192.0.2.0/24 on SMTP\n"
		" SESSIONS ADDRESSES  PREFIX\n"
		"        2         1  192.0.2.1/32\n        3         2  192.0.2.0/24\n"
		"        4         3  192.0.0.0/16\n        4         3  192.0.0.0/8\n. 0\n");
	assert_string_equal(
		say(fx, "why 2001:db8::1 --json"),
		"{\"actions\":[],\n\"blocks\":[{\"prefix\":\"2001:db8::1/128\",\"count\":1,\"distinct\":1},\n"
		"{\"prefix\":\"2001:db8::/64\",\"count\":2,\"distinct\":2},\n"
		"{\"prefix\":\"2001:db8::/56\",\"count\":3,\"distinct\":3},\n"
		"{\"prefix\":\"2001:db8::/48\",\"count\":3,\"distinct\":3},\n"
		"{\"prefix\":\"2001:db8::/32\",\"count\":3,\"distinct\":3}],\n\"series\":[]}\n. 0\n");
	assert_non_null(strstr(say(fx, "why 192.0.2.0/24 --limit 1"), "0abd"));
	assert_null(strstr(say(fx, "why 192.0.2.0/24 --limit 1"), "0abc"));
	stats = say(fx, "stats");
	assert_ptr_equal(strstr(stats, "sieve statistics since: 2023-11-14 22:13:20\n"
				       "connect:slow:net (4xx) = 1\n"
				       "connect:slow:net (informational) = 1\n"
				       "connections    0 connections accepted\n"),
			 stats);
	clock_stop(false, 0, 0);
}

/* A series that led to something is told as one. */
static void test_why_series(void **state)
{
	struct fixture *fx = *state;
	struct audit_read cause = { .service = "connections 300,6", .is_series = true, .count = 41 };
	struct action action = {
		.kind = ACTION_TARPIT,
		.phase = PHASE_CONNECT,
		.name = "ec_tarpit",
		.file = "c.sieve",
		.line = 6,
		.ms = 1000,
		.cause = &cause,
	};
	struct addr peer;

	assert_null(addr_parse(SLICE("198.51.100.1"), &peer));
	cause.block = cidr_of(&peer, 24);
	ledger_add(fx->f->world.ledger, 0xabc, &peer, &action);
	assert_non_null(strstr(say(fx, "why 198.51.100.1"),
			       "connect, for 41 connections 300,6 of 198.51.100.0/24\n"));
	cause = (struct audit_read){ .service = "login bob", .is_series = true, .count = 7 };
	ledger_add(fx->f->world.ledger, 0xabc, &peer, &action);
	assert_non_null(strstr(say(fx, "why 198.51.100.1 --limit 1"), "connect, for 7 login bob\n"));
	assert_non_null(strstr(say(fx, "why 198.51.100.1 --limit 1 --json"), "\"prefix\":\"\""));
}

/* Who leaves in the middle leaves nothing behind. */
static void test_leave(void **state)
{
	static const char *const lines[] = { "who", "top", "kick 0.0.0.0/0", "count SMTP 0-128" };
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char *line = mem_strdup(lines[i]);
		struct ask a;

		buf_clear(&fx->out);
		ask_begin(&a, &fx->by, line, strlen(line));
		ask_end(&a);
		free(line);
	}
	while (fx->errands > 0) { /* they come home to nobody */
		struct timer soon;

		timer_init(&soon, fx->loop, (void (*)(void *))loop_stop, fx->loop);
		timer_set(&soon, 1);
		loop_run(fx->loop);
		timer_stop(&soon);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ledger_T15, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_why_series, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leave, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
