/*
 * One loop on one thread: doors accept, a connection reads a line, runs it as an ask, and sends
 * its answer step by step. A step is made only when the one before it has left, so a reader that
 * is slow, or that stopped, holds one step's memory until the door's timeout.
 */
#include "admin/console.h"

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "admin/ask.h"
#include "admin/gate.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/stream.h"

enum {
	CONNECTIONS_MAX = 32,  /* of people and their scripts */
	ERRANDS_CHECK_MS = 10, /* while stopping */
};

struct entrance {
	struct console *console;
	struct console_door door;
	struct listener *listener;
};

struct conn {
	LIST_ENTRY(conn) next;
	struct burial burial;
	struct console *console;
	const struct console_door *door;
	struct stream stream;
	struct timer idle;
	struct timer turn; /* the next step, in a later turn of the loop */
	struct audit_ticket ticket;
	struct buf line; /* the one being read or answered */
	struct buf out;
	struct asker by;
	struct ask ask;
	bool asking;
	bool waiting; /* for an errand */
	bool closing; /* when the last answer has left */
	bool handing; /* then the stream is the daemon's */
};

struct console {
	struct console_world world;
	struct loop *loop;
	pthread_t thread;
	struct note stop;
	struct note retire;
	struct timer stopping;
	unsigned errands;
	unsigned connections;
	LIST_HEAD(, conn) conns;
	unsigned entrance_count;
	struct entrance entrances[];
};

static void conn_bury(struct burial *b)
{
	free((char *)b - offsetof(struct conn, burial));
}

static void conn_free(struct conn *c)
{
	if (c->asking)
		ask_end(&c->ask);
	timer_stop(&c->idle);
	timer_stop(&c->turn);
	audit_leave(&c->ticket);
	stream_close(&c->stream);
	buf_free(&c->line);
	buf_free(&c->out);
	LIST_REMOVE(c, next);
	c->console->connections--;
	loop_bury(c->console->loop, &c->burial, conn_bury);
}

static void conn_progress(struct conn *c)
{
	if (c->door->timeout_ms > 0)
		timer_set(&c->idle, c->door->timeout_ms);
}

static void idle_too_long(void *arg)
{
	struct conn *c = arg;

	if (c->waiting)
		conn_progress(c); /* for us, not we for it */
	else
		conn_free(c);
}

/* Sends what was made; what comes next comes in another turn, when all of it has left. */
static void conn_send(struct conn *c)
{
	stream_write(&c->stream, buf_slice(&c->out));
	buf_free(&c->out);
	stream_flush(&c->stream);
	if (!c->waiting && stream_unsent(&c->stream) == 0)
		timer_set(&c->turn, 0);
}

static void conn_follow(struct conn *c, enum ask_step step)
{
	c->waiting = step == ASK_WAIT;
	c->asking = step != ASK_DONE;
	if (!c->asking) {
		c->handing = c->ask.hand_over;
		ask_end(&c->ask);
		buf_free(&c->line);
	}
	conn_send(c);
}

static void conn_refuse(struct conn *c, int code, const char *why)
{
	c->closing = true;
	if (buf_printf(&c->out, ". %d %s\n", code, why))
		conn_send(c);
}

enum line { LINE_NONE, LINE_WHOLE, LINE_LONG, LINE_OVER };

/* Up to LF, or to the end of input; a CR before it belongs to it. */
static enum line read_line(struct conn *c)
{
	struct slice bytes;
	enum stream_got got;

	while ((got = stream_bytes(&c->stream, &bytes)) == STREAM_GOT) {
		const char *lf = memchr(bytes.at, '\n', bytes.len);
		size_t len = lf != NULL ? (size_t)(lf - bytes.at) + 1 : bytes.len;

		if (!buf_add(&c->line, bytes.at, len))
			return LINE_LONG;
		stream_eat(&c->stream, len);
		if (lf == NULL)
			continue;
		c->line.len--;
		if (c->line.len > 0 && c->line.at[c->line.len - 1] == '\r')
			c->line.len--;
		return LINE_WHOLE;
	}
	if (got != STREAM_OVER)
		return LINE_NONE;
	return c->line.len > 0 ? LINE_WHOLE : LINE_OVER;
}

static void hand_over(struct conn *c)
{
	const struct console_world *w = &c->console->world;
	int fd = fcntl(c->stream.fd, F_DUPFD_CLOEXEC, 0);

	c->handing = false;
	c->closing = true;
	if (fd >= 0)
		w->hand_over(w->owner, fd);
}

static void conn_turn(void *arg)
{
	struct conn *c = arg;

	if (c->handing)
		hand_over(c);
	if (c->closing) {
		conn_free(c);
		return;
	}
	conn_progress(c);
	if (c->asking) {
		conn_follow(c, ask_go_on(&c->ask));
		return;
	}
	switch (read_line(c)) {
	case LINE_NONE:
		return;
	case LINE_WHOLE:
		conn_follow(c, ask_begin(&c->ask, &c->by, c->line.at, c->line.len));
		return;
	case LINE_LONG:
		conn_refuse(c, EXIT_OF_USAGE, "the line is longer than 4096 octets");
		return;
	case LINE_OVER:
		conn_free(c);
		return;
	}
}

static void conn_home(void *owner)
{
	struct conn *c = owner;

	c->waiting = false;
	if (stream_unsent(&c->stream) == 0)
		conn_turn(c);
}

