/* A message in memory and in its file, a disk that is slow or full, and an owner that goes. */
#include "relay/scene.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"

enum { PIECE = 64 << 10 };

/* One disk thread, and a job on it that holds it until it is let go. */
struct disk {
	struct loop *loop;
	struct jobs *jobs;
	struct job hold;
	int gate[2];
	bool ready;
};

static int gate_fd;

static void hold_work(struct job *job)
{
	char c;

	(void)job;
	assert_int_equal(read(gate_fd, &c, 1), 1);
}

static void hold_done(struct job *job)
{
	(void)job;
}

static void disk_hold(struct disk *d)
{
	gate_fd = d->gate[0];
	jobs_start(d->jobs, d->loop, &d->hold, hold_work, hold_done);
}

static void disk_let_go(struct disk *d)
{
	assert_int_equal(write(d->gate[1], "x", 1), 1);
}

static void disk_open(struct disk *d)
{
	memset(d, 0, sizeof *d);
	d->loop = loop_new();
	d->jobs = jobs_new(1);
	assert_int_equal(pipe(d->gate), 0);
}

static void disk_close(struct disk *d)
{
	for (int i = 0; i < 30; i++) {
		event_base_loop(loop_base(d->loop), EVLOOP_NONBLOCK);
		usleep(300);
	}
	jobs_free(d->jobs);
	event_base_loop(loop_base(d->loop), EVLOOP_NONBLOCK);
	loop_free(d->loop);
	close(d->gate[0]);
	close(d->gate[1]);
}

static void on_ready(void *owner)
{
	((struct disk *)owner)->ready = true;
}

static enum message_state settle(struct disk *d, struct message *m, enum message_state state)
{
	if (state != MESSAGE_BUSY)
		return state;
	for (d->ready = false; !d->ready;)
		event_base_loop(loop_base(d->loop), EVLOOP_ONCE);
	return message_state(m);
}

/* Octets that tell where they belong. */
static char *pattern(size_t len)
{
	char *at = mem_new(len + 1);

	for (size_t i = 0; i < len; i++)
		at[i] = (char)('a' + (i ^ i >> 8 ^ i >> 16) % 26);
	return at;
}

static enum message_state fill(struct disk *d, struct message *m, const char *bytes, size_t len,
			       size_t part)
{
	enum message_state state = MESSAGE_READY;

	for (size_t at = 0; at < len && state == MESSAGE_READY; at += part) {
		struct slice s = { bytes + at, len - at < part ? len - at : part };

		state = settle(d, m, message_add(m, s));
	}
	return state == MESSAGE_READY ? settle(d, m, message_finish(m)) : state;
}

static const struct keep_case {
	const char *name;
	size_t len, part, memory_max;
	bool want_memory;
} keep_cases[] = {
	{ "empty", 0, 1, 100, true },
	{ "empty, no memory", 0, 1, 0, true },
	{ "up to the limit", 1000, 10, 1000, true },
	{ "one octet more", 1001, 10, 1000, false },
	{ "no memory", 1, 1, 0, false },
	{ "a piece", PIECE, 100, 1000, false },
	{ "a piece and one", PIECE + 1, PIECE + 1, 1000, false },
	{ "pieces, in small parts", 5 * PIECE + 7, 1000, 1000, false },
	{ "pieces, at once", 5 * PIECE + 7, 5 * PIECE + 7, 1000, false },
	{ "more memory than a piece", 5 * PIECE, 1000, 3 * PIECE, false },
	{ "many pieces", 100 * PIECE, 60000, 1000, false },
};

static void test_keep(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof keep_cases / sizeof keep_cases[0]; i++) {
		const struct keep_case *c = &keep_cases[i];
		char *bytes = pattern(c->len), *back = mem_new(c->len + 10);
		struct message *m;
		struct slice all;
		struct disk d;

		print_message("%s\n", c->name);
		disk_open(&d);
		m = message_new(d.loop, d.jobs, "/tmp", c->memory_max, on_ready, &d);
		assert_int_equal(fill(&d, m, bytes, c->len, c->part), MESSAGE_READY);
		assert_int_equal(message_size(m), c->len);
		assert_int_equal(message_in_memory(m, &all), c->want_memory);
		if (c->want_memory)
			assert_true(slice_equal(all, (struct slice){ bytes, c->len }));
		assert_int_equal(message_pread(m, back, c->len + 10, 0), c->len);
		assert_memory_equal(back, bytes, c->len);
		if (c->len > 10) {
			assert_int_equal(message_pread(m, back, 5, c->len - 7), 5);
			assert_memory_equal(back, bytes + c->len - 7, 5);
			assert_int_equal(message_pread(m, back, 50, c->len - 7), 7);
		}
		assert_int_equal(message_pread(m, back, 5, c->len + 5), 0);
		message_unref(m);
		disk_close(&d);
		free(bytes);
		free(back);
	}
}

