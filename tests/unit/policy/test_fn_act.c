/* What scripts do, as verdict and as what is told about it (behaviour 6.2, 7.2). */
#include "policy/fake.h"

static void test_actions(void **state)
{
	static const struct {
		const char *name;
		unsigned language;
		const char *fn;
		unsigned argc;
		struct value argv[3];
		const char *want; /* result, or '!' and the error */
		const char *want_acted;
		const char *want_verdict; /* delay, code, text */
	} cases[] = {
		{ "ec_tarpit",
		  FN_SIEVE,
		  "ec_tarpit",
		  2,
		  { NUM(10), STR("too many") },
		  "",
		  "connect ec_tarpit ms=10000 code=0 text= counter=too many\n",
		  "10000 0 -" },
		{ "D34 fractions of a second",
		  FN_SIEVE,
		  "ec_tarpit",
		  1,
		  { STR("0.5") },
		  "",
		  "connect ec_tarpit ms=500 code=0 text= counter=\n",
		  "500 0 -" },
		{ "D34 0 is nothing", FN_SIEVE, "ec_tarpit", 1, { NUM(0) }, "", "", "0 0 -" },
		{ "D34 negative",
		  FN_SIEVE,
		  "ec_tarpit",
		  1,
		  { STR("-0.1") },
		  "!a delay cannot be negative",
		  "",
		  "0 0 -" },
		{ "D34 cap",
		  FN_SIEVE,
		  "ec_tarpit",
		  1,
		  { STR("99999999999999999999") },
		  "",
		  "connect ec_tarpit ms=3600000 code=0 text= counter=\n",
		  "3600000 0 -" },
		{ "tarpit of a word",
		  FN_SIEVE,
		  "ec_tarpit",
		  1,
		  { STR("long") },
		  "!argument 1 of ec_tarpit: the text is not a number",
		  "",
		  "0 0 -" },
		{ "ec_action",
		  FN_SIEVE,
		  "ec_action",
		  2,
		  { STR("550"), STR("5.7.1 no") },
		  "",
		  "connect ec_action ms=0 code=550 text=5.7.1 no counter=\n",
		  "0 550 5.7.1 no" },
		{ "ec_action, counter",
		  FN_SIEVE,
		  "ec_action",
		  3,
		  { NUM(450), STR("later"), STR("grey") },
		  "",
		  "connect ec_action ms=0 code=450 text=later counter=grey\n",
		  "0 450 later" },
		{ "ec_action, 2xx",
		  FN_SIEVE,
		  "ec_action",
		  2,
		  { NUM(250), STR("fine") },
		  "",
		  "connect ec_action ms=0 code=250 text=fine counter=\n",
		  "0 250 fine" },
		{ "ec_action, no code",
		  FN_SIEVE,
		  "ec_action",
		  2,
		  { NUM(0), STR("x") },
		  "!a reply code is 200 to 299 or 400 to 599",
		  "",
		  "0 0 -" },
		{ "ec_action, far too large",
		  FN_SIEVE,
		  "ec_action",
		  2,
		  { NUM(65536 + 250), STR("x") },
		  "!a reply code is 200 to 299 or 400 to 599",
		  "",
		  "0 0 -" },
		{ "ec_disconnect",
		  FN_SIEVE,
		  "ec_disconnect",
		  3,
		  { NUM(421), STR("bye"), STR("limit") },
		  "",
		  "connect ec_disconnect ms=0 code=421 text=bye counter=limit\n",
		  "0 421 bye close" },
		{ "D22 only the flag",
		  FN_SIEVE,
		  "ec_disconnect",
		  0,
		  { NONE },
		  "",
		  "connect ec_disconnect ms=0 code=0 text= counter=\n",
		  "0 0 - close" },
		{ "ec_disconnect, half",
		  FN_SIEVE,
		  "ec_disconnect",
		  1,
		  { NUM(421) },
		  "!ec_disconnect takes a code and a text, or nothing",
		  "",
		  "0 0 -" },
		{ "ec_disconnect, code 0",
		  FN_SIEVE,
		  "ec_disconnect",
		  2,
		  { NUM(0), STR("x") },
		  "!a reply code is 200 to 299 or 400 to 599",
		  "",
		  "0 0 -" },
		{ "keep counts",
		  FN_SIEVE,
		  "keep",
		  0,
		  { NONE },
		  "",
		  "connect keep ms=0 code=0 text= counter=\n",
		  "0 0 -" },
		{ "ec_keep",
		  FN_SIEVE,
		  "ec_keep",
		  1,
		  { STR("why") },
		  "",
		  "connect ec_keep ms=0 code=0 text=why counter=\n",
		  "0 0 -" },
		{ "stop does not", FN_SIEVE, "stop", 0, { NONE }, "", "", "0 0 -" },
		{ "ec_inc_counter",
		  FN_SIEVE,
		  "ec_inc_counter",
		  1,
		  { STR("a:b") },
		  "",
		  "connect ec_inc_counter ms=0 code=0 text= counter=a:b\n",
		  "0 0 -" },
		{ "vctx:tarpit",
		  FN_LUA,
		  "vctx:tarpit",
		  1,
		  { STR("1.5") },
		  "",
		  "connect vctx:tarpit ms=1500 code=0 text= counter=\n",
		  "1500 0 -" },
		{ "vctx:tarpit, nil",
		  FN_LUA,
		  "vctx:tarpit",
		  1,
		  { NONE },
		  "!argument 1 of vctx:tarpit is missing",
		  "",
		  "0 0 -" },
		{ "vctx:set_code",
		  FN_LUA,
		  "vctx:set_code",
		  2,
		  { STR("550"), STR("no") },
		  "",
		  "connect vctx:set_code ms=0 code=550 text=no counter=\n",
		  "0 550 no" },
		{ "vctx:disconnect",
		  FN_LUA,
		  "vctx:disconnect",
		  2,
		  { NUM(421), STR("bye") },
		  "",
		  "connect vctx:disconnect ms=0 code=421 text=bye counter=\n",
		  "0 421 bye close" },
		{ "vctx:disconnect, only the flag",
		  FN_LUA,
		  "vctx:disconnect",
		  0,
		  { NONE },
		  "",
		  "connect vctx:disconnect ms=0 code=0 text= counter=\n",
		  "0 0 - close" },
		{ "vctx:pbp_action gives VALIDATE_DONE",
		  FN_LUA,
		  "vctx:pbp_action",
		  2,
		  { NUM(550), STR("no") },
		  "1",
		  "connect vctx:pbp_action ms=0 code=550 text=no counter=\n",
		  "0 550 no" },
		{ "vctx:pbp_disconnect gives VALIDATE_DONE",
		  FN_LUA,
		  "vctx:pbp_disconnect",
		  2,
		  { NUM(421), STR("bye") },
		  "1",
		  "connect vctx:pbp_disconnect ms=0 code=421 text=bye counter=\n",
		  "0 421 bye close" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };
		const struct verdict *v = &fake.verdict;
		struct buf got = { 0 };

		fake_begin(&fake);
		expect_result(cases[i].name, &fake,
			      fake_call(&fake, cases[i].language, cases[i].fn, cases[i].argv,
					cases[i].argc),
			      cases[i].want);
		expect_text(cases[i].name, &fake.acted, cases[i].want_acted);
		assert_true(buf_printf(&got, "%u %u %s%s", v->delay_ms, v->code,
				       v->text ? v->text : "-", v->disconnect ? " close" : ""));
		expect_text(cases[i].name, &got, cases[i].want_verdict);
		buf_free(&got);
		fake_end(&fake);
	}
}

