/*
 * judge - a phase's way through policy: ask, hold back (tarpit), then let pass or refuse.
 */
#include "session/inside.h"

#include <stdio.h>
#include <stdlib.h>

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

void session_note_refusal(struct session *s, enum phase phase, unsigned code, const char *text)
{
	stat_add(&s->worker->stats.rejections, 1);
	session_record(s, EVENT_REJECTION);
	session_log_refusal(s, phase, code, text);
}

/* The same, where it is no phase but the command at hand that is answered; 500 to 503 are about
 * syntax and order. */
static void note_error(struct session *s, unsigned code, const char *text)
{
	static const enum phase phases[VERB_COUNT] = {
		[VERB_HELO] = PHASE_EHLO,   [VERB_EHLO] = PHASE_EHLO, [VERB_MAIL] = PHASE_MAILFROM,
		[VERB_RCPT] = PHASE_RCPTTO, [VERB_DATA] = PHASE_DATA,
	};
	enum phase phase = phases[s->verb];

	if (phase != PHASE_ACCEPT && (code < 500 || code > 503))
		session_note_refusal(s, phase, code, text);
}

enum { TOO_MANY_MAX = 512 };

static const char *too_many(const struct session *s, const char *of_what, char out[TOO_MANY_MAX])
{
	snprintf(out, TOO_MANY_MAX, "4.7.0 %s Error: too many %s", s->settings->hostname, of_what);
	return out;
}

static void send_away(struct session *s, const char *text)
{
	session_reply_text(s, 421, text);
	session_goodbye(s, END_ERRORS);
}

static bool is_last_error(struct session *s)
{
	const struct settings *set = s->settings;

	stat_add(&s->worker->stats.errors, 1);
	return set->max_errors != 0 && ++s->errors >= set->max_errors;
}

void session_refuse(struct session *s, enum phase phase, unsigned code, const char *text)
{
	char last[TOO_MANY_MAX];

	session_note_refusal(s, phase, code, text);
	s->close_next |= code == 421;
	undo(s, phase, code);
	if (code >= 500 && phase > PHASE_CONNECT && is_last_error(s))
		send_away(s, too_many(s, "errors", last));
	else
		session_reply_text(s, code, text);
}

void session_error(struct session *s, unsigned code, const char *text)
{
	if (is_last_error(s)) {
		session_send_away(s, "errors");
		return;
	}
	note_error(s, code, text);
	session_reply_text(s, code, text);
}

void session_fault(struct session *s, syntax_fault fault)
{
	session_error(s, (unsigned)atoi(fault), fault + 4);
}

void session_send_away(struct session *s, const char *too_many_what)
{
	char text[TOO_MANY_MAX];

	note_error(s, 421, too_many(s, too_many_what, text));
	send_away(s, text);
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