/* The disk does not come along: one piece is out, one may gather, then it is BUSY. */
static void test_slow_disk(void **state)
{
	char *bytes = pattern(4 * PIECE), back[16];
	struct message *m;
	struct disk d;
	size_t taken = 0;

	(void)state;
	disk_open(&d);
	disk_hold(&d);
	m = message_new(d.loop, d.jobs, "/tmp", 1000, on_ready, &d);
	while (message_state(m) == MESSAGE_READY) {
		message_add(m, (struct slice){ bytes + taken, 1024 });
		taken += 1024;
	}
	assert_int_equal(taken, 2 * PIECE);
	/* The rest of what was read, and even the end, are not lost. */
	assert_int_equal(message_add(m, (struct slice){ bytes + taken, 100 }), MESSAGE_BUSY);
	taken += 100;
	assert_int_equal(message_finish(m), MESSAGE_BUSY);
	disk_let_go(&d);
	assert_int_equal(settle(&d, m, MESSAGE_BUSY), MESSAGE_READY);
	assert_int_equal(message_size(m), taken);
	assert_int_equal(message_pread(m, back, 16, taken - 16), 16);
	assert_memory_equal(back, bytes + taken - 16, 16);
	message_unref(m);
	disk_close(&d);
	free(bytes);
}

/* The last reference goes while a job is out, or right behind it; nobody is told. */
static void test_gone(void **state)
{
	char *bytes = pattern(3 * PIECE);

	(void)state;
	for (int at = 0; at < 6; at++) {
		struct message *m;
		struct disk d;

		disk_open(&d);
		disk_hold(&d);
		m = message_new(d.loop, d.jobs, "/tmp", 1000, on_ready, &d);
		message_ref(m);
		if (at > 0)
			message_add(m, (struct slice){ bytes, PIECE });
		if (at > 1)
			message_add(m, (struct slice){ bytes, at > 2 ? PIECE : 10 });
		if (at == 2)
			message_finish(m);
		if (at > 3)
			message_orphan(m);
		message_unref(m);
		if (at == 5)
			disk_let_go(&d);
		message_unref(m);
		if (at != 5)
			disk_let_go(&d);
		disk_close(&d);
		assert_false(d.ready);
	}
	message_unref(NULL);
	free(bytes);
}

static unsigned open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 200; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_broken(void **state)
{
	const struct {
		const char *name, *dir;
		size_t size_max; /* of a file */
	} cases[] = {
		{ "no directory", "/nonexistent", 0 },
		{ "not a directory", "/dev/null", 0 },
		{ "disk full at once", "/tmp", 1000 },
		{ "disk full later", "/tmp", 5 * PIECE },
	};
	char *bytes = pattern(20 * PIECE);
	struct rlimit was, now;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsigned files = open_files();

		for (size_t len = 1001; len <= 20 * PIECE; len += 4 * PIECE) {
			struct message *m;
			struct disk d;

			if (cases[i].size_max > len)
				continue;
			print_message("%s, %zu octets\n", cases[i].name, len);
			disk_open(&d);
			now = was;
			if (cases[i].size_max > 0)
				now.rlim_cur = cases[i].size_max;
			setrlimit(RLIMIT_FSIZE, &now);
			m = message_new(d.loop, d.jobs, cases[i].dir, 1000, on_ready, &d);
			assert_int_equal(fill(&d, m, bytes, len, 5000), MESSAGE_BROKEN);
			assert_int_equal(message_finish(m), MESSAGE_BROKEN);
			message_unref(m);
			disk_close(&d);
			setrlimit(RLIMIT_FSIZE, &was);
		}
		assert_int_equal(open_files(), files);
	}
	free(bytes);
}

static int be_quiet(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR + 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_slow_disk),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
