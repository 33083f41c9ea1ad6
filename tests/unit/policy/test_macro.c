/* %{...} in strings (behaviour 1.4). */
#include "policy/fake.h"

#include "base/clock.h"
#include "policy/macro.h"

/* A session that has said everything. */
static void full_session(struct fake *fake, const char *peer)
{
	fake_begin(fake);
	fake->mail.from = SLICE("strong-bad@email.example.com");
	fake->mail.rcpt = SLICE("carol@example.net");
	fake->facts.mail = &fake->mail;
	fake->facts.helo = SLICE("mx.example.org");
	fake->facts.peer = addr_of(peer);
	assert_null(facts_set(&fake->facts, CTX_CONN, SLICE("where"), SLICE("conn")));
	assert_null(facts_set(&fake->facts, CTX_CONN, SLICE("only_conn"), SLICE("%{i}")));
	assert_null(facts_set(&fake->facts, CTX_MESS, SLICE("where"), SLICE("mess")));
}

static void test_expand(void **state)
{
	static const char v4[] = "192.0.2.3", v6[] = "2001:db8::cb01";
	static const struct {
		const char *name;
		const char *peer;
		const char *text;
		const char *want;
	} cases[] = {
		{ "nothing to expand", v4, "plain ${i} % { }", "plain ${i} % { }" },
		{ "one pass, left to right", v4, "<%{i}> %{h}!", "<192.0.2.3> mx.example.org!" },
		{ "D12 the result is not scanned again", v4, "%{only_conn}", "%{i}" },
		{ "no end", v4, "a %{i", "a %{i" },
		{ "an end further on", v4, "%{i %{h}", "" },
		{ "empty name", v4, "[%{}]", "[]" },
		{ "connection context", v4, "%{vctx_conn:where}", "conn" },
		{ "message context", v4, "%{vctx_mess:where}", "mess" },
		{ "computed keys", v4, "%{vctx_mess:mailfrom_domain}", "email.example.com" },
		{ "absent key", v4, "[%{vctx_conn:nothing}]", "[]" },
		{ "D13 message before connection", v4, "%{where}", "mess" },
		{ "D13 then the connection", v4, "%{ehlo_domain}", "mx.example.org" },
		{ "D13 rcptto_domain", v4, "%{rcptto_domain}", "example.net" },
		{ "D13 SPF macros without a prefix", v4, "%{ir}.%{o2}", "3.2.0.192.example.com" },
		{ "D14 unknown prefix", v4, "[%{spvf1:i}]", "[]" },
		{ "D14 unknown name", v4, "[%{nothing}]", "[]" },
		{ "D14 no SPF macro", v4, "[%{spfv1:z}%{spfv1:d0}%{spfv1:dx}%{spfv1:}]", "[]" },
		{ "message text is not there yet", v4, "[%{rfc2822:headers}]", "[]" },
		{ "date", v4, "%{rfc822:date}", "Fri, 20 Nov 2026 10:30:00 +0000" },

		{ "RFC 7208 s", v4, "%{spfv1:s}", "strong-bad@email.example.com" },
		{ "RFC 7208 o", v4, "%{spfv1:o}", "email.example.com" },
		{ "RFC 7208 d", v4, "%{spfv1:d}", "email.example.com" },
		{ "RFC 7208 d4", v4, "%{spfv1:d4}", "email.example.com" },
		{ "RFC 7208 d2", v4, "%{spfv1:d2}", "example.com" },
		{ "RFC 7208 d1", v4, "%{spfv1:d1}", "com" },
		{ "RFC 7208 dr", v4, "%{spfv1:dr}", "com.example.email" },
		{ "RFC 7208 d2r", v4, "%{spfv1:d2r}", "example.email" },
		{ "RFC 7208 l", v4, "%{spfv1:l}", "strong-bad" },
		{ "RFC 7208 l-", v4, "%{spfv1:l-}", "strong.bad" },
		{ "RFC 7208 lr", v4, "%{spfv1:lr}", "strong-bad" },
		{ "RFC 7208 lr-", v4, "%{spfv1:lr-}", "bad.strong" },
		{ "RFC 7208 l1r-", v4, "%{spfv1:l1r-}", "strong" },
		{ "RFC 7208 ir.v", v4, "%{ir}.%{v}._spf.%{d2}",
		  "3.2.0.192.in-addr._spf.example.com" },
		{ "RFC 7208 ir.v of IPv6", v6, "%{ir}.%{v}",
		  "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6" },
		{ "i of IPv6", v6, "%{i}",
		  "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1" },
		{ "c of IPv6", v6, "%{spfv1:c}", "2001:db8::cb01" },
		{ "p without DNS", v4, "%{p}", "unknown" },
		{ "h", v4, "%{h}", "mx.example.org" },
		{ "t", v4, "%{t}", "1795170600" },
		{ "keep more than there is", v4, "%{d4294967297}", "email.example.com" },
	};

	(void)state;
	clock_stop(true, 0, 1795170600123);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };
		struct slice out;

		full_session(&fake, cases[i].peer);
		assert_null(macro_expand(&fake.run, slice_of(cases[i].text), &out));
		if (!slice_equal(out, slice_of(cases[i].want)))
			fail_msg("%s: got \"%.*s\"", cases[i].name, SLICE_ARGS(out));
		fake_end(&fake);
	}
	clock_stop(false, 0, 0);
}

