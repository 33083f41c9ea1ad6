/* Series from Lua (3.7): what a script defines, and what it reads of what it added. */
#include "base/clock.h"
#include "series/series.h"
#include "world.h"

static const struct monitor monitors[] = { { 60, 10 } };

static void begin(struct world *w)
{
	world_init(w);
	w->conf.monitors = monitors;
	w->conf.monitor_count = COUNT(monitors);
	w->host.series = series_all_new();
	series_monitors(w->host.series, monitors, COUNT(monitors), SERIES_BYTES_STANDARD, false);
	clock_stop(true, 1000, UINT64_C(1800000000000));
}

/* As the daemon does with a set that it adopts. */
static void adopt(struct world *w)
{
	const struct series_definition *d;
	bool dropped;

	for (unsigned n = 0; (d = policy_set_definition(w->set, n)); n++)
		assert_null(series_define(w->host.series, d, &dropped));
}

static void end(struct world *w)
{
	world_fini(w);
	series_all_free(w->host.series);
	clock_stop(false, 0, 0);
}

/* "series.lua:27: peer number 5 5\n": only what is said. */
static void expect_said(struct world *w, const char *name, const char *want)
{
	struct slice rest = buf_slice(&w->logged), line;
	struct buf got = { 0 };

	while (rest.len > 0) {
		line = slice_cut(rest, '\n', &rest);
		slice_cut(line, ' ', &line);
		assert_true(buf_printf(&got, "%.*s\n", SLICE_ARGS(line)));
	}
	expect_text(name, &got, want);
	buf_free(&got);
	buf_clear(&w->logged);
}

static void test_define_add_count_remove(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	world_must_load(&w, "tests/lua/series", NULL);
	adopt(&w);
	series_event(w.host.series, EVENT_CONNECTION, &w.facts.peer);
	series_event(w.host.series, EVENT_CONNECTION, &w.facts.peer);
	series_event(w.host.series, EVENT_RECEPTION, &w.facts.peer);
	world_ask(&w, PHASE_CONNECT);
	expect_said(&w, "connect",
		    "peer number 5 5\nac number 5 5\nac in a table number 5 5\n"
		    "no options number 5 5\n/24 number 5 5\nD62 the other family number 0 0\n"
		    "/64 as one number 2 2\neverybody number 2 2\nD63 removed number 0 0\n");
	world_ask(&w, PHASE_EHLO);
	expect_said(&w, "ehlo",
		    "text number 3 3\nremoved number 0 0\nconnections number 2 2\n"
		    "D107 alias number 2 2\nreceptions number 1 1\nrejections number 0 0\n");
	expect_text("what led to it", &w.acted,
		    "ehlo vctx:tarpit series.lua:50 ms=1000 cause=connections 60,10 "
		    "192.0.2.0/24 2\n");
	end(&w);
}

/* Whoever observes counts all the same: it is nothing that is done to a client. */
static void test_observed_counts(void **state)
{
	static const struct series_key everybody = { .block.addr.family = ADDR_V4 };
	struct bounds sum;
	struct world w;

	(void)state;
	begin(&w);
	w.script.observe = true;
	world_must_load(&w, NULL,
			"local m = {}\n"
			"function m:init() return msys.audit_series.define('s', 'cidr', 60, 5) end\n"
			"function m:validate_connect() msys.audit_series.add('s') return 0 end\n"
			"msys.registerModule('m', m)\n");
	adopt(&w);
	world_ask(&w, PHASE_CONNECT);
	assert_null(series_sum(series_defined(w.host.series, SLICE("s")), &everybody, 0, 0, &sum));
	assert_int_equal(sum.low, 1);
	end(&w);
}