/* An action says which live count led to it: the engine's word, or what its arguments were
 * made of. */
static void test_cause(void **state)
{
	static const struct value block = STR("/24"), ten = NUM(10);
	struct fake fake = { .count = 41 };
	struct value argv[2] = { NUM(10), NONE };

	(void)state;
	fake.conf.has_inbound_audit = true;
	fake.facts.peer = addr_of("192.0.2.7");
	fake_begin(&fake);
	assert_int_equal(fake_call(&fake, FN_SIEVE, "audit_connections_on_service", &block, 1),
			 FN_OK);
	argv[1] = fake.call.result;
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_tarpit", &ten, 1), FN_OK);
	expect_text("no count", &fake.acted, "connect ec_tarpit ms=10000 code=0 text= counter=\n");
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_tarpit", argv, 2), FN_OK);
	expect_text(
		"a count in an argument", &fake.acted,
		"connect ec_tarpit ms=10000 code=0 text= counter=41 cause=SMTP 192.0.2.0/24 41\n");
	fake.call.cause = 1;
	assert_int_equal(fn_call(&fake.call, &ten, 1), FN_OK);
	expect_text(
		"the engine knows", &fake.acted,
		"connect ec_tarpit ms=10000 code=0 text= counter= cause=SMTP 192.0.2.0/24 41\n");
	fake_end(&fake);
}

static void test_log_is_cut(void **state)
{
	struct fake fake = { 0 };
	char text[3000];
	struct value v = VALUE_STR(((struct slice){ text, sizeof text }));

	(void)state;
	memset(text, 'x', sizeof text);
	fake_begin(&fake);
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_log", &v, 1), FN_OK);
	assert_int_equal(fake.logged.len, strlen("a.siv:3: ") + 1972 + 1);
	fake_end(&fake);
}

static void test_d26_error_mode(void **state)
{
	static const struct value go_on = STR("continue"), stop = STR("FAIL");
	struct fake fake = { 0 };
	bool error_continue = false;

	(void)state;
	fake_begin(&fake);
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_error_mode", &go_on, 1),
			 FN_OK); /* nobody to tell */
	fake.call.error_continue = &error_continue;
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_error_mode", &go_on, 1), FN_OK);
	assert_true(error_continue);
	assert_int_equal(fake_call(&fake, FN_SIEVE, "ec_error_mode", &stop, 1), FN_OK);
	assert_false(error_continue);
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_cause),
		cmocka_unit_test(test_log_is_cut),
		cmocka_unit_test(test_d26_error_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
