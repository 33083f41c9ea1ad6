#include "session/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "smtp/smtp.h"

enum {
	COMMANDS_A_TURN = 64,	     /* then the others' turn comes */
	GOODBYE_MS = 10000,	     /* the last answer has so long to leave */
	UNREAD_MAX = 256 << 10,	     /* swallowed before closing, so that no reset overtakes the last answer */
	WORKERS_MAX_LOG2 = 6,
};

static const char *const state_names[] = {
	[SESSION_GREET] = "greet", [SESSION_HELO] = "helo", [SESSION_READY] = "ready",
	[SESSION_MAIL] = "mail",   [SESSION_RCPT] = "rcpt", [SESSION_DATA] = "data",
	[SESSION_CLOSE] = "close",
};

static const char *const wait_names[] = {
	[WAIT_NONE] = "none",	  [WAIT_BANNER] = "banner", [WAIT_POLICY] = "policy",
	[WAIT_TARPIT] = "tarpit", [WAIT_RELAY] = "relay",   [WAIT_DISK] = "disk",
	[WAIT_OUTPUT] = "output", [WAIT_GOODBYE] = "goodbye",
};

const char *session_state_name(enum session_state state)
{
	return state_names[state];
}

const char *session_wait_name(enum session_wait wait)
{
	return wait_names[wait];
}

void session_enter(struct session *s, enum session_state state)
{
	s->state = state;
}

static const char shutting_down[] = "4.3.2 Service shutting down, try again later";

/* --- waiting ------------------------------------------------------------------------------- */

