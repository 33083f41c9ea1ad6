/* Series for scripts: the built-in ones (3.5), Sieve's (3.6) and Lua's (3.7). */
#include "base/clock.h"
#include "policy/fake.h"
#include "series/series.h"

enum { KEYS_MAX = 6, BASE_S = 1800000 * 1000 };

/* A wall clock so many seconds after the beginning of a window of every monitor here. */
static void at_second(unsigned s)
{
	clock_stop(true, 1000, UINT64_C(1000) * BASE_S + s * UINT64_C(1000));
}

static const struct monitor monitors[] = { { 60, 10 }, { 300, 6 } };

static void begin(struct fake *fake)
{
	fake->conf.has_inbound_audit = true;
	fake->conf.monitors = monitors;
	fake->conf.monitor_count = COUNT(monitors);
	fake->host.series = series_all_new();
	series_monitors(fake->host.series, monitors, COUNT(monitors), SERIES_BYTES_STANDARD,
			false);
	fake_begin(fake);
}

static void end(struct fake *fake)
{
	series_all_free(fake->host.series);
	fake_end(fake);
	clock_stop(false, 0, 0);
}

static void events(struct fake *fake, enum series_event event, const char *peer, unsigned count)
{
	struct addr addr = addr_of(peer);

	while (count-- > 0)
		series_event(fake->host.series, event, &addr);
}

/* One call: its arguments, or the pairs of a hash, behind them where Lua has options. */
struct one {
	const char *name;
	const char *fn;
	struct value argv[5];
	struct {
		const char *key;
		struct value value;
	} hash[KEYS_MAX];
	const char *ip;	  /* :ip */
	const char *peer; /* NULL: 192.0.2.7 */
	const char *want;
};

static void expect_one(struct fake *fake, unsigned language, const struct one *one)
{
	struct value argv[6], ip;
	unsigned argc = 0;

	for (; argc < COUNT(one->argv) && one->argv[argc].type != VALUE_NONE; argc++)
		argv[argc] = one->argv[argc];
	if (one->hash[0].key != NULL) {
		struct arena *a = &fake->run.arena;
		struct value hash = { .type = VALUE_HASH, .hash = value_hash_new(a) };

		for (unsigned i = 0; i < KEYS_MAX && one->hash[i].key != NULL; i++)
			assert_true(value_hash_set(a, hash.hash, slice_of(one->hash[i].key),
						   &one->hash[i].value));
		argv[argc++] = hash;
	}
	fake->facts.peer = addr_of(one->peer != NULL ? one->peer : "192.0.2.7");
	fake->call.tag = one->ip != NULL ? SLICE("ip") : SLICE("");
	fake->call.tag_value = NULL;
	if (one->ip != NULL) {
		ip = VALUE_STR(slice_of(one->ip));
		fake->call.tag_value = &ip;
	}
	expect_result(one->name, fake, fake_call(fake, language, one->fn, argv, argc), one->want);
}

#define KEY(key_, ...) { key_, __VA_ARGS__ }

/* 40 connections, and 55 seconds later, a quarter into the next minute, 8 and others. */
static void some_connections(struct fake *fake)
{
	at_second(200);
	events(fake, EVENT_CONNECTION, "192.0.2.7", 40);
	events(fake, EVENT_RECEPTION, "192.0.2.7", 1);
	at_second(255);
	events(fake, EVENT_CONNECTION, "192.0.2.7", 8);
	events(fake, EVENT_CONNECTION, "192.0.2.9", 2);
	events(fake, EVENT_CONNECTION, "2001:db8::7", 5);
	events(fake, EVENT_REJECTION, "192.0.2.7", 3);
}

