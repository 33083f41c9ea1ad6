#include "app/wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	PATIENCE_MS = 60000, /* for the other to take a descriptor */
	OUT_MAX = 256 << 20, /* what the other does not read */
};

struct wire {
	int fd;
	size_t line_max;
	wire_heard *heard;
	void *owner;
	_Atomic bool over;
	pthread_mutex_t lock;
	struct buf out; /* under lock */
	struct buf in;
	int *fds; /* received, in this order */
	unsigned fd_count, fd_next, fds_max;
};

struct wire *wire_new(int fd, size_t line_max, wire_heard *heard, void *owner)
{
	struct wire *w = mem_new(sizeof *w);

	w->fd = fd;
	w->line_max = line_max;
	w->heard = heard;
	w->owner = owner;
	pthread_mutex_init(&w->lock, NULL);
	buf_init(&w->out, OUT_MAX);
	buf_init(&w->in, 0);
	return w;
}

void wire_free(struct wire *w)
{
	close(w->fd);
	while (w->fd_next < w->fd_count)
		close(w->fds[w->fd_next++]);
	free(w->fds);
	buf_free(&w->out);
	buf_free(&w->in);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

bool wire_is_over(const struct wire *w)
{
	return w->over;
}

void wire_give_up(struct wire *w)
{
	w->over = true;
}

void wire_hang_up(struct wire *w)
{
	shutdown(w->fd, SHUT_RDWR);
}

static bool wait_for(struct wire *w, short what, int ms)
{
	struct pollfd p = { .fd = w->fd, .events = what };

	return poll(&p, 1, ms) > 0;
}

/* --- saying -------------------------------------------------------------------------------- */

struct buf *wire_begin(struct wire *w)
{
	pthread_mutex_lock(&w->lock);
	return &w->out;
}

void wire_end(struct wire *w, bool fits)
{
	if (!fits)
		w->over = true; /* a sum that lacks some is worse than none */
	pthread_mutex_unlock(&w->lock);
}

void wire_say(struct wire *w, const char *line)
{
	wire_end(w, buf_printf(wire_begin(w), "%s\n", line));
}

/* The whole line, and with its first octet the descriptor. */
void wire_say_fd(struct wire *w, const char *line, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	char *whole = mem_printf("%s\n", line);
	struct iovec bytes = { whole, strlen(whole) };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof control.space };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	while (!w->over && bytes.iov_len > 0) {
		ssize_t n = sendmsg(w->fd, &m, MSG_NOSIGNAL);

		if (n < 0 &&
		    ((errno != EAGAIN && errno != EINTR) || !wait_for(w, POLLOUT, PATIENCE_MS)))
			w->over = true;
		if (n > 0) {
			bytes.iov_base = (char *)bytes.iov_base + n;
			bytes.iov_len -= (size_t)n;
			m.msg_control = NULL;
			m.msg_controllen = 0;
		}
	}
	free(whole);
}

void wire_send(struct wire *w)
{
	ssize_t n = 1;

	pthread_mutex_lock(&w->lock);
	while (w->out.len > 0 && n > 0) {
		n = send(w->fd, w->out.at, w->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buf_eat(&w->out, (size_t)n);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		w->over = true;
	pthread_mutex_unlock(&w->lock);
}

bool wire_has_unsent(struct wire *w)
{
	bool has;

	pthread_mutex_lock(&w->lock);
	has = w->out.len > 0;
	pthread_mutex_unlock(&w->lock);
	return has;
}

/* --- hearing ------------------------------------------------------------------------------- */

static void hear_lines(struct wire *w)
{
	size_t eaten = 0;

	while (!w->over) {
		struct slice rest = { w->in.at + eaten, w->in.len - eaten };
		const char *lf = rest.len > 0 ? memchr(rest.at, '\n', rest.len) : NULL;
		struct slice line = { rest.at, lf != NULL ? (size_t)(lf - rest.at) : 0 };

		if (lf == NULL)
			break;
		eaten += line.len + 1;
		if (!w->heard(w->owner, line))
			w->over = true;
	}
	if (w->in.len - eaten >= w->line_max)
		w->over = true;
	buf_eat(&w->in, eaten);
}

/* A message carries one at most: that is how they are sent. */
static void keep_fd(struct wire *w, struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (w->fd_count >= w->fds_max) {
		close(fd);
		w->over = true;
		return;
	}
	w->fds = mem_resize(w->fds, w->fd_count + 1, sizeof *w->fds);
	w->fds[w->fd_count++] = fd;
}

/* What is there, up to the next descriptor. */
static void receive(struct wire *w)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char bytes[16384];
	struct iovec into = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof control.space };
	ssize_t n = recvmsg(w->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			w->over = true;
		return;
	}
	keep_fd(w, &m);
	if (!buf_add(&w->in, bytes, (size_t)n))
		w->over = true;
	hear_lines(w);
}

void wire_hear(struct wire *w, int ms)
{
	if (wait_for(w, POLLIN, ms))
		receive(w);
}

void wire_expect(struct wire *w, unsigned descriptors)
{
	w->fds_max = descriptors;
}

int wire_claim(struct wire *w)
{
	return w->fd_next < w->fd_count ? w->fds[w->fd_next++] : -1;
}
