/*
 * Series on a clock that does what clocks do: it steps back and forth, by less and by more than a
 * window, is slewed over a leap second, stands still while the machine is suspended, and is another
 * one after a restart (D43). Where the machine is, and whether it has summer time, is all the same
 * (T16). Against a model that knows which window each event must be in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive/keeper.h"
#include "archive/shelf.h"
#include "archive/volume.h"
#include "audit/oracle.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	SECONDS = 60,
	KEPT = 5, /* windows before the current one */
	WINDOW_MS = SECONDS * 1000,
	HOSTS = 6,
	TURNS = 1000,
	JOURNALS_MAX = 4096,
	KINDS = 3, /* addresses and texts that Lua defined, and what is built in */
};

static const struct monitor monitor = { SECONDS, KEPT };

/* What each host has in a window, in every kind of series. */
struct amounts {
	uint64_t number;
	uint64_t of[HOSTS];
};

struct kept {
	uint64_t newest;
	struct amounts windows[KEPT + 1]; /* by number % (KEPT + 1) */
};

static struct world {
	char dir[64], series_dir[80], journal_dir[80];
	struct series_all *all;
	struct keeper *keeper;
	struct random random;
	uint64_t wall_ms, alone_ms; /* the calendar's clock, and the one that only runs */
	uint64_t highest_ms;	    /* that the calendar's showed in this life */
	int64_t slew_ppm;
	struct kept now, saved;
	uint64_t events; /* in this life */
	struct amounts journals[JOURNALS_MAX];
	unsigned journal_count;
	uint64_t journalled; /* up to this window, in this life */
} w;

/* --- the model ----------------------------------------------------------------------------- */

static struct amounts *window_at(struct kept *k, uint64_t number)
{
	struct amounts *a = &k->windows[number % (KEPT + 1)];

	if (a->number != number)
		*a = (struct amounts){ .number = number };
	return a;
}

static uint64_t total(const struct amounts *a)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HOSTS; i++)
		sum += a->of[i];
	return sum;
}

/* What is too old is gone, what is of the future counts as now (3.2). */
static void model_load(void)
{
	memset(&w.now, 0, sizeof w.now);
	w.now.newest = w.wall_ms / WINDOW_MS;
	for (unsigned back = 0; back <= KEPT && w.saved.newest > 0; back++) {
		const struct amounts *from = window_at(&w.saved, w.saved.newest - back);
		uint64_t to = from->number < w.now.newest ? from->number : w.now.newest;

		for (unsigned i = 0; w.now.newest - to <= KEPT && i < HOSTS; i++)
			window_at(&w.now, to)->of[i] += from->of[i];
	}
}

static struct amounts *journal_of(uint64_t number)
{
	for (unsigned i = 0; i < w.journal_count; i++)
		if (w.journals[i].number == number)
			return &w.journals[i];
	return NULL;
}

/* Windows that have finished, each once; a journal that is there stays as it is. */
static void model_journal(void)
{
	uint64_t n = w.now.newest - KEPT;

	for (n = n > w.journalled ? n : w.journalled; n < w.now.newest; n++) {
		const struct amounts *a = window_at(&w.now, n);

		if (total(a) > 0 && journal_of(n) == NULL) {
			assert_in_range(w.journal_count, 0, JOURNALS_MAX - 1);
			w.journals[w.journal_count++] = *a;
		}
	}
	w.journalled = n;
}

/* --- the real ones ------------------------------------------------------------------------- */

static struct series *nth(unsigned kind)
{
	static const char *const names[KINDS - 1] = { "hosts", "names" };

	return kind < KINDS - 1 ? series_defined(w.all, slice_of(names[kind]))
				: series_builtin(w.all, EVENT_REJECTION, 0);
}

/* Everybody looks at it, and finds the newest window that there was (D43): no later one than the
 * clock ever showed, no earlier one than it shows. */
static void set_clock(uint64_t wall_ms)
{
	struct series_info info;

	w.wall_ms = wall_ms;
	w.highest_ms = wall_ms > w.highest_ms ? wall_ms : w.highest_ms;
	clock_stop(true, w.alone_ms, wall_ms);
	w.now.newest = w.highest_ms / WINDOW_MS;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		series_describe(nth(kind), &info);
		if (info.events > 0)
			assert_int_equal(info.window, w.now.newest);
	}
}

