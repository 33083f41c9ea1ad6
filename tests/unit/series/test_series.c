/* One series: what scripts add to it and ask of it, whatever the clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "audit/oracle.h"
#include "series/set.h"

/* --- a series, and what is in it ----------------------------------------------------------- */

static void at_ms(uint64_t wall_ms)
{
	clock_stop(true, 0, wall_ms);
}

static struct series *define(const char *name, enum series_type type, uint32_t seconds,
			     uint32_t windows, size_t max_bytes)
{
	struct series_definition d = {
		.type = type, .monitor = { seconds, windows }, .max_bytes = max_bytes,
	};
	bool dropped;

	snprintf(d.name, sizeof d.name, "%s", name);
	assert_null(series_define(all, &d, &dropped));
	return series_defined(all, slice_of(name));
}

static struct series_key block(const char *text)
{
	struct series_key key = { .text = { NULL, 0 } };

	assert_null(cidr_parse(slice_of(text), &key.block));
	return key;
}

static struct series_key text(const char *text)
{
	return (struct series_key){ .text = slice_of(text) };
}

static void add(struct series *s, struct series_key key, int64_t amount)
{
	const char *wrong = series_add(s, &key, amount, NULL);

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

static struct bounds sum(struct series *s, struct series_key key, unsigned first, unsigned last)
{
	struct bounds b;
	const char *wrong = series_sum(s, &key, first, last, &b);

	if (wrong != NULL)
		fail_msg("%s", wrong);
	return b;
}

static uint64_t exact(struct series *s, struct series_key key, unsigned first, unsigned last)
{
	struct bounds b = sum(s, key, first, last);

	assert_int_equal(b.low, b.high);
	return b.low;
}

static uint64_t sliding(struct series *s, struct series_key key)
{
	struct bounds b;

	assert_null(series_sliding(s, &key, &b));
	assert_int_equal(b.low, b.high);
	return b.low;
}

/* --- windows ------------------------------------------------------------------------------- */

static void test_both_families_D57(void **state)
{
	const char *why;
	struct series *s = series_open(all, SLICE("bad"), (struct monitor){ 60, 3 }, &why);

	(void)state;
	add(s, block("192.0.2.7"), 2);
	add(s, block("2001:db8::7"), 3);
	add(s, block("::ffff:192.0.2.7"), 1); /* D105 */
	assert_int_equal(exact(s, block("192.0.2.0/24"), 0, 0), 3);
	assert_int_equal(exact(s, block("2001:db8::/32"), 0, 2), 3);
	assert_int_equal(exact(s, block("0.0.0.0/0"), 0, 0), 3);
	assert_int_equal(exact(s, block("::/0"), 0, 0), 3);
	assert_int_equal(exact(s, block("192.0.2.8"), 0, 0), 0);
}

static void test_weighted_D46(void **state)
{
	static const struct {
		const char *name;
		uint64_t w1, w0, into_ms;
		uint64_t want;
	} cases[] = {
		{ "the example: 8 + 0.75 * 40", 40, 8, 15000, 38 },
		{ "at its start all of the one before", 40, 8, 0, 48 },
		{ "at its end next to nothing of it", 40, 8, 59999, 8 },
		{ "truncated", 3, 0, 30000, 1 },
		{ "nothing before", 0, 8, 30000, 8 },
		{ "nothing now", 40, 0, 30000, 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[20];
		struct series *s;

		snprintf(name, sizeof name, "weighted%zu", i);
		at_ms(60000 * 1000);
		s = define(name, SERIES_CIDR, 60, 1, 0);
		add(s, block("192.0.2.7"), (int64_t)cases[i].w1);
		at_ms(60000 * 1001);
		add(s, block("192.0.2.7"), (int64_t)cases[i].w0);
		at_ms(60000 * 1001 + cases[i].into_ms);
		if (sliding(s, block("192.0.2.0/24")) != cases[i].want)
			fail_msg("%s: %llu, want %llu", cases[i].name,
				 (unsigned long long)sliding(s, block("192.0.2.0/24")),
				 (unsigned long long)cases[i].want);
	}
}

static void test_weighted_when_the_clock_went_back_D46_D43(void **state)
{
	struct series *s = define("x", SERIES_CIDR, 60, 1, 0);

	(void)state;
	at_ms(60000 * 1000);
	add(s, block("192.0.2.7"), 40);
	at_ms(60000 * 1001 + 30000);
	add(s, block("192.0.2.7"), 8);
	assert_int_equal(sliding(s, block("192.0.2.7")), 28);
	at_ms(60000 * 1001 - 1); /* the window has not even begun */
	assert_int_equal(sliding(s, block("192.0.2.7")), 48);
	at_ms(60000 * 900);
	assert_int_equal(sliding(s, block("192.0.2.7")), 48);
	at_ms(60000 * 1002 + 30000); /* nothing was added: a question moves time as well */
	assert_int_equal(sliding(s, block("192.0.2.7")), 4);
	at_ms(60000 * 1003);
	assert_int_equal(sliding(s, block("192.0.2.7")), 0);
}

static void test_windows_out_of_range_D44(void **state)
{
	static const struct {
		bool is_builtin;
		unsigned first, last;
		const char *want;
	} cases[] = {
		{ false, 0, 6, NULL },
		{ false, 7, 7, "window 7 is not one of 0 to 6" },
		{ false, 0, 7, "window 7 is not one of 0 to 6" },
		{ false, UINT32_MAX, 0, "window 4294967295 is not one of 0 to 6" },
		{ false, 3, 1, "windows 3 to 1: the end is before the start" },
		{ true, 0, 7, NULL },
		{ true, 0, 8, "window 8 is not one of 0 to 7" },
	};
	struct monitor monitor = { 60, 7 };
	struct series *own = define("x", SERIES_CIDR, 60, 7, 0);
	struct series_key key = block("192.0.2.7");

	(void)state;
	series_monitors(all, &monitor, 1, SERIES_BYTES_STANDARD, false);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct series *s = cases[i].is_builtin ? series_builtin(all, EVENT_REJECTION, 0)
						       : own;
		struct bounds b;
		const char *wrong = series_sum(s, &key, cases[i].first, cases[i].last, &b);

		if (cases[i].want == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, cases[i].want);
	}
}

/* Windows are of UTC: where clocks are put forward and back, nothing happens. */
static void test_summer_time_is_nothing_T16(void **state)
{
	static const uint64_t changes[] = { 1774746000, 1792890000 }; /* 2026, Europe */
	struct series *s = define("x", SERIES_CIDR, 3600, 24, 0);

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	for (unsigned i = 0; i < 2; i++) {
		for (uint64_t t = changes[i] - 6 * 3600; t < changes[i] + 6 * 3600; t += 60) {
			at_ms(t * 1000);
			add(s, block("192.0.2.7"), 1);
		}
		for (unsigned back = 0; back < 12; back++)
			assert_int_equal(exact(s, block("192.0.2.7"), back, back), 60);
		assert_int_equal(exact(s, block("192.0.2.7"), 0, 23), 720);
	}
	unsetenv("TZ");
	tzset();
}

/* --- amounts ------------------------------------------------------------------------------- */

static void test_negative_amounts_D58(void **state)
{
	struct series *s = define("x", SERIES_CIDR, 60, 3, 0);
	struct series *logins = define("logins", SERIES_STRING, 60, 3, 0);
	struct series_key who = block("192.0.2.7"), login = text("me");
	struct bounds now;

	(void)state;
	add(s, who, -5);
	assert_int_equal(exact(s, who, 0, 0), 0);
	add(s, who, 5);
	assert_null(series_add(s, &who, -2, &now));
	assert_int_equal(now.low, 3);
	assert_null(series_add(s, &who, INT64_MIN, &now));
	assert_int_equal(now.high, 0);
	assert_null(series_add(s, &who, 0, &now));
	assert_int_equal(now.high, 0);
	add(s, who, 4);
	at_ms(clock_wall_ms() + 60000);
	add(s, who, -4); /* from the current window alone */
	assert_int_equal(exact(s, who, 0, 2), 4);
	add(logins, login, 2);
	assert_null(series_add(logins, &login, -9, &now));
	assert_int_equal(now.high, 0);
}

static void test_amounts_that_overflow(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 0);
	struct series *logins = define("logins", SERIES_STRING, 60, 3, 0);
	struct series_key other = block("192.0.2.8"), login = text("you");

	(void)state;
	add(s, block("192.0.2.7"), INT64_MAX - 1);
	assert_string_equal(series_add(s, &other, 2, NULL),
			    "series x: the sum of the window would pass 9223372036854775807");
	add(s, other, 1);
	assert_int_equal(exact(s, block("192.0.2.0/24"), 0, 0), AMOUNT_MAX);
	at_ms((clock_wall_ms() / 60000 + 1) * 60000);
	add(s, other, 1000); /* sums over windows stop there */
	assert_int_equal(exact(s, block("192.0.2.0/24"), 0, 1), AMOUNT_MAX);
	assert_int_equal(sliding(s, block("192.0.2.0/24")), AMOUNT_MAX);
	add(logins, text("me"), INT64_MAX);
	assert_non_null(series_add(logins, &login, 1, NULL));
	assert_int_equal(exact(logins, text("you"), 0, 0), 0);
}

