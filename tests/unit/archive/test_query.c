/* The language of journals: what is understood, and what is wrong with the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive/query.h"

#define NOV20 UINT64_C(1795132800)

static void test_understood(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "5.4 list", "show available", "available" },
		{ "5.4 cache", " cache  details ", "cache" },
		{ "any case", "SHOW Available", "available" },
		{ "D82 defaults", "show count for 192.0.2.0/24 in a", "192.0.2.0/24 a 32..32" },
		{ "an address", "show count for 192.0.2.7 in a", "192.0.2.7/32 a 32..32" },
		{ "host bits", "show count for 192.0.2.7/24 in a", "192.0.2.0/24 a 32..32" },
		{ "IPv6", "show count for 2001:db8::/32 in a cidrsize 64",
		  "2001:db8::/32 a 64..64" },
		{ "several", "show count for ::/0 in a,b , c", "::/0 a b c 128..128" },
		{ "union", "show count for ::/0 in union(a,b)", "::/0 union a b 128..128" },
		{ "union, apart", "show count for ::/0 in UNION ( a , b )",
		  "::/0 union a b 128..128" },
		{ "a series called union", "show count for ::/0 in union, b",
		  "::/0 union b 128..128" },
		{ "a series called from", "show count for ::/0 in from limit 3",
		  "::/0 from 128..128 limit 3" },
		{ "quoted", "show count for ::/0 in \"a b\",\"connections@300,6\"",
		  "::/0 a b connections@300,6 128..128" },
		{ "cidrsize", "show count for 10.0.0.0/8 in a cidrsize 16", "10.0.0.0/8 a 16..16" },
		{ "cidrsize N to M", "show count for 10.0.0.0/8 in a cidrsize 8 to 32",
		  "10.0.0.0/8 a 8..32" },
		{ "order", "show count for ::/0 in a order by count", "::/0 a 128..128 by count" },
		{ "order by cidr", "show count for ::/0 in a order by cidr", "::/0 a 128..128" },
		{ "aggregate", "show count for ::/0 in a aggregate", "::/0 a 128..128" },
		{ "daily", "show count for ::/0 in a aggregate daily limit 1",
		  "::/0 a 128..128 daily limit 1" },
		{ "threshold", "show count for ::/0 in a threshold 10",
		  "::/0 a 128..128 threshold 10" },
		{ "D82 on", "show count for ::/0 in a on 20261120",
		  "::/0 a 128..128 from 0 to 86400" },
		{ "D82 on, at a time", "show count for ::/0 in a on 20261120T235959",
		  "::/0 a 128..128 from 0 to 86400" },
		{ "since", "show count for ::/0 in a since 20261120T000001",
		  "::/0 a 128..128 from 1" },
		{ "from a day to a day", "show count for ::/0 in a from 20261120 to 20261121",
		  "::/0 a 128..128 from 0 to 172800" },
		{ "from to", "show count for ::/0 in a from 20261120T000001Z to 20261120t001500z",
		  "::/0 a 128..128 from 1 to 900" },
		{ "all", "show count for 10.0.0.0/8 in union(a) limit 5 threshold 2 order by count "
			 "cidrsize 16 to 24 aggregate daily on 20261120",
		  "10.0.0.0/8 union a 16..24 daily by count threshold 2 limit 5 from 0 to 86400" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wrong[QUERY_WRONG_MAX], block[CIDR_TEXT_MAX];
		struct query q;
		struct buf got;

		if (!query_parse(slice_of(cases[i].text), &q, wrong))
			fail_msg("%s: %s", cases[i].name, wrong);
		buf_init(&got, 0);
		if (q.kind != QUERY_COUNT) {
			bool fits = buf_printf(&got, "%s", q.kind == QUERY_CACHE ? "cache"
									 : "available");
			assert_true(fits);
		} else {
			bool fits = buf_printf(&got, "%s", cidr_print(&q.block, block));

			fits = fits && (!q.is_union || buf_printf(&got, " union"));
			for (unsigned s = 0; s < q.series_count; s++)
				fits = fits && buf_printf(&got, " %s", q.series[s]);
			fits = fits && buf_printf(&got, " %u..%u", q.level_first, q.level_last) &&
			       (!q.is_daily || buf_printf(&got, " daily")) &&
			       (!q.by_count || buf_printf(&got, " by count")) &&
			       (q.threshold == 0 ||
				buf_printf(&got, " threshold %ju", (uintmax_t)q.threshold)) &&
			       (q.limit == 0 ||
				buf_printf(&got, " limit %ju", (uintmax_t)q.limit)) &&
			       (q.from == 0 ||
				buf_printf(&got, " from %ju", (uintmax_t)(q.from - NOV20))) &&
			       (q.to == UINT64_MAX ||
				buf_printf(&got, " to %ju", (uintmax_t)(q.to - NOV20)));
			assert_true(fits);
		}
		if (strcmp(buf_text(&got), cases[i].want) != 0)
			fail_msg("%s: %s, not %s", cases[i].name, buf_text(&got), cases[i].want);
		buf_free(&got);
	}
}

#define A "show count for 10.0.0.0/8 in a "

static void test_wrong_ones_are_answered(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "D81 nothing", "", "the end: expected \"show\" or \"cache details\"" },
		{ "D81 another word", "list", "\"list\": expected \"show\" or" },
		{ "half a word", "show", "the end: expected \"available\" or \"count for\"" },
		{ "cache alone", "cache", "the end: expected \"details\"" },
		{ "more than available", "show available now", "\"now\": expected nothing more" },
		{ "no for", "show count 10.0.0.0/8", "\"10.0.0.0/8\": expected \"for\"" },
		{ "no block", "show count for", "the end: expected an address" },
		{ "no address", "show count for x in a", "\"x\": " },
		{ "bad length", "show count for 10.0.0.0/33 in a", "\"10.0.0.0/33\": " },
		{ "bad IPv6 length", "show count for ::/129 in a", "\"::/129\": " },
		{ "no length", "show count for 10.0.0.0/ in a", "\"10.0.0.0/\": " },
		{ "no in", "show count for 10.0.0.0/8 a", "\"a\": expected \"in\"" },
		{ "no series", "show count for ::/0 in", "the end: expected the name" },
		{ "comma first", "show count for ::/0 in ,a", "\",\": expected the name" },
		{ "comma last", "show count for ::/0 in a,", "the end: expected the name" },
		{ "empty union", "show count for ::/0 in union()", "\")\": expected the name" },
		{ "open union", "show count for ::/0 in union(a,b", "the end: expected \")\"" },
		{ "union in union", "show count for ::/0 in union(a,union(b))",
		  "\"(\": expected \")\"" },
		{ "open quote", "show count for ::/0 in \"a b", "\"a b\": the quote is not" },
		{ "empty quotes", "show count for ::/0 in \"\"", "\"\": expected the name" },
		{ "unknown parameter", A "sort by count", "\"sort\": expected from, since," },
		{ "a quoted word is a name", A "\"limit\" 3", "\"limit\": expected from," },
		{ "date", A "on 2026-11-20", "\"2026-11-20\": expected a date" },
		{ "month", A "on 20261320", "\"20261320\": expected a date" },
		{ "day", A "on 20260229", "\"20260229\": expected a date" },
		{ "hour", A "since 20261120T250000", "expected a date" },
		{ "short time", A "since 20261120T1000", "expected a date" },
		{ "behind a date", A "since 20261120T100000+01", "expected a date" },
		{ "before 1970", A "on 19691231", "expected a date" },
		{ "backwards", A "from 20261121 to 20261120T100000",
		  "\"20261120T100000\": the period ends before it begins" },
		{ "no to", A "from 20261121", "the end: expected \"to\"" },
		{ "two periods", A "on 20261120 since 20261120",
		  "\"since\": this was said before" },
		{ "two limits", A "limit 1 limit 2", "\"limit\": this was said before" },
		{ "limit 0", A "limit 0", "\"0\": expected a number from 1" },
		{ "negative limit", A "limit -1", "\"-1\": expected a number" },
		{ "huge threshold", A "threshold 99999999999999999999", "expected a number" },
		{ "size of no block", A "cidrsize 7", "\"7\": expected a number from 8 to 32" },
		{ "size past a host", A "cidrsize 33", "\"33\": expected a number from 8 to 32" },
		{ "sizes backwards", A "cidrsize 24 to 16", "\"16\": expected a number from 24" },
		{ "order by size", A "order by size", "\"size\": expected \"cidr\" or \"count\"" },
		{ "order", A "order count", "\"count\": expected \"by\"" },
		{ "aggregate hourly", A "aggregate hourly", "\"hourly\": expected from," },
		{ "17 series", "show count for ::/0 in a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b",
		  "\"b\": more than 16 series" },
		{ "no text", "show\001\377", "\"show??\": expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wrong[QUERY_WRONG_MAX] = "";
		struct query q;

		if (query_parse(slice_of(cases[i].text), &q, wrong))
			fail_msg("%s: accepted", cases[i].name);
		if (strncmp(wrong, "syntax near ", 12) != 0 || strstr(wrong, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].name, wrong);
	}
}

static void test_long_names(void **state)
{
	char text[1000], wrong[QUERY_WRONG_MAX];
	struct query q;

	(void)state;
	snprintf(text, sizeof text, "show count for ::/0 in %0*d", SERIES_NAME_MAX, 0);
	assert_true(query_parse(slice_of(text), &q, wrong));
	assert_int_equal(strlen(q.series[0]), SERIES_NAME_MAX);
	snprintf(text, sizeof text, "show count for ::/0 in %0*d", SERIES_NAME_MAX + 1, 0);
	assert_false(query_parse(slice_of(text), &q, wrong));
	assert_non_null(strstr(wrong, "no series has such a name"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_understood),
		cmocka_unit_test(test_wrong_ones_are_answered),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
