#include "relay/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

/*
 * What arrives gathers in `tail`. Past the limit, whenever a piece has gathered and no job is out,
 * the tail is handed to a job whole, and a new one begins: so one piece is being written, one
 * gathers, and whoever comes faster than the disk is BUSY.
 */
enum { PIECE = 64 << 10 };

struct message {
	struct job job;
	unsigned refs;
	struct loop *loop;
	struct jobs *jobs;
	char *spool_dir;
	size_t memory_max;
	message_ready *ready; /* NULL: the owner is gone */
	void *owner;
	enum message_state state;
	uint64_t size;
	struct buf tail;
	bool spooling;	      /* the limit was passed */
	bool finishing;
	bool job_out;

	/* The job's, while it is out. */
	struct buf piece;
	int fd;		      /* -1: not made yet; fixed once it is */
	int error;
};

struct message *message_new(struct loop *loop, struct jobs *jobs, const char *spool_dir,
			    size_t memory_max, message_ready *ready, void *owner)
{
	struct message *m = mem_new(sizeof *m);

	m->refs = 1;
	m->loop = loop;
	m->jobs = jobs;
	m->spool_dir = mem_strdup(spool_dir);
	m->memory_max = memory_max;
	m->ready = ready;
	m->owner = owner;
	m->fd = -1;
	return m;
}

struct message *message_ref(struct message *m)
{
	m->refs++;
	return m;
}

static void message_free(struct job *job)
{
	struct message *m = (struct message *)job;

	buf_free(&m->tail);
	buf_free(&m->piece);
	free(m->spool_dir);
	free(m);
}

static void close_file(struct job *job)
{
	close(((struct message *)job)->fd);
}

/* The last close of a big unlinked file gives its blocks back, which can take the disk's time. */
static void message_end(struct message *m)
{
	if (m->fd < 0)
		message_free(&m->job);
	else
		jobs_start(m->jobs, m->loop, &m->job, close_file, message_free);
}

void message_unref(struct message *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	m->ready = NULL;
	if (!m->job_out)
		message_end(m);
}

void message_orphan(struct message *m)
{
	m->ready = NULL;
}

static int open_unlinked(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *name;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	name = mem_printf("%s/message.XXXXXX", dir); /* a file system without O_TMPFILE */
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

static int write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.at, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		s.at += n;
		s.len -= (size_t)n;
	}
	return 0;
}

static void write_piece(struct job *job)
{
	struct message *m = (struct message *)job;

	if (m->fd < 0)
		m->fd = open_unlinked(m->spool_dir);
	m->error = m->fd < 0 ? errno : write_all(m->fd, buf_slice(&m->piece));
}

static void piece_written(struct job *job);

static void start_piece(struct message *m)
{
	m->piece = m->tail;
	buf_init(&m->tail, 0);
	m->job_out = true;
	jobs_start(m->jobs, m->loop, &m->job, write_piece, piece_written);
}

/* Starts what can be started, and says how it stands. */
static enum message_state proceed(struct message *m)
{
	if (m->spooling && !m->job_out && (m->finishing ? m->tail.len > 0 : m->tail.len >= PIECE))
		start_piece(m);
	return m->job_out && (m->finishing || m->tail.len >= PIECE) ? MESSAGE_BUSY : MESSAGE_READY;
}

static void piece_written(struct job *job)
{
	struct message *m = (struct message *)job;
	bool was_busy = m->state == MESSAGE_BUSY;

	m->job_out = false;
	buf_free(&m->piece);
	if (m->refs == 0) {
		message_end(m);
		return;
	}
	if (m->error != 0) {
		log_error("%s: a message cannot be kept: %s", m->spool_dir, strerror(m->error));
		m->state = MESSAGE_BROKEN;
		buf_free(&m->tail);
	} else {
		m->state = proceed(m);
	}
	if (was_busy && m->state != MESSAGE_BUSY && m->ready != NULL)
		m->ready(m->owner);
}

enum message_state message_add(struct message *m, struct slice part)
{
	CHECK(!m->finishing);
	if (m->state == MESSAGE_BROKEN)
		return m->state;
	if (!buf_add_slice(&m->tail, part))
		return m->state = MESSAGE_BROKEN;
	m->size += part.len;
	if (m->size > m->memory_max)
		m->spooling = true;
	return m->state = proceed(m);
}

enum message_state message_finish(struct message *m)
{
	m->finishing = true;
	if (m->state != MESSAGE_BROKEN)
		m->state = proceed(m);
	return m->state;
}

enum message_state message_state(const struct message *m)
{
	return m->state;
}

uint64_t message_size(const struct message *m)
{
	return m->size;
}

bool message_in_memory(const struct message *m, struct slice *out)
{
	if (!m->spooling)
		*out = buf_slice(&m->tail);
	return !m->spooling;
}

ssize_t message_pread(const struct message *m, void *into, size_t len, uint64_t at)
{
	if (m->spooling)
		return pread(m->fd, into, len, (off_t)at);
	if (at >= m->tail.len)
		return 0;
	if (len > m->tail.len - at)
		len = m->tail.len - at;
	memcpy(into, m->tail.at + at, len);
	return (ssize_t)len;
}
