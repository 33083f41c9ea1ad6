/*
 * scene - a relay, its world, and a next hop that does as it is told, on one loop. For the tests of
 * this room.
 */
#ifndef TEST_RELAY_SCENE_H
#define TEST_RELAY_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/name_server.h"
#include "net/stream.h"
#include "relay/pool.h"
#include "relay/relay.h"

enum then { GO_ON, CLOSE, RESET, SECURE };

/* What the next hop does at a phase instead of being polite. says: raw octets, "" says nothing. */
struct deed {
	const char *phase; /* "greeting", "EHLO", .., "DATA", "content", ".", "RSET"; NULL ends a
			      list */
	const char *says;
	enum then then;
};

struct peer {
	struct event accepting;
	struct loop *loop;
	int fd;
	uint16_t port;
	const struct deed *deeds;
	struct tls_context *tls; /* for SECURE */
	struct stream stream;
	bool open;
	bool in_content;
	bool deaf; /* reads nothing */
	unsigned header; /* octets before the first command, not looked at */
	bool in_header;
	unsigned connects;
	struct buf commands; /* lines as they came, with their CRLFs */
	struct buf content;  /* raw, without the final dot */
	bool quit;
	bool ended; /* of content: the dot came */
};

struct scene {
	struct loop *loop;
	struct jobs *jobs;
	struct name_server names;
	struct dns *dns;
	struct relay_world world;
	struct relay_client client;
	struct hop hop;
	struct route route;
	struct reply reply;
	struct relay *relay;
	struct peer peer;
	struct timer guard;
	unsigned said;
	bool expired;
};

static const struct deed polite[] = {
	{ "greeting", "220 sink.example ESMTP\r\n", GO_ON },
	{ "EHLO", "250-sink.example\r\n250-SIZE 1000000\r\n250-8bitmime\r\n250 SMTPUTF8\r\n",
	  GO_ON },
	{ "HELO", "250 sink.example\r\n", GO_ON },
	{ "MAIL", "250 2.1.0 Sender ok\r\n", GO_ON },
	{ "RCPT", "250 2.1.5 Recipient ok\r\n", GO_ON },
	{ "DATA", "354 Go ahead\r\n", GO_ON },
	{ "content", "", GO_ON },
	{ ".", "250 2.0.0 Kept as 1\r\n", GO_ON },
	{ "RSET", "250 2.0.0 Forgotten\r\n", GO_ON },
	{ "QUIT", "221 2.0.0 Bye\r\n", CLOSE },
	{ NULL, NULL, GO_ON },
};

static inline const struct deed *deed_find(const struct deed *list, const char *phase, size_t len)
{
	for (; list != NULL && list->phase != NULL; list++) {
		if (strlen(list->phase) == len && strncmp(list->phase, phase, len) == 0)
			return list;
	}
	return NULL;
}

/* Closes with a reset. */
static inline void peer_reset(struct peer *p)
{
	struct linger at_once = { 1, 0 };

	setsockopt(p->stream.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	stream_close(&p->stream);
}

static inline void peer_do(struct peer *p, const char *phase, size_t len)
{
	static const struct deed unknown = { "", "500 5.5.1 What?\r\n", GO_ON };
	const struct deed *d = deed_find(p->deeds, phase, len);

	if (d == NULL)
		d = deed_find(polite, phase, len);
	if (d == NULL)
		d = &unknown;
	stream_write(&p->stream, slice_of(d->says));
	stream_flush(&p->stream);
	if (d->then == SECURE)
		stream_secure(&p->stream, p->tls, NULL);
	if (d->then == CLOSE || d->then == RESET)
		p->open = false;
	if (d->then == CLOSE)
		stream_close(&p->stream);
	else if (d->then == RESET)
		peer_reset(p);
}

static inline void peer_line(struct peer *p, struct slice line)
{
	struct slice rest, verb = slice_cut(line, ' ', &rest);

	if (!p->in_content) {
		assert_true(buf_add_slice(&p->commands, line) && buf_add(&p->commands, "\r\n", 2));
		p->in_content = slice_equal(line, SLICE("DATA"));
		p->quit |= slice_equal(line, SLICE("QUIT"));
		peer_do(p, verb.at, verb.len);
	} else if (slice_equal(line, SLICE("."))) {
		p->in_content = false;
		p->ended = true;
		peer_do(p, ".", 1);
	} else {
		bool first = p->content.len == 0;

		assert_true(buf_add_slice(&p->content, line) && buf_add(&p->content, "\r\n", 2));
		if (first)
			peer_do(p, "content", 7);
	}
}

static inline void peer_hear(void *owner, enum stream_news news)
{
	struct peer *p = owner;
	enum stream_got got = STREAM_OVER;
	struct slice line;

	if (news == STREAM_DRAINED || news == STREAM_SECURED)
		return;
	if (p->in_header && stream_bytes(&p->stream, &line) == STREAM_GOT) {
		assert_true(line.len >= p->header);
		stream_eat(&p->stream, p->header);
		p->in_header = false;
	}
	while (news == STREAM_INPUT && p->open &&
	       (got = stream_line(&p->stream, 2000, &line)) == STREAM_GOT)
		peer_line(p, line);
	if (p->open && got == STREAM_OVER) {
		stream_close(&p->stream);
		p->open = false;
	}
}

static inline void peer_accept(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (got < 0)
		return;
	if (p->open)
		stream_close(&p->stream);
	p->connects++;
	p->open = true;
	p->in_content = p->ended = false;
	p->in_header = p->header > 0;
	stream_open(&p->stream, p->loop, got, peer_hear, p);
	if (p->deaf)
		stream_pause(&p->stream);
	peer_do(p, "greeting", 8);
}

static inline void peer_listen(struct peer *p, struct loop *loop)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	p->loop = loop;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &len), 0);
	p->port = ntohs(at.sin_port);
	event_assign(&p->accepting, loop_base(loop), p->fd, EV_READ | EV_PERSIST, peer_accept, p);
	event_priority_set(&p->accepting, 0);
	event_add(&p->accepting, NULL);
}

