/* Connections that are shared: what the next hop is told of each client, what is remembered of it,
 * and how a transaction gets over losing its connection to somebody else. */
#include "relay/scene.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"

#define XCLIENT_OFFER "250-sink.example\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n250 8BITMIME\r\n"

static const struct deed xclient_hop[] = {
	{ "EHLO", XCLIENT_OFFER, GO_ON },
	{ "XCLIENT", "220 sink.example ESMTP\r\n", GO_ON },
	{ 0 },
};

/* Another client's transaction on the same worker. */
struct other {
	struct relay_client client;
	struct relay *relay;
	struct reply reply;
	unsigned said;
};

static void other_said(void *owner)
{
	((struct other *)owner)->said++;
}

static void other_open(struct scene *s, struct other *o)
{
	*o = (struct other){ .client = s->client };
	o->client.peer_port++;
	o->relay = relay_new(&s->world, &s->route, &o->client, 8, &o->reply, other_said, o);
}

static unsigned other_answer(struct scene *s, struct other *o, enum relay_step step)
{
	unsigned said = o->said;

	while (step == RELAY_WAIT && o->said == said)
		scene_turn(s);
	return o->reply.code;
}

static void other_close(struct other *o)
{
	relay_free(o->relay);
	reply_free(&o->reply);
}

static void set_client(struct scene *s, const char *peer, const char *local, const char *helo)
{
	s->client = (struct relay_client){ .peer_port = 4711, .local_port = 25, .extended = true };
	assert_null(addr_parse(slice_of(peer), &s->client.peer));
	assert_null(addr_parse(slice_of(local), &s->client.local));
	s->client.helo = slice_of(helo);
}

static void assert_commands(struct scene *s, const char *want)
{
	assert_string_equal(buf_text(&s->peer.commands), want);
	buf_free(&s->peer.commands);
}

static const struct xclient_case {
	const char *name, *offer, *peer, *helo;
	bool extended;
	const char *want; /* after the first EHLO */
} xclient_cases[] = {
	{ "all attributes", XCLIENT_OFFER, "192.0.2.7", "client.example", true,
	  "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=client.example "
	  "LOGIN=[UNAVAILABLE] DESTADDR=198.51.100.1 DESTPORT=25\r\nEHLO client.example\r\n" },
	{ "IPv6, HELO", "250-x\r\n250 XCLIENT ADDR PROTO\r\n", "2001:db8::7", "client.example", false,
	  "XCLIENT ADDR=IPV6:2001:db8::7 PROTO=SMTP\r\nEHLO client.example\r\n" },
	{ "no HELO was said", "250-x\r\n250 xclient helo addr\r\n", "192.0.2.7", "", true,
	  "XCLIENT ADDR=192.0.2.7 HELO=[UNAVAILABLE]\r\nEHLO edge.example\r\n" },
	{ "xtext", "250-x\r\n250 XCLIENT HELO\r\n", "192.0.2.7", "[IPv6:2001:db8::7]+=\xc3\xbc", true,
	  "XCLIENT HELO=[IPv6:2001:db8::7]+2B+3D+C3+BC\r\nEHLO [IPv6:2001:db8::7]+=\xc3\xbc\r\n" },
	{ "attributes that we know nothing of", "250-x\r\n250 XCLIENT ADDR COLOUR\r\n", "192.0.2.7", "h", true,
	  "XCLIENT ADDR=192.0.2.7\r\nEHLO h\r\n" },
	{ "of Postfix", "250-x\r\n250 XCLIENT ADDR REVERSE_NAME\r\n", "192.0.2.7", "h", true,
	  "XCLIENT ADDR=192.0.2.7 REVERSE_NAME=[UNAVAILABLE]\r\nEHLO h\r\n" },
	{ "not offered", "250-x\r\n250 XCLIENTS ADDR\r\n", "192.0.2.7", "h", true, "" },
};

