#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text_json.h"
#include "base/utf8.h"

static const struct {
	const char *name;
	struct slice text;
	size_t want_len; /* of the first character */
	const char *want_mended;
} cases[] = {
	{ "nothing", SLICE(""), 0, "" },
	{ "ASCII", SLICE("ab"), 1, "ab" },
	{ "a control", SLICE("\x01\x7f"), 1, "\x01\x7f" },
	{ "two octets", SLICE("\xc3\xa9!"), 2, "\xc3\xa9!" },
	{ "three", SLICE("\xe2\x82\xac!"), 3, "\xe2\x82\xac!" },
	{ "four", SLICE("\xf0\x9f\x98\x80!"), 4, "\xf0\x9f\x98\x80!" },
	{ "the last of all", SLICE("\xf4\x8f\xbf\xbf"), 4, "\xf4\x8f\xbf\xbf" },
	{ "past the last", SLICE("\xf4\x90\x80\x80"), 0, "????" },
	{ "five octets", SLICE("\xf8\x88\x80\x80\x80"), 0, "?????" },
	{ "a long form of two", SLICE("\xc1\xbf"), 0, "??" },
	{ "a long form of three", SLICE("\xe0\x9f\xbf"), 0, "???" },
	{ "a long form of four", SLICE("\xf0\x8f\xbf\xbf"), 0, "????" },
	{ "before the surrogates", SLICE("\xed\x9f\xbf"), 3, "\xed\x9f\xbf" },
	{ "half a pair", SLICE("\xed\xa0\x80"), 0, "???" },
	{ "cut", SLICE("\xe2\x82"), 0, "??" },
	{ "what continues nothing", SLICE("\x80z"), 0, "?z" },
	{ "a lead before another", SLICE("\xc3\xc3\xa9"), 0, "?\xc3\xa9" },
	{ "good ones around", SLICE("\xc3\xa9\xff\xc3\xa9"), 2, "\xc3\xa9?\xc3\xa9" },
};

static void test_len(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (utf8_len(cases[i].text) != cases[i].want_len)
			fail_msg("%s: got %zu, want %zu", cases[i].name, utf8_len(cases[i].text),
				 cases[i].want_len);
}

static void test_mend(void **state)
{
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		memcpy(text, cases[i].text.at, cases[i].text.len);
		utf8_mend(text, cases[i].text.len);
		text[cases[i].text.len] = '\0';
		if (strcmp(text, cases[i].want_mended) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name, text);
	}
}

/* jansson has its own opinion of what UTF-8 is: the same. */
static void test_json(void **state)
{
	json_t *value;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		value = text_json(cases[i].text);
		assert_non_null(value);
		if (strcmp(json_string_value(value), cases[i].want_mended) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name, json_string_value(value));
		json_decref(value);
	}
	value = text_json((struct slice){ NULL, 0 });
	assert_string_equal(json_string_value(value), "");
	json_decref(value);
	value = text_json(SLICE("a\0\xff"));
	assert_int_equal(json_string_length(value), 3);
	assert_memory_equal(json_string_value(value), "a\0?", 3);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_len),
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
