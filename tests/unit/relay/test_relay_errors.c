/* Every way in which a next hop can misbehave: what the client is told, and never a 2xx for it. */
#include "relay/scene.h"

#include "base/log.h"

static char *long_line;  /* a reply of 64 KiB in one line */
static char *many_lines; /* one that does not end */
static struct buf big;   /* a message that does not fit into socket buffers */

static int make_texts(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	long_line = mem_new(70000);
	memset(long_line, 'x', 65536);
	memcpy(long_line, "250 ", 4);
	memcpy(long_line + 65536, "\r\n", 2);
	many_lines = mem_new(200 * 6 + 1);
	for (int i = 0; i < 200; i++)
		memcpy(many_lines + i * 6, "250-\r\n", 6);
	for (int i = 0; i < 200000; i++)
		assert_true(buf_printf(
			&big, "..%d a line that begins with dots, of a big message\r\n", i));
	return 0;
}

static void patience(uint32_t ms)
{
	relay_timeouts = (struct relay_timeouts){ 4 * ms, ms, ms, ms, ms, ms, ms, ms, ms };
}

static int free_texts(void **state)
{
	(void)state;
	free(long_line);
	free(many_lines);
	buf_free(&big);
	return 0;
}

enum step { AT_MAIL, AT_RCPT, AT_MESSAGE, AT_END };

static const struct {
	const char *phase;
	enum step want_step;
} phases[] = {
	{ "greeting", AT_MAIL }, { "EHLO", AT_MAIL },	 { "MAIL", AT_MAIL }, { "RCPT", AT_RCPT },
	{ "DATA", AT_MESSAGE },	 { "content", AT_MESSAGE }, { ".", AT_MESSAGE },
};

static enum relay_step call(struct scene *s, enum step step, struct message *m)
{
	struct mail_command mail = mail_from("a@b");
	struct path to = path_to("c@d");

	switch (step) {
	case AT_MAIL:
		return relay_mail(s->relay, &mail);
	case AT_RCPT:
		return relay_rcpt(s->relay, &to);
	case AT_MESSAGE:
		return relay_message(s->relay, m);
	case AT_END:
		break;
	}
	return RELAY_DONE;
}

/* A transaction up to its first refusal. */
static enum step transact(struct scene *s, struct message *m)
{
	enum step step = AT_MAIL;

	while (step != AT_END && scene_answer(s, call(s, step, m)) / 100 == 2)
		step++;
	return step;
}

/* What ends the connection, wherever it comes. */
static void test_dead_ends(void **state)
{
	const struct {
		const char *name, *says;
		enum then then;
	} ends[] = {
		{ "closes", "", CLOSE },
		{ "resets", "", RESET },
		{ "is silent", "", GO_ON },
		{ "half a reply, silence", "250", GO_ON },
		{ "half a reply, closes", "250-ok\r\n250", CLOSE },
		{ "garbage", "\x01\xff garbage\r\n", GO_ON },
		{ "HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", CLOSE },
		{ "empty line", "\r\n", GO_ON },
		{ "code with a letter", "25x ok\r\n", GO_ON },
		{ "code out of range", "650 ok\r\n", GO_ON },
		{ "1xx", "150 wait\r\n", GO_ON },
		{ "bare LF", "250 ok\n", GO_ON },
		{ "bare CR", "250 ok\r250 ok\r\n", GO_ON },
		{ "codes differ", "250-ok\r\n550 no\r\n", GO_ON },
		{ "64 KiB line", long_line, GO_ON },
		{ "64 KiB line, closes", long_line, CLOSE },
		{ "endless lines", many_lines, GO_ON },
	};
	struct message *m;

	(void)state;
	patience(50);
	for (size_t p = 0; p < sizeof phases / sizeof phases[0]; p++) {
		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
			struct deed deeds[] = { { phases[p].phase, ends[i].says, ends[i].then },
						{ 0 } };
			bool content = strcmp(phases[p].phase, "content") == 0;
			struct scene s;

			if (content && ends[i].then == GO_ON && ends[i].says[0] == '\0')
				continue; /* silence is right there */
			print_message("%s at %s\n", ends[i].name, phases[p].phase);
			scene_open(&s, deeds);
			scene_relay(&s);
			m = scene_message(&s, content ? buf_slice(&big) : SLICE("x\r\n"), 10000);
			assert_int_equal(transact(&s, m), phases[p].want_step);
			assert_int_equal(s.reply.code, 451);
			assert_string_equal(s.reply.text, p < 2 ? "4.4.1 Next hop cannot be reached"
								: "4.4.2 Lost the next hop");
			/* Nothing goes on with that connection. */
			if (p >= 2) {
				assert_int_equal(call(&s, AT_RCPT, m), RELAY_DONE);
				assert_int_equal(s.reply.code, 451);
				assert_int_equal(call(&s, AT_MESSAGE, m), RELAY_DONE);
				assert_int_equal(s.reply.code, 451);
			}
			message_unref(m);
			scene_close(&s);
		}
	}
}

