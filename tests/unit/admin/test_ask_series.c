/* What inbound_audit answers to (3.10), series, and top --series: exactly. */
#include "asking.h"

#include <jansson.h>

#include "base/clock.h"

/* A quarter of a window of 300 s is over, and half a minute of one of 60. */
enum { QUARTER_MS = 75000 };
static const uint64_t start_ms = (uint64_t)300 * 5666666 * 1000 + QUARTER_MS;

static int set_up(void **state)
{
	clock_stop(true, 1000, start_ms);
	log_set_level(LOG_ERROR + 1);
	*state = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	fixture_free(*state);
	clock_stop(false, 0, 0);
	return 0;
}

struct exchange {
	const char *line;
	const char *want;
};

static void say_all(struct fixture *fx, const struct exchange *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = say(fx, list[i].line);

		if (strcmp(got, list[i].want) != 0)
			fail_msg("%s: got <%s>", list[i].line, got);
	}
}
#define SAY_ALL(fx, list) say_all((fx), (list), sizeof(list) / sizeof *(list))

static void count_events(struct fixture *fx, enum series_event event, const char *peer, unsigned n)
{
	struct addr a;

	assert_null(addr_parse(slice_of(peer), &a));
	while (n-- > 0)
		series_event(fx->f->world.series, event, &a);
}

/* D43, D44, D69: offsets 0 to N, the types one after the other, monitors as configured. */
static void test_show_ip_D69(void **state)
{
	static const struct exchange list[] = {
		{ "inbound_audit show ip 192.0.2.1",
		  "Connections 300/0: 2\nConnections 300/1: 3\nConnections 300/2: 0\n"
		  "Connections 60/0: 2\nConnections 60/1: 0\n"
		  "Receptions 300/0: 1\nReceptions 300/1: 0\nReceptions 300/2: 0\n"
		  "Receptions 60/0: 1\nReceptions 60/1: 0\n"
		  "Rejections 300/0: 0\nRejections 300/1: 0\nRejections 300/2: 0\n"
		  "Rejections 60/0: 0\nRejections 60/1: 0\n. 0\n" },
		{ "inbound_audit:one show ip 192.0.2.99/24",
		  "Connections 300/0: 3\nConnections 300/1: 3\nConnections 300/2: 0\n"
		  "Connections 60/0: 3\nConnections 60/1: 0\n"
		  "Receptions 300/0: 1\nReceptions 300/1: 0\nReceptions 300/2: 0\n"
		  "Receptions 60/0: 1\nReceptions 60/1: 0\n"
		  "Rejections 300/0: 4\nRejections 300/1: 0\nRejections 300/2: 0\n"
		  "Rejections 60/0: 4\nRejections 60/1: 0\n. 0\n" },
		{ "inbound_audit show ip 192.0.2.1/33",
		  ". 64 the mask of an IPv4 block is 0 to 32\n" },
		{ "inbound_audit show ip x", ". 64 not an IPv4 or IPv6 address\n" },
		{ "inbound_audit show ip", ". 64 usage: inbound_audit show ip IP[/MASK]\n" },
	};
	struct fixture *fx = *state;

	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 3);
	clock_stop(true, 1000, start_ms + 300000);
	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 2);
	count_events(fx, EVENT_CONNECTION, "192.0.2.2", 1);
	count_events(fx, EVENT_RECEPTION, "192.0.2.1", 1);
	count_events(fx, EVENT_REJECTION, "192.0.2.3", 4);
	SAY_ALL(fx, list);
	assert_non_null(strstr(say(fx, "inbound_audit show ip 192.0.2.1 --json"),
			       "{\"type\":\"Connections\",\"interval\":300,\"offset\":1,"
			       "\"count\":3,\"count_high\":3},\n"));
	series_monitors(fx->f->world.series, NULL, 0, 0, false);
	assert_string_equal(say(fx, "inbound_audit show ip 192.0.2.1"),
			    ". 1 inbound_audit has no monitors\n");
}