/* RFC 7208 2.4, 4.3; and a session that has said nothing yet. */
static void test_senders(void **state)
{
	static const struct {
		const char *name;
		bool has_mail;
		struct slice from, helo;
		const char *want; /* of "%{s} %{l} %{o}" */
	} cases[] = {
		{ "null sender", true, SLICE(""), SLICE("mx.example"),
		  "postmaster@mx.example postmaster mx.example" },
		{ "before MAIL", false, SLICE(""), SLICE("mx.example"),
		  "postmaster@mx.example postmaster mx.example" },
		{ "no local part", true, SLICE("@b.example"), SLICE("mx"),
		  "postmaster@b.example postmaster b.example" },
		{ "no domain", true, SLICE("postmaster"), SLICE("mx"), "postmaster postmaster " },
		{ "before EHLO", false, SLICE(""), SLICE(""), " postmaster " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { 0 };
		struct slice out;

		fake_begin(&fake);
		fake.mail.from = cases[i].from;
		fake.facts.mail = cases[i].has_mail ? &fake.mail : NULL;
		fake.facts.helo = cases[i].helo;
		assert_null(macro_expand(&fake.run, SLICE("%{s} %{l} %{o}"), &out));
		if (!slice_equal(out, slice_of(cases[i].want)))
			fail_msg("%s: got \"%.*s\"", cases[i].name, SLICE_ARGS(out));
		assert_null(macro_expand(&fake.run, SLICE("%{i}%{c}"), &out)); /* no peer */
		assert_int_equal(out.len, 0);
		fake_end(&fake);
	}
}

/* A long HELO, with more dots than there are parts; a text that outgrows the run's memory. */
static void test_limits(void **state)
{
	struct buf text = { 0 };
	struct fake fake = { 0 };
	struct slice out;
	char helo[1000];

	(void)state;
	fake_begin(&fake);
	memset(helo, '.', sizeof helo);
	fake.facts.helo = (struct slice){ helo, sizeof helo };
	assert_null(macro_expand(&fake.run, SLICE("%{h1}%{hr}%{s}"), &out));
	assert_null(facts_set(&fake.facts, CTX_CONN, SLICE("large"),
			      (struct slice){ helo, sizeof helo }));
	for (unsigned i = 0; i < 2000; i++)
		assert_true(buf_add(&text, "%{large}", 8));
	assert_non_null(macro_expand(&fake.run, buf_slice(&text), &out));
	buf_free(&text);
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
