/* A relay and a polite next hop. */
#include "relay/scene.h"

static void test_plain(void **state)
{
	struct scene s;
	struct message *m;
	struct mail_command mail = mail_from("a@example.net");
	struct path to = path_to("b@example.org"), to2 = path_to("c@example.org");

	(void)state;
	scene_open(&s, NULL);
	scene_relay(&s);
	m = scene_message(&s, SLICE("Subject: x\r\n\r\n.dot\r\n..dots\r\nlast\r\n"), 1000);
	assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
	assert_string_equal(s.reply.text, "2.1.0 Sender ok");
	assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to)), 250);
	assert_int_equal(scene_answer(&s, relay_rcpt(s.relay, &to2)), 250);
	assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 250);
	assert_string_equal(s.reply.text, "2.0.0 Kept as 1");
	assert_string_equal(buf_text(&s.peer.content), "Subject: x\r\n\r\n..dot\r\n...dots\r\nlast\r\n");
	relay_free(s.relay);
	s.relay = NULL;
	while (!s.peer.quit)
		scene_turn(&s);
	assert_string_equal(buf_text(&s.peer.commands),
			    "EHLO edge.example\r\nMAIL FROM:<a@example.net>\r\n"
			    "RCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\nQUIT\r\n");
	message_unref(m);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
