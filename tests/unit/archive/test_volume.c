/* Files of windows: what was written comes back, sums by the index, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/entries.h"
#include "archive/volume.h"
#include "archive/volume_format.h"
#include "base/mem.h"

static char dir[] = "/tmp/test_volume.XXXXXX";
static char path[sizeof dir + 8], temporary[sizeof dir + 16], why[VOLUME_WHY_MAX];

static struct volume_about about_of(enum series_type type)
{
	return (struct volume_about){
		.is = { .name = "badrcpt4", .type = type, .monitor = { 300, 6 },
			.persist = true, .max_bytes = 1 << 20 },
		.event = -1,
		.is_defined = true,
		.saved_ms = 1700000000123,
	};
}

static struct cidr block_of(const char *text)
{
	struct cidr c;

	assert_null(cidr_parse(slice_of(text), &c));
	return c;
}

static struct volume *open_it(void)
{
	struct volume *v = volume_open(path, why);

	if (v == NULL)
		fail_msg("%s", why);
	return v;
}

static void commit(struct volume_writer *w)
{
	if (!volume_commit(w, why))
		fail_msg("%s", why);
}

/* --- round trips against a plain list ------------------------------------------------------ */

enum { LIST_MAX = 2000 };
struct list {
	struct tally_entry at[LIST_MAX];
	unsigned n;
};

/* Crowded, so that blocks of every length hold some; one in `rests` is a fold's. */
static void list_fill(struct list *l, unsigned want, unsigned rests)
{
	unsigned kept = 0;

	l->n = want;
	for (unsigned i = 0; i < want; i++) {
		struct addr a = { .family = random_number() % 2 == 0 ? ADDR_V4 : ADDR_V6 };
		unsigned bits = addr_bits(&a), len = bits;

		a.hi = UINT64_C(0x0a01000000000000) | (random_number() % 4096) << 32;
		if (a.family == ADDR_V6) {
			a.hi |= random_number() % 4;
			a.lo = random_number() % 4 << 60 | random_number() % 64;
		}
		if (rests > 0 && random_number() % rests == 0)
			len = random_number() % (bits / 4) * 4;
		l->at[i] = (struct tally_entry){ cidr_of(&a, len), 1 + random_number() % 1000 };
	}
	qsort(l->at, l->n, sizeof *l->at, entry_order);
	for (unsigned i = 0; i < l->n; i++)
		if (i == 0 || entry_order(&l->at[kept - 1], &l->at[i]) != 0)
			l->at[kept++] = l->at[i];
	l->n = kept;
}

static struct bounds list_sum(const struct list *l, const struct cidr *block)
{
	return entries_sum(l->at, l->n, block);
}

static void write_lists(const struct list *lists, unsigned n)
{
	struct volume_about about = about_of(SERIES_ADDRESSES);
	struct volume_writer *w = volume_create(path, &about, why);

	if (w == NULL)
		fail_msg("%s", why);
	for (unsigned i = 0; i < n; i++) {
		assert_true(volume_begin_window(w, 100 + 2 * i));
		for (unsigned e = 0; e < lists[i].n; e++)
			assert_true(volume_add(w, &lists[i].at[e]));
	}
	commit(w);
}

static void compare_walk(struct volume *v, unsigned nth, const struct list *want)
{
	struct volume_walk walk = { .nth = nth };
	struct tally_entry got[TALLY_TURN];
	unsigned n, at = 0;

	while ((n = volume_next(v, &walk, got)) > 0) {
		for (unsigned i = 0; i < n; i++, at++) {
			assert_true(at < want->n);
			assert_true(cidr_equal(&got[i].block, &want->at[at].block));
			assert_int_equal(got[i].amount, want->at[at].amount);
		}
	}
	assert_null(volume_wrong(v));
	assert_int_equal(at, want->n);
}

