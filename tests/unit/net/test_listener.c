#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/listener.h"

struct hall {
	struct loop *loop;
	struct listener *listener;
	struct timer stop;
	int fds[64];
	unsigned count;
	unsigned starved;
	struct addr peer;
};

static void accepted(void *owner, int fd, const struct addr *peer, uint16_t port)
{
	struct hall *h = owner;

	(void)port;
	h->peer = *peer;
	h->fds[h->count++ % 64] = fd;
}

static void starved(void *owner, int error)
{
	struct hall *h = owner;

	assert_int_equal(error, EMFILE);
	h->starved++;
}

static void stop(void *arg)
{
	loop_stop(((struct hall *)arg)->loop);
}

static void turn(struct hall *h, unsigned ms)
{
	timer_set(&h->stop, ms);
	loop_run(h->loop);
}

static struct endpoint unix_at(const char *dir)
{
	struct endpoint at = { 0 };

	snprintf(at.path, sizeof at.path, "%s/sock", dir);
	return at;
}

static void hall_open(struct hall *h, const struct endpoint *at)
{
	const char *why = NULL;
	int fd = listener_socket(at, 64, 0600, false, &why);

	assert_true(fd >= 0);
	*h = (struct hall){ .loop = loop_new() };
	timer_init(&h->stop, h->loop, stop, h);
	h->listener = listener_new(h->loop, fd, accepted, starved, h);
}

static void hall_close(struct hall *h)
{
	listener_free(h->listener);
	for (unsigned i = 0; i < h->count; i++)
		close(h->fds[i]);
	loop_free(h->loop);
}

static int dial(const struct endpoint *to)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void D51_a_unix_peer_is_127_0_0_1_and_the_file_has_its_mode(void **state)
{
	char dir[] = "/tmp/listener.XXXXXX", text[ADDR_TEXT_MAX];
	struct endpoint at = unix_at(mkdtemp(dir));
	struct stat st;
	struct hall h;
	int client;

	(void)state;
	hall_open(&h, &at);
	assert_int_equal(stat(at.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	client = dial(&at);
	turn(&h, 10);
	assert_int_equal(h.count, 1);
	assert_string_equal(addr_print(&h.peer, text), "127.0.0.1");
	close(client);
	hall_close(&h);
	unlink(at.path);
	rmdir(dir);
}

static void a_stale_socket_file_is_replaced_a_live_one_is_not(void **state)
{
	char dir[] = "/tmp/listener.XXXXXX";
	struct endpoint at = unix_at(mkdtemp(dir));
	const char *why = NULL;
	struct hall h;

	(void)state;
	hall_open(&h, &at);
	assert_int_equal(listener_socket(&at, 8, 0600, false, &why), -1);
	assert_string_equal(why, "another process listens on it");
	hall_close(&h); /* its file stays, as after a crash */
	hall_open(&h, &at);
	hall_close(&h);
	unlink(at.path);
	rmdir(dir);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void without_descriptors_it_pauses_and_goes_on_later(void **state)
{
	char dir[] = "/tmp/listener.XXXXXX";
	struct endpoint at = unix_at(mkdtemp(dir));
	struct rlimit before, low;
	int clients[8], next = 0;
	double began;
	struct hall h;

	(void)state;
	hall_open(&h, &at);
	for (; next < 8; next++)
		clients[next] = dial(&at);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = (rlim_t)dup(0) + 3; /* room for three more or so */
	close((int)low.rlim_cur - 3);
	setrlimit(RLIMIT_NOFILE, &low);
	began = cpu_seconds();
	turn(&h, 350);
	assert_true(h.count < 8);
	assert_int_equal(h.starved, 1); /* it looks every 100 ms whether one is free */
	assert_true(cpu_seconds() - began < 0.2);
	setrlimit(RLIMIT_NOFILE, &before);
	turn(&h, 200);
	assert_int_equal(h.count, 8);
	while (next > 0)
		close(clients[--next]);
	hall_close(&h);
	unlink(at.path);
	rmdir(dir);
}

/* What is inside can still open what it needs: a next hop, a file. */
static void one_descriptor_in_so_many_is_left_to_others(void **state)
{
	char dir[] = "/tmp/listener.XXXXXX";
	struct endpoint at = unix_at(mkdtemp(dir));
	struct rlimit before, low;
	int clients[30], next = 0, others;
	struct hall h;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &low);
	hall_open(&h, &at);
	listener_leave(h.listener, 8);
	for (; next < 30; next++)
		clients[next] = dial(&at);
	turn(&h, 350);
	assert_in_range(h.count, 1, 29);
	assert_in_range(h.starved, 1, 2); /* no try where none is free */
	others = dup(0);
	assert_in_range(others, 56, 58);
	close(others);
	setrlimit(RLIMIT_NOFILE, &before);
	while (next > 0)
		close(clients[--next]);
	hall_close(&h);
	unlink(at.path);
	rmdir(dir);
}

static void an_address_that_is_taken_or_not_ours_says_why(void **state)
{
	struct endpoint at;
	const char *why = NULL;

	(void)state;
	assert_null(endpoint_parse(SLICE("192.0.2.1:2525"), &at));
	assert_int_equal(listener_socket(&at, 8, 0, false, &why), -1);
	assert_string_equal(why, "Cannot assign requested address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(D51_a_unix_peer_is_127_0_0_1_and_the_file_has_its_mode),
		cmocka_unit_test(a_stale_socket_file_is_replaced_a_live_one_is_not),
		cmocka_unit_test(without_descriptors_it_pauses_and_goes_on_later),
		cmocka_unit_test(one_descriptor_in_so_many_is_left_to_others),
		cmocka_unit_test(an_address_that_is_taken_or_not_ours_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
