/* Saving, loading and what is asked, with a clock that is set; the thread itself at the end. */
#include "archive/scene.h"

#include <fcntl.h>
#include <semaphore.h>

/* --- saving and loading --------------------------------------------------------------------- */

static void what_persists_comes_back(void **state)
{
	struct world *w = *state;
	struct addr peer;

	define(w, "four", SERIES_CIDR, true, false);
	define(w, "six", SERIES_CIDR_IPV6, true, false);
	define(w, "login", SERIES_STRING, true, false);
	define(w, "not kept", SERIES_CIDR, false, false);
	add(w, "four", "192.0.2.1", 3);
	add(w, "login", "alice", 5);
	add(w, "not kept", "192.0.2.1", 9);
	assert_null(addr_parse(SLICE("192.0.2.7"), &peer));
	series_event(w->all, EVENT_REJECTION, &peer);
	set_time(w, began_s + 300);
	add(w, "four", "192.0.2.2", 4);
	add(w, "six", "2001:db8::1", 6);
	let_save(w);
	assert_string_equal(files(w->series_dir), "@rejections@300,6 four login six");
	die(w);

	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	define(w, "six", SERIES_CIDR_IPV6, true, false);
	define(w, "login", SERIES_STRING, true, false);
	define(w, "not kept", SERIES_CIDR, false, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.0/24", 0, 0), 4);
	assert_int_equal(sum(w, "four", "192.0.2.0/24", 0, 1), 7);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 1), 3);
	assert_int_equal(sum(w, "six", "2001:db8::/32", 0, 0), 6);
	assert_int_equal(sum(w, "login", "alice", 1, 1), 5);
	assert_int_equal(sum(w, "not kept", "192.0.2.1", 0, 5), 0);
	assert_int_equal(sum(w, "rejections@300,6", "192.0.2.7", 1, 1), 1);
	assert_int_equal(sum(w, "connections@300,6", "0.0.0.0/0", 0, 6), 0);
}

static void what_nobody_asked_to_persist_has_no_file(void **state)
{
	struct world *w = *state;

	struct addr peer;

	series_monitors(w->all, &five_minutes, 1, 1 << 20, false);
	assert_null(addr_parse(SLICE("192.0.2.7"), &peer));
	series_event(w->all, EVENT_CONNECTION, &peer);
	define(w, "four", SERIES_CIDR, false, false);
	define(w, "never used", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	assert_string_equal(files(w->series_dir), "");
}

static void windows_that_aged_meanwhile_are_dropped(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 1);
	set_time(w, began_s + 3 * 300);
	add(w, "four", "192.0.2.1", 10);
	let_save(w);
	die(w);

	set_time(w, began_s + 7 * 300);
	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 10);
	assert_int_equal(sum(w, "four", "192.0.2.1", 4, 4), 10);
	die(w);

	set_time(w, began_s + 100 * 300);
	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 0);
}

static void loading_again_and_again_doubles_nothing(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	for (int life = 0; life < 4; life++) {
		let_save(w);
		die(w);
		live(w);
		define(w, "four", SERIES_CIDR, true, false);
		turn(w);
		assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 3);
	}
}

