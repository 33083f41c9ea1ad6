/* Every way to scan that this processor has answers what the plain one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/scan.h"
#include "oracle.h"

static uint64_t one_by_one(const unsigned char *at, unsigned size, unsigned n, uint64_t want,
			   uint64_t care)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t number = 0, bits = size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;

		memcpy(&number, at + i * size, size);
		if (((number ^ want) & care & bits) == 0)
			found |= (uint64_t)1 << i;
	}
	return found;
}

static void test_all_ways_agree(void **state)
{
	_Alignas(64) unsigned char numbers[SCAN_MAX * 8 + 64 + 8];
	struct random r = { 11 };
	const struct scan *scan;

	(void)state;
	for (unsigned nth = 0; (scan = scan_nth(nth)) != NULL; nth++) {
		for (unsigned round = 0; round < 20000; round++) {
			unsigned width = (unsigned)random_below(&r, 4),
				 n = (unsigned)random_below(&r, SCAN_MAX + 1);
			unsigned rest = (unsigned)random_below(&r, (8u << width) + 1);
			uint64_t care = rest == 64 ? 0 : UINT64_MAX << rest;
			unsigned char *at = numbers + 8; /* where a bucket's begin */
			uint64_t want;

			for (unsigned i = 0; i < sizeof numbers; i++)
				numbers[i] = (unsigned char)random_below(
					&r, 3); /* few values, many hits */
			memcpy(&want, numbers + 8 * random_below(&r, SCAN_MAX), 8);
			if (scan->match[width](at, n, want, care) !=
			    one_by_one(at, 1u << width, n, want, care))
				fail_msg("%s: %u numbers of %u bytes, but for %u bits", scan->name,
					 n, 1u << width, rest);
		}
	}
}

static void test_all_ways_add_up(void **state)
{
	_Alignas(64) uint64_t numbers[SCAN_MAX + 8];
	struct random r = { 12 };
	const struct scan *scan;

	(void)state;
	for (unsigned nth = 0; (scan = scan_nth(nth)) != NULL; nth++) {
		for (unsigned round = 0; round < 5000; round++) {
			uint64_t chosen = random_next(&r) & random_next(&r) & (UINT64_MAX >> 1),
				 sum_1 = 0, sum_8 = 0;

			for (unsigned i = 0; i < SCAN_MAX + 8; i++)
				numbers[i] = random_next(&r);
			for (unsigned i = 0; i < SCAN_MAX; i++) {
				sum_1 += chosen >> i & 1 ? ((const uint8_t *)numbers)[i] : 0;
				sum_8 += chosen >> i & 1 ? numbers[i] : 0;
			}
			if (scan->sum_1(numbers, chosen) != sum_1 ||
			    scan->sum_8(numbers, chosen) != sum_8)
				fail_msg("%s: wrong sum", scan->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_ways_agree),
		cmocka_unit_test(test_all_ways_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
