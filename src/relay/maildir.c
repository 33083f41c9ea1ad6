/*
 * The embedded next hop (T4): each message becomes one file of a Maildir, by one job on the disk
 * threads: written to tmp/, fsynced, renamed into new/, the directory fsynced, and then 250. What
 * fails before that leaves no file behind.
 *
 * Lines end with LF in the file, as local mail stores and readers expect them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/kind.h"

enum { PIECE = 64 << 10, HEAD_MAX = 1 << 20 };

struct maildir {
	struct relay base;
	struct buf head;	  /* Return-Path: and Delivered-To:, with LFs */
	struct delivery *out;	  /* NULL: none */
};

/* All that the job needs, so that it outlives the relay of a client that hangs up. */
struct delivery {
	struct job job;
	struct maildir *from;	  /* NULL: nobody waits for it any more */
	struct message *message;
	struct buf head;
	char *path;
	char *name;		  /* unique, without the size */
	const char *failed;	  /* what did, with errno in error; NULL: delivered */
	int error;
};

/* What goes into the file: gathered to PIECE and written. */
struct file {
	int fd;
	uint64_t size;
	bool cr;		  /* the last octet was a CR, not written yet */
	size_t len;
	char bytes[PIECE];
};

static bool file_flush(struct file *f)
{
	size_t at = 0;

	while (at < f->len) {
		ssize_t n = write(f->fd, f->bytes + at, f->len - at);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			at += (size_t)n;
	}
	f->size += f->len;
	f->len = 0;
	return true;
}

static bool file_octets(struct file *f, const char *at, size_t len)
{
	while (len > 0) {
		size_t n = sizeof f->bytes - f->len;

		if (n > len)
			n = len;
		memcpy(f->bytes + f->len, at, n);
		f->len += n;
		at += n;
		len -= n;
		if (f->len == sizeof f->bytes && !file_flush(f))
			return false;
	}
	return true;
}

/* CRLF becomes LF, also where the two come in different parts. */
static bool file_text(struct file *f, struct slice s)
{
	while (s.len > 0) {
		const char *cr;
		size_t n;

		if (f->cr && *s.at != '\n' && !file_octets(f, "\r", 1))
			return false;
		cr = memchr(s.at, '\r', s.len);
		n = cr != NULL ? (size_t)(cr - s.at) : s.len;
		if (!file_octets(f, s.at, n))
			return false;
		f->cr = cr != NULL;
		n += f->cr;
		s.at += n;
		s.len -= n;
	}
	return true;
}

static bool file_message(struct file *f, const struct message *m)
{
	char bytes[16 << 10];
	struct slice all;
	uint64_t at = 0;
	ssize_t n;

	if (message_in_memory(m, &all))
		return file_text(f, all);
	for (; (n = message_pread(m, bytes, sizeof bytes, at)) > 0; at += (uint64_t)n) {
		if (!file_text(f, (struct slice){ bytes, (size_t)n }))
			return false;
	}
	if (n == 0)
		errno = EIO; /* if it is not whole */
	return n == 0 && at == message_size(m);
}

static bool sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return synced;
}

static bool make_dir(const char *path, const char *below)
{
	char *whole = mem_printf("%s%s", path, below);
	bool made = mkdir(whole, 0700) == 0 || errno == EEXIST;

	free(whole);
	return made;
}

/* tmp/ comes last: where another delivery finds it, the rest is durable. */
static bool make_maildir(const char *path)
{
	char *parent = mem_printf("%s/..", path);
	bool made = make_dir(path, "") && make_dir(path, "/new") && make_dir(path, "/cur") &&
		    sync_dir(path) && sync_dir(parent) && make_dir(path, "/tmp");

	free(parent);
	return made;
}

static int create(const char *path, const char *file)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = open(file, flags, 0600);

	if (fd < 0 && errno == ENOENT && make_maildir(path))
		fd = open(file, flags, 0600);
	return fd;
}

/* Whole, durable and closed, or false. */
static bool fill(struct file *f, const struct delivery *d)
{
	bool whole = file_octets(f, d->head.at, d->head.len) && file_message(f, d->message) &&
		     (!f->cr || file_octets(f, "\r", 1)) && file_flush(f) && fsync(f->fd) == 0;
	int error = errno;

	if (close(f->fd) != 0 && whole)
		return false;
	errno = error;
	return whole;
}

/* What takes the last step may not find another's file in its place. */
static bool rename_new(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 ||
	       (errno == EINVAL && rename(from, to) == 0); /* a file system without the flag */
}