static void compare_sums(struct volume *v, unsigned nth, const struct list *want)
{
	for (unsigned i = 0; i < 400; i++) {
		const struct tally_entry *e = &want->at[random_number() % want->n];
		unsigned len = random_number() % (addr_bits(&e->block.addr) + 1);
		struct cidr block = cidr_of(&e->block.addr, len);
		struct bounds got, is = list_sum(want, &block);
		char text[CIDR_TEXT_MAX];

		assert_true(volume_sum(v, nth, &block, &got));
		if (got.low != is.low || got.high != is.high)
			fail_msg("%s: %ju..%ju, not %ju..%ju", cidr_print(&block, text),
				 (uintmax_t)got.low, (uintmax_t)got.high, (uintmax_t)is.low,
				 (uintmax_t)is.high);
	}
}

/* Cut to one level: nothing is lost, and nothing is longer. */
static void compare_levels(struct volume *v, unsigned nth, const struct list *want)
{
	static const char *const within[] = { "10.0.0.0/8", "10.1.0.0/20", "0.0.0.0/0",
					      "a01::/16" };
	static const unsigned levels[] = { 12, 16, 20, 24, 27, 32, 64, 125 };

	for (unsigned i = 0; i < sizeof within / sizeof *within; i++) {
		for (unsigned l = 0; l < sizeof levels / sizeof *levels; l++) {
			struct cidr block = block_of(within[i]);
			struct volume_walk walk = { .nth = nth, .level = levels[l] };
			struct tally_entry got[TALLY_TURN];
			uint64_t sum = 0, is = 0;
			unsigned n;

			if (levels[l] < block.len)
				continue;
			walk.first = walk.last = block.addr;
			walk.last.hi |= UINT64_MAX >> block.len;
			walk.last.lo = UINT64_MAX;
			while ((n = volume_next(v, &walk, got)) > 0) {
				for (unsigned r = 0; r < n; r++) {
					assert_true(cidr_contains(&block, &got[r].block.addr));
					assert_true(got[r].block.len <= levels[l]);
					sum += got[r].amount;
				}
			}
			for (unsigned r = 0; r < want->n; r++)
				if (cidr_contains(&block, &want->at[r].block.addr))
					is += want->at[r].amount;
			assert_int_equal(sum, is);
		}
	}
}

static void test_round_trip(void **state)
{
	static const struct {
		const char *name;
		unsigned entries, rests;
	} cases[] = {
		{ "one", 1, 0 },	 { "one block", 256, 0 },     { "one more", 257, 0 },
		{ "many", LIST_MAX, 0 }, { "with folds", 1000, 20 }, { "folds alone", 500, 1 },
	};
	struct list *lists = mem_array(3, sizeof *lists);

	(void)state;
	for (unsigned c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct volume *v;

		random_state = c;
		list_fill(&lists[0], cases[c].entries, cases[c].rests);
		lists[1].n = 0;
		list_fill(&lists[2], cases[c].entries / 2 + 1, cases[c].rests);
		write_lists(lists, 3);
		v = open_it();
		assert_int_equal(volume_windows(v), 3);
		for (unsigned i = 0; i < 3; i++) {
			struct cidr v4 = block_of("0.0.0.0/0"), v6 = block_of("::/0");
			const struct volume_window *w = volume_window(v, i);

			assert_int_equal(w->number, 100 + 2 * i);
			assert_int_equal(w->records, lists[i].n);
			assert_int_equal(w->sums[0], list_sum(&lists[i], &v4).low);
			assert_int_equal(w->sums[1], list_sum(&lists[i], &v6).low);
			compare_walk(v, i, &lists[i]);
			if (lists[i].n > 0) {
				compare_sums(v, i, &lists[i]);
				compare_levels(v, i, &lists[i]);
			}
		}
		assert_null(volume_window(v, 3));
		assert_true(volume_check(v));
		volume_close(v);
	}
	free(lists);
}

