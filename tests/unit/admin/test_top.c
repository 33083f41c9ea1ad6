/* The largest of many, against sorting all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/top.h"

enum { ROWS = 500 };

static int order(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return addr_compare(&x->block.addr, &y->block.addr);
}

static void test_against_sorting(void **state)
{
	static const unsigned mosts[] = { 1, 2, 3, 10, 499, 500, 501, 1000 };
	struct top_row all[ROWS];

	(void)state;
	srand(7);
	for (size_t m = 0; m < sizeof mosts / sizeof *mosts; m++) {
		struct top t;

		top_init(&t, mosts[m]);
		for (unsigned i = 0; i < ROWS; i++) {
			struct addr a = { (uint64_t)i << 40, 0, i % 3 ? ADDR_V4 : ADDR_V6 };

			all[i] = (struct top_row){ .block = cidr_of(&a, 24),
						   .count = (uint64_t)(rand() % 50), .distinct = i };
			top_offer(&t, &all[i]);
		}
		top_sort(&t);
		qsort(all, ROWS, sizeof *all, order);
		assert_int_equal(t.used, mosts[m] < ROWS ? mosts[m] : ROWS);
		for (unsigned i = 0; i < t.used; i++)
			if (t.rows[i].distinct != all[i].distinct)
				fail_msg("most %u: row %u", mosts[m], i);
		top_fini(&t);
	}
}

static void test_nothing(void **state)
{
	struct top t;

	(void)state;
	top_init(&t, 5);
	top_sort(&t);
	assert_int_equal(t.used, 0);
	top_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_sorting),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