static void test_sieve_builtin(void **state)
{
	static const struct one cases[] = {
		{ "D46 the sliding value", "ec_ip_connections", { STR("0") }, .want = "38" },
		{ "#2936 a number that is a text", "ec_ip_connections", { STR(" 0 "), STR("24") },
		  .want = "40" },
		{ "an index that is a number", "ec_ip_connections", { NUM(0) }, .want = "38" },
		{ "the second monitor", "ec_ip_connections", { STR("1") }, .want = "48" },
		{ "a mask without a slash", "ec_ip_connections", { STR("0"), STR("24") },
		  .want = "40" },
		{ "a mask with one", "ec_ip_connections", { STR("0"), STR("/24") }, .want = "40" },
		{ "a mask that is a number", "ec_ip_connections", { STR("0"), NUM(24) },
		  .want = "40" },
		{ "D48 everybody", "ec_ip_connections", { NUM(0), NUM(0) }, .want = "45" },
		{ "D45 an IPv6 address is itself", "ec_ip_connections", { NUM(0) },
		  .peer = "2001:db8::7", .want = "5" },
		{ "D45 other masks of IPv6 are literal", "ec_ip_connections", { NUM(0), NUM(24) },
		  .peer = "2001:db8:1::", .want = "5" },
		{ "rejections", "ec_ip_rejections", { STR("0") }, .want = "3" },
		{ "receptions slide, too", "ec_ip_receptions", { STR("0") }, .want = "0" },
		{ "receptions", "ec_ip_receptions", { STR("1") }, .want = "1" },
		{ "no such index", "ec_ip_connections", { STR("2") },
		  .want = "!there is no monitor 2, inbound_audit has 2" },
		{ "a negative index", "ec_ip_connections", { NUM(-1) },
		  .want = "!\"-1\" is not the index of a monitor" },
		{ "no index", "ec_ip_connections", { STR("60,10") },
		  .want = "!\"60,10\" is not the index of a monitor" },
		{ "no mask", "ec_ip_connections", { STR("0"), STR("129") },
		  .want = "!\"129\": a mask is /0 to /128" },

		{ "hash: the first monitor, this window, not weighted", "ec_ip_connections",
		  .hash = { KEY("mask", NUM(32)) }, .want = "8" },
		{ "hash: one window", "ec_ip_connections",
		  .hash = { KEY("period_start", STR("1")) }, .want = "40" },
		{ "hash: some windows", "ec_ip_connections",
		  .hash = { KEY("period_end", NUM(1)), KEY("mask", STR("24")) }, .want = "50" },
		{ "D53 blanks in a monitor", "ec_ip_connections",
		  .hash = { KEY("monitor", STR("300 , 6")) }, .want = "48" },
		{ "D44 N is the last window", "ec_ip_connections",
		  .hash = { KEY("monitor", STR("60,10")), KEY("period_end", NUM(10)) },
		  .want = "48" },
		{ "D44 N + 1 is none", "ec_ip_connections",
		  .hash = { KEY("monitor", STR("60,10")), KEY("period_end", NUM(11)) },
		  .want = "!period_end of ec_ip_connections is 11, expected 0 to 10" },
		{ "a window before the current one", "ec_ip_connections",
		  .hash = { KEY("period_start", STR("-1")) },
		  .want = "!period_start of ec_ip_connections is -1, expected 0 to 10" },
		{ "an end before the start", "ec_ip_connections",
		  .hash = { KEY("period_start", NUM(2)), KEY("period_end", NUM(1)) },
		  .want = "!period_end of ec_ip_connections is 1, expected no less than "
			  "period_start" },
		{ "D53 an unknown key", "ec_ip_connections", .hash = { KEY("monitors", NUM(1)) },
		  .want = "!ec_ip_connections has no option \"monitors\"" },
		{ "an unknown monitor", "ec_ip_connections",
		  .hash = { KEY("monitor", STR("60,11")) },
		  .want = "!inbound_audit has no monitor \"60,11\"" },
		{ "no monitor", "ec_ip_connections", .hash = { KEY("monitor", STR("often")) },
		  .want = "!\"often\": a monitor is \"SECONDS,WINDOWS\"" },
		{ "a number that is none", "ec_ip_connections",
		  .hash = { KEY("period_end", STR("all")) },
		  .want = "!period_end of ec_ip_connections: \"all\" is not a whole number" },
		{ "nothing beside a hash", "ec_ip_connections", { NONE },
		  .hash = { KEY("mask", NUM(24)) }, .want = "10" },
	};
	struct fake fake = { 0 };

	(void)state;
	begin(&fake);
	some_connections(&fake);
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_one(&fake, FN_SIEVE, &cases[i]);
	end(&fake);
}

