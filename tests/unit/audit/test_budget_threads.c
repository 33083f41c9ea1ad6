/* Never a slot over the limit, whoever takes and gives at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "audit/budget.h"

enum { THREADS = 4, TURNS = 20000, LIMIT = 2 };

static struct budgets *all;
static _Atomic unsigned inside, over, refused;

static void *take_and_give(void *unused)
{
	struct budget *b = budget_named(all, "shared"); /* made by whoever comes first */

	(void)unused;
	for (unsigned i = 0; i < TURNS; i++) {
		if (!budget_take(b, LIMIT)) {
			atomic_fetch_add(&refused, 1);
			continue;
		}
		if (atomic_fetch_add(&inside, 1) >= LIMIT)
			atomic_fetch_add(&over, 1);
		atomic_fetch_sub(&inside, 1);
		budget_give(b);
	}
	return NULL;
}

static void test_never_over_the_limit(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	all = budgets_new();
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, take_and_give, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(over, 0);
	assert_int_equal(budget_taken(budget_named(all, "shared")), 0);
	assert_true(refused < THREADS * TURNS);
	budgets_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
