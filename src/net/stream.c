/*
 * Edge-triggered: one epoll_ctl a connection, none for pausing and resuming. `readable` remembers
 * that the socket may hold more than was read; a short read clears it, the next edge sets it. But
 * libevent does not tell an edge of data from one of data and a reset behind it: after a short read
 * we are unsure, until another read, or the next write, which comes anyway in most cases.
 *
 * Reading goes through one scratch buffer a thread. Who has unread bytes in it is its holder; when
 * another stream wants to read, the holder's bytes move to a buffer of its own. So a stream whose
 * input is eaten at once, which is nearly all of them, never owns an input buffer.
 *
 * With TLS on it, receive() and transmit() go through a tls_link; the rest is the same but for what
 * cannot be told from outside: whether there is input among the records, and that reading may have
 * to wait for the socket to be writable.
 */
#include "net/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/tls_link.h"

enum {
	SCRATCH = 65536,
	LINE_READ = 4096,	 /* small, so that what a client pipelines stays in its socket */
	DROPPED_A_TURN = 65536, /* of lines that nobody wants; then the others' turn comes */
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

static void broke(struct stream *s, int error)
{
	s->error = error;
	s->readable = false;
}

/* From the loop, soon. */
static void nudge(struct stream *s, short what)
{
	event_active(&s->event, what, 0);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static void watch(struct stream *s, short also)
{
	event_assign(&s->event, loop_base(s->loop), s->fd,
		     (short)(EV_READ | EV_CLOSED | EV_ET | EV_PERSIST | also), on_event, s);
	event_add(&s->event, NULL);
}

/* An edge that was there already comes at once. */
static void watch_output(struct stream *s)
{
	if (event_get_events(&s->event) & EV_WRITE)
		return;
	event_del(&s->event);
	watch(s, EV_WRITE);
}

/* --- reading ------------------------------------------------------------------------------- */

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

/* After EAGAIN. Records may have come with nothing for us in them: then the others' turn comes. */
static void tls_waits(struct stream *s)
{
	if (s->tls == NULL)
		return;
	if (tls_link_wants_write(s->tls)) {
		watch_output(s);
	} else if (tls_link_may_read(s->tls)) {
		nudge(s, s->fin ? EV_READ | EV_CLOSED : EV_READ);
		s->fin = false;
	}
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
			tls_waits(s);
		else
			broke(s, errno);
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
			if (got != STREAM_NOTHING)
				return got;
			dropped += len;
			looked = 0;
			continue;
		}
		looked = s->view.len;
		if (looked > max) {
			stream_eat(s, looked - 1); /* the last one may be the CR */
			s->skipping = true;
			dropped += looked;
			looked = 1;
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

enum stream_got stream_bytes(struct stream *s, struct slice *bytes_out)
{
	if (s->view.len == 0 && may_have_more(s, true))
		fill(s, SCRATCH);
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
			broke(s, ECONNRESET);
	}
	*bytes_out = (struct slice){ room, n > 0 ? (size_t)n : 0 };
	if (n > 0)
		return s->error != 0 ? STREAM_OVER : STREAM_GOT;
	s->readable = false;
	if (n == 0)
		s->fin = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		broke(s, errno);
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
		tls_waits(s);
	} else {
		broke(s, errno);
		nudge(s, EV_READ);
	}
	return false;
}

bool stream_has_input(struct stream *s)
{
	int unread = 0;

	if (s->view.len > 0)
		return true;
	if (s->fd < 0 || s->error != 0 || s->shaking)
		return false;
	if (s->tls != NULL)
		return has_secret_input(s);
	return ioctl(s->fd, FIONREAD, &unread) == 0 && unread > 0;
}

static void forget_unread(struct stream *s)
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

	forget_unread(s);
	for (size_t dropped = 0; s->fd >= 0 && n > 0 && dropped < max; dropped += (size_t)n) {
		size_t left = max - dropped;

		n = recv(s->fd, nowhere, left < sizeof nowhere ? left : sizeof nowhere,
			 MSG_DONTWAIT);
	}
}

/*
 * A paused stream reads nothing, so an edge says only that something came or went. One poll tells
 * which: a reset ends it at once; a FIN ends it unless unread input is there, which is served when
 * the pause is over (T10). A FIN that came before the pause counts as well: its edge is gone, so
 * that who pauses looks here once.
 */
static void heard_while_paused(struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLRDHUP };

	bool unread;

	s->unsure = false;
	if (poll(&p, 1, 0) == 0 && s->tls == NULL && !s->fin)
		return;
	s->readable = true;
	if (p.revents & (POLLERR | POLLHUP)) {
		broke(s, ECONNRESET);
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	if (!s->fin && !(p.revents & POLLRDHUP) && s->tls == NULL)
		return;
	unread = stream_has_input(s);
	s->fin |= (p.revents & POLLRDHUP) || (s->tls != NULL && tls_link_is_over(s->tls));
	if (s->fin && !unread)
		s->hear(s->owner, STREAM_ENDED);
}

/* What has come already is of the same edge: it is told next. */
static void connect_over(struct stream *s, short what)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	s->connecting = false;
	if (error != 0)
		broke(s, error);
	else if (what & (EV_READ | EV_CLOSED))
		nudge(s, what & (EV_READ | EV_CLOSED));
	s->hear(s->owner, error != 0 ? STREAM_BROKEN : STREAM_CONNECTED);
}