/* A crowd inside one block of the level is summed up from the directory. */
static void test_level_reads_little(void **state)
{
	struct volume_about about = about_of(SERIES_CIDR);
	struct volume_writer *w = volume_create(path, &about, why);
	struct volume_walk walk = { .level = 8 };
	struct tally_entry got[TALLY_TURN], e = { block_of("10.0.0.0"), 3 };
	struct volume *v;

	(void)state;
	assert_true(volume_begin_window(w, 1));
	for (unsigned i = 0; i < 10 * BLOCK_RECORDS; i++, e.block.addr.hi += UINT64_C(1) << 32)
		assert_true(volume_add(w, &e));
	commit(w);
	v = open_it();
	/* Only the last block is looked at: it could reach further. */
	assert_int_equal(truncate(path, HEADER_OCTETS), 0);
	assert_int_equal(volume_next(v, &walk, got), 0);
	assert_non_null(strstr(volume_wrong(v), "was cut short while it was read"));
	assert_int_equal(walk.block, 9);
	volume_close(v);
}

/* A range that ends inside of a block of the level takes no more of it than that. */
static void test_level_within_a_range(void **state)
{
	static const struct {
		const char *name, *first, *last;
		uint64_t want;
	} cases[] = {
		{ "all", "10.0.0.0", "10.0.9.255", 2560 },
		{ "its end", "10.0.1.7", "10.0.9.255", 2297 },
		{ "its beginning", "10.0.0.0", "10.0.8.0", 2049 },
		{ "in the middle", "10.0.1.0", "10.0.7.255", 1792 },
		{ "one", "10.0.3.3", "10.0.3.3", 1 },
	};
	struct volume_about about = about_of(SERIES_CIDR);
	struct volume_writer *w = volume_create(path, &about, why);
	struct tally_entry got[TALLY_TURN], e = { block_of("10.0.0.0"), 1 };
	struct volume *v;

	(void)state;
	assert_true(volume_begin_window(w, 1));
	for (unsigned i = 0; i < 10 * BLOCK_RECORDS; i++, e.block.addr.hi += UINT64_C(1) << 32)
		assert_true(volume_add(w, &e));
	commit(w);
	v = open_it();
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct volume_walk walk = { .level = 8, .first = block_of(cases[i].first).addr,
					    .last = block_of(cases[i].last).addr };

		if (volume_next(v, &walk, got) != 1 || got[0].amount != cases[i].want)
			fail_msg("%s: %ju", cases[i].name, (uintmax_t)got[0].amount);
		assert_int_equal(volume_next(v, &walk, got), 0);
	}
	volume_close(v);
}

static bool is_same(const struct series_definition *a, const struct series_definition *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       monitor_equal(a->monitor, b->monitor) && a->serialize == b->serialize &&
	       a->persist == b->persist && a->replicate == b->replicate &&
	       a->max_bytes == b->max_bytes;
}

static void test_about_comes_back(void **state)
{
	static const struct {
		const char *name;
		struct volume_about about;
	} cases[] = {
		{ "defined",
		  { .is = { .name = "a.b/c@d %", .type = SERIES_CIDR_IPV6, .monitor = { 1, 2000 },
			    .serialize = true, .replicate = REPLICATE_MANAGER, .max_bytes = 1 },
		    .event = -1, .is_defined = true } },
		{ "built in",
		  { .is = { .name = "connections", .type = SERIES_ADDRESSES,
			    .monitor = { MONITOR_SECONDS_MAX, 1 }, .persist = true,
			    .max_bytes = UINT64_MAX },
		    .event = EVENT_REJECTION, .saved_ms = UINT64_MAX } },
		{ "from Sieve", { .is = { .type = SERIES_STRING, .monitor = { 60, 1 },
					  .replicate = REPLICATE_CLUSTER }, .event = -1 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct volume_about *want = &cases[i].about, *got;
		struct volume_writer *w = volume_create(path, want, why);
		struct volume *v;

		commit(w);
		v = open_it();
		got = volume_about(v);
		if (!is_same(&got->is, &want->is) ||
		    got->event != want->event || got->is_defined != want->is_defined ||
		    got->saved_ms != want->saved_ms || volume_windows(v) != 0)
			fail_msg("%s: another came back", cases[i].name);
		assert_true(volume_check(v));
		volume_close(v);
	}
}

static void test_texts(void **state)
{
	enum { TEXTS = 700 };
	struct volume_about about = about_of(SERIES_STRING);
	struct volume_writer *w = volume_create(path, &about, why);
	struct series_text got[TALLY_TURN];
	struct volume_walk walk = { 0 };
	char key[SERIES_KEY_MAX]; /* a null sender's is empty */
	struct volume *v;
	unsigned n, at = 0;

	(void)state;
	memset(key, 'x', sizeof key);
	key[0] = '\0';
	assert_true(volume_begin_window(w, 7));
	for (unsigned i = 0; i < TEXTS; i++)
		assert_true(volume_add_text(w, (struct slice){ key, i * 7 % sizeof key },
					    i + 1));
	commit(w);
	v = open_it();
	assert_true(volume_check(v));
	assert_int_equal(volume_window(v, 0)->texts, TEXTS * (TEXTS + 1) / 2);
	while ((n = volume_next_text(v, &walk, got)) > 0) {
		for (unsigned i = 0; i < n; i++, at++) {
			assert_int_equal(got[i].key.len, at * 7 % sizeof key);
			assert_memory_equal(got[i].key.at, key, got[i].key.len);
			assert_int_equal(got[i].amount, at + 1);
		}
	}
	assert_null(volume_wrong(v));
	assert_int_equal(at, TEXTS);
	volume_close(v);
}

/* --- what is refused ----------------------------------------------------------------------- */

static size_t read_file(unsigned char *to, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, room, f);
	fclose(f);
	return n;
}

static void write_file(const unsigned char *from, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(from, 1, len, f), len);
	fclose(f);
}

