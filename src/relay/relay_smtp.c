/*
 * An SMTP client that waits for one thing at a time, and says nothing before the last answer is in.
 *
 *   relay_mail      ADDRESS -> CONNECT -> GREETING -> EHLO (-> HELO) -> MAIL
 *                   what fails before MAIL is tried with the next address
 *   relay_rcpt      RCPT
 *   relay_message   DATA -> CONTENT -> DOT
 *   relay_reset     RSET
 *
 * What the next hop says before it was asked cannot be the answer to what we say next: it ends the
 * connection, and so does what is not SMTP. The reply that came before it stands.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"
#include "relay/dial.h"
#include "relay/feed.h"
#include "relay/kind.h"

/* Longer than RFC 5321 allows: a 2xx to the dot must not fail on its length. */
enum { LINE_MAX_IN = REPLY_TEXT_MAX };

enum await {
	AWAIT_NOTHING, /* the caller's turn */
	AWAIT_ADDRESS,
	AWAIT_CONNECT,
	AWAIT_GREETING,
	AWAIT_EHLO,
	AWAIT_HELO,
	AWAIT_MAIL,
	AWAIT_RCPT,
	AWAIT_DATA,
	AWAIT_CONTENT, /* room for more of the message, or more of it from the disk */
	AWAIT_DOT,
	AWAIT_RSET,
};

enum feature {
	FEATURE_SIZE = 1,
	FEATURE_8BITMIME = 2,
	FEATURE_SMTPUTF8 = 4,
};

struct smtp {
	struct relay base;
	struct burial burial;
	struct timer timer;
	struct dial dial;
	bool dialling;
	uint64_t reach_by;	/* clock_ms: no more addresses after it */
	struct stream stream;
	bool in_use;		/* stream is open */
	bool reused;		/* this MAIL is not the connection's first */
	bool in_mail;		/* the next hop holds a transaction of ours */
	unsigned features;	/* enum feature, of this connection */
	enum await await;
	struct reply_reader reader;
	struct reply heard;	/* the reply being dealt with */
	const char *spoilt;	/* why the connection ends with that reply; NULL: it does not */

	/* The transaction. */
	char *from;
	bool from_is_utf8;
	struct mail_params params;
	struct feed feed;
};

static void greeting_heard(struct smtp *s);
static void ehlo_heard(struct smtp *s);
static void helo_heard(struct smtp *s);
static void mail_heard(struct smtp *s);
static void rcpt_heard(struct smtp *s);
static void data_heard(struct smtp *s);
static void content_heard(struct smtp *s);
static void dot_heard(struct smtp *s);
static void rset_heard(struct smtp *s);

static const struct awaited {
	const char *name; /* for the log */
	const uint32_t *timeout;
	void (*heard)(struct smtp *s); /* NULL: no reply is due */
} awaited[] = {
	[AWAIT_NOTHING] = { "idle", NULL, NULL },
	[AWAIT_ADDRESS] = { "address lookup", &relay_timeouts.reach, NULL },
	[AWAIT_CONNECT] = { "connect", &relay_timeouts.connect, NULL },
	[AWAIT_GREETING] = { "greeting", &relay_timeouts.greeting, greeting_heard },
	[AWAIT_EHLO] = { "EHLO", &relay_timeouts.helo, ehlo_heard },
	[AWAIT_HELO] = { "HELO", &relay_timeouts.helo, helo_heard },
	[AWAIT_MAIL] = { "MAIL", &relay_timeouts.mail, mail_heard },
	[AWAIT_RCPT] = { "RCPT", &relay_timeouts.rcpt, rcpt_heard },
	[AWAIT_DATA] = { "DATA", &relay_timeouts.data, data_heard },
	[AWAIT_CONTENT] = { "message content", &relay_timeouts.block, content_heard },
	[AWAIT_DOT] = { "end of message", &relay_timeouts.dot, dot_heard },
	[AWAIT_RSET] = { "RSET", &relay_timeouts.mail, rset_heard },
};

static bool is_reaching(enum await await)
{
	return await >= AWAIT_ADDRESS && await < AWAIT_MAIL;
}

/* The only place where what is awaited changes. Begins its time anew. */
static void await(struct smtp *s, enum await what)
{
	uint64_t now = clock_ms(), ms;

	s->await = what;
	if (awaited[what].timeout == NULL) {
		timer_stop(&s->timer);
		return;
	}
	ms = *awaited[what].timeout;
	if (is_reaching(what) && now + ms > s->reach_by)
		ms = s->reach_by > now ? s->reach_by - now : 0;
	timer_set(&s->timer, ms);
}