static void test_lua_builtin(void **state)
{
	static const struct one cases[] = {
		{ "this window", "msys.audit.connections", { STR("60,10") }, .want = "8" },
		{ "D107 the alias", "msys.audit.connection", { STR("60,10") }, .want = "8" },
		{ "D53 blanks", "msys.audit.connections", { STR(" 60, 10") }, .want = "8" },
		{ "D55 one window", "msys.audit.connections", { STR("60,10") },
		  .hash = { KEY("startv", NUM(1)) }, .want = "40" },
		{ "windows, of a block", "msys.audit.connections", { STR("60,10") },
		  .hash = { KEY("endv", NUM(1)), KEY("cidr", STR("192.0.2.0/24")) }, .want = "50" },
		{ "no table: a block", "msys.audit.connections", { STR("60,10"), STR("/24") },
		  .want = "10" },
		{ "D48", "msys.audit.connections", { STR("300,6"), STR("/0") }, .want = "55" },
		{ "rejections", "msys.audit.rejections", { STR("300,6") }, .want = "3" },
		{ "receptions", "msys.audit.receptions", { STR("300,6") }, .want = "1" },
		{ "an unknown monitor", "msys.audit.connections", { STR("60,1") },
		  .want = "!inbound_audit has no monitor \"60,1\"" },
		{ "an unknown option", "msys.audit.connections", { STR("60,10") },
		  .hash = { KEY("start", NUM(1)) },
		  .want = "!msys.audit.connections has no option \"start\"" },
		{ "not an address", "msys.audit.connections", { STR("60,10"), NUM(5) },
		  .want = "!\"5\": not an IPv4 or IPv6 address" },
		{ "NaN", "msys.audit.connections", { STR("60,10") },
		  .hash = { KEY("endv", STR("nan")) },
		  .want = "!endv of msys.audit.connections: \"nan\" is not a whole number" },
	};
	struct fake fake = { 0 };

	(void)state;
	begin(&fake);
	some_connections(&fake);
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_one(&fake, FN_LUA, &cases[i]);
	assert_int_equal(fake.call.second.type, VALUE_NONE);
	end(&fake);
}

#define NAMED STR("bad"), STR("600,6")