static void test_xclient(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof xclient_cases / sizeof xclient_cases[0]; i++) {
		const struct xclient_case *c = &xclient_cases[i];
		const struct deed deeds[] = { { "EHLO", c->offer, GO_ON }, { "XCLIENT", "220 again\r\n", GO_ON }, { 0 } };
		struct mail_command mail = mail_from("a@b");
		char want[600];
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, deeds);
		s.route.manner.xclient = true;
		set_client(&s, c->peer, "198.51.100.1", c->helo);
		s.client.extended = c->extended;
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		snprintf(want, sizeof want, "EHLO edge.example\r\n%sMAIL FROM:<a@b>\r\n", c->want);
		assert_commands(&s, want);
		scene_close(&s);
	}
}

/* A name that would not fit one line is not told. */
static void test_xclient_long(void **state)
{
	char helo[256] = "";
	struct mail_command mail = mail_from("a@b");
	struct slice line, rest;
	struct scene s;

	(void)state;
	memset(helo, '+', 255);
	scene_open(&s, xclient_hop);
	s.route.manner.xclient = true;
	set_client(&s, "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:7777", helo);
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	slice_cut(buf_slice(&s.peer.commands), '\n', &rest);
	line = slice_cut(rest, '\n', &rest);
	assert_in_range(line.len + 1, 100, 512);
	assert_non_null(strstr(buf_text(&s.peer.commands), "HELO=[UNAVAILABLE]"));
	scene_close(&s);
}

static const struct refusal_case {
	const char *name, *phase, *says;
	enum then then;
	unsigned want_code;
	const char *want_text;
} refusal_cases[] = {
	{ "refused for the client's sake", "XCLIENT", "554 5.7.1 not you\r\n", GO_ON, 554, "5.7.1 not you" },
	{ "for good", "XCLIENT", "554 5.7.1 not you\r\n", CLOSE, 554, "5.7.1 not you" },
	{ "for now", "XCLIENT", "450 4.7.1 not yet\r\n", GO_ON, 450, "4.7.1 not yet" },
	{ "its syntax", "XCLIENT", "501 5.5.4 bad\r\n", GO_ON, 451, "4.4.1 Next hop cannot be reached" },
	{ "not allowed here", "XCLIENT", "503 5.5.1 no\r\n", GO_ON, 451, "4.4.1 Next hop cannot be reached" },
	{ "closes", "XCLIENT", "", CLOSE, 451, "4.4.1 Next hop cannot be reached" },
	{ "421", "XCLIENT", "421 4.3.2 bye\r\n", CLOSE, 451, "4.4.1 Next hop cannot be reached" },
	{ "3xx", "XCLIENT", "354 go\r\n", GO_ON, 451, "4.4.1 Next hop cannot be reached" },
	{ "answered twice", "XCLIENT", "220 ok\r\n220 ok\r\n", GO_ON, 451, "4.4.1 Next hop cannot be reached" },
};

static void test_xclient_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusal_cases / sizeof refusal_cases[0]; i++) {
		const struct refusal_case *c = &refusal_cases[i];
		const struct deed deeds[] = { { "EHLO", XCLIENT_OFFER, GO_ON }, { c->phase, c->says, c->then }, { 0 } };
		struct mail_command mail = mail_from("a@b");
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, deeds);
		s.route.manner.xclient = true;
		s.route.manner.idle_ms = 60000;
		set_client(&s, "192.0.2.7", "198.51.100.1", "h");
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), c->want_code);
		assert_string_equal(s.reply.text, c->want_text);
		scene_close(&s);
	}
}

/* One connection for two clients, each announced when it is its turn, and only then. */
static void test_shared_by_xclient(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct scene s;
	struct other o;

	(void)state;
	scene_open(&s, (const struct deed[]){ { "EHLO", "250-x\r\n250 XCLIENT PORT\r\n", GO_ON },
					      { "XCLIENT", "220 again\r\n", GO_ON }, { 0 } });
	s.route.manner.xclient = true;
	s.route.manner.idle_ms = 60000;
	set_client(&s, "192.0.2.7", "198.51.100.1", "h");
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	relay_free(s.relay);
	s.relay = NULL;
	other_open(&s, &o);
	assert_int_equal(other_answer(&s, &o, relay_mail(o.relay, &mail)), 250);
	assert_commands(&s, "EHLO edge.example\r\nXCLIENT PORT=4711\r\nEHLO h\r\nMAIL FROM:<a@b>\r\n"
			    "RSET\r\nMAIL FROM:<a@b>\r\n"
			    "RSET\r\nXCLIENT PORT=4712\r\nEHLO h\r\nMAIL FROM:<a@b>\r\n");
	relay_free(o.relay);
	o.client.helo = SLICE("other"); /* XCLIENT does not say that, but EHLO does */
	o.relay = relay_new(&s.world, &s.route, &o.client, 8, &o.reply, other_said, &o);
	assert_int_equal(other_answer(&s, &o, relay_mail(o.relay, &mail)), 250);
	assert_commands(&s, "RSET\r\nXCLIENT PORT=4712\r\nEHLO other\r\nMAIL FROM:<a@b>\r\n");
	assert_int_equal(s.peer.connects, 1);
	other_close(&o);
	scene_close(&s);
}

