/*
 * An SMTP client that waits for one thing at a time.
 *
 *   relay_mail      REACH -> MAIL
 *   relay_rcpt      RCPT
 *   relay_message   DATA -> CONTENT -> DOT
 *
 * While the client is silent its connection may be taken away for somebody else (pool_rests): ten
 * thousand slow clients are not ten thousand connections. What the next hop had accepted is then
 * said again to it when the client goes on: REACH -> MAIL_AGAIN -> RCPT_AGAIN .. -> RCPT or DATA.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/feed.h"
#include "relay/reach.h"

/* Of recipients that can be said again; with more, the connection is not given away. */
enum { RECIPIENTS_MAX = 64 << 10 };

enum await {
	AWAIT_NOTHING, /* the caller's turn */
	AWAIT_REACH,
	AWAIT_MAIL,
	AWAIT_RCPT,
	AWAIT_MAIL_AGAIN,
	AWAIT_RCPT_AGAIN,
	AWAIT_DATA,
	AWAIT_CONTENT, /* room for more of the message, or more of it from the disk */
	AWAIT_DOT,
};

struct smtp {
	struct relay base;
	struct burial burial;
	struct reach reach;
	struct link *link;	/* NULL: none, or not any more */
	enum await await;

	char *from;
	struct path sender;	/* a slice of from */
	struct mail_params params;
	struct buf accepted;	/* recipients, a zero behind each */
	size_t again_at;	/* the next of them to say again */
	bool yielded;		/* the connection was taken away, with what it had accepted */
	bool unforgettable;	/* too many recipients to say again */
	char *rcpt;		/* the one being passed on */
	struct feed feed;
};

static void mail_heard(struct smtp *s);
static void rcpt_heard(struct smtp *s);
static void again_heard(struct smtp *s);
static void data_heard(struct smtp *s);
static void content_heard(struct smtp *s);
static void dot_heard(struct smtp *s);

static const struct awaited {
	const char *name; /* for the log */
	const uint32_t *timeout;
	void (*heard)(struct smtp *s);
} awaited[] = {
	[AWAIT_NOTHING] = { "idle", NULL, NULL },
	[AWAIT_REACH] = { "next hop", NULL, NULL },
	[AWAIT_MAIL] = { "MAIL", &relay_timeouts.mail, mail_heard },
	[AWAIT_RCPT] = { "RCPT", &relay_timeouts.rcpt, rcpt_heard },
	[AWAIT_MAIL_AGAIN] = { "MAIL again", &relay_timeouts.mail, again_heard },
	[AWAIT_RCPT_AGAIN] = { "RCPT again", &relay_timeouts.rcpt, again_heard },
	[AWAIT_DATA] = { "DATA", &relay_timeouts.data, data_heard },
	[AWAIT_CONTENT] = { "message content", &relay_timeouts.block, content_heard },
	[AWAIT_DOT] = { "end of message", &relay_timeouts.dot, dot_heard },
};

/* The only place where what is awaited changes. How long it may take, in ms. */
static uint64_t await(struct smtp *s, enum await what)
{
	s->await = what;
	return awaited[what].timeout != NULL ? *awaited[what].timeout : 0;
}

static void drop(struct smtp *s)
{
	if (s->link != NULL)
		pool_drop(s->link);
	s->link = NULL;
	feed_stop(&s->feed);
}

/* The connection was kept, and is not ours any more. */
static void yield(void *owner)
{
	struct smtp *s = owner;

	s->link = NULL;
	s->yielded = true;
}

/* The answer is in base.reply. The last thing to do: the caller may free the relay. */
static void conclude(struct smtp *s)
{
	if (s->link != NULL && s->link->spoilt != NULL)
		drop(s);
	await(s, AWAIT_NOTHING);
	if (s->link != NULL && s->link->in_mail && !s->unforgettable)
		pool_rests(s->link, yield);
	s->base.said(s->base.owner);
}

/* What the next hop answered is the answer. Its 421 is about its connection, not the client's. */
static void pass_on(struct smtp *s)
{
	reply_free(s->base.reply);
	*s->base.reply = reply_take(&s->link->heard);
	if (s->base.reply->code == 421)
		s->base.reply->code = 451;
	conclude(s);
}

