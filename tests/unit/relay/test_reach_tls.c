/* STARTTLS with a next hop: where it need not be, and where it must. */
#include "relay/scene.h"

#include "base/log.h"
#include "net/certs.h"

#define OFFER { "EHLO", "250-sink.example\r\n250 STARTTLS\r\n", GO_ON }
#define NO_OFFER { "EHLO", "250 sink.example\r\n", GO_ON }

enum how { OFF, OPPORTUNISTIC, VERIFY };

static const struct tls_case {
	const char *name;
	enum how how;
	const char *host; /* of the next hop; the certificate is mx.example.org's */
	struct deed ehlo, starttls;
	unsigned want_code, want_connects;
	bool want_tls;
} cases[] = {
	{ "taken",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  250,
	  1,
	  true },
	{ "off", OFF, "here.test", OFFER, { "STARTTLS", "220 go\r\n", SECURE }, 250, 1, false },
	{ "not offered",
	  OPPORTUNISTIC,
	  "here.test",
	  NO_OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  250,
	  1,
	  false },
	{ "refused",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "454 not now\r\n", GO_ON },
	  250,
	  1,
	  false },
	{ "closed in the handshake",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", CLOSE },
	  250,
	  2,
	  false },
	{ "silent in the handshake",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", GO_ON },
	  250,
	  2,
	  false },
	{ "more behind the 220",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "220 go\r\n250 x\r\n", SECURE },
	  250,
	  2,
	  false },
	{ "421",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "421 bye\r\n", CLOSE },
	  250,
	  2,
	  false },
	{ "354",
	  OPPORTUNISTIC,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "354 go\r\n", GO_ON },
	  250,
	  2,
	  false },
	{ "verified",
	  VERIFY,
	  "mx.example.org",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  250,
	  1,
	  true },
	{ "another's certificate",
	  VERIFY,
	  "here.test",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  451,
	  1,
	  false },
	{ "an address has no name",
	  VERIFY,
	  NULL,
	  OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  451,
	  1,
	  false },
	{ "must be offered",
	  VERIFY,
	  "mx.example.org",
	  NO_OFFER,
	  { "STARTTLS", "220 go\r\n", SECURE },
	  451,
	  1,
	  false },
	{ "must not be HELO",
	  VERIFY,
	  "mx.example.org",
	  { "EHLO", "500 what\r\n", GO_ON },
	  { "STARTTLS", "220 go\r\n", SECURE },
	  451,
	  1,
	  false },
	{ "must be taken",
	  VERIFY,
	  "mx.example.org",
	  OFFER,
	  { "STARTTLS", "454 not now\r\n", GO_ON },
	  451,
	  1,
	  false },
	{ "must not fail",
	  VERIFY,
	  "mx.example.org",
	  OFFER,
	  { "STARTTLS", "220 go\r\n", CLOSE },
	  451,
	  1,
	  false },
};

static struct tls_context *context(enum how how)
{
	const char *why;

	return how == OFF ? NULL : tls_client_new(how == VERIFY ? "mx.pem" : NULL, &why);
}

static void test_starttls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct tls_case *c = &cases[i];
		const struct deed deeds[] = { c->ehlo, c->starttls, { 0 } };
		struct mail_command mail = mail_from("a@b");
		struct path to = path_to("c@d");
		struct message *m;
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, deeds);
		s.peer.tls = tls_server_new();
		assert_null(tls_set_chain(s.peer.tls, "mx.pem"));
		assert_null(tls_set_key(s.peer.tls, "mx.key"));
		if (c->host != NULL) {
			s.hop.kind = HOP_HOST;
			s.hop.name = (char *)c->host;
		}
		s.route.manner = (struct hop_manner){ .idle_ms = 60000, .tls = context(c->how),
						      .tls_must = c->how == VERIFY };
		m = scene_message(&s, SLICE("x\r\n"), 1000);
		for (int twice = 0; twice < (c->want_code == 250 ? 2 : 1); twice++) {
			relay_free(s.relay);
			scene_relay(&s);
			assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)),
					 c->want_code);
			if (c->want_code != 250)
				break;
			assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
			assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 250);
			assert_int_equal(stream_tls(&s.peer.stream) != NULL, c->want_tls);
		}
		assert_int_equal(s.peer.connects, c->want_connects);
		message_unref(m);
		tls_unref(s.route.manner.tls);
		tls_unref(s.peer.tls);
		scene_close(&s);
	}
}

static int set_up(void **state)
{
	log_set_level(LOG_ERROR);
	relay_timeouts =
		(struct relay_timeouts){ 9000, 500, 5000, 5000, 5000, 5000, 5000, 5000, 5000 };
	return certs_make(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_starttls) };

	return cmocka_run_group_tests(tests, set_up, certs_remove);
}