static void test_show_all_D70(void **state)
{
	static const struct exchange list[] = {
		{ "inbound_audit show all",
		  "type,interval,offset,address,count\n"
		  "Connections,300,0,192.0.2.2,1\nConnections,300,0,2001:db8::1,1\n"
		  "Connections,300,1,192.0.2.1,3\n"
		  "Connections,60,0,192.0.2.2,1\nConnections,60,0,2001:db8::1,1\n"
		  "Rejections,300,0,192.0.2.3,4\nRejections,60,0,192.0.2.3,4\n. 0\n" },
		{ "inbound_audit show all now", ". 64 usage: inbound_audit show all\n" },
	};
	struct fixture *fx = *state;

	assert_string_equal(say(fx, "inbound_audit show all"),
			    "type,interval,offset,address,count\n. 0\n");
	assert_string_equal(say(fx, "inbound_audit show all --json"), "[]\n. 0\n");
	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 3);
	clock_stop(true, 1000, start_ms + 300000);
	count_events(fx, EVENT_CONNECTION, "2001:db8::1", 1);
	count_events(fx, EVENT_CONNECTION, "192.0.2.2", 1);
	count_events(fx, EVENT_REJECTION, "192.0.2.3", 4);
	SAY_ALL(fx, list);
	assert_non_null(strstr(say(fx, "inbound_audit show all --json"),
			       "{\"type\":\"Connections\",\"interval\":300,\"offset\":0,"
			       "\"address\":\"2001:db8::1\",\"count\":1},\n"));
}

/* 3.10: three orders of arguments. */
static void test_changes_D70(void **state)
{
	static const struct exchange list[] = {
		{ "inbound_audit add bad 600,6 192.0.2.1 5", "OK\n. 0\n" },
		{ "inbound_audit add bad 600,6 2001:db8::1 7", "OK\n. 0\n" }, /* D57 */
		{ "inbound_audit:x add bad \"600, 6\" 192.0.2.2 1 --json",
		  "{\"result\":\"OK\",\"count\":1,\"count_high\":1}\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.0/24 bad 600,6 0 5", "6\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.1 bad 600,6 0 0", "5\n. 0\n" },
		{ "inbound_audit count_cidr ::/0 bad 600,6 0 0 --json",
		  "{\"count\":7,\"count_high\":7}\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.0/24 bad 600,6 1 5", "0\n. 0\n" },
		{ "inbound_audit subtract bad 600,6 192.0.2.1 2", "OK\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.1 bad 600,6 0 0", "3\n. 0\n" },
		{ "inbound_audit subtract bad 600,6 192.0.2.1 99", "OK\n. 0\n" }, /* D58 */
		{ "inbound_audit count_cidr 192.0.2.0/24 bad 600,6 0 0", "1\n. 0\n" },
		{ "inbound_audit delete_ip 192.0.2.2 bad 600,6", "OK\n. 0\n" },
		{ "inbound_audit delete_ip 192.0.2.2 bad 600,6", "OK\n. 0\n" },
		{ "inbound_audit count_cidr 0.0.0.0/0 bad 600,6 0 0", "0\n. 0\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 999999999999999999", "OK\n. 0\n" },
		/* the built-in ones too */
		{ "inbound_audit add connections 300,2 192.0.2.9 4", "OK\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.9 connections 300,2 0 2", "4\n. 0\n" },
		{ "inbound_audit count_cidr 192.0.2.9 connections 60,1 0 1", "0\n. 0\n" },
	};
	SAY_ALL((struct fixture *)*state, list);
}

