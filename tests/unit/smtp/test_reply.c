/* Replies: none that we write can be read as two, none that we read is guessed (RFC 5321 4.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtp/reply.h"
#include "smtp/smtp.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_write(void **state)
{
	static const struct {
		const char *name;
		unsigned code;
		const char *text;
		bool enhanced;
		const char *want;
	} cases[] = {
		{ "plain", 220, "edge.example ESMTP", false, "220 edge.example ESMTP\r\n" },
		{ "code of its own", 550, "5.7.1 no", true, "550 5.7.1 no\r\n" },
		{ "code of its own, none asked", 550, "5.7.1 no", false, "550 5.7.1 no\r\n" },
		{ "fitting 2", 250, "Ok", true, "250 2.0.0 Ok\r\n" },
		{ "fitting 4", 451, "later", true, "451 4.0.0 later\r\n" },
		{ "fitting 5", 554, "no", true, "554 5.0.0 no\r\n" },
		{ "none for 354", 354, "End data with <CR><LF>.<CR><LF>", true,
		  "354 End data with <CR><LF>.<CR><LF>\r\n" },
		{ "another class is text", 450, "5.7.1 no", true, "450 4.0.0 5.7.1 no\r\n" },
		{ "lines", 550, "5.7.1 one\ntwo", true, "550-5.7.1 one\r\n550 5.7.1 two\r\n" },
		{ "lines that have it already", 550, "5.7.1 one\n5.7.1 two", true,
		  "550-5.7.1 one\r\n550 5.7.1 two\r\n" },
		{ "lines without", 250, "a\nb\nc", false, "250-a\r\n250-b\r\n250 c\r\n" },
		{ "empty line inside", 250, "a\n\nc", false, "250-a\r\n250-\r\n250 c\r\n" },
		{ "newline at the end", 250, "a\n", false, "250 a\r\n" },
		{ "CRLF between lines", 250, "a\r\nb\r\n", false, "250-a\r\n250 b\r\n" },
		{ "bare CR", 550, "a\r250 ok", false, "550 a 250 ok\r\n" },
		{ "newline from a script", 550, "a\n250 ok", false, "550-a\r\n550 250 ok\r\n" },
		{ "controls", 550, "a\tb\x01\x7f\x1b[c", false, "550 a b   [c\r\n" },
		{ "empty", 250, "", true, "250 2.0.0 \r\n" },
		{ "no text", 250, NULL, false, "250 \r\n" },
		{ "code too large", 25000, "x", true, "451 4.0.0 x\r\n" },
		{ "code too small", 0, "x", false, "451 x\r\n" },
		{ "code of the 1xx", 100, "x", false, "451 x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = { 0 };

		assert_true(reply_write(&out, cases[i].code, cases[i].text, cases[i].enhanced));
		if (!slice_equal(buf_slice(&out), slice_of(cases[i].want)))
			fail_msg("%s: got \"%s\"", cases[i].name, buf_text(&out));
		buf_free(&out);
	}
}

static void test_write_limits(void **state)
{
	char text[2000];
	struct buf out = { 0 };
	unsigned lines = 0;

	(void)state;
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_true(reply_write(&out, 250, text, true));
	assert_int_equal(out.len, SMTP_REPLY_LINE_MAX);
	assert_memory_equal(out.at + out.len - 3, "a\r\n", 3);
	buf_free(&out);

	memset(text, '\n', sizeof text - 1);
	assert_true(reply_write(&out, 250, text, false));
	for (size_t i = 0; i < out.len; i++)
		lines += out.at[i] == '\n';
	assert_int_equal(lines, REPLY_LINES_MAX);
	assert_memory_equal(out.at + out.len - 6, "250 \r\n", 6);
	buf_free(&out);

	/* Whole or not at all. */
	buf_init(&out, 20);
	assert_true(buf_add(&out, "x", 1));
	assert_false(reply_write(&out, 250, "0123\n0123456789", false));
	assert_int_equal(out.len, 1);
	buf_free(&out);
}