/* Milliseconds until the client has been silent for too long; 0: it has; -1: it may be for ever. */
static int64_t patience_left(const struct session *s, uint64_t now)
{
	const struct settings *set = s->settings;
	const struct {
		uint64_t since;
		uint32_t limit;
	} clocks[] = {
		{ s->heard_ms, set->idle_ms },
		{ s->waiting_ms, set->command_ms },
		{ s->mail ? s->mail->began_ms : now, s->mail ? set->transaction_ms : 0 },
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
static void watch_patience(struct session *s)
{
	int64_t left = patience_left(s, clock_ms());

	if (left >= 0)
		timer_set(&s->timer, (uint64_t)left + 1);
}

static void timed_out(struct session *s)
{
	if (s->state == SESSION_GREET || stream_unsent(&s->client) > 0) {
		session_end(s, END_TIMEOUT);
		return;
	}
	session_reply(s, 421, "4.4.2 %s Error: timeout exceeded", s->settings->hostname);
	session_goodbye(s, END_TIMEOUT);
}

static void timer_fired(void *owner)
{
	struct session *s = owner;
	int64_t left;

	switch ((enum session_wait)s->wait) {
	case WAIT_TARPIT:
	case WAIT_BANNER:
		session_wake(s);
		return;
	case WAIT_GOODBYE:
		session_end(s, END_TIMEOUT);
		return;
	case WAIT_NONE:
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
		s->worker->held++;
	stream_flush(&s->client);
	stream_pause(&s->client);
}

static void unpark(struct session *s)
{
	if (s->wait == WAIT_TARPIT)
		s->worker->held--;
	s->wait = WAIT_NONE;
}

void session_wake_in(struct session *s, uint64_t ms)
{
	timer_set(&s->timer, ms);
}

/* Whatever it waits for is given up; the client is told and let go. */
static void dismiss(struct session *s, enum ending how, const char *text)
{
	if (s->ended || s->wait == WAIT_GOODBYE)
		return;
	if (s->run != NULL) {
		policy_cancel(s->run);
		s->run = NULL;
	}
	if (s->wait != WAIT_NONE)
		unpark(s);
	session_reply(s, 421, "%s", text);
	session_goodbye(s, how);
}

/* After anything that may have answered: send it, and read on when nothing is being waited for. */
static void settle(struct session *s)
{
	if (!s->ended && s->leaving && s->wait == WAIT_NONE && s->mail == NULL)
		dismiss(s, END_DRAIN, shutting_down);
	if (s->ended)
		return;
	stream_flush(&s->client);
	if (s->wait == WAIT_NONE && stream_unsent(&s->client) > 0) {
		session_park(s, WAIT_OUTPUT, NULL);
		watch_patience(s);
	}
	if (s->wait == WAIT_NONE)
		stream_resume(&s->client);
}

void session_wake(struct session *s)
{
	void (*after)(struct session *) = s->after;

	CHECK(s->wait != WAIT_NONE);
	unpark(s);
	s->heard_ms = s->waiting_ms = clock_ms(); /* it was not the client that kept us waiting */
	watch_patience(s);
	if (after != NULL)
		after(s);
	settle(s);
}

/* --- reading ------------------------------------------------------------------------------- */

static void bad_line(struct session *s, enum stream_got got)
{
	s->commands++;
	s->verb = VERB_OTHER;
	s->tally[VERB_OTHER].all++;
	stat_add(&s->worker->stats.commands, 1);
	s->facts.bad_commands++;
	if (got == STREAM_LONG)
		session_error(s, 500, "5.5.2 Error: line too long");
	else
		session_error(s, 500, "5.5.2 Error: bare <CR> or <LF> received, lines end with <CR><LF>");
}

static void read_commands(struct session *s)
{
	for (int served = 0; s->wait == WAIT_NONE && !s->ended && s->state != SESSION_DATA; served++) {
		struct slice line;
		enum stream_got got;

		if (s->leaving && s->mail == NULL)
			return;
		if (served == COMMANDS_A_TURN) {
			stream_again(&s->client);
			return;
		}
		got = stream_line(&s->client, SMTP_COMMAND_MAX, &line);
		switch (got) {
		case STREAM_NOTHING:
			return;
		case STREAM_OVER:
			session_goodbye(s, END_HANGUP); /* what it has asked is answered (T10) */
			return;
		case STREAM_GOT:
			verb_serve(s, line);
			break;
		case STREAM_BARE:
		case STREAM_LONG:
			bad_line(s, got);
			break;
		}
		s->waiting_ms = clock_ms();
	}
}

/* Eat what the client has sent for as long as nothing is being waited for. */
static void session_step(struct session *s)
{
	s->heard_ms = clock_ms();
	read_commands(s);
	if (!s->ended && s->wait == WAIT_NONE && s->state == SESSION_DATA)
		body_read(s);
	settle(s);
}

static void hear(void *owner, enum stream_news news)
{
	struct session *s = owner;

	switch (news) {
	case STREAM_INPUT:
		if (s->wait == WAIT_NONE)
			session_step(s);
		return;
	case STREAM_DRAINED:
		if (s->wait == WAIT_OUTPUT || s->wait == WAIT_GOODBYE)
			session_wake(s);
		return;
	case STREAM_ENDED:
		if (s->wait != WAIT_OUTPUT && s->wait != WAIT_GOODBYE) /* it may still read */
			session_end(s, END_HANGUP);
		return;
	case STREAM_BROKEN:
		session_end(s, END_HANGUP);
		return;
	case STREAM_CONNECTED:
		return; /* only what dials hears this */
	}
}

/* --- birth --------------------------------------------------------------------------------- */

static void greet(struct session *s)
{
	session_enter(s, SESSION_HELO);
	session_banner(s);
}

/* Who has spoken by now did not wait for the banner (T11). */
static void look_for_early_talk(struct session *s)
{
	if (s->facts.early_talker || !stream_has_input(&s->client))
		return;
	s->facts.early_talker = true;
	stat_add(&s->worker->stats.early_talkers, 1);
}

static void connect_granted(struct session *s)
{
	look_for_early_talk(s); /* a tarpit before the banner tempts, too */
	greet(s);
}

static void banner_due(struct session *s)
{
	look_for_early_talk(s);
	session_ask(s, PHASE_CONNECT, connect_granted);
}

static void accept_granted(struct session *s)
{
	if (s->settings->banner_delay_ms == 0) {
		banner_due(s);
		return;
	}
	session_park(s, WAIT_BANNER, banner_due);
	session_wake_in(s, s->settings->banner_delay_ms);
}

/* The first cap without room; NULL when a slot of each is ours (D76). */
static const struct cap *take_caps(struct session *s)
{
	const struct settings *set = s->settings;

	for (; s->caps_taken < set->cap_count; s->caps_taken++) {
		const struct cap *cap = &set->caps[s->caps_taken];

		if (!budget_take(cap->budget, cap->limit))
			return cap;
	}
	return NULL;
}

/* A refused session uses no slot, not even of the caps that had room (D76). */
static void give_caps(struct session *s)
{
	while (s->caps_taken > 0)
		budget_give(s->settings->caps[--s->caps_taken].budget);
}

static bool may_relay(const struct session *s)
{
	return s->settings->open_relay || cidr_list_has(&s->settings->relay_hosts, &s->facts.peer);
}

static void facts_begin(struct session *s, const struct addr *peer, uint16_t peer_port)
{
	struct facts *f = &s->facts;

	f->session = s->worker->next_session += 1 << WORKERS_MAX_LOG2;
	f->endpoint = s->door->endpoint;
	f->worker = (uint16_t)s->worker->index;
	f->peer = *peer;
	f->peer_port = peer_port;
	f->local = s->door->where.addr;
	f->local_port = s->door->where.port;
	f->preset = &s->settings->context;
	f->can_relay = may_relay(s);
}

void session_begin(struct worker *w, struct rules *rules, const struct door *door, int fd,
		   const struct addr *peer, uint16_t peer_port)
{
	struct session *s = mem_new(sizeof *s);
	const struct cap *full;

	s->worker = w;
	s->rules = rules_ref(rules);
	s->door = door;
	s->settings = door_settings(door, peer);
	s->began_ms = s->heard_ms = s->waiting_ms = clock_ms();
	facts_begin(s, peer, peer_port);
	stream_open(&s->client, w->loop, fd, hear, s);
	timer_init(&s->timer, w->loop, timer_fired, s);
	LIST_INSERT_HEAD(&w->sessions, s, next);
	w->session_count++;
	stat_add(&w->stats.connections, 1);

	audit_enter(door->endpoint, peer, &s->ticket); /* before any policy sees it (D37) */
	session_log_connect(s);
	watch_patience(s);
	full = take_caps(s);
	if (full != NULL) {
		give_caps(s);
		stat_add(&w->stats.capped, 1);
		session_refuse(s, PHASE_ACCEPT, 421, "4.4.5 Service unavailable, concurrency limit reached.");
	} else {
		session_ask(s, PHASE_ACCEPT, accept_granted);
	}
	settle(s);
}

/* --- death --------------------------------------------------------------------------------- */

static void bury(struct burial *b)
{
	free((char *)b - offsetof(struct session, burial));
}

/* What is unread when a socket is closed makes the kernel send a reset, which may overtake our
 * last answer. A bounded amount of it is read away first. */
static void swallow_input(struct session *s)
{
	char nowhere[8192];

	for (size_t swallowed = 0; swallowed < UNREAD_MAX;) {
		ssize_t n = recv(s->client.fd, nowhere, sizeof nowhere, MSG_DONTWAIT);

		if (n <= 0)
			return;
		swallowed += (size_t)n;
	}
}

void session_end(struct session *s, enum ending how)
{
	if (s->ended)
		return;
	s->ended = true;
	unpark(s);
	timer_stop(&s->timer);
	if (s->run != NULL)
		policy_cancel(s->run);
	mail_over(s);
	policy_session_over(s->rules->policy, &s->facts);
	session_log_end(s, how);
	ctx_clear(&s->facts.conn);
	verdict_clear(&s->verdict);
	free(s->helo_line);

	/* Out of every count before the client can see the close (D37). */
	audit_leave(&s->ticket);
	give_caps(s);
	if (how != END_HANGUP && s->client.readable)
		swallow_input(s);
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
	if (s->wait != WAIT_NONE)
		unpark(s);
	s->ending = how;
	session_park(s, WAIT_GOODBYE, goodbye_said);
	session_wake_in(s, GOODBYE_MS);
}

/* --- from outside -------------------------------------------------------------------------- */

void session_drain(struct session *s, bool now)
{
	s->leaving = true;
	if (now)
		dismiss(s, END_DRAIN, shutting_down);
	else
		settle(s);
}

void session_kick(struct session *s)
{
	dismiss(s, END_KICK, "4.7.0 Disconnected by the administrator");
}

void worker_end_sessions(struct worker *w)
{
	while (!LIST_EMPTY(&w->sessions))
		session_end(LIST_FIRST(&w->sessions), END_DRAIN);
}

struct session *session_next(const struct session *s)
{
	return LIST_NEXT(s, next);
}

uint64_t session_id(const struct session *s)
{
	return s->facts.session;
}

const struct addr *session_peer(const struct session *s)
{
	return &s->facts.peer;
}

static void copy(char *to, size_t size, struct slice from)
{
	size_t len = from.len < size - 1 ? from.len : size - 1;

	if (len > 0)
		memcpy(to, from.at, len);
	to[len] = '\0';
}

void session_describe(const struct session *s, struct session_row *out)
{
	uint64_t now = clock_ms();

	memset(out, 0, sizeof *out);
	out->id = s->facts.session;
	out->peer = s->facts.peer;
	out->peer_port = s->facts.peer_port;
	out->age_ms = now - s->began_ms;
	out->idle_ms = now - s->waiting_ms;
	if (s->wait == WAIT_TARPIT && s->verdict.delay_ms > out->idle_ms)
		out->left_ms = s->verdict.delay_ms - out->idle_ms;
	out->state = session_state_name(s->state);
	out->wait = session_wait_name(s->wait);
	out->module = s->phase < PHASE_COUNT ? phase_name(s->phase) : "";
	out->commands = s->commands;
	out->messages = s->facts.message_count;
	out->recipients = s->facts.rcpt_count;
	out->fd = s->client.fd;
	copy(out->endpoint, sizeof out->endpoint, slice_of(s->door->name));
	copy(out->helo, sizeof out->helo, s->facts.helo);
	if (s->mail != NULL) {
		copy(out->from, sizeof out->from, s->mail->facts.from);
		if (s->mail->relay != NULL)
			copy(out->relay, sizeof out->relay, slice_of(relay_peer(s->mail->relay)));
	}
}