static void test_sieve_named(void **state)
{
	static const struct one steps[] = {
		{ "D57 what is not there reads 0", "audit_series", { NAMED, STR("32") },
		  .want = "0" },
		{ "it springs into being", "audit_series_add", { NAMED }, .want = "" },
		{ "and is there", "audit_series", { NAMED, STR("/32") }, .want = "1" },
		{ "D57 no mask", "audit_series", { NAMED }, .want = "1" },
		{ "D57 another monitor is another series", "audit_series",
		  { STR("bad"), STR("600,7") }, .want = "0" },
		{ "D53 blanks in a monitor", "audit_series", { STR("bad"), STR(" 600, 6") },
		  .want = "1" },
		{ "#3146 an address given explicitly", "audit_series_add", { NAMED, STR("10") },
		  .ip = "192.0.2.9", .want = "" },
		{ "both are in the network", "audit_series", { NAMED, STR("24") }, .want = "11" },
		{ "of an address", "audit_series", { NAMED }, .ip = "192.0.2.9", .want = "10" },
		{ "D58 a negative amount", "audit_series_add", { NAMED, STR("-3") },
		  .ip = "192.0.2.9", .want = "" },
		{ "D58 is taken away", "audit_series", { NAMED }, .ip = "192.0.2.9", .want = "7" },
		{ "D58 never below nothing", "audit_series_add", { NAMED, NUM(-100) },
		  .ip = "192.0.2.9", .want = "" },
		{ "D58 nothing is left", "audit_series", { NAMED, NUM(24) }, .want = "1" },
		{ "D58 a fraction is cut off", "audit_series_add", { NAMED, STR("2.9") },
		  .want = "" },
		{ "D58 it was", "audit_series", { NAMED }, .want = "3" },
		{ "D57 families side by side", "audit_series_add", { NAMED },
		  .ip = "[2001:db8::1]", .want = "" },
		{ "D48 everybody", "audit_series", { NAMED, STR("0") }, .want = "4" },
		{ "D45 a given address with a given mask", "audit_series", { NAMED, STR("32") },
		  .ip = "2001:db8:ffff::", .want = "1" },
		{ "a given address without", "audit_series", { NAMED }, .ip = "2001:db8:ffff::",
		  .want = "0" },
		{ "windows", "audit_series", { NAMED, STR("32"), STR("0"), STR("5") },
		  .want = "3" },
		{ "one window", "audit_series", { NAMED, STR("32"), STR("5") }, .want = "0" },
		{ "D44 there are N of them", "audit_series", { NAMED, STR("32"), STR("6") },
		  .want = "!period_start of audit_series is 6, expected 0 to 5" },
		{ "D44 even where there is no series", "audit_series",
		  { STR("none"), STR("600,1"), STR("32"), STR("1") },
		  .want = "!period_start of audit_series is 1, expected 0 to 0" },
		{ "of IPv4 there is no /33", "audit_series", { NAMED, STR("33") },
		  .ip = "192.0.2.9", .want = "!/33: the mask of an IPv4 block is 0 to 32" },

		{ "hash: to add", "audit_series_add",
		  .hash = { KEY("series", STR("bad")), KEY("monitor", STR("600,6")),
			    KEY("count", STR("5")), KEY("ip", STR("192.0.2.9")),
			    KEY("replicate", NUM(0)), KEY("serialize", NUM(1)) },
		  .want = "" },
		{ "hash: to read", "audit_series",
		  .hash = { KEY("series", STR("bad")), KEY("monitor", STR("600,6")),
			    KEY("period_start", STR("0")), KEY("period_end", NUM(5)),
			    KEY("mask", NUM(24)), KEY("ip", STR("192.0.2.1")) },
		  .want = "8" },
		{ "D68 there is one journal of a name", "audit_series_add",
		  .hash = { KEY("series", STR("bad")), KEY("monitor", STR("600,7")),
			    KEY("serialize", NUM(1)) },
		  .want = "!audit_series_add: series bad of another monitor is journalled "
			  "already" },
		{ "D56 it was counted all the same", "audit_series",
		  { STR("bad"), STR("600,7") }, .want = "1" },
		{ "D53 an unknown key", "audit_series_add",
		  .hash = { KEY("series", STR("bad")), KEY("counts", NUM(5)) },
		  .want = "!audit_series_add has no option \"counts\"" },
		{ "a key of the other function", "audit_series",
		  .hash = { KEY("serialize", NUM(1)) },
		  .want = "!audit_series has no option \"serialize\"" },
		{ "hash: no name", "audit_series", .hash = { KEY("monitor", STR("600,6")) },
		  .want = "!audit_series needs \"series\"" },
		{ "hash: no monitor", "audit_series_add", .hash = { KEY("series", STR("bad")) },
		  .want = "!audit_series_add needs \"monitor\"" },
		{ "hash: replicate", "audit_series_add",
		  .hash = { KEY("series", STR("bad")), KEY("monitor", STR("600,6")),
			    KEY("replicate", NUM(2)) },
		  .want = "!replicate of audit_series_add is 2, expected -1 to 1" },
		{ ":ip with a hash", "audit_series", .hash = { KEY("series", STR("bad")) },
		  .ip = "192.0.2.1", .want = "!:ip does not go with a hash" },
		{ "no monitor", "audit_series_add", { STR("bad"), STR("600") },
		  .want = "!\"600\": a monitor is \"SECONDS,WINDOWS\"" },
		{ "too few", "audit_series", { STR("bad") },
		  .want = "!audit_series takes at least 2 arguments, not 1" },
		{ "not an address", "audit_series_add", { NAMED }, .ip = "192.0.2.0/24",
		  .want = "!\"192.0.2.0/24\": not an IPv4 or IPv6 address" },
		{ "the name of a built-in one, with its monitor", "audit_series_add",
		  { STR("connections"), STR("300,6") },
		  .want = "!audit_series_add: series connections with this monitor is built in" },
		{ "it is another one with another monitor", "audit_series_add",
		  { STR("connections"), STR("300,5") }, .want = "" },
		{ "which counts for itself", "audit_series",
		  { STR("connections"), STR("300,5") }, .want = "1" },
		{ "and the built-in one can be read", "audit_series",
		  { STR("connections"), STR("300,6") }, .want = "0" },
		{ "an amount beyond all bounds", "audit_series_add",
		  { NAMED, STR("9223372036854775807") },
		  .want = "!audit_series_add: series bad: the sum of the window would pass "
			  "9223372036854775807" },
		{ "a number beyond all bounds", "audit_series_add",
		  { NAMED, STR("-99999999999999999999") },
		  .want = "!argument 3 of audit_series_add: the text is not a number" },
		{ "NaN", "audit_series_add", { NAMED, STR("nan") },
		  .want = "!argument 3 of audit_series_add: the text is not a number" },
		{ "no name", "audit_series_add", { STR(""), STR("600,6") },
		  .want = "!audit_series_add: a series has a name" },
		{ "windows beyond all bounds", "audit_series", { STR("bad"), STR("600,2001") },
		  .want = "!\"600,2001\": a monitor's WINDOWS are 1 to 2000" },
		{ "D59 of texts", "audit_series", { STR("login"), STR("600,6") },
		  .want = "!the series \"login\" is of texts, and Lua's alone" },
		{ "D59 whatever the monitor", "audit_series_add", { STR("login"), STR("60,6") },
		  .want = "!the series \"login\" is of texts, and Lua's alone" },
		{ "D57 Lua's is the same", "audit_series_add", { STR("v4"), STR("600,6") },
		  .want = "" },
		{ "D57 if the monitor is", "audit_series", { STR("v4"), STR("600,6") },
		  .want = "1" },
		{ "D62 of the other family", "audit_series_add", { STR("v4"), STR("600,6") },
		  .ip = "2001:db8::1", .want = "" },
		{ "D62 it reads 0", "audit_series", { STR("v4"), STR("600,6") },
		  .ip = "2001:db8::1", .want = "0" },
	};
	struct fake fake = { 0 };
	bool dropped;

	(void)state;
	begin(&fake);
	at_second(1);
	assert_null(series_define(fake.host.series,
				  &(struct series_definition){
					  "login", SERIES_STRING, { 600, 6 }, .serialize = false },
				  &dropped));
	assert_null(series_define(fake.host.series,
				  &(struct series_definition){
					  "v4", SERIES_CIDR, { 600, 6 }, .serialize = false },
				  &dropped));
	for (size_t i = 0; i < COUNT(steps); i++)
		expect_one(&fake, FN_SIEVE, &steps[i]);
	end(&fake);
}

