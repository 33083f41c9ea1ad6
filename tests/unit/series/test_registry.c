/* All series: their names, definitions that change, monitors of a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "series/set.h"

static const struct monitor five_minutes = { 300, 6 }, hour = { 3600, 24 };

static struct series_definition definition(const char *name, enum series_type type,
					   struct monitor monitor)
{
	struct series_definition d = { .type = type, .monitor = monitor };

	snprintf(d.name, sizeof d.name, "%s", name);
	return d;
}

static bool define(const struct series_definition *d)
{
	bool dropped = false;

	assert_null(series_define(all, d, &dropped));
	return dropped;
}

static struct series *opened(const char *name, struct monitor monitor)
{
	const char *why = NULL;
	struct series *s = series_open(all, slice_of(name), monitor, &why);

	if (s == NULL)
		fail_msg("%s", why);
	return s;
}

static struct series_key host(void)
{
	struct series_key key = { .text = { NULL, 0 } };

	assert_null(cidr_parse(SLICE("192.0.2.7"), &key.block));
	return key;
}

static void add(struct series *s)
{
	struct series_key key = host();

	assert_null(series_add(s, &key, 1, NULL));
}

static uint64_t has(struct series *s)
{
	struct series_key key = host();
	struct bounds b;

	assert_null(series_sum(s, &key, 0, 0, &b));
	return b.low;
}

/* --- names --------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static char long_one[SERIES_NAME_MAX + 2];
	static const struct {
		const char *name;
		const char *want;
	} cases[] = {
		{ "", "a series has a name" },
		{ "bad\nname", "a series' name has no control characters" },
		{ "\x7f", "a series' name has no control characters" },
		{ long_one, "a series' name has at most 200 octets, not 201" },
		{ long_one + 1, NULL },
		{ "../etc/passwd", NULL },
		{ "gr\xc3\xbc\xc3\x9f""e", NULL },
		{ "a@300,6", NULL },
	};
	const char *why;

	(void)state;
	memset(long_one, 'x', sizeof long_one - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct series *s = series_open(all, slice_of(cases[i].name), hour, &why);

		if (cases[i].want == NULL)
			assert_ptr_equal(series_find(all, slice_of(cases[i].name), hour), s);
		else
			assert_string_equal(why, cases[i].want);
		assert_int_equal(s == NULL, cases[i].want != NULL);
	}
	assert_null(series_open(all, (struct slice){ "a\0b", 3 }, hour, &why));
}

static void test_two_monitors_are_two_series_D58(void **state)
{
	struct series *a = opened("bad", five_minutes), *b = opened("bad", hour);
	const char *why;

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(opened("bad", five_minutes), a);
	add(a);
	assert_int_equal(has(a), 1);
	assert_int_equal(has(b), 0);
	assert_null(series_find(all, SLICE("bad"), (struct monitor){ 300, 7 }));
	assert_null(series_find(all, SLICE("ba"), hour));
	assert_null(series_defined(all, SLICE("bad"))); /* D64 */
	assert_null(series_named(all, SLICE("bad"), &why));
	assert_string_equal(why, "there are several series bad: say which, as in bad@300,6");
	assert_ptr_equal(series_named(all, SLICE("bad@3600,24"), &why), b);
	assert_ptr_equal(series_named(all, SLICE("bad@ 300, 6"), &why), a);
	assert_null(series_named(all, SLICE("worse"), &why));
	assert_string_equal(why, "there is no series worse");
	assert_null(series_named(all, SLICE("bad@300"), &why));
	assert_null(series_named(all, SLICE(""), &why));
	assert_ptr_equal(series_nth(all, 0), a);
	assert_ptr_equal(series_nth(all, 1), b);
	assert_null(series_nth(all, 2));
}