static void test_wrong(void **state)
{
	static const struct exchange list[] = {
		{ "inbound_audit", ". 64 \"help inbound_audit\" lists its commands\n" },
		{ "inbound_audit:x", ". 64 \"help inbound_audit\" lists its commands\n" },
		{ "inbound_audit shwo ip", ". 64 \"help inbound_audit\" lists its commands\n" },
		{ "inbound_adit show ip", ". 64 no command \"inbound_adit\"; did you mean "
					  "\"inbound_audit show ip\"?\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1",
		  ". 64 usage: inbound_audit add SERIES MONITOR IP INCREMENT\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 5 6",
		  ". 64 usage: inbound_audit add SERIES MONITOR IP INCREMENT\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 -5",
		  ". 64 usage: inbound_audit add SERIES MONITOR IP INCREMENT\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 1.5",
		  "ERROR: the amount is a number of at most 18 digits\n"
		  ". 64 the amount is a number of at most 18 digits\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 -- -5",
		  "ERROR: the amount is a number of at most 18 digits\n"
		  ". 64 the amount is a number of at most 18 digits\n" },
		{ "inbound_audit add bad 600,6 192.0.2.1 9999999999999999999 --json",
		  ". 64 the amount is a number of at most 18 digits\n" },
		{ "inbound_audit add bad 600 192.0.2.1 5",
		  "ERROR: a monitor is \"SECONDS,WINDOWS\"\n"
		  ". 64 a monitor is \"SECONDS,WINDOWS\"\n" },
		{ "inbound_audit add bad 0,6 192.0.2.1 5",
		  "ERROR: a monitor's SECONDS are 1 to 31622400\n"
		  ". 64 a monitor's SECONDS are 1 to 31622400\n" },
		{ "inbound_audit add bad 600,6 192.0.2.0/24 5",
		  "ERROR: not an IPv4 or IPv6 address\n. 64 not an IPv4 or IPv6 address\n" },
		{ "inbound_audit add connections 301,6 nonsense 5",
		  "ERROR: not an IPv4 or IPv6 address\n. 64 not an IPv4 or IPv6 address\n" },
		{ "inbound_audit subtract bad 600,6 192.0.2.1 5",
		  "ERROR: no series \"bad\" has the monitor 600,6\n"
		  ". 64 no series \"bad\" has the monitor 600,6\n" },
		{ "inbound_audit delete_ip 192.0.2.1 bad 600,6",
		  "ERROR: no series \"bad\" has the monitor 600,6\n"
		  ". 64 no series \"bad\" has the monitor 600,6\n" },
		{ "inbound_audit count_cidr 192.0.2.1 bad 600,6 0 5",
		  ". 64 no series \"bad\" has the monitor 600,6\n" },
		{ "inbound_audit count_cidr bad 600,6 192.0.2.1 0 5",
		  ". 64 a monitor is \"SECONDS,WINDOWS\"\n" },
		{ "inbound_audit count_cidr 192.0.2.1 connections 300,2 0 3",
		  ". 64 window 3 is not one of 0 to 2\n" },
		{ "inbound_audit count_cidr 192.0.2.1 connections 300,2 2 1",
		  ". 64 windows 2 to 1: the end is before the start\n" },
		{ "inbound_audit count_cidr 192.0.2.1 connections 300,2 a 1",
		  ". 64 START and END are numbers of windows, 0 the current one\n" },
		{ "inbound_audit load bad",
		  "ERROR: nothing is saved here\n. 1 nothing is saved here\n" },
		{ "inbound_audit save --json", ". 1 nothing is saved here\n" },
		{ "inbound_audit load", ". 64 usage: inbound_audit load SERIES [FILE]\n" },
		{ "series nonsense", ". 64 no series \"nonsense\"\n" },
		{ "series nonsense --json", ". 64 no series \"nonsense\"\n" },
		{ "top --series nonsense", ". 64 there is no series nonsense\n" },
		{ "top --series connections --window 3", ". 64 window 3 is not one of 0 to 2\n" },
		{ "top SMTP --series connections", ". 64 a service does not go with --series\n" },
		{ "top --by auto", ". 64 --by auto and --window go with --series\n" },
		{ "top --window 1", ". 64 --by auto and --window go with --series\n" },
		{ "top --series connections --by 33 -4", ". 64 the series keeps no such blocks\n" },
	};
	static const char *const usages[] = {
		"top --series", "top --series connections --window", "top --window 2-1",
		"top --series connections --window x", "top --series connections --window 1-",
		"top --series connections --window -1", "top --series connections --by x",
		"top --series connections --by 129", "top --series connections --limit 0",
		"series a b", "status --series x",
	};
	struct fixture *fx = *state;

	SAY_ALL(fx, list);
	for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
		if (strstr(say(fx, usages[i]), ". 64 usage: ") != fx->all.at)
			fail_msg("%s: got <%s>", usages[i], buf_text(&fx->all));
	assert_null(series_nth(fx->f->world.series, 6)); /* two monitors: nothing was made */
}

