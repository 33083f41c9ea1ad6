/* What is wrong is said once, whoever finds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/complain.h"

static const struct {
	const char *name;
	struct place at;
	const char *text;
	unsigned want_count;
} cases[] = {
	{ "the first", { "a", 1, 2 }, "x is wrong", 1 },
	{ "the same", { "a", 1, 2 }, "x is wrong", 1 },
	{ "something else there", { "a", 1, 2 }, "y is wrong", 2 },
	{ "the same elsewhere", { "a", 1, 3 }, "x is wrong", 3 },
	{ "the same in another file", { "b", 1, 2 }, "x is wrong", 4 },
	{ "about no file", { NULL, 0, 0 }, "z is wrong", 5 },
};

static void test_once(void **state)
{
	struct complaints c;

	(void)state;
	complaints_init(&c);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		complain(&c, cases[i].at, "%s", cases[i].text);
		if (c.count != cases[i].want_count || c.errors != i + 1)
			fail_msg("%s: got %u of %u", cases[i].name, c.count, c.errors);
	}
	assert_int_equal(complaints_unlisted(&c), 0);
	complaints_free(&c);
}

/* Past what is kept it is only counted. */
static void test_many(void **state)
{
	struct complaints c;

	(void)state;
	complaints_init(&c);
	for (unsigned i = 1; i <= COMPLAIN_MAX + 10; i++)
		complain_warn(&c, (struct place){ "a", i, 1 }, "x");
	assert_int_equal(c.count, COMPLAIN_MAX);
	assert_int_equal(c.warnings, COMPLAIN_MAX + 10);
	assert_int_equal(c.errors, 0);
	assert_int_equal(complaints_unlisted(&c), 10);
	complaints_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
