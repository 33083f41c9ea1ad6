/*
 * load - SMTP clients, as many as asked for, from one thread.
 *
 *   load [-m churn|mail|tls|shake|hold|reset] [-n COUNT] [-c AT-ONCE] [-R RATE] [-a FIRST]
 *        [-s SOURCES] [-l OCTETS] [-t SECONDS] [-f FROM] [-r TO] 127.0.0.1:PORT
 *
 * churn: connect, 220, QUIT, 221, end.     mail: a whole message of OCTETS.
 * tls:   EHLO, STARTTLS, handshake, QUIT.  shake: only the handshake, with a server of no SMTP.
 * hold:  COUNT connections, each from an address of its own, kept for SECONDS; ok are those that
 *        were made, and a second line says how many were still there and greeted in the end.
 * reset: connect, every other one says EHLO, RST.
 * The clients come from SOURCES addresses in turn, from FIRST (127.16.0.1) on; no more than RATE a
 * second, however slow the server is, if it is given.
 * Bounded: the target is on loopback, and after SECONDS (60) whatever is not done has failed.
 *
 * Prints one line of key=value: ok failed seconds per_s p50_us p99_us max_us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, LINE = 1024, EXIT_USAGE = 64 };

/* A conversation: what is awaited, and what is said then. The last step awaits the server's end. */
struct step {
	int code;	  /* 0: the end of the connection */
	const char *say;  /* NULL: nothing; SAY_MESSAGE, SAY_TLS: something special */
};
static const char SAY_MESSAGE[] = "message", SAY_TLS[] = "tls";

static char mail_from[300], rcpt_to[300];
static const struct step churn[] = { { 220, "QUIT\r\n" }, { 221, NULL }, { 0 } };
static const struct step mail[] = { { 220, "EHLO load.example\r\n" },
				    { 250, mail_from },
				    { 250, rcpt_to },
				    { 250, "DATA\r\n" },
				    { 354, SAY_MESSAGE },
				    { 250, "QUIT\r\n" },
				    { 221, NULL },
				    { 0 } };
static const struct step tls[] = { { 220, "EHLO load.example\r\n" },
				   { 250, "STARTTLS\r\n" },
				   { 220, SAY_TLS },
				   { 221, NULL },
				   { 0 } };
static const struct step shake[] = { { 0 } };
static const struct step hold[] = { { 220, NULL }, { 0 } };
static const struct step reset[] = { { 0 } };

static const struct {
	const char *name;
	const struct step *steps;
} modes[] = {
	{ "churn", churn }, { "mail", mail }, { "tls", tls },
	{ "shake", shake }, { "hold", hold }, { "reset", reset },
};

struct client {
	int fd;
	const struct step *step;
	uint64_t began_ns;
	SSL *ssl;
	bool connecting; /* of the held */
	bool handshaking;
	size_t unsent; /* of the message */
	char line[LINE];
	size_t len;
};

static struct {
	const struct step *steps;
	unsigned count, at_once, rate, sources, seconds;
	size_t octets;
	struct sockaddr_in to;
	uint32_t first;
	bool holding;
} plan = { churn, 1000, 10, 0, 256, 60, 10240, { .sin_family = AF_INET }, 0x7f100001, false };

static int polled;
static unsigned started, ended, failed, opening, connected, greeted;
static uint32_t *took_us;
static char *message;
static size_t message_len;
static SSL_CTX *ctx;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static _Noreturn void usage(void)
{
	fputs("usage: load [-m churn|mail|tls|shake|hold|reset] [-n COUNT] [-c AT-ONCE] [-R RATE]\n"
	      "            [-a FIRST] [-s SOURCES]\n"
	      "            [-l OCTETS] [-t SECONDS] [-f FROM] [-r TO] 127.0.0.1:PORT\n",
	      stderr);
	exit(EXIT_USAGE);
}