static void test_lua_named(void **state)
{
	static const struct one steps[] = {
		{ "D64 undefined", "msys.audit_series.add", { STR("none") },
		  .want = "!no series is defined as \"none\"" },
		{ "D64 undefined, to count", "msys.audit_series.count", { STR("none") },
		  .want = "!no series is defined as \"none\"" },
		{ "D64 undefined, to remove", "msys.audit_series.remove_item", { STR("none") },
		  .want = "!no series is defined as \"none\"" },
		{ "the peer", "msys.audit_series.add", { STR("v4") }, .want = "1" },
		{ "no table: the key", "msys.audit_series.add", { STR("v4"), STR("192.0.2.9") },
		  .want = "1" },
		{ "an amount", "msys.audit_series.add", { STR("v4") },
		  .hash = { KEY("count", NUM(5)), KEY("key", STR("192.0.2.9")) }, .want = "6" },
		{ "an address", "msys.audit_series.count", { STR("v4"), STR("192.0.2.9") },
		  .want = "6" },
		{ "a block", "msys.audit_series.count", { STR("v4") },
		  .hash = { KEY("key", STR("/24")), KEY("endv", NUM(5)) }, .want = "7" },
		{ "D62 of the other family", "msys.audit_series.count", { STR("v4") },
		  .peer = "2001:db8::1", .want = "0" },
		{ "D62 ignored", "msys.audit_series.add", { STR("v4") }, .peer = "2001:db8::1",
		  .want = "0" },
		{ "D58 a negative amount", "msys.audit_series.add", { STR("v4") },
		  .hash = { KEY("count", NUM(-2)) }, .want = "0" },
		{ "D44", "msys.audit_series.count", { STR("v4") }, .hash = { KEY("endv", NUM(-1)) },
		  .want = "!endv of msys.audit_series.count is -1, expected 0 to 2000" },
		{ "a huge amount", "msys.audit_series.add", { STR("v4") },
		  .hash = { KEY("count", STR("1e+300")) },
		  .want = "!count of msys.audit_series.add: \"1e+300\" is not a whole number" },
		{ "a block cannot be added to", "msys.audit_series.add",
		  { STR("v4"), STR("192.0.2.0/24") },
		  .want = "!\"192.0.2.0/24\": not an IPv4 or IPv6 address" },
		{ "D63 from all windows", "msys.audit_series.remove_item",
		  { STR("v4"), STR("192.0.2.9") }, .want = "0" },
		{ "D63 gone", "msys.audit_series.count", { STR("v4"), STR("/0") }, .want = "0" },

		{ "a network counts as one", "msys.audit_series.add", { STR("v6") },
		  .hash = { KEY("prefix_len", NUM(64)) }, .peer = "2001:db8::1", .want = "1" },
		{ "whoever in it comes", "msys.audit_series.add", { STR("v6") },
		  .hash = { KEY("prefix_len", NUM(64)) }, .peer = "2001:db8::2", .want = "2" },
		{ "prefix_len", "msys.audit_series.add", { STR("v6") },
		  .hash = { KEY("prefix_len", NUM(129)) },
		  .want = "!prefix_len of msys.audit_series.add is 129, expected 0 to 128" },

		{ "D64 no script of this load defines it", "msys.audit_series.add",
		  { STR("gone") }, .want = "!no series is defined as \"gone\"" },
		{ "a text", "msys.audit_series.add", { STR("login"), STR("bob") }, .want = "1" },
		{ "a text, in a table", "msys.audit_series.add", { STR("login") },
		  .hash = { KEY("key", STR("bob")), KEY("count", NUM(2)) }, .want = "3" },
		{ "its count", "msys.audit_series.count", { STR("login"), STR("bob") },
		  .want = "3" },
		{ "another's", "msys.audit_series.count", { STR("login"), STR("Bob") },
		  .want = "0" },
		{ "a number is a text", "msys.audit_series.add", { STR("login"), NUM(5) },
		  .want = "1" },
		{ "a text needs a key", "msys.audit_series.count", { STR("login") },
		  .want = "!the series \"login\" is of texts, and needs a key" },
		{ "a text is removed", "msys.audit_series.remove_item",
		  { STR("login"), STR("bob") }, .want = "0" },
		{ "and gone", "msys.audit_series.count", { STR("login"), STR("bob") },
		  .want = "0" },
		{ "an unknown option", "msys.audit_series.count", { STR("login") },
		  .hash = { KEY("window", NUM(1)) },
		  .want = "!msys.audit_series.count has no option \"window\"" },
	};
	static const struct series_definition definitions[] = {
		{ "v4", SERIES_CIDR, { 600, 6 }, .serialize = false },
		{ "v6", SERIES_CIDR_IPV6, { 600, 6 }, .serialize = false },
		{ "login", SERIES_STRING, { 600, 6 }, .serialize = false },
		{ "gone", SERIES_CIDR, { 600, 6 }, .serialize = false },
	};
	struct fake fake = { 0 };
	bool dropped;

	(void)state;
	begin(&fake);
	at_second(1);
	for (size_t i = 0; i < COUNT(definitions); i++) {
		assert_null(series_define(fake.host.series, &definitions[i], &dropped));
		if (strcmp(definitions[i].name, "gone") != 0)
			assert_null(policy_set_define(fake.set, &definitions[i]));
	}
	for (size_t i = 0; i < COUNT(steps); i++)
		expect_one(&fake, FN_LUA, &steps[i]);
	end(&fake);
}

