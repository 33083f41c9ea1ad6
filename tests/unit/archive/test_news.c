#include "archive/news.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

static const struct monitor hour = { 3600, 4 };

static struct series_all *world(void)
{
	struct series_definition d = { .name = "log in", .type = SERIES_STRING, .monitor = hour };
	struct series_all *all = series_all_new();
	bool dropped;

	series_monitors(all, &hour, 1, 1 << 20, false);
	assert_null(series_define(all, &d, &dropped));
	snprintf(d.name, sizeof d.name, "four");
	d.type = SERIES_CIDR;
	assert_null(series_define(all, &d, &dropped));
	return all;
}

/* -1: no such series. */
static int64_t sum(struct series_all *all, const char *series, const char *key)
{
	struct series_key k = { .text = slice_of(key) };
	const char *why;
	struct series *s = series_named(all, slice_of(series), &why);
	struct bounds b;

	if (s == NULL)
		return -1;
	if (cidr_parse(k.text, &k.block) != NULL)
		k.block = (struct cidr){ 0 };
	assert_null(series_sum(s, &k, 0, 0, &b));
	return (int64_t)b.low;
}

static void what_is_said_is_heard(void **state)
{
	static const struct {
		const char *series, *key;
		int64_t amount;
		const char *want;
	} cases[] = {
		{ "four", "192.0.2.1", 3, "four 3 192.0.2.1" },
		{ "four", "192.0.2.1", -1, "four -1 192.0.2.1" },
		{ "connections@3600,4", "2001:db8::1", 1, "@connections@3600,4 1 2001:db8::1" },
		{ "log in", "a b\n%", 5, "log%20in 5 a%20b%0A%25" },
		{ "log in", "x", 999999999999999999, "log%20in 999999999999999999 x" },
		{ "log in", "", 2, "log%20in 2 " }, /* a null sender */
	};
	struct series_all *here = world(), *there = world();
	struct buf line;

	(void)state;
	buf_init(&line, NEWS_LINE_MAX);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct series_key key = { .text = slice_of(cases[i].key) };
		const char *why;
		struct series *s = series_named(here, slice_of(cases[i].series), &why);

		(void)!cidr_parse(key.text, &key.block);
		buf_clear(&line);
		assert_true(news_say(&line, s, &key, cases[i].amount));
		assert_string_equal(buf_text(&line), cases[i].want);
		assert_null(news_hear(there, buf_slice(&line)));
	}
	assert_int_equal(sum(there, "four", "192.0.2.1"), 2);
	assert_int_equal(sum(there, "connections@3600,4", "2001:db8::/32"), 1);
	assert_int_equal(sum(there, "log in", "a b\n%"), 5);
	assert_int_equal(sum(there, "log in", ""), 2);
	assert_int_equal(sum(here, "log in", "a b\n%"), 0);
	assert_null(news_hear(there, SLICE("four 0 192.0.2.1")));
	assert_int_equal(sum(there, "four", "192.0.2.1"), 0);
	buf_free(&line);
	series_all_free(here);
	series_all_free(there);
}

static void a_text_may_hold_any_octet(void **state)
{
	struct series_all *here = world(), *there = world();
	struct series_key key = { .text = { "a\0\xff", 3 } };
	struct bounds b;
	struct buf line;

	(void)state;
	buf_init(&line, NEWS_LINE_MAX);
	assert_true(news_say(&line, series_defined(here, SLICE("log in")), &key, 3));
	assert_string_equal(buf_text(&line), "log%20in 3 a%00%FF");
	assert_null(news_hear(there, buf_slice(&line)));
	assert_null(series_sum(series_defined(there, SLICE("log in")), &key, 0, 0, &b));
	assert_int_equal(b.low, 3);
	assert_int_equal(sum(there, "log in", "a"), 0);
	buf_free(&line);
	series_all_free(here);
	series_all_free(there);
}

static void series_that_a_script_made_are_made_here_and_others_are_not(void **state)
{
	struct series_all *all = world();

	(void)state;
	assert_null(news_hear(all, SLICE("of%20Sieve@60,1 2 192.0.2.1")));
	assert_int_equal(sum(all, "of Sieve@60,1", "192.0.2.1"), 2);
	assert_null(news_hear(all, SLICE("nobodys 2 192.0.2.1")));
	assert_int_equal(sum(all, "nobodys", "192.0.2.1"), -1);
	assert_null(news_hear(all, SLICE("@connections@60,1 2 192.0.2.1")));
	assert_null(news_hear(all, SLICE("@friends@3600,4 2 192.0.2.1")));
	series_all_free(all);
}

static void what_is_not_news_changes_nothing(void **state)
{
	static const char *const lines[] = {
		"", " ", "four", "four 1", "four x 192.0.2.1", "four 1 192.0.2", "four 1 ",
		"four 99999999999999999999 192.0.2.1", "four - 192.0.2.1", "four 1.5 192.0.2.1",
		"../four 1 192.0.2.1", "four. 1 192.0.2.1", "log%20in 1 a b",
		"log%20in 1 %4", "log%20in 1 %61", "four --1 192.0.2.1",
	};
	struct series_all *all = world();

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (news_hear(all, slice_of(lines[i])) == NULL)
			fail_msg("\"%s\" was heard", lines[i]);
	assert_int_equal(sum(all, "four", "0.0.0.0/0"), 0);
	series_all_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_heard),
		cmocka_unit_test(a_text_may_hold_any_octet),
		cmocka_unit_test(series_that_a_script_made_are_made_here_and_others_are_not),
		cmocka_unit_test(what_is_not_news_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
