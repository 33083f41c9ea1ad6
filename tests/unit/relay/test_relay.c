/* A relay and a polite next hop: what is said to it, and where it is looked for. */
#include "relay/scene.h"

#include "base/log.h"

static void assert_commands(struct scene *s, const char *want)
{
	assert_string_equal(buf_text(&s->peer.commands), want);
	buf_free(&s->peer.commands);
}

static void quit(struct scene *s)
{
	relay_free(s->relay);
	s->relay = NULL;
	while (!s->peer.quit)
		scene_turn(s);
}

static const struct content_case {
	const char *name, *content, *want;
} content_cases[] = {
	{ "dots are stuffed", "Subject: x\r\n\r\n.dot\r\n..dots\r\n.\r\nlast\r\n",
	  "Subject: x\r\n\r\n..dot\r\n...dots\r\n..\r\nlast\r\n" },
	{ "no CRLF at the end", "x", "x\r\n" },
	{ "an empty line", "\r\n", "\r\n" },
	{ "nothing", "", "" },
};

static void test_transaction(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof content_cases / sizeof content_cases[0]; i++) {
		struct mail_command mail = mail_from("a@example.net");
		struct path to = path_to("b@example.org"), to2 = path_to("\"c d\"@example.org");
		struct message *m;
		struct scene s;

		print_message("%s\n", content_cases[i].name);
		scene_open(&s, NULL);
		scene_relay(&s);
		m = scene_message(&s, slice_of(content_cases[i].content), i % 2 ? 1000 : 0);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		assert_string_equal(s.reply.text, "2.1.0 Sender ok");
		assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
		assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to2)), 250);
		assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 250);
		assert_string_equal(s.reply.text, "2.0.0 Kept as 1");
		assert_string_equal(buf_text(&s.peer.content), content_cases[i].want);
		quit(&s);
		assert_commands(&s, "EHLO edge.example\r\nMAIL FROM:<a@example.net>\r\n"
				    "RCPT TO:<b@example.org>\r\nRCPT TO:<\"c d\"@example.org>\r\n"
				    "DATA\r\nQUIT\r\n");
		message_unref(m);
		scene_close(&s);
	}
}

static const struct mail_case {
	const char *name, *ehlo;
	struct mail_params params;
	bool from_is_utf8;
	unsigned want_code;
	const char *want; /* the reply's text, or the command that was sent */
} mail_cases[] = {
	{ "T12: all offered",
	  "250-x\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
	  { true, 1234, BODY_8BITMIME, true },
	  true,
	  250,
	  "MAIL FROM:<a@b> SIZE=1234 BODY=8BITMIME SMTPUTF8\r\n" },
	{ "T12: in any case, with arguments",
	  "250-x\r\n250-size 10000\r\n250 8BitMime foo\r\n",
	  { true, 1234, BODY_8BITMIME, false },
	  false,
	  250,
	  "MAIL FROM:<a@b> SIZE=1234 BODY=8BITMIME\r\n" },
	{ "T12: bigger than it takes",
	  "250-x\r\n250 SIZE 1233\r\n",
	  { true, 1234, BODY_NONE, false },
	  false,
	  552,
	  "5.3.4 Message too big for the next hop" },
	{ "T12: SIZE 0 is any",
	  "250-x\r\n250 SIZE 0\r\n",
	  { true, 1234, BODY_NONE, false },
	  false,
	  250,
	  "MAIL FROM:<a@b> SIZE=1234\r\n" },
	{ "T12: a SIZE that is no number",
	  "250-x\r\n250 SIZE -1\r\n",
	  { true, 1234, BODY_NONE, false },
	  false,
	  250,
	  "MAIL FROM:<a@b> SIZE=1234\r\n" },
	{ "T12: SIZE and BODY=7BIT are left out",
	  "250 x\r\n",
	  { true, 1234, BODY_7BIT, false },
	  false,
	  250,
	  "MAIL FROM:<a@b>\r\n" },
	{ "T12: BODY=7BIT",
	  "250-x\r\n250 8BITMIME\r\n",
	  { false, 0, BODY_7BIT, false },
	  false,
	  250,
	  "MAIL FROM:<a@b> BODY=7BIT\r\n" },
	{ "T12: no 8BITMIME",
	  "250-x\r\n250 SMTPUTF8\r\n",
	  { false, 0, BODY_8BITMIME, false },
	  false,
	  555,
	  "5.6.3 Next hop takes no 8BITMIME" },
	{ "T12: no SMTPUTF8",
	  "250-x\r\n250 8BITMIME\r\n",
	  { false, 0, BODY_8BITMIME, true },
	  false,
	  553,
	  "5.6.7 Next hop takes no SMTPUTF8" },
	{ "T12: no SMTPUTF8 for the sender",
	  "250-x\r\n250 8BITMIME\r\n",
	  { false, 0, BODY_NONE, false },
	  true,
	  553,
	  "5.6.7 Next hop takes no SMTPUTF8" },
	{ "T12: the name is no feature",
	  "250-SMTPUTF8\r\n250 XSMTPUTF8\r\n",
	  { false, 0, BODY_NONE, true },
	  false,
	  553,
	  "5.6.7 Next hop takes no SMTPUTF8" },
	{ "T12: HELO only, nothing needed",
	  "500 what?\r\n",
	  { true, 5, BODY_NONE, false },
	  false,
	  250,
	  "MAIL FROM:<a@b>\r\n" },
	{ "T12: HELO only",
	  "500 what?\r\n",
	  { false, 0, BODY_8BITMIME, false },
	  false,
	  555,
	  "5.6.3 Next hop takes no 8BITMIME" },
};