/* Where nothing was folded both bounds are the number. */
static void test_bounds(void **state)
{
	static const struct one count = { "both", "msys.audit.connections", { STR("60,10") },
					  .want = "8" };

	(void)state;
	for (unsigned high = 0; high < 2; high++) {
		struct fake fake = { .conf.series_high = high };

		begin(&fake);
		some_connections(&fake);
		expect_one(&fake, FN_LUA, &count);
		assert_int_equal(fake.call.second.type, VALUE_NUMBER);
		assert_int_equal(fake.call.second.number, 8);
		end(&fake);
	}
}

/* Below a fold they differ, and series_bound chooses what is read; above it they do not. */
static void test_bounds_of_a_fold(void **state)
{
	const struct value of_one[] = { STR("60,10"), STR("10.0.0.1") };
	const struct value of_all[] = { STR("60,10"), STR("10.0.0.0/8") };

	(void)state;
	for (unsigned high = 0; high < 2; high++) {
		struct fake fake = { .conf.series_high = high };
		struct addr addr = addr_of("10.0.0.0");
		const struct fn_call *call = &fake.call;

		begin(&fake);
		at_second(1);
		series_monitors(fake.host.series, monitors, 0, 0, false);
		series_monitors(fake.host.series, monitors, 1, SERIES_BYTES_MIN, false);
		for (unsigned i = 0; i < 30000; i++, addr.hi += UINT64_C(3) << 32)
			series_event(fake.host.series, EVENT_CONNECTION, &addr);
		assert_int_equal(fake_call(&fake, FN_LUA, "msys.audit.connections", of_all, 2),
				 FN_OK);
		assert_int_equal(call->result.number, 30000);
		assert_int_equal(call->second.number, 30000);
		assert_int_equal(fake_call(&fake, FN_LUA, "msys.audit.connections", of_one, 2),
				 FN_OK);
		assert_true(call->second.number > 1);
		assert_true(high ? call->result.number == call->second.number
				 : call->result.number < call->second.number);
		end(&fake);
	}
}

