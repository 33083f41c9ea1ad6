#include "relay/link.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

/* Longer than RFC 5321 allows: a 2xx to the dot must not fail on its length. */
enum { LINE_MAX_IN = REPLY_TEXT_MAX };

/* Nothing is due: a reply now would end it. */
static void rest(struct link *l)
{
	l->expecting = false;
	timer_stop(&l->timer);
}

static void lost(struct link *l, const char *why)
{
	l->spoilt = why;
	rest(l);
	l->hear(l->owner, LINK_LOST);
}

static void too_late(void *arg)
{
	lost(arg, "timeout");
}

/* At most one whole reply is taken; what comes behind it was not asked for. */
static void on_input(struct link *l)
{
	enum reply_step step = REPLY_MORE;
	const char *spoilt = NULL;
	enum stream_got got;
	struct slice line;

	while (spoilt == NULL) {
		got = stream_line(&l->stream, LINE_MAX_IN, &line);
		if (got == STREAM_NOTHING && !stream_in_long_line(&l->stream))
			break;
		if (got == STREAM_OVER)
			spoilt = stream_error(&l->stream);
		else if (step == REPLY_DONE || !l->expecting)
			spoilt = "it says more than it was asked";
		else if (got != STREAM_GOT) /* its end, if it has one, is not awaited */
			spoilt = "it sends a broken line";
		else if ((step = reply_read(&l->reader, line, &l->heard)) == REPLY_BAD)
			spoilt = "it says what is no reply";
	}
	if (step != REPLY_DONE) {
		if (spoilt != NULL)
			lost(l, spoilt);
		return;
	}
	l->spoilt = l->heard.code == 421 && spoilt == NULL ? "it closes" : spoilt;
	rest(l);
	l->hear(l->owner, LINK_REPLY);
}

static void on_stream(void *owner, enum stream_news news)
{
	struct link *l = owner;

	switch (news) {
	case STREAM_CONNECTED:
		rest(l);
		l->hear(l->owner, LINK_CONNECTED);
		break;
	case STREAM_INPUT:
		on_input(l);
		break;
	case STREAM_DRAINED:
		l->hear(l->owner, LINK_DRAINED);
		break;
	case STREAM_SECURED:
		rest(l);
		l->hear(l->owner, LINK_SECURED);
		break;
	case STREAM_ENDED:
	case STREAM_BROKEN:
		lost(l, stream_error(&l->stream));
		break;
	}
}

struct link *link_new(struct loop *loop, link_hear *hear, void *owner)
{
	struct link *l = mem_new(sizeof *l);

	l->hear = hear;
	l->owner = owner;
	l->stream.fd = -1;
	reply_reader_init(&l->reader);
	timer_init(&l->timer, loop, too_late, l);
	return l;
}

static void bury(struct burial *b)
{
	free((char *)b - offsetof(struct link, burial));
}

void link_free(struct link *l, struct loop *loop)
{
	if (l->spoilt == NULL && !l->expecting) {
		stream_write(&l->stream, SLICE("QUIT\r\n"));
		stream_flush(&l->stream);
	}
	stream_close(&l->stream);
	timer_stop(&l->timer);
	reply_reader_free(&l->reader);
	reply_free(&l->heard);
	free(l->name);
	free(l->announced);
	loop_bury(loop, &l->burial, bury);
}

/* What is ours to mend says nothing of the next hop. */
static bool is_own_want(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

bool link_connect(struct link *l, struct loop *loop, const struct endpoint *to, uint64_t within_ms)
{
	timer_set(&l->timer, within_ms);
	if (stream_connect(&l->stream, loop, to, on_stream, l))
		return true;
	l->spoilt = stream_error(&l->stream);
	l->excused = is_own_want(l->stream.error);
	return false;
}

void link_secure(struct link *l, struct tls_context *ctx, const char *name, uint64_t within_ms)
{
	timer_set(&l->timer, within_ms);
	stream_secure(&l->stream, ctx, name);
}

void link_expect(struct link *l, uint64_t within_ms)
{
	stream_flush(&l->stream);
	l->expecting = true;
	timer_set(&l->timer, within_ms);
}

void link_say(struct link *l, uint64_t within_ms, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	CHECK(buf_vprintf(stream_out(&l->stream), format, args));
	va_end(args);
	stream_write(&l->stream, SLICE("\r\n"));
	link_expect(l, within_ms);
}