static void test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mail_cases / sizeof mail_cases[0]; i++) {
		const struct mail_case *c = &mail_cases[i];
		const struct deed deeds[] = { { "EHLO", c->ehlo, GO_ON }, { 0 } };
		struct mail_command mail = mail_from("a@b");
		struct scene s;

		print_message("%s\n", c->name);
		mail.params = c->params;
		mail.from.is_utf8 = c->from_is_utf8;
		scene_open(&s, deeds);
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), c->want_code);
		assert_string_equal(c->want_code == 250 ? strstr(buf_text(&s.peer.commands), "MAIL")
							: s.reply.text, c->want);
		quit(&s); /* the connection is whole, also after a refusal of ours */
		scene_close(&s);
	}
}

static void test_rcpt_utf8(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct path to = path_to("\xc3\xa4@b");
	struct scene s;

	(void)state;
	to.is_utf8 = true;
	scene_open(&s, NULL);
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 553);
	mail.params.smtputf8 = true;
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
	scene_close(&s);
}

/* One connection for all: RSET where a transaction was given up, and only there. */
static void test_kept_connection(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct path to = path_to("c@d");
	struct message *m;
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	s.route.manner.idle_ms = 60000;
	m = scene_message(&s, SLICE("x\r\n"), 1000);
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
	assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 250);
	scene_again(&s); /* the dot has ended it */
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_commands(&s, "EHLO edge.example\r\nMAIL FROM:<a@b>\r\nRSET\r\nMAIL FROM:<a@b>\r\n"
			    "RCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\n");
	assert_int_equal(s.peer.connects, 1);
	message_unref(m);
	scene_close(&s);
}

