#include "archive/shelf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

static void saved_series_are_named_after_them(void **state)
{
	static const struct {
		const char *name;
		struct series_info series;
		const char *want;
	} cases[] = {
		{ "defined", { .is = { .name = "badrcpt4", .monitor = { 300, 6 } }, .event = -1,
			       .is_defined = true }, "badrcpt4" },
		{ "of Sieve", { .is = { .name = "badrcpt4", .monitor = { 300, 6 } }, .event = -1 },
		  "badrcpt4@300,6" },
		{ "built in", { .is = { .name = "connections", .monitor = { 300, 6 } },
				.event = EVENT_CONNECTION }, "@connections@300,6" },
		{ "D67: encoded", { .is = { .name = "a b/c.new@300,6" }, .event = -1,
				    .is_defined = true }, "a%20b%2Fc%2Enew%40300%2C6" },
		{ "nothing above", { .is = { .name = ".." }, .event = -1, .is_defined = true },
		  "%2E%2E" },
		{ "eight bits", { .is = { .name = "\xc3\xa9", .monitor = { 60, 1 } }, .event = -1 },
		  "%C3%A9@60,1" },
	};
	char file[SHELF_NAME_MAX] = "";

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (!shelf_saved(file, &cases[i].series) || strcmp(file, cases[i].want) != 0 ||
		    !shelf_is_saved(file))
			fail_msg("%s: %s", cases[i].name, file);
	}
}

static void a_name_too_long_for_a_file_is_refused(void **state)
{
	struct series_info series = { .is.monitor = { 31622400, 2000 } };
	char file[SHELF_NAME_MAX];

	(void)state;
	assert_false(shelf_saved(file, &series));
	memset(series.is.name, 'x', SERIES_NAME_MAX);
	assert_true(shelf_saved(file, &series));
	memset(series.is.name, '.', SERIES_NAME_MAX);
	assert_false(shelf_saved(file, &series));
	assert_false(shelf_journal(file, series.is.name, 0));
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
}

static void only_what_we_would_write_is_a_saved_series(void **state)
{
	static const char *const not[] = {
		"", "@", "a b", "lost+found", "a.20261120T103000Z", "a.new",
		"a.bad-20261120T103000Z", "a@", "a@300", "a@300,6,7", "a@300,6@300,6", "@a",
		"a%2Eb%2e",
	};

	(void)state;
	for (size_t i = 0; i < sizeof not / sizeof *not; i++)
		if (shelf_is_saved(not[i]))
			fail_msg("\"%s\" is one", not[i]);
	assert_true(shelf_is_new("a.new"));
	assert_true(shelf_is_new("@a@300,6.new"));
	assert_true(shelf_is_new("a.20261120T103000Z.new"));
	assert_false(shelf_is_new(".new"));
	assert_false(shelf_is_new("a.b.new"));
	assert_false(shelf_is_new("a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saved_series_are_named_after_them),
		cmocka_unit_test(a_name_too_long_for_a_file_is_refused),
		cmocka_unit_test(T16_journals_are_named_by_the_end_of_the_window),
		cmocka_unit_test(only_what_we_would_write_is_a_journal),
		cmocka_unit_test(only_what_we_would_write_is_a_saved_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
