/*
 * mail - a transaction: MAIL and RCPT, passed on to the next hop as they come (T3).
 */
#include "session/inside.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

/* Slices of one copy of the line moved to another. */
static struct slice rebase(struct slice part, const char *from, const char *to)
{
	return part.at == NULL ? part : (struct slice){ to + (part.at - from), part.len };
}

static void path_rebase(struct path *p, const char *from, const char *to)
{
	p->address = rebase(p->address, from, to);
	p->local = rebase(p->local, from, to);
	p->domain = rebase(p->domain, from, to);
}

void mail_begin(struct session *s, const struct mail_command *mail, struct slice line)
{
	struct transaction *t = mem_new(sizeof *t);

	t->mail_line = mem_strndup(line.at, line.len);
	t->mail = *mail;
	path_rebase(&t->mail.from, line.at, t->mail_line);
	t->facts.from = t->mail.from.address;
	t->facts.mail_line = (struct slice){ t->mail_line, line.len };
	t->began_ms = clock_ms();
	s->mail = t;
	s->facts.mail = &t->facts;
}

void mail_over(struct session *s)
{
	struct transaction *t = s->mail;

	if (t == NULL)
		return;
	relay_free(t->relay);
	reply_free(&t->reply);
	if (t->message != NULL) {
		message_orphan(t->message);
		message_unref(t->message);
	}
	ctx_clear(&t->facts.mess);
	free(t->mail_line);
	free(t->rcpt_line);
	free(t->first_rcpt);
	free(t);
	s->mail = NULL;
	s->facts.mail = NULL;
}

/* --- the next hop -------------------------------------------------------------------------- */

static void relay_has_said(void *owner)
{
	session_wake(owner);
}

/* Here now, or when the relay has said it: then `next`. */
static void await(struct session *s, enum relay_step step, void (*next)(struct session *))
{
	if (step == RELAY_WAIT)
		session_park(s, WAIT_RELAY, next);
	else
		next(s);
}

static bool accepted(const struct reply *r)
{
	return r->code >= 200 && r->code < 300;
}

/* The transaction may not outlive its refusal. */
void mail_refuse_as_told(struct session *s, enum phase phase)
{
	struct reply told = reply_take(&s->mail->reply);

	session_refuse(s, phase, told.code, told.text != NULL ? told.text : "");
	reply_free(&told);
}

static void relay_drop(struct transaction *t)
{
	relay_free(t->relay);
	t->relay = NULL;
	t->route = NULL;
	t->relay_has_mail = false;
}

/* Who listens on every address learns only here which one it was. */
static void find_local(const struct session *s, struct relay_client *c)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	if (c->local.family != ADDR_NONE && c->local.hi == 0 && c->local.lo == 0 &&
	    getsockname(s->client.fd, (struct sockaddr *)&sa, &len) == 0)
		addr_from_sockaddr((struct sockaddr *)&sa, &c->local, &c->local_port);
}

void mail_describe_client(struct session *s)
{
	const struct facts *f = &s->facts;

	if (s->mail == NULL)
		return;
	s->mail->client = (struct relay_client){
		.peer = f->peer, .peer_port = f->peer_port,
		.local = f->local, .local_port = f->local_port,
		.name = slice_of(s->client_name != NULL ? s->client_name : ""),
		.helo = f->helo, .login = f->auth_user, .extended = s->extended,
	};
	find_local(s, &s->mail->client);
}

static void dial(struct session *s, const struct route *route)
{
	struct transaction *t = s->mail;

	t->route = route;
	mail_describe_client(s);
	t->relay = relay_new(&s->worker->relay, route, &t->client, s->facts.session, &t->reply,
			     relay_has_said, s);
}

/* --- MAIL ---------------------------------------------------------------------------------- */

static void mail_accept(struct session *s, const char *text)
{
	session_enter(s, SESSION_MAIL);
	session_reply_text(s, 250, text);
}

static void mail_answered(struct session *s)
{
	struct transaction *t = s->mail;

	if (!accepted(&t->reply)) {
		mail_refuse_as_told(s, PHASE_MAILFROM);
		return;
	}
	t->relay_has_mail = true;
	mail_accept(s, t->reply.text != NULL ? t->reply.text : "2.1.0 Ok");
}

