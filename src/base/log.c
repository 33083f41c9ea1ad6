/*
 * Two buffers: callers append to one under a mutex, the writer thread takes it whole, leaves the
 * other in its place and writes without the mutex. So a line costs its formatting and a memcpy,
 * and what comes within two milliseconds one write.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

enum { CLOSE_S = 2, GATHER_NS = 2000000 };

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warning",
	[LOG_ERROR] = "error",
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_t writer;
	struct buf pending;
	uint64_t dropped;     /* in all */
	uint64_t dropped_new; /* not told yet */
	int fd;	     /* the writer's, while it runs */
	int next_fd; /* -1: it stays */
	bool owns;   /* fd */
	bool running;
	bool closing;
	const char *program;
} sink = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.fd = STDERR_FILENO,
	.next_fd = -1,
	.program = "tidewaiter",
};

/* Read by every worker, set at start and at reload. */
static _Atomic enum log_format format_now = LOG_TEXT;
static _Atomic enum log_level least_now = LOG_INFO;

struct line {
	char at[LOG_LINE_MAX];
	size_t len;
};

/* Where a line of text, a JSON value and a JSON message must end, so that what closes them fits. */
enum {
	TEXT_END = LOG_LINE_MAX - 1,
	VALUE_MAX = 640,
	VALUES_END = LOG_LINE_MAX - 800,
	MESSAGE_END = LOG_LINE_MAX - 4
};

/* Whole, or not at all. */
static bool put(struct line *l, const char *bytes, size_t len, size_t end)
{
	if (l->len > end || len > end - l->len)
		return false;
	memcpy(l->at + l->len, bytes, len);
	l->len += len;
	return true;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text), TEXT_END);
}

static void put_format(struct line *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put_format(struct line *l, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put_text(l, text);
}

static size_t escape(unsigned char c, enum log_format format, char out[8])
{
	if (format == LOG_TEXT)
		return (size_t)snprintf(out, 8, "\\x%02x", c);
	if (c == '"' || c == '\\')
		return (size_t)snprintf(out, 8, "\\%c", c);
	return (size_t)snprintf(out, 8, "\\u%04x", c);
}

/* Octet by octet and never half an escape, so that a cut text is still a text. */
static void put_escaped(struct line *l, const char *text, enum log_format format, size_t end)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = !ascii_is_control(*text) &&
			     !(format == LOG_JSON && (c == '"' || c == '\\'));
		char escaped[8];

		if (!(plain ? put(l, text, 1, end)
			    : put(l, escaped, escape(c, format, escaped), end)))
			return;
	}
}

static void write_text(struct line *l, enum log_level level, uint64_t session, const char *said)
{
	char when[CLOCK_TEXT_MAX];

	put_format(l, "%s %s[%d]: ", clock_print(clock_wall_ms(), when), sink.program,
		   (int)getpid());
	if (session != 0)
		put_format(l, "%016" PRIx64 ": ", session);
	if (level >= LOG_WARN)
		put_format(l, "%s: ", level_names[level]);
	put_escaped(l, said, LOG_TEXT, TEXT_END);
}

static void write_field(struct line *l, const struct log_field *field)
{
	char value[VALUE_MAX];
	size_t end;

	if (field->text == NULL) {
		put_format(l, ",\"%s\":%" PRId64, field->key, field->number);
		return;
	}
	snprintf(value, sizeof value, "%s", field->text);
	utf8_mend(value, strlen(value));
	put_format(l, ",\"%s\":\"", field->key);
	end = l->len + VALUE_MAX < VALUES_END ? l->len + VALUE_MAX : VALUES_END;
	put_escaped(l, value, LOG_JSON, end);
	put_text(l, "\"");
}

static void write_json(struct line *l, enum log_level level, const char *event, uint64_t session,
		       const struct log_field *fields, char *said)
{
	char when[CLOCK_TEXT_MAX];

	put_format(l, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
		   clock_print(clock_wall_ms(), when), level_names[level], event);
	if (session != 0)
		put_format(l, ",\"session\":\"%016" PRIx64 "\"", session);
	for (; fields != NULL && fields->key != NULL; fields++)
		write_field(l, fields);
	put_text(l, ",\"message\":\"");
	utf8_mend(said, strlen(said));
	put_escaped(l, said, LOG_JSON, MESSAGE_END);
	put_text(l, "\"}");
}

