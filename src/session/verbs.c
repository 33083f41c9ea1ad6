/*
 * verbs - what each command wants before it (check), and what it does (serve). A verb is a row.
 */
#include "session/inside.h"

#include <stdlib.h>

#include "base/mem.h"

enum when {
	AT_HELO = 1 << SESSION_HELO,
	AT_READY = 1 << SESSION_READY,
	AT_MAIL = 1 << SESSION_MAIL,
	AT_RCPT = 1 << SESSION_RCPT,
	AT_ANY = AT_HELO | AT_READY | AT_MAIL | AT_RCPT,
};

enum trait {
	UNPRODUCTIVE = 1 << 0, /* too many without a message are an abuse */
	NO_ARGS = 1 << 1,
	WHEN_BARRED = 1 << 2, /* also after 554 at connect */
};

struct verb {
	const char *name;
	enum verb_id id;
	unsigned when;
	unsigned traits;
	verb_serve_fn *serve;
	const char *misplaced; /* the answer where it may not stand; NULL: bad_sequence */
};

/* --- HELO, EHLO ---------------------------------------------------------------------------- */

static void helo_granted(struct session *s)
{
	char trusted[TRUSTED_OFFER_MAX];

	mail_over(s); /* RFC 5321 4.1.4: EHLO is a RSET too */
	session_enter(s, SESSION_READY);
	if (!s->extended) {
		session_reply(s, 250, "%s", s->settings->banner_hostname);
		return;
	}
	session_reply(
		s, 250, "%s\nPIPELINING\nSIZE %llu\n%s8BITMIME\nENHANCEDSTATUSCODES\nSMTPUTF8%s",
		s->settings->banner_hostname, (unsigned long long)s->settings->max_message_size,
		s->settings->tls != NULL && s->facts.tls == NULL ? "STARTTLS\n" : "",
		trusted_offer(s, trusted));
}

void session_set_helo(struct session *s, struct slice line, struct slice name)
{
	free(s->helo_line);
	s->helo_line = mem_strndup(line.at, line.len);
	s->facts.helo_line = (struct slice){ s->helo_line, line.len };
	s->facts.helo = (struct slice){ s->helo_line + (name.at - line.at), name.len };
	mail_describe_client(s); /* it goes on if this greeting is refused (RFC 5321 4.1.4) */
}

static void greet(struct session *s, struct slice line, struct slice args, bool extended)
{
	struct slice name;
	syntax_fault fault = syntax_helo(args, &name);

	if (fault != NULL) {
		session_fault(s, fault);
		return;
	}
	session_set_helo(s, line, name);
	s->extended = extended;
	session_ask(s, PHASE_EHLO, helo_granted);
}

static void helo(struct session *s, struct slice line, struct slice args)
{
	greet(s, line, args, false);
}

static void ehlo(struct session *s, struct slice line, struct slice args)
{
	greet(s, line, args, true);
}

static void starttls(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	if (s->settings->tls == NULL)
		session_error(s, 502, "5.5.1 Error: command not implemented");
	else if (s->facts.tls != NULL)
		session_error(s, 503, "5.5.1 Error: TLS is on already");
	else
		secure_on_request(s);
}

/* --- the transaction ----------------------------------------------------------------------- */

static void mail(struct session *s, struct slice line, struct slice args)
{
	const struct settings *set = s->settings;
	struct mail_command mail;
	syntax_fault fault;

	if (s->state == SESSION_HELO && set->require_ehlo) {
		session_error(s, 503, "5.5.1 Error: send HELO/EHLO first");
		return;
	}
	if (set->max_receptions != 0 && s->facts.message_count >= set->max_receptions) {
		session_refuse(s, PHASE_MAILFROM, 421,
			       "4.7.0 Error: too many messages on this connection");
		return;
	}
	if (set->require_verified && (s->facts.tls == NULL || !s->facts.tls->verified)) {
		session_refuse(s, PHASE_MAILFROM, 530,
			       "5.7.0 Error: a verified client certificate is required");
		return;
	}
	fault = syntax_mail(args, &mail);
	if (fault != NULL) {
		session_fault(s, fault);
		return;
	}
	s->transactions++;
	mail_begin(s, &mail, line);
	if (set->max_message_size != 0 && mail.params.has_size &&
	    mail.params.size > set->max_message_size)
		session_refuse(s, PHASE_MAILFROM, 552, "5.3.4 message size limit exceeded");
	else
		session_ask(s, PHASE_MAILFROM, mail_proceed);
}

static void rcpt(struct session *s, struct slice line, struct slice args)
{
	const struct settings *set = s->settings;
	uint32_t of_message = s->mail->facts.rcpt_count, of_connection = s->facts.rcpt_count;

	(void)args;
	if ((set->max_rcpts_message != 0 && of_message >= set->max_rcpts_message) ||
	    (set->max_rcpts_connection != 0 && of_connection >= set->max_rcpts_connection)) {
		session_refuse(s, PHASE_RCPTTO, 452, "4.5.3 Error: too many recipients"); /* T13 */
		return;
	}
	if (mail_set_rcpt(s, line))
		session_ask(s, PHASE_RCPTTO, rcpt_proceed);
}

static void data(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	if (s->state == SESSION_MAIL)
		session_error(s, 554, "5.5.1 Error: no valid recipients");
	else
		body_begin(s);
}

