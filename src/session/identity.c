/*
 * identity - who the client is, and what follows from that: its place in the counts, the settings
 * of its Peer scope and the slots of that scope's caps, and whether it may relay. The address may
 * change in the course of a session: a PROXY header comes first, XCLIENT and XREMOTEIP any time.
 */
#include "session/inside.h"

#include <stdlib.h>

/* The first cap without room; NULL when a slot of each of the first `count` is ours (D76). */
static const struct cap *take_caps(struct session *s, unsigned count)
{
	for (; s->caps_taken < count; s->caps_taken++) {
		const struct cap *cap = &s->settings->caps[s->caps_taken];

		if (!budget_take(cap->budget, cap->limit))
			return cap;
	}
	return NULL;
}

static void give_caps(struct session *s, unsigned keep)
{
	while (s->caps_taken > keep)
		budget_give(s->settings->caps[--s->caps_taken].budget);
}

void session_give_caps(struct session *s)
{
	give_caps(s, 0);
}

/* A refused session uses no slot, not even of the caps that had room (D76). */
static bool take_or_refuse(struct session *s, unsigned count)
{
	const struct cap *full = take_caps(s, count);

	if (full == NULL)
		return true;
	give_caps(s, 0);
	session_log_capped(s, full);
	stat_add(&s->worker->stats.capped, 1);
	session_refuse(s, PHASE_ACCEPT, 421,
		       "4.4.5 Service unavailable, concurrency limit reached.");
	return false;
}

bool session_take_outer_caps(struct session *s)
{
	return take_or_refuse(s, s->settings->outer_caps);
}

/* A certificate is of whoever made the connection: secure_done() may add a right, another client
 * does not inherit it. */
static bool may_relay(const struct session *s)
{
	const struct settings *set = s->settings;

	return set->open_relay || cidr_list_has(&set->relay_hosts, &s->facts.peer);
}

void session_record(struct session *s, enum series_event event)
{
	if (s->ticket.endpoint != NULL)
		series_event(s->worker->series, event, &s->ticket.peer);
}

bool session_identify(struct session *s, const struct addr *peer, uint16_t peer_port,
		      const char *by)
{
	struct addr was = s->facts.peer;
	struct facts *f = &s->facts;

	give_caps(s, s->settings->outer_caps); /* those of the Peer that it was */
	s->settings = door_settings(s->door, peer);
	f->peer = *peer;
	f->peer_port = peer_port;
	f->preset = &s->settings->context;
	f->can_relay = may_relay(s);
	mail_describe_client(s);
	if (s->ticket.endpoint == NULL) {
		audit_enter(s->door->endpoint, peer, &s->ticket); /* before any policy (D37) */
		session_record(s, EVENT_CONNECTION);
		session_log_connect(s, &was);
	} else {
		audit_move(&s->ticket, peer);
		session_log_moved(s, &was, by);
	}
	return take_or_refuse(s, s->settings->cap_count);
}

void session_forget_client(struct session *s)
{
	struct facts *f = &s->facts;

	policy_session_over(s->rules->policy, f);
	ctx_clear(&f->conn);
	free(s->helo_line);
	free(s->client_name);
	free(s->login);
	s->helo_line = s->client_name = s->login = NULL;
	f->helo = f->helo_line = f->auth_user = (struct slice){ 0 };
	f->early_talker = false;
	s->extended = false;
}