static void test_other_families_are_ignored_D62(void **state)
{
	struct series *v4 = define("four", SERIES_CIDR, 60, 3, 0);
	struct series *v6 = define("six", SERIES_CIDR_IPV6, 60, 3, 0);

	(void)state;
	add(v4, block("2001:db8::7"), 1);
	add(v6, block("192.0.2.7"), 1);
	assert_int_equal(exact(v4, block("::/0"), 0, 0), 0);
	assert_int_equal(exact(v6, block("0.0.0.0/0"), 0, 0), 0);
	add(v4, block("192.0.2.7"), 1);
	add(v6, block("2001:db8::7"), 1);
	assert_int_equal(exact(v4, block("0.0.0.0/0"), 0, 0), 1);
	assert_int_equal(exact(v6, block("::/0"), 0, 0), 1);
}

static void test_keys_of_the_wrong_kind_D59(void **state)
{
	static char big[64 << 10];
	struct series *s = define("x", SERIES_CIDR, 60, 3, 0);
	struct series *logins = define("logins", SERIES_STRING, 60, 3, 0);
	struct series_key address = block("192.0.2.7"), word = text("me"), none = { 0 };
	struct series_key long_one = { .text = { big, sizeof big } };
	struct series_key longest = { .text = { big, SERIES_KEY_MAX } };
	struct bounds b;

	(void)state;
	assert_string_equal(series_add(s, &word, 1, NULL),
			    "series x counts addresses, and the key is none");
	assert_string_equal(series_sum(s, &none, 0, 0, &b),
			    "series x counts addresses, and the key is none");
	assert_string_equal(series_remove(logins, &address, NULL),
			    "series logins counts texts, and there is no key");
	assert_string_equal(series_sliding(logins, &none, &b),
			    "series logins counts texts, and there is no key");
	assert_string_equal(series_add(logins, &long_one, 1, NULL),
			    "series logins: a key has 65536 octets, more than 1024");
	add(logins, longest, 1);
	assert_int_equal(exact(logins, longest, 0, 0), 1);
	add(logins, text(""), 2); /* MAIL FROM:<> */
	assert_int_equal(exact(logins, text(""), 0, 0), 2);
}

