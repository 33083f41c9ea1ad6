/* Journals of finished windows: written once, tried again, removed when they are old. */
#include "archive/scene.h"

#include <signal.h>
#include <sys/resource.h>

static void D41_T16_finished_windows_are_journalled(void **state)
{
	struct world *w = *state;

	define(w, "a.b", SERIES_CIDR, false, true);
	define(w, "login", SERIES_STRING, false, true);
	add(w, "a.b", "192.0.2.1", 3);
	turn(w);
	assert_string_equal(files(w->journal_dir), "");
	set_time(w, began_s + 300);
	turn(w);
	assert_string_equal(files(w->journal_dir), "a%2Eb.20261120T100500Z");
	set_time(w, began_s + 600);
	add(w, "login", "alice", 1);
	turn(w);
	set_time(w, began_s + 1200);
	turn(w);
	assert_string_equal(files(w->journal_dir), "a%2Eb.20261120T100500Z login.20261120T101500Z");
	assert_string_equal(files(w->series_dir), "");
}

/* It once cost a file that was made and removed: 2,000 of them at a series' first event. */
static void a_window_that_held_nothing_is_no_work_for_the_disk(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, false, true);
	turn(w);
	set_time(w, began_s + 300);
	write_file(w->journal_dir, "four.20261120T100500Z.new", "whose?", 6);
	add(w, "four", "192.0.2.1", 3);
	turn(w);
	assert_string_equal(files(w->journal_dir), "four.20261120T100500Z.new");
}

static void a_journal_that_is_there_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	unsigned char octets[100];

	define(w, "four", SERIES_CIDR, true, true);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	set_time(w, began_s + 300);
	turn(w);
	write_file(w->journal_dir, "four.20261120T100500Z", "as it is", 8);
	die(w);

	live(w);
	define(w, "four", SERIES_CIDR, true, true);
	turn(w);
	add(w, "four", "192.0.2.2", 1);
	set_time(w, began_s + 600);
	turn(w);
	assert_string_equal(files(w->journal_dir), "four.20261120T100500Z four.20261120T101000Z");
	assert_int_equal(read_file(w->journal_dir, "four.20261120T100500Z", octets, 100), 8);
}

static void a_window_that_finished_while_nobody_ran_is_journalled(void **state)
{
	struct world *w = *state;

	define(w, "four", SERIES_CIDR, true, true);
	add(w, "four", "192.0.2.1", 3);
	let_save(w);
	die(w);

	set_time(w, began_s + 600);
	live(w);
	define(w, "four", SERIES_CIDR, true, true);
	turn(w);
	turn(w);
	assert_string_equal(files(w->journal_dir), "four.20261120T100500Z");
}

static uint64_t records_in(const char *dir, const char *file)
{
	char *path = path_in(dir, file), why[VOLUME_WHY_MAX];
	struct volume *v = volume_open(path, why);
	uint64_t records;

	free(path);
	assert_non_null(v);
	assert_true(volume_check(v));
	records = volume_window(v, 0)->records;
	volume_close(v);
	return records;
}

/* More than one write's worth, so that it fails before the journal's end is written. */
static void a_journal_that_the_disk_has_no_room_for_is_tried_again(void **state)
{
	struct world *w = *state;
	struct rlimit before, limit;
	char address[ADDR_TEXT_MAX];

	define(w, "big", SERIES_CIDR, false, true);
	for (unsigned i = 0; i < 4096; i++) {
		snprintf(address, sizeof address, "10.0.%u.%u", i >> 8, i & 255);
		add(w, "big", address, 1);
	}
	turn(w);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){ 8192, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	set_time(w, began_s + 300);
	turn(w);
	setrlimit(RLIMIT_FSIZE, &before);
	set_time(w, began_s + 300 + SAVE_MS / 1000 - 1);
	turn(w);
	assert_string_equal(files(w->journal_dir), "");
	set_time(w, began_s + 300 + SAVE_MS / 1000);
	turn(w);
	assert_int_equal(records_in(w->journal_dir, "big.20261120T100500Z"), 4096);
}

static void what_could_not_be_written_is_tried_once_more_at_the_end(void **state)
{
	struct world *w = *state;
	struct keeper_rules rules = rules_of(w);

	define(w, "four", SERIES_CIDR, false, true);
	add(w, "four", "192.0.2.1", 3);
	rules.journal_dir = "/dev/null/journal";
	keeper_rule(w->keeper, &rules);
	turn(w);
	set_time(w, began_s + 300);
	turn(w);
	rules.journal_dir = w->journal_dir;
	keeper_rule(w->keeper, &rules);
	turn(w);
	assert_string_equal(files(w->journal_dir), "");
	keeper_inherit(w->keeper);
	keeper_start(w->keeper);
	die(w);
	assert_string_equal(files(w->journal_dir), "four.20261120T100500Z");
	live(w);
}

static void old_journals_of_ours_are_removed(void **state)
{
	struct world *w = *state;
	struct keeper_rules rules = rules_of(w);

	write_file(w->journal_dir, "four.20261021T095900Z", "", 0);
	write_file(w->journal_dir, "four.20261021T100200Z", "", 0);
	write_file(w->journal_dir, "four.20251021T100200", "", 0);
	write_file(w->journal_dir, "syslog.1", "", 0);
	rules.journal_days = 0;
	keeper_rule(w->keeper, &rules);
	let_save(w);
	assert_string_equal(files(w->journal_dir), "four.20251021T100200 four.20261021T095900Z "
						   "four.20261021T100200Z syslog.1");
	rules.journal_days = 30;
	keeper_rule(w->keeper, &rules);
	let_save(w);
	assert_string_equal(files(w->journal_dir), "four.20251021T100200 four.20261021T100200Z "
						   "syslog.1");
}

/* The clock alone is set: no time has passed. */
static void T16_a_clock_set_ahead_removes_no_journal(void **state)
{
	struct world *w = *state;
	uint64_t later_s = w->now_s + SAVE_MS / 1000;

	write_file(w->journal_dir, "four.20261120T090000Z", "", 0);
	turn(w);
	clock_stop(true, later_s * 1000, (later_s + 400 * DAY_S) * 1000);
	turn(w);
	assert_string_equal(files(w->journal_dir), "four.20261120T090000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(D41_T16_finished_windows_are_journalled),
		CASE(a_window_that_held_nothing_is_no_work_for_the_disk),
		CASE(a_journal_that_is_there_is_left_as_it_is),
		CASE(a_window_that_finished_while_nobody_ran_is_journalled),
		CASE(a_journal_that_the_disk_has_no_room_for_is_tried_again),
		CASE(what_could_not_be_written_is_tried_once_more_at_the_end),
		CASE(old_journals_of_ours_are_removed),
		CASE(T16_a_clock_set_ahead_removes_no_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