/* What was read is the reason of what is done with it. */
static void test_causes(void **state)
{
	static const struct one cases[] = {
		{ "built-in", "ec_ip_connections", { STR("1"), STR("24") }, .want = "50" },
		{ "built-in, of a hash", "ec_ip_connections",
		  .hash = { KEY("monitor", STR(" 300, 6")), KEY("mask", STR("24")) },
		  .want = "50" },
		{ "named", "audit_series", { NAMED, STR("24") }, .want = "0" },
	};
	static const char *const want[] = { "connections 300,6", "connections 300,6", "bad" };
	struct fake fake = { 0 };
	char text[CIDR_TEXT_MAX];

	(void)state;
	begin(&fake);
	some_connections(&fake);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct audit_read *read = &fake.run.reads[i];

		expect_one(&fake, FN_SIEVE, &cases[i]);
		assert_int_equal(fake.call.result.origin, i + 1);
		assert_int_equal(fake.call.result.type, VALUE_STRING);
		assert_string_equal(read->service, want[i]);
		assert_string_equal(cidr_print(&read->block, text), "192.0.2.0/24");
		assert_true(read->is_series);
	}
	end(&fake);
}

static void test_refusals(void **state)
{
	static const struct one count = { "D110", "ec_ip_connections", { STR("0") },
					  .want = "!ec_ip_connections requires module "
						  "inbound_audit" };
	static const struct one no_monitors = { "no monitors", "ec_ip_connections", { STR("0") },
						.want = "!there is no monitor 0, inbound_audit "
							"has 0" };
	static const struct one add = { "no peer", "audit_series_add", { NAMED }, .want = "" };
	const struct value named[] = { NAMED };
	struct fake fake = { 0 };

	(void)state;
	fake_begin(&fake);
	expect_one(&fake, FN_SIEVE, &count);
	fake_end(&fake);

	fake = (struct fake){ .conf.has_inbound_audit = true };
	fake.host.series = series_all_new();
	fake_begin(&fake);
	expect_one(&fake, FN_SIEVE, &no_monitors);
	expect_one(&fake, FN_SIEVE, &add);
	fake.facts.peer.family = ADDR_NONE;
	expect_result("no peer", &fake, fake_call(&fake, FN_SIEVE, "audit_series_add", named, 2),
		      "!there is no current peer, and no address was given");
	series_all_free(fake.host.series);
	fake_end(&fake);
}

