/* Two streams with TLS on them, and between their sockets the test, which carries the octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "net/certs.h"
#include "net/stream.h"

enum { MUCH = 3 << 20, LINE_MAX_HERE = 64 };

struct end {
	struct stream stream;
	int wire; /* the test's end of its socket */
	char heard[64];
	char lines[256];
	size_t octets; /* when it counts instead of keeping lines */
	bool count;
	bool pull;
};

struct scene {
	struct loop *loop;
	struct timer stop;
	struct tls_context *server_ctx, *client_ctx;
	struct end server, client;
	size_t piece; /* octets carried at a time */
};

static void take(struct end *e)
{
	struct slice got;

	while (e->count && stream_bytes(&e->stream, &got) == STREAM_GOT) {
		e->octets += got.len;
		stream_eat(&e->stream, got.len);
	}
	while (!e->count) {
		size_t len = strlen(e->lines);

		switch (stream_line(&e->stream, LINE_MAX_HERE, &got)) {
		case STREAM_GOT:
			snprintf(e->lines + len, sizeof e->lines - len, "[%.*s]", SLICE_ARGS(got));
			break;
		case STREAM_OVER:
			snprintf(e->lines + len, sizeof e->lines - len, "<over>");
			return;
		case STREAM_NOTHING:
		case STREAM_BARE:
		case STREAM_LONG:
			return;
		}
	}
}

static void hear(void *owner, enum stream_news news)
{
	struct end *e = owner;
	size_t len = strlen(e->heard);

	if (news == STREAM_INPUT) {
		if (e->pull)
			take(e);
	} else if (len < sizeof e->heard - 1) {
		e->heard[len] = "CIDEBS"[news];
	}
}

static void stop(void *arg)
{
	struct scene *s = arg;

	loop_stop(s->loop);
}

static void turn(struct scene *s)
{
	timer_set(&s->stop, 1);
	loop_run(s->loop);
}

static bool carry(struct scene *s, struct end *from, struct end *to)
{
	char piece[65536];
	ssize_t n = recv(from->wire, piece, s->piece, MSG_DONTWAIT);

	if (n > 0)
		assert_int_equal(send(to->wire, piece, (size_t)n, MSG_NOSIGNAL), n);
	return n > 0;
}

/* Until nothing moves any more. */
static void settle(struct scene *s)
{
	for (int still = 0; still < 3;) {
		bool moved = carry(s, &s->client, &s->server);

		moved |= carry(s, &s->server, &s->client);
		turn(s);
		still = moved ? 0 : still + 1;
	}
}

static void end_open(struct scene *s, struct end *e)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	*e = (struct end){ .wire = fds[1], .pull = true };
	stream_open(&e->stream, s->loop, fds[0], hear, e);
}

static void scene_open(struct scene *s, const char *verify_by)
{
	const char *why;

	memset(s, 0, sizeof *s);
	s->loop = loop_new();
	s->piece = 65536;
	timer_init(&s->stop, s->loop, stop, s);
	s->server_ctx = tls_server_new();
	assert_null(tls_set_chain(s->server_ctx, "mx.pem"));
	assert_null(tls_set_key(s->server_ctx, "mx.key"));
	s->client_ctx = tls_client_new(verify_by, &why);
	end_open(s, &s->server);
	end_open(s, &s->client);
}

static void secure(struct scene *s, const char *name)
{
	stream_secure(&s->server.stream, s->server_ctx, NULL);
	stream_secure(&s->client.stream, s->client_ctx, name);
}

static void scene_shaken(struct scene *s)
{
	scene_open(s, NULL);
	secure(s, NULL);
	settle(s);
	assert_string_equal(s->server.heard, "S");
	assert_string_equal(s->client.heard, "S");
}

static void scene_close(struct scene *s)
{
	stream_close(&s->server.stream);
	stream_close(&s->client.stream);
	close(s->server.wire);
	close(s->client.wire);
	tls_unref(s->server_ctx);
	tls_unref(s->client_ctx);
	loop_free(s->loop);
}