static const struct reply_case {
	const char *name, *phase, *says;
	enum then then;
	enum step want_step;
	unsigned want_code;
	const char *want_text;
} reply_cases[] = {
	{ "greeting 4xx", "greeting", "450 4.3.2 later\r\n", GO_ON, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "greeting 554", "greeting", "554 no\r\n", GO_ON, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "greeting 421", "greeting", "421 busy\r\n", CLOSE, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "greeting and more", "greeting", "220 hi\r\n250 ok\r\n", GO_ON, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "greeting of many lines", "greeting", "220-hi\r\n220-\r\n220 there\r\n", GO_ON, AT_END,
	  250, "2.0.0 Kept as 1" },
	{ "EHLO 4xx", "EHLO", "450 later\r\n", GO_ON, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "EHLO 5xx: HELO", "EHLO", "502 what?\r\n", GO_ON, AT_END, 250, "2.0.0 Kept as 1" },
	{ "EHLO 5xx and closes", "EHLO", "502 what?\r\n", CLOSE, AT_MAIL, 451,
	  "4.4.1 Next hop cannot be reached" },
	{ "MAIL 4xx", "MAIL", "450 4.2.0 later\r\n", GO_ON, AT_MAIL, 450, "4.2.0 later" },
	{ "MAIL 5xx", "MAIL", "550 5.1.8 never\r\n", GO_ON, AT_MAIL, 550, "5.1.8 never" },
	{ "MAIL 5xx of two lines", "MAIL", "550-5.1.8 never\r\n550 5.1.8 ever\r\n", GO_ON, AT_MAIL,
	  550, "5.1.8 never\n5.1.8 ever" },
	{ "MAIL 421", "MAIL", "421 4.3.2 going down\r\n", CLOSE, AT_MAIL, 451, "4.3.2 going down" },
	{ "MAIL 354", "MAIL", "354 go\r\n", GO_ON, AT_MAIL, 451, "4.4.2 Lost the next hop" },
	{ "MAIL 251", "MAIL", "251 fine\r\n", GO_ON, AT_END, 250, "2.0.0 Kept as 1" },
	{ "MAIL no text", "MAIL", "550\r\n", GO_ON, AT_MAIL, 550, "" },
	{ "MAIL, control characters", "MAIL",
	  "550 a\tb\x07"
	  "c\r\n",
	  GO_ON, AT_MAIL, 550, "a b c" },
	{ "MAIL answered twice", "MAIL", "250 ok\r\n250 ok\r\n", GO_ON, AT_RCPT, 451,
	  "4.4.2 Lost the next hop" },
	{ "RCPT 4xx", "RCPT", "450 4.2.0 later\r\n", GO_ON, AT_RCPT, 450, "4.2.0 later" },
	{ "RCPT 5xx", "RCPT", "550 5.1.1 who?\r\n", GO_ON, AT_RCPT, 550, "5.1.1 who?" },
	{ "RCPT 421", "RCPT", "421 4.7.0 bye\r\n", CLOSE, AT_RCPT, 451, "4.7.0 bye" },
	{ "RCPT 251", "RCPT", "251 will forward\r\n", GO_ON, AT_END, 250, "2.0.0 Kept as 1" },
	{ "RCPT 354", "RCPT", "354 go\r\n", GO_ON, AT_RCPT, 451, "4.4.2 Lost the next hop" },
	{ "DATA 4xx is the answer", "DATA", "450 4.2.0 later\r\n", GO_ON, AT_MESSAGE, 450,
	  "4.2.0 later" },
	{ "DATA 5xx is the answer", "DATA", "554 5.5.1 none\r\n", GO_ON, AT_MESSAGE, 554,
	  "5.5.1 none" },
	{ "DATA 421", "DATA", "421 bye\r\n", CLOSE, AT_MESSAGE, 451, "bye" },
	{ "DATA 250", "DATA", "250 ok\r\n", GO_ON, AT_MESSAGE, 451, "4.4.2 Lost the next hop" },
	{ "DATA answered before the content", "DATA", "354 go\r\n250 kept\r\n", GO_ON, AT_MESSAGE,
	  451, "4.4.2 Lost the next hop" },
	{ "DATA 354 and closes", "DATA", "354 go\r\n", CLOSE, AT_MESSAGE, 451,
	  "4.4.2 Lost the next hop" },
	{ "content 5xx", "content", "552 5.3.4 too big\r\n", GO_ON, AT_MESSAGE, 552,
	  "5.3.4 too big" },
	{ "content 421", "content", "421 4.3.2 down\r\n", GO_ON, AT_MESSAGE, 451, "4.3.2 down" },
	{ "content 2xx", "content", "250 kept\r\n", GO_ON, AT_MESSAGE, 451,
	  "4.4.2 Lost the next hop" },
	{ "content 354", "content", "354 go\r\n", GO_ON, AT_MESSAGE, 451,
	  "4.4.2 Lost the next hop" },
	{ "dot 4xx", ".", "451 4.3.0 later\r\n", GO_ON, AT_MESSAGE, 451, "4.3.0 later" },
	{ "dot 5xx", ".", "554 5.6.0 spam\r\n", GO_ON, AT_MESSAGE, 554, "5.6.0 spam" },
	{ "dot 354", ".", "354 go\r\n", GO_ON, AT_MESSAGE, 451, "4.4.2 Lost the next hop" },
	{ "dot 421", ".", "421 4.3.2 down\r\n", CLOSE, AT_MESSAGE, 451, "4.3.2 down" },
	{ "dot 250 and dies", ".", "250 kept\r\n", CLOSE, AT_END, 250, "kept" },
	{ "dot 250 and resets", ".", "250 kept\r\n", RESET, AT_END, 250, "kept" },
	{ "dot 250 and garbage", ".", "250 kept\r\n\xff\xfe\r\n", GO_ON, AT_END, 250, "kept" },
	{ "dot 250 and 421", ".", "250 kept\r\n421 bye\r\n", CLOSE, AT_END, 250, "kept" },
	{ "dot 250 and 550", ".", "250 kept\r\n550 no\r\n", GO_ON, AT_END, 250, "kept" },
	{ "dot 250 of two lines", ".", "250-kept\r\n250 well\r\n", GO_ON, AT_END, 250,
	  "kept\nwell" },
};

