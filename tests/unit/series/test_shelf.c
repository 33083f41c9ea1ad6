#include "series/shelf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

static void saved_series_are_named_after_them(void **state)
{
	static const struct {
		const char *name, *series;
		struct monitor monitor; /* of 0 seconds: it is defined */
		const char *want;
	} cases[] = {
		{ "plain", "badrcpt4", { 0 }, "badrcpt4" },
		{ "of Sieve", "badrcpt4", { 300, 6 }, "badrcpt4@300,6" },
		{ "D67: encoded", "a b/c.new@300,6", { 0 }, "a%20b%2Fc%2Enew%40300%2C6" },
		{ "nothing above", "..", { 0 }, "%2E%2E" },
		{ "eight bits", "\xc3\xa9", { 60, 1 }, "%C3%A9@60,1" },
	};
	char file[SHELF_NAME_MAX] = "";

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct monitor *m = cases[i].monitor.seconds ? &cases[i].monitor : NULL;

		if (!shelf_saved(file, cases[i].series, m) || strcmp(file, cases[i].want) != 0 ||
		    !shelf_is_saved(file))
			fail_msg("%s: %s", cases[i].name, file);
	}
}

static void a_name_too_long_for_a_file_is_refused(void **state)
{
	char series[256], file[SHELF_NAME_MAX];

	(void)state;
	memset(series, 'x', sizeof series);
	series[200] = '\0';
	assert_true(shelf_saved(file, series, &(struct monitor){ 31622400, 2000 }));
	memset(series, '.', 200);
	assert_false(shelf_saved(file, series, NULL));
	assert_false(shelf_journal(file, series, 0));
	assert_false(shelf_saved(file, "", NULL));
}

static void T16_journals_are_named_by_the_end_of_the_window(void **state)
{
	char file[SHELF_NAME_MAX], series[16];
	uint64_t end;

	(void)state;
	assert_true(shelf_journal(file, "a.b", 1795170600));
	assert_string_equal(file, "a%2Eb.20261120T103000Z");
	assert_true(shelf_is_journal(file, series, sizeof series, &end));
	assert_string_equal(series, "a.b");
	assert_int_equal(end, 1795170600);
}

static void only_what_we_would_write_is_a_journal(void **state)
{
	static const char *const not[] = {
		"", ".", "..", "a", "a.b", "a.20261120T103000", "a.20261120T103000Zx",
		"a.20261120T103000Z.new", "a.20261120T103000Z.gz", "a.bad-20261120T103000Z",
		".20261120T103000Z", "a b.20261120T103000Z", "a%2eb.20261120T103000Z",
		"a%61.20261120T103000Z", "a%00.20261120T103000Z", "a%2.20261120T103000Z",
		"a.20261320T103000Z", "a.20260230T103000Z", "a.2026112T0103000Z",
		"a.19691231T235959Z", "abcdefghijklmnop.20261120T103000Z",
	};
	char series[16];
	uint64_t end;

	(void)state;
	for (size_t i = 0; i < sizeof not / sizeof *not; i++)
		if (shelf_is_journal(not[i], series, sizeof series, &end))
			fail_msg("\"%s\" is one", not[i]);
	assert_true(shelf_is_new("a.new"));
	assert_false(shelf_is_new(".new"));
	assert_false(shelf_is_new("a.news"));
	assert_false(shelf_is_saved("a.new"));
	assert_false(shelf_is_saved("a.bad-20261120T103000Z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saved_series_are_named_after_them),
		cmocka_unit_test(a_name_too_long_for_a_file_is_refused),
		cmocka_unit_test(T16_journals_are_named_by_the_end_of_the_window),
		cmocka_unit_test(only_what_we_would_write_is_a_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
