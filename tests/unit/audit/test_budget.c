/* Session caps (D76). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/budget.h"

static void test_take_up_to_the_limit(void **state)
{
	static const struct {
		const char *name;
		uint32_t limit;
		unsigned tries, want_taken;
	} cases[] = {
		{ "none left", 3, 5, 3 },
		{ "just enough", 3, 3, 3 },
		{ "one", 1, 2, 1 },
		{ "0 is no limit, and counts", 0, 1000, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct budgets *all = budgets_new();
		struct budget *b = budget_named(all, "Listen 127.0.0.1:25");
		unsigned taken = 0;

		for (unsigned n = 0; n < cases[i].tries; n++)
			taken += budget_take(b, cases[i].limit);
		if (taken != cases[i].want_taken || budget_taken(b) != taken)
			fail_msg("%s: %u, want %u", cases[i].name, taken, cases[i].want_taken);
		budgets_free(all);
	}
}

static void test_a_name_keeps_its_slots_when_the_limit_changes(void **state)
{
	struct budgets *all = budgets_new();
	struct budget *b = budget_named(all, "Peer 2001:db8::/32 of [::1]:25");

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_true(budget_take(b, 10));
	assert_ptr_equal(budget_named(all, "Peer 2001:db8::/32 of [::1]:25"), b);
	assert_ptr_not_equal(budget_named(all, "Peer 2001:db8::/48 of [::1]:25"), b);
	assert_false(budget_take(b, 5)); /* lowered below what is taken */
	for (unsigned i = 0; i < 6; i++)
		budget_give(b);
	assert_true(budget_take(b, 5));
	assert_false(budget_take(b, 5));
	assert_int_equal(budget_taken(b), 5);
	budgets_free(all);
}

static void told(void *arg, const char *name, uint32_t taken)
{
	budgets_hear(arg, name, taken);
}

/* Two processes, of which the first only keeps what it has, have one cap between them. */
static void test_D76_an_upgrade_has_one_cap(void **state)
{
	struct budgets *old = budgets_new(), *new = budgets_new();
	struct budget *before = budget_named(old, "Listen 127.0.0.1:25");
	struct budget *after = budget_named(new, "Listen 127.0.0.1:25");

	(void)state;
	assert_true(budget_take(budget_named(old, "what the new one has no cap for"), 1));
	for (unsigned i = 0; i < 3; i++)
		assert_true(budget_take(before, 5));
	budgets_tell(old, told, new);
	assert_true(budget_take(after, 0)); /* no limit */
	assert_true(budget_take(after, 5));
	assert_false(budget_take(after, 5));
	assert_false(budget_take(after, 3)); /* lowered below what is elsewhere */
	assert_false(budget_take(after, 2));
	assert_int_equal(budget_taken(after), 2);

	budget_give(before);
	assert_false(budget_take(after, 5)); /* not heard of yet */
	budgets_tell(old, told, new);
	assert_true(budget_take(after, 5));
	assert_false(budget_take(after, 5));

	budgets_alone(new); /* the old one has gone */
	assert_true(budget_take(after, 5));
	budgets_alone(old); /* or the new one, and another comes */
	budgets_tell(old, told, new);
	assert_false(budget_take(after, 5));
	budgets_free(old);
	budgets_free(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_up_to_the_limit),
		cmocka_unit_test(test_a_name_keeps_its_slots_when_the_limit_changes),
		cmocka_unit_test(test_D76_an_upgrade_has_one_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