/* Whatever "here" is in is found, the others lead nowhere: only 127.0.0.1 listens. */
static const struct record scene_zone[] = {
	{ "here.test", 0, "A 127.0.0.1" },
	{ "away.test", 0, "A 127.0.0.4" },
	{ "away-then-here.test", 0, "A 127.0.0.4;A 127.0.0.1" },
	{ "mail.test", 0, "MX 20 here.test;MX 10 away.test;MX 5 absent.test;MX 1 fails.test" },
	{ "mx.example.org", 0, "A 127.0.0.1" },
	{ "null.test", 0, "MX 0 .;A 127.0.0.1" },
	{ "fails.test", ns_r_servfail, "" },
	{ NULL, 0, NULL },
};

static inline void scene_said(void *owner)
{
	((struct scene *)owner)->said++;
}

static inline void scene_expired(void *arg)
{
	((struct scene *)arg)->expired = true;
}

static inline void scene_open(struct scene *s, const struct deed *deeds)
{
	memset(s, 0, sizeof *s);
	s->loop = loop_new();
	s->jobs = jobs_new(2);
	name_server_open(&s->names, s->loop, scene_zone);
	s->dns = dns_new(s->loop, s->names.where);
	s->world =
		(struct relay_world){ s->loop, s->dns, s->jobs, "edge.example", pool_new(s->loop) };
	s->hop.kind = HOP_ADDR;
	assert_null(addr_parse(SLICE("127.0.0.1"), &s->hop.addr));
	s->route = (struct route){ .hops = &s->hop, .count = 1 };
	s->peer.deeds = deeds;
	peer_listen(&s->peer, s->loop);
	s->hop.port = s->peer.port;
	timer_init(&s->guard, s->loop, scene_expired, s);
	timer_set(&s->guard, 20000);
}

/* Before the first command; after hop was changed. */
static inline void scene_relay(struct scene *s)
{
	s->relay = relay_new(&s->world, &s->route, &s->client, 7, &s->reply, scene_said, s);
}

static inline void scene_turn(struct scene *s)
{
	event_base_loop(loop_base(s->loop), EVLOOP_ONCE);
	assert_false(s->expired);
}

/* The transaction is over; another begins. */
static inline void scene_again(struct scene *s)
{
	relay_free(s->relay);
	scene_relay(s);
}

/* The reply's code, at once or when it was said. */
static inline unsigned scene_answer(struct scene *s, enum relay_step step)
{
	unsigned said = s->said;

	while (step == RELAY_WAIT && s->said == said)
		scene_turn(s);
	assert_int_equal(s->said, said + (step == RELAY_WAIT));
	return s->reply.code;
}

static inline void scene_close(struct scene *s)
{
	relay_free(s->relay);
	for (int i = 0; i < 30; i++) { /* for what jobs still have to tell */
		event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
		usleep(i < 20 ? 100 : 1000);
	}
	timer_stop(&s->guard);
	pool_free(s->world.pool);
	if (s->peer.open)
		stream_close(&s->peer.stream);
	event_del(&s->peer.accepting);
	close(s->peer.fd);
	buf_free(&s->peer.commands);
	buf_free(&s->peer.content);
	reply_free(&s->reply);
	dns_free(s->dns);
	name_server_close(&s->names);
	jobs_free(s->jobs);
	event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
	loop_free(s->loop);
}

static inline struct mail_command mail_from(const char *address)
{
	return (struct mail_command){ .from.address = slice_of(address) };
}

static inline struct path path_to(const char *address)
{
	return (struct path){ .address = slice_of(address) };
}

static inline void scene_message_ready(void *owner)
{
	*(bool *)owner = true;
}

/* A finished message, of which memory_max octets are kept in memory. */
static inline struct message *scene_message(struct scene *s, struct slice content,
					    size_t memory_max)
{
	bool ready = false;
	struct message *m =
		message_new(s->loop, s->jobs, "/tmp", memory_max, scene_message_ready, &ready);
	enum message_state state = MESSAGE_READY;

	while (content.len > 0 || state == MESSAGE_BUSY) {
		struct slice part = content;

		if (state == MESSAGE_BUSY) {
			ready = false;
			while (!ready)
				scene_turn(s);
			state = message_state(m);
			continue;
		}
		part.len = content.len < 5000 ? content.len : 5000;
		content.at += part.len;
		content.len -= part.len;
		state = message_add(m, part);
	}
	ready = false;
	state = message_finish(m);
	while (state == MESSAGE_BUSY && !ready)
		scene_turn(s);
	assert_int_equal(message_state(m), MESSAGE_READY);
	message_orphan(m);
	return m;
}

#endif