/* A kept connection that ended costs nobody a 451. */
static void test_dial_again(void **state)
{
	const struct {
		const char *name;
		struct deed deed;
		bool whole;   /* the first message goes through, else it is given up after MAIL */
		bool noticed; /* before the second MAIL */
	} cases[] = {
		{ "closed in between", { ".", "250 ok\r\n", CLOSE }, true, true },
		{ "reset in between", { ".", "250 ok\r\n", RESET }, true, true },
		{ "421 in between", { ".", "250 ok\r\n421 idle\r\n", CLOSE }, true, true },
		{ "closed, noticed at MAIL", { ".", "250 ok\r\n", CLOSE }, true, false },
		{ "RSET closes", { "RSET", "", CLOSE }, false, false },
		{ "RSET answered, and closes", { "RSET", "250 ok\r\n", CLOSE }, false, false },
		{ "RSET refused", { "RSET", "500 what?\r\n", GO_ON }, false, false },
		{ "RSET never answered", { "RSET", "", GO_ON }, false, false },
	};

	(void)state;
	relay_timeouts.mail = 100;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct deed deeds[] = { cases[i].deed, { 0 } };
		struct mail_command mail = mail_from("a@b");
		struct path to = path_to("c@d");
		struct message *m;
		struct scene s;

		print_message("%s\n", cases[i].name);
		scene_open(&s, deeds);
		s.route.manner.idle_ms = 60000;
		m = scene_message(&s, SLICE("x\r\n"), 1000);
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		if (cases[i].whole) {
			assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
			assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 250);
		}
		for (int turn = 0; cases[i].noticed && turn < 20; turn++)
			event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
		scene_again(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		assert_int_equal(s.peer.connects, 2);
		message_unref(m);
		scene_close(&s);
	}
	relay_timeouts.mail = 5000;
}

/* A 421 to MAIL on a kept connection: it had only grown old. */
static void test_old_connection(void **state)
{
	const struct deed stale[] = { { "MAIL", "421 4.4.2 idle\r\n", CLOSE }, { 0 } };
	struct mail_command mail = mail_from("a@b");
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	s.route.manner.idle_ms = 60000;
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	s.peer.deeds = stale;
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)),
			 451); /* asked twice, no more */
	assert_string_equal(s.reply.text, "4.4.2 idle");
	assert_int_equal(s.peer.connects, 2);
	scene_close(&s);
}

/* "127.0.0.1", "host:localhost", "mx:example.org", divided by blanks. Returns how many. */
static unsigned hops_of(char *text, uint16_t port, struct hop *hops)
{
	unsigned count = 0;

	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
		struct hop *h = &hops[count++];

		*h = (struct hop){ .kind = HOP_HOST, .name = strchr(word, ':'), .port = port };
		if (h->name == NULL) {
			h->kind = HOP_ADDR;
			assert_null(addr_parse(slice_of(word), &h->addr));
			continue;
		}
		h->name++;
		h->by_mx = strncmp(word, "mx:", 3) == 0;
	}
	return count;
}

/* A port where nobody listens. */
static uint16_t dead_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static const struct hop_case {
	const char *name, *hops, *prohibited;
	unsigned want_code, want_connects;
	const char *want_peer; /* without its port */
} hop_cases[] = {
	{ "an address", "127.0.0.1", NULL, 250, 1, "[127.0.0.1]" },
	{ "a name that is an address", "host:127.0.0.1", NULL, 250, 1, "127.0.0.1[127.0.0.1]" },
	{ "localhost", "host:localhost", NULL, 250, 1, "localhost[127.0.0.1]" },
	{ "T3: the second is tried", "127.0.0.2 127.0.0.1", NULL, 250, 1, "[127.0.0.1]" },
	{ "T3: a lookup that fails is not the end", "host:no.example 127.0.0.1", NULL, 250, 1,
	  "[127.0.0.1]" },
	{ "T3: so is that of an MX", "mx:no.example 127.0.0.1", NULL, 250, 1, "[127.0.0.1]" },
	{ "T3: nobody there", "127.0.0.2 127.0.0.3", NULL, 451, 0, "[127.0.0.3]" },
	{ "T3: no such name", "host:no.example", NULL, 451, 0, "no.example" },
	{ "a name", "host:here.test", NULL, 250, 1, "here.test[127.0.0.1]" },
	{ "a name of two addresses", "host:away-then-here.test", NULL, 250, 1,
	  "away-then-here.test[127.0.0.1]" },
	{ "MX, the best ones are not there", "mx:mail.test", NULL, 250, 1, "here.test[127.0.0.1]" },
	{ "MX, prohibited", "mx:mail.test", "127.0.0.0/8", 451, 0, "mail.test" },
	{ "no MX: its address", "mx:here.test", NULL, 250, 1, "here.test[127.0.0.1]" },
	{ "null MX (RFC 7505)", "mx:null.test", NULL, 451, 0, "null.test" },
	{ "two MX hops", "mx:null.test mx:mail.test", NULL, 250, 1, "here.test[127.0.0.1]" },
	{ "MX that fails, then a name", "mx:fails.test host:here.test", NULL, 250, 1,
	  "here.test[127.0.0.1]" },
	{ "T3: prohibited", "127.0.0.1", "127.0.0.0/8", 451, 0, "127.0.0.1" },
	{ "T3: a name's address is prohibited", "host:localhost", "127.0.0.0/8", 451, 0,
	  "localhost" },
	{ "T3: one of two is prohibited", "127.0.0.9 127.0.0.1", "127.0.0.9", 250, 1,
	  "[127.0.0.1]" },
};