static void define(const char *name, enum series_type type)
{
	struct series_definition d = {
		.type = type, .monitor = monitor, .persist = true, .serialize = true,
	};
	bool dropped;

	snprintf(d.name, sizeof d.name, "%s", name);
	assert_null(series_define(w.all, &d, &dropped));
}

static void live(uint64_t wall_ms)
{
	const struct keeper_rules rules = { w.series_dir, w.journal_dir, UINT32_MAX, 0 };

	clock_stop(true, w.alone_ms, wall_ms);
	w.wall_ms = w.highest_ms = wall_ms;
	w.events = w.journalled = 0;
	w.all = series_all_new();
	series_monitors(w.all, &monitor, 1, SERIES_BYTES_STANDARD, true);
	define("hosts", SERIES_CIDR);
	define("names", SERIES_STRING);
	w.keeper = keeper_new(w.all, &rules);
	keeper_inherit(w.keeper);
	keeper_turn(w.keeper);
	model_load();
	model_journal();
}

static void die(void)
{
	keeper_stop(w.keeper);
	series_all_free(w.all);
}

static void task_done(struct keeper_task *task)
{
	(void)task;
}

static void ask(enum keeper_work work, const char *series, const char *file)
{
	struct keeper_task task = {
		.work = work, .series = series, .file = file, .done = task_done,
	};

	keeper_ask(w.keeper, &task);
	keeper_turn(w.keeper);
	assert_string_equal(task.wrong, "");
	model_journal();
}

/* Where nothing was ever added the file stays as it is. */
static void save(void)
{
	uint64_t sum = w.events;

	ask(KEEPER_SAVE, NULL, NULL);
	for (unsigned back = 0; back <= KEPT; back++)
		sum += total(window_at(&w.now, w.now.newest - back));
	if (sum > 0)
		w.saved = w.now;
}

static struct series_key key_of(unsigned host)
{
	static const char *const names[HOSTS] = { "ada", "bob", "cy", "dora", "eve", "fay" };
	const struct addr a = v4(0xc0000200 + host);

	return (struct series_key){ cidr_of(&a, 32), slice_of(names[host]) };
}

static void happen(unsigned host)
{
	struct series_key key = key_of(host);

	assert_null(series_add(nth(0), &key, 1, NULL));
	assert_null(series_add(nth(1), &key, 1, NULL));
	series_event(w.all, EVENT_REJECTION, &key.block.addr);
	window_at(&w.now, w.now.newest)->of[host]++;
	w.events++;
}

static uint64_t sum_of(unsigned kind, unsigned host, unsigned first, unsigned last)
{
	const struct series_key key = key_of(host);
	struct bounds b;

	assert_null(series_sum(nth(kind), &key, first, last, &b));
	assert_int_equal(b.low, b.high);
	return b.low;
}

static uint64_t want_sum(unsigned host, unsigned first, unsigned last)
{
	uint64_t sum = 0;

	for (unsigned back = first; back <= last; back++)
		sum += window_at(&w.now, w.now.newest - back)->of[host];
	return sum;
}

static void expect_sums(unsigned host)
{
	const struct series_key key = key_of(host);
	uint64_t begins = w.now.newest * WINDOW_MS;
	double alpha = w.wall_ms > begins ? (double)(w.wall_ms - begins) / WINDOW_MS : 0;
	double sliding = (double)want_sum(host, 0, 0) + (1 - alpha) * (double)want_sum(host, 1, 1);
	struct bounds b;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned last = kind < KINDS - 1 ? KEPT - 1 : KEPT; /* D44 */

		for (unsigned n = 0; n <= last; n++)
			assert_int_equal(sum_of(kind, host, n, n), want_sum(host, n, n));
		assert_int_equal(sum_of(kind, host, 0, last), want_sum(host, 0, last));
		assert_null(series_sliding(nth(kind), &key, &b)); /* D46 */
		assert_int_equal(b.low, (uint64_t)sliding);
		assert_int_equal(b.high, b.low);
	}
}

/* --- what is in journals ------------------------------------------------------------------- */