/* The header comes before all else, holds for one client, and no XCLIENT beside it. */
static void test_proxy(void **state)
{
	static const char want[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x12\x67\0\x19";
	const struct deed silent[] = { { "greeting", "", GO_ON }, { 0 } };
	struct mail_command mail = mail_from("a@b");
	struct slice got = { 0 };
	struct scene s;
	struct other o;

	(void)state;
	scene_open(&s, silent);
	s.route.manner.proxy = s.route.manner.xclient = true;
	s.route.manner.idle_ms = 60000;
	set_client(&s, "192.0.2.7", "198.51.100.1", "h");
	s.peer.deaf = true;
	scene_relay(&s);
	relay_mail(s.relay, &mail);
	while (!s.peer.open || !stream_has_input(&s.peer.stream))
		scene_turn(&s);
	s.peer.stream.readable = true;
	assert_int_equal(stream_bytes(&s.peer.stream, &got), STREAM_GOT);
	assert_int_equal(got.len, sizeof want - 1);
	assert_memory_equal(got.at, want, got.len);

	/* Now it goes on, and the connection is kept: for this client only. */
	stream_eat(&s.peer.stream, got.len);
	s.peer.deaf = false;
	s.peer.deeds = xclient_hop;
	stream_resume(&s.peer.stream);
	peer_do(&s.peer, "greeting", 8);
	assert_int_equal(scene_answer(&s, RELAY_WAIT), 250);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_commands(&s, "EHLO edge.example\r\nMAIL FROM:<a@b>\r\nRSET\r\nMAIL FROM:<a@b>\r\n");
	assert_int_equal(s.peer.connects, 1);
	relay_free(s.relay);
	s.relay = NULL;
	other_open(&s, &o);
	relay_mail(o.relay, &mail);
	while (s.peer.connects == 1)
		scene_turn(&s);
	other_close(&o);
	scene_close(&s);
}

/* T12: what is known of the next hop is not asked again. */
static void test_T12_remembered(void **state)
{
	const struct deed deeds[] = { { "EHLO", "250-x\r\n250 SIZE 1000\r\n", GO_ON }, { 0 } };
	struct mail_command mail = mail_from("a@b");
	struct scene s;

	(void)state;
	scene_open(&s, deeds);
	scene_relay(&s);
	mail.params.body = BODY_8BITMIME;
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 555);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 555);
	mail.params = (struct mail_params){ .has_size = true, .size = 1001 };
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 552);
	assert_int_equal(s.peer.connects, 1);
	mail.params.size = 1000;
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_int_equal(s.peer.connects, 2);
	scene_close(&s);
}

/* While it is left alone nobody is kept waiting. */
static void test_left_alone(void **state)
{
	const struct deed refusing[] = { { "greeting", "554 no\r\n", CLOSE }, { 0 } };
	struct mail_command mail = mail_from("a@b");
	struct scene s;

	(void)state;
	scene_open(&s, refusing);
	s.route.manner.retry_ms = 60000;
	clock_stop(true, 1000, 1000);
	for (int i = 0; i < 5; i++) {
		relay_free(s.relay);
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451);
		assert_string_equal(s.reply.text, "4.4.1 Next hop cannot be reached");
	}
	assert_int_equal(s.peer.connects, 1);
	clock_stop(true, 2000, 2000);
	s.peer.deeds = NULL;
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	clock_stop(false, 0, 0);
	scene_close(&s);
}