static void test_hops(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hop_cases / sizeof hop_cases[0]; i++) {
		const struct hop_case *c = &hop_cases[i];
		struct mail_command mail = mail_from("a@b");
		char *text = mem_strdup(c->hops), want_peer[64];
		struct cidr prohibited;
		struct hop hops[4];
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, NULL);
		s.route = (struct route){ .hops = hops,
					  .count = hops_of(text, s.peer.port, hops),
					  .prohibited = &prohibited };
		if (c->prohibited != NULL)
			assert_null(cidr_parse(slice_of(c->prohibited), &prohibited));
		s.route.prohibited_count = c->prohibited != NULL;
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), c->want_code);
		if (c->want_code == 451)
			assert_string_equal(s.reply.text, "4.4.1 Next hop cannot be reached");
		assert_int_equal(s.peer.connects, c->want_connects);
		snprintf(want_peer, sizeof want_peer, "%s:%u", c->want_peer, s.peer.port);
		assert_string_equal(relay_peer(s.relay), want_peer);
		scene_close(&s);
		free(text);
	}
}

/* A greeting that is there as soon as the connection is: both are one event. */
static void test_quick_greeting(void **state)
{
	struct mail_command mail = mail_from("a@b");
	enum relay_step step;
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	scene_relay(&s);
	step = relay_mail(s.relay, &mail);
	event_base_loop(loop_base(s.loop), EVLOOP_ONCE); /* connects */
	peer_accept(s.peer.fd, EV_READ, &s.peer);
	assert_int_equal(s.peer.connects, 1);
	assert_int_equal(scene_answer(&s, step), 250);
	scene_close(&s);
}

/* However many there are, and however slow each is. */
static void test_reach_ends(void **state)
{
	const struct deed silent[] = { { "greeting", "", GO_ON }, { 0 } };
	const struct deed refusing[] = { { "greeting", "554 no\r\n", CLOSE }, { 0 } };
	struct mail_command mail = mail_from("a@b");
	struct hop hops[100];
	struct scene s;

	(void)state;
	relay_timeouts.greeting = 60;
	relay_timeouts.reach = 150;
	scene_open(&s, silent);
	for (unsigned i = 0; i < 100; i++)
		hops[i] = s.hop;
	s.route = (struct route){ .hops = hops, .count = 100 };
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451);
	assert_in_range(s.peer.connects, 2, 3);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451); /* as new */
	assert_in_range(s.peer.connects, 4, 6);
	scene_close(&s);

	relay_timeouts.reach = 5000;
	scene_open(&s, refusing);
	for (unsigned i = 0; i < 100; i++)
		hops[i] = s.hop;
	s.route = (struct route){ .hops = hops, .count = 100 };
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451);
	assert_int_equal(s.peer.connects, 16);
	scene_close(&s);

	scene_open(&s, NULL);
	s.hop.port = dead_port();
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451);
	relay_timeouts.greeting = 5000;
	scene_close(&s);
}

static int be_quiet(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	relay_timeouts =
		(struct relay_timeouts){ 9000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 };
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt_utf8),
		cmocka_unit_test(test_kept_connection),
		cmocka_unit_test(test_dial_again),
		cmocka_unit_test(test_old_connection),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_quick_greeting),
		cmocka_unit_test(test_reach_ends),
	};

	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
