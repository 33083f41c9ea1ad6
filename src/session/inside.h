/*
 * inside - the session's own struct and the calls between its files. Nobody outside session/
 * includes it.
 *
 *   session.c   birth, reading
 *   proxy.c     the PROXY header before all else
 *   identity.c  who the client is, and what follows from that: counts, caps, settings
 *   wait.c      parking and waking, timeouts
 *   tarpit.c    who is held back, and how many may be
 *   leave.c     goodbye and death
 *   secure.c    into TLS
 *   verbs.c     the verb table: what each command checks and does
 *   trusted.c   the verbs for those who may speak for others: XCLIENT and its kin
 *   judge.c     asking policy, tarpits, refusals
 *   mail.c      the transaction: MAIL, RCPT, and what the next hop says to them
 *   body.c      the message: reading, judging, handing on
 *   say.c       replies and log lines
 */
#ifndef SESSION_INSIDE_H
#define SESSION_INSIDE_H

#include "net/stream.h"
#include "series/series.h"
#include "session/session.h"
#include "smtp/data.h"
#include "smtp/reply.h"

/* The verbs that are tallied for the summary line, in its order. */
enum verb_id {
	VERB_HELO,
	VERB_EHLO,
	VERB_STARTTLS,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_RSET,
	VERB_NOOP,
	VERB_VRFY,
	VERB_QUIT,
	VERB_XCLIENT,
	VERB_OTHER,
	VERB_COUNT
};

struct verb_tally {
	uint16_t good;
	uint16_t all;
};

/* Why a session ended, for the log. */
enum ending {
	END_QUIT,
	END_HANGUP,
	END_TIMEOUT,
	END_REFUSED,
	END_ERRORS,
	END_DRAIN,
	END_KICK,
	END_CROWDED,
	END_TLS
};

/* From MAIL to its end: delivered, refused, reset, or gone. */
struct transaction {
	struct facts_mail facts;
	struct mail_command mail; /* slices of mail_line */
	char *mail_line;	  /* "MAIL FROM:<a@b> ..." */
	char *rcpt_line;	  /* the latest "RCPT TO:<c@d>" */
	struct path rcpt;	  /* slices of rcpt_line */
	char *first_rcpt;	  /* for Received: and for the log */
	uint64_t began_ms;
	const struct route *route; /* NULL: not known yet */
	struct relay *relay;	   /* NULL: not dialled yet */
	struct relay_client client; /* what it may tell of us; slices of facts */
	bool relay_has_mail;	   /* it has accepted MAIL */
	struct reply reply;	   /* what the relay says */
	struct message *message;   /* NULL before DATA */
	struct data_reader reader;
	bool too_big;
	bool broken;		   /* it could not be kept */
};

struct session {
	LIST_ENTRY(session) next;
	TAILQ_ENTRY(session) held;	 /* WAIT_TARPIT */
	struct burial burial;
	struct worker *worker;
	struct rules *rules;		 /* a reference */
	const struct door *door;	 /* of rules */
	const struct settings *settings; /* of rules */
	struct stream client;
	struct timer timer;
	struct audit_ticket ticket;
	struct facts facts;
	uint64_t began_ms;
	uint64_t heard_ms;		 /* something came */
	uint64_t waiting_ms;		 /* this wait began, or the last command came */
	uint64_t tarpit_ms;		 /* of all its tarpits, for the summary */
	uint8_t state;			 /* enum session_state */
	uint8_t wait;			 /* enum session_wait */
	uint8_t caps_taken;		 /* the first so many of settings->caps */
	uint8_t phase;			 /* enum phase last asked */
	uint8_t verb;			 /* enum verb_id now served */
	uint8_t ending;			 /* WAIT_GOODBYE: enum ending */
	bool extended;			 /* greeted with EHLO */
	bool barred;			 /* 554 at connect: 503 to all but QUIT */
	bool close_next;		 /* the next reply is the last one */
	bool leaving;			 /* draining: no further transaction */
	bool ended;
	uint32_t commands;
	uint32_t errors;
	uint32_t unproductive;		 /* since the last message */
	uint32_t transactions;
	void (*after)(struct session *s);   /* what the present wait is followed by */
	void (*granted)(struct session *s); /* what policy is asked for */
	struct policy_run *run;		 /* WAIT_POLICY */
	struct verdict verdict;
	struct transaction *mail;	 /* NULL: none */
	char *helo_line;		 /* "EHLO name" */
	char *client_name;		 /* XCLIENT's word for it; NULL: none, as of the next */
	char *login;
	struct verb_tally tally[VERB_COUNT];
};

/* session.c */
/* The only place that changes the state. */
void session_enter(struct session *s, enum session_state state);
/* It is known who comes: counted, if there is room, and asked about. */
void session_arrive(struct session *s, const struct addr *peer, uint16_t peer_port);
/* The connect phase and the banner, once more for a new client. */
void session_greet(struct session *s);

/* proxy.c */
void proxy_await(struct session *s);
void proxy_read(struct session *s);