/* #6324: a reload runs init again, in every worker, and the original counted double from then on. */
static void test_6324_reload(void **state)
{
	static const char same[] =
		"local m = {}\n"
		"function m:init() return msys.audit_series.define('s', 'cidr', 60, 5) end\n"
		"function m:validate_connect() msys.audit_series.add('s')\n"
		"print(msys.audit_series.count('s')) return 0 end\n"
		"msys.registerModule('m', m)\n";
	struct policy_set *old;
	struct world w;

	(void)state;
	begin(&w);
	world_must_load(&w, NULL, same);
	adopt(&w);
	world_ask(&w, PHASE_CONNECT);
	expect_said(&w, "first", "1\t1\n");
	world_session_over(&w);
	for (unsigned i = 2; i < 4; i++) {
		char want[16];

		old = w.set;
		world_must_load(&w, NULL, same);
		adopt(&w);
		policy_unref(old);
		world_ask(&w, PHASE_CONNECT);
		snprintf(want, sizeof want, "%u\t%u\n", i, i);
		expect_said(&w, "#6324 one more", want);
		world_session_over(&w);
	}
	old = w.set;
	world_must_load(&w, NULL,
			"msys.audit_series.define('s', 'cidr', 60, 6)\n"
			"msys.registerModule('m', { validate_connect = function()\n"
			"print(msys.audit_series.count('s')) return 0 end })\n");
	world_ask(&w, PHASE_CONNECT);
	expect_said(&w, "what is not adopted changes nothing", "3\t3\n");
	adopt(&w);
	world_ask(&w, PHASE_CONNECT);
	expect_said(&w, "D60 changed, it begins anew", "0\t0\n");
	policy_unref(old);
	end(&w);
}

#define INIT(what_) "local m = {}\nfunction m:init()\n" what_ "\nreturn true end\n"
#define REGISTERED "msys.registerModule('m', m)\n"
#define DEFINE(args_) INIT("msys.audit_series.define(" args_ ")") REGISTERED