static void test_enhanced_len(void **state)
{
	static const struct {
		const char *text;
		unsigned code;
		size_t want;
	} cases[] = {
		{ "4.7.0 x", 450, 5 },	{ "4.7.0", 450, 5 },	  { "5.123.999 x", 550, 9 },
		{ "2.0.0 x", 250, 5 },	{ "4.7.0 x", 550, 0 },	  { "4.7.0x", 450, 0 },
		{ "4.7", 450, 0 },	{ "4.7.", 450, 0 },	  { "4..0 x", 450, 0 },
		{ "4.1234.0 x", 450, 0 }, { "4.7.1234", 450, 0 }, { "", 450, 0 },
		{ "4", 450, 0 },	{ "3.0.0 x", 354, 0 },	  { "4.7.0\tx", 450, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (reply_enhanced_len(slice_of(cases[i].text), cases[i].code) != cases[i].want)
			fail_msg("\"%s\" for %u", cases[i].text, cases[i].code);
}

#define LINE(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static void test_read(void **state)
{
	static const struct {
		const char *name;
		struct slice lines[4];
		enum reply_step want; /* of the last; REPLY_MORE of those before */
		unsigned want_code;
		const char *want_text;
	} cases[] = {
		{ "one line", { LINE("250 2.0.0 Ok") }, REPLY_DONE, 250, "2.0.0 Ok" },
		{ "code alone", { LINE("250") }, REPLY_DONE, 250, "" },
		{ "code and a blank", { LINE("250 ") }, REPLY_DONE, 250, "" },
		{ "lines",
		  { LINE("250-a"), LINE("250-PIPELINING"), LINE("250 SIZE 1") },
		  REPLY_DONE,
		  250,
		  "a\nPIPELINING\nSIZE 1" },
		{ "lines, the last alone", { LINE("250-a"), LINE("250") }, REPLY_DONE, 250, "a\n" },
		{ "lines, empty ones",
		  { LINE("250-"), LINE("250-"), LINE("250 b") },
		  REPLY_DONE,
		  250,
		  "\n\nb" },
		{ "not over", { LINE("250-a"), LINE("250-b") }, REPLY_MORE, 0, NULL },
		{ "codes differ", { LINE("250-a"), LINE("550 b") }, REPLY_BAD, 0, NULL },
		{ "codes differ in the third",
		  { LINE("250-a"), LINE("250-b"), LINE("251 c") },
		  REPLY_BAD,
		  0,
		  NULL },
		{ "no separator", { LINE("250Ok") }, REPLY_BAD, 0, NULL },
		{ "another separator", { LINE("250_Ok") }, REPLY_BAD, 0, NULL },
		{ "tab as separator", { LINE("250\tOk") }, REPLY_BAD, 0, NULL },
		{ "four digits", { LINE("2500 Ok") }, REPLY_BAD, 0, NULL },
		{ "code below", { LINE("199 a") }, REPLY_BAD, 0, NULL },
		{ "code above", { LINE("600 a") }, REPLY_BAD, 0, NULL },
		{ "zero", { LINE("000 a") }, REPLY_BAD, 0, NULL },
		{ "not a number", { LINE("2x0 a") }, REPLY_BAD, 0, NULL },
		{ "short", { LINE("25") }, REPLY_BAD, 0, NULL },
		{ "text", { LINE("SSH-2.0-x") }, REPLY_BAD, 0, NULL },
		{ "controls are blanks",
		  { LINE("550 a\0b\rc\nd\te\x7f") },
		  REPLY_DONE,
		  550,
		  "a b c d e " },
		{ "octets above 127 stay", { LINE("550 \xc3\xa9") }, REPLY_DONE, 550, "\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct reply_reader r;
		struct reply got = { 0 };
		enum reply_step step = REPLY_MORE;

		reply_reader_init(&r);
		for (size_t n = 0; n < 4 && cases[i].lines[n].at != NULL; n++) {
			assert_int_equal(step, REPLY_MORE);
			step = reply_read(&r, cases[i].lines[n], &got);
		}
		if (step != cases[i].want || got.code != cases[i].want_code ||
		    (got.text == NULL) != (cases[i].want_text == NULL) ||
		    (got.text != NULL && strcmp(got.text, cases[i].want_text) != 0))
			fail_msg("%s: step %d, %u \"%s\"", cases[i].name, step, got.code,
				 got.text ? got.text : "");
		reply_free(&got);
		reply_reader_free(&r);
	}
}

static void test_read_limits(void **state)
{
	static char text[REPLY_TEXT_MAX + 5];
	struct reply_reader r;
	struct reply got = { 0 };

	(void)state;
	reply_reader_init(&r);
	for (unsigned i = 0; i < REPLY_LINES_MAX; i++)
		assert_int_equal(reply_read(&r, SLICE("250-x"), &got), REPLY_MORE);
	assert_int_equal(reply_read(&r, SLICE("250 x"), &got), REPLY_BAD);

	/* After a bad one it begins again. */
	assert_int_equal(reply_read(&r, SLICE("220 x"), &got), REPLY_DONE);
	assert_int_equal(got.code, 220);

	memset(text, 'a', sizeof text);
	memcpy(text, "250 ", 4);
	assert_int_equal(reply_read(&r, (struct slice){ text, sizeof text }, &got), REPLY_BAD);
	assert_int_equal(reply_read(&r, (struct slice){ text, sizeof text - 1 }, &got), REPLY_DONE);
	assert_int_equal(strlen(got.text), REPLY_TEXT_MAX);
	reply_free(&got);
	reply_reader_free(&r);
}

static void test_values(void **state)
{
	struct reply a = { 0 }, b;

	(void)state;
	reply_set(&a, 550, "%s <%s>", "5.1.1", "x");
	assert_string_equal(a.text, "5.1.1 <x>");
	reply_set(&a, 551, "%s again", a.text); /* of its own text */
	assert_string_equal(a.text, "5.1.1 <x> again");
	b = reply_take(&a);
	assert_int_equal(b.code, 551);
	assert_string_equal(b.text, "5.1.1 <x> again");
	assert_int_equal(a.code, 0);
	assert_null(a.text);
	reply_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),	     cmocka_unit_test(test_write_limits),
		cmocka_unit_test(test_enhanced_len), cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_limits),  cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
