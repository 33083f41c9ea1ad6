/*
 * log - one line an event, as Postfix would write it or as a JSON object.
 *
 * Lines go to one descriptor through a thread of the log's own: a caller formats and leaves, and
 * never waits for the reader of the log. When the reader falls behind by LOG_PENDING_MAX bytes,
 * lines are dropped and a later one says how many. Whatever a peer sent is escaped here, so that
 * it can't start a line of its own.
 *
 * text:  2026-11-20T10:30:00.123Z tidewaiter[42]: 00a1f3c29b04e771: connect from unknown[192.0.2.7]
 * json:  {"ts":"...","level":"info","event":"connect","session":"00a1f3c29b04e771",
 *         "client":"192.0.2.7",...,"message":"connect from ..."}, on one line
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_PENDING_MAX = 4 << 20, LOG_LINE_MAX = 4096 };

/* A member of the JSON object; the text form says it in words. Ends with key NULL. */
struct log_field {
	const char *key;
	const char *text; /* NULL: it is a number */
	int64_t number;
};
#define LOG_STR(key_, text_) { .key = (key_), .text = (text_) }
#define LOG_INT(key_, number_) { .key = (key_), .number = (number_) }
#define LOG_END { .key = 0 }

/* Before log_open, lines go straight to stderr as text. fd stays the caller's. */
void log_open(int fd, const char *program);
void log_close(void); /* writes what is pending; gives up on a reader who does not come for 2 s */
/* Lines go there from now on. Takes fd; the one before is closed, unless it is a standard one. */
void log_move(int fd);
void log_set_format(enum log_format format);
void log_set_level(enum log_level least);
bool log_wants(enum log_level level);
uint64_t log_dropped(void);

/* session 0: about no session. fields may be NULL. event is a fixed word, "connect", "action". */
void log_event(enum log_level level, const char *event, uint64_t session,
	       const struct log_field *fields, const char *text, ...)
	__attribute__((format(printf, 5, 6)));

#define log_debug(...) log_event(LOG_DEBUG, "debug", 0, 0, __VA_ARGS__)
#define log_info(...) log_event(LOG_INFO, "info", 0, 0, __VA_ARGS__)
#define log_warn(...) log_event(LOG_WARN, "warning", 0, 0, __VA_ARGS__)
#define log_error(...) log_event(LOG_ERROR, "error", 0, 0, __VA_ARGS__)

#endif