static void define(struct fixture *fx, const char *name, enum series_type type, size_t max_bytes)
{
	struct series_definition d = {
		.type = type, .monitor = { 600, 3 }, .max_bytes = max_bytes
	};
	bool dropped;

	snprintf(d.name, sizeof d.name, "%s", name);
	assert_null(series_define(fx->f->world.series, &d, &dropped));
}

static void test_texts(void **state)
{
	static const struct exchange list[] = {
		{ "inbound_audit add login 600,3 anna 5", "OK\n. 0\n" },
		{ "inbound_audit add login 600,3 \"b o b\" 3", "OK\n. 0\n" },
		{ "inbound_audit add login 600,3 -- -x 2", "OK\n. 0\n" },
		{ "inbound_audit count_cidr anna login 600,3 0 2", "5\n. 0\n" },
		{ "inbound_audit count_cidr ann login 600,3 0 2", "0\n. 0\n" },
		{ "top --series login --limit 2",
		  "login@600,3, windows 0 to 0: 10 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  KEY\n"
		  "         5          5   50.0%  anna\n"
		  "         3          3   30.0%  b o b\n"
		  "any other key has less than 4 outside of these\n. 0\n" },
		{ "top --series login --json --window 0-2",
		  "{\"series\":\"login\",\"monitor\":\"600,3\",\"first\":0,\"last\":2,\"total\":10,"
		  "\"below\":1,\"windows_folded\":0,\n\"top\":["
		  "{\"key\":\"anna\",\"amount\":5,\"amount_high\":5,\"residual\":5,"
		  "\"share_ppm\":500000},\n"
		  "{\"key\":\"b o b\",\"amount\":3,\"amount_high\":3,\"residual\":3,"
		  "\"share_ppm\":300000},\n"
		  "{\"key\":\"-x\",\"amount\":2,\"amount_high\":2,\"residual\":2,"
		  "\"share_ppm\":200000}]}\n. 0\n" },
		{ "inbound_audit delete_ip anna login 600,3", "OK\n. 0\n" },
		{ "inbound_audit subtract login 600,3 \"b o b\" 1", "OK\n. 0\n" },
		{ "top --series login@600,3",
		  "login@600,3, windows 0 to 0: 4 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  KEY\n"
		  "         2          2   50.0%  -x\n"
		  "         2          2   50.0%  b o b\n"
		  "any other key has less than 1 outside of these\n. 0\n" },
		{ "top --series login --by 24", ". 64 a series of texts has no blocks\n" },
		{ "top --series login -6", ". 64 a series of texts has no blocks\n" },
	};
	struct fixture *fx = *state;

	define(fx, "login", SERIES_STRING, 0);
	SAY_ALL(fx, list);
}