static void test_definitions(void **state)
{
	static const struct {
		const char *name;
		const char *script;
		struct series_definition want; /* name "": none */
		const char *want_complaint;
	} cases[] = {
		{ "the least", DEFINE("'s', 'cidr', 60, 5"),
		  { "s", SERIES_CIDR, { 60, 5 }, .persist = false }, NULL },
		{ "one window of one second", DEFINE("'s', 'cidr', 1, 1"),
		  { "s", SERIES_CIDR, { 1, 1 }, .persist = false }, NULL },
		{ "fractions are cut off", DEFINE("'s', 'string', 60.9, 5.9"),
		  { "s", SERIES_STRING, { 60, 5 }, .persist = false }, NULL },
		{ "all options",
		  DEFINE("'s', 'cidr_ipv6', 60, 5, { serialize = true, persist = true, "
			 "replicate = 'manager', max_bytes = '1M' }"),
		  { "s", SERIES_CIDR_IPV6, { 60, 5 }, true, true, REPLICATE_MANAGER, 1 << 20 },
		  NULL },
		{ "octets", DEFINE("'s', 'cidr', 60, 5, { max_bytes = 2^20 }"),
		  { "s", SERIES_CIDR, { 60, 5 }, .max_bytes = 1 << 20 }, NULL },
		{ "when the script is loaded, too",
		  "local m = { validate_connect = print }\n"
		  "msys.audit_series.define('s', 'cidr', 60, 5)\n" REGISTERED,
		  { "s", SERIES_CIDR, { 60, 5 }, .persist = false }, NULL },
		{ "D60 the same twice",
		  INIT("for i = 1, 2 do msys.audit_series.define('s', 'cidr', 60, 5) end") REGISTERED,
		  { "s", SERIES_CIDR, { 60, 5 }, .persist = false }, NULL },

		{ "D60 otherwise",
		  INIT("msys.audit_series.define('s', 'cidr', 60, 5)\n"
		       "msys.audit_series.define('s', 'cidr', 60, 6)") REGISTERED,
		  { .name = "" },
		  "limits.lua:4: series \"s\": another script has defined this series otherwise" },
		{ "no name", DEFINE("'', 'cidr', 60, 5"), { .name = "" },
		  "limits.lua:3: bad argument #1 to 'define' (a series has a name of 1 to 200 "
		  "octets)" },
		{ "a zero in it", DEFINE("'a\\0b', 'cidr', 60, 5"), { .name = "" },
		  "limits.lua:3: bad argument #1 to 'define' (a series has a name of 1 to 200 "
		  "octets)" },
		{ "an unknown type", DEFINE("'s', 'cidr4', 60, 5"), { .name = "" },
		  "limits.lua:3: bad argument #2 to 'define' (invalid option 'cidr4')" },
		{ "NaN", DEFINE("'s', 'cidr', 0/0, 5"), { .name = "" },
		  "limits.lua:3: bad argument #3 to 'define' (expected 1 to 31622400)" },
		{ "infinite", DEFINE("'s', 'cidr', 60, 1/0"), { .name = "" },
		  "limits.lua:3: bad argument #4 to 'define' (expected 1 to 2000)" },
		{ "negative", DEFINE("'s', 'cidr', -60, 5"), { .name = "" },
		  "limits.lua:3: bad argument #3 to 'define' (expected 1 to 31622400)" },
		{ "an unknown option", DEFINE("'s', 'cidr', 60, 5, { persists = true }"),
		  { .name = "" },
		  "limits.lua:3: bad argument #5 to 'define' (no option \"persists\")" },
		{ "an option without a name", DEFINE("'s', 'cidr', 60, 5, { 'persist' }"),
		  { .name = "" }, "limits.lua:3: bad argument #5 to 'define' (no option \"?\")" },
		{ "truth", DEFINE("'s', 'cidr', 60, 5, { persist = 'yes' }"), { .name = "" },
		  "limits.lua:3: bad argument #5 to 'define' (persist is true or false)" },
		{ "replicate", DEFINE("'s', 'cidr', 60, 5, { replicate = 'all' }"), { .name = "" },
		  "limits.lua:3: bad argument #5 to 'define' (replicate is \"none\", "
		  "\"cluster\" or \"manager\")" },
		{ "max_bytes", DEFINE("'s', 'cidr', 60, 5, { max_bytes = 'much' }"),
		  { .name = "" },
		  "limits.lua:3: bad argument #5 to 'define' (max_bytes is a number of octets, "
		  "or a text as \"64m\")" },
		{ "max_bytes, NaN", DEFINE("'s', 'cidr', 60, 5, { max_bytes = 0/0 }"),
		  { .name = "" },
		  "limits.lua:3: bad argument #5 to 'define' (max_bytes is a number of octets, "
		  "or a text as \"64m\")" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct series_definition *got;
		char line[512];
		struct world w;

		begin(&w);
		if (!cases[i].want_complaint) {
			world_must_load(&w, NULL, cases[i].script);
			got = policy_set_definition(w.set, 0);
			assert_non_null(got);
			if (!series_definition_equal(got, &cases[i].want))
				fail_msg("%s: %s %d %u,%u %d %d %d %zu", cases[i].name, got->name,
					 got->type, got->monitor.seconds, got->monitor.windows,
					 got->serialize, got->persist, got->replicate,
					 got->max_bytes);
			assert_null(policy_set_definition(w.set, 1)); /* of two workers */
		} else {
			assert_false(world_load(&w, NULL, cases[i].script));
			complaint_print(&w.complaints.list[0], line, sizeof line);
			if (!strstr(line, cases[i].want_complaint))
				fail_msg("%s: got %s", cases[i].name, line);
		}
		end(&w);
	}
}

static void test_D110_no_inbound_audit(void **state)
{
	char line[512];
	struct world w;

	(void)state;
	begin(&w);
	w.conf.has_inbound_audit = false;
	assert_false(world_load(&w, NULL, DEFINE("'s', 'cidr', 60, 5")));
	complaint_print(&w.complaints.list[0], line, sizeof line);
	assert_non_null(strstr(line, "msys.audit_series.define requires module inbound_audit"));
	end(&w);
}

static void test_D61_replicate_alone(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	world_must_load(&w, NULL, DEFINE("'s', 'cidr', 60, 5, { replicate = 'cluster' }"));
	expect_text("D61 said once, not by each worker", &w.logged,
		    "limits.lua:3: a series that is replicated counts on this node alone: it is "
		    "in no cluster\n");
	end(&w);
}

/* At run time: what raises, and with what words. */
static void test_errors(void **state)
{
	static const struct {
		const char *name;
		const char *call;
		const char *want;
	} cases[] = {
		{ "define too late", "msys.audit_series.define('t', 'cidr', 60, 5)",
		  "series are defined when the script is loaded, not later" },
		{ "D64 undefined", "msys.audit_series.add('none')",
		  "no series is defined as \"none\"" },
		{ "NaN", "msys.audit_series.add('s', { count = 0/0 })",
		  "nan\" is not a whole number" },
		{ "infinite", "msys.audit_series.add('s', { count = -1/0 })",
		  "count of msys.audit_series.add: \"-inf\" is not a whole number" },
		{ "huge", "msys.audit_series.add('s', { count = 1e300 })",
		  "count of msys.audit_series.add: \"1e+300\" is not a whole number" },
		{ "too many of them",
		  "for i = 1, 2000 do msys.audit_series.add('s', { count = 2^53 - 1 }) end",
		  "msys.audit_series.add: series s: the sum of the window would pass "
		  "9223372036854775807" },
		{ "a window too old", "msys.audit_series.count('s', { endv = 5 })",
		  "msys.audit_series.count: " },
		{ "an end before the start",
		  "msys.audit_series.count('s', { startv = 2, endv = 1 })",
		  "endv of msys.audit_series.count is 1, expected no less than startv" },
		{ "options without names", "msys.audit_series.count('s', { '/24' })",
		  "the options of msys.audit_series.count have names" },
		{ "a table in a table", "msys.audit_series.count('s', { key = {} })",
		  "a table cannot be given here" },
		{ "nil for a name", "msys.audit_series.count(nil)",
		  "argument 1 of msys.audit_series.count is missing" },
		{ "an unknown monitor", "msys.audit.connections('60,1')",
		  "inbound_audit has no monitor \"60,1\"" },
		{ "a key of 64 KiB",
		  "msys.audit_series.add('t', string.rep('x', 65536))",
		  "msys.audit_series.add: series t: a key has 65536 octets, more than 1024" },
		{ "a key of 64 KiB, counted",
		  "msys.audit_series.count('t', string.rep('x', 65536))",
		  "msys.audit_series.count: series t: a key has 65536 octets, more than 1024" },
		{ "a key of 64 KiB, removed",
		  "msys.audit_series.remove_item('t', string.rep('x', 65536))",
		  "msys.audit_series.remove_item: series t: a key has 65536 octets, more than "
		  "1024" },
		{ "D59 an address for a text is a text",
		  "if msys.audit_series.add('t', '192.0.2.1') == 1 then error('one') end", "one" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;
		char *script = mem_printf(
			INIT("msys.audit_series.define('s', 'cidr', 60, 5)\n"
			     "msys.audit_series.define('t', 'string', 60, 5)")
			"function m:validate_connect(ac, vctx)\n"
			"local good, why = pcall(function() %s end)\n"
			"print(why)\nreturn msys.core.VALIDATE_CONT end\n" REGISTERED,
			cases[i].call);

		begin(&w);
		world_must_load(&w, NULL, script);
		adopt(&w);
		world_ask(&w, PHASE_CONNECT);
		expect_has(cases[i].name, &w.logged, cases[i].want);
		free(script);
		end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_define_add_count_remove),
		cmocka_unit_test(test_observed_counts),
		cmocka_unit_test(test_6324_reload),
		cmocka_unit_test(test_definitions),
		cmocka_unit_test(test_D110_no_inbound_audit),
		cmocka_unit_test(test_D61_replicate_alone),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
