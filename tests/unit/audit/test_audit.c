/* Services, endpoints, tickets, and what can be asked about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "audit/audit.h"

static struct cidr block(const char *text)
{
	struct cidr c;

	assert_null(cidr_parse(slice_of(text), &c));
	return c;
}

struct scene {
	struct audit *audit;
	struct audit_endpoint *smtp_25, *smtp_587, *control;
};

static int set_up(void **state)
{
	static struct scene s;

	s.audit = audit_new();
	s.smtp_25 = audit_endpoint(s.audit, audit_service_find(s.audit, "SMTP"), "127.0.0.1:25");
	s.smtp_587 = audit_endpoint(s.audit, audit_service_find(s.audit, "SMTP"), "[::1]:587");
	s.control = audit_endpoint(s.audit, audit_service_find(s.audit, "Control"),
				   "/run/control.sock");
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	audit_free(s->audit); /* checks that all tickets are back */
	return 0;
}

static uint64_t count(const struct scene *s, const char *scope, const char *text)
{
	struct cidr b = block(text);
	struct audit_scope at;

	assert_null(audit_scope_find(s->audit, slice_of(scope), &at));
	return audit_count(at, &b);
}

static uint64_t distinct(const struct scene *s, const char *scope, const char *text)
{
	struct cidr b = block(text);
	struct audit_scope at;

	assert_null(audit_scope_find(s->audit, slice_of(scope), &at));
	return audit_distinct(at, &b);
}

static void enter(struct audit_endpoint *at, const char *peer, struct audit_ticket *ticket)
{
	struct cidr b = block(peer);

	audit_enter(at, &b.addr, ticket);
}

static void test_services_4_1(void **state)
{
	static const char *const want[] = { "SMTP",	"ECStream",  "Control",
					    "ECmmove2", "ECCluster", "HTTP" };
	struct scene *s = *state;
	unsigned n = 0;

	for (; audit_service_nth(s->audit, n) != NULL; n++)
		assert_string_equal(audit_service_nth(s->audit, n), want[n]);
	assert_int_equal(n, sizeof want / sizeof *want);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(audit_service_name(audit_service_find(s->audit, want[i])),
				    want[i]);
}

static void test_names_D50_D106(void **state)
{
	static const struct {
		const char *name, *want_service, *want_endpoint, *want_wrong;
	} cases[] = {
		{ "SMTP", "SMTP", NULL, NULL },
		{ "inbound_cidr", "SMTP", NULL, NULL },
		{ "HTTP", "HTTP", NULL, NULL },
		{ "SMTP@127.0.0.1:25", "SMTP", "127.0.0.1:25", NULL },
		{ "inbound_cidr@[::1]:587", "SMTP", "[::1]:587", NULL },
		{ "Control@/run/control.sock", "Control", "/run/control.sock", NULL },
		{ "smtp", NULL, NULL, "no service is named \"smtp\"" },
		{ "", NULL, NULL, "no service is named \"\"" },
		{ "SMTP ", NULL, NULL, "no service is named \"SMTP \"" },
		{ "SMTP@", NULL, NULL, "SMTP has no endpoint \"\"" },
		{ "SMTP@nowhere:25", NULL, NULL, "SMTP has no endpoint \"nowhere:25\"" },
		{ "HTTP@127.0.0.1:25", NULL, NULL, "HTTP has no endpoint \"127.0.0.1:25\"" },
	};
	struct scene *s = *state;
	char longest[4096];
	struct audit_scope at;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *wrong = audit_scope_find(s->audit, slice_of(cases[i].name), &at);

		if ((wrong == NULL) != (cases[i].want_wrong == NULL))
			fail_msg("\"%s\": %s", cases[i].name, wrong != NULL ? wrong : "accepted");
		if (wrong != NULL) {
			assert_string_equal(wrong, cases[i].want_wrong);
			continue;
		}
		assert_string_equal(audit_service_name(at.service), cases[i].want_service);
		assert_int_equal(at.endpoint != NULL, cases[i].want_endpoint != NULL);
		if (at.endpoint != NULL)
			assert_string_equal(audit_endpoint_name(at.endpoint),
					    cases[i].want_endpoint);
	}
	memset(longest, 'x', sizeof longest);
	assert_non_null(audit_scope_find(s->audit, (struct slice){ longest, sizeof longest }, &at));
	memcpy(longest, "SMTP@", 5);
	assert_non_null(audit_scope_find(s->audit, (struct slice){ longest, sizeof longest }, &at));
}