static size_t small_file(unsigned char *to, size_t room)
{
	struct list *list = mem_new(sizeof *list);
	size_t len;

	random_state = 1;
	list_fill(list, 20, 5);
	write_lists(list, 1);
	free(list);
	len = read_file(to, room);
	assert_true(len < room);
	return len;
}

static bool is_refused(const unsigned char *octets, size_t len)
{
	struct volume *v;
	bool refused;

	write_file(octets, len);
	v = volume_open(path, why);
	if (v == NULL)
		return true;
	refused = !volume_check(v);
	if (refused)
		snprintf(why, sizeof why, "%s", volume_wrong(v));
	volume_close(v);
	return refused;
}

static void test_refused_with_a_reason(void **state)
{
	static const struct {
		const char *name;
		int at, octet; /* at < 0: from the end */
		int grow;      /* octets more, or fewer */
		const char *want;
	} cases[] = {
		{ "empty", 0, 0, -100000, "is no file of a series" },
		{ "foreign", 0, '#', 0, "is no file of a series" },
		{ "as a text came", 4, '\n', 0, "is no file of a series" },
		{ "newer", 8, 3, 0, "written by a newer version (3; this one reads up to 1)" },
		{ "version 0", 8, 0, 0, "its header has a wrong checksum" },
		{ "header", 20, 1, 0, "its header has a wrong checksum" },
		{ "a block", HEADER_OCTETS + 1, 'x', 0, "block at octet 64 has a wrong checksum" },
		{ "directory", -1, 1, 0, "its directory has a wrong checksum" },
		{ "one octet short", 0, 0x89, -1, "octets" },
		{ "one octet more", 0, 0x89, 1, "1 octets follow its end" },
	};
	unsigned char octets[4096] = { 0 }, changed[4096];
	size_t len = small_file(octets, sizeof octets);
	char want[64];

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t at = cases[i].at < 0 ? len - (size_t)-cases[i].at : (size_t)cases[i].at;
		long now = (long)len + cases[i].grow;

		memcpy(changed, octets, sizeof octets);
		changed[at] = (unsigned char)cases[i].octet;
		if (!is_refused(changed, now < 0 ? 0 : (size_t)now))
			fail_msg("%s: accepted", cases[i].name);
		if (strstr(why, cases[i].want) == NULL || strncmp(why, path, strlen(path)) != 0)
			fail_msg("%s: %s", cases[i].name, why);
	}
	is_refused(octets, len - 1);
	snprintf(want, sizeof want, "is cut short: %zu of %zu octets", len - 1, len);
	assert_non_null(strstr(why, want));
	is_refused(octets, 10);
	assert_non_null(strstr(why, "is cut short: 10 octets of its header's 64"));
}