void mail_proceed(struct session *s)
{
	const struct route_table *routes = s->settings->routes;
	const struct route *only;

	if (route_by_domain(routes)) { /* the recipient decides */
		mail_accept(s, "2.1.0 Ok");
		return;
	}
	only = route_for(routes, (struct slice){ "", 0 });
	if (only == NULL) {
		session_refuse(s, PHASE_MAILFROM, 451, "4.3.5 Error: no next hop is configured");
		return;
	}
	dial(s, only);
	await(s, relay_mail(s->mail->relay, &s->mail->mail), mail_answered);
}

/* --- RCPT ---------------------------------------------------------------------------------- */

bool mail_set_rcpt(struct session *s, struct slice line)
{
	struct transaction *t = s->mail;
	syntax_fault fault;

	free(t->rcpt_line);
	t->rcpt_line = mem_strndup(line.at, line.len);
	t->facts.rcpt = t->facts.rcpt_line = (struct slice){ 0 };
	fault = syntax_rcpt(command_split((struct slice){ t->rcpt_line, line.len }).args, &t->rcpt);
	if (fault != NULL) {
		session_fault(s, fault);
		return false;
	}
	if (t->rcpt.is_utf8 && !t->mail.params.smtputf8) {
		session_error(s, 553, "5.6.7 Error: this address needs SMTPUTF8 at MAIL");
		return false;
	}
	t->facts.rcpt = t->rcpt.address;
	t->facts.rcpt_line = (struct slice){ t->rcpt_line, line.len };
	return true;
}

/* A policy may have said so with the context key (2.5). <postmaster> without a domain is ours. */
static bool may_send_to(struct session *s, const struct path *to)
{
	char room[FACTS_ROOM];
	struct slice can_relay;

	if (s->facts.can_relay || to->domain.len == 0)
		return true;
	if (domain_list_has(&s->settings->relay_domains, to->domain))
		return true;
	return facts_get(&s->facts, CTX_CONN, SLICE("can_relay"), room, &can_relay) &&
	       slice_equal_nocase(can_relay, SLICE("true"));
}

static void rcpt_answered(struct session *s)
{
	struct transaction *t = s->mail;

	if (!accepted(&t->reply)) {
		mail_refuse_as_told(s, PHASE_RCPTTO);
		return;
	}
	t->facts.rcpt_count++;
	s->facts.rcpt_count++;
	stat_add(&s->worker->stats.recipients, 1);
	if (t->first_rcpt == NULL)
		t->first_rcpt = mem_strndup(t->rcpt.address.at, t->rcpt.address.len);
	session_enter(s, SESSION_RCPT);
	session_reply_text(s, t->reply.code, t->reply.text != NULL ? t->reply.text : "2.1.5 Ok");
}

static void rcpt_pass_on(struct session *s)
{
	await(s, relay_rcpt(s->mail->relay, &s->mail->rcpt), rcpt_answered);
}

/* MAIL was answered before the next hop was known; what it says to it is said to this recipient. */
static void late_mail_answered(struct session *s)
{
	struct transaction *t = s->mail;

	if (accepted(&t->reply)) {
		t->relay_has_mail = true;
		rcpt_pass_on(s);
		return;
	}
	relay_drop(t); /* another recipient may have another next hop */
	mail_refuse_as_told(s, PHASE_RCPTTO);
}

void rcpt_proceed(struct session *s)
{
	struct transaction *t = s->mail;
	const struct route *route;

	if (!may_send_to(s, &t->rcpt)) {
		session_refuse(s, PHASE_RCPTTO, 554, "5.7.1 Relay access denied");
		return;
	}
	route = route_for(s->settings->routes, t->rcpt.domain);
	if (route == NULL) {
		session_refuse(s, PHASE_RCPTTO, 451,
			       "4.3.5 Error: no next hop is configured for this domain");
		return;
	}
	if (t->facts.rcpt_count > 0 && t->route != NULL && t->route != route) {
		session_refuse(s, PHASE_RCPTTO, 452, /* T3 */
			       "4.5.3 Error: this recipient belongs to another transaction");
		return;
	}
	if (t->route != NULL && t->route != route)
		relay_drop(t); /* no recipient of the other next hop was accepted */
	if (t->relay == NULL)
		dial(s, route);
	if (t->relay_has_mail)
		rcpt_pass_on(s);
	else
		await(s, relay_mail(t->relay, &t->mail), late_mail_answered);
}
