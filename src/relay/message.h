/*
 * message - one message, held from DATA until the next hop has answered its end; nobody owns it
 * longer.
 *
 * Content as it was sent, dots unstuffed, with our header on top. Up to a limit it is memory, then
 * an unlinked temporary file, written by the disk threads while the session reads on. Counted by
 * references; all references are taken and given back on its worker's thread.
 */
#ifndef RELAY_MESSAGE_H
#define RELAY_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "net/jobs.h"

struct message;

enum message_state {
	MESSAGE_READY,	/* go on */
	MESSAGE_BUSY,	/* it was taken, but read no more from the client before ready() */
	MESSAGE_BROKEN, /* it can't be kept: the disk is full, or there is none */
};

typedef void message_ready(void *owner); /* from the loop; then message_state() tells */

struct message *message_new(struct loop *loop, struct jobs *jobs, const char *spool_dir,
			    size_t memory_max, message_ready *ready, void *owner);
struct message *message_ref(struct message *m);
void message_unref(struct message *m);
void message_orphan(struct message *m); /* ready() will not come any more: its owner goes */

enum message_state message_add(struct message *m, struct slice part);
enum message_state message_finish(struct message *m); /* READY: all of it can be read */
enum message_state message_state(const struct message *m);
uint64_t message_size(const struct message *m);

/* After finish. true: it is all memory, and *out is it. */
bool message_in_memory(const struct message *m, struct slice *out);
/* After finish; any thread, blocks: for disk threads. As pread(2). */
ssize_t message_pread(const struct message *m, void *into, size_t len, uint64_t at);

#endif