static void hang_up(struct smtp *s)
{
	if (s->in_use)
		stream_close(&s->stream);
	s->in_use = s->in_mail = false;
	s->spoilt = NULL;
	s->features = 0;
	reply_reader_free(&s->reader);
	feed_stop(&s->feed);
}

/* The answer is in base.reply. The last thing to do: the caller may free the relay. */
static void conclude(struct smtp *s)
{
	if (s->dialling)
		dial_fini(&s->dial);
	s->dialling = false;
	if (s->spoilt != NULL)
		hang_up(s);
	await(s, AWAIT_NOTHING);
	s->base.said(s->base.owner);
}

/* What the next hop answered is the answer. Its 421 is about its connection, not the client's. */
static void pass_on(struct smtp *s)
{
	reply_free(s->base.reply);
	*s->base.reply = s->heard;
	s->heard = (struct reply){ 0 };
	if (s->base.reply->code == 421)
		s->base.reply->code = 451;
	conclude(s);
}

static void reach(struct smtp *s)
{
	await(s, AWAIT_ADDRESS);
	dial_next(&s->dial);
}

static void dial_heard(void *owner, const struct endpoint *to, const char *name);

static void start_reaching(struct smtp *s)
{
	dial_init(&s->dial, s->base.world, s->base.route, s->base.session, dial_heard, s);
	s->dialling = true;
	s->reach_by = clock_ms() + relay_timeouts.reach;
	reach(s);
}

static void unreachable(struct smtp *s)
{
	reply_set(s->base.reply, 451, "4.4.1 Next hop cannot be reached");
	conclude(s);
}

/* The connection is of no more use. */
static void lost(struct smtp *s, const char *why)
{
	enum await was = s->await;

	log_event(was == AWAIT_NOTHING ? LOG_DEBUG : LOG_WARN, "next_hop", s->base.session, NULL,
		  "next hop %s: %s: %s", s->base.peer, awaited[was].name, why);
	hang_up(s);
	if (was == AWAIT_NOTHING)
		return;
	if (is_reaching(was) && clock_ms() >= s->reach_by) {
		unreachable(s);
	} else if (is_reaching(was)) {
		reach(s);
	} else if (was == AWAIT_MAIL && s->reused) {
		s->reused = false; /* it had only grown old */
		start_reaching(s);
	} else if (was == AWAIT_RSET) {
		reply_set(s->base.reply, 250, "2.0.0 Ok");
		conclude(s);
	} else {
		reply_set(s->base.reply, 451, "4.4.2 Lost the next hop");
		conclude(s);
	}
}

static void too_late(void *arg)
{
	lost(arg, "timeout");
}

/* A command whose answer is awaited from now on. */
static void say(struct smtp *s, enum await answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct smtp *s, enum await answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	CHECK(buf_vprintf(stream_out(&s->stream), format, args));
	va_end(args);
	stream_write(&s->stream, SLICE("\r\n"));
	stream_flush(&s->stream);
	await(s, answer);
}

/* T12: what this message needs and the next hop has not. The refusal is in base.reply. */
static bool refuse_lacking(struct smtp *s)
{
	if (s->params.body == BODY_8BITMIME && !(s->features & FEATURE_8BITMIME))
		reply_set(s->base.reply, 555, "5.6.3 Next hop takes no 8BITMIME");
	else if ((s->params.smtputf8 || s->from_is_utf8) && !(s->features & FEATURE_SMTPUTF8))
		reply_set(s->base.reply, 553, "5.6.7 Next hop takes no SMTPUTF8");
	else
		return false;
	return true;
}

static void say_mail(struct smtp *s)
{
	static const char *const body[] = { [BODY_NONE] = "", [BODY_7BIT] = " BODY=7BIT",
					    [BODY_8BITMIME] = " BODY=8BITMIME" };
	char size[32] = "";

	if (s->params.has_size && (s->features & FEATURE_SIZE))
		snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)s->params.size);
	say(s, AWAIT_MAIL, "MAIL FROM:<%s>%s%s%s", s->from, size,
	    s->features & FEATURE_8BITMIME ? body[s->params.body] : "",
	    s->params.smtputf8 ? " SMTPUTF8" : "");
}

static void greeted(struct smtp *s)
{
	dial_fini(&s->dial);
	s->dialling = false;
	if (refuse_lacking(s))
		conclude(s);
	else
		say_mail(s);
}

