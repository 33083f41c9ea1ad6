/* The function table: finding, checking and calling (D2, D9, D25, D91). */
#include "policy/fake.h"

#include <limits.h>

static void test_find(void **state)
{
	static const struct {
		const char *name;
		unsigned language;
		const char *given;
		bool want;
		const char *want_nearest;
	} cases[] = {
		{ "D2 Sieve names have no case", FN_SIEVE, "IS_Valid_IP", true, "is_valid_ip" },
		{ "Lua names have", FN_LUA, "msys.Audit.inbound_session_count", false,
		  "msys.audit.inbound_session_count" },
		{ "a slip", FN_SIEVE, "ec_tarpitt", false, "ec_tarpit" },
		{ "a slip in a long name", FN_SIEVE, "audit_connection_on_service", false,
		  "audit_connections_on_service" },
		{ "not of this language", FN_LUA, "ec_tarpit", false, NULL },
		{ "nothing like it", FN_SIEVE, "frobnicate", false, NULL },
		{ "a missing function is not proposed", FN_SIEVE, "ec_dns_lookop", false, NULL },
		{ "empty", FN_SIEVE, "", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *nearest = fn_nearest(cases[i].language, slice_of(cases[i].given));

		if ((fn_find(cases[i].language, slice_of(cases[i].given)) != NULL) != cases[i].want)
			fail_msg("%s", cases[i].name);
		if ((nearest == NULL) != (cases[i].want_nearest == NULL) ||
		    (nearest != NULL && strcmp(nearest, cases[i].want_nearest) != 0))
			fail_msg("%s: nearest is %s", cases[i].name, nearest ? nearest : "none");
	}
}

/* Every row can be read: letters, flags, and no name twice in a language. */
static void test_rows(void **state)
{
	const struct policy_fn *fn;
	unsigned n;

	(void)state;
	for (n = 0; (fn = fn_nth(n)) != NULL; n++) {
		bool is_known_only = (fn->flags & FN_ABSENT) || strcmp(fn->name, "ec_include") == 0;

		if (strspn(fn->args, "sndlhvH?+*") != strlen(fn->args) || fn->phases == 0 ||
		    (fn->flags & (FN_SIEVE | FN_LUA)) == 0 || (fn->call == NULL) != is_known_only ||
		    fn_find(fn->flags & (FN_SIEVE | FN_LUA), slice_of(fn->name)) != fn)
			fail_msg("%s", fn->name);
	}
	assert_true(n > 250);
	assert_null(fn_nth(n + 1000));
}

static void test_argument_letters(void **state)
{
	static const struct {
		const char *args;
		unsigned want_min, want_max;
		const char *want_kinds; /* of arguments 0, 1, ...; '-' none */
	} cases[] = {
		{ "", 0, 0, "-" },
		{ "s", 1, 1, "s-" },
		{ "sn?lh", 2, 4, "snlh-" },
		{ "?s", 0, 1, "s-" },
		{ "?v*", 0, UINT_MAX, "vvvv" },
		{ "ns*", 2, UINT_MAX, "nsss" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct policy_fn fn = { .name = "f", .args = cases[i].args };

		assert_int_equal(fn_args_min(&fn), cases[i].want_min);
		assert_int_equal(fn_args_max(&fn), cases[i].want_max);
		for (unsigned n = 0; cases[i].want_kinds[n] != '\0'; n++) {
			char want = cases[i].want_kinds[n];

			assert_int_equal(fn_arg_kind(&fn, n), want == '-' ? 0 : want);
		}
	}
}

static void test_terminal(void **state)
{
	static const struct {
		const char *name;
		unsigned argc;
		bool want;
	} cases[] = {
		{ "ec_action", 2, true },      { "ec_disconnect", 2, true },
		{ "ec_disconnect", 0, false }, /* D22 */
		{ "keep", 0, true },	       { "keep", 1, true },
		{ "stop", 0, true },	       { "ec_tarpit", 1, false },
		{ "ec_log", 1, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (fn_is_terminal(fn_find(FN_SIEVE, slice_of(cases[i].name)), cases[i].argc) !=
		    cases[i].want)
			fail_msg("%s with %u", cases[i].name, cases[i].argc);
	}
}

static const struct value words[] = { STR("b"), STR("a"), STR("c") };
static const struct value mixed[] = { STR("x"), NUM(7) };
static const struct value ips[] = { STR("192.0.2.1"), STR("2001:db8::1") };
static const struct value ips_and_more[] = { STR("192.0.2.1"), STR("localhost") };
static const struct value no_words[1];
static const struct value keys[] = { STR("absent"), STR("k"), STR("ehlo_domain") };

#define EMPTY { .type = VALUE_LIST, .list = no_words }

static void test_calls(void **state)
{
	static const struct {
		const char *name;
		const char *fn;
		unsigned argc;
		struct value argv[3];
		const char *want; /* the result, or '!' and the error */
	} cases[] = {
		{ "split", "split", 2, { STR(","), STR("a,b") }, "[a,b]" },
		{ "D87 empty members are kept",
		  "split",
		  2,
		  { STR(", "), STR(", a, , b, ") },
		  "[,a,,b,]" },
		{ "no delimiter in it", "ec_explode", 2, { STR(","), STR("ab") }, "[ab]" },
		{ "empty delimiter", "split", 2, { STR(""), STR("ab") }, "[ab]" },
		{ "empty text", "split", 2, { STR(","), STR("") }, "[]" },
		{ "join", "join", 2, { STR(", "), LIST(words) }, "b, a, c" },
		{ "join numbers", "join", 2, { STR("-"), LIST(mixed) }, "x-7" },
		{ "join one", "join", 2, { STR("-"), STR("x") }, "x" },
		{ "join none", "join", 2, { STR("-"), EMPTY }, "" },
		{ "reverse a text", "reverse", 1, { STR("abc") }, "cba" },
		{ "reverse UTF-8",
		  "reverse",
		  1,
		  { STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9d"
			"b") },
		  "b\xf0\x9f\x90\x9d\xe2\x82\xac\xc3\xa9"
		  "a" },
		{ "reverse what is no UTF-8",
		  "reverse",
		  1,
		  { STR("\x80\x80\x80\x80\x80\xff") },
		  "\xff\x80\x80\x80\x80\x80" },
		{ "reverse a list", "reverse", 1, { LIST(words) }, "[c,a,b]" },
		{ "reverse a number", "reverse", 1, { NUM(123) }, "321" },
		{ "reverse_delim",
		  "reverse_delim",
		  2,
		  { STR("."), STR("192.0.2.1") },
		  "1.2.0.192" },
		{ "reverse_delim of longer ones",
		  "reverse_delim",
		  2,
		  { STR("::"), STR("a::bc::") },
		  "::bc::a" },
		{ "ec_tolower", "ec_tolower", 1, { STR("ABZ[\xc3\x84") }, "abz[\xc3\x84" },

		{ "D89 ec_add", "ec_add", 2, { STR("65.43"), STR("33.11") }, "98.540000" },
		{ "ec_sub", "ec_sub", 2, { NUM(1), STR("1.5") }, "-0.500000" },
		{ "ec_mul", "ec_mul", 2, { NUM(-3), NUM(0) }, "0.000000" },
		{ "ec_div", "ec_div", 2, { NUM(1), NUM(3) }, "0.333333" },
		{ "ec_div by zero", "ec_div", 2, { NUM(1), STR("0.0") }, "!division by zero" },
		{ "ec_mod", "ec_mod", 2, { STR("-7"), NUM(4) }, "-3" },
		{ "ec_mod by zero", "ec_mod", 2, { NUM(1), NUM(0) }, "!division by zero" },
		{ "ec_mod at the edge", "ec_mod", 2, { NUM(INT64_MIN), NUM(-1) }, "0" },
		{ "ec_ceil", "ec_ceil", 1, { STR("65.43") }, "66.000000" },
		{ "ec_floor", "ec_floor", 1, { STR("-65.43") }, "-66.000000" },
		{ "ec_trunc", "ec_trunc", 1, { STR("-65.93") }, "-65.000000" },
		{ "ec_nearbyint", "ec_nearbyint", 1, { STR("65.43") }, "65.000000" },
		{ "D90 ec_round goes away from zero",
		  "ec_round",
		  1,
		  { STR("65.43") },
		  "66.000000" },
		{ "D90 below zero too", "ec_round", 1, { STR("-65.43") }, "-66.000000" },
		{ "not a number",
		  "ec_add",
		  2,
		  { STR("x"), NUM(1) },
		  "!argument 1 of ec_add: the text is not a number" },
		{ "D9 unset is no number",
		  "ec_add",
		  2,
		  { NUM(1), NONE },
		  "!argument 2 of ec_add: an unset variable is not a number" },

		{ "isset", "isset", 2, { LIST(words), NUM(2) }, "1" },
		{ "isset past the end", "isset", 2, { LIST(words), STR("3") }, "0" },
		{ "isset below zero", "isset", 2, { LIST(words), NUM(-1) }, "0" },
		{ "isset in a text", "isset", 2, { STR("x"), NUM(0) }, "1" },
		{ "isset in nothing", "isset", 2, { NONE, NUM(0) }, "0" },
		{ "isset without a number",
		  "isset",
		  2,
		  { LIST(words), STR("k") },
		  "!the text is not a number" },
		{ "D18 is_true", "is_true", 1, { STR("no") }, "0" },
		{ "D18 is_true of nothing", "is_true", 1, { NONE }, "0" },
		{ "is_valid_ip", "is_valid_ip", 1, { LIST(ips) }, "1" },
		{ "is_valid_ip of a name", "is_valid_ip", 1, { LIST(ips_and_more) }, "0" },
		{ "is_valid_ip of brackets", "is_valid_ip", 1, { STR("[192.0.2.1]") }, "0" },
		{ "is_valid_ip of nothing", "is_valid_ip", 1, { EMPTY }, "0" },
		{ "is_rfc821_ip", "is_rfc821_ip", 1, { STR("[192.0.2.1]") }, "1" },
		{ "is_rfc821_ip, IPv6", "is_rfc821_ip", 1, { STR("[IPv6:2001:db8::1]") }, "1" },
		{ "is_rfc821_ip, bare", "is_rfc821_ip", 1, { STR("192.0.2.1") }, "0" },
		{ "is_rfc821_ip, empty", "is_rfc821_ip", 1, { STR("[]") }, "0" },
		{ "type", "type", 1, { NUM(1) }, "number" },
		{ "type of a list", "type", 1, { EMPTY }, "stringlist" },
		{ "D9 hash from nothing",
		  "hash_get",
		  2,
		  { NONE, STR("k") },
		  "!argument 1 of hash_get: it is not a hash" },
		{ "hash_create", "hash_create", 0, { NONE }, "{}" },

		{ "vctx_conn_get", "vctx_conn_get", 1, { STR("k") }, "conn" },
		{ "vctx_conn_get, absent", "vctx_conn_get", 1, { STR("absent") }, "" },
		{ "vctx_mess_get", "vctx_mess_get", 1, { STR("k") }, "mess" },
		{ "D19 vctx: the message first", "vctx", 1, { LIST(keys) }, "[mess,mx.example]" },
		{ "vctx_conn", "vctx_conn", 1, { LIST(keys) }, "[conn,mx.example]" },
		{ "vctx_mess", "vctx_mess", 1, { LIST(keys) }, "[mess]" },
		{ "vctx, absent", "vctx", 1, { STR("absent") }, "[]" },
		{ "envelope", "envelope", 1, { STR("from") }, "bob+x@example.org" },
		{ "envelope, not known yet", "envelope", 1, { STR("To") }, "" },
		{ "envelope, other",
		  "envelope",
		  1,
		  { STR("cc") },
		  "!the envelope has \"from\" and \"to\"" },

		{ "ec_log", "ec_log", 1, { STR("hello") }, "" },
		{ "ec_error_mode",
		  "ec_error_mode",
		  1,
		  { STR("never") },
		  "!the mode is \"continue\" or \"fail\"" },
		{ "D91 not in this build",
		  "clamav_avscan",
		  0,
		  { NONE },
		  "!function clamav_avscan is not available in this build" },
		{ "not yet",
		  "ec_dns_lookup",
		  2,
		  { STR("x"), STR("a") },
		  "!function ec_dns_lookup is not available yet" },
		{ "too few", "split", 1, { STR(",") }, "!split takes at least 2 arguments, not 1" },
		{ "too many",
		  "type",
		  2,
		  { STR(","), STR(",") },
		  "!type takes at most 1 argument, not 2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };

		fake_begin(&fake);
		fake.facts.helo = SLICE("mx.example");
		fake.facts.mail = &fake.mail;
		fake.mail.from = SLICE("bob+x@example.org");
		assert_null(facts_set(&fake.facts, CTX_CONN, SLICE("k"), SLICE("conn")));
		assert_null(facts_set(&fake.facts, CTX_MESS, SLICE("k"), SLICE("mess")));
		expect_result(cases[i].name, &fake,
			      fake_call(&fake, FN_SIEVE, cases[i].fn, cases[i].argv, cases[i].argc),
			      cases[i].want);
		fake_end(&fake);
	}
}

static void test_envelope_parts(void **state)
{
	static const struct {
		const char *tag;
		const char *want;
	} cases[] = {
		{ "all", "bob+x@example.org" },
		{ "localpart", "bob+x" },
		{ "domain", "example.org" },
		{ "user", "bob" },
		{ "Detail", "x" },
	};
	static const struct value from = STR("from");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };

		fake_begin(&fake);
		fake.facts.mail = &fake.mail;
		fake.mail.from = SLICE("bob+x@example.org");
		fake.call.tag = slice_of(cases[i].tag);
		expect_result(cases[i].tag, &fake, fake_call(&fake, FN_SIEVE, "envelope", &from, 1),
			      cases[i].want);
		fake_end(&fake);
	}
}

/* A hash through the functions; D112: values that are lists or hashes are skipped. */
static void test_hash(void **state)
{
	static const struct value values[] = { STR("one"), NUM(2), LIST(words) };
	static const char *const names[] = { "a", "b", "c" };
	struct value argv[3] = { NONE };
	struct fake fake = { 0 };

	(void)state;
	fake_begin(&fake);
	assert_int_equal(fake_call(&fake, FN_SIEVE, "hash_create", NULL, 0), FN_OK);
	argv[0] = fake.call.result;
	for (size_t i = 0; i < COUNT(values); i++) {
		argv[1] = VALUE_STR(slice_of(names[i]));
		argv[2] = values[i];
		expect_result("hash_set", &fake, fake_call(&fake, FN_SIEVE, "hash_set", argv, 3),
			      "");
	}
	expect_result("hash_get keeps the type", &fake,
		      fake_call(&fake, FN_SIEVE, "hash_get", argv, 2), "[b,a,c]");
	argv[1] = VALUE_STR(SLICE("absent"));
	expect_result("absent", &fake, fake_call(&fake, FN_SIEVE, "hash_get", argv, 2), "");
	expect_result("not set", &fake, fake_call(&fake, FN_SIEVE, "isset", argv, 2), "0");
	expect_result("keys", &fake, fake_call(&fake, FN_SIEVE, "hash_keys", argv, 1), "[a,b,c]");
	expect_result("D112 values", &fake, fake_call(&fake, FN_SIEVE, "hash_values", argv, 1),
		      "[one,2]");
	argv[1] = VALUE_STR(SLICE("self"));
	argv[2] = argv[0];
	expect_result("D10 a hash in itself", &fake,
		      fake_call(&fake, FN_SIEVE, "hash_set", argv, 3), "");
	expect_result("is no text", &fake, fake_call(&fake, FN_SIEVE, "ec_tolower", argv, 1),
		      "!argument 1 of ec_tolower: a hash is not a string");
	fake_end(&fake);
}

static void test_lua_calls(void **state)
{
	static const struct {
		const char *name;
		const char *fn;
		unsigned argc;
		struct value argv[4];
		const char *want;
	} cases[] = {
		{ "vctx:get", "vctx:get", 2, { NUM(CTX_CONN), STR("k") }, "conn" },
		{ "vctx:get, message", "vctx:get", 2, { NUM(CTX_MESS), STR("k") }, "mess" },
		{ "vctx:get, absent", "vctx:get", 2, { NUM(CTX_CONN), STR("x") }, "" },
		{ "vctx:get, nil key",
		  "vctx:get",
		  2,
		  { NUM(CTX_CONN), NONE },
		  "!argument 2 of vctx:get is missing" },
		{ "vctx:get, no such context",
		  "vctx:get",
		  2,
		  { NUM(2), STR("k") },
		  "!the context is VCTX_CONN or VCTX_MESS" },
		{ "vctx:set, nil",
		  "vctx:set",
		  3,
		  { NUM(CTX_CONN), STR("k"), NONE },
		  "!argument 3 of vctx:set is missing" },
		{ "vctx:set, a number", "vctx:set", 3, { NUM(CTX_CONN), STR("k"), NUM(7) }, "" },
		{ "vctx:exists is a number", "vctx:exists", 2, { NUM(CTX_CONN), STR("k") }, "1" },
		{ "vctx:exists, absent", "vctx:exists", 2, { NUM(CTX_MESS), STR("x") }, "0" },
		{ "msys.expandMacro",
		  "msys.expandMacro",
		  1,
		  { STR("<%{vctx_conn:k}>") },
		  "<conn>" },
		{ "not yet",
		  "msys.dnsLookup",
		  1,
		  { STR("x") },
		  "!function msys.dnsLookup is not available yet" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };

		fake_begin(&fake);
		fake.facts.mail = &fake.mail;
		assert_null(facts_set(&fake.facts, CTX_CONN, SLICE("k"), SLICE("conn")));
		assert_null(facts_set(&fake.facts, CTX_MESS, SLICE("k"), SLICE("mess")));
		expect_result(cases[i].name, &fake,
			      fake_call(&fake, FN_LUA, cases[i].fn, cases[i].argv, cases[i].argc),
			      cases[i].want);
		fake_end(&fake);
	}
}

/* A value made of a live count still says of which. */
static void test_origin_travels(void **state)
{
	static const struct value counted[] = {
		{ .type = VALUE_STRING, .origin = 3, .string = { "41", 2 } }
	};
	static const struct value list = LIST(counted), comma = STR(","), one = NUM(1);
	static const struct {
		const char *fn;
		unsigned argc;
		const struct value *argv[2];
	} cases[] = {
		{ "ec_add", 2, { &one, &list } }, { "join", 2, { &comma, &list } },
		{ "reverse", 1, { &list } },	  { "ec_mod", 2, { &list, &one } },
		{ "ec_tolower", 1, { &list } },
	};
	struct fake fake = { 0 };

	(void)state;
	fake_begin(&fake);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct value argv[2] = { *cases[i].argv[0], NONE };

		if (cases[i].argc == 2)
			argv[1] = *cases[i].argv[1];
		assert_int_equal(fake_call(&fake, FN_SIEVE, cases[i].fn, argv, cases[i].argc),
				 FN_OK);
		if (value_origin(&fake.call.result) != 3)
			fail_msg("%s", cases[i].fn);
	}
	fake_end(&fake);
}

