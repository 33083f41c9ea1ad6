/*
 * Each side has one thread, which reads, writes and counts for the other, and looks every few
 * milliseconds for what the workers left in `out`. It lives for as long as the old one drains.
 */
#include "app/handover.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "archive/news.h"
#include "audit/budget.h"
#include "audit/elsewhere.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	LOOK_MS = 5,
	ANSWER_MS = 60000,	/* for what the other side has to do before it goes on */
	LAST_WORDS_MS = 2000,
	FDS_MAX = 16384,	/* 256 workers, 64 doors */
	NEWS_MAX = sizeof "series " + NEWS_LINE_MAX,
	OUT_MAX = 256 << 20,	/* what the other does not read */
};

struct handover {
	struct handover_world world;
	struct console *console; /* the old one's */
	int fd;
	pthread_t thread;
	bool has_thread;
	_Atomic bool ending;
	bool is_new; /* the new one's side */
	bool taken;
	bool now;
	bool saved;
	_Atomic bool over; /* the other has gone, or talks nonsense */
	struct audit_tap tap;
	struct series_tap series_tap;
	pthread_mutex_t lock;
	struct buf out; /* under lock */
	struct buf in;
	struct elsewhere *elsewhere;
	int *fds; /* received, not yet claimed by a line */
	unsigned fd_count, fd_next;
	struct inheritance *inheritance; /* NULL: none is expected any more */
};

/* --- saying -------------------------------------------------------------------------------- */

static void told(struct audit_tap *tap, bool entered, const struct audit_ticket *ticket)
{
	struct handover *h = (struct handover *)((char *)tap - offsetof(struct handover, tap));

	pthread_mutex_lock(&h->lock);
	if (!elsewhere_say(&h->out, entered, ticket))
		h->ending = true; /* a sum that lacks some is worse than none */
	pthread_mutex_unlock(&h->lock);
}

static void say(struct handover *h, const char *line)
{
	pthread_mutex_lock(&h->lock);
	if (!buf_printf(&h->out, "%s\n", line))
		h->ending = true;
	pthread_mutex_unlock(&h->lock);
}

static void series_told(struct series_tap *tap, struct series *s, const struct series_key *key,
			int64_t amount)
{
	const size_t at = offsetof(struct handover, series_tap);
	struct handover *h = (struct handover *)((char *)tap - at);
	struct buf line;

	if (h->over)
		return;
	buf_init(&line, NEWS_MAX);
	if (buf_printf(&line, "series ") && news_say(&line, s, key, amount))
		say(h, buf_text(&line));
	buf_free(&line);
}

struct series_tap *handover_series(struct handover *h)
{
	return &h->series_tap;
}

static void tell_slots(void *arg, const char *name, uint32_t taken)
{
	char *line = mem_printf("slots %u %s", taken, name);

	say(arg, line);
	free(line);
}

static bool wait_for(struct handover *h, short what, int ms)
{
	struct pollfd p = { .fd = h->fd, .events = what };

	return poll(&p, 1, ms) > 0;
}

/* The whole line, and with its first octet the descriptor. */
static bool say_with_fd(struct handover *h, const char *what, const char *name, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	char *line = mem_printf("%s %s\n", what, name);
	struct iovec bytes = { line, strlen(line) };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof control.space };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	while (bytes.iov_len > 0) {
		ssize_t n = sendmsg(h->fd, &m, MSG_NOSIGNAL);

		if (n < 0 &&
		    ((errno != EAGAIN && errno != EINTR) || !wait_for(h, POLLOUT, ANSWER_MS)))
			break;
		if (n > 0) {
			bytes.iov_base = (char *)bytes.iov_base + n;
			bytes.iov_len -= (size_t)n;
			m.msg_control = NULL;
			m.msg_controllen = 0;
		}
	}
	free(line);
	return bytes.iov_len == 0;
}