static void test_remove_from_all_windows_D63(void **state)
{
	struct series *s = define("x", SERIES_CIDR, 60, 3, 0);
	struct series *logins = define("logins", SERIES_STRING, 60, 3, 0);
	struct series_key who = block("192.0.2.7"), me = text("me");
	struct bounds left;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		add(s, who, 5);
		add(s, block("192.0.2.8"), 1);
		add(logins, me, 5);
		add(logins, text("you"), 1);
		at_ms(clock_wall_ms() + 60000);
	}
	assert_null(series_remove(s, &who, &left));
	assert_int_equal(left.high, 0);
	assert_int_equal(exact(s, block("192.0.2.0/24"), 0, 2), 2);
	assert_null(series_remove(logins, &me, &left));
	assert_int_equal(exact(logins, me, 0, 2), 0);
	assert_int_equal(exact(logins, text("you"), 0, 2), 2);
}

/* --- against a model ----------------------------------------------------------------------- */

enum { HELD = 5, HOSTS = 40 };

/* What each of a few hosts has in the newest windows. */
struct model {
	uint64_t newest;
	uint64_t amounts[HELD + 1][HOSTS]; /* by number % (HELD + 1) */
};

static void model_advance(struct model *m, uint64_t wall_ms)
{
	uint64_t number = wall_ms / 10000;

	for (; m->newest < number; m->newest++)
		memset(m->amounts[(m->newest + 1) % (HELD + 1)], 0, sizeof m->amounts[0]);
}

