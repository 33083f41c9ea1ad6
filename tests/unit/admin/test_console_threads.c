/* The console at its socket: who comes in, what clients do wrong, and how they leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_world.h"

enum { PATIENCE_MS = 5000 };

struct fixture {
	struct fake_world *f;
	struct console *console;
	struct console_door door;
	char dir[64];
};

static int set_up(void **state)
{
	struct fixture *fx = mem_new(sizeof *fx);

	snprintf(fx->dir, sizeof fx->dir, "/tmp/tidewaiter-test-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	fx->f = fake_world_new();
	fx->door = (struct console_door){
		.name = "x",
		.file_mode = 0660,
		.backlog = 5,
		.timeout_ms = 60000,
		.endpoint = fx->f->control,
	};
	snprintf(fx->door.where.path, sizeof fx->door.where.path, "%s/run/sub/control.sock",
		 fx->dir);
	log_set_level(LOG_ERROR);
	*state = fx;
	return 0;
}

static bool start(struct fixture *fx, struct console **out)
{
	struct complaints complaints;

	complaints_init(&complaints);
	*out = console_start(&fx->f->world, &fx->door, 1, &complaints);
	assert_int_equal(complaints.errors, *out == NULL);
	complaints_free(&complaints);
	return *out != NULL;
}

static int tear_down(void **state)
{
	struct fixture *fx = *state;
	char path[128];

	console_stop(fx->console);
	assert_int_equal(access(fx->door.where.path, F_OK), -1);
	snprintf(path, sizeof path, "%s/run/sub", fx->dir);
	rmdir(path);
	snprintf(path, sizeof path, "%s/run", fx->dir);
	rmdir(path);
	rmdir(fx->dir);
	fake_world_free(fx->f); /* a ticket not given back ends here */
	free(fx);
	return 0;
}

static int dial(const struct fixture *fx)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_sockaddr(&fx->door.where, &sa);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Everything until the console closes. */
static size_t hear_all(int fd, char *out, size_t size)
{
	size_t len = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		n = read(fd, out + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		assert_true(len < size - 1);
	}
	out[len] = '\0';
	close(fd);
	return len;
}

static void wait_for_count(struct fixture *fx, uint64_t want)
{
	struct audit_scope scope = { .service = audit_service_find(fx->f->world.audit, "Control") };

	for (unsigned ms = 0; audit_total(scope) != want; ms++) {
		assert_true(ms < PATIENCE_MS);
		usleep(1000);
	}
}

static void test_conversations_D51(void **state)
{
	static const struct {
		const char *name;
		const char *said;
		const char *want;
	} cases[] = {
		{ "one", "count SMTP 0.0.0.0/0\n", "0\n. 0\n" },
		{ "CRLF", "count SMTP 0.0.0.0/0\r\n", "0\n. 0\n" },
		{ "no end of line", "count SMTP 0.0.0.0/0", "0\n. 0\n" },
		{ "many", "count SMTP ::/0\nshow inbound\ncount SMTP 0.0.0.0/0\n",
		  "0\n. 0\n. 0\n0\n. 0\n" },
		{ "empty line", "\n", ". 64 no command; \"help\" lists them\n" },
		{ "nothing", "", "" },
		{ "counted itself, D51", "count Control 127.0.0.1/32\n", "1\n. 0\n" },
	};
	struct fixture *fx = *state;
	char got[4096];

	assert_true(start(fx, &fx->console));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = dial(fx);

		say(fd, cases[i].said);
		shutdown(fd, SHUT_WR);
		hear_all(fd, got, sizeof got);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got <%s>", cases[i].name, got);
		wait_for_count(fx, 0);
	}
}

static void test_long_line(void **state)
{
	struct fixture *fx = *state;
	char line[5000], got[4096];
	int fd;

	assert_true(start(fx, &fx->console));
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	fd = dial(fx);
	say(fd, line);
	hear_all(fd, got, sizeof got);
	assert_string_equal(got, ". 64 the line is longer than 4096 octets\n");

	line[4096 - 1] = '\n';
	line[4096] = '\0';
	fd = dial(fx);
	say(fd, line);
	shutdown(fd, SHUT_WR);
	hear_all(fd, got, sizeof got);
	assert_memory_equal(got, ". 64 no command \"xxx", 20);
}

static void test_idle(void **state)
{
	struct fixture *fx = *state;
	char got[64];
	int fd;

	fx->door.timeout_ms = 50;
	assert_true(start(fx, &fx->console));
	fd = dial(fx);
	say(fd, "half a li");
	assert_int_equal(hear_all(fd, got, sizeof got), 0);
	wait_for_count(fx, 0);
}

/* Much is asked and nothing read: it ends with the timeout, and others are served meanwhile. */
static void test_who_does_not_read(void **state)
{
	struct fixture *fx = *state;
	char lines[6 * 5000 + 1] = "", got[64];
	int slow, quick;

	fx->door.timeout_ms = 300;
	assert_true(start(fx, &fx->console));
	for (unsigned i = 0; i < 5000; i++)
		memcpy(lines + (size_t)6 * i, "help\n\n", 7);
	slow = dial(fx);
	say(slow, lines);
	quick = dial(fx);
	say(quick, "count SMTP ::/0\n");
	shutdown(quick, SHUT_WR);
	hear_all(quick, got, sizeof got);
	assert_string_equal(got, "0\n. 0\n");
	wait_for_count(fx, 0);
	close(slow);
}

static void test_file(void **state)
{
	struct fixture *fx = *state;
	struct console *second;
	struct stat st;
	char dir[128];
	int fd;

	/* What a daemon that was killed leaves. */
	snprintf(dir, sizeof dir, "%s/run", fx->dir);
	mkdir(dir, 0700);
	snprintf(dir, sizeof dir, "%s/run/sub", fx->dir);
	mkdir(dir, 0700);
	fd = open(fx->door.where.path, O_CREAT | O_WRONLY, 0600);
	assert_false(start(fx, &second)); /* no socket: not ours to remove */
	close(fd);
	unlink(fx->door.where.path);
	rmdir(dir);

	assert_true(start(fx, &fx->console));
	assert_int_equal(stat(fx->door.where.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);

	assert_false(start(fx, &second)); /* somebody listens there */
	close(dial(fx));
	assert_int_equal(access(fx->door.where.path, F_OK), 0);
}

struct caller {
	pthread_t thread;
	struct fixture *fx;
	unsigned answers;
};

/* Asks until the console is gone. */
static void *call(void *arg)
{
	struct caller *c = arg;
	char got[4096];

	for (;;) {
		struct sockaddr_storage sa;
		socklen_t len = endpoint_sockaddr(&c->fx->door.where, &sa);
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&sa, len) != 0) {
			close(fd);
			return NULL;
		}
		if (send(fd, "who\nkick ::/0\nstatus\n", 21, MSG_NOSIGNAL) == 21 &&
		    read(fd, got, sizeof got) > 0)
			c->answers++;
		close(fd);
	}
}

static void test_stop_in_the_middle(void **state)
{
	struct fixture *fx = *state;
	struct caller callers[4] = { 0 };

	assert_true(start(fx, &fx->console));
	for (unsigned i = 0; i < 4; i++) {
		callers[i].fx = fx;
		pthread_create(&callers[i].thread, NULL, call, &callers[i]);
	}
	usleep(100000);
	console_stop(fx->console);
	fx->console = NULL;
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_true(callers[i].answers > 0);
	}
	wait_for_count(fx, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conversations_D51, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_does_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_in_the_middle, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
