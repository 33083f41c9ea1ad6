/* Memory that dies together, under a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

static bool is_zero(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (at[i] != 0)
			return false;
	}
	return true;
}

static void test_take(void **state)
{
	struct arena a;
	char *first = NULL;

	(void)state;
	arena_init(&a, 1 << 20);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t size = 0; size < 3000; size += 7) {
			char *at = arena_take(&a, size);

			assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
			assert_true(is_zero(at, size));
			memset(at, 0xff, size);
			if (size == 0 && round == 0)
				first = at;
			if (size == 0)
				assert_ptr_equal(at, first); /* the first block stays */
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	assert_non_null(arena_take(&a, 500000));
	arena_reset(&a);
	arena_free(&a);
	arena_free(&a);
}

/* What does not fit is refused, and nothing is lost by it. */
static void test_limit(void **state)
{
	struct arena a;
	struct slice copy;

	(void)state;
	arena_init(&a, 1010);
	assert_null(arena_take(&a, SIZE_MAX));
	assert_null(arena_take(&a, SIZE_MAX - 3));
	assert_null(arena_take(&a, 1011));
	assert_null(arena_take(&a, 1010)); /* rounded up */
	assert_non_null(arena_take(&a, 900));
	assert_null(arena_take(&a, 100));
	assert_non_null(arena_take(&a, 80));
	assert_false(arena_copy(&a, SLICE("some text that is too long"), &copy));
	assert_true(arena_copy(&a, SLICE("text"), &copy));
	assert_true(slice_equal(copy, SLICE("text")));
	assert_null(arena_take(&a, 1));
	assert_non_null(arena_take(&a, 0));
	arena_reset(&a);
	assert_non_null(arena_take(&a, 900));
	arena_free(&a);
}

/* One that began with a large block does not hold on to it. */
static void test_large_first(void **state)
{
	struct arena a;
	struct slice none;

	(void)state;
	arena_init(&a, 1 << 20);
	assert_non_null(arena_take(&a, 1 << 19));
	arena_reset(&a);
	assert_null(a.blocks);
	assert_true(arena_copy(&a, (struct slice){ 0 }, &none));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_large_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