static void over(struct client *c, bool good)
{
	if (good && !plan.holding)
		took_us[ended - failed] = (uint32_t)((now_ns() - c->began_ns) / 1000);
	ended++;
	failed += !good;
	opening -= c->connecting;
	if (c->ssl != NULL)
		SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

static void watch(struct client *c, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	epoll_ctl(polled, op, c->fd, &e);
}

/* Linger 0: the close is a reset. */
static void be_rude(struct client *c)
{
	static const struct linger none = { .l_onoff = 1 };

	if (started % 2)
		send(c->fd, "EHLO load.example\r\n", 19, MSG_NOSIGNAL);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	over(c, true);
}

static bool start(void)
{
	unsigned n = started % (plan.holding ? plan.count : plan.sources);
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(plan.first + n) };
	struct client *c = calloc(1, sizeof *c);
	int one = 1;

	if (c == NULL)
		exit(1);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		perror("load: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->step = plan.steps;
	c->began_ns = now_ns();
	started++;
	if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
	    (connect(c->fd, (struct sockaddr *)&plan.to, sizeof plan.to) != 0 &&
	     errno != EINPROGRESS)) {
		over(c, false);
		return false;
	}
	if (plan.steps == reset) {
		be_rude(c);
		return true;
	}
	c->connecting = plan.holding;
	opening += c->connecting;
	watch(c, plan.holding || plan.steps == shake ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
	return true;
}

static ssize_t put(struct client *c, const char *at, size_t len)
{
	return c->ssl != NULL ? SSL_write(c->ssl, at, (int)len)
			      : send(c->fd, at, len, MSG_NOSIGNAL);
}

static bool send_message(struct client *c)
{
	while (c->unsent > 0) {
		ssize_t n = put(c, message + message_len - c->unsent, c->unsent);

		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return true;
		}
		if (n <= 0)
			return false;
		c->unsent -= (size_t)n;
	}
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
	return true;
}

static bool shake_hands(struct client *c)
{
	int done = SSL_connect(c->ssl), error;

	if (done == 1 && plan.steps == shake) {
		over(c, true);
		return true;
	}
	if (done == 1) {
		c->handshaking = false;
		watch(c, EPOLLIN, EPOLL_CTL_MOD);
		return put(c, "QUIT\r\n", 6) == 6;
	}
	error = SSL_get_error(c->ssl, done);
	watch(c, error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool begin_tls(struct client *c)
{
	c->ssl = SSL_new(ctx);
	SSL_set_fd(c->ssl, c->fd);
	c->handshaking = true;
	return shake_hands(c);
}

static bool say(struct client *c, const char *text)
{
	if (text == NULL)
		return true;
	if (text == SAY_MESSAGE) {
		c->unsent = message_len;
		return send_message(c);
	}
	if (text == SAY_TLS)
		return begin_tls(c);
	return put(c, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The last line of a reply. */
static bool replied(struct client *c, int code)
{
	if (code != c->step->code)
		return false;
	greeted += c->step == plan.steps;
	return say(c, (c->step++)->say);
}

static bool lines(struct client *c)
{
	char *lf;

	while ((lf = memchr(c->line, '\n', c->len)) != NULL) {
		size_t used = (size_t)(lf - c->line) + 1;
		bool last = used > 4 && c->line[3] != '-';
		int code = atoi(c->line);

		c->len -= used;
		memmove(c->line, lf + 1, c->len);
		if (last && !replied(c, code))
			return false;
	}
	return c->len < LINE;
}

static void heard(struct client *c, uint32_t events)
{
	ssize_t n;

	if (c->connecting && (events & EPOLLOUT) && !(events & EPOLLERR)) {
		c->connecting = false;
		opening--;
		connected++;
		watch(c, EPOLLIN, EPOLL_CTL_MOD);
	}
	if (c->handshaking || plan.steps == shake) {
		if (!(c->handshaking ? shake_hands(c) : begin_tls(c)))
			over(c, false);
		return;
	}
	if ((events & EPOLLOUT) && c->unsent > 0 && !send_message(c)) {
		over(c, false);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = c->ssl != NULL ? SSL_read(c->ssl, c->line + c->len, (int)(LINE - c->len))
			   : recv(c->fd, c->line + c->len, LINE - c->len, 0);
	if (c->ssl != NULL && n <= 0 && SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ)
		return;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		over(c, c->step->code == 0 && !plan.holding);
		return;
	}
	c->len += (size_t)n;
	if (!lines(c))
		over(c, false);
}

static void turn(int wait_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(polled, events, EVENTS, wait_ms);

	for (int i = 0; i < count; i++)
		heard(events[i].data.ptr, events[i].events);
}

static unsigned in_flight(void)
{
	return plan.holding ? opening : started - ended;
}

/* How many may have been started by now. */
static unsigned due(uint64_t began)
{
	uint64_t n = plan.count;

	if (plan.rate > 0)
		n = (now_ns() - began) * plan.rate / 1000000000 + 1;
	return n < plan.count ? (unsigned)n : plan.count;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(double seconds)
{
	unsigned good = plan.holding ? connected : ended - failed, n = plan.holding ? 0 : good;

	qsort(took_us, n, sizeof *took_us, by_size);
	printf("ok=%u failed=%u seconds=%.3f per_s=%.0f p50_us=%u p99_us=%u max_us=%u\n", good,
	       plan.count - good, seconds, good / seconds, n ? took_us[n / 2] : 0,
	       n ? took_us[n * 99 / 100] : 0, n ? took_us[n - 1] : 0);
	fflush(stdout);
}

static void make_message(void)
{
	static const char head[] = "Subject: load\r\n\r\n", end[] = ".\r\n";

	message = malloc(plan.octets + 200);
	if (message == NULL)
		exit(1);
	memcpy(message, head, sizeof head - 1);
	for (message_len = sizeof head - 1; message_len < plan.octets; message_len += 80) {
		memset(message + message_len, 'x', 78);
		memcpy(message + message_len + 78, "\r\n", 2);
	}
	memcpy(message + message_len, end, sizeof end - 1);
	message_len += sizeof end - 1;
}

static unsigned number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || n == 0 || n > max)
		usage();
	return (unsigned)n;
}

static void read_mode(const char *name)
{
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(modes[i].name, name) == 0) {
			plan.steps = modes[i].steps;
			plan.holding = modes[i].steps == hold;
			return;
		}
	}
	usage();
}

/* On loopback, or it is none of ours. */
static uint32_t address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1 || ntohl(a.s_addr) >> 24 != 127)
		usage();
	return ntohl(a.s_addr);
}