static void D60_another_definition_drops_what_was_saved(void **state)
{
	struct world *w = *state;
	struct series_definition d = {
		.name = "four", .type = SERIES_CIDR, .monitor = { 600, 6 }, .persist = true,
	};
	bool dropped;

	define(w, "four", SERIES_CIDR, true, false);
	define(w, "login", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	die(w);

	live(w);
	assert_null(series_define(w->all, &d, &dropped));
	define(w, "login", SERIES_STRING, true, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 0);
	assert_int_equal(sum(w, "login", "192.0.2.1", 0, 5), 0);
}

static void a_series_nobody_defines_now_keeps_its_file_until_it_is_old(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	die(w);

	live(w);
	turn(w);
	let_save(w);
	assert_string_equal(files(w->series_dir), "four");
	die(w);

	set_time(w, began_s + 10 * 300);
	live(w);
	turn(w);
	assert_string_equal(files(w->series_dir), "");
}

/* --- files that are wrong ------------------------------------------------------------------- */

enum harm { TORN, EMPTY, FOREIGN, NEWER, BIT, LONGER, COPY };

static void harm_file(struct world *w, enum harm harm)
{
	static unsigned char octets[65536];
	size_t len = read_file(w->series_dir, "four", octets, sizeof octets - 1);

	assert_in_range(len, 65, sizeof octets - 2);
	switch (harm) {
	case TORN:
		len /= 2;
		break;
	case EMPTY:
		len = 0;
		break;
	case FOREIGN:
		len = (size_t)snprintf((char *)octets, sizeof octets,
				       "#!/bin/sh\necho these are not the windows");
		break;
	case NEWER:
		octets[8] = 99;
		break;
	case BIT:
		octets[len / 2] ^= 4;
		break;
	case LONGER:
		len++;
		break;
	case COPY: {
		char *from = path_in(w->series_dir, "five"), *to = path_in(w->series_dir, "four");

		assert_int_equal(rename(from, to), 0);
		free(from);
		free(to);
		return;
	}
	}
	write_file(w->series_dir, "four", octets, len);
}

static void a_bad_file_is_set_aside_and_nothing_of_it_loaded(void **state)
{
	static const struct {
		const char *name;
		enum harm harm;
	} cases[] = {
		{ "torn", TORN }, { "empty", EMPTY }, { "foreign", FOREIGN }, { "newer", NEWER },
		{ "a bit", BIT }, { "longer", LONGER }, { "another's", COPY },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		define(w, "four", SERIES_CIDR, true, false);
		define(w, "five", SERIES_CIDR, true, false);
		for (int host = 1; host < 100; host++) {
			char text[20];

			snprintf(text, sizeof text, "192.0.2.%d", host);
			add(w, "four", text, 3);
		}
		add(w, "five", "192.0.2.1", 1);
		let_save(w);
		harm_file(w, cases[i].harm);
		die(w);

		live(w);
		define(w, "four", SERIES_CIDR, true, false);
		define(w, "five", SERIES_CIDR, true, false);
		turn(w);
		if (sum(w, "four", "0.0.0.0/0", 0, 5) != 0)
			fail_msg("%s: loaded", cases[i].name);
		if (strstr(files(w->series_dir), "four.bad-20261120T10") == NULL)
			fail_msg("%s: %s", cases[i].name, files(w->series_dir));
		if (cases[i].harm != COPY && sum(w, "five", "0.0.0.0/0", 0, 5) == 0)
			fail_msg("%s: the other one is not loaded", cases[i].name);
		die(w);
		set_time(w, w->now_s + 1);
		live(w);
	}
}

static void what_a_crash_left_unfinished_is_removed(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir(w->series_dir, 0750), 0);
	write_file(w->series_dir, "four.new", "half", 4);
	write_file(w->journal_dir, "four.20261120T100000Z.new", "half", 4);
	write_file(w->journal_dir, "some.thing.new", "not ours", 8);
	turn(w);
	assert_string_equal(files(w->series_dir), "");
	assert_string_equal(files(w->journal_dir), "some.thing.new");
}

static void trouble_is_tried_again(void **state)
{
	struct world *w = *state;
	struct keeper_rules rules = rules_of(w);

	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	rules.series_dir = "/dev/null/series";
	keeper_rule(w->keeper, &rules);
	turn(w);
	let_save(w);
	let_save(w);
	rules.series_dir = w->series_dir;
	keeper_rule(w->keeper, &rules);
	let_save(w);
	assert_string_equal(files(w->series_dir), "four");
}

static void reloads_do_not_put_off_saving(void **state)
{
	struct world *w = *state;
	struct keeper_rules rules = rules_of(w);

	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	turn(w);
	for (int i = 0; i < 3; i++) {
		set_time(w, w->now_s + 4);
		keeper_rule(w->keeper, &rules);
		turn(w);
	}
	assert_string_equal(files(w->series_dir), "four");
}

/* --- what is asked -------------------------------------------------------------------------- */

struct errand {
	struct keeper_task task;
	unsigned done;
};

static void errand_done(struct keeper_task *task)
{
	((struct errand *)task)->done++;
}

/* Where another process would be told. */
static struct {
	struct series_tap tap;
	unsigned count;
	int64_t amount;
} heir;

static void heir_told(struct series_tap *tap, struct series *s, const struct series_key *key,
		      int64_t amount)
{
	(void)tap;
	(void)s;
	(void)key;
	heir.count++;
	heir.amount += amount;
}

static const char *ask(struct world *w, enum keeper_work work, const char *series, const char *file)
{
	static struct errand e;

	heir.tap.told = heir_told;
	e = (struct errand){ .task = { .work = work, .series = series, .file = file,
				       .tap = &heir.tap, .done = errand_done } };
	keeper_ask(w->keeper, &e.task);
	turn(w);
	assert_int_equal(e.done, 1);
	return e.task.wrong;
}

static void saving_on_demand(void **state)
{
	struct world *w = *state;

	define(w, "five", SERIES_CIDR, true, false);
	define(w, "four", SERIES_CIDR, false, false);
	add(w, "five", "192.0.2.1", 3);
	add(w, "four", "192.0.2.1", 3);
	assert_string_equal(ask(w, KEEPER_SAVE, NULL, NULL), "");
	assert_string_equal(files(w->series_dir), "five");
	assert_string_equal(ask(w, KEEPER_SAVE, "four", NULL), "");
	assert_string_equal(files(w->series_dir), "five four");
	assert_string_not_equal(ask(w, KEEPER_SAVE, "nobody's", NULL), "");
}

