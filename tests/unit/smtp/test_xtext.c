/* Octets there and back (RFC 3461 4), and what is no xtext. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/xtext.h"

static const struct write_case {
	const char *name, *text, *want;
} write_cases[] = {
	{ "plain", "mail.example.org", "mail.example.org" },
	{ "its own signs", "a+b=c", "a+2Bb+3Dc" },
	{ "blanks and controls", "a b\t\r\n\x7f", "a+20b+09+0D+0A+7F" },
	{ "beyond ASCII", "\xc3\xbc\xff", "+C3+BC+FF" },
	{ "nothing", "", "" },
};

static void test_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof write_cases / sizeof write_cases[0]; i++) {
		struct buf out = { 0 }, back = { 0 };

		print_message("%s\n", write_cases[i].name);
		assert_true(xtext_write(&out, slice_of(write_cases[i].text)));
		assert_string_equal(buf_text(&out), write_cases[i].want);
		assert_true(xtext_read(&back, buf_slice(&out)));
		assert_string_equal(buf_text(&back), write_cases[i].text);
		buf_free(&out);
		buf_free(&back);
	}
}

static void test_bad(void **state)
{
	const char *const cases[] = { "+",   "+2",  "a+2",  "+2b",	"+GG",	"+ 2",
				      "a b", "a=b", "\x7f", "\xc3\xbc", "a\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out = { 0 };

		print_message("%s\n", cases[i]);
		assert_false(xtext_read(&out, slice_of(cases[i])));
		buf_free(&out);
	}
}

static void test_full(void **state)
{
	struct buf out = { .max = 4 };

	(void)state;
	assert_false(xtext_write(&out, SLICE("++")));
	buf_free(&out);
	assert_false(xtext_read(&out, SLICE("abcde")));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
