/* The ledger under several workers and a reader: nothing is lost, no entry is half another. */
#include "policy/fake.h"

#include <pthread.h>

#include "policy/ledger.h"

enum { WORKERS = 3, ADDS = 5000 };

static struct ledger *ledger;

static void *work(void *arg)
{
	static const char *const names[] = { "even", "odd" };
	uintptr_t worker = (uintptr_t)arg;

	for (unsigned i = 0; i < ADDS; i++) {
		struct addr peer = { .hi = (uint64_t)i << 32, .family = ADDR_V4 };
		struct action action = { .kind = ACTION_COUNT, .name = "n", .file = "f", .line = i,
					 .ms = i, .counter = slice_of(names[i % 2]) };

		ledger_add(ledger, worker * ADDS + i, &peer, &action);
	}
	return NULL;
}

static bool is_whole(void *arg, const struct ledger_entry *e)
{
	assert_int_equal(e->session % ADDS, e->line);
	assert_int_equal(e->ms, e->line);
	assert_int_equal(e->peer.hi >> 32, e->line);
	++*(unsigned *)arg;
	return true;
}

static bool add_up(void *arg, const char *phase, const char *name, const char *class, uint64_t n)
{
	(void)phase;
	(void)name;
	(void)class;
	*(uint64_t *)arg += n;
	return true;
}

static void test_workers_and_a_reader(void **state)
{
	pthread_t threads[WORKERS];
	uint64_t total = 0;
	unsigned seen = 0;

	(void)state;
	ledger = ledger_new();
	for (uintptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (unsigned i = 0; i < 20; i++) {
		ledger_latest(ledger, NULL, is_whole, &seen);
		ledger_counters(ledger, add_up, &total);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	seen = 0;
	total = 0;
	ledger_latest(ledger, NULL, is_whole, &seen);
	ledger_counters(ledger, add_up, &total);
	assert_int_equal(seen, LEDGER_ENTRIES);
	assert_int_equal(total, WORKERS * ADDS);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_workers_and_a_reader) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