static void test_top(void **state)
{
	static const struct exchange list[] = {
		{ "top --series connections --limit 4",
		  "connections@300,2, windows 0 to 0: 40 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  PREFIX\n"
		  "        21         21   52.5%  192.0.2.7/32\n"
		  "        11         11   27.5%  192.0.2.0/30\n"
		  "any other block has less than 10 outside of these\n. 0\n" },
		{ "top --series connections@300,2 --limit 1 -6 --by auto",
		  "connections@300,2, windows 0 to 0: 8 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  PREFIX\n"
		  "         8          8  100.0%  2001:db8::/127\n"
		  "any other block has less than 8 outside of these\n. 0\n" },
		{ "top --series connections --window 0-1 --by 24 -4",
		  "connections@300,2, windows 0 to 1: 35 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  PREFIX\n"
		  "        35         35  100.0%  192.0.2.0/24\n"
		  "any other block has less than 1 outside of these\n. 0\n" },
		{ "top --series connections --window 0-2 --by 31 --limit 2",
		  "connections@300,2, windows 0 to 2: 47 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  PREFIX\n"
		  "        21         21   44.7%  192.0.2.6/31\n"
		  "        12         12   25.5%  2001:db8::/31\n"
		  "any other block has less than 13 outside of these\n. 0\n" },
		{ "top --series connections --window 1 --json",
		  "{\"series\":\"connections\",\"monitor\":\"300,2\",\"first\":1,\"last\":1,"
		  "\"total\":7,\"below\":1,\"windows_folded\":0,\n\"top\":["
		  "{\"prefix\":\"192.0.2.1/32\",\"amount\":3,\"amount_high\":3,\"residual\":3,"
		  "\"share_ppm\":428571},\n"
		  "{\"prefix\":\"2001:db8::/128\",\"amount\":2,\"amount_high\":2,\"residual\":2,"
		  "\"share_ppm\":285714},\n"
		  "{\"prefix\":\"2001:db8::1/128\",\"amount\":2,\"amount_high\":2,\"residual\":2,"
		  "\"share_ppm\":285714}]}\n. 0\n" },
		{ "top --series receptions",
		  "receptions@300,2, windows 0 to 0: 0 in all\n"
		  "    AMOUNT   RESIDUAL   SHARE  PREFIX\n"
		  "any other block has less than 1 outside of these\n. 0\n" },
	};
	struct fixture *fx = *state;

	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 3);
	count_events(fx, EVENT_CONNECTION, "2001:db8::", 2);
	count_events(fx, EVENT_CONNECTION, "2001:db8::1", 2);
	clock_stop(true, 1000, start_ms + 300000);
	count_events(fx, EVENT_CONNECTION, "192.0.2.7", 21);
	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 6);
	count_events(fx, EVENT_CONNECTION, "192.0.2.2", 5);
	count_events(fx, EVENT_CONNECTION, "2001:db8::", 4);
	count_events(fx, EVENT_CONNECTION, "2001:db8::1", 4);
	SAY_ALL(fx, list);
}

static void test_series(void **state)
{
	struct fixture *fx = *state;
	const char *got;

	define(fx, "bad rcpt", SERIES_CIDR, 1 << 20);
	say(fx, "inbound_audit add \"bad rcpt\" 600,3 192.0.2.1 5");
	say(fx, "inbound_audit add here 60,1 192.0.2.1 5");
	got = say(fx, "series \"bad rcpt\" --json");
	assert_ptr_equal(strstr(got, "[{\"name\":\"bad rcpt\",\"monitor\":\"600,3\","
				     "\"type\":\"cidr\",\"made_by\":\"lua\",\"persist\":0,"
				     "\"serialize\":0,\"replicate\":\"none\",\"bytes\":"),
			 got);
	assert_non_null(strstr(got, ",\"max_bytes\":1048576,\"windows_used\":1,\"events\":1,"
				    "\"windows_folded\":0,\"folds\":0,\"folded_since\":\"\","
				    "\"keys_dropped\":0}]\n. 0\n"));
	got = say(fx, "series here@60,1");
	assert_non_null(strstr(got, "\nhere                     60,1       address   use     "));
	got = say(fx, "series connections");
	assert_non_null(strstr(got, "connections              300,2      address   monitor "));
	assert_non_null(strstr(got, "connections              60,1       address   monitor "));
	assert_null(strstr(got, "receptions"));
	got = say(fx, "series --json");
	assert_non_null(strstr(got, "\"rejections\""));
	assert_non_null(strstr(got, "\"bad rcpt\""));
	assert_non_null(strstr(say(fx, "status --json"), "\"series\":8,\n\"series_bytes\":"));
	assert_non_null(strstr(say(fx, "status --json"), "\n\"next_hops\":[]}\n"));
	assert_non_null(strstr(say(fx, "stats"), "series_events  2 additions to series\n"
						 "series_folds   0 folds for want of room\n"));
}