static const struct header_case {
	const char *name;
	bool known;			 /* it greeted somebody behind a header before */
	const char *greeting, *helo; /* helo: to EHLO, too; NULL: polite */
	unsigned want_code;
	const char *want_text;
} header_cases[] = {
	{ "not this client", true, "554 5.7.1 not you\r\n", NULL, 554, "5.7.1 not you" },
	{ "nor its name", true, "220 x\r\n", "550 5.7.1 not you\r\n", 550, "5.7.1 not you" },
	{ "too early for a client", false, "554 5.5.0 Early\r\n", NULL, 451, "4.4.1 Next hop cannot be reached" },
	{ "not now", true, "450 4.7.1 later\r\n", NULL, 451, "4.4.1 Next hop cannot be reached" },
	{ "not this connection", true, "421 4.3.2 bye\r\n", NULL, 451, "4.4.1 Next hop cannot be reached" },
	{ "no header", true, "500 5.5.2 what\r\n", NULL, 451, "4.4.1 Next hop cannot be reached" },
};

/* T3: the answer to a header is about the client in it, who hears it, and others are let in. But not
 * for good from who may have taken the header for talk before the banner. */
static void test_T3_refused_for_a_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof header_cases / sizeof header_cases[0]; i++) {
		const struct header_case *c = &header_cases[i];
		const struct deed deeds[] = { { "greeting", c->greeting, c->helo ? GO_ON : CLOSE },
					      { c->helo ? "EHLO" : "-", c->helo, GO_ON },
					      { c->helo ? "HELO" : "-", c->helo, CLOSE }, { 0 } };
		struct mail_command mail = mail_from("a@b");
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, NULL);
		s.peer.header = 28;
		s.route.manner.retry_ms = 60000;
		s.route.manner.idle_ms = 0;
		s.route.manner.proxy = true;
		set_client(&s, "192.0.2.7", "198.51.100.1", "h");
		if (c->known) {
			scene_relay(&s);
			assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		}
		s.peer.deeds = deeds;
		for (unsigned k = 0; k < 3; k++) {
			relay_free(s.relay);
			scene_relay(&s);
			assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), c->want_code);
			assert_string_equal(s.reply.text, c->want_text);
			assert_int_equal(s.peer.connects, k + 1 + c->known);
		}
		scene_close(&s);
	}
}

/* A socket that we can't make is no fault of the next hop. */
static void test_out_of_descriptors(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct rlimit was, none;
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	s.route.manner.retry_ms = 60000;
	scene_relay(&s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 451);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	scene_again(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	scene_close(&s);
}

static const struct yield_case {
	const char *name;
	struct deed then; /* of the next hop, once the connection was taken away */
	unsigned want_code;
	const char *want_text, *want_commands;
} yield_cases[] = {
	{ "said again", { 0 }, 250, "2.0.0 Kept as 1",
	  "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n" },
	{ "MAIL refused", { "MAIL", "550 5.1.8 no\r\n", GO_ON }, 451, "4.4.2 Next hop has changed its mind",
	  "RSET\r\nMAIL FROM:<a@b>\r\n" },
	{ "RCPT refused", { "RCPT", "550 5.1.1 no\r\n", GO_ON }, 451, "4.4.2 Next hop has changed its mind",
	  "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n" },
	{ "RCPT closes", { "RCPT", "", CLOSE }, 451, "4.4.2 Lost the next hop",
	  "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n" },
	{ "DATA refused", { "DATA", "451 4.3.0 no\r\n", GO_ON }, 451, "4.3.0 no",
	  "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n" },
};

/* Two clients, one connection: the first is silent for long, the second gets it meanwhile. */
static void test_yield(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof yield_cases / sizeof yield_cases[0]; i++) {
		const struct yield_case *c = &yield_cases[i];
		const struct deed deeds[] = { c->then, { 0 } };
		struct mail_command mail = mail_from("a@b"), mail2 = mail_from("other@b");
		struct path to = path_to("c@d"), to2 = path_to("e@f");
		struct message *m;
		struct scene s;
		struct other o;

		print_message("%s\n", c->name);
		scene_open(&s, NULL);
		s.route.manner = (struct hop_manner){ .connections_max = 1, .idle_ms = 60000 };
		clock_stop(true, 1000, 1000);
		scene_relay(&s);
		m = scene_message(&s, SLICE("x\r\n"), 1000);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
		assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to2)), 250);
		other_open(&s, &o);
		relay_mail(o.relay, &mail2);
		scene_turn(&s);
		assert_int_equal(o.said, 0);
		clock_stop(true, 4000, 4000);
		buf_free(&s.peer.commands);
		assert_int_equal(other_answer(&s, &o, RELAY_WAIT), 250);
		assert_commands(&s, "RSET\r\nMAIL FROM:<other@b>\r\n");
		other_close(&o);
		s.peer.deeds = deeds;
		assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), c->want_code);
		assert_string_equal(s.reply.text, c->want_text);
		assert_commands(&s, c->want_commands);
		assert_int_equal(s.peer.connects, 1);
		message_unref(m);
		clock_stop(false, 0, 0);
		scene_close(&s);
	}
}

