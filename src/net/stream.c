/*
 * Edge-triggered: one epoll_ctl a connection, none for pausing and resuming. `readable` remembers
 * that the socket may hold more than was read; a short read clears it, the next edge sets it. But
 * libevent does not tell an edge of data from one of data and a reset behind it: after a short read
 * we are unsure, until another read, or the next write, which comes anyway in most cases.
 *
 * With TLS on it, reading and sending go through a tls_link; the rest is the same but for what
 * cannot be told from outside: whether there is input among the records, and that reading may have
 * to wait for the socket to be writable.
 */
#include "net/stream_inside.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/tls_link.h"

void stream_break(struct stream *s, int error)
{
	s->error = error;
	s->readable = false;
}

void stream_nudge(struct stream *s, short what)
{
	event_active(&s->event, what, 0);
}

/* The same for a stream that may have heard of its end, which is then told behind the input. */
static void look_again(struct stream *s)
{
	stream_nudge(s, s->fin ? EV_READ | EV_CLOSED : EV_READ);
	s->fin = false;
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

/* After EAGAIN. Records may have come with nothing for us in them: then the others' turn comes. */
void stream_wait_tls(struct stream *s)
{
	if (s->tls == NULL)
		return;
	if (tls_link_wants_write(s->tls)) {
		watch_output(s);
	} else if (tls_link_may_read(s->tls)) {
		look_again(s);
	}
}

/* --- pausing ------------------------------------------------------------------------------- */

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
		stream_break(s, ECONNRESET);
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	if (!s->fin && !(p.revents & POLLRDHUP) && s->tls == NULL)
		return;
	unread = stream_has_input(s);
	if (s->error != 0) {
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	s->fin |= (p.revents & POLLRDHUP) || (s->tls != NULL && tls_link_is_over(s->tls));
	if (s->fin && !unread)
		s->hear(s->owner, STREAM_ENDED);
}

void stream_again(struct stream *s)
{
	stream_nudge(s, EV_READ);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	/* A FIN's edge comes once, and TLS has read ahead. */
	if (s->unsure || s->fin || s->tls != NULL)
		stream_nudge(s, EV_READ);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (s->view.len > 0 || s->readable || s->fin)
		stream_nudge(s, EV_READ);
}

/* --- sending ------------------------------------------------------------------------------- */

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
				stream_break(s, errno);
			break;
		}
		sent += (size_t)n;
	}
	buf_eat(&s->out, sent);
}

/* false: the stream is broken, or its owner has closed it. */
static bool heard_writable(struct stream *s)
{
	if (s->out.len == 0 && !s->drained_wanted)
		return true;
	send_some(s);
	if (s->error != 0) {
		s->hear(s->owner, STREAM_BROKEN);
		return false;
	}
	if (s->out.len == 0 && s->drained_wanted) { /* a later flush may have sent it all */
		s->drained_wanted = false;
		s->hear(s->owner, STREAM_DRAINED);
	}
	return s->fd >= 0;
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
		stream_nudge(s, EV_READ);
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

/* --- TLS ----------------------------------------------------------------------------------- */

void stream_secure(struct stream *s, struct tls_context *ctx, const char *peer_name)
{
	CHECK(s->tls == NULL && s->out.len == 0 && !s->connecting);
	if (s->fd < 0)
		return;
	stream_forget_input(s);
	s->readable = s->unsure = s->fin = s->skipping = s->spoilt = false;
	s->tls = tls_link_new(ctx, s->fd, peer_name);
	s->shaking = true;
	stream_nudge(s, EV_READ); /* the first word may be ours, or the peer's be here */
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
		stream_wait_tls(s);
		return;
	}
	s->shaking = false;
	if (done < 0) {
		stream_break(s, errno);
		s->hear(s->owner, STREAM_BROKEN);
		return;
	}
	look_again(s); /* more may have come with its last word */
	s->hear(s->owner, STREAM_SECURED);
}

/* --- its life ------------------------------------------------------------------------------ */

/* What has come already is of the same edge: it is told next. */
static void connect_over(struct stream *s, short what)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	s->connecting = false;
	if (error != 0)
		stream_break(s, error);
	else if (what & (EV_READ | EV_CLOSED))
		stream_nudge(s, what & (EV_READ | EV_CLOSED));
	s->hear(s->owner, error != 0 ? STREAM_BROKEN : STREAM_CONNECTED);
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
	if ((what & EV_WRITE) && !heard_writable(s))
		return;
	if (!(what & (EV_READ | EV_CLOSED)))
		return;
	if (s->paused) {
		heard_while_paused(s);
		return;
	}
	/* The end's edge comes once: read on to it although a read is short. */
	s->fin |= (what & EV_CLOSED) != 0;
	s->readable = true;
	s->hear(s->owner, STREAM_INPUT);
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
	stream_forget_input(s);
	buf_free(&s->out);
}

bool stream_is_broken(const struct stream *s)
{
	return s->error != 0;
}

const char *stream_error(const struct stream *s)
{
	if (s->error == EPROTO && s->tls != NULL)
		return tls_link_error(s->tls);
	return s->error != 0 ? strerror(s->error) : "closed by the peer";
}