/* The connection is of no more use. */
static void lost(struct smtp *s, const char *why)
{
	enum await was = s->await;
	bool kept = s->link->uses > 1;

	log_event(was == AWAIT_NOTHING ? LOG_DEBUG : LOG_WARN, "next_hop", s->base.session, NULL,
		  "next hop %s: %s: %s", s->base.peer, awaited[was].name, why);
	if (kept && (was == AWAIT_MAIL || was == AWAIT_MAIL_AGAIN)) {
		pool_drop(s->link);
		s->link = NULL;
		await(s, AWAIT_REACH);
		reach_begin(&s->reach, true); /* it had only grown old */
		return;
	}
	drop(s);
	if (was == AWAIT_NOTHING)
		return;
	reply_set(s->base.reply, 451, "4.4.2 Lost the next hop");
	conclude(s);
}

/* What was heard leads nowhere from here. */
static void unfit(struct smtp *s)
{
	const struct link *l = s->link;
	char why[200];

	snprintf(why, sizeof why, "%s: %u %s", l->spoilt != NULL ? l->spoilt : "it says",
		 l->heard.code, l->heard.text);
	lost(s, why);
}

/* --- commands ------------------------------------------------------------------------------ */

static void say_mail(struct smtp *s, enum await answer)
{
	static const char *const body[] = { [BODY_NONE] = "", [BODY_7BIT] = " BODY=7BIT",
					    [BODY_8BITMIME] = " BODY=8BITMIME" };
	unsigned features = s->link->offer.features;
	char size[32] = "";

	if (s->params.has_size && (features & FEATURE_SIZE))
		snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)s->params.size);
	link_say(s->link, await(s, answer), "MAIL FROM:<%s>%s%s%s", s->from, size,
		 features & FEATURE_8BITMIME ? body[s->params.body] : "",
		 s->params.smtputf8 ? " SMTPUTF8" : "");
}

static void say_rcpt(struct smtp *s, enum await answer, const char *to)
{
	link_say(s->link, await(s, answer), "RCPT TO:<%s>", to);
}

static void say_data(struct smtp *s)
{
	link_say(s->link, await(s, AWAIT_DATA), "DATA");
}

/* Everything that was accepted, then what the client wants now. */
static void say_again(struct smtp *s)
{
	const char *to = s->again_at < s->accepted.len ? s->accepted.at + s->again_at : NULL;

	if (to != NULL) {
		s->again_at += strlen(to) + 1;
		say_rcpt(s, AWAIT_RCPT_AGAIN, to);
		return;
	}
	s->yielded = false;
	if (s->rcpt != NULL)
		say_rcpt(s, AWAIT_RCPT, s->rcpt);
	else
		say_data(s);
}

static void link_heard(void *owner, enum link_news news);

static void reached(void *owner, struct link *link)
{
	struct smtp *s = owner;

	s->link = link;
	if (link == NULL) {
		feed_stop(&s->feed);
		conclude(s);
		return;
	}
	link->hear = link_heard;
	link->owner = s;
	say_mail(s, s->yielded ? AWAIT_MAIL_AGAIN : AWAIT_MAIL);
}

static void go_back(struct smtp *s)
{
	s->again_at = 0;
	await(s, AWAIT_REACH);
	reach_begin(&s->reach, false);
}

/* --- answers ------------------------------------------------------------------------------- */

static void mail_heard(struct smtp *s)
{
	struct link *l = s->link;

	if (link_class(l) == 3 || (l->heard.code == 421 && l->uses > 1)) {
		unfit(s);
		return;
	}
	l->in_mail = link_class(l) == 2;
	pass_on(s);
}

static void again_heard(struct smtp *s)
{
	struct link *l = s->link;

	if (link_class(l) == 3 || l->spoilt != NULL) {
		unfit(s);
	} else if (link_class(l) == 2) {
		l->in_mail = true;
		say_again(s);
	} else { /* it had accepted that; what it holds now is not the transaction */
		feed_stop(&s->feed);
		pool_keep(s->link);
		s->link = NULL;
		reply_set(s->base.reply, 451, "4.4.2 Next hop has changed its mind");
		conclude(s);
	}
}

static void keep_recipient(struct smtp *s)
{
	if (!buf_add(&s->accepted, s->rcpt, strlen(s->rcpt) + 1))
		s->unforgettable = true;
}

static void rcpt_heard(struct smtp *s)
{
	if (link_class(s->link) == 3) {
		unfit(s);
		return;
	}
	if (link_class(s->link) == 2)
		keep_recipient(s);
	pass_on(s);
}

/* As much as the socket takes now; also from the loop, when the disk has more of it. */
static void send_content(void *arg)
{
	struct smtp *s = arg;

	switch (feed_go(&s->feed, &s->link->stream)) {
	case FEED_WAIT:
		link_expect(s->link, await(s, AWAIT_CONTENT));
		break;
	case FEED_ENDED:
		link_expect(s->link, await(s, AWAIT_DOT));
		break;
	case FEED_FAILED:
		lost(s, "the message cannot be read back");
		break;
	}
}

