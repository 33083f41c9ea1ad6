/* What policy knows of a session: the computed keys of 2.5, the contexts, addresses taken apart. */
#include "policy/fake.h"

#include "net/tls.h"

static void test_computed_keys(void **state)
{
	static const struct {
		const char *name;
		enum ctx_kind kind;
		const char *key;
		const char *want;	 /* in a full session; NULL: absent */
		const char *want_before; /* when nothing was said yet */
	} cases[] = {
		{ "who logged in", CTX_CONN, "auth_user", "ann", NULL },
		{ "may relay", CTX_CONN, "can_relay", "true", NULL },
		{ "messages", CTX_CONN, "connection_message_count", "3", "0" },
		{ "recipients", CTX_CONN, "connection_rcpt_count", "18446", "0" },
		{ "recipients since MAIL", CTX_CONN, "message_rcpt_count", "2", "0" },
		{ "HELO name", CTX_CONN, "ehlo_domain", "mx.example", NULL },
		{ "HELO line", CTX_CONN, "ehlo_string", "EHLO mx.example", NULL },
		{ "early talker", CTX_CONN, "early_talker", "yes", NULL },
		{ "cipher", CTX_CONN, "tls_cipher", "AES", NULL },
		{ "cipher's bits", CTX_CONN, "tls_cipher_algbits", "256", NULL },
		{ "secret ones", CTX_CONN, "tls_cipher_usebits", "128", NULL },
		{ "certificate", CTX_CONN, "tls_client_cert_subject", "CN=a,O=b", NULL },
		{ "its name", CTX_CONN, "tls_client_cert_subject_cn", "a", NULL },
		{ "its issuer", CTX_CONN, "tls_client_cert_issuer", "CN=c", NULL },
		{ "its issuer's name", CTX_CONN, "tls_client_cert_issuer_cn", "c", NULL },
		{ "it is good", CTX_CONN, "tls_client_verified", "yes", NULL },
		{ "bad commands", CTX_CONN, "conntrol_bad_commands", "4", "0" },
		{ "unknown commands", CTX_CONN, "conntrol_unrecognized_commands", "5", "0" },
		{ "sender", CTX_MESS, "mailfrom_string", "bob+x@example.org", NULL },
		{ "sender's local part", CTX_MESS, "mailfrom_localpart", "bob+x", NULL },
		{ "sender's domain", CTX_MESS, "mailfrom_domain", "example.org", NULL },
		{ "recipient", CTX_MESS, "rcptto_string", "carol@example.com", NULL },
		{ "recipient's local part", CTX_MESS, "rcptto_localpart", "carol", NULL },
		{ "recipient's domain", CTX_MESS, "rcptto_domain", "example.com", NULL },
		{ "keys have case", CTX_CONN, "Can_Relay", NULL, NULL },
		{ "not in the other dictionary", CTX_MESS, "can_relay", NULL, NULL },
		{ "D86 before any lookup", CTX_CONN, "dns_status", NULL, NULL },
		{ "preset by the configuration", CTX_CONN, "trusted", "yes", "yes" },
		{ "preset before computed", CTX_CONN, "tls", "preset", "preset" },
	};
	struct ctx preset = { 0 };
	struct facts before = { .preset = &preset };
	struct facts_mail mail = { .from = SLICE("bob+x@example.org"),
				   .rcpt = SLICE("carol@example.com"),
				   .rcpt_count = 2 };
	const struct tls_info tls = { .version = "TLSv1.3",
				      .cipher = "AES",
				      .cipher_bits = 256,
				      .used_bits = 128,
				      .subject = (char *)"CN=a,O=b",
				      .subject_cn = (char *)"a",
				      .issuer = (char *)"CN=c",
				      .issuer_cn = (char *)"c",
				      .verified = true };
	struct facts full = { .auth_user = SLICE("ann"),
			      .can_relay = true,
			      .message_count = 3,
			      .rcpt_count = 18446,
			      .helo = SLICE("mx.example"),
			      .helo_line = SLICE("EHLO mx.example"),
			      .early_talker = true,
			      .bad_commands = 4,
			      .unknown_commands = 5,
			      .tls = &tls,
			      .mail = &mail,
			      .preset = &preset };

	(void)state;
	assert_null(ctx_set(&preset, SLICE("trusted"), SLICE("yes")));
	assert_null(ctx_set(&preset, SLICE("tls"), SLICE("preset")));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const wants[] = { cases[i].want, cases[i].want_before };
		const struct facts *const facts[] = { &full, &before };

		for (unsigned which = 0; which < 2; which++) {
			char room[FACTS_ROOM];
			struct slice got;
			bool there = facts_get(facts[which], cases[i].kind, slice_of(cases[i].key),
					       room, &got);

			if (there != (wants[which] != NULL))
				fail_msg("%s: %s", cases[i].name,
					 there ? "is there" : "is not there");
			if (there && !slice_equal(got, slice_of(wants[which])))
				fail_msg("%s: got \"%.*s\"", cases[i].name, SLICE_ARGS(got));
		}
	}
	ctx_clear(&preset);
}