static void test_replies(void **state)
{
	(void)state;
	patience(5000);
	for (size_t i = 0; i < sizeof reply_cases / sizeof reply_cases[0]; i++) {
		const struct reply_case *c = &reply_cases[i];
		struct deed deeds[] = { { c->phase, c->says, c->then }, { 0 } };
		struct message *m;
		struct scene s;

		print_message("%s\n", c->name);
		scene_open(&s, deeds);
		scene_relay(&s);
		m = scene_message(
			&s, strcmp(c->phase, "content") == 0 ? buf_slice(&big) : SLICE("x\r\n"),
			10000);
		assert_int_equal(transact(&s, m), c->want_step);
		assert_int_equal(s.reply.code, c->want_code);
		assert_string_equal(s.reply.text, c->want_text);
		message_unref(m);
		scene_close(&s);
	}
}

/* The relay is freed after any number of turns: nothing leaks, nothing is told, nothing is used. */
static void test_cancel(void **state)
{
	bool ended = false;

	(void)state;
	for (unsigned turns = 0; !ended; turns++) {
		enum step step = AT_MAIL;
		enum relay_step now;
		unsigned said = 0, turn = 0;
		struct message *m;
		struct scene s;

		scene_open(&s, NULL);
		scene_relay(&s);
		m = scene_message(&s, (struct slice){ big.at, 300000 }, 10000);
		now = call(&s, step, m);
		while (turn < turns && step != AT_END) {
			if (now == RELAY_WAIT && s.said == said) {
				scene_turn(&s);
				turn++;
			} else {
				assert_int_equal(s.reply.code, 250);
				said = s.said;
				now = call(&s, ++step, m);
			}
		}
		ended = step == AT_END;
		said = s.said;
		relay_free(s.relay);
		s.relay = NULL;
		message_unref(m);
		scene_close(&s);
		assert_int_equal(s.said, said);
	}
}

/* It takes the connection and then reads nothing: the content does not fit anywhere. */
static void test_not_reading(void **state)
{
	const struct deed deeds[] = { { "DATA", "354 go\r\n", GO_ON }, { 0 } };
	struct message *m;
	struct scene s;

	patience(100);
	for (size_t memory = 10000; memory <= 100000000; memory += 99990000) {
		(void)state;
		scene_open(&s, deeds);
		scene_relay(&s);
		m = scene_message(&s, buf_slice(&big), memory);
		assert_int_equal(scene_answer(&s, call(&s, AT_MAIL, m)), 250);
		assert_int_equal(scene_answer(&s, call(&s, AT_RCPT, m)), 250);
		assert_int_equal(call(&s, AT_MESSAGE, m), RELAY_WAIT);
		while (!s.peer.in_content)
			scene_turn(&s);
		stream_pause(&s.peer.stream);
		event_del(&s.peer.stream.event);
		assert_int_equal(scene_answer(&s, RELAY_WAIT), 451);
		assert_string_equal(s.reply.text, "4.4.2 Lost the next hop");
		message_unref(m);
		scene_close(&s);
	}
}

static void test_big_message(void **state)
{
	struct message *m;
	struct scene s;

	(void)state;
	patience(5000);
	for (size_t memory = 10000; memory <= 100000000; memory += 99990000) {
		scene_open(&s, NULL);
		scene_relay(&s);
		m = scene_message(&s, buf_slice(&big), memory);
		assert_int_equal(transact(&s, m), AT_END);
		assert_int_equal(s.peer.content.len,
				 big.len + 200000); /* a dot more on every line */
		message_unref(m);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_ends),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_not_reading),
		cmocka_unit_test(test_big_message),
	};

	return cmocka_run_group_tests(tests, make_texts, free_texts);
}
