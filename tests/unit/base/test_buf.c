/* Slices and the growing buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"

#define CASE(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_slice_equal(void **state)
{
	static const struct {
		const char *name;
		struct slice a, b;
		bool want, want_nocase;
	} cases[] = {
		{ "same", CASE("abc"), CASE("abc"), true, true },
		{ "case", CASE("aBc"), CASE("Abc"), false, true },
		{ "longer", CASE("abc"), CASE("abcd"), false, false },
		{ "empty", CASE(""), { NULL, 0 }, true, true },
		{ "after a NUL", CASE("a\0b"), CASE("a\0c"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (slice_equal(cases[i].a, cases[i].b) != cases[i].want ||
		    slice_equal_nocase(cases[i].a, cases[i].b) != cases[i].want_nocase)
			fail_msg("%s", cases[i].name);
}

static void test_slice_has(void **state)
{
	(void)state;
	assert_true(slice_has(SLICE("a\0b"), 'b'));
	assert_true(slice_has(SLICE("a\0b"), '\0'));
	assert_false(slice_has(SLICE("ab"), '\0'));
	assert_false(slice_has((struct slice){ NULL, 0 }, '\0'));
}

static void test_slice_trim(void **state)
{
	(void)state;
	assert_true(slice_equal(slice_trim(SLICE(" \ta b\t ")), SLICE("a b")));
	assert_true(slice_equal(slice_trim(SLICE("\ra\n")), SLICE("\ra\n")));
	assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
	assert_int_equal(slice_trim(SLICE("")).len, 0);
}

static void test_slice_cut(void **state)
{
	static const struct {
		const char *name;
		struct slice in, want_head, want_rest;
	} cases[] = {
		{ "in the middle", CASE("a=b=c"), CASE("a"), CASE("b=c") },
		{ "none", CASE("abc"), CASE("abc"), CASE("") },
		{ "first", CASE("=a"), CASE(""), CASE("a") },
		{ "last", CASE("a="), CASE("a"), CASE("") },
		{ "empty", CASE(""), CASE(""), CASE("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice rest, head = slice_cut(cases[i].in, '=', &rest);

		if (!slice_equal(head, cases[i].want_head) ||
		    !slice_equal(rest, cases[i].want_rest))
			fail_msg("%s", cases[i].name);
	}
	/* What is cut may be where the rest goes. */
	struct slice all = SLICE("a b"), head = slice_cut(all, ' ', &all);
	assert_true(slice_equal(head, SLICE("a")));
	assert_true(slice_equal(all, SLICE("b")));
}

static void test_slice_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool want;
		uint64_t want_number;
	} cases[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "007", 10, true, 7 },
		{ "11", 10, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "1x", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "4294967297", 10, false, 0 },
		{ "999999999999999999", UINT64_MAX, true, UINT64_C(999999999999999999) },
		{ "1000000000000000000", UINT64_MAX, false, 0 },
		{ "0000000000000000001", UINT64_MAX, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t n = 0;

		if (slice_number(slice_of(cases[i].text), cases[i].most, &n) != cases[i].want ||
		    (cases[i].want && n != cases[i].want_number))
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void test_buf_grows_and_gives_back(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_null(b.at);
	assert_string_equal(buf_text(&b), "");
	for (int i = 0; i < 1000; i++)
		assert_true(buf_printf(&b, "%d,", i % 10));
	assert_int_equal(b.len, 2000);
	assert_int_equal(strlen(buf_text(&b)), 2000);
	buf_eat(&b, 1998);
	assert_string_equal(buf_text(&b), "9,");
	assert_true(buf_add_slice(&b, SLICE("x\0y")));
	assert_int_equal(b.len, 5);
	buf_clear(&b);
	assert_non_null(b.at);
	assert_string_equal(buf_text(&b), "");
	assert_true(buf_add(&b, "z", 1));
	buf_eat(&b, 100);
	assert_null(b.at);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void test_buf_limit_refuses_whole(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_add(&b, "abc", 3));
	assert_false(buf_add(&b, "def", 3));
	assert_false(buf_printf(&b, "%s", "def"));
	assert_false(buf_add(&b, "d", SIZE_MAX));
	assert_string_equal(buf_text(&b), "abc");
	assert_true(buf_printf(&b, "%s", "de"));
	assert_true(buf_add(&b, NULL, 0));
	assert_false(buf_add(&b, "f", 1));
	assert_string_equal(buf_text(&b), "abcde");
	buf_free(&b);
	assert_int_equal(b.max, 5);
	assert_false(buf_add(&b, "abcdef", 6));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slice_equal),
		cmocka_unit_test(test_slice_has),
		cmocka_unit_test(test_slice_trim),
		cmocka_unit_test(test_slice_cut),
		cmocka_unit_test(test_slice_number),
		cmocka_unit_test(test_buf_grows_and_gives_back),
		cmocka_unit_test(test_buf_limit_refuses_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