static void expect_key(struct facts *facts, const char *key, const char *want)
{
	char room[FACTS_ROOM];
	struct slice got;

	assert_int_equal(facts_get(facts, CTX_CONN, slice_of(key), room, &got), want != NULL);
	if (want != NULL)
		assert_true(slice_equal(got, slice_of(want)));
}

/* What was set hides what is computed or preset; what was deleted does too. */
static void test_set_and_delete(void **state)
{
	struct ctx preset = { 0 };
	struct facts facts = { .can_relay = true, .preset = &preset };

	(void)state;
	assert_null(ctx_set(&preset, SLICE("trusted"), SLICE("yes")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("a"), SLICE("1")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("b"), SLICE("2")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("a"), SLICE("three")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("can_relay"), SLICE("no")));
	expect_key(&facts, "a", "three");
	expect_key(&facts, "b", "2");
	expect_key(&facts, "can_relay", "no");
	assert_null(facts_delete(&facts, CTX_CONN, SLICE("a")));
	assert_null(facts_delete(&facts, CTX_CONN, SLICE("never there")));
	assert_null(facts_delete(&facts, CTX_CONN, SLICE("can_relay")));
	assert_null(facts_delete(&facts, CTX_CONN, SLICE("trusted")));
	expect_key(&facts, "a", NULL);
	expect_key(&facts, "b", "2");
	expect_key(&facts, "can_relay", "");
	expect_key(&facts, "trusted", "");
	ctx_clear(&facts.conn);
	assert_int_equal(facts.conn.bytes, 0);
	expect_key(&facts, "b", NULL);
	ctx_clear(&preset);
}

static void test_d85_no_message_context_before_mail(void **state)
{
	struct facts facts = { 0 };
	struct facts_mail mail = { 0 };
	char room[FACTS_ROOM];
	struct slice got;

	(void)state;
	assert_false(facts_get(&facts, CTX_MESS, SLICE("k"), room, &got));
	assert_non_null(facts_set(&facts, CTX_MESS, SLICE("k"), SLICE("v")));
	assert_non_null(facts_delete(&facts, CTX_MESS, SLICE("k")));
	facts.mail = &mail;
	assert_null(facts_set(&facts, CTX_MESS, SLICE("k"), SLICE("v")));
	assert_true(facts_get(&facts, CTX_MESS, SLICE("k"), room, &got));
	assert_true(facts_get(&facts, CTX_MESS, SLICE("mailfrom_string"), room,
			      &got)); /* the null sender */
	assert_int_equal(got.len, 0);
	assert_false(facts_get(&facts, CTX_MESS, SLICE("rcptto_string"), room, &got));
	assert_null(facts_delete(&facts, CTX_MESS, SLICE("k")));
	assert_int_equal(mail.mess.bytes, 0);
}

