#include "net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	ACCEPTS_A_TURN = 32, /* about a millisecond; then those who are inside get their turn */
	STARVED_MS = 100,
};

struct listener {
	struct event event;
	struct timer retry;
	struct loop *loop;
	listener_accepted *accepted;
	listener_starved *starved;
	void *owner;
	int fd;
	int fd_end; /* descriptors from here on are others' */
};

/* A socket file outlives its daemon; one that still answers is somebody's. */
static bool clear_stale(const struct sockaddr_storage *sa, socklen_t len, const char *path)
{
	struct stat st;
	int probe, error;

	if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return true; /* bind will say what is wrong */
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return false;
	error = connect(probe, (const struct sockaddr *)sa, len) == 0 ? 0 : errno;
	close(probe);
	return error == ECONNREFUSED && unlink(path) == 0;
}

static bool prepare(int fd, const struct endpoint *at, bool shared)
{
	int one = 1;

	if (endpoint_is_unix(at))
		return true;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0)
		return false;
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
		return false;
	if (at->addr.family == ADDR_V6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0)
		return false; /* T9 */
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

bool listener_adapt(int fd, const struct endpoint *at, int backlog, unsigned file_mode)
{
	return (!endpoint_is_unix(at) || chmod(at->path, file_mode) == 0) &&
	       listen(fd, backlog) == 0;
}

int listener_socket(const struct endpoint *at, int backlog, unsigned file_mode, bool shared,
		    const char **why)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		*why = strerror(errno);
		return -1;
	}
	if (endpoint_is_unix(at) && !clear_stale(&sa, len, at->path)) {
		*why = "another process listens on it";
		close(fd);
		return -1;
	}
	if (!prepare(fd, at, shared) || bind(fd, (struct sockaddr *)&sa, len) != 0 ||
	    !listener_adapt(fd, at, backlog, file_mode)) {
		*why = strerror(errno);
		close(fd);
		return -1;
	}
	return fd;
}

/* Errors of the connection that was to be accepted, not of the listener (accept(2)). */
static bool is_peers_fault(int error)
{
	switch (error) {
	case ECONNABORTED: case EINTR: case EPROTO: case ENETDOWN: case ENOPROTOOPT: case EHOSTDOWN:
	case ENONET: case EHOSTUNREACH: case EOPNOTSUPP: case ENETUNREACH: case EPERM:
		return true;
	default:
		return false;
	}
}

static void starve(struct listener *l, int error)
{
	event_del(&l->event);
	timer_set(&l->retry, STARVED_MS);
	l->starved(l->owner, error);
}

static void on_connections(evutil_socket_t listening, short what, void *arg)
{
	struct listener *l = arg;

	(void)listening, (void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct addr peer;
		uint16_t port;

		if (fd < 0 && is_peers_fault(errno))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				starve(l, errno);
			return;
		}
		addr_from_sockaddr((struct sockaddr *)&sa, &peer, &port);
		l->accepted(l->owner, fd, &peer, port);
		if (fd >= l->fd_end) {
			starve(l, EMFILE);
			return;
		}
	}
}

static void listen_again(void *arg)
{
	struct listener *l = arg;
	int next = fcntl(l->fd, F_DUPFD_CLOEXEC, 0); /* the lowest one free */

	if (next >= 0)
		close(next);
	if (next < 0 || next >= l->fd_end)
		timer_set(&l->retry, STARVED_MS);
	else
		event_add(&l->event, NULL);
}

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted,
			      listener_starved *starved, void *owner)
{
	struct listener *l = mem_new(sizeof *l);

	l->loop = loop;
	l->fd = fd;
	l->accepted = accepted;
	l->starved = starved;
	l->owner = owner;
	l->fd_end = INT_MAX;
	event_assign(&l->event, loop_base(loop), fd, EV_READ | EV_PERSIST, on_connections, l);
	event_add(&l->event, NULL);
	timer_init(&l->retry, loop, listen_again, l);
	return l;
}

void listener_leave(struct listener *l, unsigned share)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
		l->fd_end = (int)(limit.rlim_cur - limit.rlim_cur / share);
}

void listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	event_del(&l->event);
	timer_stop(&l->retry);
	close(l->fd);
	free(l);
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}