static void data_heard(struct smtp *s)
{
	const struct link *l = s->link;

	if (link_class(l) == 2 || (link_class(l) == 3 && l->spoilt != NULL)) {
		unfit(s);
	} else if (link_class(l) == 3) {
		send_content(s);
	} else {
		feed_stop(&s->feed);
		pass_on(s);
	}
}

/* A refusal before it heard all. What is not sent yet can't be taken back but by hanging up. */
static void content_heard(struct smtp *s)
{
	if (link_class(s->link) < 4) {
		unfit(s);
		return;
	}
	s->link->spoilt = "refused before its end";
	pass_on(s);
}

/* A 2xx to a dot that has not left yet is no word on this message. */
static void dot_heard(struct smtp *s)
{
	unsigned class = link_class(s->link);

	if (class == 3 || (class == 2 && stream_unsent(&s->link->stream) > 0)) {
		unfit(s);
		return;
	}
	s->link->in_mail = false;
	pass_on(s);
}

static void link_heard(void *owner, enum link_news news)
{
	struct smtp *s = owner;

	switch (news) {
	case LINK_REPLY:
		awaited[s->await].heard(s);
		break;
	case LINK_DRAINED:
		if (s->await == AWAIT_CONTENT)
			send_content(s);
		break;
	case LINK_LOST:
		lost(s, s->link->spoilt);
		break;
	case LINK_CONNECTED:
	case LINK_SECURED:
		break; /* only what dials hears this */
	}
}

/* --- the relay's calls --------------------------------------------------------------------- */

static enum relay_step smtp_mail(struct relay *r, const struct mail_command *mail)
{
	struct smtp *s = (struct smtp *)r;

	CHECK(s->from == NULL);
	s->from = mem_strndup(mail->from.address.at, mail->from.address.len);
	s->sender.is_utf8 = mail->from.is_utf8;
	s->params = mail->params;
	go_back(s);
	return RELAY_WAIT;
}

/* True: there is a connection, or it is got again. */
static bool is_there(struct smtp *s)
{
	if (s->link != NULL) {
		pool_works(s->link);
		return true;
	}
	if (s->yielded)
		return true;
	reply_set(s->base.reply, 451, "4.4.2 Lost the next hop");
	return false;
}

static enum relay_step smtp_rcpt(struct relay *r, const struct path *to)
{
	struct smtp *s = (struct smtp *)r;

	if (to->is_utf8 && !s->params.smtputf8) {
		reply_set(r->reply, 553, "5.6.7 Recipient needs SMTPUTF8");
		return RELAY_DONE;
	}
	if (!is_there(s))
		return RELAY_DONE;
	free(s->rcpt);
	s->rcpt = mem_strndup(to->address.at, to->address.len);
	if (s->yielded)
		go_back(s);
	else
		say_rcpt(s, AWAIT_RCPT, s->rcpt);
	return RELAY_WAIT;
}

static enum relay_step smtp_message(struct relay *r, struct message *m)
{
	struct smtp *s = (struct smtp *)r;

	if (!is_there(s))
		return RELAY_DONE;
	feed_start(&s->feed, m);
	free(s->rcpt);
	s->rcpt = NULL;
	if (s->yielded)
		go_back(s);
	else
		say_data(s);
	return RELAY_WAIT;
}

static void bury(struct burial *self)
{
	struct smtp *s = (struct smtp *)((char *)self - offsetof(struct smtp, burial));

	free(s->base.peer);
	free(s->from);
	free(s->rcpt);
	buf_free(&s->accepted);
	free(s);
}

static void smtp_free(struct relay *r)
{
	struct smtp *s = (struct smtp *)r;

	reach_stop(&s->reach);
	feed_stop(&s->feed);
	if (s->link != NULL)
		pool_keep(s->link);
	loop_bury(r->world->loop, &s->burial, bury);
}

static const struct relay_kind kind = { smtp_mail, smtp_rcpt, smtp_message, smtp_free };

struct relay *relay_smtp_new(const struct relay *begun)
{
	struct smtp *s = mem_new(sizeof *s);

	s->base = *begun;
	s->base.kind = &kind;
	reach_init(&s->reach, &s->base, &s->sender, &s->params, reached, s);
	feed_init(&s->feed, begun->world->loop, begun->world->jobs, send_content, s);
	buf_init(&s->accepted, RECIPIENTS_MAX);
	return &s->base;
}