static void test_every_torn_or_flipped_octet_is_refused(void **state)
{
	unsigned char octets[4096];
	size_t len = small_file(octets, sizeof octets);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		if (!is_refused(octets, i))
			fail_msg("cut to %zu of %zu octets: accepted", i, len);
		octets[i] ^= 1 << i % 8;
		if (!is_refused(octets, len))
			fail_msg("octet %zu of %zu flipped: accepted", i, len);
		octets[i] ^= 1 << i % 8;
	}
	assert_false(is_refused(octets, len));
}

/* Made on purpose, with all checksums right. */
static void test_hostile(void **state)
{
	enum { DIRECTORY = HEADER_OCTETS + 2 * 13, WINDOW = DIRECTORY + 22 + 8 + 4 };
	enum { SECTION = WINDOW + 8, ENTRY = SECTION + SECTIONS * SECTION_OCTETS };
	static const struct {
		const char *name;
		unsigned at, octets;
		uint64_t value;
		const char *want;
	} cases[] = {
		{ "type", DIRECTORY, 1, 9, "directory makes no sense" },
		{ "texts among addresses", DIRECTORY, 1, SERIES_STRING, "directory makes" },
		{ "flags", DIRECTORY + 1, 1, 8, "directory makes" },
		{ "replicate", DIRECTORY + 2, 1, 3, "directory makes" },
		{ "event", DIRECTORY + 3, 1, EVENTS + 1, "directory makes" },
		{ "no seconds", DIRECTORY + 4, 4, 0, "directory makes" },
		{ "seconds", DIRECTORY + 4, 4, UINT32_MAX, "directory makes" },
		{ "no windows kept", DIRECTORY + 8, 4, 0, "directory makes" },
		{ "long name", DIRECTORY + 20, 2, UINT16_MAX, "directory makes" },
		{ "name's zero", DIRECTORY + 22, 1, 0, "directory makes" },
		{ "many windows", WINDOW - 4, 4, UINT32_MAX, "directory makes" },
		{ "a window more", WINDOW - 4, 4, 2, "directory makes" },
		{ "no window", WINDOW - 4, 4, 0, "directory makes" },
		{ "sum", SECTION, 8, UINT64_MAX, "directory makes" },
		{ "sum of nothing", SECTION, 8, 0, "directory makes no sense" },
		{ "another sum", SECTION, 8, 4, "block at octet 64 makes no sense" },
		{ "records", SECTION + 8, 8, UINT64_MAX, "directory makes" },
		{ "blocks", SECTION + 16, 4, UINT32_MAX, "directory makes" },
		{ "blocks of the next", SECTION + 24 + 16, 4, UINT32_MAX, "directory makes" },
		{ "no lengths of rests", SECTION + 20, 4, 0, "block at octet 64 makes" },
		{ "first key", ENTRY, 8, 0, "block at octet 64 makes" },
		{ "host bits of it", ENTRY, 8, 1, "directory makes" },
		{ "low half of it", ENTRY + 8, 8, 1, "directory makes" },
		{ "sum before", ENTRY + 16, 8, 1, "directory makes" },
		{ "octets", ENTRY + 24, 4, UINT32_MAX, "directory makes" },
		{ "no records", ENTRY + 32, 2, 0, "directory makes" },
		{ "key's length", ENTRY + 34, 1, 255, "directory makes" },
		{ "odd length", ENTRY + 34, 1, 30, "directory makes" },
		{ "keys out of order", HEADER_OCTETS, 4, UINT32_MAX, "block at octet 64 makes" },
		{ "length in a block", HEADER_OCTETS + 9, 1, 33, "block at octet 64 makes" },
		{ "nothing in it", HEADER_OCTETS + 10, 8, 0, "block at octet 64 makes" },
		{ "less in it", HEADER_OCTETS + 18, 8, 1, "block at octet 64 makes" },
		{ "directory first", 24, 8, 0, "header makes no sense" },
		{ "directory behind", 24, 8, UINT64_MAX, "header makes no sense" },
		{ "directory's octets", 32, 8, UINT64_MAX, "header makes no sense" },
		{ "as it is", WINDOW, 8, 1, NULL },
	};
	struct volume_about about = about_of(SERIES_CIDR);
	struct volume_writer *w = volume_create(path, &about, why);
	struct tally_entry rest = { block_of("10.0.0.0/24"), 2 }, e = { block_of("10.0.0.7"), 1 };
	unsigned char octets[512], o[512], value[8];
	size_t len;

	(void)state;
	assert_true(volume_begin_window(w, 1) && volume_add(w, &rest) && volume_add(w, &e));
	commit(w);
	len = read_file(octets, sizeof octets);
	assert_int_equal(len, ENTRY + BLOCK_ENTRY_OCTETS);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		memcpy(o, octets, len);
		put64(value, cases[i].value);
		memcpy(o + cases[i].at, value, cases[i].octets);
		put32(o + ENTRY + 28, octets_crc(o + HEADER_OCTETS, 2 * 13));
		put32(o + 40, octets_crc(o + DIRECTORY, len - DIRECTORY));
		put32(o + 12, header_crc(o));
		if (is_refused(o, len) != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].name, cases[i].want != NULL ? "accepted" : why);
		if (cases[i].want != NULL && strstr(why, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].name, why);
	}
}