static void rset(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	mail_over(s);
	if (s->state != SESSION_HELO)
		session_enter(s, SESSION_READY);
	session_reply(s, 250, "2.0.0 Ok");
}

/* --- the rest ------------------------------------------------------------------------------ */

static void noop(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_reply(s, 250, "2.0.0 Ok");
}

static void vrfy(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_reply(s, 252, "2.0.0 Cannot verify; send some mail and see");
}

static void help(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_reply(s, 214, "2.0.0 See RFC 5321");
}

static void not_here(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_error(s, 502, "5.5.1 Error: command not implemented");
}

static void quit(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_reply(s, 221, "2.0.0 Bye");
	session_goodbye(s, END_QUIT);
}

/* Another protocol's word: somebody's browser was sent here. */
static void forbidden(struct session *s, struct slice line, struct slice args)
{
	(void)line, (void)args;
	session_reply(s, 221, "2.7.0 Error: this is a mail server");
	session_goodbye(s, END_ERRORS);
}

static const char bad_sequence[] = "5.5.1 Error: bad sequence of commands";

static const struct verb verbs[] = {
	{ "HELO", VERB_HELO, AT_ANY, UNPRODUCTIVE, helo, NULL },
	{ "EHLO", VERB_EHLO, AT_ANY, UNPRODUCTIVE, ehlo, NULL },
	{ "STARTTLS", VERB_STARTTLS, AT_HELO | AT_READY, NO_ARGS | UNPRODUCTIVE, starttls, NULL },
	{ "MAIL", VERB_MAIL, AT_HELO | AT_READY, UNPRODUCTIVE /* until it brings a message */, mail,
	  "5.5.1 Error: nested MAIL command" },
	{ "RCPT", VERB_RCPT, AT_MAIL | AT_RCPT, 0, rcpt, "5.5.1 Error: need MAIL command" },
	{ "DATA", VERB_DATA, AT_MAIL | AT_RCPT, NO_ARGS, data, "5.5.1 Error: need MAIL command" },
	{ "RSET", VERB_RSET, AT_ANY, NO_ARGS | UNPRODUCTIVE, rset, NULL },
	{ "NOOP", VERB_NOOP, AT_ANY, UNPRODUCTIVE, noop, NULL },
	{ "VRFY", VERB_VRFY, AT_ANY, UNPRODUCTIVE, vrfy, NULL },
	{ "HELP", VERB_OTHER, AT_ANY, UNPRODUCTIVE, help, NULL },
	{ "QUIT", VERB_QUIT, AT_ANY, NO_ARGS | WHEN_BARRED, quit, NULL },
	{ "EXPN", VERB_OTHER, AT_ANY, UNPRODUCTIVE, not_here, NULL },
	{ "ETRN", VERB_OTHER, AT_ANY, UNPRODUCTIVE, not_here, NULL },
	{ "AUTH", VERB_OTHER, AT_ANY, UNPRODUCTIVE, not_here, NULL },
	{ "XCLIENT", VERB_XCLIENT, AT_HELO | AT_READY, 0, trusted_xclient,
	  "5.5.1 Error: MAIL transaction in progress" },
	{ "XREMOTEIP", VERB_OTHER, AT_ANY, 0, trusted_xremoteip, NULL },
	{ "XSETCONTEXT", VERB_OTHER, AT_ANY, 0, trusted_xsetcontext, NULL },
	{ "XDUMPCONTEXT", VERB_OTHER, AT_ANY, NO_ARGS, trusted_xdumpcontext, NULL },
	{ "GET", VERB_OTHER, AT_ANY, 0, forbidden, NULL },
	{ "POST", VERB_OTHER, AT_ANY, 0, forbidden, NULL },
	{ "CONNECT", VERB_OTHER, AT_ANY, 0, forbidden, NULL },
};

static const struct verb *verb_find(struct slice name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (slice_equal_nocase(name, slice_of(verbs[i].name)))
			return &verbs[i];
	}
	return NULL;
}

static bool too_unproductive(struct session *s)
{
	const struct settings *set = s->settings;

	if (set->max_unproductive == 0 || ++s->unproductive <= set->max_unproductive)
		return false;
	session_send_away(s, "commands without a message");
	return true;
}

void verb_serve(struct session *s, struct slice line)
{
	struct command c = command_split(line);
	const struct verb *v = verb_find(c.verb);

	s->commands++;
	s->verb = v != NULL ? v->id : VERB_OTHER;
	s->tally[s->verb].all++;
	stat_add(&s->worker->stats.commands, 1);

	if (s->barred && (v == NULL || !(v->traits & WHEN_BARRED))) {
		session_error(s, 503, "5.5.1 Error: no service for you, send QUIT");
	} else if (v == NULL) {
		s->facts.unknown_commands++;
		session_error(s, 500, "5.5.2 Error: command not recognized");
	} else if (!(v->when & 1u << s->state)) {
		s->facts.bad_commands++;
		session_error(s, 503, v->misplaced != NULL ? v->misplaced : bad_sequence);
	} else if ((v->traits & NO_ARGS) && c.args.len > 0) {
		s->facts.bad_commands++;
		session_error(s, 501, "5.5.4 Error: this command takes no arguments");
	} else if (!(v->traits & UNPRODUCTIVE) || !too_unproductive(s)) {
		v->serve(s, line, c.args);
	}
}