static uint64_t model_sum(const struct model *m, const struct addr *hosts, const struct cidr *of,
			  unsigned first, unsigned last)
{
	uint64_t total = 0;

	for (unsigned back = first; back <= last; back++)
		for (unsigned i = 0; i < HOSTS; i++)
			if (cidr_contains(of, &hosts[i]))
				total += m->amounts[(m->newest - back) % (HELD + 1)][i];
	return total;
}

static void test_exact_as_the_model_says_D43_D58(void **state)
{
	static struct model m;
	struct series *s = define("x", SERIES_ADDRESSES, 10, HELD, 0);
	struct random r = { 11 };
	struct addr hosts[HOSTS];
	uint64_t now = clock_wall_ms();

	(void)state;
	m.newest = now / 10000;
	for (unsigned i = 0; i < HOSTS; i++) {
		bool is_new;

		do {
			hosts[i] = i % 2 ? v6_chain(&r) : v4_chain(&r);
			is_new = true;
			for (unsigned n = 0; n < i; n++)
				is_new &= !addr_equal(&hosts[i], &hosts[n]);
		} while (!is_new);
	}
	for (unsigned turn = 0; turn < 100000; turn++) {
		unsigned host = (unsigned)random_below(&r, HOSTS), first, last;
		struct series_key key = { .block = cidr_of(&hosts[host], 128) };
		int64_t amount = (int64_t)random_below(&r, 20) - 8;
		uint64_t *has;

		if (random_below(&r, 10) == 0)
			now += random_below(&r, 3000);
		if (random_below(&r, 2000) == 0)
			now += random_below(&r, 200000);
		if (random_below(&r, 500) == 0)
			now -= random_below(&r, 40000);
		at_ms(now);
		model_advance(&m, now);
		has = &m.amounts[m.newest % (HELD + 1)][host];
		add(s, key, amount);
		*has = amount < 0 && (uint64_t)-amount > *has ? 0 : *has + (uint64_t)amount;
		if (random_below(&r, 1000) == 0) {
			assert_null(series_remove(s, &key, NULL));
			for (unsigned i = 0; i <= HELD; i++)
				m.amounts[i][host] = 0;
		}
		key.block = cidr_of(&hosts[host], (unsigned)random_below(&r, 129));
		first = (unsigned)random_below(&r, HELD);
		last = first + (unsigned)random_below(&r, HELD - first);
		if (exact(s, key, first, last) != model_sum(&m, hosts, &key.block, first, last))
			fail_msg("turn %u, windows %u to %u", turn, first, last);
	}
}

/* --- budgets ------------------------------------------------------------------------------- */

static void test_a_spray_folds_and_bounds_hold_T14(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 256 << 10);
	struct series_key mine = block("192.0.2.7"), guest;
	struct random r = { 5 };
	struct series_info info;
	struct bounds b, after;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct addr a = v6_anywhere(&r);

		a.hi = 0x20010db8 * ((uint64_t)1 << 32) | a.hi >> 32;
		guest = (struct series_key){ .block = cidr_of(&a, 128) };
		add(s, guest, 1);
		if (i % 200 == 0)
			add(s, mine, 1);
	}
	series_describe(s, &info);
	assert_in_range(info.bytes, 0, 320 << 10);
	assert_true(info.folds > 0);
	assert_int_equal(info.folded_since_ms, clock_wall_ms());
	assert_int_equal(info.events, 201000);
	assert_int_equal(exact(s, mine, 0, 0), 1000);
	assert_int_equal(exact(s, block("2001:db8::/32"), 0, 0), 200000);
	b = sum(s, guest, 0, 0); /* the last one: 1 in truth */
	assert_true(b.low <= 1 && b.high >= 1);

	/* what is below a fold is taken as far as it can hold it */
	assert_null(series_add(s, &guest, -1000000, &after));
	assert_true(after.low == 0 && after.high == 0);
	assert_in_range(exact(s, block("2001:db8::/32"), 0, 0), 200000 - b.high, 200000 - 1);
	assert_null(series_remove(s, &guest, &after));
	assert_true(after.low == 0);
}

