#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

enum { LINE_MAX_HERE = 64 };

/* One end is the stream, the other end the test's. What is heard is kept as letters. */
struct pair {
	struct loop *loop;
	struct stream stream;
	struct timer stop;
	int peer;
	bool pull; /* take lines when told INPUT */
	char heard[64];
	char lines[4096];
};

static void note(struct pair *p, char c)
{
	size_t len = strlen(p->heard);

	if (len < sizeof p->heard - 1)
		p->heard[len] = c;
}

/* "[one]" for a line, "<bare>", "<long>", "<over>" */
static void take_lines(struct pair *p)
{
	static const char *const names[] = {
		[STREAM_BARE] = "<bare>", [STREAM_LONG] = "<long>", [STREAM_OVER] = "<over>"
	};
	enum stream_got got = STREAM_GOT;
	struct slice line;

	while (got != STREAM_OVER &&
	       (got = stream_line(&p->stream, LINE_MAX_HERE, &line)) != STREAM_NOTHING) {
		size_t len = strlen(p->lines), room = sizeof p->lines - len;

		if (got == STREAM_GOT)
			snprintf(p->lines + len, room, "[%.*s]", SLICE_ARGS(line));
		else
			snprintf(p->lines + len, room, "%s", names[got]);
	}
}

static void hear(void *owner, enum stream_news news)
{
	struct pair *p = owner;

	note(p, "CIDEB"[news]);
	if (news == STREAM_INPUT && p->pull)
		take_lines(p);
}

static void stop(void *arg)
{
	struct pair *p = arg;

	loop_stop(p->loop);
}

static void turn(struct pair *p)
{
	timer_set(&p->stop, 15);
	loop_run(p->loop);
}

static void pair_fds(struct pair *p, int mine, int peer)
{
	memset(p, 0, sizeof *p);
	p->loop = loop_new();
	p->peer = peer;
	p->pull = true;
	timer_init(&p->stop, p->loop, stop, p);
	stream_open(&p->stream, p->loop, mine, hear, p);
}

static void pair_open(struct pair *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	pair_fds(p, fds[0], fds[1]);
}

static void tcp_fds(int fds[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&at, &len);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[1], (struct sockaddr *)&at, len), 0);
	fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	close(listening);
}

static void pair_tcp(struct pair *p)
{
	int fds[2];

	tcp_fds(fds);
	pair_fds(p, fds[0], fds[1]);
}

static void pair_close(struct pair *p)
{
	stream_close(&p->stream);
	stream_close(&p->stream); /* twice is harmless */
	if (p->peer >= 0)
		close(p->peer);
	loop_free(p->loop);
}

static void put(struct pair *p, const char *text)
{
	assert_int_equal(send(p->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void leave_by_reset(struct pair *p)
{
	struct linger at_once = { 1, 0 };

	setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(p->peer);
	p->peer = -1;
}

/* --- lines --------------------------------------------------------------------------------- */

#define SIXTY "123456789012345678901234567890123456789012345678901234567890"

static const struct {
	const char *name, *in, *want;
} line_cases[] = {
	{ "one", "NOOP\r\n", "[NOOP]" },
	{ "empty", "\r\n", "[]" },
	{ "two", "a\r\nb\r\n", "[a][b]" },
	{ "partial waits", "a\r\nb", "[a]" },
	{ "bare LF ends no line", "a\nb\r\nc\r\n", "<bare>[c]" },
	{ "bare LFs are told once", "a\nb\nc", "<bare>" },
	{ "bare CR inside", "a\rb\r\n", "<bare>" },
	{ "CR CR LF", "a\r\r\n", "<bare>" },
	{ "LF alone", "\n", "<bare>" },
	{ "CR waits for its LF", "a\r", "" },
	{ "longest", SIXTY "12\r\n", "[" SIXTY "12]" },
	{ "too long by one", SIXTY "123\r\nx\r\n", "<long>[x]" },
	{ "far too long", SIXTY SIXTY SIXTY "\r\nx\r\n", "<long>[x]" },
	{ "too long without end waits", SIXTY SIXTY, "" },
};

static void lines_end_with_crlf_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof line_cases / sizeof line_cases[0]; i++) {
		struct pair p;

		pair_open(&p);
		put(&p, line_cases[i].in);
		turn(&p);
		if (strcmp(p.lines, line_cases[i].want) != 0)
			print_error("%s\n", line_cases[i].name);
		assert_string_equal(p.lines, line_cases[i].want);
		pair_close(&p);
	}
}

static void lines_do_not_depend_on_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof line_cases / sizeof line_cases[0]; i++) {
		struct pair p;

		pair_open(&p);
		for (const char *at = line_cases[i].in; *at != '\0'; at++) {
			assert_int_equal(send(p.peer, at, 1, 0), 1);
			take_lines(&p);
			p.stream.readable = true; /* as the next edge would say */
			take_lines(&p);
		}
		assert_string_equal(p.lines, line_cases[i].want);
		pair_close(&p);
	}
}