static ssize_t transmit(struct stream *s, const char *from, size_t len)
{
	ssize_t n;

	if (s->tls != NULL)
		return tls_link_write(s->tls, from, len);
	do
		n = send(s->fd, from, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

static void send_some(struct stream *s)
{
	size_t sent = 0;

	while (sent < s->out.len) {
		ssize_t n = transmit(s, s->out.at + sent, s->out.len - sent);

		if (n <= 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				broke(s, errno);
			break;
		}
		sent += (size_t)n;
	}
	buf_eat(&s->out, sent);
}

/* --- TLS ----------------------------------------------------------------------------------- */

void stream_secure(struct stream *s, struct tls_context *ctx, const char *peer_name)
{
	CHECK(s->tls == NULL && s->out.len == 0 && !s->connecting);
	if (s->fd < 0)
		return;
	forget_unread(s);
	s->readable = s->unsure = s->fin = s->skipping = s->spoilt = false;
	s->tls = tls_link_new(ctx, s->fd, peer_name);
	s->shaking = true;
	nudge(s, EV_READ); /* the first word may be ours, or the peer's be here */
}

const struct tls_info *stream_tls(const struct stream *s)
{
	return s->tls != NULL && !s->shaking ? tls_link_info(s->tls) : NULL;
}

static void shake(struct stream *s, short what)
{
	ssize_t done = tls_link_shake(s->tls);

	s->fin |= (what & EV_CLOSED) != 0;
	if (done < 0 && errno == EAGAIN) {
		tls_waits(s);
		return;
	}
	s->shaking = false;
	if (done < 0) {
		broke(s, errno);
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	nudge(s,
	      s->fin ? EV_READ | EV_CLOSED : EV_READ); /* more may have come with its last word */
	s->fin = false;
	s->hear(s->owner, STREAM_SECURED);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	if (s->connecting) {
		if (what & (EV_WRITE | EV_READ | EV_CLOSED))
			connect_over(s, what);
		return;
	}
	if (s->error != 0) {
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	if (s->shaking) {
		shake(s, what);
		return;
	}
	if (s->tls != NULL && (what & (EV_READ | EV_WRITE)))
		what |= EV_READ | EV_WRITE; /* either may have waited for the other */
	if ((what & EV_WRITE) &&
	    (s->out.len > 0 || s->drained_wanted)) { /* a later flush may have sent it */
		send_some(s);
		if (s->error != 0) {
			s->hear(s->owner, STREAM_BROKEN);
			return;
		}
		if (s->out.len == 0 && s->drained_wanted) {
			s->drained_wanted = false;
			s->hear(s->owner, STREAM_DRAINED);
			if (s->fd < 0)
				return;
		}
	}
	if (what & (EV_READ | EV_CLOSED)) {
		if (s->paused) {
			heard_while_paused(s);
			return;
		}
		if (what & EV_CLOSED)
			s->fin = true; /* its edge comes once: read on to the end although a read is
					  short */
		s->readable = true;
		s->hear(s->owner, STREAM_INPUT);
	}
}

static void init(struct stream *s, struct loop *loop, int fd, stream_hear *hear, void *owner)
{
	memset(s, 0, sizeof *s);
	s->loop = loop;
	s->fd = fd;
	s->hear = hear;
	s->owner = owner;
}

void stream_open(struct stream *s, struct loop *loop, int fd, stream_hear *hear, void *owner)
{
	init(s, loop, fd, hear, owner);
	watch(s, 0);
}

bool stream_connect(struct stream *s, struct loop *loop, const struct endpoint *to,
		    stream_hear *hear, void *owner)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_sockaddr(to, &sa);
	int one = 1;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	init(s, loop, fd, hear, owner);
	if (fd < 0) {
		s->error = errno;
		return false;
	}
	if (sa.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	s->connecting = true;
	watch(s, EV_WRITE);
	if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
		s->error = errno;
		event_del(&s->event);
		close(fd);
		s->fd = -1;
		return false;
	}
	return true;
}

void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	event_del(&s->event);
	if (s->tls != NULL && !s->shaking && s->error == 0 && s->out.len == 0)
		tls_link_bye(s->tls);
	tls_link_free(s->tls);
	s->tls = NULL;
	close(s->fd);
	s->fd = -1;
	forget_unread(s);
	buf_free(&s->out);
}

void stream_abort(struct stream *s)
{
	struct linger at_once = { 1, 0 };

	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	stream_close(s);
}

bool stream_is_open(const struct stream *s)
{
	return s->fd >= 0;
}

const char *stream_error(const struct stream *s)
{
	if (s->error == EPROTO && s->tls != NULL)
		return tls_link_error(s->tls);
	return s->error != 0 ? strerror(s->error) : "closed by the peer";
}

void stream_again(struct stream *s)
{
	nudge(s, EV_READ);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	if (s->unsure || s->fin ||
	    s->tls != NULL) /* which has read ahead; a FIN's edge comes once */
		nudge(s, EV_READ);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (s->view.len > 0 || s->readable || s->fin)
		nudge(s, EV_READ);
}

void stream_write(struct stream *s, struct slice bytes)
{
	if (s->fd >= 0 && s->error == 0)
		CHECK(buf_add_slice(&s->out, bytes));
}

struct buf *stream_out(struct stream *s)
{
	return &s->out;
}

/* What can't leave now waits for the socket's edge, which has to be watched for first. */
void stream_flush(struct stream *s)
{
	if (s->fd < 0 || s->connecting || s->shaking || s->out.len == 0)
		return;
	if (s->error == 0)
		send_some(s);
	if (s->error != 0) {
		nudge(s, EV_READ);
		return;
	}
	if (s->out.len == 0)
		return;
	s->drained_wanted = true;
	watch_output(s);
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.len;
}