static void test_there_is_a_limit(void **state)
{
	struct series_definition d = definition("one more", SERIES_CIDR, hour);
	const char *why = NULL;
	bool dropped;

	(void)state;
	for (unsigned i = 0; i < SERIES_MOST; i++) {
		char name[20];

		snprintf(name, sizeof name, "series%u", i);
		opened(name, hour);
	}
	assert_null(series_open(all, SLICE("one more"), hour, &why));
	assert_string_equal(why, "series one more: there are 1024 already, and no more are made");
	assert_string_equal(series_define(all, &d, &dropped), why);
	opened("series0", hour);
	series_monitors(all, &hour, 1, SERIES_BYTES_STANDARD, false); /* these there are always */
	assert_non_null(series_builtin(all, EVENT_REJECTION, 0));
}

/* --- definitions --------------------------------------------------------------------------- */

static void test_the_same_definition_keeps_its_data_D60(void **state)
{
	struct series_definition d = definition("bad", SERIES_CIDR, five_minutes);

	(void)state;
	d.persist = true;
	assert_false(define(&d));
	add(series_defined(all, SLICE("bad")));
	assert_false(define(&d));
	assert_int_equal(has(series_defined(all, SLICE("bad"))), 1);
	assert_int_equal(series_type(series_defined(all, SLICE("bad"))), SERIES_CIDR);
}

static void test_a_changed_definition_drops_its_data_D60(void **state)
{
	static const struct {
		const char *name;
		enum series_type type;
		struct monitor monitor;
		bool persist;
		size_t max_bytes;
	} changes[] = {
		{ "monitor", SERIES_CIDR, { 3600, 24 }, false, 0 },
		{ "windows alone", SERIES_CIDR, { 300, 7 }, false, 0 },
		{ "type", SERIES_ADDRESSES, { 300, 6 }, false, 0 },
		{ "persist", SERIES_CIDR, { 300, 6 }, true, 0 },
		{ "max_bytes", SERIES_CIDR, { 300, 6 }, false, SERIES_BYTES_MIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct series_definition d = definition(changes[i].name, SERIES_CIDR, five_minutes);
		struct series *s;

		define(&d);
		s = series_defined(all, slice_of(d.name));
		add(s);
		d.type = changes[i].type;
		d.monitor = changes[i].monitor;
		d.persist = changes[i].persist;
		d.max_bytes = changes[i].max_bytes;
		if (!define(&d) || has(s) != 0)
			fail_msg("%s: its data are there still", changes[i].name);
		assert_ptr_equal(series_defined(all, slice_of(d.name)), s);
		assert_ptr_equal(series_find(all, slice_of(d.name), d.monitor), s);
		add(s);
		assert_int_equal(has(s), 1);
	}
}

static void test_a_definition_takes_over_what_a_script_made_D57(void **state)
{
	struct series_definition d = definition("bad", SERIES_CIDR, five_minutes);
	struct series *s = opened("bad", five_minutes), *other = opened("bad", hour);

	(void)state;
	add(s);
	add(other);
	assert_false(define(&d));
	assert_ptr_equal(series_defined(all, SLICE("bad")), s);
	assert_ptr_equal(opened("bad", five_minutes), s);
	assert_int_equal(has(s), 1);

	/* then it moves to the other's monitor: there are never two of one name and monitor */
	d.monitor = hour;
	assert_true(define(&d));
	assert_ptr_equal(series_defined(all, SLICE("bad")), other);
	assert_int_equal(has(other), 1);
	assert_ptr_equal(series_find(all, SLICE("bad"), five_minutes), s);
	assert_int_equal(has(s), 0);

	/* texts cannot come of addresses */
	d = definition("text", SERIES_STRING, hour);
	add(opened("text", hour));
	assert_true(define(&d));
	assert_int_equal(series_type(opened("text", hour)), SERIES_STRING);
}

static void test_definitions_that_are_wrong(void **state)
{
	static const struct {
		struct monitor monitor;
		size_t max_bytes;
		const char *want;
	} cases[] = {
		{ { 0, 6 }, 0, "series x: an interval is 1 to 31622400 seconds" },
		{ { 31622401, 6 }, 0, "series x: an interval is 1 to 31622400 seconds" },
		{ { 300, 0 }, 0, "series x: there are 1 to 2000 windows" },
		{ { 300, 2001 }, 0, "series x: there are 1 to 2000 windows" },
		{ { 300, 6 }, 65535, "series x: max_bytes is 65536 to 4294967296" },
		{ { 300, 6 }, SIZE_MAX, "series x: max_bytes is 65536 to 4294967296" },
	};
	bool dropped;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct series_definition d = definition("x", SERIES_CIDR, cases[i].monitor);

		d.max_bytes = cases[i].max_bytes;
		assert_string_equal(series_define(all, &d, &dropped), cases[i].want);
		assert_null(series_defined(all, SLICE("x")));
	}
}