static void test_other_files(void **state)
{
	(void)state;
	unlink(path);
	assert_null(volume_open(path, why));
	assert_non_null(strstr(why, strerror(ENOENT)));
	assert_null(volume_open(dir, why));
	assert_non_null(strstr(why, "is no file of a series"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(volume_open(path, why));
	assert_non_null(strstr(why, "is no file of a series"));
	unlink(path);
}

/* pread: an error, where a mapped file would end us with SIGBUS. */
static void test_a_file_that_shrinks(void **state)
{
	struct list *list = mem_new(sizeof *list);
	struct cidr block = block_of("10.1.0.0/16");
	struct bounds sum;
	struct volume *v;

	(void)state;
	list_fill(list, LIST_MAX, 0);
	write_lists(list, 1);
	free(list);
	v = open_it();
	assert_int_equal(truncate(path, 100), 0);
	assert_false(volume_sum(v, 0, &block, &sum));
	assert_non_null(strstr(volume_wrong(v), "was cut short while it was read"));
	assert_false(volume_check(v));
	volume_close(v);
}

/* --- writing ------------------------------------------------------------------------------- */

static void test_written_out_of_order(void **state)
{
	static const struct {
		const char *name;
		const char *first, *second;
		uint64_t first_window, second_window; /* 0: none */
		const char *want;		      /* NULL: fine */
	} cases[] = {
		{ "ascending", "10.0.0.1", "10.0.0.2", 1, 0, NULL },
		{ "no window", "10.0.0.1", "10.0.0.2", 0, 0, "records are out of order" },
		{ "the same", "10.0.0.1", "10.0.0.1", 1, 0, "records are out of order" },
		{ "descending", "10.0.0.2", "10.0.0.1", 1, 0, "records are out of order" },
		{ "IPv4 after IPv6", "::1", "10.0.0.1", 1, 0, "records are out of order" },
		{ "IPv6 after IPv4", "10.0.0.1", "::1", 1, 0, NULL },
		{ "a rest first", "10.0.0.0/24", "10.0.0.0", 1, 0, NULL },
		{ "a rest last", "10.0.0.0", "10.0.0.0/24", 1, 0, "records are out of order" },
		{ "a rest of no nibble", "10.0.0.0/23", "10.0.0.7", 1, 0, "records are out of" },
		{ "two windows", "10.0.0.2", "10.0.0.1", 1, 2, NULL },
		{ "the same window", "10.0.0.1", "10.0.0.2", 2, 2, "window 2 after 2" },
		{ "an older window", "10.0.0.1", "10.0.0.2", 2, 1, "window 1 after 2" },
	};

	(void)state;
	unlink(path);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct volume_about about = about_of(SERIES_ADDRESSES);
		struct volume_writer *w = volume_create(path, &about, why);
		struct tally_entry one = { block_of(cases[i].first), 1 };
		struct tally_entry two = { block_of(cases[i].second), 1 };
		bool fine;

		if (cases[i].first_window > 0)
			volume_begin_window(w, cases[i].first_window);
		volume_add(w, &one);
		if (cases[i].second_window > 0)
			volume_begin_window(w, cases[i].second_window);
		fine = volume_add(w, &two);
		if (fine != (cases[i].want == NULL) || volume_commit(w, why) != fine ||
		    (!fine && strstr(why, cases[i].want) == NULL))
			fail_msg("%s: %s", cases[i].name, why);
		assert_int_equal(access(temporary, F_OK), -1);
		if (fine)
			volume_close(open_it());
	}
}

static void test_too_much_in_a_window(void **state)
{
	struct volume_about about = about_of(SERIES_CIDR);
	struct volume_writer *w = volume_create(path, &about, why);
	struct tally_entry e = { block_of("10.0.0.1"), AMOUNT_MAX };

	(void)state;
	assert_true(volume_begin_window(w, 1) && volume_add(w, &e));
	e.block = block_of("10.0.0.2");
	e.amount = 1;
	assert_false(volume_add(w, &e));
	assert_false(volume_commit(w, why));
	assert_non_null(strstr(why, "holds too much"));
}

/* A full disk: told, the file that was there stays, nothing is left behind. */
static void test_full_disk_leaves_the_old_file(void **state)
{
	static const rlim_t limits[] = { 0, 64, 1000, 5000, 20000 };
	struct list *list = mem_new(sizeof *list);
	struct rlimit before;

	(void)state;
	random_state = 3;
	list_fill(list, LIST_MAX, 0);
	write_lists(list, 1);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit = { limits[i], before.rlim_max };
		struct volume_about about = about_of(SERIES_ADDRESSES);
		struct volume_writer *w = volume_create(path, &about, why);
		struct volume *v;

		setrlimit(RLIMIT_FSIZE, &limit);
		volume_begin_window(w, 1);
		for (unsigned e = 0; e < list->n; e++)
			volume_add(w, &list->at[e]);
		assert_false(volume_commit(w, why));
		setrlimit(RLIMIT_FSIZE, &before);
		assert_non_null(strstr(why, "File too large"));
		assert_int_equal(access(temporary, F_OK), -1);
		v = open_it();
		compare_walk(v, 0, list);
		volume_close(v);
	}
	signal(SIGXFSZ, SIG_DFL);
	free(list);
}

