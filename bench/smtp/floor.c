/*
 * floor - the least that an SMTP server can do: what a connection costs the kernel and an epoll
 * loop, with nothing counted, judged or passed on. The figure the others are held against.
 *
 *   floor PORT      on 127.0.0.1, until it is ended
 *
 * Answers every line with a constant and swallows DATA up to a line with a dot.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, ROOM = 65536 };

struct client {
	int fd;
	bool in_data;
	unsigned matched; /* of "\r\n.\r\n" */
	char verb;	  /* first letter of the line now read; 0: a line begins */
};

static int polled;

static void say(struct client *c, const char *text)
{
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		c->verb = 'Q';
}

/* false: the client is gone, or was sent away. */
static bool line_ended(struct client *c)
{
	char verb = c->verb;

	c->verb = 0;
	if (verb == 'Q') {
		say(c, "221 bye\r\n");
		return false;
	}
	if (verb == 'D') {
		c->in_data = true;
		c->matched = 2;
		say(c, "354 go\r\n");
	} else {
		say(c, "250 ok\r\n");
	}
	return true;
}

static bool eat(struct client *c, const char *at, size_t len)
{
	static const char end[] = "\r\n.\r\n";

	for (const char *stop = at + len; at < stop; at++) {
		if (c->in_data) {
			c->matched = *at == end[c->matched] ? c->matched + 1 : *at == '\r';
			if (c->matched == 5) {
				c->in_data = false;
				say(c, "250 ok\r\n");
			}
		} else if (*at == '\n') {
			if (!line_ended(c))
				return false;
		} else if (c->verb == 0) {
			c->verb = *at;
		}
	}
	return true;
}

static void serve(struct client *c)
{
	static char room[ROOM];
	ssize_t n = recv(c->fd, room, sizeof room, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !eat(c, room, (size_t)n)) {
		close(c->fd);
		free(c);
	}
}

static void welcome(int listening)
{
	for (;;) {
		int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
		struct client *c;
		struct epoll_event e = { .events = EPOLLIN };

		if (fd < 0)
			return;
		c = calloc(1, sizeof *c);
		if (c == NULL)
			exit(1);
		c->fd = fd;
		e.data.ptr = c;
		epoll_ctl(polled, EPOLL_CTL_ADD, fd, &e);
		say(c, "220 floor\r\n");
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	struct rlimit files;
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (argc != 2 || atoi(argv[1]) <= 0) {
		fputs("usage: floor PORT\n", stderr);
		return 64;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(listening, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(listening, 4096) != 0) {
		perror("floor");
		return 1;
	}
	polled = epoll_create1(0);
	epoll_ctl(polled, EPOLL_CTL_ADD, listening, &e);
	for (;;) {
		int count = epoll_wait(polled, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				welcome(listening);
			else
				serve(events[i].data.ptr);
		}
	}
}