/* 3.2, D46: 75 of 300 s are over, and 15 of 60. */
static void test_why_shows_what_was_lately_D46(void **state)
{
	struct fixture *fx = *state;

	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 40);
	clock_stop(true, 1000, start_ms + 300000);
	count_events(fx, EVENT_CONNECTION, "192.0.2.1", 8);
	count_events(fx, EVENT_REJECTION, "192.0.2.2", 1);
	assert_string_equal(say(fx, "why 192.0.2.1"),
			    "no action on it is remembered\n"
			    " SESSIONS ADDRESSES  PREFIX\n"
			    "        0         0  192.0.2.1/32\n        0         0  192.0.2.0/24\n"
			    "        0         0  192.0.0.0/16\n        0         0  192.0.0.0/8\n"
			    "CONNECTIONS RECEPTIONS REJECTIONS  MONITOR    PREFIX\n"
			    "         38          0          0  300,2      192.0.2.1/32\n"
			    "         38          0          1  300,2      192.0.2.0/24\n"
			    "         38          0          1  300,2      192.0.0.0/16\n"
			    "         38          0          1  300,2      192.0.0.0/8\n"
			    "          8          0          0  60,1       192.0.2.1/32\n"
			    "          8          0          1  60,1       192.0.2.0/24\n"
			    "          8          0          1  60,1       192.0.0.0/16\n"
			    "          8          0          1  60,1       192.0.0.0/8\n. 0\n");
	assert_non_null(strstr(say(fx, "why 192.0.0.0/16 --json"),
			       "\n\"series\":[{\"monitor\":\"300,2\",\"prefix\":\"192.0.0.0/16\","
			       "\"connections\":38,\"connections_high\":38,\"receptions\":0,"
			       "\"receptions_high\":0,\"rejections\":1,\"rejections_high\":1},\n"));
}

static void test_help(void **state)
{
	struct fixture *fx = *state;
	const char *got = say(fx, "inbound_audit help");

	assert_ptr_equal(strstr(got, "inbound_audit show ip IP[/MASK]\n"), got);
	assert_non_null(strstr(got, "\ninbound_audit count_cidr IP[/MASK] SERIES MONITOR "
				    "START END\n"));
	assert_non_null(strstr(got, "\ninbound_audit delete_ip IP SERIES MONITOR\n"));
	assert_null(strstr(got, "\ncount "));
	got = say(fx, "help inbound_audit show ip");
	assert_ptr_equal(strstr(got, "inbound_audit show ip"), got);
	assert_null(strstr(got, "show all"));
}

/* An address spray over the smallest budget: what is printed are bounds, and they hold. */
static void test_folds(void **state)
{
	enum { SPRAY = 60000, LEGIT = 500 };
	struct fixture *fx = *state;
	struct series *s;
	struct bounds left;
	struct series_key key = { .block.len = 128 };
	const char *got, *why = NULL;
	unsigned long total;

	define(fx, "spray", SERIES_CIDR_IPV6, SERIES_BYTES_MIN);
	s = series_named(fx->f->world.series, SLICE("spray"), &why);
	assert_non_null(s);
	for (unsigned i = 0; i < SPRAY; i++) {
		key.block.addr = (struct addr){ 0x20010db800000000 + i * 2654435761u, i, ADDR_V6 };
		assert_null(series_add(s, &key, 1, NULL));
	}
	assert_null(cidr_parse(SLICE("2a00:1::1"), &key.block));
	assert_null(series_add(s, &key, LEGIT, NULL));
	got = say(fx, "top --series spray --limit 5");
	total = strtoul(strstr(got, ": ") + 2, NULL, 10);
	assert_int_equal(total, SPRAY + LEGIT);
	assert_non_null(strstr(got, "below what was folded"));
	got = say(fx, "top --series spray --limit 1000 --json");
	assert_non_null(strstr(got, "\"prefix\":\"2a00:1::1/128\",\"amount\":500,"
				    "\"amount_high\":500,"));
	got = say(fx, "top --series spray --by 32 --json");
	assert_non_null(strstr(got, "\"prefix\":\"2001:db8::/32\",\"amount\":60000,"
				    "\"amount_high\":60000,"));
	assert_null(cidr_parse(SLICE("2001:db8::1"), &key.block));
	assert_null(series_sum(s, &key, 0, 0, &left));
	got = say(fx, "inbound_audit count_cidr 2001:db8::1 spray 600,3 0 0 --json");
	total = strtoul(strstr(got, "_high\":") + 7, NULL, 10);
	assert_int_equal(total, left.high);
	got = say(fx, "series spray");
	assert_non_null(strstr(got, " folds, full since 20"));
}