static void test_one_journal_a_name_D68(void **state)
{
	struct series_definition d = definition("bad", SERIES_CIDR, (struct monitor){ 60, 1 });
	struct series *a = opened("bad", five_minutes), *b = opened("bad", hour);
	bool dropped;

	(void)state;
	assert_null(series_set_serialize(a));
	assert_null(series_set_serialize(a));
	assert_string_equal(series_set_serialize(b),
			    "series bad of another monitor is journalled already");
	d.serialize = true;
	assert_string_equal(series_define(all, &d, &dropped),
			    "series bad of another monitor is journalled already");
	d.monitor = five_minutes;
	assert_false(define(&d));
	d.monitor = hour;
	assert_true(define(&d)); /* it moves, and its journal with it */
	assert_ptr_equal(series_defined(all, SLICE("bad")), b);
	assert_string_equal(series_set_serialize(a),
			    "series bad of another monitor is journalled already");
}

/* --- monitors ------------------------------------------------------------------------------ */

static void event(unsigned times)
{
	struct series_key key = host();

	while (times-- > 0)
		series_event(all, EVENT_CONNECTION, &key.block.addr);
}

static void test_three_of_each_monitor_D109(void **state)
{
	const struct monitor monitors[] = { five_minutes, hour };
	struct addr nobody = { 0, 0, ADDR_NONE };
	const char *why;

	(void)state;
	event(1); /* no monitors: nothing */
	assert_int_equal(series_monitor_count(all), 0);
	assert_null(series_builtin(all, EVENT_CONNECTION, 0));
	assert_null(series_named(all, SLICE("connections"), &why));
	series_monitors(all, monitors, 2, SERIES_BYTES_STANDARD, true);
	event(3);
	series_event(all, EVENT_REJECTION, &nobody);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(has(series_builtin(all, EVENT_CONNECTION, i)), 3);
		assert_int_equal(has(series_builtin(all, EVENT_RECEPTION, i)), 0);
		assert_int_equal(has(series_builtin(all, EVENT_REJECTION, i)), 0);
		assert_ptr_equal(series_builtin(all, EVENT_CONNECTION, i),
				 series_builtin_named(all, EVENT_CONNECTION, monitors[i]));
	}
	assert_null(series_builtin(all, EVENT_CONNECTION, 2));
	assert_ptr_equal(series_named(all, SLICE("connections"), &why),
			 series_builtin(all, EVENT_CONNECTION, 0));
	assert_ptr_equal(series_named(all, SLICE("rejections@3600,24"), &why),
			 series_builtin(all, EVENT_REJECTION, 1));
	assert_null(series_open(all, SLICE("connections"), hour, &why));
	assert_string_equal(why, "series connections with this monitor is built in");
}

/* The original counted twice after each reload. */
static void test_a_reload_doubles_nothing_6324(void **state)
{
	const struct monitor before[] = { five_minutes, hour };
	const struct monitor after[] = { hour, { 60, 10 } };
	struct series_definition d = definition("bad", SERIES_CIDR, hour);
	struct series *gone, *stays;

	(void)state;
	series_monitors(all, before, 2, SERIES_BYTES_STANDARD, true);
	gone = series_builtin(all, EVENT_CONNECTION, 0);
	stays = series_builtin(all, EVENT_CONNECTION, 1);
	define(&d);
	event(2);
	add(series_defined(all, SLICE("bad")));
	for (unsigned i = 0; i < 50; i++) {
		series_monitors(all, after, 2, SERIES_BYTES_STANDARD, true);
		define(&d);
		assert_ptr_equal(series_builtin(all, EVENT_CONNECTION, 0), stays);
		assert_int_equal(has(stays), 2 + 2 * i);
		event(1);
		assert_int_equal(has(series_builtin(all, EVENT_CONNECTION, 1)), 1);
		assert_null(series_builtin_named(all, EVENT_CONNECTION, five_minutes));
		series_monitors(all, before, 2, SERIES_BYTES_STANDARD, true);
		assert_int_equal(has(series_builtin(all, EVENT_CONNECTION, 0)), 0); /* new again */
		event(1);
		assert_int_equal(has(series_builtin(all, EVENT_CONNECTION, 0)), 1);
		assert_int_equal(has(series_defined(all, SLICE("bad"))), 1);
	}
	assert_ptr_equal(series_builtin(all, EVENT_CONNECTION, 0), gone); /* used again */
	series_monitors(all, NULL, 0, SERIES_BYTES_STANDARD, true);
	event(1);
	assert_ptr_equal(series_nth(all, 0), series_defined(all, SLICE("bad")));
	assert_null(series_nth(all, 1));
	add(gone); /* whoever still has it does no harm */
	assert_int_equal(has(gone), 0);
}