static void loading_on_demand_fills_what_is_empty(void **state)
{
	struct world *w = *state;
	unsigned char octets[4096];
	size_t len;

	define(w, "four", SERIES_CIDR, true, false);
	define(w, "login", SERIES_STRING, true, false);
	add(w, "four", "192.0.2.1", 3);
	set_time(w, began_s + 300);
	add(w, "four", "192.0.2.1", 5);
	assert_string_equal(ask(w, KEEPER_SAVE, "four", NULL), "");
	assert_string_equal(ask(w, KEEPER_LOAD, "four", NULL), "");
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 8);
	len = read_file(w->series_dir, "four", octets, sizeof octets);
	die(w);

	write_file(w->series_dir, "four", "", 0);
	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	define(w, "login", SERIES_STRING, true, false);
	turn(w);
	write_file(w->series_dir, "copy.of.four", octets, len);
	add(w, "four", "192.0.2.2", 1);
	assert_string_equal(ask(w, KEEPER_LOAD, "four", "copy.of.four"), "");
	assert_int_equal(sum(w, "four", "192.0.2.0/24", 1, 1), 3);
	assert_int_equal(sum(w, "four", "192.0.2.0/24", 0, 0), 1);
	assert_string_not_equal(ask(w, KEEPER_LOAD, "login", "copy.of.four"), "");
	assert_string_not_equal(ask(w, KEEPER_LOAD, "login", NULL), "");
	assert_string_not_equal(ask(w, KEEPER_LOAD, "nobody's", "copy.of.four"), "");
	assert_string_not_equal(ask(w, KEEPER_LOAD, "four", "../series"), "");
}

static void upgrade_everything_is_handed_on_and_nothing_written_after(void **state)
{
	struct world *w = *state;
	const char *why;
	struct series_key key = key_of("192.0.2.1");
	struct series *s = series_open(w->all, SLICE("of Sieve"), five_minutes, &why);
	struct addr peer;

	assert_null(series_add(s, &key, 2, NULL));
	define(w, "four", SERIES_CIDR, false, false);
	add(w, "four", "192.0.2.1", 3);
	assert_string_equal(ask(w, KEEPER_RETIRE, NULL, NULL), "");
	assert_string_equal(files(w->series_dir), "four of%20Sieve@300,6");
	assert_string_not_equal(ask(w, KEEPER_SAVE, NULL, NULL), "");
	add(w, "four", "192.0.2.1", 100);
	assert_null(addr_parse(SLICE("192.0.2.7"), &peer));
	series_event(w->all, EVENT_RECEPTION, &peer);
	assert_null(series_remove(s, &key, NULL));
	assert_int_equal(heir.count, 3);
	assert_int_equal(heir.amount, 101);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 3);
	let_save(w);
	die(w);

	live(w);
	define(w, "four", SERIES_CIDR, false, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 3);
	s = series_find(w->all, SLICE("of Sieve"), five_minutes);
	assert_non_null(s);
	assert_string_equal(files(w->series_dir), "");
}

/* --- the thread ----------------------------------------------------------------------------- */

struct wait {
	struct keeper_task task;
	sem_t over;
};

static void wait_over(struct keeper_task *task)
{
	sem_post(&((struct wait *)task)->over);
}

static void an_heir_waits_until_it_is_told(void **state)
{
	struct world *w = *state;
	struct wait e = { .task = { .work = KEEPER_SAVE, .done = wait_over } };

	sem_init(&e.over, 0, 0);
	define(w, "four", SERIES_CIDR, true, false);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	die(w);

	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	keeper_start(w->keeper);
	add(w, "four", "192.0.2.1", 1);
	keeper_ask(w->keeper, &e.task);
	sem_wait(&e.over);
	assert_string_not_equal(e.task.wrong, "");
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 1);
	keeper_inherit(w->keeper);
	keeper_ask(w->keeper, &e.task);
	sem_wait(&e.over);
	assert_string_equal(e.task.wrong, "");
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 4);
	sem_destroy(&e.over);
}

static void the_end_saves_once_more(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, true, false);
	keeper_start(w->keeper);
	keeper_inherit(w->keeper);
	keeper_wait(w->keeper);
	add(w, "four", "192.0.2.1", 3);
	die(w);
	live(w);
	define(w, "four", SERIES_CIDR, true, false);
	turn(w);
	assert_int_equal(sum(w, "four", "192.0.2.1", 0, 5), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_persists_comes_back),
		CASE(what_nobody_asked_to_persist_has_no_file),
		CASE(windows_that_aged_meanwhile_are_dropped),
		CASE(loading_again_and_again_doubles_nothing),
		CASE(D60_another_definition_drops_what_was_saved),
		CASE(a_series_nobody_defines_now_keeps_its_file_until_it_is_old),
		CASE(a_bad_file_is_set_aside_and_nothing_of_it_loaded),
		CASE(what_a_crash_left_unfinished_is_removed),
		CASE(trouble_is_tried_again),
		CASE(reloads_do_not_put_off_saving),
		CASE(saving_on_demand),
		CASE(loading_on_demand_fills_what_is_empty),
		CASE(upgrade_everything_is_handed_on_and_nothing_written_after),
		CASE(an_heir_waits_until_it_is_told),
		CASE(the_end_saves_once_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