static void send_out(struct handover *h)
{
	ssize_t n = 1;

	pthread_mutex_lock(&h->lock);
	while (h->out.len > 0 && n > 0) {
		n = send(h->fd, h->out.at, h->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buf_eat(&h->out, (size_t)n);
	}
	h->over |= n < 0 && errno != EAGAIN && errno != EINTR;
	pthread_mutex_unlock(&h->lock);
}

/* --- hearing ------------------------------------------------------------------------------- */

static bool claim(struct handover *h, struct slice name, struct crew_socket **list, unsigned *count)
{
	struct endpoint where;

	if (h->fd_next == h->fd_count || endpoint_parse(name, &where) != NULL)
		return false;
	*list = mem_resize(*list, *count + 1, sizeof **list);
	(*list)[(*count)++] = (struct crew_socket){ where, h->fds[h->fd_next++] };
	return true;
}

static bool hear_slots(struct handover *h, struct slice args)
{
	struct slice name, count = slice_cut(args, ' ', &name);
	char text[ELSEWHERE_LINE_MAX] = "";
	uint64_t taken;

	if (!slice_number(count, UINT32_MAX, &taken) || name.len >= sizeof text)
		return false;
	memcpy(text, name.at, name.len);
	budgets_hear(h->world.budgets, text, (uint32_t)taken);
	return true;
}

/* What cannot be counted here does not end the rest. */
static bool hear_series(struct handover *h, struct slice news)
{
	const char *wrong = news_hear(h->world.series, news);

	if (wrong != NULL)
		log_error("upgrade: %s in \"%.*s\"", wrong, SLICE_ARGS(news));
	return true;
}

static bool hear_line(struct handover *h, struct slice line)
{
	struct slice rest, word = slice_cut(line, ' ', &rest);
	struct inheritance *from = h->inheritance;
	const char *wrong;

	if (from != NULL && slice_equal(word, SLICE("socket")))
		return claim(h, rest, &from->doors, &from->door_count);
	if (from != NULL && slice_equal(word, SLICE("console")))
		return claim(h, rest, &from->consoles, &from->console_count);
	if (slice_equal(word, SLICE("slots")))
		return hear_slots(h, rest);
	if (h->is_new && slice_equal(word, SLICE("series")))
		return hear_series(h, rest);
	if (slice_equal(line, SLICE("now"))) {
		h->now = true;
		return true;
	}
	if (slice_equal(line, SLICE("taken"))) {
		h->taken = true;
		return true;
	}
	if (h->is_new && !h->saved && slice_equal(line, SLICE("saved"))) {
		h->saved = true;
		h->world.saved(h->world.owner);
		return true;
	}
	wrong = elsewhere_hear(h->elsewhere, line);
	if (wrong != NULL)
		log_error("upgrade: %s in \"%.*s\"", wrong, SLICE_ARGS(line));
	return wrong == NULL;
}

static void hear_lines(struct handover *h)
{
	size_t eaten = 0;

	while (!h->over) {
		struct slice rest = { h->in.at + eaten, h->in.len - eaten };
		const char *lf = rest.len > 0 ? memchr(rest.at, '\n', rest.len) : NULL;

		if (lf == NULL)
			break;
		eaten += (size_t)(lf - rest.at) + 1;
		h->over = !hear_line(h, (struct slice){ rest.at, (size_t)(lf - rest.at) });
	}
	h->over |= h->in.len - eaten >= (h->is_new ? NEWS_MAX : ELSEWHERE_LINE_MAX);
	buf_eat(&h->in, eaten);
}

/* A message carries one at most: that is how they are sent. */
static void keep_fd(struct handover *h, struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (h->inheritance == NULL || h->fd_count == FDS_MAX) {
		close(fd);
		h->over = true;
		return;
	}
	h->fds = mem_resize(h->fds, h->fd_count + 1, sizeof *h->fds);
	h->fds[h->fd_count++] = fd;
}

/* What is there, up to the next descriptor. */
static void hear(struct handover *h)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char bytes[16384];
	struct iovec into = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof control.space };
	ssize_t n = recvmsg(h->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0) {
		h->over |= n == 0 || (errno != EAGAIN && errno != EINTR);
		return;
	}
	keep_fd(h, &m);
	if (!buf_add(&h->in, bytes, (size_t)n))
		h->over = true;
	hear_lines(h);
}

/* --- both ---------------------------------------------------------------------------------- */

static struct handover *handover_new(const struct handover_world *world, int fd)
{
	struct handover *h = mem_new(sizeof *h);

	h->world = *world;
	h->fd = fd;
	h->tap.told = told;
	h->series_tap.told = series_told;
	h->elsewhere = elsewhere_new(world->audit);
	pthread_mutex_init(&h->lock, NULL);
	buf_init(&h->out, OUT_MAX);
	buf_init(&h->in, 0);
	return h;
}

static void turn(struct handover *h)
{
	if (wait_for(h, POLLIN, LOOK_MS))
		hear(h);
	budgets_tell(h->world.budgets, tell_slots, h);
	send_out(h);
}

static void alone(struct handover *h)
{
	elsewhere_free(h->elsewhere);
	h->elsewhere = NULL;
	budgets_alone(h->world.budgets);
}

/* Until one of both goes. Then nobody is counted for the other any more. */
static void follow(struct handover *h)
{
	uint64_t until;

	while (!h->over && !h->ending)
		turn(h);
	crew_tap(h->world.crew, NULL);
	for (until = clock_ms() + LAST_WORDS_MS; !h->over && h->out.len > 0 && clock_ms() < until;)
		turn(h);
	shutdown(h->fd, SHUT_RDWR);
	alone(h);
}

