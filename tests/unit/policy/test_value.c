/* Values and their coercion (behaviour 1.3). */
#include "policy/fake.h"

static const struct value numbers[] = { STR("12"), STR("13") };
static const struct value words[] = { STR("a"), STR("b") };

#define EMPTY_LIST { .type = VALUE_LIST }
#define TAG(text) { .type = VALUE_TAG, .string = { (text), sizeof(text) - 1 } }

static struct value hash_of(struct arena *a, const char *key)
{
	struct value v = { .type = VALUE_HASH, .hash = value_hash_new(a) };

	if (key != NULL)
		assert_true(value_hash_set(a, v.hash, slice_of(key), &words[0]));
	return v;
}

/* What each becomes as a string, a number, a decimal, a list; '!' for a run-time error. */
static void test_coercion(void **state)
{
	static const struct {
		const char *name;
		struct value v;
		const char *want_string;
		const char *want_number;
		const char *want_decimal;
		const char *want_list;
	} cases[] = {
		{ "number", NUM(-7), "-7", "-7", "-7.00", "[-7]" },
		{ "largest number", NUM(INT64_MAX), "9223372036854775807", "9223372036854775807",
		  "9223372036854775808.00", "[9223372036854775807]" },
		{ "word", STR("abc"), "abc", "!", "!", "[abc]" },
		{ "numeric text", STR("12"), "12", "12", "12.00", "[12]" },
		{ "blanks around", STR(" \t12 "), " \t12 ", "12", "12.00", "[ \t12 ]" },
		{ "fraction is cut", STR("-3.7"), "-3.7", "-3", "-3.70", "[-3.7]" },
		{ "D34 half a second", STR("0.5"), "0.5", "0", "0.50", "[0.5]" },
		{ "plus sign", STR("+5"), "+5", "5", "5.00", "[+5]" },
		{ "number and more", STR("12 per host"), "12 per host", "!", "!", "[12 per host]" },
		{ "no digits before the point", STR(".5"), ".5", "!", "!", "[.5]" },
		{ "no digits after the point", STR("5."), "5.", "!", "!", "[5.]" },
		{ "only a sign", STR("-"), "-", "!", "!", "[-]" },
		{ "empty", STR(""), "", "!", "!", "[]" },
		{ "too large", STR("9223372036854775808"), "9223372036854775808", "!",
		  "9223372036854775808.00", "[9223372036854775808]" },
		{ "smallest", STR("-9223372036854775808"), "-9223372036854775808",
		  "-9223372036854775808", "-9223372036854775808.00", "[-9223372036854775808]" },
		{ "D6 list is its first", LIST(numbers), "12", "12", "12.00", "[12,13]" },
		{ "D6 list of words", LIST(words), "a", "!", "!", "[a,b]" },
		{ "D6 empty list", EMPTY_LIST, "", "!", "!", "[]" },
		{ "D9 unset", NONE, "", "!", "!", "[]" },
		{ "tag", TAG("is"), "is", "!", "!", "[is]" },
	};
	struct buf got = { 0 };
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct value *v = &cases[i].v;
		struct value list = { .type = VALUE_LIST };
		struct slice string;
		int64_t number;
		double decimal;

		assert_null(value_to_string(&a, v, &string));
		assert_true(buf_add_slice(&got, string));
		expect_text(cases[i].name, &got, cases[i].want_string);
		assert_true(value_to_number(v, &number) != NULL
				    ? buf_printf(&got, "!")
				    : buf_printf(&got, "%ld", (long)number));
		expect_text(cases[i].name, &got, cases[i].want_number);
		assert_true(value_to_decimal(v, &decimal) != NULL
				    ? buf_printf(&got, "!")
				    : buf_printf(&got, "%.2f", decimal));
		expect_text(cases[i].name, &got, cases[i].want_decimal);
		assert_null(value_to_list(&a, v, &list.list, &list.count));
		value_print(&list, &got);
		expect_text(cases[i].name, &got, cases[i].want_list);
	}
	buf_free(&got);
	arena_free(&a);
}

static void test_hash_is_nothing_else(void **state)
{
	const struct value *members;
	struct slice string;
	struct value hash;
	struct arena a;
	uint32_t count;
	int64_t number;
	double decimal;

	(void)state;
	arena_init(&a, 1 << 16);
	hash = hash_of(&a, "k");
	assert_non_null(value_to_string(&a, &hash, &string));
	assert_non_null(value_to_number(&hash, &number));
	assert_non_null(value_to_decimal(&hash, &decimal));
	assert_non_null(value_to_list(&a, &hash, &members, &count));
	arena_free(&a);
}

