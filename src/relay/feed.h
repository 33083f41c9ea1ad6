/*
 * feed - a message on its way onto a stream: stuffed again, part by part, only as fast as the
 * stream takes it. Private to this room; embedded in its owner.
 *
 * From memory it is there; from its file the disk threads read it, and wake() tells from the loop
 * that a part is. The final dot goes out in one segment with the last part, so that nothing small
 * waits for an ACK.
 */
#ifndef RELAY_FEED_H
#define RELAY_FEED_H

#include "net/stream.h"
#include "relay/message.h"
#include "smtp/data.h"

enum feed_step {
	FEED_WAIT,   /* feed_go again at STREAM_DRAINED, or when woken */
	FEED_ENDED,  /* the dot is on its way; the message is let go */
	FEED_FAILED, /* the file can't be read back */
};

struct feed_piece;

struct feed {
	struct loop *loop;
	struct jobs *jobs;
	void (*wake)(void *owner);
	void *owner;
	struct message *message; /* NULL: idle */
	struct data_writer writer;
	uint64_t sent;
	struct feed_piece *piece;
};

void feed_init(struct feed *f, struct loop *loop, struct jobs *jobs, void (*wake)(void *owner),
	       void *owner);
void feed_start(struct feed *f, struct message *m); /* takes a reference; sends nothing yet */
enum feed_step feed_go(struct feed *f, struct stream *onto);
void feed_stop(struct feed *f); /* at any time: lets the message go; idle is fine */

#endif
