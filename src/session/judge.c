/*
 * judge - a phase's way through policy: ask, hold back (tarpit), then let pass or refuse.
 */
#include "session/inside.h"

#include "base/clock.h"

const char *session_phase_verb(enum phase phase)
{
	static const char *const verbs[PHASE_COUNT] = {
		[PHASE_ACCEPT] = "CONNECT", [PHASE_CONNECT] = "CONNECT",
		[PHASE_EHLO] = "EHLO",	    [PHASE_MAILFROM] = "MAIL",
		[PHASE_RCPTTO] = "RCPT",    [PHASE_DATA] = "END-OF-MESSAGE",
	};

	return verbs[phase];
}

/* What is left of the conversation after the refusal of a phase. */
static void undo(struct session *s, enum phase phase, unsigned code)
{
	switch (phase) {
	case PHASE_ACCEPT:
		s->close_next = true; /* D32 */
		return;
	case PHASE_CONNECT:
		/* RFC 5321 3.1: after 554 the client may stay, and hears 503 until it leaves. */
		s->barred = code == 554;
		s->close_next |= !s->barred;
		session_enter(s, SESSION_HELO);
		return;
	case PHASE_MAILFROM:
	case PHASE_DATA:
		mail_over(s);
		session_enter(s, SESSION_READY);
		return;
	case PHASE_EHLO:
	case PHASE_RCPTTO:
	case PHASE_COUNT:
		return;
	}
}

void session_refuse(struct session *s, enum phase phase, unsigned code, const char *text)
{
	stat_add(&s->worker->stats.rejections, 1);
	session_log_refusal(s, phase, code, text);
	s->close_next |= code == 421;
	undo(s, phase, code);
	if (code >= 500 && phase > PHASE_CONNECT)
		session_error(s, code, text);
	else
		session_reply_text(s, code, text);
}

/* The tarpit is paid; answer. 2xx and 3xx of a script let the phase pass: only the next hop's own
 * word makes our 250. */
static void sentence(struct session *s)
{
	struct verdict v = s->verdict;

	s->verdict = (struct verdict){ 0 };
	s->close_next |= v.disconnect || v.failed;
	if (v.code >= 400)
		session_refuse(s, s->phase, v.code, v.text);
	else
		s->granted(s);
	verdict_clear(&v);
}

static void judged(struct session *s)
{
	if (s->verdict.delay_ms == 0) {
		sentence(s);
		return;
	}
	stat_add(&s->worker->stats.tarpits, 1);
	stat_add(&s->worker->stats.tarpit_ms, s->verdict.delay_ms);
	s->tarpit_ms += s->verdict.delay_ms;
	session_park(s, WAIT_TARPIT, sentence);
	session_wake_in(s, s->verdict.delay_ms);
}

static void policy_has_said(void *owner)
{
	struct session *s = owner;

	s->run = NULL;
	session_wake(s);
}

void session_ask(struct session *s, enum phase phase, void (*granted)(struct session *s))
{
	s->phase = phase;
	s->granted = granted;
	if (!policy_handles(s->rules->policy, phase)) {
		granted(s);
		return;
	}
	if (policy_ask(s->rules->policy, phase, &s->facts, &s->verdict, policy_has_said, s,
		       &s->run) == POLICY_WAIT)
		session_park(s, WAIT_POLICY, judged);
	else
		judged(s);
}