static void test_truth(void **state)
{
	static const struct {
		const char *name;
		struct value v;
		bool want;
	} cases[] = {
		{ "D18 number", NUM(2), true },	     { "D18 zero", NUM(0), false },
		{ "D18 text", STR("x"), true },	     { "D18 empty", STR(""), false },
		{ "D18 text 0", STR("0"), false },   { "D18 text 00", STR("00"), true },
		{ "D18 False", STR("False"), false }, { "D18 NO", STR("NO"), false },
		{ "D18 off", STR("off"), false },    { "D18 list", LIST(words), true },
		{ "D18 empty list", EMPTY_LIST, false }, { "D18 unset", NONE, false },
	};
	struct value hash;
	struct arena a;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (value_is_true(&cases[i].v) != cases[i].want)
			fail_msg("%s", cases[i].name);
	}
	arena_init(&a, 1 << 16);
	hash = hash_of(&a, NULL);
	assert_false(value_is_true(&hash));
	hash = hash_of(&a, "k");
	assert_true(value_is_true(&hash));
	arena_free(&a);
}

static void test_hash(void **state)
{
	enum { PAIRS = 1000 };
	struct value_hash *h;
	struct arena a;
	char text[PAIRS][8];
	struct slice key;

	(void)state;
	arena_init(&a, 1 << 20);
	h = value_hash_new(&a);
	assert_null(value_hash_get(h, SLICE("absent")));
	for (unsigned i = 0; i < PAIRS; i++) {
		snprintf(text[i], sizeof text[i], "k%u", i);
		assert_true(value_hash_set(&a, h, slice_of(text[i]), &VALUE_NUM(i)));
	}
	assert_true(value_hash_set(&a, h, SLICE("k5"), &VALUE_NUM(-5)));
	assert_true(value_hash_set(&a, h, SLICE("K5"), &VALUE_NUM(55))); /* keys have case */
	assert_true(value_hash_set(&a, h, (struct slice){ 0 }, &VALUE_NUM(0)));
	assert_int_equal(value_hash_count(h), PAIRS + 2);
	assert_int_equal(value_hash_get(h, SLICE("k5"))->number, -5);
	assert_int_equal(value_hash_get(h, SLICE(""))->number, 0);
	for (unsigned i = 0; i < PAIRS; i++) {
		assert_int_equal(value_hash_nth(h, i, &key)->number, i == 5 ? -5 : (int)i);
		assert_true(slice_equal(key, slice_of(text[i])));
	}
	assert_int_equal(value_hash_nth(h, 3, &key)->number, 3);
	assert_null(value_hash_nth(h, PAIRS + 2, &key));
	assert_int_equal(value_hash_nth(h, 0, &key)->number, 0);
	arena_free(&a);
}

/* A script that fills its memory gets an error, and what was there stays whole. */
static void test_hash_full(void **state)
{
	struct value_hash *h;
	struct arena a;
	unsigned n = 0;
	struct slice key, unused;

	(void)state;
	arena_init(&a, 1 << 16);
	h = value_hash_new(&a);
	do {
		char text[16];

		snprintf(text, sizeof text, "%u", n);
		if (!arena_copy(&a, slice_of(text), &key))
			break;
		n++;
	} while (value_hash_set(&a, h, key, &words[0]));
	assert_true(n > 100);
	assert_in_range(value_hash_count(h), n - 1, n);
	assert_non_null(value_hash_get(h, SLICE("0")));
	assert_non_null(value_hash_nth(h, value_hash_count(h) - 1, &unused));
	assert_null(value_hash_nth(h, value_hash_count(h), &unused));
	while (arena_take(&a, 1) != NULL)
		continue;
	assert_ptr_equal(value_to_string(&a, &VALUE_NUM(1), &unused), value_no_memory);
	arena_free(&a);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *name, *text;
		bool want;
		uint64_t want_size;
	} cases[] = {
		{ "octets", "20", true, 20 },
		{ "b", "20b", true, 20 },
		{ "k", "20k", true, 20 << 10 },
		{ "m", "20m", true, 20 << 20 },
		{ "g, in capitals", "2G", true, UINT64_C(2) << 30 },
		{ "blanks", " 20 m ", true, 20 << 20 },
		{ "no digits", "m", false, 0 },
		{ "nothing", "", false, 0 },
		{ "negative", "-1m", false, 0 },
		{ "another suffix", "1t", false, 0 },
		{ "two of them", "1km", false, 0 },
		{ "a fraction", "1.5m", false, 0 },
		{ "too much", "999999999999999999g", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t size = 0;

		if (size_parse(slice_of(cases[i].text), &size) != cases[i].want ||
		    size != cases[i].want_size)
			fail_msg("%s: %lu", cases[i].name, (unsigned long)size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coercion), cmocka_unit_test(test_hash_is_nothing_else),
		cmocka_unit_test(test_truth),	 cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_full), cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