static void learn_features(struct smtp *s)
{
	static const struct {
		struct slice name;
		enum feature feature;
	} known[] = {
		{ { "SIZE", 4 }, FEATURE_SIZE },
		{ { "8BITMIME", 8 }, FEATURE_8BITMIME },
		{ { "SMTPUTF8", 8 }, FEATURE_SMTPUTF8 },
	};
	struct slice rest = slice_of(s->heard.text), word, ignored;

	slice_cut(rest, '\n', &rest); /* its name */
	while (rest.len > 0) {
		word = slice_cut(slice_cut(rest, '\n', &rest), ' ', &ignored);
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
			if (slice_equal_nocase(word, known[i].name))
				s->features |= known[i].feature;
		}
	}
}

static unsigned class_heard(const struct smtp *s)
{
	return s->heard.code / 100;
}

/* What was heard leads nowhere from here. */
static void unfit(struct smtp *s)
{
	char why[200];

	snprintf(why, sizeof why, "%s: %u %s", s->spoilt != NULL ? s->spoilt : "it says",
		 s->heard.code, s->heard.text);
	lost(s, why);
}

static void greeting_heard(struct smtp *s)
{
	if (class_heard(s) != 2 || s->spoilt != NULL)
		unfit(s);
	else
		say(s, AWAIT_EHLO, "EHLO %s", s->base.world->hostname);
}

static void ehlo_heard(struct smtp *s)
{
	if (s->spoilt != NULL) {
		unfit(s);
	} else if (class_heard(s) == 2) {
		learn_features(s);
		greeted(s);
	} else if (class_heard(s) == 5) {
		say(s, AWAIT_HELO, "HELO %s", s->base.world->hostname);
	} else {
		unfit(s);
	}
}

static void helo_heard(struct smtp *s)
{
	if (class_heard(s) != 2 || s->spoilt != NULL)
		unfit(s);
	else
		greeted(s);
}

static void mail_heard(struct smtp *s)
{
	if (class_heard(s) == 3 || (s->heard.code == 421 && s->reused)) {
		unfit(s);
		return;
	}
	s->in_mail = class_heard(s) == 2;
	pass_on(s);
}

static void rcpt_heard(struct smtp *s)
{
	if (class_heard(s) == 3)
		unfit(s);
	else
		pass_on(s);
}

/* As much as the socket takes now; also from the loop, when the disk has more of it. */
static void send_content(void *arg)
{
	struct smtp *s = arg;

	switch (feed_go(&s->feed)) {
	case FEED_WAIT:
		await(s, AWAIT_CONTENT);
		break;
	case FEED_ENDED:
		await(s, AWAIT_DOT);
		break;
	case FEED_FAILED:
		lost(s, "the message cannot be read back");
		break;
	}
}

static void data_heard(struct smtp *s)
{
	if (class_heard(s) == 2 || (class_heard(s) == 3 && s->spoilt != NULL)) {
		unfit(s);
	} else if (class_heard(s) == 3) {
		send_content(s);
	} else {
		feed_stop(&s->feed);
		pass_on(s);
	}
}

/* A refusal before it heard all. What is not sent yet can't be taken back but by hanging up. */
static void content_heard(struct smtp *s)
{
	if (class_heard(s) < 4) {
		unfit(s);
		return;
	}
	s->spoilt = "refused before its end";
	pass_on(s);
}

static void dot_heard(struct smtp *s)
{
	if (class_heard(s) == 3) {
		unfit(s);
		return;
	}
	s->in_mail = false;
	pass_on(s);
}

static void rset_heard(struct smtp *s)
{
	if (class_heard(s) != 2) {
		unfit(s);
		return;
	}
	s->in_mail = false;
	pass_on(s);
}

/* At most one whole reply is taken; what comes behind it was not asked for. */
static void on_input(struct smtp *s)
{
	enum reply_step step = REPLY_MORE;
	enum stream_got got;
	struct slice line;

	while (s->spoilt == NULL) {
		got = stream_line(&s->stream, LINE_MAX_IN, &line);
		if (got == STREAM_NOTHING)
			break;
		if (got == STREAM_OVER)
			s->spoilt = stream_error(&s->stream);
		else if (step == REPLY_DONE)
			s->spoilt = "it says more than it was asked";
		else if (got != STREAM_GOT)
			s->spoilt = "it sends a broken line";
		else if ((step = reply_read(&s->reader, line, &s->heard)) == REPLY_BAD)
			s->spoilt = "it says what is no reply";
	}
	if (step != REPLY_DONE) {
		if (s->spoilt != NULL)
			lost(s, s->spoilt);
		return;
	}
	if (s->heard.code == 421 && s->spoilt == NULL)
		s->spoilt = "it closes";
	if (awaited[s->await].heard != NULL)
		awaited[s->await].heard(s);
	else
		unfit(s);
}

