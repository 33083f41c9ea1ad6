/* A console line and its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/words.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MOST = 4 };

static void test_split(void **state)
{
	static const struct {
		const char *name;
		const char *line;
		const char *want_wrong;
		const char *want[MOST + 1];
	} cases[] = {
		{ "nothing", "", NULL, { NULL } },
		{ "blanks", " \t ", NULL, { NULL } },
		{ "one", "status", NULL, { "status" } },
		{ "blanks around",
		  "\t count   SMTP\t1.2.3.4  ",
		  NULL,
		  { "count", "SMTP", "1.2.3.4" } },
		{ "quoted", "a \"b c\" d", NULL, { "a", "b c", "d" } },
		{ "quoted in a word", "a\"b c\"d", NULL, { "ab cd" } },
		{ "empty word", "\"\" x", NULL, { "", "x" } },
		{ "backslash in quotes", "\"a\\\"b\\\\\"", NULL, { "a\"b\\" } },
		{ "backslash outside", "a\\b", NULL, { "a\\b" } },
		{ "as many as fit", "1 2 3 4", NULL, { "1", "2", "3", "4" } },
		{ "one too many", "1 2 3 4 5", "too many words", { NULL } },
		{ "open quote", "a \"b", "a quote is not closed", { NULL } },
		{ "open after backslash", "\"\\\"", "a quote is not closed", { NULL } },
		{ "backslash at the end", "\"a\\", "a quote is not closed", { NULL } },
		{ "control", "a\x01", "a control character in the line", { NULL } },
		{ "escape", "\x1b[2J", "a control character in the line", { NULL } },
		{ "above ASCII", "\xc3\xa9", NULL, { "\xc3\xa9" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice words[MOST];
		char line[64];
		unsigned count, want = 0;
		const char *wrong;

		snprintf(line, sizeof line, "%s", cases[i].line);
		wrong = words_split(line, strlen(line), words, MOST, &count);
		if ((wrong == NULL) != (cases[i].want_wrong == NULL) ||
		    (wrong != NULL && strcmp(wrong, cases[i].want_wrong) != 0))
			fail_msg("%s: %s", cases[i].name, wrong ? wrong : "nothing wrong");
		if (wrong != NULL)
			continue;
		for (; cases[i].want[want] != NULL; want++)
			if (want >= count ||
			    !slice_equal(words[want], slice_of(cases[i].want[want])))
				fail_msg("%s: word %u", cases[i].name, want);
		if (count != want)
			fail_msg("%s: %u words", cases[i].name, count);
	}
}

static void test_split_nul(void **state)
{
	char line[] = "SMTP\0x";
	struct slice words[MOST];
	unsigned count;

	(void)state;
	assert_string_equal(words_split(line, sizeof line - 1, words, MOST, &count),
			    "a control character in the line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
