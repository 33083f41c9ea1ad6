/*
 * session - one client's life, from accept to close.
 *
 * Two questions describe it: where in the conversation it is (state, checked by the verb table),
 * and what it waits for (wait; at most one thing). The session owns its stream, its ticket, its
 * cap slots, its facts, the policy run and the relay that it waits for, and the message it holds;
 * one destructor gives all of them back, whatever ended it.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdint.h>

#include "base/addr.h"
#include "session/rules.h"
#include "session/worker.h"

struct session;

enum session_state {
	SESSION_GREET, /* no banner yet */
	SESSION_HELO,  /* banner sent, no HELO or EHLO yet */
	SESSION_READY, /* greeted, no transaction */
	SESSION_MAIL,  /* MAIL accepted */
	SESSION_RCPT,  /* at least one recipient accepted */
	SESSION_DATA,  /* reading the message, or judging it */
	SESSION_CLOSE, /* the last answer was given */
};

enum session_wait {
	WAIT_NONE,
	WAIT_PROXY,  /* the PROXY header: nothing else is read before it */
	WAIT_TLS,    /* the handshake */
	WAIT_BANNER, /* Banner_Delay */
	WAIT_POLICY,
	WAIT_TARPIT,
	WAIT_RELAY,
	WAIT_DISK,    /* the message is being written away */
	WAIT_OUTPUT,  /* the client does not read our answers */
	WAIT_GOODBYE, /* the last answer is leaving */
};

/* An accepted connection. Takes fd; counts it, then begins (D37): behind a balancer
 * (Proxy_Protocol) when the PROXY header is there. Takes its own reference to rules. */
void session_begin(struct worker *w, struct rules *rules, const struct door *door, int fd,
		   const struct addr *peer, uint16_t peer_port);

/* 421 4.3.2 and the end, at the next moment that the conversation allows; now ends it mid-way. */
void session_drain(struct session *s, bool now);
/* The console's: 421 4.7.0 and the end, now. */
void session_kick(struct session *s);

struct session *session_next(const struct session *s); /* of its worker's list; NULL: the last */
uint64_t session_id(const struct session *s);
const struct addr *session_peer(const struct session *s);
const struct audit_ticket *session_ticket(const struct session *s);

/* A copy for people. */
struct session_row {
	uint64_t id;
	struct addr peer;
	uint16_t peer_port;
	uint64_t age_ms;
	uint64_t idle_ms;	/* in this wait, or since the last command */
	uint64_t left_ms;	/* of a tarpit; 0 otherwise */
	const char *state;	/* "greet", "helo", "ready", "mail", "rcpt", "data", "close" */
	const char *wait;	/* "none", "tarpit", ... */
	const char *module;	/* the last policy phase that acted, "" none */
	uint32_t commands;
	uint32_t messages;
	uint32_t recipients;
	int fd;
	char endpoint[64];	/* "127.0.0.1:2525" */
	char helo[64];
	char from[128];
	char relay[96];
};
void session_describe(const struct session *s, struct session_row *out);

const char *session_wait_name(enum session_wait wait);

#endif
