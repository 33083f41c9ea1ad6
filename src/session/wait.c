/*
 * wait - a session waits for at most one thing (enum session_wait), and meanwhile reads nothing:
 * parking, waking, and the clocks of its client's silence.
 */
#include "session/inside.h"

#include "base/check.h"
#include "base/clock.h"

enum { HANDSHAKE_MS = 300000 }; /* also where nothing else is limited */

static const char *const wait_names[] = {
	[WAIT_NONE] = "none",	    [WAIT_PROXY] = "proxy",   [WAIT_TLS] = "tls",
	[WAIT_BANNER] = "banner",   [WAIT_POLICY] = "policy", [WAIT_TARPIT] = "tarpit",
	[WAIT_RELAY] = "relay",	    [WAIT_DISK] = "disk",     [WAIT_OUTPUT] = "output",
	[WAIT_GOODBYE] = "goodbye",
};

const char *session_wait_name(enum session_wait wait)
{
	return wait_names[wait];
}

/* Milliseconds until the client has been silent for too long; 0: it has; -1: it may be for ever. */
static int64_t patience_left(const struct session *s, uint64_t now)
{
	const struct settings *set = s->settings;
	const struct {
		uint64_t since;
		uint32_t limit;
	} clocks[] = {
		{ s->began_ms, s->wait == WAIT_PROXY ? s->door->proxy_ms : 0 },
		{ s->heard_ms, set->idle_ms },
		{ s->waiting_ms, set->command_ms },
		{ s->waiting_ms, s->wait == WAIT_TLS ? HANDSHAKE_MS : 0 },
		/* It may begin before we look again. */
		{ s->mail ? s->mail->began_ms : now, set->transaction_ms },
	};
	int64_t least = -1;

	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		uint64_t until = clocks[i].since + clocks[i].limit;
		int64_t left = until > now ? (int64_t)(until - now) : 0;

		if (clocks[i].limit != 0 && (least < 0 || left < least))
			least = left;
	}
	return least;
}

/* The timer is not moved with every command: when it fires it looks how long there still is. */
void session_be_patient(struct session *s)
{
	int64_t left = patience_left(s, clock_ms());

	if (left >= 0)
		timer_set(&s->timer, (uint64_t)left + 1);
}

static void timed_out(struct session *s)
{
	if (s->wait == WAIT_TLS) {
		secure_failed(s, END_TIMEOUT, "it took too long");
		return;
	}
	if (s->state == SESSION_GREET || stream_unsent(&s->client) > 0) {
		session_end(s, END_TIMEOUT);
		return;
	}
	session_reply(s, 421, "4.4.2 %s Error: timeout exceeded", s->settings->hostname);
	session_goodbye(s, END_TIMEOUT);
}

/* Of a delay, which is paid in full: a loop reckons from the beginning of its turn, with a coarse
 * clock, so its timers may fire early. */
static int64_t delay_left(const struct session *s)
{
	int64_t waited = (int64_t)(clock_ms() - s->waiting_ms);
	uint32_t delay =
		s->wait == WAIT_TARPIT ? s->verdict.delay_ms : s->settings->banner_delay_ms;

	return waited > delay ? 0 : delay - waited + 1;
}

void session_timer_fired(void *owner)
{
	struct session *s = owner;
	int64_t left;

	switch ((enum session_wait)s->wait) {
	case WAIT_TARPIT:
	case WAIT_BANNER:
		left = delay_left(s);
		if (left > 0)
			timer_set(&s->timer, (uint64_t)left);
		else
			session_wake(s);
		return;
	case WAIT_GOODBYE:
		session_end(s, END_TIMEOUT);
		return;
	case WAIT_NONE:
	case WAIT_PROXY:
	case WAIT_TLS:
	case WAIT_OUTPUT:
		left = patience_left(s, clock_ms());
		if (left == 0)
			timed_out(s);
		else if (left > 0)
			timer_set(&s->timer, (uint64_t)left + 1);
		return;
	case WAIT_POLICY:
	case WAIT_RELAY:
	case WAIT_DISK:
		return; /* they have limits of their own */
	}
}

void session_park(struct session *s, enum session_wait wait, void (*after)(struct session *s))
{
	CHECK(s->wait == WAIT_NONE && !s->ended);
	s->wait = wait;
	s->after = after;
	s->waiting_ms = clock_ms();
	if (wait == WAIT_TARPIT)
		tarpit_enter(s);
	stream_flush(&s->client);
	stream_pause(&s->client);
}

void session_unpark(struct session *s)
{
	if (s->wait == WAIT_TARPIT)
		tarpit_leave(s);
	s->wait = WAIT_NONE;
}

void session_wake_in(struct session *s, uint64_t ms)
{
	timer_set(&s->timer, ms);
}

/* After anything that may have answered: send it, and read on when nothing is being waited for. */
void session_settle(struct session *s)
{
	if (!s->ended && s->leaving && s->wait == WAIT_NONE && s->mail == NULL)
		session_drain(s, true);
	if (s->ended)
		return;
	stream_flush(&s->client);
	if (s->wait == WAIT_NONE && stream_unsent(&s->client) > 0) {
		session_park(s, WAIT_OUTPUT, NULL);
		session_be_patient(s);
	}
	if (s->wait == WAIT_NONE)
		stream_resume(&s->client);
}

void session_wake(struct session *s)
{
	void (*after)(struct session *) = s->after;

	CHECK(s->wait != WAIT_NONE);
	session_unpark(s);
	s->heard_ms = s->waiting_ms = clock_ms(); /* it was not the client that kept us waiting */
	session_be_patient(s);
	if (after != NULL)
		after(s);
	session_settle(s);
}