static void test_a_spray_of_texts_over_a_small_budget(void **state)
{
	struct series *s = define("from", SERIES_STRING, 60, 3, 64 << 10);
	struct series_info info;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		char from[40];

		snprintf(from, sizeof from, "user%u@example.org", i);
		add(s, text(from), 1);
		if (i % 50 == 0)
			add(s, text("regular@example.net"), 1);
	}
	series_describe(s, &info);
	assert_in_range(info.bytes, 0, 80 << 10);
	assert_in_range(info.keys_dropped, 48000, 50000);
	assert_int_equal(info.folded_since_ms, clock_wall_ms());
	assert_int_equal(exact(s, text("regular@example.net"), 0, 0), 1000);
	assert_int_equal(exact(s, text("user0@example.org"), 0, 0), 0);
	assert_int_equal(exact(s, text("user49999@example.org"), 0, 0), 1);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static size_t resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

/* Of texts of all lengths, windows that come and go, and some that stay in use. */
static void test_texts_are_resident_as_counted(void **state)
{
	enum { LIMIT = 8 << 20 };
	struct series *s = define("from", SERIES_STRING, 60, 3, LIMIT);
	char key[SERIES_KEY_MAX + 1];
	size_t before = resident(), most = 0;
	struct random r = { 9 };
	struct series_info info;

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		int len = snprintf(key, sizeof key, "user%u@%0*u", i,
				   (int)random_below(&r, i % 100000 < 50000 ? 40 : 900), i);

		add(s, (struct series_key){ .text = { key, (size_t)len } }, 1);
		if (i % 10 == 0) {
			snprintf(key, sizeof key, "regular%u", i / 10 % 1000);
			add(s, text(key), 1);
		}
		if (i % 40000 == 0)
			at_ms(clock_wall_ms() + 60000);
		if (i % 1000 == 0 && resident() - before > most)
			most = resident() - before;
	}
	series_describe(s, &info);
	assert_true(info.keys_dropped > 100000);
	assert_in_range(most, LIMIT / 2, LIMIT * 5 / 4 + (4 << 20));
	assert_in_range(info.bytes, LIMIT / 2, LIMIT * 5 / 4);
}
#endif

/* --- walks and files ----------------------------------------------------------------------- */

static void test_a_walk_tells_all_once(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 256 << 10);
	struct series_walk w = { .window = clock_wall_ms() / 60000 };
	struct tally_entry out[TALLY_TURN];
	struct addr before = { 0, 0, ADDR_NONE };
	struct random r = { 5 };
	uint64_t seen[2] = { 0, 0 };
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		struct addr a = i % 3 ? v4_anywhere(&r) : v6_spray(&r);

		add(s, (struct series_key){ .block = cidr_of(&a, 128) }, 1);
	}
	while ((n = series_walk(s, &w, NULL, out)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			const struct addr *a = &out[i].block.addr;

			seen[a->family == ADDR_V6] += out[i].amount;
			assert_true(addr_compare(&before, a) <= 0);
			before = *a;
		}
		at_ms(clock_wall_ms() + 60000); /* it falls out of the ring meanwhile */
	}
	series_walk_end(s, &w);
	assert_int_equal(seen[0], 20000);
	assert_int_equal(seen[1], 10000);
	assert_int_equal(exact(s, block("0.0.0.0/0"), 0, 2), 0);
}