static void conn_hear(void *owner, enum stream_news news)
{
	struct conn *c = owner;

	switch (news) {
	case STREAM_CONNECTED:
	case STREAM_SECURED:
		return;
	case STREAM_INPUT:
		if (!c->asking && !c->closing && stream_unsent(&c->stream) == 0)
			conn_turn(c);
		return;
	case STREAM_DRAINED:
		conn_progress(c);
		if (!c->waiting)
			conn_turn(c);
		return;
	case STREAM_ENDED:
	case STREAM_BROKEN:
		conn_free(c);
		return;
	}
}

static void accepted(void *owner, int fd, const struct addr *peer, uint16_t port)
{
	struct entrance *e = owner;
	struct console *console = e->console;
	struct conn *c = mem_new(sizeof *c);

	(void)port;
	c->console = console;
	c->door = &e->door;
	buf_init(&c->line, COMMAND_LINE_MAX);
	buf_init(&c->out, ASK_OUT_MAX);
	c->by = (struct asker){
		.world = &console->world,
		.loop = console->loop,
		.errands = &console->errands,
		.home = conn_home,
		.owner = c,
		.out = &c->out,
	};
	audit_enter(e->door.endpoint, peer, &c->ticket);
	LIST_INSERT_HEAD(&console->conns, c, next);
	console->connections++;
	timer_init(&c->idle, console->loop, idle_too_long, c);
	timer_init(&c->turn, console->loop, conn_turn, c);
	stream_open(&c->stream, console->loop, fd, conn_hear, c);
	conn_progress(c);
	c->by.rights = gate_rights(&e->door, fd, &c->by.uid);
	if (c->by.rights == 0)
		conn_refuse(c, EXIT_OF_FAILURE,
			    "this user may not: it is not in the group of the socket");
	else if (console->connections > CONNECTIONS_MAX)
		conn_refuse(c, EXIT_OF_FAILURE, "too many consoles");
}

static void starved(void *owner, int error)
{
	(void)owner;
	log_warn("the console accepts nobody for a moment: %s", strerror(error));
}

/* false: complaints tell, and what is open is the caller's to close. */
static bool entrances_open(struct console *console, const struct console_door *doors,
			   unsigned count, struct complaints *complaints)
{
	while (console->entrance_count < count) {
		struct entrance *e = &console->entrances[console->entrance_count];
		const struct console_door *door = &doors[console->entrance_count];
		int fd = door->inherited ? door->fd : gate_open(door, complaints);

		if (fd < 0)
			return false;
		e->console = console;
		e->door = doors[console->entrance_count++];
		e->listener = listener_new(console->loop, fd, accepted, starved, e);
	}
	return true;
}

static void entrances_close(struct console *console, bool with_files)
{
	while (console->entrance_count > 0) {
		struct entrance *e = &console->entrances[--console->entrance_count];

		if (with_files)
			unlink(e->door.where.path);
		listener_free(e->listener);
	}
}

bool console_sockets(const struct console *console, struct crew_socket **out, unsigned *count_out)
{
	struct crew_socket *list = mem_array(console->entrance_count, sizeof *list);
	unsigned count = 0;

	for (; count < console->entrance_count; count++) {
		const struct entrance *e = &console->entrances[count];

		list[count] = (struct crew_socket){ e->door.where, fcntl(listener_fd(e->listener),
									 F_DUPFD_CLOEXEC, 0) };
		if (list[count].fd < 0)
			break;
	}
	*out = list;
	*count_out = count;
	return count == console->entrance_count;
}

static void retire_here(struct note *n)
{
	struct console *console = (struct console *)((char *)n - offsetof(struct console, retire));

	entrances_close(console, false);
}

void console_retire(struct console *console)
{
	loop_post(console->loop, &console->retire, retire_here);
}

static void *console_main(void *arg)
{
	struct console *console = arg;

	loop_run(console->loop);
	return NULL;
}

struct console *console_start(const struct console_world *world, const struct console_door *doors,
			      unsigned count, struct complaints *complaints)
{
	struct console *console = mem_new(sizeof *console + count * sizeof console->entrances[0]);

	console->world = *world;
	console->loop = loop_new();
	LIST_INIT(&console->conns);
	if (entrances_open(console, doors, count, complaints)) {
		if (pthread_create(&console->thread, NULL, console_main, console) == 0)
			return console;
		complain(complaints, (struct place){ 0 }, "there is no thread for the console");
	}
	entrances_close(console, true);
	loop_free(console->loop);
	free(console);
	return NULL;
}

/* An errand that is out points into this loop: it has to come home first. */
static void stop_when_home(void *arg)
{
	struct console *console = arg;

	if (console->errands > 0)
		timer_set(&console->stopping, ERRANDS_CHECK_MS);
	else
		loop_stop(console->loop);
}

static void stop_here(struct note *n)
{
	struct console *console = (struct console *)((char *)n - offsetof(struct console, stop));
	struct conn *c;

	entrances_close(console, true);
	while ((c = LIST_FIRST(&console->conns)) != NULL)
		conn_free(c);
	timer_init(&console->stopping, console->loop, stop_when_home, console);
	stop_when_home(console);
}

void console_stop(struct console *console)
{
	if (console == NULL)
		return;
	loop_post(console->loop, &console->stop, stop_here);
	pthread_join(console->thread, NULL);
	loop_free(console->loop);
	free(console);
}