/* The one who waits in vain, and the one who leaves. */
static void test_busy(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct scene s;
	struct other o;

	(void)state;
	scene_open(&s, NULL);
	s.route.manner.connections_max = 1;
	scene_relay(&s);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	other_open(&s, &o);
	relay_mail(o.relay, &mail);
	scene_turn(&s);
	other_close(&o);
	relay_timeouts.reach = 100;
	other_open(&s, &o);
	assert_int_equal(other_answer(&s, &o, relay_mail(o.relay, &mail)), 451);
	assert_string_equal(o.reply.text, "4.4.5 Next hop is busy");
	relay_timeouts.reach = 9000;
	other_close(&o);
	scene_close(&s);
}

static const struct full_case {
	const char *name;
	uint16_t prefs[2]; /* of the full one and of the other */
	bool both;	   /* the other is full, too */
	unsigned want_connects; /* to the other */
	const char *want_peer;	/* whom the next client gets: "first" after a wait */
} full_cases[] = {
	{ "as good", { 10, 10 }, false, 1, "second" },
	{ "less good", { 10, 20 }, false, 0, "first" },
	{ "both", { 10, 10 }, true, 1, "first" },
};

/* T3, RFC 5321 5.1: our own limit is no failure, so a lesser one is not dialled for it. */
static void test_T3_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof full_cases / sizeof full_cases[0]; i++) {
		const struct full_case *c = &full_cases[i];
		struct mail_command mail = mail_from("a@b");
		struct peer second = { 0 };
		struct hop hops[2];
		struct other o, another;
		char want[64];
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, NULL);
		peer_listen(&second, s.loop);
		hops[0] = hops[1] = s.hop;
		hops[1].port = second.port;
		hops[0].pref = c->prefs[0];
		hops[1].pref = c->prefs[1];
		s.route.hops = hops;
		s.route.count = 2;
		s.route.manner.connections_max = 1;
		scene_relay(&s);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		other_open(&s, &another);
		if (c->both)
			assert_int_equal(other_answer(&s, &another, relay_mail(another.relay, &mail)), 250);
		other_open(&s, &o);
		relay_mail(o.relay, &mail);
		for (int k = 0; k < 20 && o.said == 0; k++)
			event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK), usleep(1000);
		if (strcmp(c->want_peer, "first") == 0) {
			assert_int_equal(o.said, 0);
			relay_free(s.relay);
			s.relay = NULL;
		}
		if (o.said == 0)
			other_answer(&s, &o, RELAY_WAIT);
		assert_int_equal(o.reply.code, 250);
		assert_int_equal(second.connects, c->want_connects);
		snprintf(want, sizeof want, "[127.0.0.1]:%u",
			 strcmp(c->want_peer, "first") == 0 ? s.peer.port : second.port);
		assert_string_equal(relay_peer(o.relay), want);
		other_close(&o);
		other_close(&another);
		if (second.open)
			stream_close(&second.stream);
		event_del(&second.accepting);
		close(second.fd);
		buf_free(&second.commands);
		scene_close(&s);
	}
}

static int be_quiet(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	relay_timeouts = (struct relay_timeouts){ 9000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 };
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xclient),
		cmocka_unit_test(test_xclient_long),
		cmocka_unit_test(test_xclient_refused),
		cmocka_unit_test(test_shared_by_xclient),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_T12_remembered),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_T3_refused_for_a_header),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_T3_full),
	};

	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
