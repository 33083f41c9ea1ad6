#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* What one call writes, in one format. */
static char *written(enum log_format format, const char *text)
{
	static char got[2 * LOG_LINE_MAX];
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	log_set_format(format);
	log_open(fds[1], "tw");
	log_event(LOG_INFO, "test", 0x1234,
		  (struct log_field[]){ LOG_STR("said", text), LOG_INT("code", 450), LOG_END },
		  "client said %s", text);
	log_close();
	n = read(fds[0], got, sizeof got - 1);
	assert_true(n > 0);
	got[n] = '\0';
	close(fds[0]);
	close(fds[1]);
	return got;
}

static const struct {
	const char *name, *text, *want_text, *want_json;
} cases[] = {
	{ "plain", "hello", "client said hello\n", "hello" },
	{ "line end", "a\r\nconnect from x", "client said a\\x0d\\x0aconnect from x\n",
	  "a\r\nconnect from x" },
	{ "quotes", "\"\\", "client said \"\\\n", "\"\\" },
	{ "UTF-8", "\xc3\xa9", "client said \xc3\xa9\n", "\xc3\xa9" },
	{ "not UTF-8", "a\xff\xc3z", "client said a\xff\xc3z\n", "a??z" },
	{ "overlong", "\xe0\x80\x80", "client said \xe0\x80\x80\n", "???" },
	{ "DEL", "\x7f", "client said \\x7f\n", "\x7f" },
};

static void one_event_is_one_line_whatever_a_peer_said(void **state)
{
	(void)state;
	clock_stop(true, 0, 1700000000123);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *line = written(LOG_TEXT, cases[i].text);
		json_t *object;

		assert_memory_equal(line, "2023-11-14T22:13:20.123Z tw[", 28);
		assert_non_null(strstr(line, ": 0000000000001234: "));
		assert_string_equal(strstr(line, "client said"), cases[i].want_text);

		line = written(LOG_JSON, cases[i].text);
		assert_int_equal(strcspn(line, "\n"), strlen(line) - 1);
		object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(object);
		assert_string_equal(json_string_value(json_object_get(object, "said")),
				    cases[i].want_json);
		assert_string_equal(json_string_value(json_object_get(object, "session")),
				    "0000000000001234");
		assert_int_equal(json_integer_value(json_object_get(object, "code")), 450);
		json_decref(object);
	}
	clock_stop(false, 0, 0);
}

static void a_line_too_long_is_cut_and_stays_an_object(void **state)
{
	char text[9000];
	json_t *object;

	(void)state;
	memset(text, 1, sizeof text - 1); /* grows sixfold in JSON */
	text[sizeof text - 1] = '\0';
	object = json_loads(written(LOG_JSON, text), 0, NULL);
	assert_non_null(object);
	json_decref(object);
	assert_true(strlen(written(LOG_TEXT, text)) <= LOG_LINE_MAX);
}

/* The reader of the log stands still: callers go on, and later hear what was lost. */
static void a_slow_reader_loses_lines_and_is_told(void **state)
{
	enum { LINES = 80000 };
	char got[65536 + 1], told[65536 + 1] = "";
	int fds[2];
	uint64_t before = log_dropped(), dropped;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_set_format(LOG_TEXT);
	log_open(fds[1], "tw");
	for (int i = 0; i < LINES; i++)
		log_info(
			"line %d, and enough more of it to fill what is kept for a reader who does not come",
			i);
	dropped = log_dropped() - before;
	assert_true(dropped > 0 && dropped < LINES);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 40;) {
		n = read(fds[0], got, sizeof got - 1);
		if (n <= 0) {
			quiet++;
			usleep(5000);
			continue;
		}
		quiet = 0;
		got[n] = '\0';
		if (strstr(got, "lines were dropped") != NULL)
			memcpy(told, got, sizeof got);
	}
	log_close();
	assert_non_null(strstr(told, "lines were dropped"));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_is_one_line_whatever_a_peer_said),
		cmocka_unit_test(a_line_too_long_is_cut_and_stays_an_object),
		cmocka_unit_test(a_slow_reader_loses_lines_and_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