static void test_ctx_limits(void **state)
{
	char key[CTX_KEY_MAX + 1], *large = calloc(1, CTX_BYTES_MAX);
	struct ctx ctx = { 0 };
	struct slice got, k = { key, CTX_KEY_MAX };
	uint32_t bytes;

	(void)state;
	memset(key, 'k', sizeof key);
	assert_non_null(ctx_set(&ctx, (struct slice){ key, sizeof key }, SLICE("v")));
	assert_null(ctx_set(&ctx, k, SLICE("v")));
	assert_non_null(ctx_set(&ctx, SLICE("large"), (struct slice){ large, CTX_BYTES_MAX }));
	assert_null(ctx_set(&ctx, SLICE("half"), (struct slice){ large, CTX_BYTES_MAX / 2 }));
	assert_non_null(ctx_set(&ctx, SLICE("half 2"), (struct slice){ large, CTX_BYTES_MAX / 2 }));
	assert_null(ctx_set(&ctx, SLICE("half"),
			    (struct slice){ large, CTX_BYTES_MAX / 2 + 1 })); /* in place */
	bytes = ctx.bytes;
	assert_true(ctx_get(&ctx, SLICE("half"), &got));
	assert_null(ctx_set(&ctx, SLICE("half"), got)); /* of itself */
	assert_int_equal(ctx.bytes, bytes);
	assert_true(ctx_delete(&ctx, SLICE("half")));
	assert_false(ctx_delete(&ctx, SLICE("half")));
	assert_true(ctx_get(&ctx, k, &got));
	assert_null(ctx_set(&ctx, (struct slice){ 0 }, (struct slice){ 0 }));
	assert_true(ctx_get(&ctx, (struct slice){ 0 }, &got));
	assert_int_equal(got.len, 0);
	ctx_clear(&ctx);
	free(large);
}

static void list_one(void *arg, struct slice key, struct slice value)
{
	char *list = arg;
	size_t len = strlen(list);

	snprintf(list + len, 512 - len, "%.*s=%.*s;", SLICE_ARGS(key), SLICE_ARGS(value));
}

static void test_each_once(void **state)
{
	struct ctx preset = { 0 };
	struct facts facts = { .preset = &preset,
			       .helo = SLICE("mx"),
			       .helo_line = SLICE("EHLO mx") };
	struct facts_mail mail = { .from = SLICE("a@b") };
	char list[512] = "";

	(void)state;
	assert_null(ctx_set(&preset, SLICE("both"), SLICE("preset")));
	assert_null(ctx_set(&preset, SLICE("here"), SLICE("preset")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("both"), SLICE("set")));
	assert_null(facts_set(&facts, CTX_CONN, SLICE("ehlo_domain"), SLICE("other")));
	facts_each(&facts, CTX_CONN, list_one, list);
	assert_string_equal(list,
			    "both=set;ehlo_domain=other;here=preset;connection_message_count=0;"
			    "connection_rcpt_count=0;message_rcpt_count=0;ehlo_string=EHLO mx;"
			    "conntrol_bad_commands=0;conntrol_unrecognized_commands=0;");
	list[0] = '\0';
	facts_each(&facts, CTX_MESS, list_one, list);
	assert_string_equal(list, "");
	facts.mail = &mail;
	assert_null(facts_set(&facts, CTX_MESS, SLICE("k"), SLICE("v")));
	facts_each(&facts, CTX_MESS, list_one, list);
	assert_string_equal(list,
			    "k=v;mailfrom_string=a@b;mailfrom_localpart=a;mailfrom_domain=b;");
	ctx_clear(&preset);
	ctx_clear(&facts.conn);
	ctx_clear(&mail.mess);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		const char *want_local, *want_domain, *want_user, *want_detail;
	} cases[] = {
		{ "a@b.example", "a", "b.example", "a", "" },
		{ "a+d@b", "a+d", "b", "a", "d" },
		{ "a+d+e@b", "a+d+e", "b", "a", "d+e" },
		{ "+d@b", "+d", "b", "", "d" },
		{ "\"x@y\"@b", "\"x@y\"", "b", "\"x@y\"", "" },
		{ "postmaster", "postmaster", "", "postmaster", "" },
		{ "@b", "", "b", "", "" },
		{ "", "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice a = slice_of(cases[i].address);

		if (!slice_equal(address_local(a), slice_of(cases[i].want_local)) ||
		    !slice_equal(address_domain(a), slice_of(cases[i].want_domain)) ||
		    !slice_equal(address_user(a), slice_of(cases[i].want_user)) ||
		    !slice_equal(address_detail(a), slice_of(cases[i].want_detail)))
			fail_msg("%s", cases[i].address);
	}
	assert_int_equal(address_detail((struct slice){ 0 }).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_computed_keys),
		cmocka_unit_test(test_set_and_delete),
		cmocka_unit_test(test_d85_no_message_context_before_mail),
		cmocka_unit_test(test_ctx_limits),
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