static void test_an_endpoint_is_found_again_by_its_name(void **state)
{
	struct scene *s = *state;
	struct audit_service *smtp = audit_service_find(s->audit, "SMTP");

	assert_ptr_equal(audit_endpoint(s->audit, smtp, "127.0.0.1:25"), s->smtp_25);
	assert_ptr_equal(audit_endpoint_find(s->audit, smtp, "[::1]:587"), s->smtp_587);
	assert_ptr_equal(audit_endpoint_service(s->smtp_25), smtp);
	assert_null(audit_endpoint_find(s->audit, smtp, "127.0.0.1:2525"));
	assert_null(audit_service_find(s->audit, "Pathway"));
}

static void test_a_ticket_enters_and_leaves_once_D37(void **state)
{
	struct scene *s = *state;
	struct audit_ticket a = { 0 }, b = { 0 };

	audit_leave(&a); /* never entered */
	enter(s->smtp_25, "192.0.2.1", &a);
	enter(s->smtp_587, "192.0.2.1", &b);
	assert_int_equal(count(s, "SMTP", "192.0.2.1"), 2);
	assert_int_equal(distinct(s, "SMTP", "192.0.2.0/24"), 1);
	assert_int_equal(count(s, "SMTP@127.0.0.1:25", "192.0.2.0/24"), 1);
	assert_int_equal(count(s, "SMTP@[::1]:587", "192.0.2.0/24"), 1);
	assert_int_equal(count(s, "inbound_cidr", "192.0.2.1"), 2); /* D50 */
	assert_int_equal(count(s, "Control", "192.0.2.1"), 0);
	audit_leave(&a);
	audit_leave(&a);
	assert_int_equal(count(s, "SMTP", "192.0.2.1"), 1);
	audit_leave(&b);
	assert_int_equal(count(s, "SMTP", "0.0.0.0/0"), 0);
}

static void test_a_ticket_moves_D49_T8(void **state)
{
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{ "to another host", "192.0.2.1", "198.51.100.7" },
		{ "within a block", "192.0.2.1", "192.0.2.2" },
		{ "to where it is", "192.0.2.1", "192.0.2.1" },
		{ "to the other family", "192.0.2.1", "2001:db8::1" },
		{ "and back", "2001:db8::1", "192.0.2.1" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct audit_ticket t = { 0 };
		struct cidr to = block(cases[i].to);
		struct audit_scope smtp = { audit_service_find(s->audit, "SMTP"), NULL };

		enter(s->smtp_25, cases[i].from, &t);
		audit_move(&t, &to.addr);
		if (strcmp(cases[i].from, cases[i].to) != 0 && count(s, "SMTP", cases[i].from) != 0)
			fail_msg("%s: still where it was", cases[i].name);
		if (count(s, "SMTP", cases[i].to) != 1 ||
		    count(s, "SMTP@127.0.0.1:25", cases[i].to) != 1)
			fail_msg("%s: not where it went", cases[i].name);
		assert_int_equal(audit_total(smtp), 1);
		audit_leave(&t);
		assert_int_equal(audit_total(smtp), 0);
	}
}

static void test_total_counts_both_families_D48(void **state)
{
	struct scene *s = *state;
	struct audit_ticket t[3] = { 0 };
	struct audit_scope smtp = { audit_service_find(s->audit, "SMTP"), NULL },
			   one = { smtp.service, s->smtp_587 };

	enter(s->smtp_25, "192.0.2.1", &t[0]);
	enter(s->smtp_587, "2001:db8::1", &t[1]);
	enter(s->smtp_587, "2001:db8::1", &t[2]);
	assert_int_equal(audit_total(smtp), 3);
	assert_int_equal(audit_total(one), 2);
	assert_true(audit_bytes(s->audit) > 0);
	for (unsigned i = 0; i < 3; i++)
		audit_leave(&t[i]);
}

