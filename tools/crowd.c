/*
 * crowd - many clients at once, each from an address of its own, to see what a policy does to them.
 *
 *   crowd [-n COUNT] [-t SECONDS] BLOCK ADDR:PORT
 *
 * Opens COUNT connections from the addresses of BLOCK in turn, prints how long each waited for its
 * banner, holds them all for SECONDS, and leaves. For loopback: 127.0.0.0/8 needs no set-up.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
	EXIT_USAGE = 64,
	COUNT_MAX = 10000,
	SECONDS_MAX = 600,
	ORDER_MS = 1, /* between two: they arrive in order, whichever worker takes them */
};

struct client {
	struct addr from;
	uint64_t began_ms;
	bool answered;
};

static _Noreturn void usage(const char *why)
{
	fprintf(stderr, "crowd: %s\nusage: crowd [-n COUNT] [-t SECONDS] BLOCK ADDR:PORT\n", why);
	exit(EXIT_USAGE);
}

static unsigned number(const char *text, unsigned max, const char *what)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || n == 0 || n > max)
		usage(what);
	return (unsigned)n;
}

static socklen_t server(const char *text, struct sockaddr_storage *out)
{
	const char *colon = strrchr(text, ':');
	struct addr addr;

	if (colon == NULL ||
	    addr_parse((struct slice){ text, (size_t)(colon - text) }, &addr) != NULL)
		usage("where to? 127.0.0.1:2525 or [::1]:2525");
	return addr_to_sockaddr(&addr, (uint16_t)number(colon + 1, 65535, "the port is 1 to 65535"),
				out);
}

/* The nth address of the block, around and around. */
static struct addr address(const struct cidr *block, unsigned n)
{
	struct addr a = block->addr;
	unsigned free_bits = addr_bits(&a) - block->len;
	uint64_t offset = free_bits >= 32 ? n : n & ((1ull << free_bits) - 1);

	if (a.family == ADDR_V4)
		a.hi |= offset << 32;
	else
		a.lo |= offset;
	return a;
}

static int open_one(const struct addr *from, const struct sockaddr_storage *to, socklen_t to_len)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(from, 0, &sa);
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) != 0 ||
	    (connect(fd, (const struct sockaddr *)to, to_len) != 0 && errno != EINPROGRESS)) {
		fprintf(stderr, "crowd: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

/* The banner, or the end. A client that is let go is not watched any more. */
static void answered(struct client *c, struct pollfd *p)
{
	char line[512], from[ADDR_TEXT_MAX];
	ssize_t n = read(p->fd, line, sizeof line - 1);
	double waited = (double)(clock_ms() - c->began_ms) / 1000;

	addr_print(&c->from, from);
	if (n > 0) {
		line[n] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		printf("%-15s %6.1f s  %s\n", from, waited, line);
	} else if (!c->answered) {
		printf("%-15s %6.1f s  closed\n", from, waited);
	}
	c->answered = true;
	if (n <= 0) {
		close(p->fd);
		p->fd = -1;
	}
}

static void hold(struct client *clients, struct pollfd *polls, unsigned count, unsigned seconds)
{
	uint64_t until = clock_ms() + seconds * 1000ull;
	unsigned left = count;

	for (uint64_t now = clock_ms(); left > 0 && now < until; now = clock_ms()) {
		if (poll(polls, count, (int)(until - now)) < 0 && errno != EINTR)
			return;
		left = 0;
		for (unsigned i = 0; i < count; i++) {
			if (polls[i].fd >= 0 && polls[i].revents != 0)
				answered(&clients[i], &polls[i]);
			left += polls[i].fd >= 0;
		}
	}
}

int main(int argc, char **argv)
{
	unsigned count = 40, seconds = 60;
	struct sockaddr_storage to;
	struct pollfd *polls;
	struct client *clients;
	struct cidr block;
	socklen_t to_len;
	int c;

	while ((c = getopt(argc, argv, "n:t:")) != -1) {
		if (c == 'n')
			count = number(optarg, COUNT_MAX, "COUNT is 1 to 10000");
		else if (c == 't')
			seconds = number(optarg, SECONDS_MAX, "SECONDS is 1 to 600");
		else
			usage("unknown option");
	}
	if (argc - optind != 2 || cidr_parse(slice_of(argv[optind]), &block) != NULL)
		usage("from where, and to where?");
	to_len = server(argv[optind + 1], &to);
	if (block.addr.family != (to.ss_family == AF_INET ? ADDR_V4 : ADDR_V6))
		usage("both must be IPv4, or both IPv6");

	setvbuf(stdout, NULL, _IOLBF, 0);
	polls = mem_array(count, sizeof *polls);
	clients = mem_array(count, sizeof *clients);
	for (unsigned i = 0; i < count; i++) {
		poll(NULL, 0, ORDER_MS);
		clients[i] =
			(struct client){ .from = address(&block, i + 1), .began_ms = clock_ms() };
		polls[i] = (struct pollfd){ .fd = open_one(&clients[i].from, &to, to_len),
					    .events = POLLIN };
	}
	printf("%u connections are open; holding them for %u seconds\n", count, seconds);
	hold(clients, polls, count, seconds);
	free(polls);
	free(clients);
	return 0;
}