static void expect_journal(const char *file, const struct amounts *want)
{
	char *path = mem_printf("%s/%s", w.journal_dir, file), why[VOLUME_WHY_MAX];
	struct volume *v = volume_open(path, why);
	struct volume_walk walk = { .nth = 0 };
	struct series_text texts[TALLY_TURN];

	assert_non_null(v);
	assert_int_equal(volume_windows(v), 1);
	assert_int_equal(volume_window(v, 0)->number, want->number);
	assert_int_equal(volume_window(v, 0)->sums[0] + volume_window(v, 0)->texts, total(want));
	for (unsigned host = 0; host < HOSTS; host++) {
		struct cidr block = key_of(host).block;
		struct bounds b;

		assert_true(volume_sum(v, 0, &block, &b));
		if (volume_about(v)->is.type == SERIES_CIDR)
			assert_int_equal(b.low, want->of[host]);
	}
	for (unsigned n; (n = volume_next_text(v, &walk, texts)) > 0;)
		for (unsigned i = 0; i < n; i++)
			for (unsigned host = 0; host < HOSTS; host++)
				if (slice_equal(texts[i].key, key_of(host).text))
					assert_int_equal(texts[i].amount, want->of[host]);
	volume_close(v);
	free(path);
}

/* Two series have them: one of each window that finished with anything in it, and no others. */
static void expect_journals(void)
{
	DIR *dir = opendir(w.journal_dir);
	char series[SERIES_NAME_MAX + 1];
	const struct dirent *e;
	unsigned count = 0;
	uint64_t end_s;

	while ((e = readdir(dir)) != NULL) {
		const struct amounts *want;

		if (!shelf_is_journal(e->d_name, series, sizeof series, &end_s))
			continue;
		want = journal_of(end_s / SECONDS - 1);
		if (want == NULL)
			fail_msg("%s: no such window has finished", e->d_name);
		else
			expect_journal(e->d_name, want);
		count++;
	}
	closedir(dir);
	assert_int_equal(count, 2 * w.journal_count);
}

/* --- */