static void read_target(const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		usage();
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	plan.to.sin_addr.s_addr = htonl(address(host));
	plan.to.sin_port = htons((uint16_t)number(colon + 1, 65535));
}

int main(int argc, char **argv)
{
	const char *from = "load@example.net", *to = "load@example.org";
	struct rlimit files;
	uint64_t began, until;
	int c;

	while ((c = getopt(argc, argv, "m:n:c:R:a:s:l:t:f:r:")) != -1) {
		switch (c) {
		case 'm': read_mode(optarg); break;
		case 'n': plan.count = number(optarg, 10000000); break;
		case 'c': plan.at_once = number(optarg, 20000); break;
		case 'R': plan.rate = number(optarg, 1000000); break;
		case 'a': plan.first = address(optarg); break;
		case 's': plan.sources = number(optarg, 1 << 20); break;
		case 'l': plan.octets = number(optarg, 1 << 30); break;
		case 't': plan.seconds = number(optarg, 600); break;
		case 'f': from = optarg; break;
		case 'r': to = optarg; break;
		default: usage();
		}
	}
	if (optind + 1 != argc)
		usage();
	read_target(argv[optind]);
	snprintf(mail_from, sizeof mail_from, "MAIL FROM:<%s>\r\n", from);
	snprintf(rcpt_to, sizeof rcpt_to, "RCPT TO:<%s>\r\n", to);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	took_us = calloc(plan.count, sizeof *took_us);
	make_message();
	polled = epoll_create1(0);

	began = now_ns();
	until = began + plan.seconds * 1000000000ull;
	while (now_ns() < until && (plan.holding ? started - opening : ended) < plan.count) {
		for (unsigned most = due(began); started < most && in_flight() < plan.at_once;)
			start();
		turn(plan.rate > 0 ? 1 : 100);
	}
	report((double)(now_ns() - began) / 1e9);
	if (plan.holding) {
		while (now_ns() < until)
			turn(100);
		printf("held=%u greeted=%u\n", started - ended, greeted);
	}
	return failed > 0;
}