/* A script that fills its memory is told, whatever it was doing. */
static void test_memory_ends(void **state)
{
	static const struct {
		const char *fn;
		unsigned argc;
		struct value argv[3];
	} cases[] = {
		{ "split", 2, { STR(","), STR("a,b") } },  { "join", 2, { STR(","), LIST(words) } },
		{ "reverse", 1, { STR("abc") } },	   { "reverse", 1, { LIST(words) } },
		{ "reverse_delim", 2, { STR("."), STR("a.b") } }, { "ec_tolower", 1, { STR("A") } },
		{ "ec_add", 2, { NUM(1), NUM(2) } },	   { "hash_create", 0, { NONE } },
		{ "vctx_conn_get", 1, { STR("k") } },	   { "vctx", 1, { STR("k") } },
		{ "audit_connections_on_service", 1, { STR("/32") } },
	};
	struct fake fake = { 0 };

	(void)state;
	fake.conf.has_inbound_audit = true;
	fake.facts.peer = addr_of("192.0.2.1");
	fake_begin(&fake);
	assert_null(facts_set(&fake.facts, CTX_CONN, SLICE("k"), SLICE("conn")));
	while (arena_take(&fake.run.arena, 1) != NULL)
		continue;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (fake_call(&fake, FN_SIEVE, cases[i].fn, cases[i].argv, cases[i].argc) !=
			    FN_FAILED ||
		    strstr(fake.call.error, value_no_memory) == NULL)
			fail_msg("%s: %s", cases[i].fn, fake.call.error);
	}
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),	       cmocka_unit_test(test_rows),
		cmocka_unit_test(test_argument_letters), cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_calls),	       cmocka_unit_test(test_envelope_parts),
		cmocka_unit_test(test_hash),	       cmocka_unit_test(test_lua_calls),
		cmocka_unit_test(test_origin_travels), cmocka_unit_test(test_memory_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