static void put(struct end *e, const char *text)
{
	stream_write(&e->stream, slice_of(text));
	stream_flush(&e->stream);
}

/* --- handshakes ---------------------------------------------------------------------------- */

static void octet_by_octet(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	s.piece = 1;
	secure(&s, NULL);
	put(&s.client, "EHLO x\r\n"); /* waits for the handshake */
	settle(&s);
	put(&s.server, "250 y\r\n");
	settle(&s);
	assert_string_equal(s.server.heard, "S");
	assert_string_equal(s.server.lines, "[EHLO x]");
	assert_string_equal(s.client.lines, "[250 y]");
	scene_close(&s);
}

static void it_is_told_what_was_agreed_upon(void **state)
{
	const struct tls_info *info;
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	assert_null(tls_set_protocols(s.server_ctx, "+TLSv1.2"));
	assert_null(tls_set_ciphers(s.server_ctx, "ECDHE-ECDSA-AES256-GCM-SHA384"));
	secure(&s, NULL);
	assert_null(stream_tls(&s.server.stream));
	settle(&s);
	info = stream_tls(&s.server.stream);
	assert_string_equal(info->version, "TLSv1.2");
	assert_string_equal(info->cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
	assert_int_equal(info->cipher_bits, 256);
	assert_int_equal(info->used_bits, 256);
	assert_null(info->subject);
	assert_false(info->verified);
	info = stream_tls(&s.client.stream);
	assert_string_equal(info->subject_cn, "mx.example.org");
	assert_string_equal(info->issuer, "CN=mx.example.org");
	scene_close(&s);
}

static void names_choose_certificates(void **state)
{
	static const struct {
		const char *asked, *want_cn;
	} cases[] = {
		{ NULL, "mx.example.org" },
		{ "other.example.org", "other.example.org" },
		{ "OTHER.example.org", "other.example.org" },
		{ "a.wild.example.org", "rsa.example.org" },
		{ "wild.example.org", "mx.example.org" },
		{ "a.b.wild.example.org", "mx.example.org" },
		{ "unknown.example", "mx.example.org" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_context *host;
		struct scene s;

		scene_open(&s, NULL);
		host = tls_host(s.server_ctx, "other.example.org");
		assert_null(tls_set_chain(host, "other.pem"));
		assert_null(tls_set_key(host, "other.key"));
		host = tls_host(s.server_ctx, "*.wild.example.org");
		assert_null(tls_set_chain(host, "rsa.pem"));
		assert_null(tls_set_key(host, "rsa.key"));
		secure(&s, cases[i].asked);
		settle(&s);
		assert_string_equal(stream_tls(&s.client.stream)->subject_cn, cases[i].want_cn);
		scene_close(&s);
	}
}

static void a_client_may_want_to_know_who_it_is(void **state)
{
	static const struct {
		const char *verify_by, *name, *want_error; /* NULL: it is the right one */
	} cases[] = {
		{ "mx.pem", "mx.example.org", NULL },
		{ "mx.pem", "other.example.org", "hostname mismatch" },
		{ "mx.pem", NULL, "hostname mismatch" },
		{ "ca.pem", "mx.example.org", "self-signed certificate" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct scene s;

		scene_open(&s, cases[i].verify_by);
		secure(&s, cases[i].name);
		settle(&s);
		assert_string_equal(s.client.heard, cases[i].want_error != NULL ? "B" : "S");
		if (cases[i].want_error != NULL)
			assert_string_equal(stream_error(&s.client.stream), cases[i].want_error);
		scene_close(&s);
	}
}

/* What a client or a stranger may send instead of its ClientHello. */
static void nonsense_breaks_it(void **state)
{
	static const struct {
		const char *name, *sent;
		size_t len;
	} cases[] = {
		{ "a command", "MAIL FROM:<a@b>\r\n", 17 },
		{ "HTTP", "GET / HTTP/1.0\r\n\r\n", 18 },
		{ "zeros", "\0\0\0\0\0\0\0\0\0\0\0", 11 },
		{ "a record that is too long", "\x16\x03\x01\xff\xff\x01\x00\x00\x00\x00\x00", 11 },
		{ "an alert", "\x15\x03\x01\x00\x02\x02\x28", 7 },
		{ "data before the handshake", "\x17\x03\x03\x00\x05hello", 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct scene s;

		scene_open(&s, NULL);
		stream_secure(&s.server.stream, s.server_ctx, NULL);
		assert_int_equal(send(s.server.wire, cases[i].sent, cases[i].len, 0), cases[i].len);
		turn(&s);
		if (strcmp(s.server.heard, "B") != 0)
			fail_msg("%s: %s", cases[i].name, s.server.heard);
		assert_true(strlen(stream_error(&s.server.stream)) > 0);
		scene_close(&s);
	}
}

static void half_a_handshake_ends_with_its_socket(void **state)
{
	char hello[4096];
	struct scene s;
	ssize_t n;

	(void)state;
	scene_open(&s, NULL);
	stream_pause(&s.server.stream); /* which changes nothing */
	secure(&s, NULL);
	turn(&s);
	n = recv(s.client.wire, hello, sizeof hello, MSG_DONTWAIT);
	assert_true(n > 64);
	assert_int_equal(send(s.server.wire, hello, 64, 0), 64);
	turn(&s);
	assert_string_equal(s.server.heard, "");
	shutdown(s.server.wire, SHUT_WR);
	turn(&s);
	assert_string_equal(s.server.heard, "B");
	scene_close(&s);
}

static void what_came_in_the_clear_is_forgotten(void **state)
{
	struct slice line;
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	s.server.pull = false;
	assert_int_equal(send(s.server.wire, "STARTTLS\r\nRSET\r\nhalf", 20, 0), 20);
	turn(&s);
	assert_int_equal(stream_line(&s.server.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	s.server.pull = true;
	secure(&s, NULL);
	settle(&s);
	put(&s.client, "EHLO x\r\n");
	settle(&s);
	assert_string_equal(s.server.lines, "[EHLO x]");
	scene_close(&s);
}

/* --- afterwards ---------------------------------------------------------------------------- */

static void plaintext_afterwards_breaks_it(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	assert_int_equal(send(s.server.wire, "MAIL FROM:<a@b>\r\n", 17, 0), 17);
	settle(&s);
	assert_string_equal(s.server.lines, "<over>");
	assert_int_equal(s.server.stream.error, EPROTO);
	scene_close(&s);
}

static void much_goes_both_ways(void **state)
{
	char *much = calloc(1, MUCH);
	struct scene s;

	(void)state;
	scene_shaken(&s);
	s.server.count = s.client.count = true;
	s.piece = 50001;
	stream_write(&s.server.stream, (struct slice){ much, MUCH });
	stream_write(&s.client.stream, (struct slice){ much, MUCH });
	stream_flush(&s.server.stream);
	stream_flush(&s.client.stream);
	assert_true(stream_unsent(&s.server.stream) > 0);
	settle(&s);
	assert_int_equal(s.server.octets, MUCH);
	assert_int_equal(s.client.octets, MUCH);
	assert_string_equal(s.server.heard, "SD");
	scene_close(&s);
	free(much);
}

static void a_line_may_be_in_several_records(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	for (const char *at = "NOOP\r\nQUIT\r\n"; *at != '\0'; at++)
		put(&s.client, (char[]){ *at, '\0' });
	settle(&s);
	assert_string_equal(s.server.lines, "[NOOP][QUIT]");
	scene_close(&s);
}

static void close_notify_is_an_end(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	put(&s.client, "QUIT\r\n");
	stream_close(&s.client.stream); /* says it; the wire stays open */
	settle(&s);
	assert_string_equal(s.server.lines, "[QUIT]<over>");
	assert_int_equal(s.server.stream.error, 0);
	scene_close(&s);
}

static void a_fin_without_it_is_one_too(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	put(&s.client, "QUIT\r\n");
	carry(&s, &s.client, &s.server);
	shutdown(s.server.wire, SHUT_WR);
	settle(&s);
	assert_string_equal(s.server.lines, "[QUIT]<over>");
	assert_int_equal(s.server.stream.error, 0);
	scene_close(&s);
}

/* --- paused -------------------------------------------------------------------------------- */

static void T10_a_pause_notices_close_notify(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	stream_pause(&s.server.stream);
	stream_close(&s.client.stream);
	settle(&s);
	assert_string_equal(s.server.heard, "SE");
	scene_close(&s);
}

static void T10_a_pause_notices_close_notify_that_came_with_a_command(void **state)
{
	struct slice line;
	struct scene s;

	(void)state;
	scene_shaken(&s);
	s.server.pull = false;
	put(&s.client, "NOOP\r\n");
	stream_close(&s.client.stream);
	settle(&s);
	assert_int_equal(stream_line(&s.server.stream, LINE_MAX_HERE, &line), STREAM_GOT);
	stream_pause(&s.server.stream);
	settle(&s);
	assert_string_equal(s.server.heard, "SE");
	scene_close(&s);
}

static void T10_a_pause_serves_unread_input_before_a_fin(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	stream_pause(&s.server.stream);
	put(&s.client, "NOOP\r\n");
	settle(&s);
	assert_true(stream_has_input(&s.server.stream));
	stream_close(&s.client.stream);
	settle(&s);
	shutdown(s.server.wire, SHUT_WR);
	settle(&s);
	assert_string_equal(s.server.heard, "S");
	stream_resume(&s.server.stream);
	settle(&s);
	assert_string_equal(s.server.lines, "[NOOP]<over>");
	scene_close(&s);
}

static void a_pause_leaves_input_alone(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	assert_false(stream_has_input(&s.server.stream)); /* tickets are none */
	assert_false(stream_has_input(&s.client.stream));
	stream_pause(&s.server.stream);
	put(&s.client, "NOOP\r\n");
	settle(&s);
	assert_string_equal(s.server.lines, "");
	stream_resume(&s.server.stream);
	settle(&s);
	assert_string_equal(s.server.lines, "[NOOP]");
	scene_close(&s);
}

static void T10_a_pause_notices_a_broken_record(void **state)
{
	struct scene s;

	(void)state;
	scene_shaken(&s);
	stream_pause(&s.server.stream);
	assert_int_equal(send(s.server.wire, "nonsense", 8, 0), 8);
	settle(&s);
	assert_non_null(strchr(s.server.heard, 'B'));
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octet_by_octet),
		cmocka_unit_test(it_is_told_what_was_agreed_upon),
		cmocka_unit_test(names_choose_certificates),
		cmocka_unit_test(a_client_may_want_to_know_who_it_is),
		cmocka_unit_test(nonsense_breaks_it),
		cmocka_unit_test(half_a_handshake_ends_with_its_socket),
		cmocka_unit_test(what_came_in_the_clear_is_forgotten),
		cmocka_unit_test(plaintext_afterwards_breaks_it),
		cmocka_unit_test(much_goes_both_ways),
		cmocka_unit_test(a_line_may_be_in_several_records),
		cmocka_unit_test(close_notify_is_an_end),
		cmocka_unit_test(a_fin_without_it_is_one_too),
		cmocka_unit_test(T10_a_pause_notices_close_notify),
		cmocka_unit_test(T10_a_pause_notices_close_notify_that_came_with_a_command),
		cmocka_unit_test(T10_a_pause_serves_unread_input_before_a_fin),
		cmocka_unit_test(a_pause_leaves_input_alone),
		cmocka_unit_test(T10_a_pause_notices_a_broken_record),
	};

	return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