static void on_stream(void *owner, enum stream_news news)
{
	struct smtp *s = owner;

	switch (news) {
	case STREAM_CONNECTED:
		await(s, AWAIT_GREETING);
		break;
	case STREAM_SECURED:
		break;
	case STREAM_INPUT:
		on_input(s);
		break;
	case STREAM_DRAINED:
		if (s->await == AWAIT_CONTENT)
			send_content(s);
		break;
	case STREAM_ENDED:
	case STREAM_BROKEN:
		lost(s, stream_error(&s->stream));
		break;
	}
}

static void dial_heard(void *owner, const struct endpoint *to, const char *name)
{
	struct smtp *s = owner;
	char text[ADDR_TEXT_MAX];

	if (to == NULL || clock_ms() >= s->reach_by) {
		unreachable(s);
		return;
	}
	free(s->base.peer);
	s->base.peer = mem_printf("%s[%s]:%u", name != NULL ? name : "", addr_print(&to->addr, text),
				  to->port);
	await(s, AWAIT_CONNECT);
	s->in_use = stream_connect(&s->stream, s->base.world->loop, to, on_stream, s);
	if (!s->in_use)
		lost(s, stream_error(&s->stream));
}

static enum relay_step smtp_mail(struct relay *r, const struct mail_command *mail)
{
	struct smtp *s = (struct smtp *)r;

	free(s->from);
	s->from = mem_strndup(mail->from.address.at, mail->from.address.len);
	s->from_is_utf8 = mail->from.is_utf8;
	s->params = mail->params;
	s->reused = s->in_use;
	if (!s->in_use)
		start_reaching(s);
	else if (refuse_lacking(s))
		return RELAY_DONE;
	else
		say_mail(s);
	return RELAY_WAIT;
}

static enum relay_step gone(struct smtp *s)
{
	reply_set(s->base.reply, 451, "4.4.2 Lost the next hop");
	return RELAY_DONE;
}

static enum relay_step smtp_rcpt(struct relay *r, const struct path *to)
{
	struct smtp *s = (struct smtp *)r;

	if (!s->in_use)
		return gone(s);
	if (to->is_utf8 && !s->params.smtputf8) {
		reply_set(r->reply, 553, "5.6.7 Recipient needs SMTPUTF8");
		return RELAY_DONE;
	}
	say(s, AWAIT_RCPT, "RCPT TO:<%.*s>", SLICE_ARGS(to->address));
	return RELAY_WAIT;
}

static enum relay_step smtp_message(struct relay *r, struct message *m)
{
	struct smtp *s = (struct smtp *)r;

	if (!s->in_use)
		return gone(s);
	feed_start(&s->feed, m);
	say(s, AWAIT_DATA, "DATA");
	return RELAY_WAIT;
}

static enum relay_step smtp_reset(struct relay *r)
{
	struct smtp *s = (struct smtp *)r;

	if (s->in_use && s->in_mail) {
		say(s, AWAIT_RSET, "RSET");
		return RELAY_WAIT;
	}
	reply_set(r->reply, 250, "2.0.0 Ok");
	return RELAY_DONE;
}

static void bury(struct burial *self)
{
	struct smtp *s = (struct smtp *)((char *)self - offsetof(struct smtp, burial));

	free(s->base.peer);
	free(s->from);
	free(s);
}

static void smtp_free(struct relay *r)
{
	struct smtp *s = (struct smtp *)r;

	if (s->in_use && s->await == AWAIT_NOTHING) {
		stream_write(&s->stream, SLICE("QUIT\r\n"));
		stream_flush(&s->stream);
	}
	if (s->dialling)
		dial_fini(&s->dial);
	hang_up(s);
	timer_stop(&s->timer);
	reply_free(&s->heard);
	loop_bury(r->world->loop, &s->burial, bury);
}

static const struct relay_kind kind = { smtp_mail, smtp_rcpt, smtp_message, smtp_reset, smtp_free };

struct relay *relay_smtp_new(const struct relay_world *world)
{
	struct smtp *s = mem_new(sizeof *s);

	s->base.kind = &kind;
	timer_init(&s->timer, world->loop, too_late, s);
	feed_init(&s->feed, world->loop, world->jobs, &s->stream, send_content, s);
	reply_reader_init(&s->reader);
	return &s->base;
}