static void emit(struct line *l)
{
	l->at[l->len++] = '\n';
	pthread_mutex_lock(&sink.lock);
	if (!sink.running) {
		pthread_mutex_unlock(&sink.lock);
		if (write(STDERR_FILENO, l->at, l->len) < 0)
			return; /* nowhere to say so */
		return;
	}
	if (!buf_add(&sink.pending, l->at, l->len)) {
		sink.dropped++;
		sink.dropped_new++;
	}
	if (sink.pending.len == l->len) /* it was empty: the writer may sleep */
		pthread_cond_signal(&sink.filled);
	pthread_mutex_unlock(&sink.lock);
}

void log_event(enum log_level level, const char *event, uint64_t session,
	       const struct log_field *fields, const char *text, ...)
{
	char said[1600];
	struct line line;
	va_list args;

	if (level < least_now)
		return;
	va_start(args, text);
	vsnprintf(said, sizeof said, text, args);
	va_end(args);
	line.len = 0;
	if (format_now == LOG_JSON)
		write_json(&line, level, event, session, fields, said);
	else
		write_text(&line, level, session, said);
	emit(&line);
}

static void write_all(int fd, const char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    errno == EAGAIN) { /* stderr shared with a terminal made non-blocking */
			usleep(10000);
			continue;
		}
		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static void move_to(int fd)
{
	if (sink.owns)
		close(sink.fd);
	sink.fd = fd;
	sink.owns = fd > STDERR_FILENO;
}

/* Between two writes, so that no line is cut. Under the lock. */
static void move_on(void)
{
	if (sink.next_fd < 0)
		return;
	move_to(sink.next_fd);
	sink.next_fd = -1;
}

/* Lines come in crowds, and a writer that wakes for each takes the processor from who writes them.
 * Under the lock, without it meanwhile. */
static void gather(void)
{
	pthread_mutex_unlock(&sink.lock);
	nanosleep(&(struct timespec){ .tv_nsec = GATHER_NS }, NULL);
	pthread_mutex_lock(&sink.lock);
}

static void *writer_main(void *arg)
{
	struct buf mine;

	(void)arg;
	buf_init(&mine, LOG_PENDING_MAX);
	pthread_mutex_lock(&sink.lock);
	for (;;) {
		struct buf full;
		uint64_t dropped;

		while (sink.pending.len == 0 && sink.next_fd < 0 && !sink.closing)
			pthread_cond_wait(&sink.filled, &sink.lock);
		if (sink.pending.len > 0 && !sink.closing)
			gather();
		move_on();
		if (sink.pending.len == 0 && sink.closing)
			break;
		full = sink.pending;
		sink.pending = mine;
		dropped = sink.dropped_new;
		sink.dropped_new = 0;
		pthread_mutex_unlock(&sink.lock);
		write_all(sink.fd, full.at, full.len);
		buf_clear(&full);
		mine = full;
		if (dropped > 0)
			log_warn("the log was read too slowly: %" PRIu64 " lines were dropped",
				 dropped);
		pthread_mutex_lock(&sink.lock);
	}
	pthread_mutex_unlock(&sink.lock);
	buf_free(&mine);
	return NULL;
}

void log_open(int fd, const char *program)
{
	sink.fd = fd;
	sink.program = program;
	sink.closing = false;
	buf_init(&sink.pending, LOG_PENDING_MAX);
	sink.running = pthread_create(&sink.writer, NULL, writer_main, NULL) == 0;
}

/* A reader who stands still holds up nobody, not even the end. */
void log_close(void)
{
	struct timespec until;

	if (!sink.running)
		return;
	pthread_mutex_lock(&sink.lock);
	sink.closing = true;
	pthread_cond_signal(&sink.filled);
	pthread_mutex_unlock(&sink.lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	if (pthread_timedjoin_np(sink.writer, NULL, &until) != 0)
		return;
	sink.running = false;
	buf_free(&sink.pending);
	move_to(STDERR_FILENO);
}

void log_move(int fd)
{
	pthread_mutex_lock(&sink.lock);
	if (sink.next_fd > STDERR_FILENO)
		close(sink.next_fd);
	sink.next_fd = fd;
	pthread_cond_signal(&sink.filled);
	pthread_mutex_unlock(&sink.lock);
}

void log_set_format(enum log_format format)
{
	format_now = format;
}

void log_set_level(enum log_level least)
{
	least_now = least;
}

bool log_wants(enum log_level level)
{
	return level >= least_now;
}

uint64_t log_dropped(void)
{
	uint64_t dropped;

	pthread_mutex_lock(&sink.lock);
	dropped = sink.dropped;
	pthread_mutex_unlock(&sink.lock);
	return dropped;
}
