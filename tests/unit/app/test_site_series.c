/* Series put into use: monitors of two sites side by side, and definitions, the new ones first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/site.h"
#include "base/clock.h"
#include "policy/engine.h"

static const struct policy_host host;
static struct series_definition defined[3];
static unsigned defined_count;

static void *defining_load(const struct policy_stanza *stanza, struct policy_set *set,
			   struct complaints *complaints)
{
	(void)stanza, (void)complaints;
	for (unsigned i = 0; i < defined_count; i++)
		assert_null(policy_set_define(set, &defined[i]));
	return set;
}

static void defining_unload(void *module)
{
	(void)module;
}

static bool defining_handles(const void *module, enum phase phase)
{
	(void)module, (void)phase;
	return false;
}

/* A site as far as this goes: freed with series_site_free. */
static struct site series_site(const struct monitor *monitors, unsigned count)
{
	static const struct policy_engine engine = { .kind = "sieve", .load = defining_load,
						     .unload = defining_unload,
						     .handles = defining_handles };
	static const struct policy_engine *const defining[] = { &engine, NULL };
	const struct policy_stanza stanza = { .kind = "sieve", .title = "t" };
	const struct policy_conf conf = { .stanzas = &stanza, .stanza_count = 1 };
	struct rules *rules = calloc(1, sizeof *rules);
	struct complaints c;

	complaints_init(&c);
	rules->policy = policy_load(&conf, defining, &host, &c);
	assert_non_null(rules->policy);
	complaints_free(&c);
	return (struct site){ .rules = rules,
			      .series = { .monitors = monitors, .monitor_count = count,
					  .max_bytes = SERIES_BYTES_MIN } };
}

static void series_site_free(struct site *site)
{
	policy_unref(site->rules->policy);
	free(site->rules);
}

/* "300,6=1 60,1=0": connections of each monitor, in order. */
static const char *monitors_text(struct series_all *all, char out[256])
{
	const struct series_key everybody = { .block = { .addr = { .family = ADDR_V4 } } };
	char name[MONITOR_TEXT_MAX];
	struct series_info info;
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < series_monitor_count(all); i++) {
		struct series *s = series_builtin(all, EVENT_CONNECTION, i);
		struct bounds sum;

		series_describe(s, &info);
		assert_null(series_sum(s, &everybody, 0, 1, &sum));
		len += (size_t)snprintf(out + len, 256 - len, "%s%s=%u", i > 0 ? " " : "",
					monitor_print(info.is.monitor, name), (unsigned)sum.low);
	}
	return out;
}

static void test_monitors(void **state)
{
	static const struct monitor old[] = { { 300, 6 }, { 60, 1 } };
	static const struct monitor fresh[] = { { 1800, 4 }, { 60, 1 } };
	static const struct addr peer = { .family = ADDR_V4, .hi = UINT64_C(0xc0000201) << 32 };
	struct series_all *all = series_all_new();
	struct site before = series_site(old, 2), after = series_site(fresh, 2);
	char got[256];

	(void)state;
	clock_stop(true, 1, 86400000);
	site_use_monitors(&before, all, NULL);
	series_event(all, EVENT_CONNECTION, &peer);
	assert_string_equal(monitors_text(all, got), "300,6=1 60,1=1");

	site_use_monitors(&after, all, &before); /* T6: the scripts of both find theirs */
	series_event(all, EVENT_CONNECTION, &peer);
	assert_string_equal(monitors_text(all, got), "300,6=2 60,1=2 1800,4=1");
	site_use_monitors(&before, all, NULL); /* it failed */
	assert_string_equal(monitors_text(all, got), "300,6=2 60,1=2");
	site_use_monitors(&after, all, &before);
	site_use_monitors(&after, all, NULL); /* it worked */
	assert_string_equal(monitors_text(all, got), "1800,4=0 60,1=2");
	site_use_monitors(&after, all, &after);
	assert_string_equal(monitors_text(all, got), "1800,4=0 60,1=2");
	clock_stop(false, 0, 0);
	series_site_free(&before);
	series_site_free(&after);
	series_all_free(all);
}

static void test_too_many_monitors(void **state)
{
	struct monitor old[MONITORS_MAX], fresh[MONITORS_MAX];
	struct series_all *all = series_all_new();
	struct site before = series_site(old, MONITORS_MAX);
	struct site after = series_site(fresh, MONITORS_MAX);

	(void)state;
	for (unsigned i = 0; i < MONITORS_MAX; i++) {
		old[i] = (struct monitor){ 60 + i, 1 };
		fresh[i] = (struct monitor){ 600 + i, 1 };
	}
	site_use_monitors(&before, all, NULL);
	site_use_monitors(&after, all, &before); /* there is room for one site's: nothing goes yet */
	assert_non_null(series_builtin_named(all, EVENT_CONNECTION, old[MONITORS_MAX - 1]));
	assert_null(series_builtin_named(all, EVENT_CONNECTION, fresh[0]));
	site_use_monitors(&after, all, NULL);
	assert_non_null(series_builtin_named(all, EVENT_CONNECTION, fresh[MONITORS_MAX - 1]));
	assert_int_equal(series_monitor_count(all), MONITORS_MAX);
	series_site_free(&before);
	series_site_free(&after);
	series_all_free(all);
}

static uint64_t sum_of(struct series_all *all, const char *name)
{
	const struct series_key key = { .text = SLICE("ann") };
	struct bounds sum;

	assert_null(series_sum(series_defined(all, slice_of(name)), &key, 0, 0, &sum));
	return sum.low;
}

static void add_to(struct series_all *all, const char *name)
{
	const struct series_key key = { .text = SLICE("ann") };

	assert_null(series_add(series_defined(all, slice_of(name)), &key, 1, NULL));
}

static void test_definitions(void **state)
{
	struct series_all *all = series_all_new();
	struct complaints c;
	struct site site;
	char line[256];

	(void)state;
	defined[0] = (struct series_definition){ .name = "a", .type = SERIES_STRING,
						 .monitor = { 86400, 2 } };
	defined[1] = defined[2] = defined[0];
	defined[1].name[0] = 'b';
	defined[2].name[0] = 'c';
	defined_count = 2;
	complaints_init(&c);
	site = series_site(NULL, 0);
	assert_true(site_define_series(&site, all, SERIES_ALL, &c));
	series_site_free(&site);
	add_to(all, "a");
	add_to(all, "b");

	defined[1].monitor.windows = 3;
	defined_count = 3;
	site = series_site(NULL, 0);
	assert_true(site_define_series(&site, all, SERIES_NEW, &c));
	assert_int_equal(c.warnings, 0);
	assert_int_equal(sum_of(all, "b"), 1); /* D60: not yet */
	assert_int_equal(sum_of(all, "c"), 0);
	add_to(all, "c");
	assert_true(site_define_series(&site, all, SERIES_ALL, &c));
	assert_int_equal(c.warnings, 1);
	complaint_print(&c.list[0], line, sizeof line);
	assert_string_equal(line, "warning: series b is defined otherwise than before: its data are gone");
	assert_int_equal(sum_of(all, "a"), 1);
	assert_int_equal(sum_of(all, "b"), 0);
	assert_int_equal(sum_of(all, "c"), 1);
	series_site_free(&site);
	complaints_free(&c);
	series_all_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monitors),
		cmocka_unit_test(test_too_many_monitors),
		cmocka_unit_test(test_definitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