static void start(struct handover *h, void *(*main)(void *))
{
	h->has_thread = pthread_create(&h->thread, NULL, main, h) == 0;
	CHECK(h->has_thread);
}

void handover_end(struct handover *h)
{
	if (h == NULL)
		return;
	h->ending = true;
	if (h->has_thread)
		pthread_join(h->thread, NULL);
	else
		alone(h);
	close(h->fd);
	while (h->fd_next < h->fd_count)
		close(h->fds[h->fd_next++]);
	free(h->fds);
	buf_free(&h->out);
	buf_free(&h->in);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* --- the old one --------------------------------------------------------------------------- */

static bool give_sockets(struct handover *h, const struct inheritance *all)
{
	char name[ENDPOINT_TEXT_MAX];
	bool fine = true;

	for (unsigned i = 0; i < all->door_count; i++) {
		fine = fine && say_with_fd(h, "socket", endpoint_print(&all->doors[i].where, name),
					   all->doors[i].fd);
		close(all->doors[i].fd);
	}
	for (unsigned i = 0; i < all->console_count; i++) {
		fine = fine &&
		       say_with_fd(h, "console", all->consoles[i].where.path, all->consoles[i].fd);
		close(all->consoles[i].fd);
	}
	return fine;
}

static void *give(void *arg)
{
	struct handover *h = arg;
	uint64_t until = clock_ms() + ANSWER_MS;

	if (h->over)
		log_error("upgrade: too few descriptors");
	h->over |= !give_sockets(h, h->inheritance);
	free(h->inheritance->doors);
	free(h->inheritance->consoles);
	free(h->inheritance);
	h->inheritance = NULL;
	crew_tap(h->world.crew, &h->tap);
	budgets_tell(h->world.budgets, tell_slots, h);
	say(h, "now");
	while (!h->taken && !h->over && !h->ending && clock_ms() < until)
		turn(h);
	if (h->taken) {
		console_retire(h->console);
		crew_retire(h->world.crew);
		h->world.handed(h->world.owner);
	} else {
		h->over = true;
	}
	follow(h);
	if (!h->taken)
		h->world.given_up(h->world.owner);
	return NULL;
}

struct handover *handover_give(const struct handover_world *world, struct console *console, int fd)
{
	struct handover *h = handover_new(world, fd);
	struct inheritance *all = mem_new(sizeof *all);

	h->console = console;
	h->inheritance = all;
	h->over = !crew_sockets(world->crew, &all->doors, &all->door_count) ||
		  !console_sockets(console, &all->consoles, &all->console_count);
	start(h, give);
	return h;
}

/* --- the new one --------------------------------------------------------------------------- */

static int dial(const struct endpoint *control)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_sockaddr(control, &sa);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* NULL: it will. Otherwise what it says, up to the line's end. */
static const char *ask(int fd)
{
	static const char question[] = "upgrade\n";
	static char answer[512];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0)
		return strerror(errno);
	while (len < sizeof answer - 1 && (len == 0 || answer[len - 1] != '\n')) {
		if (poll(&p, 1, ANSWER_MS) <= 0 || recv(fd, answer + len, 1, 0) != 1)
			return "it does not answer";
		len++;
	}
	answer[len - 1] = '\0';
	return strcmp(answer, ". 0") == 0 ? NULL : answer;
}

struct handover *handover_ask(const struct handover_world *world, const struct endpoint *control,
			      struct inheritance *out, struct complaints *complaints)
{
	int fd = dial(control);
	uint64_t until = clock_ms() + ANSWER_MS;
	struct handover *h;
	const char *wrong;

	if (fd < 0)
		return NULL;
	wrong = ask(fd);
	if (wrong != NULL) {
		complain(complaints, (struct place){ 0 },
			 "upgrade: who runs does not hand over: %s", wrong);
		close(fd);
		return NULL;
	}
	h = handover_new(world, fd);
	h->is_new = true;
	h->inheritance = out;
	while (!h->now && !h->over && clock_ms() < until)
		turn(h);
	h->inheritance = NULL;
	if (h->now && !h->over) {
		crew_tap(world->crew, &h->tap);
		return h;
	}
	complain(complaints, (struct place){ 0 }, "upgrade: who runs did not hand over");
	handover_end(h);
	return NULL;
}

static void *take(void *arg)
{
	struct handover *h = arg;

	follow(h);
	if (!h->saved)
		h->world.saved(h->world.owner);
	return NULL;
}

void handover_saved(struct handover *h)
{
	say(h, "saved");
}

uint64_t handover_sessions(const struct handover *h)
{
	return elsewhere_sessions(h->elsewhere);
}

bool handover_is_over(const struct handover *h)
{
	return h->over;
}

void handover_taken(struct handover *h)
{
	say(h, "taken");
	start(h, take);
}
