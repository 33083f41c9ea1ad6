/* What policies did: the latest actions on an address (T15), and the counters of 1.8. */
#include "policy/fake.h"

#include "base/clock.h"
#include "policy/ledger.h"

static struct action action_of(enum action_kind kind, unsigned code, const char *counter)
{
	return (struct action){ .kind = kind,
				.phase = PHASE_CONNECT,
				.name = "ec_action",
				.file = "dir/a.siv",
				.line = 12,
				.code = (uint16_t)code,
				.text = SLICE("text"),
				.counter = slice_of(counter) };
}

static bool print_counter(void *arg, const char *phase, const char *name, const char *class,
			  uint64_t n)
{
	assert_true(buf_printf(arg, "%s:%s (%s) = %lu\n", phase, name, class, (unsigned long)n));
	return true;
}

static void test_counters(void **state)
{
	static const struct {
		enum action_kind kind;
		unsigned code;
		const char *counter;
	} actions[] = {
		{ ACTION_TARPIT, 0, "limit:host" },    { ACTION_TARPIT, 0, "limit:host" },
		{ ACTION_KEEP, 0, "d103:keep" },       { ACTION_COUNT, 0, "counted" },
		{ ACTION_REPLY, 550, "limit:host" },   { ACTION_REPLY, 450, "grey" },
		{ ACTION_REPLY, 250, "fine" },	       { ACTION_DISCONNECT, 421, "" },
		{ ACTION_DISCONNECT, 0, "only close" }, { ACTION_ERROR, 421, "" },
	};
	struct ledger *l = ledger_new();
	struct addr peer = addr_of("192.0.2.1");
	struct buf got = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(actions); i++) {
		struct action action =
			action_of(actions[i].kind, actions[i].code, actions[i].counter);

		ledger_add(l, 1, &peer, &action);
	}
	ledger_counters(l, print_counter, &got);
	expect_text("by class, phase and name", &got,
		    "connect:limit:host (5xx) = 1\n"
		    "connect:dir/a.siv:12 (4xx) = 2\n"
		    "connect:grey (4xx) = 1\n"
		    "connect:counted (informational) = 1\n"
		    "connect:d103:keep (informational) = 1\n"
		    "connect:fine (informational) = 1\n"
		    "connect:limit:host (informational) = 2\n"
		    "connect:only close (informational) = 1\n");
	clock_stop(true, 0, 12345);
	ledger_reset(l);
	clock_stop(false, 0, 0);
	assert_int_equal(ledger_since_ms(l), 12345);
	ledger_counters(l, print_counter, &got);
	expect_text("reset", &got, "");
	buf_free(&got);
	ledger_free(l);
}

/* Names that peers have a hand in do not fill the memory. */
static void test_counter_names_are_bounded(void **state)
{
	struct ledger *l = ledger_new();
	struct addr peer = addr_of("192.0.2.1");
	char name[200];

	(void)state;
	for (unsigned i = 0; i < LEDGER_COUNTERS + 10; i++) {
		struct action action;

		snprintf(name, sizeof name, "%u", i);
		action = action_of(ACTION_COUNT, 0, name);
		ledger_add(l, 1, &peer, &action);
	}
	assert_int_equal(ledger_uncounted(l), 10);
	memset(name, 'x', sizeof name - 1);
	ledger_reset(l);
	ledger_add(
		l, 1, &peer,
		&(struct action){ .name = name, .file = name, .line = 7, .text = slice_of(name) });
	ledger_add(l, 1, &peer,
		   &(struct action){
			   .name = name, .file = name, .line = 7, .counter = slice_of(name) });
	ledger_free(l);
}

static bool collect(void *arg, const struct ledger_entry *e)
{
	char peer[ADDR_TEXT_MAX];

	assert_true(buf_printf(arg, "%lu %s %s\n", (unsigned long)e->session,
			       addr_print(&e->peer, peer), e->counter));
	return true;
}

static bool first_only(void *arg, const struct ledger_entry *e)
{
	collect(arg, e);
	return false;
}

static void test_latest(void **state)
{
	static const char *const peers[] = { "192.0.2.1", "2001:db8::1", "192.0.2.200",
					     "198.51.100.1" };
	static const struct {
		const char *name;
		const char *block;
		ledger_visit *visit;
		const char *want;
	} cases[] = {
		{ "an address", "192.0.2.1", collect, "1 192.0.2.1 c\n" },
		{ "a block, newest first", "192.0.2.0/24", collect,
		  "3 192.0.2.200 c\n1 192.0.2.1 c\n" },
		{ "IPv6", "2001:db8::/64", collect, "2 2001:db8::1 c\n" },
		{ "the visitor has enough", "0.0.0.0/0", first_only, "4 198.51.100.1 c\n" },
		{ "nothing there", "203.0.113.0/24", collect, "" },
		{ "everybody", NULL, collect,
		  "4 198.51.100.1 c\n3 192.0.2.200 c\n2 2001:db8::1 c\n1 192.0.2.1 c\n" },
	};
	struct ledger *l = ledger_new();
	struct buf got = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(peers); i++) {
		struct action action = action_of(ACTION_TARPIT, 0, "c");
		struct addr peer = addr_of(peers[i]);

		ledger_add(l, i + 1, &peer, &action);
	}
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cidr block;

		if (cases[i].block != NULL)
			assert_null(cidr_parse(slice_of(cases[i].block), &block));
		ledger_latest(l, cases[i].block != NULL ? &block : NULL, cases[i].visit, &got);
		expect_text(cases[i].name, &got, cases[i].want);
	}
	buf_free(&got);
	ledger_free(l);
}

struct tally {
	unsigned n;
	uint64_t first, last;
};

static bool tally(void *arg, const struct ledger_entry *e)
{
	struct tally *t = arg;

	t->first = t->n++ == 0 ? e->session : t->first;
	t->last = e->session;
	return true;
}

static void test_t15_ring_of_the_last_10000(void **state)
{
	struct audit_read cause = { .service = "SMTP", .count = 41 };
	struct ledger *l = ledger_new();
	struct addr peer = addr_of("192.0.2.1");
	struct action action = action_of(ACTION_TARPIT, 0, "c");
	struct tally t = { 0 };

	(void)state;
	action.cause = &cause;
	for (unsigned i = 1; i <= LEDGER_ENTRIES + 5; i++)
		ledger_add(l, i, &peer, &action);
	ledger_latest(l, NULL, tally, &t);
	assert_int_equal(t.n, LEDGER_ENTRIES);
	assert_int_equal(t.first, LEDGER_ENTRIES + 5);
	assert_int_equal(t.last, 6);
	ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_counter_names_are_bounded),
		cmocka_unit_test(test_latest),
		cmocka_unit_test(test_t15_ring_of_the_last_10000),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
