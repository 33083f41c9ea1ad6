/*
 * wire - one end of an upgrade's connection (handover.h): lines both ways, and descriptors with
 * some of them.
 *
 * Any thread may say a line, which waits in memory until wire_send; one thread hears, sends and
 * owns the rest. It is over, and stays so, when the other has gone, does not read for too long,
 * sends a line without an end or a descriptor that nobody expects.
 */
#ifndef APP_WIRE_H
#define APP_WIRE_H

#include "base/buf.h"

struct wire;

/* A line without its end. false: it makes no sense, which is the end. */
typedef bool wire_heard(void *owner, struct slice line);

/* Takes fd. */
struct wire *wire_new(int fd, size_t line_max, wire_heard *heard, void *owner);
/* Closes descriptors that nobody has claimed, too. */
void wire_free(struct wire *w);

bool wire_is_over(const struct wire *w); /* any thread */
void wire_give_up(struct wire *w);	 /* from now on it is over; any thread */
void wire_hang_up(struct wire *w);	 /* the other hears it at once */

/* What is said next goes there, whole lines; until wire_end nobody else can say anything. fits:
 * there was room for it. */
struct buf *wire_begin(struct wire *w);
void wire_end(struct wire *w, bool fits);
void wire_say(struct wire *w, const char *line);
/* At once, with a descriptor that stays the caller's, and not after wire_say. */
void wire_say_fd(struct wire *w, const char *line, int fd);
void wire_send(struct wire *w); /* as much as the other takes now */
bool wire_has_unsent(struct wire *w);

/* What comes within ms. */
void wire_hear(struct wire *w, int ms);
/* So many descriptors may come; 0, as in the beginning: none. */
void wire_expect(struct wire *w, unsigned descriptors);
/* The next one, which is the caller's now; -1: there is none. */
int wire_claim(struct wire *w);

#endif