/* identity.c */
/*
 * From now on the client is this one: it is in the counts (D37) or moves in them (D49), and the
 * settings, the caps (D76) and the right to relay are its own. by: what said so, NULL: its
 * connection. False: a cap is full, and 421 has been said.
 */
bool session_identify(struct session *s, const struct addr *peer, uint16_t peer_port,
		      const char *by);
/* Before that: a slot of each cap that is of no Peer. */
bool session_take_outer_caps(struct session *s);
void session_give_caps(struct session *s);
/* All that the last client said is forgotten. */
void session_forget_client(struct session *s);
/* One more in the series of its client, if it is known who that is (D37 to D39, D49). */
void session_record(struct session *s, enum series_event event);

/* wait.c */
/* Read no more until the wait is over; then `after`. */
void session_park(struct session *s, enum session_wait wait, void (*after)(struct session *s));
void session_unpark(struct session *s); /* the wait is given up; `after` will not run */
void session_wake(struct session *s);
void session_wake_in(struct session *s, uint64_t ms);
/* Last thing in whatever the loop called: sends what was answered, reads on or leaves. */
void session_settle(struct session *s);
void session_be_patient(struct session *s); /* the timer watches the client's silence */
void session_timer_fired(void *owner);

/* leave.c */
void session_end(struct session *s, enum ending how); /* twice is harmless */
/* The last answer has been written: close when it has left. */
void session_goodbye(struct session *s, enum ending how);
/* Whatever it waits for is given up; the client is told 421 and let go. */
void session_dismiss(struct session *s, enum ending how, const char *text);

/* tarpit.c */
void tarpit_enter(struct session *s);
void tarpit_leave(struct session *s);

/* secure.c */
/* The handshake, waited for; then `after`. */
void session_secure(struct session *s, void (*after)(struct session *s));
void secure_on_request(struct session *s); /* STARTTLS */
void secure_done(struct session *s);
void secure_failed(struct session *s, enum ending how, const char *why);

/* verbs.c */
void verb_serve(struct session *s, struct slice line);
/* name lies in line. */
void session_set_helo(struct session *s, struct slice line, struct slice name);

/* trusted.c */
typedef void verb_serve_fn(struct session *s, struct slice line, struct slice args);
verb_serve_fn trusted_xclient, trusted_xremoteip, trusted_xsetcontext, trusted_xdumpcontext;
enum { TRUSTED_OFFER_MAX = 160 };
/* Lines of the EHLO reply, each after a '\n'. */
const char *trusted_offer(const struct session *s, char out[TRUSTED_OFFER_MAX]);

/* judge.c */
/* Ask policy about the phase; `granted` runs when nothing is against it. */
void session_ask(struct session *s, enum phase phase, void (*granted)(struct session *s));
/* A refusal by policy or by ourselves: the reply, its log line, its count (D38), and what it
 * undoes. */
void session_refuse(struct session *s, enum phase phase, unsigned code, const char *text);
/* The log line and the count alone: once a reply of 4xx or 5xx to the connection, HELO, EHLO, MAIL,
 * RCPT, DATA or the end of the message, but for ours about syntax and order. */
void session_note_refusal(struct session *s, enum phase phase, unsigned code, const char *text);
/* The command is wrong, which counts against Max_Errors. */
void session_error(struct session *s, unsigned code, const char *text);
void session_fault(struct session *s, syntax_fault fault);
/* 421 and the end: there were too many of these. */
void session_send_away(struct session *s, const char *too_many_what);
const char *session_phase_verb(enum phase phase); /* "RCPT", for the log */

/* mail.c */
void mail_begin(struct session *s, const struct mail_command *mail, struct slice line);
void mail_proceed(struct session *s);
bool mail_set_rcpt(struct session *s, struct slice line); /* false: it has answered */
void rcpt_proceed(struct session *s);
/* The client's name, greeting or address is another: the transaction, if there is one, must not go
 * on with the old. */
void mail_describe_client(struct session *s);
/* The next hop's refusal is a rejection of ours (D38), in its words. */
void mail_refuse_as_told(struct session *s, enum phase phase);
void mail_over(struct session *s); /* frees the transaction; NULL is harmless */

/* body.c */
void body_begin(struct session *s);
void body_read(struct session *s);

/* say.c */
void session_reply(struct session *s, unsigned code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void session_reply_text(struct session *s, unsigned code, const char *text); /* lines by '\n' */
void session_banner(struct session *s);
void session_log_connect(struct session *s, const struct addr *via);
void session_log_moved(struct session *s, const struct addr *from, const char *by);
void session_log_unproxied(struct session *s, const char *why); /* counted, too */
void session_log_capped(struct session *s, const struct cap *full);
void session_log_refusal(struct session *s, enum phase phase, unsigned code, const char *text);
void session_log_tls(struct session *s);
void session_log_tls_failure(struct session *s, const char *why);
void session_log_injection(struct session *s, unsigned code, const char *text);
void session_log_delivery(struct session *s, const struct reply *reply);
void session_log_end(struct session *s, enum ending how);

#endif
