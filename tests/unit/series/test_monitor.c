#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "series/monitor.h"

static void test_parse_D53(void **state)
{
	static const struct {
		const char *text;
		struct monitor want;
		const char *want_wrong;
	} cases[] = {
		{ "300,6", { 300, 6 }, NULL },
		{ " 300 ,\t6 ", { 300, 6 }, NULL },
		{ "1,1", { 1, 1 }, NULL },
		{ "31622400,2000", { 31622400, 2000 }, NULL },
		{ "", { 0, 0 }, "a monitor is \"SECONDS,WINDOWS\"" },
		{ "300", { 0, 0 }, "a monitor is \"SECONDS,WINDOWS\"" },
		{ "300 6", { 0, 0 }, "a monitor is \"SECONDS,WINDOWS\"" },
		{ ",6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "0,6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "-1,6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "1.5,6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "31622401,6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "99999999999999999999,6", { 0, 0 }, "a monitor's SECONDS are 1 to 31622400" },
		{ "300,", { 0, 0 }, "a monitor's WINDOWS are 1 to 2000" },
		{ "300,0", { 0, 0 }, "a monitor's WINDOWS are 1 to 2000" },
		{ "300,2001", { 0, 0 }, "a monitor's WINDOWS are 1 to 2000" },
		{ "300,6,1", { 0, 0 }, "a monitor's WINDOWS are 1 to 2000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct monitor got = { 0, 0 };
		const char *wrong = monitor_parse(slice_of(cases[i].text), &got);

		if (cases[i].want_wrong != NULL)
			assert_string_equal(wrong, cases[i].want_wrong);
		else if (wrong != NULL || !monitor_equal(got, cases[i].want))
			fail_msg("%s: %s, %u,%u", cases[i].text, wrong ? wrong : "parsed",
				 got.seconds, got.windows);
	}
}

static void test_print(void **state)
{
	char text[MONITOR_TEXT_MAX];

	(void)state;
	assert_string_equal(monitor_print((struct monitor){ 300, 6 }, text), "300,6");
	assert_string_equal(monitor_print((struct monitor){ 31622400, 2000 }, text),
			    "31622400,2000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_D53),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