static void begin(const char *zone, uint64_t began_s)
{
	setenv("TZ", zone, 1);
	tzset();
	log_set_level(LOG_ERROR + 1);
	memset(&w, 0, sizeof w);
	w.random.state = began_s;
	w.alone_ms = 5000;
	snprintf(w.dir, sizeof w.dir, "/tmp/test_clock.XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.series_dir, sizeof w.series_dir, "%s/series", w.dir);
	snprintf(w.journal_dir, sizeof w.journal_dir, "%s/journal", w.dir);
	assert_int_equal(mkdir(w.journal_dir, 0750), 0);
	live(began_s * 1000);
}

static void end(void)
{
	char *command = mem_printf("rm -rf '%s'", w.dir);

	die();
	assert_int_equal(system(command), 0);
	free(command);
	clock_stop(false, 0, 0);
	unsetenv("TZ");
	tzset();
}

/* How far the clock jumps, either way: within a window, or over some. */
static int64_t jump(void)
{
	uint64_t most = random_below(&w.random, 6) > 0 ? WINDOW_MS : 2 * KEPT * WINDOW_MS;
	int64_t by = (int64_t)random_below(&w.random, most);

	return random_below(&w.random, 2) ? by : -by;
}

/* Seconds go by; the clock is slewed, or set, or the machine sleeps. */
static void pass(void)
{
	uint64_t ms = random_below(&w.random, 8000);
	int64_t wall = (int64_t)(w.wall_ms + ms) + (int64_t)ms * w.slew_ppm / 1000000;

	w.alone_ms += ms;
	switch (random_below(&w.random, 100)) {
	case 0:
		wall += (int64_t)random_below(&w.random, 3600 * 1000); /* suspended */
		break;
	case 1:
	case 2:
	case 3:
		wall += jump();
		break;
	case 4:
		w.slew_ppm = (int64_t)random_below(&w.random, 1000) - 500;
		break;
	}
	set_clock((uint64_t)wall);
}

/* A crash, or a stop that saves; the clock may be another one after it. */
static void restart(void)
{
	uint64_t wall = w.wall_ms;

	if (random_below(&w.random, 2))
		save();
	if (random_below(&w.random, 2))
		wall += (uint64_t)jump();
	die();
	live(wall);
}

static void test_every_event_in_its_window_D43_T16(void **state)
{
	static const struct {
		const char *zone;
		uint64_t began_s;
	} cases[] = {
		{ "Europe/Berlin", 1792886400 },    /* 2026-10-25T00:00Z: back at 01:00Z */
		{ "America/St_Johns", 1772945400 }, /* 2026-03-08T04:50Z: forth at 05:30Z */
		{ "UTC", 1483228740 },		    /* 2016-12-31T23:59Z: a leap second */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(cases[i].zone, cases[i].began_s);
		for (unsigned turn = 0; turn < TURNS; turn++) {
			pass();
			happen((unsigned)random_below(&w.random, HOSTS));
			expect_sums((unsigned)random_below(&w.random, HOSTS));
			if (random_below(&w.random, 3) == 0) {
				keeper_turn(w.keeper);
				model_journal();
			}
			if (random_below(&w.random, 200) == 0)
				save();
			if (random_below(&w.random, 200) == 0)
				restart();
		}
		assert_true(w.journal_count > TURNS * 3 / SECONDS / 2);
		expect_journals();
		end();
	}
}

/* The hour that comes twice has its journals once each. */
static void test_names_of_journals_where_clocks_go_back_T16(void **state)
{
	static const char *const names[] = { "hosts.20261025T005900Z", "hosts.20261025T010000Z",
					     "names.20261025T015900Z", "names.20261025T025900Z" };

	(void)state;
	begin("Europe/Berlin", 1792884600); /* 2026-10-24T23:30Z: half past one */
	for (uint64_t s = 0; s < 4 * 3600; s += SECONDS) {
		set_clock((1792884600 + s) * 1000);
		happen(0);
		keeper_turn(w.keeper);
		model_journal();
	}
	assert_int_equal(w.journal_count, 4 * 60 - 1);
	expect_journals();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = mem_printf("%s/%s", w.journal_dir, names[i]);

		assert_int_equal(access(path, F_OK), 0);
		free(path);
	}
	end();
}

/* Loaded on demand while the clock is behind what was seen: windows that are there stay as they
 * are. */
static void test_a_load_after_a_step_back_doubles_nothing_D43(void **state)
{
	(void)state;
	begin("UTC", 1795168800);
	for (unsigned n = 0; n < 4; n++) {
		set_clock(w.wall_ms + WINDOW_MS);
		happen(0);
	}
	save();
	for (unsigned back = 1; back <= 2 * KEPT; back++) {
		set_clock(w.highest_ms - back * WINDOW_MS);
		ask(KEEPER_LOAD, "hosts", NULL);
		ask(KEEPER_LOAD, "names", NULL);
		expect_sums(0);
		assert_int_equal(sum_of(0, 0, 0, KEPT - 1), 4);
	}
	end();
}

/* Saved while the clock was ahead: all of it counts as now, whoever loads it (3.2). */
static void test_a_file_of_the_future_loses_nothing(void **state)
{
	(void)state;
	for (unsigned on_demand = 0; on_demand < 2; on_demand++) {
		begin("UTC", 1795168800);
		for (unsigned n = 0; n < 4; n++) {
			set_clock(w.wall_ms + WINDOW_MS);
			happen(n);
		}
		save();
		die();
		if (on_demand) {
			char *from = mem_printf("%s/hosts", w.series_dir);
			char *to = mem_printf("%s/copy", w.dir);

			assert_int_equal(rename(from, to), 0);
			live(1795168800 * (uint64_t)1000 - WINDOW_MS);
			ask(KEEPER_LOAD, "hosts", to);
			free(from);
			free(to);
		} else {
			live(1795168800 * (uint64_t)1000 - WINDOW_MS);
		}
		for (unsigned n = 0; n < 4; n++)
			expect_sums(n);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_in_its_window_D43_T16),
		cmocka_unit_test(test_names_of_journals_where_clocks_go_back_T16),
		cmocka_unit_test(test_a_load_after_a_step_back_doubles_nothing_D43),
		cmocka_unit_test(test_a_file_of_the_future_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
