/*
 * stream_inside - what the two halves of a stream ask of each other: stream.c hears the loop, sends
 * and closes, stream_read.c takes what the peer sends. Private to them.
 */
#ifndef NET_STREAM_INSIDE_H
#define NET_STREAM_INSIDE_H

#include "net/stream.h"

/* Nothing more comes or goes; error is an errno. Who hears the loop tells the owner. */
void stream_break(struct stream *s, int error);
/* The event comes from the loop, soon, as if the socket had it: EV_READ, EV_CLOSED. */
void stream_nudge(struct stream *s, short what);
/* After EAGAIN: a TLS link may want the other direction, or another turn. */
void stream_wait_tls(struct stream *s);

/* What was read and not taken is gone. */
void stream_forget_input(struct stream *s);

#endif