static int falling(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The largest over several windows, each with other addresses, against adding up all of them. */
static void test_top_over_windows(void **state)
{
	enum { BLOCKS = 256, ADDITIONS = 3000, LIMIT = 40 };
	struct fixture *fx = *state;
	struct series *s;
	uint64_t sums[BLOCKS] = { 0 };
	json_t *top, *row;
	char *text;
	size_t i;

	define(fx, "all", SERIES_CIDR, 1 << 20);
	s = series_defined(fx->f->world.series, SLICE("all"));
	srand(11);
	for (unsigned n = 0; n < ADDITIONS; n++) {
		unsigned block = (unsigned)(rand() % BLOCKS * (rand() % BLOCKS) / BLOCKS);
		uint64_t host = (0x0a000000 + (block << 8)) | (unsigned)(rand() % 256);
		struct series_key key = { .block = { { host << 32, 0, ADDR_V4 }, 32 } };
		int64_t amount = 1 + rand() % 20 * (n % 7 == 0);

		clock_stop(true, 1000, start_ms + (uint64_t)(n / (ADDITIONS / 3)) * 600000);
		assert_null(series_add(s, &key, amount, NULL));
		sums[block] += (uint64_t)amount;
	}
	qsort(sums, BLOCKS, sizeof *sums, falling);
	say(fx, "top --series all --by 24 --window 0-2 --limit 40 --json");
	text = mem_strndup(fx->all.at, fx->all.len - strlen(". 0\n"));
	top = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(top, "top")), LIMIT);
	json_array_foreach(json_object_get(top, "top"), i, row)
		assert_int_equal(json_integer_value(json_object_get(row, "amount")), sums[i]);
	assert_int_equal(json_integer_value(json_object_get(top, "below")), sums[LIMIT - 1] + 1);
	json_decref(top);
	free(text);
}

/* A listing is made in steps, and who leaves in the middle leaves nothing behind. */
static void test_many(void **state)
{
	enum { MANY = 6000 };
	struct fixture *fx = *state;
	static const struct monitor roomy = { 86400, 1 };
	struct series *s;
	unsigned lines = 0;
	struct ask a;
	char all[] = "inbound_audit show all", top[] = "top --series connections --by 32";

	series_monitors(fx->f->world.series, &roomy, 1, 8 << 20, false);
	s = series_builtin(fx->f->world.series, EVENT_CONNECTION, 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct addr addr = { (0x0a000000ull + i) << 32, 0, i % 2 ? ADDR_V4 : ADDR_V6 };
		struct series_key key = { .block = { addr, 32 } };

		assert_null(series_add(s, &key, 1 + i % 3, NULL));
	}
	for (const char *c = say(fx, all); *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 1 + MANY + 1); /* each once, wherever a step ends */
	assert_true(fx->steps > 2);
	assert_int_equal(ask_begin(&a, &fx->by, all, strlen(all)), ASK_MORE);
	assert_true(fx->out.len < 2 * ASK_STEP);
	ask_end(&a);
	buf_clear(&fx->out);
	ask_begin(&a, &fx->by, top, strlen(top));
	ask_end(&a);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_show_ip_D69), ROW(test_show_all_D70), ROW(test_changes_D70),
		ROW(test_wrong), ROW(test_texts), ROW(test_top), ROW(test_series),
		ROW(test_why_shows_what_was_lately_D46), ROW(test_help), ROW(test_folds),
		ROW(test_top_over_windows), ROW(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
