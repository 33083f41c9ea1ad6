/* Command lines as clients write them, well and badly (RFC 5321 4.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "smtp/smtp.h"
#include "smtp/syntax.h"

#define CASE(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_fault(const char *name, syntax_fault got, const char *want)
{
	if ((got == NULL) != (want == NULL) ||
	    (got != NULL && strncmp(got, want, strlen(want)) != 0))
		fail_msg("%s: got \"%s\", want \"%s\"", name, got ? got : "fine",
			 want ? want : "fine");
}

static void assert_slice(const char *name, struct slice got, struct slice want)
{
	if (!slice_equal(got, want))
		fail_msg("%s: got \"%.*s\", want \"%.*s\"", name, SLICE_ARGS(got),
			 SLICE_ARGS(want));
}

static void test_command_split(void **state)
{
	static const struct {
		const char *name;
		struct slice line, want_verb, want_args;
	} cases[] = {
		{ "verb alone", CASE("QUIT"), CASE("QUIT"), CASE("") },
		{ "blanks at the end", CASE("QUIT \t "), CASE("QUIT"), CASE("") },
		{ "args", CASE("MAIL FROM:<a@b>"), CASE("MAIL"), CASE("FROM:<a@b>") },
		{ "blanks between", CASE("EHLO   host "), CASE("EHLO"), CASE("host") },
		{ "empty", CASE(""), CASE(""), CASE("") },
		{ "blanks", CASE("   "), CASE(""), CASE("") },
		{ "NUL stays in the verb", CASE("QU\0IT x"), CASE("QU\0IT"), CASE("x") },
		{ "a tab does not divide", CASE("NOOP\tx"), CASE("NOOP\tx"), CASE("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct command got = command_split(cases[i].line);

		assert_slice(cases[i].name, got.verb, cases[i].want_verb);
		assert_slice(cases[i].name, got.args, cases[i].want_args);
	}
}

static const char bad_sender[] = "501 5.1.7 Bad sender address syntax";
static const char bad_rcpt[] = "501 5.1.3 Bad recipient address syntax";
static const char utf8_undeclared[] = "553 5.6.7 ";

static void test_mail_path(void **state)
{
	static const struct {
		const char *name;
		struct slice args;
		const char *want_fault;
		struct slice want_address, want_local, want_domain;
		bool want_literal;
	} cases[] = {
		{ "plain", CASE("FROM:<a@b.example>"), NULL, CASE("a@b.example"), CASE("a"),
		  CASE("b.example"), false },
		{ "case of the word", CASE("from:<A@B>"), NULL, CASE("A@B"), CASE("A"), CASE("B"),
		  false },
		{ "one blank", CASE("FROM: <a@b>"), NULL, CASE("a@b"), CASE("a"), CASE("b"),
		  false },
		{ "null sender", CASE("FROM:<>"), NULL, CASE(""), CASE(""), CASE(""), false },
		{ "every atom octet", CASE("FROM:<!#$%&'*+-/=?^_`{|}~.09aZ@b>"), NULL,
		  CASE("!#$%&'*+-/=?^_`{|}~.09aZ@b"), CASE("!#$%&'*+-/=?^_`{|}~.09aZ"), CASE("b"),
		  false },
		{ "quoted", CASE("FROM:<\"a b\"@b>"), NULL, CASE("\"a b\"@b"), CASE("\"a b\""),
		  CASE("b"), false },
		{ "quoted brackets and at", CASE("FROM:<\"a>@c\"@b>"), NULL, CASE("\"a>@c\"@b"),
		  CASE("\"a>@c\""), CASE("b"), false },
		{ "quoted pair", CASE("FROM:<\"a\\\"b\\\\\"@b>"), NULL, CASE("\"a\\\"b\\\\\"@b"),
		  CASE("\"a\\\"b\\\\\""), CASE("b"), false },
		{ "quoted nothing", CASE("FROM:<\"\"@b>"), NULL, CASE("\"\"@b"), CASE("\"\""),
		  CASE("b"), false },
		{ "IPv4 literal", CASE("FROM:<a@[192.0.2.1]>"), NULL, CASE("a@[192.0.2.1]"),
		  CASE("a"), CASE("[192.0.2.1]"), true },
		{ "IPv6 literal", CASE("FROM:<a@[IPv6:2001:db8::1]>"), NULL,
		  CASE("a@[IPv6:2001:db8::1]"), CASE("a"), CASE("[IPv6:2001:db8::1]"), true },
		{ "IPv6 literal, mapped, lower case", CASE("FROM:<a@[ipv6:::ffff:192.0.2.1]>"),
		  NULL, CASE("a@[ipv6:::ffff:192.0.2.1]"), CASE("a"),
		  CASE("[ipv6:::ffff:192.0.2.1]"), true },
		{ "source route dropped", CASE("FROM:<@one.example,@two.example:a@b>"), NULL,
		  CASE("a@b"), CASE("a"), CASE("b"), false },
		{ "underscore in a domain", CASE("FROM:<a@_x.b_c>"), NULL, CASE("a@_x.b_c"),
		  CASE("a"), CASE("_x.b_c"), false },
		{ "dots in odd places", CASE("FROM:<.a..b.@c>"), NULL, CASE(".a..b.@c"),
		  CASE(".a..b."), CASE("c"), false },
		{ "UTF-8 with SMTPUTF8", CASE("FROM:<\xc3\xa9@\xe4\xbe\x8b.example> SMTPUTF8"),
		  NULL, CASE("\xc3\xa9@\xe4\xbe\x8b.example"), CASE("\xc3\xa9"),
		  CASE("\xe4\xbe\x8b.example"), false },
		{ "UTF-8 quoted", CASE("FROM:<\"\xf0\x9f\x98\x80 \"@b> SMTPUTF8"), NULL,
		  CASE("\"\xf0\x9f\x98\x80 \"@b"), CASE("\"\xf0\x9f\x98\x80 \""), CASE("b"),
		  false },

#define BAD(name, args, fault) { name, CASE(args), fault, CASE(""), CASE(""), CASE(""), false }
		BAD("no colon", "FROM <a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("nothing", "", "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("nothing after it", "FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("TO", "TO:<a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("blank before the colon", "FROM :<a@b>",
		    "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("glued to the path", "FROM:<a@b>SIZE=1",
		    "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("two paths", "FROM:<a@b><c@d>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
		BAD("two blanks", "FROM:  <a@b>", bad_sender),
		BAD("a tab", "FROM:\t<a@b>", bad_sender),
		BAD("no brackets", "FROM:a@b", bad_sender),
		BAD("no end", "FROM:<a@b", bad_sender),
		BAD("no end, nothing", "FROM:<", bad_sender),
		BAD("no domain", "FROM:<a>", bad_sender),
		BAD("postmaster is for RCPT", "FROM:<postmaster>", bad_sender),
		BAD("empty domain", "FROM:<a@>", bad_sender),
		BAD("empty local part", "FROM:<@b>", bad_sender),
		BAD("two at signs", "FROM:<a@b@c>", bad_sender),
		BAD("blank inside", "FROM:<a b@c>", bad_sender),
		BAD("open quote", "FROM:<\"a@b>", bad_sender),
		BAD("open quoted pair", "FROM:<\"a\\", bad_sender),
		BAD("text after the quotes", "FROM:<\"a\"b@c>", bad_sender),
		BAD("CR inside", "FROM:<a\rb@c>", bad_sender),
		BAD("LF quoted", "FROM:<\"a\nb\"@c>", bad_sender),
		BAD("LF in a quoted pair", "FROM:<\"a\\\nb\"@c>", bad_sender),
		BAD("NUL in the local part", "FROM:<a\0b@c>", bad_sender),
		BAD("NUL in the domain", "FROM:<a@b\0c>", bad_sender),
		BAD("tab in quotes", "FROM:<\"a\tb\"@c>", bad_sender),
		BAD("DEL in quotes", "FROM:<\"a\x7f\"@c>", bad_sender),
		BAD("route without a mailbox", "FROM:<@one:>", bad_sender),
		BAD("route without a colon", "FROM:<@one,@two>", bad_sender),
		BAD("route with a bad hop", "FROM:<@one,two:a@b>", bad_sender),
		BAD("route with an empty hop", "FROM:<@one,:a@b>", bad_sender),
		BAD("two routes", "FROM:<@one:@two:a@b>", bad_sender),
		BAD("domain: dot last", "FROM:<a@b.>", bad_sender),
		BAD("domain: dot first", "FROM:<a@.b>", bad_sender),
		BAD("domain: two dots", "FROM:<a@b..c>", bad_sender),
		BAD("domain: hyphen first", "FROM:<a@-b>", bad_sender),
		BAD("domain: hyphen last", "FROM:<a@b-.c>", bad_sender),
		BAD("literal: open", "FROM:<a@[192.0.2.1>", bad_sender),
		BAD("literal: text after", "FROM:<a@[192.0.2.1]x>", bad_sender),
		BAD("literal: empty", "FROM:<a@[]>", bad_sender),
		BAD("literal: bare IPv6", "FROM:<a@[2001:db8::1]>", bad_sender),
		BAD("literal: tagged IPv4", "FROM:<a@[IPv6:192.0.2.1]>", bad_sender),
		BAD("literal: tag alone", "FROM:<a@[IPv6:]>", bad_sender),
		BAD("literal: twice", "FROM:<a@[[192.0.2.1]]>", bad_sender),
		BAD("literal: name", "FROM:<a@[localhost]>", bad_sender),
		BAD("literal: zone", "FROM:<a@[IPv6:fe80::1%eth0]>", bad_sender),
		BAD("literal: another tag", "FROM:<a@[X400:b]>", bad_sender),
		BAD("UTF-8 undeclared", "FROM:<\xc3\xa9@b>", utf8_undeclared),
		BAD("UTF-8 undeclared in the domain", "FROM:<a@\xc3\xa9>", utf8_undeclared),
		BAD("UTF-8: cut", "FROM:<\xc3@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: lone tail", "FROM:<\xa9@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: long form", "FROM:<\xc0\xaf@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: long form of three", "FROM:<\xe0\x9f\xbf@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: surrogate", "FROM:<\xed\xa0\x80@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: past U+10FFFF", "FROM:<\xf4\x90\x80\x80@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: five octets", "FROM:<\xf8\x88\x80\x80\x80@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: NEL is a control", "FROM:<a\xc2\x85@b> SMTPUTF8", bad_sender),
		BAD("UTF-8: cut in the domain", "FROM:<a@\xe4\xbe> SMTPUTF8", bad_sender),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mail_command got;
		syntax_fault fault = syntax_mail(cases[i].args, &got);

		assert_fault(cases[i].name, fault, cases[i].want_fault);
		if (fault != NULL)
			continue;
		assert_slice(cases[i].name, got.from.address, cases[i].want_address);
		assert_slice(cases[i].name, got.from.local, cases[i].want_local);
		assert_slice(cases[i].name, got.from.domain, cases[i].want_domain);
		assert_int_equal(got.from.is_literal, cases[i].want_literal);
		assert_int_equal(got.from.is_utf8, got.params.smtputf8);
	}
}

static void test_mail_params(void **state)
{
	static const struct {
		const char *name;
		struct slice args;
		const char *want_fault;
		struct mail_params want;
	} cases[] = {
		{ "none", CASE("FROM:<a@b>"), NULL, { 0 } },
		{ "all",
		  CASE("FROM:<a@b> SIZE=10 BODY=8BITMIME SMTPUTF8"),
		  NULL,
		  { true, 10, BODY_8BITMIME, true } },
		{ "any case, more blanks",
		  CASE("FROM:<a@b>   size=10   body=7bit"),
		  NULL,
		  { true, 10, BODY_7BIT, false } },
		{ "null sender", CASE("FROM:<> SIZE=0"), NULL, { true, 0, BODY_NONE, false } },
		{ "SIZE, all that fits",
		  CASE("FROM:<a@b> SIZE=18446744073709551615"),
		  NULL,
		  { true, UINT64_MAX, BODY_NONE, false } },
		{ "SIZE, zeros",
		  CASE("FROM:<a@b> SIZE=00000000000000000001"),
		  NULL,
		  { true, 1, BODY_NONE, false } },
#define BAD_PARAM(name, params, fault)                                                             \
	{                                                                                          \
		name, CASE("FROM:<a@b> " params), fault,                                           \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
		BAD_PARAM("SIZE overflows by one", "SIZE=18446744073709551616", "552 5.3.4 "),
		BAD_PARAM("SIZE, twenty nines", "SIZE=99999999999999999999", "552 5.3.4 "),
		BAD_PARAM("SIZE, 21 digits", "SIZE=000000000000000000001",
			  "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE, not a digit", "SIZE=99999999999999999x",
			  "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE, sign", "SIZE=-1", "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE, empty", "SIZE=", "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE, no value", "SIZE", "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE, two signs", "SIZE==1", "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("SIZE twice", "SIZE=1 SIZE=1", "501 5.5.4 Parameter given twice"),
		BAD_PARAM("SMTPUTF8 twice", "SMTPUTF8 smtputf8", "501 5.5.4 Parameter given twice"),
		BAD_PARAM("SMTPUTF8 with a value", "SMTPUTF8=1", "501 5.5.4 "),
		BAD_PARAM("BODY, BINARYMIME", "BODY=BINARYMIME", "555 5.5.4 Unsupported option"),
		BAD_PARAM("BODY, empty", "BODY=", "501 5.5.4 "),
		BAD_PARAM("unknown", "RET=HDRS", "555 5.5.4 Unsupported option"),
		BAD_PARAM("unknown after a known", "SIZE=1 X", "555 5.5.4 Unsupported option"),
		BAD_PARAM("no keyword", "=1", "555 5.5.4 Unsupported option"),
		BAD_PARAM("tab between", "SIZE=1\tX", "501 5.5.4 Bad message size syntax"),
		BAD_PARAM("NUL", "SIZE\0=1", "555 5.5.4 Unsupported option"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mail_command got;
		syntax_fault fault = syntax_mail(cases[i].args, &got);

		assert_fault(cases[i].name, fault, cases[i].want_fault);
		if (fault != NULL)
			continue;
		if (got.params.has_size != cases[i].want.has_size ||
		    got.params.size != cases[i].want.size ||
		    got.params.body != cases[i].want.body ||
		    got.params.smtputf8 != cases[i].want.smtputf8)
			fail_msg("%s: other parameters", cases[i].name);
	}
}

static void test_rcpt(void **state)
{
	static const struct {
		const char *name;
		struct slice args;
		const char *want_fault;
		struct slice want_address, want_domain;
	} cases[] = {
		{ "plain", CASE("TO:<a@b>"), NULL, CASE("a@b"), CASE("b") },
		{ "one blank", CASE("to: <a@b>"), NULL, CASE("a@b"), CASE("b") },
		{ "postmaster without a domain", CASE("TO:<PostMaster>"), NULL, CASE("PostMaster"),
		  CASE("") },
		{ "UTF-8 is for the caller to judge", CASE("TO:<\xc3\xa9@b>"), NULL,
		  CASE("\xc3\xa9@b"), CASE("b") },
		{ "null", CASE("TO:<>"), bad_rcpt, CASE(""), CASE("") },
		{ "other name without a domain", CASE("TO:<root>"), bad_rcpt, CASE(""), CASE("") },
		{ "FROM", CASE("FROM:<a@b>"), "501 5.5.4 Syntax: RCPT TO:<address>", CASE(""),
		  CASE("") },
		{ "parameters", CASE("TO:<a@b> NOTIFY=NEVER"), "555 5.5.4 Unsupported option",
		  CASE(""), CASE("") },
		{ "glued", CASE("TO:<a@b>x"), "501 5.5.4 Syntax: RCPT TO:<address>", CASE(""),
		  CASE("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path got;
		syntax_fault fault = syntax_rcpt(cases[i].args, &got);

		assert_fault(cases[i].name, fault, cases[i].want_fault);
		if (fault != NULL)
			continue;
		assert_slice(cases[i].name, got.address, cases[i].want_address);
		assert_slice(cases[i].name, got.domain, cases[i].want_domain);
		assert_int_equal(got.is_utf8, (unsigned char)got.address.at[0] > 127);
	}
}

static void test_helo(void **state)
{
	static const struct {
		const char *name;
		struct slice args;
		const char *want_fault;
	} cases[] = {
		{ "host", CASE("mail.example.org"), NULL },
		{ "one label", CASE("PC_7"), NULL },
		{ "literal", CASE("[192.0.2.1]"), NULL },
		{ "IPv6 literal", CASE("[IPv6:::1]"), NULL },
		{ "nothing", CASE(""), "501 5.5.4 Syntax: EHLO hostname" },
		{ "two words", CASE("a b"), NULL },
		{ "CR", CASE("a\rb"), "501 5.5.2 " },
		{ "bare IPv6", CASE("::1"), NULL },
		{ "broken literal", CASE("[192.0.2.1"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice name;
		syntax_fault fault = syntax_helo(cases[i].args, &name);

		assert_fault(cases[i].name, fault, cases[i].want_fault);
		assert_slice(cases[i].name, name, cases[i].args);
	}
}

static struct slice repeated(char *out, size_t len, size_t label)
{
	for (size_t i = 0; i < len; i++)
		out[i] = i % (label + 1) == label ? '.' : 'a';
	return (struct slice){ out, len };
}

static void test_lengths(void **state)
{
	char text[600];
	struct path got;

	(void)state;
	assert_true(syntax_is_domain(repeated(text, 63, 63)));
	assert_false(syntax_is_domain(repeated(text, 64, 64)));
	assert_true(syntax_is_domain(repeated(text, SMTP_DOMAIN_MAX, 63)));
	assert_false(syntax_is_domain(repeated(text, SMTP_DOMAIN_MAX + 2, 50)));

	for (int over = 0; over < 2; over++) {
		int len = snprintf(text, sizeof text, "TO:<%0*d@b>", SMTP_PATH_MAX - 4 + over, 0);

		assert_fault("path", syntax_rcpt((struct slice){ text, (size_t)len }, &got),
			     over ? "501 5.1.3 Path too long" : NULL);
	}
	/* U-labels: characters count, 22 of three octets each are fine. */
	for (size_t i = 0; i < 66; i++)
		text[i] = "\xe4\xbe\x8b"[i % 3];
	assert_true(syntax_is_domain((struct slice){ text, 66 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_split), cmocka_unit_test(test_mail_path),
		cmocka_unit_test(test_mail_params),   cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_helo),	      cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