static void test_mapped_and_unix_peers_D105_D51(void **state)
{
	struct scene *s = *state;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct audit_ticket mapped = { 0 }, local = { 0 };
	struct addr peer;

	enter(s->smtp_25, "::ffff:192.0.2.9", &mapped);
	assert_int_equal(count(s, "SMTP", "192.0.2.9"), 1);
	assert_int_equal(count(s, "SMTP", "::/0"), 0);
	addr_from_sockaddr((struct sockaddr *)&un, &peer, NULL);
	audit_enter(s->control, &peer, &local);
	assert_int_equal(count(s, "Control", "127.0.0.1"), 1);
	audit_leave(&mapped);
	audit_leave(&local);
}

struct printed {
	char text[2048];
	unsigned left; /* visits wanted */
};

static bool print_level(void *arg, const struct cidr *b, uint64_t n, uint64_t different)
{
	struct printed *p = arg;
	char text[CIDR_TEXT_MAX];
	size_t len = strlen(p->text);

	snprintf(p->text + len, sizeof p->text - len, "%s %lu/%lu\n", cidr_print(b, text),
		 (unsigned long)n, (unsigned long)different);
	return --p->left > 0;
}

static void test_levels_T15(void **state)
{
	static const char *const peers[] = { "10.0.0.1", "10.0.0.1", "10.0.0.2",
					     "10.0.1.1", "10.1.0.1", "2001:db8::1" };
	static const struct {
		const char *name, *within;
		enum addr_family family;
		unsigned first, last, visits;
		const char *want;
	} cases[] = {
		{ "levels", NULL, ADDR_V4, 15, 17, 99,
		  "10.0.0.0/15 5/4\n10.0.0.0/16 4/3\n10.0.0.0/17 4/3\n10.1.0.0/16 1/1\n10.1.0.0/17 1/1\n" },
		{ "one level", NULL, ADDR_V4, 24, 24, 99,
		  "10.0.0.0/24 3/2\n10.0.1.0/24 1/1\n10.1.0.0/24 1/1\n" },
		{ "everything", NULL, ADDR_V4, 0, 1, 99, "0.0.0.0/0 5/4\n0.0.0.0/1 5/4\n" },
		{ "within a block", "10.0.0.0/24", ADDR_V4, 16, 32, 99, NULL },
		{ "within a block, one level", "10.0.0.0/24", ADDR_V4, 32, 32, 99,
		  "10.0.0.1/32 2/1\n10.0.0.2/32 1/1\n" },
		{ "stopped", NULL, ADDR_V4, 24, 24, 2, "10.0.0.0/24 3/2\n10.0.1.0/24 1/1\n" },
		{ "above 32 only v6", NULL, ADDR_V4, 33, 64, 99, "" },
		{ "cut to 32", NULL, ADDR_V4, 32, 64, 1, "10.0.0.1/32 2/1\n" },
		{ "v6", NULL, ADDR_V6, 47, 48, 99, "2001:db8::/47 1/1\n2001:db8::/48 1/1\n" },
		{ "backwards", NULL, ADDR_V4, 24, 16, 99, "" },
	};
	struct scene *s = *state;
	struct audit_scope smtp = { audit_service_find(s->audit, "SMTP"), NULL };
	struct audit_ticket tickets[sizeof peers / sizeof *peers] = { 0 };

	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		enter(s->smtp_25, peers[i], &tickets[i]);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct printed p = { .left = cases[i].visits };
		struct cidr within;

		if (cases[i].within != NULL)
			within = block(cases[i].within);
		audit_levels(smtp, cases[i].family, cases[i].within != NULL ? &within : NULL,
			     cases[i].first, cases[i].last, print_level, &p);
		if (cases[i].want != NULL && strcmp(p.text, cases[i].want) != 0)
			fail_msg("%s:\n%swant:\n%s", cases[i].name, p.text, cases[i].want);
		if (cases[i].within != NULL)
			assert_null(strstr(p.text, "/23"));
	}
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		audit_leave(&tickets[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_services_4_1, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_D50_D106, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_endpoint_is_found_again_by_its_name, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_ticket_enters_and_leaves_once_D37, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_ticket_moves_D49_T8, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_total_counts_both_families_D48, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_mapped_and_unix_peers_D105_D51, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_levels_T15, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
