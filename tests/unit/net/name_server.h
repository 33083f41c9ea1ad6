/*
 * name_server - a name server of a test's own, on its loop.
 */
#ifndef TEST_NET_NAME_SERVER_H
#define TEST_NET_NAME_SERVER_H

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/loop.h"

/* The answers to a question: "TYPE VALUE" divided by ';'. A list ends with a NULL name. */
struct record {
	const char *name;
	int rcode; /* -1: never answers */
	const char *answers;
};

struct name_server {
	struct event event;
	int fd;
	const struct record *zone;
	unsigned asked;
	unsigned ttl; /* of all answers: 60 */
	char where[32]; /* for dns_new */
};

static inline void name_server_add(struct buf *b, const void *at, size_t len)
{
	assert_true(buf_add(b, at, len));
}

static inline void name_server_add16(struct buf *b, unsigned value)
{
	name_server_add(b, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static inline void name_server_add_name(struct buf *b, struct slice name)
{
	while (name.len > 0) {
		struct slice label = slice_cut(name, '.', &name);

		if (label.len > 0) {
			name_server_add(b, (uint8_t[]){ (uint8_t)label.len }, 1);
			name_server_add(b, label.at, label.len);
		}
	}
	name_server_add(b, "", 1);
}

static inline bool name_server_add_answer(struct buf *b, unsigned type, unsigned ttl,
					  struct slice answer)
{
	struct slice value, kind = slice_cut(answer, ' ', &value);
	char text[64];
	uint8_t bytes[16];
	struct buf data = { 0 };

	snprintf(text, sizeof text, "%.*s", SLICE_ARGS(value));
	if (type == ns_t_a && slice_equal(kind, SLICE("A"))) {
		inet_pton(AF_INET, text, bytes);
		name_server_add(&data, bytes, 4);
	} else if (type == ns_t_aaaa && slice_equal(kind, SLICE("AAAA"))) {
		inet_pton(AF_INET6, text, bytes);
		name_server_add(&data, bytes, 16);
	} else if (type == ns_t_mx && slice_equal(kind, SLICE("MX"))) {
		struct slice host, pref = slice_cut(value, ' ', &host);

		name_server_add16(&data, (unsigned)strtoul(pref.at, NULL, 10));
		name_server_add_name(&data, host);
	} else {
		return false;
	}
	name_server_add16(b, 0xc00c); /* the name of the question */
	name_server_add16(b, type);
	name_server_add16(b, ns_c_in);
	name_server_add16(b, ttl >> 16);
	name_server_add16(b, ttl & 0xffff);
	name_server_add16(b, (unsigned)data.len);
	name_server_add(b, data.at, data.len);
	buf_free(&data);
	return true;
}

static inline void name_server_on_question(evutil_socket_t fd, short what, void *arg)
{
	struct name_server *server = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from;
	char q[512], name[256] = "";
	ssize_t len = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &from_len);
	size_t at = 12, name_len = 0;
	const struct record *r = server->zone;
	struct buf out = { 0 };
	unsigned type, answers = 0;
	int rcode = ns_r_nxdomain;
	struct slice rest;

	(void)what;
	assert_true(len > 12);
	server->asked++;
	for (; q[at] != 0; at += (size_t)q[at] + 1)
		name_len += (size_t)snprintf(name + name_len, sizeof name - name_len, "%s%.*s",
					     name_len > 0 ? "." : "", q[at], q + at + 1);
	type = (unsigned)(uint8_t)q[at + 1] << 8 | (uint8_t)q[at + 2];
	at += 5;
	while (r->name != NULL && strcasecmp(r->name, name) != 0)
		r++;
	if (r->name != NULL)
		rcode = r->rcode;
	if (rcode < 0)
		return;
	name_server_add(&out, q, at);
	for (rest = slice_of(rcode == 0 ? r->answers : ""); rest.len > 0;)
		answers += name_server_add_answer(&out, type, server->ttl,
						  slice_cut(rest, ';', &rest));
	out.at[2] = (char)0x81; /* a response, recursion was desired */
	out.at[3] = (char)(0x80 | rcode);
	out.at[7] = (char)answers;
	memset(out.at + 8, 0, 4);
	sendto(fd, out.at, out.len, 0, (struct sockaddr *)&from, from_len);
	buf_free(&out);
}

static inline void name_server_open(struct name_server *server, struct loop *loop,
				    const struct record *zone)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	server->zone = zone;
	server->asked = 0;
	server->ttl = 60;
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &len), 0);
	event_assign(&server->event, loop_base(loop), server->fd, EV_READ | EV_PERSIST,
		     name_server_on_question, server);
	event_priority_set(&server->event, 0);
	event_add(&server->event, NULL);
	snprintf(server->where, sizeof server->where, "127.0.0.1:%u", ntohs(at.sin_port));
}

static inline void name_server_close(struct name_server *server)
{
	event_del(&server->event);
	close(server->fd);
}

#endif
