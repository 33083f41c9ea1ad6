#include "session/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "smtp/smtp.h"

enum { COMMANDS_A_TURN = 16 }; /* then the others' turn comes */

static const char *const state_names[] = {
	[SESSION_GREET] = "greet", [SESSION_HELO] = "helo", [SESSION_READY] = "ready",
	[SESSION_MAIL] = "mail",   [SESSION_RCPT] = "rcpt", [SESSION_DATA] = "data",
	[SESSION_CLOSE] = "close",
};

void session_enter(struct session *s, enum session_state state)
{
	s->state = state;
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
		session_error(s, 500,
			      "5.5.2 Error: bare <CR> or <LF> received, lines end with <CR><LF>");
}

static void read_commands(struct session *s)
{
	for (int served = 0; s->wait == WAIT_NONE && !s->ended && s->state != SESSION_DATA;
	     served++) {
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
	session_settle(s);
}

static void hear(void *owner, enum stream_news news)
{
	struct session *s = owner;

	switch (news) {
	case STREAM_INPUT:
		if (s->wait == WAIT_NONE)
			session_step(s);
		else if (s->wait == WAIT_PROXY)
			proxy_read(s);
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
		if (s->wait == WAIT_TLS)
			secure_failed(s, END_TLS, stream_error(&s->client));
		else
			session_end(s, END_HANGUP);
		return;
	case STREAM_SECURED:
		secure_done(s);
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
	if (s->tarpit_ms > 0) /* which tempts, too; otherwise nobody had time since the last look */
		look_for_early_talk(s);
	greet(s);
}

static void banner_due(struct session *s)
{
	look_for_early_talk(s);
	if (stream_is_broken(&s->client))
		session_end(s, END_HANGUP); /* a storm of resets costs no policy and no banner */
	else
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

static void ask_accept(struct session *s)
{
	session_ask(s, PHASE_ACCEPT, accept_granted);
}

void session_greet(struct session *s)
{
	session_enter(s, SESSION_GREET);
	session_ask(s, PHASE_CONNECT, greet);
}

void session_arrive(struct session *s, const struct addr *peer, uint16_t peer_port)
{
	if (!session_identify(s, peer, peer_port, NULL))
		return;
	if (s->settings->wrapped)
		session_secure(s, ask_accept);
	else
		ask_accept(s);
}

static void facts_begin(struct session *s, const struct addr *peer, uint16_t peer_port)
{
	struct facts *f = &s->facts;

	f->session = s->worker->next_session += WORKERS_MAX;
	f->endpoint = s->door->endpoint;
	f->worker = (uint16_t)s->worker->index;
	f->peer = *peer;
	f->peer_port = peer_port;
	f->local = s->door->where.addr;
	f->local_port = s->door->where.port;
}

void session_begin(struct worker *w, struct rules *rules, const struct door *door, int fd,
		   const struct addr *peer, uint16_t peer_port)
{
	struct session *s = mem_new(sizeof *s);

	s->worker = w;
	s->rules = rules_ref(rules);
	s->door = door;
	s->settings = &door->plain; /* until it is known who comes */
	s->began_ms = s->heard_ms = s->waiting_ms = clock_ms();
	facts_begin(s, peer, peer_port);
	stream_open(&s->client, w->loop, fd, hear, s);
	timer_init(&s->timer, w->loop, session_timer_fired, s);
	LIST_INSERT_HEAD(&w->sessions, s, next);
	w->session_count++;
	stat_add(&w->stats.connections, 1);

	session_be_patient(s);
	if (door->proxied)
		proxy_await(s);
	else
		session_arrive(s, peer, peer_port);
	session_settle(s);
}

/* --- for people ---------------------------------------------------------------------------- */

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

const struct audit_ticket *session_ticket(const struct session *s)
{
	return &s->ticket;
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
	out->state = state_names[s->state];
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
