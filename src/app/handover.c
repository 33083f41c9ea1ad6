/*
 * Each side has one thread, which reads, writes and counts for the other, and looks every few
 * milliseconds for what the workers have said. It lives for as long as the old one drains.
 */
#include "app/handover.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/wire.h"
#include "archive/news.h"
#include "audit/budget.h"
#include "audit/elsewhere.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	LOOK_MS = 5,
	ANSWER_MS = 60000,	/* for what the other side has to do before it goes on */
	TRIES = 5,		/* of the new one */
	AGAIN_MS = 200,
	LAST_WORDS_MS = 2000,
	FDS_MAX = 16384,	/* 256 workers, 64 doors */
	NEWS_MAX = sizeof "series " + NEWS_LINE_MAX,
};

struct handover {
	struct handover_world world;
	struct console *console; /* the old one's */
	struct wire *wire;
	pthread_t thread;
	bool has_thread;
	_Atomic bool ending;
	bool is_new; /* the new one's side */
	bool taken;
	bool now;
	bool saved;
	struct audit_tap tap;
	struct series_tap series_tap;
	struct elsewhere *elsewhere;
	struct inheritance own;		 /* the old one's, to give */
	struct inheritance *inheritance; /* the new one's, while it comes; NULL otherwise */
};

/* --- saying -------------------------------------------------------------------------------- */

static void told(struct audit_tap *tap, bool entered, const struct audit_ticket *ticket)
{
	struct handover *h = (struct handover *)((char *)tap - offsetof(struct handover, tap));

	wire_end(h->wire, elsewhere_say(wire_begin(h->wire), entered, ticket));
}

static void series_told(struct series_tap *tap, struct series *s, const struct series_key *key,
			int64_t amount)
{
	const size_t at = offsetof(struct handover, series_tap);
	struct handover *h = (struct handover *)((char *)tap - at);
	struct buf line;

	if (wire_is_over(h->wire))
		return;
	buf_init(&line, NEWS_MAX);
	if (buf_printf(&line, "series ") && news_say(&line, s, key, amount))
		wire_say(h->wire, buf_text(&line));
	buf_free(&line);
}

struct series_tap *handover_series(struct handover *h)
{
	return &h->series_tap;
}

static void tell_slots(void *arg, const char *name, uint32_t taken)
{
	struct handover *h = arg;

	wire_end(h->wire, buf_printf(wire_begin(h->wire), "slots %u %s\n", taken, name));
}

/* --- hearing ------------------------------------------------------------------------------- */

