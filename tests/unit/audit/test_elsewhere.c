#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "audit/elsewhere.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t count(struct audit *audit, const char *scope, const char *block)
{
	struct audit_scope s;
	struct cidr c;

	assert_null(audit_scope_find(audit, slice_of(scope), &s));
	assert_null(cidr_parse(slice_of(block), &c));
	return audit_count(s, &c);
}

/* After each line: what is wrong with it, and who is counted. */
static const struct {
	const char *line, *want_wrong;
	unsigned want_sessions;
} story[] = {
	{ "+ 192.0.2.1 SMTP 127.0.0.1:25", NULL, 1 },
	{ "+ 192.0.2.1 SMTP 127.0.0.1:25", NULL, 2 },
	{ "+ 192.0.2.1 SMTP /run/a b.sock", NULL, 3 },
	{ "+ 2001:db8::1 SMTP [::]:25", NULL, 4 },
	{ "- 192.0.2.2 SMTP 127.0.0.1:25", "who leaves was not there", 4 },
	{ "- 192.0.2.1 SMTP 127.0.0.1:26", "who leaves was not there", 4 },
	{ "- 192.0.2.1 SMTP 127.0.0.1:25", NULL, 3 },
	{ "- 192.0.2.1 SMTP 127.0.0.1:25", NULL, 2 },
	{ "- 192.0.2.1 SMTP 127.0.0.1:25", "who leaves was not there", 2 },
	{ "* 192.0.2.1 SMTP x", "expected + or -", 2 },
	{ "", "expected + or -", 2 },
	{ "+ 192.0.2 SMTP x", "expected an address", 2 },
	{ "+ 192.0.2.1 SMTPS x", "expected a service and an endpoint", 2 },
	{ "+ 192.0.2.1 SMTP", "expected a service and an endpoint", 2 },
	{ "- 2001:db8::1 SMTP [::]:25", NULL, 1 },
};

static void every_line_is_counted_or_refused(void **state)
{
	struct audit *audit = audit_new();
	struct elsewhere *e = elsewhere_new(audit);

	(void)state;
	for (size_t i = 0; i < COUNT(story); i++) {
		const char *wrong = elsewhere_hear(e, slice_of(story[i].line));

		if (story[i].want_wrong == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, story[i].want_wrong);
		assert_int_equal(elsewhere_sessions(e), story[i].want_sessions);
		assert_int_equal(count(audit, "SMTP", "0.0.0.0/0") + count(audit, "SMTP", "::/0"),
				 story[i].want_sessions);
	}
	assert_int_equal(count(audit, "SMTP@/run/a b.sock", "192.0.2.0/24"), 1);
	elsewhere_free(e);
	assert_int_equal(count(audit, "SMTP", "0.0.0.0/0"), 0);
	audit_free(audit);
}

static void a_flood_of_names_ends(void **state)
{
	struct audit *audit = audit_new();
	struct elsewhere *e = elsewhere_new(audit);
	char line[64];

	(void)state;
	for (int i = 0; i <= ELSEWHERE_ENDPOINTS_MAX; i++) {
		snprintf(line, sizeof line, "+ 192.0.2.1 SMTP %d", i);
		assert_int_equal(elsewhere_hear(e, slice_of(line)) == NULL,
				 i < ELSEWHERE_ENDPOINTS_MAX);
	}
	elsewhere_free(e);
	audit_free(audit);
}

struct echo {
	struct audit_tap tap;
	struct buf out;
};

static void told(struct audit_tap *tap, bool entered, const struct audit_ticket *ticket)
{
	assert_true(elsewhere_say(&((struct echo *)tap)->out, entered, ticket));
}

/* What one says, the other counts: entering, moving (D49), leaving. */
static void a_tap_and_its_listener_agree(void **state)
{
	struct audit *here = audit_new(), *there = audit_new();
	struct audit_endpoint *door =
		audit_endpoint(here, audit_service_find(here, "SMTP"), "127.0.0.1:25");
	struct elsewhere *e = elsewhere_new(there);
	struct echo echo = { .tap.told = told };
	struct audit_ticket tickets[3] = { { 0 } };
	struct slice line, rest;
	struct addr a;

	(void)state;
	buf_init(&echo.out, 0);
	audit_set_tap(&echo.tap);
	for (unsigned i = 0; i < COUNT(tickets); i++) {
		assert_null(addr_parse(SLICE("192.0.2.7"), &a));
		audit_enter(door, &a, &tickets[i]);
	}
	assert_null(addr_parse(SLICE("2001:db8::7"), &a));
	audit_move(&tickets[0], &a);
	audit_leave(&tickets[1]);
	audit_set_tap(NULL);
	for (rest = buf_slice(&echo.out); rest.len > 0;) {
		line = slice_cut(rest, '\n', &rest);
		assert_null(elsewhere_hear(e, line));
	}
	assert_int_equal(count(there, "SMTP@127.0.0.1:25", "192.0.2.7"), 1);
	assert_int_equal(count(there, "SMTP@127.0.0.1:25", "2001:db8::7"), 1);
	audit_leave(&tickets[0]);
	audit_leave(&tickets[2]);
	elsewhere_free(e);
	buf_free(&echo.out);
	audit_free(there);
	audit_free(here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_is_counted_or_refused),
		cmocka_unit_test(a_flood_of_names_ends),
		cmocka_unit_test(a_tap_and_its_listener_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
