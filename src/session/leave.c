/*
 * leave - how a session ends: the last answer, and the one destructor that gives everything back,
 * whatever the reason.
 */
#include "session/inside.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
	GOODBYE_MS = 10000, /* the last answer has so long to leave */
	UNREAD_MAX = 256 << 10, /* swallowed before closing */
};

static void bury(struct burial *b)
{
	free((char *)b - offsetof(struct session, burial));
}

void session_end(struct session *s, enum ending how)
{
	if (s->ended)
		return;
	s->ended = true;
	session_unpark(s);
	timer_stop(&s->timer);
	if (s->run != NULL)
		policy_cancel(s->run);
	mail_over(s);
	if (how == END_HANGUP)
		stat_add(&s->worker->stats.hangups, 1);
	if (how == END_TIMEOUT)
		stat_add(&s->worker->stats.timeouts, 1);
	session_log_end(s, how);
	session_forget_client(s);
	verdict_clear(&s->verdict);

	/* Out of every count before the client can see the close (D37). */
	audit_leave(&s->ticket);
	session_give_caps(s);
	/* What is unread when a socket is closed makes the kernel send a reset, which may overtake
	 * our last answer. */
	if (how == END_TLS || (how != END_HANGUP && s->client.readable))
		stream_drop_input(&s->client, UNREAD_MAX);
	stream_close(&s->client);
	LIST_REMOVE(s, next);
	s->worker->session_count--;
	rules_unref(s->rules);
	loop_bury(s->worker->loop, &s->burial, bury);
}

static void goodbye_said(struct session *s)
{
	session_end(s, s->ending);
}

void session_goodbye(struct session *s, enum ending how)
{
	if (s->ended)
		return;
	session_enter(s, SESSION_CLOSE);
	stream_flush(&s->client);
	if (stream_unsent(&s->client) == 0) {
		session_end(s, how);
		return;
	}
	session_unpark(s);
	s->ending = how;
	session_park(s, WAIT_GOODBYE, goodbye_said);
	session_wake_in(s, GOODBYE_MS);
}

/* Whether the client has asked something that 421 will now be the answer to. */
static bool owes_answer(const struct session *s)
{
	switch ((enum session_wait)s->wait) {
	case WAIT_BANNER:
	case WAIT_POLICY:
	case WAIT_TARPIT:
	case WAIT_RELAY:
		return true;
	case WAIT_DISK:
		return s->after != NULL; /* else it is in the middle of a message */
	case WAIT_NONE:
	case WAIT_PROXY:
	case WAIT_TLS:
	case WAIT_OUTPUT:
	case WAIT_GOODBYE:
		return false;
	}
	return false;
}

void session_dismiss(struct session *s, enum ending how, const char *text)
{
	if (s->ended || s->wait == WAIT_GOODBYE)
		return;
	if (s->run != NULL) {
		policy_cancel(s->run);
		s->run = NULL;
	}
	if (s->wait == WAIT_TLS) { /* there is no channel to say it in */
		session_end(s, how);
		return;
	}
	if (owes_answer(s))
		session_note_refusal(s, s->phase, 421, text);
	mail_over(s); /* with it goes what the next hop or the disk would still have said */
	session_unpark(s);
	session_reply(s, 421, "%s", text);
	session_goodbye(s, how);
}

void session_drain(struct session *s, bool now)
{
	s->leaving = true;
	if (now)
		session_dismiss(s, END_DRAIN, "4.3.2 Service shutting down, try again later");
	else
		session_settle(s);
}

void session_kick(struct session *s)
{
	session_dismiss(s, END_KICK, "4.7.0 Disconnected by the administrator");
}

void worker_end_sessions(struct worker *w)
{
	while (!LIST_EMPTY(&w->sessions))
		session_end(LIST_FIRST(&w->sessions), END_DRAIN);
}
