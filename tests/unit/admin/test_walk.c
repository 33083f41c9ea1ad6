/* The levels in pieces are the levels in one go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/walk.h"

enum { LIVE = 300, SEEN_MAX = 70000 };

struct seen {
	struct cidr blocks[SEEN_MAX];
	uint64_t counts[SEEN_MAX];
	unsigned count;
	unsigned piece; /* how many a call may bring; 0: all */
	unsigned in_piece;
};

static bool see(void *arg, const struct cidr *block, uint64_t count, uint64_t distinct)
{
	struct seen *s = arg;

	assert_true(distinct >= 1 && distinct <= count);
	assert_true(s->count < SEEN_MAX);
	s->blocks[s->count] = *block;
	s->counts[s->count++] = count;
	return s->piece == 0 || ++s->in_piece < s->piece;
}

static struct addr random_addr(enum addr_family family)
{
	struct addr a = { .family = (uint8_t)family };

	/* Crowded at both ends of the space, so that blocks nest and edges are met. */
	a.hi = (uint64_t)(rand() % 1000) << 32;
	if (rand() % 2)
		a.hi = ~a.hi;
	a.lo = rand() % 3 ? (uint64_t)(rand() % 5) : ~(uint64_t)0;
	return cidr_of(&a, addr_bits(&a)).addr;
}

static void test_pieces_T15(void **state)
{
	static const struct {
		const char *name;
		enum addr_family family;
		unsigned first, last;
	} cases[] = {
		{ "16-32", ADDR_V4, 16, 32 }, { "all of IPv4", ADDR_V4, 0, 32 },
		{ "one level", ADDR_V4, 24, 24 }, { "hosts", ADDR_V4, 32, 32 },
		{ "the root", ADDR_V4, 0, 0 }, { "all of IPv6", ADDR_V6, 0, 128 },
		{ "32-64", ADDR_V6, 32, 64 }, { "over the middle", ADDR_V6, 60, 70 },
		{ "128", ADDR_V6, 128, 128 },
	};
	static const unsigned pieces[] = { 1, 2, 7, 1000 };
	static struct audit_ticket tickets[2 * LIVE];
	struct audit *audit = audit_new();
	struct audit_scope scope = { .service = audit_service_find(audit, "SMTP") };
	struct audit_endpoint *door = audit_endpoint(audit, scope.service, "127.0.0.1:25");
	struct seen *whole = calloc(1, sizeof *whole), *parts = calloc(1, sizeof *parts);

	(void)state;
	srand(11);
	for (unsigned i = 0; i < 2 * LIVE; i++) {
		struct addr a = random_addr(i < LIVE ? ADDR_V4 : ADDR_V6);

		audit_enter(door, &a, &tickets[i]);
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		whole->count = 0;
		audit_levels(scope, cases[i].family, NULL, cases[i].first, cases[i].last, see,
			     whole);
		for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
			struct walk w;

			parts->count = 0;
			parts->piece = pieces[p];
			walk_begin(&w, scope, cases[i].family, cases[i].first, cases[i].last);
			do
				parts->in_piece = 0;
			while (walk_on(&w, see, parts));
			if (parts->count != whole->count)
				fail_msg("%s by %u: %u blocks, not %u", cases[i].name, pieces[p],
					 parts->count, whole->count);
			for (unsigned n = 0; n < whole->count; n++)
				if (!cidr_equal(&parts->blocks[n], &whole->blocks[n]) ||
				    parts->counts[n] != whole->counts[n])
					fail_msg("%s by %u: block %u", cases[i].name, pieces[p], n);
		}
	}
	for (unsigned i = 0; i < 2 * LIVE; i++)
		audit_leave(&tickets[i]);
	free(whole);
	free(parts);
	audit_free(audit);
}

static void test_empty(void **state)
{
	struct audit *audit = audit_new();
	struct audit_scope scope = { .service = audit_service_find(audit, "SMTP") };
	struct seen *none = calloc(1, sizeof *none);
	struct walk w;

	(void)state;
	walk_begin(&w, scope, ADDR_V6, 0, 128);
	assert_false(walk_on(&w, see, none));
	assert_int_equal(none->count, 0);
	free(none);
	audit_free(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_T15),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