/* Without a daemon nothing was ever counted, but what is wrong is wrong. */
static void test_tool(void **state)
{
	static const struct one cases[] = {
		{ "any index", "ec_ip_connections", { STR("7") }, .want = "0" },
		{ "any monitor", "ec_ip_connections", .hash = { KEY("monitor", STR("5,5")) },
		  .want = "0" },
		{ "whose windows count", "ec_ip_connections",
		  .hash = { KEY("monitor", STR("5,5")), KEY("period_end", NUM(6)) },
		  .want = "!period_end of ec_ip_connections is 6, expected 0 to 5" },
		{ "an addition goes nowhere", "audit_series_add", { NAMED }, .want = "" },
		{ "named", "audit_series", { NAMED }, .want = "0" },
	};
	struct fake fake = { .conf.has_inbound_audit = true };

	(void)state;
	fake_begin(&fake);
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_one(&fake, FN_SIEVE, &cases[i]);
	fake_end(&fake);
}

/* D54, D61: this node's, and a word about it once a load. */
static void test_cluster(void **state)
{
	static const struct one count = { "D54", "ec_ip_connections_cluster", { STR("1") },
					  .want = "48" };
	static const struct one add = { "D61", "audit_series_add",
					.hash = { KEY("series", STR("bad")),
						  KEY("monitor", STR("600,6")),
						  KEY("replicate", NUM(-1)) },
					.want = "" };
	struct fake fake = { 0 };

	(void)state;
	begin(&fake);
	some_connections(&fake);
	expect_one(&fake, FN_SIEVE, &count);
	expect_one(&fake, FN_SIEVE, &count);
	expect_one(&fake, FN_SIEVE, &add);
	expect_text("D54 once", &fake.logged,
		    "a.siv:3: ec_ip_connections_cluster asks a cluster, and this node is in "
		    "none: it alone counts\n");
	end(&fake);
}

/* A monitor that a reload took away, for a session that is older than the reload. */
static void test_T6_monitor_gone(void **state)
{
	static const struct one count = { "T6", "ec_ip_connections", { STR("1") }, .want = "0" };
	struct fake fake = { 0 };

	(void)state;
	begin(&fake);
	some_connections(&fake);
	series_monitors(fake.host.series, monitors, 1, SERIES_BYTES_STANDARD, false);
	expect_one(&fake, FN_SIEVE, &count);
	end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sieve_builtin), cmocka_unit_test(test_lua_builtin),
		cmocka_unit_test(test_sieve_named),   cmocka_unit_test(test_lua_named),
		cmocka_unit_test(test_bounds),	      cmocka_unit_test(test_bounds_of_a_fold),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_tool),
		cmocka_unit_test(test_cluster),	      cmocka_unit_test(test_T6_monitor_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