static const char *deliver(const struct delivery *d, struct file *f)
{
	char *tmp = mem_printf("%s/tmp/%s", d->path, d->name);
	char *dir = mem_printf("%s/new", d->path);
	char *new = NULL;
	const char *failed = NULL, *left = tmp;
	int error;

	f->fd = create(d->path, tmp);
	if (f->fd < 0) {
		failed = "create", left = NULL;
	} else if (!fill(f, d)) {
		failed = "write";
	} else {
		new = mem_printf("%s/%s,S=%llu", dir, d->name, (unsigned long long)f->size);
		if (!rename_new(tmp, new) &&
		    !(errno == ENOENT && make_maildir(d->path) && rename_new(tmp, new)))
			failed = "rename";
		else if (!sync_dir(dir))
			failed = "sync", left = new;
	}
	error = errno;
	if (failed != NULL && left != NULL)
		unlink(left);
	free(tmp);
	free(dir);
	free(new);
	errno = error;
	return failed;
}

static void work(struct job *job)
{
	struct delivery *d = (struct delivery *)job;
	struct file *f = mem_new(sizeof *f);

	errno = 0;
	d->failed = deliver(d, f);
	d->error = errno;
	free(f);
}

static void delivery_free(struct delivery *d)
{
	message_unref(d->message);
	buf_free(&d->head);
	free(d->path);
	free(d->name);
	free(d);
}

static bool is_for_want_of_room(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static void answer(struct relay *r, const struct delivery *d)
{
	if (d->failed == NULL)
		reply_set(r->reply, 250, "2.0.0 Ok: delivered as %s", d->name);
	else if (is_for_want_of_room(d->error))
		reply_set(r->reply, 452, "4.3.1 Mail system full");
	else
		reply_set(r->reply, 451, "4.3.0 Mail system error");
}

static void worked(struct job *job)
{
	struct delivery *d = (struct delivery *)job;
	struct maildir *m = d->from;

	if (d->failed != NULL)
		log_error("maildir:%s: %s %s: %s", d->path, d->failed, d->name, strerror(d->error));
	if (m != NULL) {
		m->out = NULL;
		answer(&m->base, d);
	}
	delivery_free(d);
	if (m != NULL)
		m->base.said(m->base.owner);
}

/* https://cr.yp.to/proto/maildir.html; '/' and ':' may not be in it. */
static char *unique_name(const char *hostname)
{
	static _Atomic unsigned counter;
	uint64_t now = clock_wall_ms();
	char *name = mem_printf("%llu.M%03u000P%ld_%u.%s", (unsigned long long)now / 1000,
				(unsigned)(now % 1000), (long)getpid(), counter++, hostname);

	for (char *c = name; *c != '\0'; c++) {
		if (*c == '/' || *c == ':' || *c == ',')
			*c = '_';
	}
	return name;
}

static enum relay_step ok(struct relay *r, const char *text)
{
	reply_set(r->reply, 250, "%s", text);
	return RELAY_DONE;
}

static enum relay_step too_many(struct relay *r)
{
	reply_set(r->reply, 452, "4.5.3 Too many recipients");
	return RELAY_DONE;
}

static enum relay_step maildir_mail(struct relay *r, const struct mail_command *mail)
{
	struct maildir *m = (struct maildir *)r;

	buf_clear(&m->head);
	if (!buf_printf(&m->head, "Return-Path: <%.*s>\n", SLICE_ARGS(mail->from.address)))
		return too_many(r);
	return ok(r, "2.1.0 Ok");
}

static enum relay_step maildir_rcpt(struct relay *r, const struct path *to)
{
	struct maildir *m = (struct maildir *)r;

	if (!buf_printf(&m->head, "Delivered-To: %.*s\n", SLICE_ARGS(to->address)))
		return too_many(r);
	return ok(r, "2.1.5 Ok");
}

static enum relay_step maildir_message(struct relay *r, struct message *message)
{
	struct maildir *m = (struct maildir *)r;
	struct delivery *d = mem_new(sizeof *d);

	d->from = m;
	d->message = message_ref(message);
	d->head = m->head;
	buf_init(&m->head, HEAD_MAX);
	d->path = mem_strdup(r->route->hops[0].name);
	d->name = unique_name(r->world->hostname);
	m->out = d;
	jobs_start(r->world->jobs, r->world->loop, &d->job, work, worked);
	return RELAY_WAIT;
}

static void maildir_free(struct relay *r)
{
	struct maildir *m = (struct maildir *)r;

	if (m->out != NULL)
		m->out->from = NULL;
	buf_free(&m->head);
	free(r->peer);
	free(m);
}

static const struct relay_kind kind = { maildir_mail, maildir_rcpt, maildir_message, maildir_free };

struct relay *relay_maildir_new(const struct relay *begun)
{
	struct maildir *m = mem_new(sizeof *m);

	m->base = *begun;
	m->base.kind = &kind;
	buf_init(&m->head, HEAD_MAX);
	return &m->base;
}