static void test_a_walk_within_a_block(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 0);
	struct series_walk w = { .window = clock_wall_ms() / 60000 }, none = { .window = 1 };
	struct series_key part = block("192.0.2.128/25"), six = block("2001:db8::/33");
	struct tally_entry out[TALLY_TURN];

	(void)state;
	add(s, block("192.0.2.127"), 1);
	add(s, block("192.0.2.128"), 2);
	add(s, block("192.0.2.255"), 3);
	add(s, block("192.0.3.0"), 4);
	add(s, block("2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"), 5);
	add(s, block("2001:db8:8000::"), 6);
	assert_int_equal(series_walk(s, &w, &part.block, out), 2);
	assert_int_equal(out[0].amount + out[1].amount, 5);
	assert_int_equal(series_walk(s, &w, &part.block, out), 0);
	series_walk_end(s, &w);
	w = (struct series_walk){ .window = w.window };
	assert_int_equal(series_walk(s, &w, &six.block, out), 1);
	assert_int_equal(out[0].amount, 5);
	series_walk_end(s, &w);
	assert_int_equal(series_walk(s, &none, NULL, out), 0); /* too old */
	series_walk_end(s, &none);
	none = (struct series_walk){ .window = UINT64_MAX };
	assert_int_equal(series_walk(s, &none, NULL, out), 0); /* not yet */
	series_walk_end(s, &none);
}

static void test_a_walk_of_texts(void **state)
{
	struct series *s = define("from", SERIES_STRING, 60, 3, 0);
	struct series_walk w = { .window = clock_wall_ms() / 60000 };
	struct series_text out[TALLY_TURN];
	unsigned n, seen = 0;
	struct buf room;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char from[SERIES_KEY_MAX + 1];

		snprintf(from, sizeof from, "%0*u", (int)(1 + i % 900), i);
		add(s, text(from), 1);
	}
	buf_init(&room, 4096);
	while ((n = series_walk_texts(s, &w, &room, out)) > 0) {
		for (unsigned i = 0; i < n; i++, seen++) {
			char want[SERIES_KEY_MAX + 1];

			snprintf(want, sizeof want, "%0*u", (int)(1 + seen % 900), seen);
			assert_true(slice_equal(out[i].key, slice_of(want)));
			assert_int_equal(out[i].amount, 1);
		}
		add(s, text("0"), 1);
	}
	series_walk_end(s, &w);
	buf_free(&room);
	assert_int_equal(seen, 1000);
}

/* What was walked out of one comes back in another, rests of folds as rests. */
static void test_what_is_loaded_is_what_was_there(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 128 << 10);
	struct series *copy = define("y", SERIES_ADDRESSES, 60, 3, 0);
	uint64_t number = clock_wall_ms() / 60000;
	struct series_walk w = { .window = number };
	struct tally_entry out[TALLY_TURN];
	struct random r = { 5 };
	struct series_info info;
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		struct addr a = v6_spray(&r);

		add(s, (struct series_key){ .block = cidr_of(&a, 128) }, 1);
	}
	while ((n = series_walk(s, &w, NULL, out)) > 0)
		for (unsigned i = 0; i < n; i++)
			assert_true(series_load(copy, number, &out[i]));
	series_walk_end(s, &w);
	series_describe(copy, &info);
	assert_int_equal(info.folds, 0);
	assert_int_equal(info.windows_folded, 1); /* what is below may be more than is known */
	for (unsigned i = 0; i < 2000; i++) {
		struct addr a = v6_spray(&r);
		struct series_key key = {
			.block = cidr_of(&a, 4 * (unsigned)random_below(&r, 33)),
		};
		struct bounds was = sum(s, key, 0, 0), is = sum(copy, key, 0, 0);

		assert_int_equal(is.low, was.low);
		assert_int_equal(is.high, was.high);
	}
}