static bool claim(struct handover *h, struct slice name, struct crew_socket **list, unsigned *count)
{
	struct endpoint where;
	int fd;

	if (endpoint_parse(name, &where) != NULL || (fd = wire_claim(h->wire)) < 0)
		return false;
	*list = mem_resize(*list, *count + 1, sizeof **list);
	(*list)[(*count)++] = (struct crew_socket){ where, fd };
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

static bool hear_socket(struct handover *h, struct slice where)
{
	struct inheritance *all = h->inheritance;

	return all != NULL && claim(h, where, &all->doors, &all->door_count);
}

static bool hear_console(struct handover *h, struct slice where)
{
	struct inheritance *all = h->inheritance;

	return all != NULL && claim(h, where, &all->consoles, &all->console_count);
}

static bool hear_now(struct handover *h, struct slice nothing)
{
	h->now = true;
	return nothing.len == 0;
}

static bool hear_taken(struct handover *h, struct slice nothing)
{
	h->taken = true;
	return nothing.len == 0;
}

static bool hear_saved(struct handover *h, struct slice nothing)
{
	if (h->saved || nothing.len > 0)
		return false;
	h->saved = true;
	h->world.saved(h->world.owner);
	return true;
}

/* By whom it may be said, to the other. */
enum { OLD = 1, NEW = 2 };

static const struct {
	const char *word;
	unsigned by;
	bool (*hear)(struct handover *h, struct slice args);
} words[] = {
	{ "socket", OLD, hear_socket },
	{ "console", OLD, hear_console },
	{ "now", OLD, hear_now },
	{ "taken", NEW, hear_taken },
	{ "saved", OLD, hear_saved },
	{ "series", OLD, hear_series },
	{ "slots", OLD | NEW, hear_slots },
};

/* A word of ours, or who enters and who leaves. Other words are of a version to come, from which
 * one may want to go back to this one. */
static bool heard(void *owner, struct slice line)
{
	struct handover *h = owner;
	struct slice args, word = slice_cut(line, ' ', &args);
	const unsigned speaker = h->is_new ? OLD : NEW;
	const char *wrong;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (slice_equal(word, slice_of(words[i].word)))
			return (words[i].by & speaker) && words[i].hear(h, args);
	if (word.len > 0 && ascii_is_letter(word.at[0]))
		return true;
	wrong = elsewhere_hear(h->elsewhere, line);
	if (wrong != NULL)
		log_error("upgrade: %s in \"%.*s\"", wrong, SLICE_ARGS(line));
	return wrong == NULL;
}

/* --- both ---------------------------------------------------------------------------------- */

static struct handover *handover_new(const struct handover_world *world, int fd, bool is_new)
{
	struct handover *h = mem_new(sizeof *h);

	h->world = *world;
	h->wire = wire_new(fd, is_new ? NEWS_MAX : ELSEWHERE_LINE_MAX, heard, h);
	h->is_new = is_new;
	h->tap.told = told;
	h->series_tap.told = series_told;
	h->elsewhere = elsewhere_new(world->audit);
	return h;
}

static void turn(struct handover *h)
{
	wire_hear(h->wire, LOOK_MS);
	budgets_tell(h->world.budgets, tell_slots, h);
	wire_send(h->wire);
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

	while (!wire_is_over(h->wire) && !h->ending)
		turn(h);
	crew_tap(h->world.crew, NULL);
	until = clock_ms() + LAST_WORDS_MS;
	while (!wire_is_over(h->wire) && wire_has_unsent(h->wire) && clock_ms() < until)
		turn(h);
	wire_hang_up(h->wire);
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
	wire_free(h->wire);
	free(h);
}

/* --- the old one --------------------------------------------------------------------------- */

static void give_back(struct inheritance *all)
{
	for (unsigned i = 0; i < all->door_count; i++)
		close(all->doors[i].fd);
	for (unsigned i = 0; i < all->console_count; i++)
		close(all->consoles[i].fd);
	free(all->doors);
	free(all->consoles);
	*all = (struct inheritance){ 0 };
}

static void give_socket(struct handover *h, const char *what, const char *name, int fd)
{
	char *line = mem_printf("%s %s", what, name);

	wire_say_fd(h->wire, line, fd);
	free(line);
}

static void give_sockets(struct handover *h)
{
	struct inheritance *all = &h->own;
	char name[ENDPOINT_TEXT_MAX];

	for (unsigned i = 0; i < all->door_count; i++)
		give_socket(h, "socket", endpoint_print(&all->doors[i].where, name),
			    all->doors[i].fd);
	for (unsigned i = 0; i < all->console_count; i++)
		give_socket(h, "console", all->consoles[i].where.path, all->consoles[i].fd);
	give_back(all);
}

static void *give(void *arg)
{
	struct handover *h = arg;
	uint64_t until = clock_ms() + ANSWER_MS;

	if (wire_is_over(h->wire))
		log_error("upgrade: too few descriptors");
	give_sockets(h);
	crew_tap(h->world.crew, &h->tap);
	budgets_tell(h->world.budgets, tell_slots, h);
	wire_say(h->wire, "now");
	while (!h->taken && !wire_is_over(h->wire) && !h->ending && clock_ms() < until)
		turn(h);
	if (h->taken) {
		console_retire(h->console);
		crew_retire(h->world.crew);
		h->world.handed(h->world.owner);
	} else {
		wire_give_up(h->wire);
	}
	follow(h);
	if (!h->taken)
		h->world.given_up(h->world.owner);
	return NULL;
}

struct handover *handover_give(const struct handover_world *world, struct console *console, int fd)
{
	struct handover *h = handover_new(world, fd, false);

	h->console = console;
	if (!crew_sockets(world->crew, &h->own.doors, &h->own.door_count) ||
	    !console_sockets(console, &h->own.consoles, &h->own.console_count))
		wire_give_up(h->wire);
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

/* NULL: *wrong_out says why not. */
static struct handover *ask_once(const struct handover_world *world, int fd, uint64_t until,
				 struct inheritance *out, const char **wrong_out)
{
	struct handover *h;

	*wrong_out = ask(fd);
	if (*wrong_out != NULL) {
		close(fd);
		return NULL;
	}
	h = handover_new(world, fd, true);
	h->inheritance = out;
	wire_expect(h->wire, FDS_MAX);
	while (!h->now && !wire_is_over(h->wire) && clock_ms() < until)
		turn(h);
	wire_expect(h->wire, 0);
	h->inheritance = NULL;
	if (h->now && !wire_is_over(h->wire)) {
		crew_tap(world->crew, &h->tap);
		return h;
	}
	*wrong_out = "it began, and did not end";
	handover_end(h);
	give_back(out);
	return NULL;
}

/* Who does not may be dying, and then soon nobody is there; or not be done with its own upgrade. */
struct handover *handover_ask(const struct handover_world *world, const struct endpoint *control,
			      struct inheritance *out, struct complaints *complaints)
{
	uint64_t until = clock_ms() + ANSWER_MS;
	const char *wrong = NULL;

	for (int tries = 0; tries < TRIES && clock_ms() < until; tries++) {
		struct handover *h;
		int fd;

		if (tries > 0)
			usleep(AGAIN_MS * 1000);
		fd = dial(control);
		if (fd < 0)
			return NULL;
		h = ask_once(world, fd, until, out, &wrong);
		if (h != NULL)
			return h;
	}
	complain(complaints, (struct place){ 0 }, "upgrade: who runs does not hand over: %s",
		 wrong);
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
	wire_say(h->wire, "saved");
}

uint64_t handover_sessions(const struct handover *h)
{
	return elsewhere_sessions(h->elsewhere);
}

bool handover_is_over(const struct handover *h)
{
	return wire_is_over(h->wire);
}

void handover_taken(struct handover *h)
{
	wire_say(h->wire, "taken");
	start(h, take);
}