static void test_two_writers(void **state)
{
	struct volume_about about = about_of(SERIES_CIDR);
	struct volume_writer *one, *two;

	(void)state;
	one = volume_create(path, &about, why);
	assert_non_null(one);
	assert_null(volume_create(path, &about, why));
	assert_non_null(strstr(why, "somebody else is writing it"));
	commit(one);
	/* What a crash left is written over. */
	write_file((const unsigned char *)"half", 4);
	assert_int_equal(rename(path, temporary), 0);
	two = volume_create(path, &about, why);
	assert_non_null(two);
	commit(two);
	volume_close(open_it());
}

static void test_nowhere_to_write(void **state)
{
	struct volume_about about = about_of(SERIES_CIDR);

	(void)state;
	assert_null(volume_create("/nonexistent/x", &about, why));
	assert_string_equal(why, "/nonexistent/x.new: No such file or directory");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_level_reads_little),
		cmocka_unit_test(test_level_within_a_range),
		cmocka_unit_test(test_about_comes_back),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_refused_with_a_reason),
		cmocka_unit_test(test_every_torn_or_flipped_octet_is_refused),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_a_file_that_shrinks),
		cmocka_unit_test(test_written_out_of_order),
		cmocka_unit_test(test_too_much_in_a_window),
		cmocka_unit_test(test_full_disk_leaves_the_old_file),
		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_nowhere_to_write),
	};
	int failures;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/x", dir);
	snprintf(temporary, sizeof temporary, "%s.new", path);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failures;
}