static void two_streams_share_the_scratch(void **state)
{
	struct pair a, b;
	struct slice line;

	(void)state;
	pair_open(&a);
	pair_open(&b);
	a.pull = b.pull = false;
	put(&a, "a1\r\na2\r\n");
	put(&b, "b1\r\nb2\r\n");
	turn(&a);
	turn(&b);
	assert_int_equal(stream_line(&a.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	assert_true(slice_equal(line, SLICE("a1")));
	assert_int_equal(stream_line(&b.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	assert_true(slice_equal(line, SLICE("b1")));
	assert_int_equal(stream_line(&a.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	assert_true(slice_equal(line, SLICE("a2")));
	assert_int_equal(stream_line(&b.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	assert_true(slice_equal(line, SLICE("b2")));
	pair_close(&a);
	pair_close(&b);
}

/* Of two clients that type at the same time neither hears anything twice. */
static void two_streams_come_in_pieces(void **state)
{
	static const char *const pieces[] = { "NO", "OP", " x", "y", "\r\n" };
	struct pair a, b;

	(void)state;
	pair_open(&a);
	pair_open(&b);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		put(&a, pieces[i]);
		turn(&a);
		put(&b, pieces[i]);
		turn(&b);
	}
	assert_string_equal(a.lines, "[NOOP xy]");
	assert_string_equal(b.lines, "[NOOP xy]");
	pair_close(&a);
	pair_close(&b);
}

/* --- ends ---------------------------------------------------------------------------------- */

static void fin_is_over(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	put(&p, "QUIT\r\nhalf");
	shutdown(p.peer, SHUT_WR); /* together with the data: one edge for both */
	turn(&p);
	assert_string_equal(p.lines, "[QUIT]<over>");
	pair_close(&p);
}

static void T10_paused_fin_without_input_ends(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	turn(&p);
	stream_pause(&p.stream);
	shutdown(p.peer, SHUT_WR);
	turn(&p);
	assert_string_equal(p.heard, "E");
	pair_close(&p);
}

static void T10_paused_fin_with_unread_input_is_served(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	turn(&p);
	stream_pause(&p.stream);
	put(&p, "QUIT\r\n");
	shutdown(p.peer, SHUT_WR);
	turn(&p);
	assert_string_equal(p.heard, "");
	stream_resume(&p.stream);
	turn(&p);
	assert_string_equal(p.lines, "[QUIT]<over>");
	pair_close(&p);
}

/* The edge that brought the last line brought the FIN too, and will not come again. */
static void T10_fin_that_came_with_the_last_line_ends_the_pause(void **state)
{
	struct slice line;
	struct pair p;

	(void)state;
	pair_tcp(&p);
	p.pull = false;
	put(&p, "NOOP\r\n");
	shutdown(p.peer, SHUT_WR);
	turn(&p);
	assert_int_equal(stream_line(&p.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	memset(p.heard, 0, sizeof p.heard);
	stream_pause(&p.stream);
	turn(&p);
	assert_string_equal(p.heard, "E");
	pair_close(&p);
}

static void T10_paused_reset_breaks_at_once(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	turn(&p);
	stream_pause(&p.stream);
	put(&p, "QUIT\r\n"); /* even with unread input */
	leave_by_reset(&p);
	turn(&p);
	assert_non_null(strchr(p.heard, 'B'));
	pair_close(&p);
}

static void ask_again(void *owner, enum stream_news news)
{
	struct pair *p = owner;

	if (p->heard[0] == '\0')
		timer_set(&p->stop, 0);
	note(p, "CIDEB"[news]);
	stream_again(&p->stream);
}

/* A session that always has more to do keeps neither timers nor others waiting, not even for long. */
static void who_asks_again_gives_others_their_turn(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	p.stream.hear = ask_again;
	put(&p, "x");
	turn(&p); /* a timer ends it */
	assert_non_null(strstr(p.heard, "III"));
	assert_in_range(strlen(p.heard), 3, 40);
	pair_close(&p);
}

/* One edge for both: nothing tells of the reset a second time. */
static void a_reset_behind_the_last_octets_breaks(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	put(&p, "half a li");
	leave_by_reset(&p);
	turn(&p);
	assert_string_equal(p.lines, "<over>");
	pair_close(&p);
}

static void T10_a_reset_behind_the_last_line_breaks_a_pause(void **state)
{
	struct pair p;
	struct slice line;

	(void)state;
	pair_tcp(&p);
	p.pull = false;
	put(&p, "NOOP\r\n");
	leave_by_reset(&p);
	turn(&p);
	assert_int_equal(stream_line(&p.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	stream_pause(&p.stream);
	turn(&p);
	assert_non_null(strchr(p.heard, 'B'));
	pair_close(&p);
}

static void paused_input_waits(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	stream_pause(&p.stream);
	put(&p, "NOOP\r\n");
	turn(&p);
	assert_string_equal(p.heard, "");
	assert_true(stream_has_input(&p.stream));
	stream_resume(&p.stream);
	turn(&p);
	assert_string_equal(p.lines, "[NOOP]");
	pair_close(&p);
}

static void kept_input_comes_again_after_a_pause(void **state)
{
	struct pair p;
	struct slice line;

	(void)state;
	pair_open(&p);
	p.pull = false;
	put(&p, "a\r\nb\r\n");
	turn(&p);
	assert_int_equal(stream_line(&p.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	stream_pause(&p.stream);
	turn(&p);
	p.pull = true;
	stream_resume(&p.stream);
	turn(&p);
	assert_string_equal(p.lines, "[b]");
	pair_close(&p);
}

/* --- looking ------------------------------------------------------------------------------- */

static enum stream_got look(struct pair *p, const char *want)
{
	char room[16];
	struct slice got;
	enum stream_got how = stream_peek(&p->stream, room, sizeof room, &got);

	if (how == STREAM_GOT && !slice_equal(got, slice_of(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARGS(got), want);
	return how;
}

static void what_is_looked_at_is_still_there(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	p.pull = false;
	assert_int_equal(look(&p, ""), STREAM_NOTHING);
	put(&p, "head");
	turn(&p);
	assert_int_equal(look(&p, "head"), STREAM_GOT);
	put(&p, "erNOOP\r\n");
	turn(&p);
	assert_string_equal(p.heard, "II"); /* also of what came behind something unread */
	assert_int_equal(look(&p, "headerNOOP\r\n"), STREAM_GOT);
	stream_drop_input(&p.stream, 6); /* to the octet */
	p.pull = true;
	stream_again(&p.stream);
	turn(&p);
	assert_string_equal(p.lines, "[NOOP]");
	pair_close(&p);
}

static void who_looks_sees_the_end(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	p.pull = false;
	put(&p, "head");
	turn(&p);
	assert_int_equal(shutdown(p.peer, SHUT_WR), 0);
	turn(&p);
	assert_int_equal(look(&p, "head"), STREAM_GOT);
	assert_true(p.stream.fin);
	stream_drop_input(&p.stream, 4);
	assert_int_equal(look(&p, ""), STREAM_OVER);
	pair_close(&p);

	pair_tcp(&p);
	p.pull = false;
	put(&p, "head");
	turn(&p);
	leave_by_reset(&p);
	turn(&p);
	assert_int_equal(look(&p, "head"), STREAM_OVER);
	pair_close(&p);
}

/* --- output -------------------------------------------------------------------------------- */

static void what_cannot_leave_is_drained_later(void **state)
{
	enum { MUCH = 4 << 20 };
	char *much = calloc(1, MUCH), *got = malloc(MUCH);
	size_t total = 0;
	struct pair p;

	(void)state;
	pair_open(&p);
	stream_write(&p.stream, (struct slice){ much, MUCH });
	stream_flush(&p.stream);
	assert_true(stream_unsent(&p.stream) > 0);
	for (int i = 0; i < 1000 && total < MUCH; i++) {
		ssize_t n = recv(p.peer, got, MUCH, MSG_DONTWAIT);

		if (n > 0)
			total += (size_t)n;
		else
			turn(&p);
	}
	assert_int_equal(total, MUCH);
	turn(&p);
	assert_string_equal(p.heard, "D"); /* once */
	pair_close(&p);
	free(much);
	free(got);
}

/* Whoever waits for DRAINED may have flushed once more, when the peer had just made room. */
static void what_left_in_a_later_flush_is_drained_too(void **state)
{
	enum { MUCH = 4 << 20 };
	char *much = calloc(1, MUCH), *got = malloc(MUCH);
	struct pair p;

	(void)state;
	pair_open(&p);
	stream_write(&p.stream, (struct slice){ much, MUCH });
	stream_flush(&p.stream);
	assert_true(stream_unsent(&p.stream) > 0);
	while (stream_unsent(&p.stream) > 0) {
		assert_true(recv(p.peer, got, MUCH, MSG_DONTWAIT) > 0);
		stream_flush(&p.stream);
	}
	assert_string_equal(p.heard, "");
	turn(&p);
	assert_string_equal(p.heard, "D");
	turn(&p);
	assert_string_equal(p.heard, "D");
	pair_close(&p);
	free(much);
	free(got);
}

static void writing_to_who_left_breaks(void **state)
{
	struct pair p;

	(void)state;
	pair_tcp(&p);
	turn(&p);
	stream_pause(&p.stream);
	leave_by_reset(&p);
	stream_write(&p.stream, SLICE("220 hello\r\n"));
	stream_flush(&p.stream);
	turn(&p);
	assert_non_null(strchr(p.heard, 'B'));
	assert_string_equal(stream_error(&p.stream), strerror(p.stream.error));
	pair_close(&p);
}

/* --- connecting ---------------------------------------------------------------------------- */

static void connect_to(struct pair *p, struct endpoint *to)
{
	memset(p, 0, sizeof *p);
	p->loop = loop_new();
	p->peer = -1;
	timer_init(&p->stop, p->loop, stop, p);
	assert_true(stream_connect(&p->stream, p->loop, to, hear, p));
}

static void a_connection_is_made_or_refused(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	struct endpoint to = { .addr = { (uint64_t)INADDR_LOOPBACK << 32, 0, ADDR_V4 } };
	struct pair p;

	(void)state;
	assert_int_equal(bind(listening, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&at, &len);
	to.port = ntohs(at.sin_port);
	connect_to(&p, &to);
	turn(&p);
	assert_int_equal(p.heard[0], 'C');
	pair_close(&p);
	close(listening);
	connect_to(&p, &to);
	turn(&p);
	assert_string_equal(p.heard, "B");
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_crlf_only),
		cmocka_unit_test(lines_do_not_depend_on_pieces),
		cmocka_unit_test(two_streams_share_the_scratch),
		cmocka_unit_test(two_streams_come_in_pieces),
		cmocka_unit_test(fin_is_over),
		cmocka_unit_test(T10_paused_fin_without_input_ends),
		cmocka_unit_test(T10_paused_fin_with_unread_input_is_served),
		cmocka_unit_test(T10_fin_that_came_with_the_last_line_ends_the_pause),
		cmocka_unit_test(T10_paused_reset_breaks_at_once),
		cmocka_unit_test(who_asks_again_gives_others_their_turn),
		cmocka_unit_test(a_reset_behind_the_last_octets_breaks),
		cmocka_unit_test(T10_a_reset_behind_the_last_line_breaks_a_pause),
		cmocka_unit_test(paused_input_waits),
		cmocka_unit_test(kept_input_comes_again_after_a_pause),
		cmocka_unit_test(what_is_looked_at_is_still_there),
		cmocka_unit_test(who_looks_sees_the_end),
		cmocka_unit_test(what_cannot_leave_is_drained_later),
		cmocka_unit_test(what_left_in_a_later_flush_is_drained_too),
		cmocka_unit_test(writing_to_who_left_breaks),
		cmocka_unit_test(a_connection_is_made_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