/* A site defines its own "connections" of 900,4 from Lua, and has that as a monitor, too. */
static void test_a_defined_series_of_a_built_in_name(void **state)
{
	const struct monitor quarter = { 900, 4 };
	struct series_definition d = definition("connections", SERIES_CIDR, quarter);
	const char *why;

	(void)state;
	define(&d);
	assert_ptr_equal(series_named(all, SLICE("connections"), &why),
			 series_defined(all, SLICE("connections")));
	series_monitors(all, &quarter, 1, SERIES_BYTES_STANDARD, true);
	define(&d);
	event(1);
	assert_int_equal(has(series_defined(all, SLICE("connections"))), 0);
	add(series_defined(all, SLICE("connections")));
	add(series_defined(all, SLICE("connections")));
	assert_int_equal(has(series_builtin(all, EVENT_CONNECTION, 0)), 1);
	assert_int_equal(has(series_defined(all, SLICE("connections"))), 2);
	assert_ptr_equal(series_find(all, SLICE("connections"), quarter),
			 series_builtin(all, EVENT_CONNECTION, 0));
}

/* Somebody walks a window while its series is shaped anew: he goes on with what was there. */
static void test_a_walk_outlasts_its_definition_D60(void **state)
{
	struct series_definition d = definition("bad", SERIES_CIDR, five_minutes);
	struct series_walk w = { .window = 1700000000 / 300 };
	struct series_walk other = w;
	struct tally_entry out[TALLY_TURN];
	struct series *s;

	(void)state;
	define(&d);
	s = series_defined(all, SLICE("bad"));
	for (uint32_t i = 0; i < 200; i++) {
		struct addr a = { (uint64_t)i << 32, 0, ADDR_V4 };
		struct series_key key = { .block = cidr_of(&a, 32) };

		assert_null(series_add(s, &key, 1, NULL));
	}
	assert_int_equal(series_walk(s, &w, NULL, out), 64);
	assert_int_equal(series_walk(s, &other, NULL, out), 64);
	d.type = SERIES_STRING;
	assert_true(define(&d));
	assert_int_equal(series_walk(s, &w, NULL, out), 64);
	series_walk_end(s, &other);
	assert_int_equal(series_walk(s, &w, NULL, out), 64);
	assert_int_equal(series_walk(s, &w, NULL, out), 8);
	assert_int_equal(series_walk(s, &w, NULL, out), 0);
	series_walk_end(s, &w);
	series_walk_end(s, &w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(test_names),
		TEST(test_two_monitors_are_two_series_D58),
		TEST(test_there_is_a_limit),
		TEST(test_the_same_definition_keeps_its_data_D60),
		TEST(test_a_changed_definition_drops_its_data_D60),
		TEST(test_a_definition_takes_over_what_a_script_made_D57),
		TEST(test_definitions_that_are_wrong),
		TEST(test_one_journal_a_name_D68),
		TEST(test_three_of_each_monitor_D109),
		TEST(test_a_reload_doubles_nothing_6324),
		TEST(test_a_defined_series_of_a_built_in_name),
		TEST(test_a_walk_outlasts_its_definition_D60),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
