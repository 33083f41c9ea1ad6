#include "relay/feed.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { PART = 64 << 10 };

/* A part from the file. The job's while that is out, and then its own owner if the feed is gone. */
struct feed_piece {
	struct job job;
	struct feed *feed; /* NULL: gone */
	struct message *message;
	bool out;
	uint64_t at;
	ssize_t len;
	char bytes[PART];
};

void feed_init(struct feed *f, struct loop *loop, struct jobs *jobs, void (*wake)(void *owner),
	       void *owner)
{
	*f = (struct feed){ .loop = loop, .jobs = jobs, .wake = wake, .owner = owner };
}

void feed_start(struct feed *f, struct message *m)
{
	f->message = message_ref(m);
	f->sent = 0;
	data_writer_init(&f->writer);
}

void feed_stop(struct feed *f)
{
	message_unref(f->message);
	f->message = NULL;
	if (f->piece != NULL && f->piece->out)
		f->piece->feed = NULL;
	else
		free(f->piece);
	f->piece = NULL;
}

static void piece_work(struct job *job)
{
	struct feed_piece *p = (struct feed_piece *)job;

	p->len = message_pread(p->message, p->bytes, sizeof p->bytes, p->at);
}

static void piece_done(struct job *job)
{
	struct feed_piece *p = (struct feed_piece *)job;

	p->out = false;
	message_unref(p->message);
	if (p->feed == NULL)
		free(p);
	else
		p->feed->wake(p->feed->owner);
}

static void fetch(struct feed *f)
{
	struct feed_piece *p = f->piece;

	if (p == NULL)
		p = f->piece = mem_new(sizeof *p);
	p->feed = f;
	p->message = message_ref(f->message);
	p->out = true;
	p->at = f->sent;
	jobs_start(f->jobs, f->loop, &p->job, piece_work, piece_done);
}

/* WAIT: the disk is asked. ENDED: it is here. */
static enum feed_step next_part(struct feed *f, struct slice *out)
{
	const struct feed_piece *p = f->piece;
	struct slice all;

	if (message_in_memory(f->message, &all)) {
		*out = (struct slice){ all.at + f->sent, all.len - f->sent };
		if (out->len > PART)
			out->len = PART;
		return FEED_ENDED;
	}
	if (p != NULL && p->out)
		return FEED_WAIT;
	if (p == NULL || p->at != f->sent) {
		fetch(f);
		return FEED_WAIT;
	}
	if (p->len <= 0)
		return FEED_FAILED;
	*out = (struct slice){ p->bytes, (size_t)p->len };
	return FEED_ENDED;
}

enum feed_step feed_go(struct feed *f, struct stream *onto)
{
	struct buf *queue = stream_out(onto);
	struct slice part;

	while (stream_unsent(onto) == 0) {
		enum feed_step step = next_part(f, &part);

		if (step != FEED_ENDED)
			return step;
		CHECK(data_write(&f->writer, part, queue));
		f->sent += part.len;
		if (f->sent == message_size(f->message)) {
			CHECK(data_end(&f->writer, queue));
			stream_flush(onto);
			feed_stop(f);
			return FEED_ENDED;
		}
		stream_flush(onto);
	}
	return FEED_WAIT;
}