static void test_loading_into_windows(void **state)
{
	struct series *s = define("x", SERIES_CIDR, 60, 3, 0);
	struct series *from = define("from", SERIES_STRING, 60, 3, 0);
	uint64_t now = clock_wall_ms() / 60000;
	struct tally_entry one = { .amount = 5 }, odd;

	(void)state;
	one.block = block("192.0.2.7").block;
	assert_true(series_load(s, now - 4, &one)); /* too old: skipped */
	assert_true(series_load(s, now - 3, &one));
	assert_true(series_load(s, now - 1, &one));
	assert_true(series_load(s, now + 100, &one)); /* a future one is the current one */
	assert_int_equal(exact(s, block("192.0.2.7"), 0, 0), 5);
	assert_int_equal(exact(s, block("192.0.2.7"), 0, 2), 10);
	odd = one;
	odd.amount = UINT64_MAX;
	assert_false(series_load(s, now, &odd));
	odd.amount = 0;
	assert_true(series_load(s, now, &odd));
	odd = (struct tally_entry){ .amount = 1 };
	assert_false(series_load(s, now, &odd));
	odd.block = block("2001:db8::/33").block;
	assert_true(series_load(s, now, &odd)); /* D62 */
	odd.block = (struct cidr){ one.block.addr, 22 }; /* bits below, and no step of 4 */
	assert_true(series_load(s, now, &odd));
	assert_int_equal(sum(s, block("192.0.2.0/24"), 0, 0).high, 6);
	odd.block.len = 200;
	assert_true(series_load(s, now, &odd)); /* as 32 */
	assert_int_equal(sum(s, block("192.0.2.7"), 0, 0).low, 6);
	assert_false(series_load(from, now, &one));
	assert_false(series_load_text(s, now, SLICE("me"), 1));
	assert_true(series_load_text(from, now - 1, SLICE("me"), 3));
	assert_int_equal(exact(from, text("me"), 0, 2), 3);
}

static void test_tidy_gives_back_what_was_dropped(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 0);
	struct random r = { 5 };
	struct series_info info;
	size_t before;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		struct addr a = v4_anywhere(&r);

		add(s, (struct series_key){ .block = cidr_of(&a, 32) }, 1);
	}
	series_describe(s, &info);
	before = info.bytes;
	at_ms(clock_wall_ms() + 600000);
	while (series_tidy(s))
		;
	series_describe(s, &info);
	assert_int_equal(info.windows_used, 0);
	assert_in_range(info.bytes, 0, 64 << 10);
	assert_true(before > 200 << 10);
}

/* Once half empty, it is news again when it is full. */
static void test_full_a_second_time(void **state)
{
	struct series *s = define("x", SERIES_ADDRESSES, 60, 3, 256 << 10);
	struct random r = { 5 };
	struct series_info info;

	(void)state;
	for (unsigned times = 0; times < 2; times++) {
		for (unsigned i = 0; i < 100000; i++) {
			struct addr a = v4_anywhere(&r);

			add(s, (struct series_key){ .block = cidr_of(&a, 32) }, 1);
		}
		series_describe(s, &info);
		assert_int_equal(info.folded_since_ms, clock_wall_ms());
		assert_int_equal(info.windows_folded, 1);
		at_ms(clock_wall_ms() + 600000);
		while (series_tidy(s))
			;
		series_describe(s, &info);
		assert_int_equal(info.folded_since_ms, 0);
		assert_int_equal(info.windows_folded, 0);
		assert_true(info.folds > 0);
		add(s, block("192.0.2.7"), 1);
		series_describe(s, &info);
		assert_int_equal(info.folded_since_ms, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(test_full_a_second_time),
		TEST(test_both_families_D57),
		TEST(test_weighted_D46),
		TEST(test_weighted_when_the_clock_went_back_D46_D43),
		TEST(test_windows_out_of_range_D44),
		TEST(test_summer_time_is_nothing_T16),
		TEST(test_negative_amounts_D58),
		TEST(test_amounts_that_overflow),
		TEST(test_other_families_are_ignored_D62),
		TEST(test_keys_of_the_wrong_kind_D59),
		TEST(test_remove_from_all_windows_D63),
		TEST(test_exact_as_the_model_says_D43_D58),
		TEST(test_a_spray_folds_and_bounds_hold_T14),
		TEST(test_a_spray_of_texts_over_a_small_budget),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		TEST(test_texts_are_resident_as_counted),
#endif
		TEST(test_a_walk_tells_all_once),
		TEST(test_a_walk_within_a_block),
		TEST(test_a_walk_of_texts),
		TEST(test_what_is_loaded_is_what_was_there),
		TEST(test_loading_into_windows),
		TEST(test_tidy_gives_back_what_was_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
