/* Sorted lists that become one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/runs.h"
#include "series/bounds.h"

/* "KEY=AMOUNT ...", the key being the address. */
static struct run read_run(const char *text)
{
	struct run run = { 0 };
	unsigned key, amount;
	int n;

	for (; sscanf(text, "%u=%u%n", &key, &amount, &n) == 2; text += n)
		run_add(&run, &(struct run_row){ .hi = key, .amount = amount });
	return run;
}

static void print_run(const struct run *run, char out[200])
{
	int at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < run->n; i++)
		at += snprintf(out + at, 200 - (size_t)at, "%s%u=%u", i > 0 ? " " : "",
			       (unsigned)run->rows[i].hi, (unsigned)run->rows[i].amount);
}

static void test_merged(void **state)
{
	static const struct {
		const char *name;
		const char *runs[5];
		unsigned cut; /* 0: none */
		const char *want;
	} cases[] = {
		{ "none", { NULL }, 0, "" },
		{ "empty ones", { "", "", "" }, 0, "" },
		{ "one", { "1=1 5=2" }, 0, "1=1 5=2" },
		{ "apart", { "5=1 6=1", "1=1 2=2" }, 0, "1=1 2=2 5=1 6=1" },
		{ "the same keys", { "1=1 2=2", "1=10 2=20", "2=200" }, 0, "1=11 2=222" },
		{ "between", { "1=1 3=3 5=5", "2=2 3=30 9=9" }, 0, "1=1 2=2 3=33 5=5 9=9" },
		{ "of unlike size", { "1=1 2=2 3=3 4=4 5=5", "3=1", "", "9=1", "9=1" }, 0,
		  "1=1 2=2 3=4 4=4 5=5 9=2" },
		{ "cut at a key", { "1=1 2=2 3=3", "3=1 4=4" }, 3, "1=1 2=2" },
		{ "cut between", { "1=1 2=2 5=3", "7=1" }, 4, "1=1 2=2" },
		{ "cut behind all", { "1=1" }, 9, "1=1" },
		{ "cut all", { "2=1" }, 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct runs all = { 0 };
		char got[200];

		for (unsigned r = 0; r < 5 && cases[i].runs[r] != NULL; r++) {
			struct run run = read_run(cases[i].runs[r]);

			runs_add(&all, &run);
			assert_null(run.rows);
		}
		runs_merge(&all);
		if (cases[i].cut > 0)
			runs_cut(&all, cases[i].cut, 0);
		print_run(runs_merge(&all), got);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, got);
		runs_free(&all);
	}
}

/* Order is address, length, column: what has another length or column is another row. */
static void test_keys(void **state)
{
	static const struct run_row rows[] = {
		{ 1, 1, 5, 24, 0 }, { 1, 1, 5, 24, 1 }, { 1, 1, 5, 32, 0 }, { 1, 2, 5, 8, 0 },
		{ 2, 0, 5, 8, 0 },
	};
	enum { ROWS = sizeof rows / sizeof *rows };
	struct runs all = { 0 };
	const struct run *merged;

	(void)state;
	for (unsigned i = ROWS; i-- > 0;) {
		struct run one = { 0 };

		run_add(&one, &rows[i]);
		assert_int_equal(run_find(&one, &rows[i]), 0);
		runs_add(&all, &one);
	}
	assert_int_equal(runs_rows(&all), ROWS);
	merged = runs_merge(&all);
	for (unsigned i = 0; i < ROWS; i++)
		assert_int_equal(run_find(merged, &rows[i]), i);
	runs_free(&all);
}

/* However many: few lists, and sums that stop at the most there is. */
static void test_many(void **state)
{
	struct runs all = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct run one = { 0 };

		run_add(&one, &(struct run_row){ .hi = i % 100 == 0 ? 7 : i,
						 .amount = AMOUNT_MAX });
		runs_add(&all, &one);
		assert_true(all.n < 20);
	}
	assert_int_equal(runs_merge(&all)->n, 9900);
	assert_true(all.list[0].rows[7].hi == 8 && all.list[0].rows[6].hi == 7 &&
		    all.list[0].rows[6].amount == AMOUNT_MAX);
	runs_free(&all);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
