/*
 * Reading goes through one scratch buffer a thread. Who has unread bytes in it is its holder; when
 * another stream wants to read, the holder's bytes move to a buffer of its own. So a stream whose
 * input is eaten at once, which is nearly all of them, never owns an input buffer.
 */
#include "net/stream_inside.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "net/tls_link.h"

enum {
	SCRATCH = 65536,
	BODY_READ = 16384, /* much of a message is worth no long turn */
	LINE_READ = 4096,	 /* small, so that what a client pipelines stays in its socket */
	DROPPED_A_TURN = 16384, /* of lines that nobody wants; then the others' turn comes */
	DROPPED_MAX = 64 << 20, /* of one line; then it is no honest peer's */
};

static _Thread_local char scratch[SCRATCH];
static _Thread_local struct stream *holder;

static void scratch_take(struct stream *s)
{
	if (holder != NULL && holder != s && holder->view.len > 0 && holder->in.len == 0) {
		CHECK(buf_add_slice(&holder->in, holder->view));
		holder->view = buf_slice(&holder->in);
	}
	holder = s;
}

static ssize_t receive(struct stream *s, char *to, size_t want)
{
	ssize_t n;

	if (s->tls != NULL)
		return tls_link_read(s->tls, to, want);
	do
		n = recv(s->fd, to, want, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* A read that got less than it wanted emptied the socket; the next edge tells of more. */
static bool was_all(const struct stream *s, size_t got, size_t want)
{
	return s->tls != NULL ? !tls_link_may_read(s->tls) : got < want;
}

/* One read of up to want octets behind what is unread. */
static void fill(struct stream *s, size_t want)
{
	size_t kept = 0;
	ssize_t n;

	if (s->view.len == 0)
		buf_free(&s->in);
	else if (s->in.len > 0)
		buf_eat(&s->in, s->in.len - s->view.len);
	scratch_take(s);
	if (s->in.len == 0 && s->view.len > 0) {
		kept = s->view.len;
		memmove(scratch, s->view.at, kept);
	}
	if (want > SCRATCH - kept)
		want = SCRATCH - kept;
	n = receive(s, scratch + kept, want);
	s->unsure = n > 0;
	if (n <= 0) {
		s->readable = false;
		if (n == 0)
			s->fin = true;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			stream_wait_tls(s);
		else
			stream_break(s, errno);
		n = 0;
	} else if (was_all(s, (size_t)n, want) && !s->fin) {
		s->readable = false;
	}
	if (s->in.len > 0) {
		CHECK(buf_add(&s->in, scratch, (size_t)n));
		s->view = buf_slice(&s->in);
	} else {
		s->view = (struct slice){ scratch, kept + (size_t)n };
	}
}

/* Midway in its input a stream is looked at again; whole input is answered, which meets a reset. */
static bool may_have_more(const struct stream *s, bool midway)
{
	return s->readable || (s->unsure && midway);
}

static bool is_over(const struct stream *s)
{
	return s->fd < 0 || s->error != 0 || (s->fin && !s->readable);
}

void stream_eat(struct stream *s, size_t len)
{
	CHECK(len <= s->view.len);
	s->view.at += len;
	s->view.len -= len;
}

/* Only the CR before the final LF may be there. */
static bool has_bare_cr(struct slice line)
{
	return line.len > 0 && memchr(line.at, '\r', line.len) != NULL;
}

/* The octets up to an LF are eaten. NOTHING: they were the rest of a line that was told of already.
 */
static enum stream_got line_done(struct stream *s, size_t len, size_t max, struct slice *line_out)
{
	struct slice line = { s->view.at, len };
	bool whole = len >= 2 && line.at[len - 2] == '\r';
	bool was_spoilt = s->spoilt, was_skipping = s->skipping;

	stream_eat(s, len);
	s->skipping = false;
	s->spoilt = !whole; /* a bare LF ends nothing: what follows, up to a CRLF, is no line */
	if (was_spoilt)
		return STREAM_NOTHING;
	if (was_skipping || len > max)
		return STREAM_LONG;
	if (!whole)
		return STREAM_BARE;
	line.len -= 2;
	if (has_bare_cr(line))
		return STREAM_BARE;
	*line_out = line;
	return STREAM_GOT;
}

enum stream_got stream_line(struct stream *s, size_t max, struct slice *line_out)
{
	size_t looked = 0, dropped = 0;
	enum stream_got got;

	CHECK(max <= SCRATCH - LINE_READ);
	for (;;) {
		const char *lf = NULL;

		if (s->view.len > looked)
			lf = memchr(s->view.at + looked, '\n', s->view.len - looked);
		if (lf != NULL) {
			size_t len = (size_t)(lf - s->view.at) + 1;

			got = line_done(s, len, max, line_out);
			if (got != STREAM_NOTHING) {
				s->dropped = 0;
				return got;
			}
			dropped += len;
			s->dropped += (uint32_t)len;
			looked = 0;
			continue;
		}
		looked = s->view.len;
		if (looked > max) {
			stream_eat(s, looked - 1); /* the last one may be the CR */
			s->skipping = true;
			dropped += looked;
			s->dropped += (uint32_t)looked;
			looked = 1;
		}
		if (s->dropped > DROPPED_MAX) {
			stream_break(s, EMSGSIZE);
			return STREAM_OVER;
		}
		if (!may_have_more(s, s->view.len > 0 || s->spoilt))
			return is_over(s) ? STREAM_OVER : STREAM_NOTHING;
		if (dropped > DROPPED_A_TURN) {
			stream_again(s);
			return STREAM_NOTHING;
		}
		fill(s, LINE_READ);
	}
}

bool stream_in_long_line(const struct stream *s)
{
	return s->skipping;
}

enum stream_got stream_bytes(struct stream *s, struct slice *bytes_out)
{
	if (s->view.len == 0 && may_have_more(s, true))
		fill(s, BODY_READ);
	if (s->view.len == 0)
		return is_over(s) ? STREAM_OVER : STREAM_NOTHING;
	*bytes_out = s->view;
	return STREAM_GOT;
}

/* Who takes nothing never comes to the end behind it: that has to be asked for. */
enum stream_got stream_peek(struct stream *s, char *room, size_t max, struct slice *bytes_out)
{
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };
	ssize_t n;

	CHECK(s->tls == NULL && s->view.len == 0);
	do
		n = recv(s->fd, room, max, MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n > 0 && poll(&p, 1, 0) > 0) {
		s->fin |= (p.revents & POLLRDHUP) != 0;
		if (p.revents & (POLLERR | POLLHUP))
			stream_break(s, ECONNRESET);
	}
	*bytes_out = (struct slice){ room, n > 0 ? (size_t)n : 0 };
	if (n > 0)
		return s->error != 0 ? STREAM_OVER : STREAM_GOT;
	s->readable = false;
	if (n == 0)
		s->fin = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		stream_break(s, errno);
	return is_over(s) ? STREAM_OVER : STREAM_NOTHING;
}

/* Whether records hold any input, only opening one can tell. */
static bool has_secret_input(struct stream *s)
{
	ssize_t n = tls_link_peek(s->tls);

	s->readable = true; /* it is ours now: the socket will not tell */
	if (n >= 0)
		return n > 0;
	if (errno == EAGAIN) {
		stream_wait_tls(s);
	} else {
		stream_break(s, errno);
		stream_nudge(s, EV_READ);
	}
	return false;
}

bool stream_has_input(struct stream *s)
{
	char octet;
	ssize_t n;

	if (s->view.len > 0)
		return true;
	if (s->fd < 0 || s->error != 0 || s->shaking)
		return false;
	if (s->tls != NULL)
		return has_secret_input(s);
	do
		n = recv(s->fd, &octet, 1, MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		stream_break(s, errno);
	return n > 0;
}

void stream_forget_input(struct stream *s)
{
	if (holder == s)
		holder = NULL;
	s->view = (struct slice){ 0 };
	buf_free(&s->in);
}

void stream_drop_input(struct stream *s, size_t max)
{
	char nowhere[8192];
	ssize_t n = 1;

	stream_forget_input(s);
	for (size_t dropped = 0; s->fd >= 0 && n > 0 && dropped < max; dropped += (size_t)n) {
		size_t left = max - dropped;

		n = recv(s->fd, nowhere, left < sizeof nowhere ? left : sizeof nowhere,
			 MSG_DONTWAIT);
	}
}
