/*
 * trusted - the verbs of those who may speak for other clients (XClient_Hosts): XCLIENT, XREMOTEIP,
 * XSETCONTEXT, XDUMPCONTEXT.
 *
 * The trust is the present client's. A session that has become another client's has lost it unless
 * that client has it too: behind XCLIENT there may be a pipe that lets through what the client
 * says, and a client must not choose whom it is counted as. Postfix does the same.
 */
#include "session/inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "smtp/xclient.h"

static bool is_trusted(const struct session *s)
{
	return cidr_list_has(&s->door->xclient_hosts, &s->facts.peer);
}

const char *trusted_offer(const struct session *s, char out[TRUSTED_OFFER_MAX])
{
	static const struct {
		enum extension extension;
		const char *line;
	} offers[] = {
		{ EXTENSION_XCLIENT, "\nXCLIENT " XCLIENT_ATTRIBUTES },
		{ EXTENSION_XREMOTEIP, "\nXREMOTEIP" },
		{ EXTENSION_XSETCONTEXT, "\nXSETCONTEXT" },
		{ EXTENSION_XDUMPCONTEXT, "\nXDUMPCONTEXT" },
	};
	size_t len = 0;

	out[0] = '\0';
	if (!is_trusted(s))
		return out;
	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		if (s->settings->extensions & offers[i].extension)
			len += (size_t)snprintf(out + len, TRUSTED_OFFER_MAX - len, "%s",
						offers[i].line);
	}
	return out;
}

static bool may_use(struct session *s, enum extension extension)
{
	if ((s->settings->extensions & extension) && is_trusted(s))
		return true;
	session_error(s, 550, "5.7.0 Error: insufficient authorization");
	return false;
}

/* --- XCLIENT ------------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
	return text[0] != '\0' ? mem_strdup(text) : NULL;
}

/* Nothing of the last client stays but, where nothing was said of them, the addresses. */
static void become(struct session *s, const struct xclient *x)
{
	const char *verb = x->is_esmtp ? "EHLO" : "HELO";
	char line[sizeof "EHLO " + SMTP_DOMAIN_MAX];
	struct slice helo;

	session_forget_client(s);
	s->extended = x->is_esmtp;
	s->client_name = copy_of(x->name);
	s->login = copy_of(x->login);
	s->facts.auth_user = slice_of(s->login != NULL ? s->login : "");
	if (x->helo[0] != '\0') {
		helo.at = line;
		helo.len = (size_t)snprintf(line, sizeof line, "%s %s", verb, x->helo);
		session_set_helo(s, helo, (struct slice){ line + 5, helo.len - 5 });
	}
	if (x->dest_addr.family != ADDR_NONE)
		s->facts.local = x->dest_addr;
	if (x->dest_port != 0)
		s->facts.local_port = x->dest_port;
}

void trusted_xclient(struct session *s, struct slice line, struct slice args)
{
	struct addr peer = s->facts.peer;
	struct xclient x;
	syntax_fault fault;
	uint16_t port;

	(void)line;
	if (!may_use(s, EXTENSION_XCLIENT))
		return;
	fault = xclient_parse(args, &x);
	if (fault != NULL) {
		session_fault(s, fault);
		return;
	}
	become(s, &x);
	port = x.port;
	if (x.addr.family != ADDR_NONE)
		peer = x.addr;
	else if (port == 0)
		port = s->facts.peer_port;
	if (session_identify(s, &peer, port, "XCLIENT"))
		session_greet(s);
}

/* --- XREMOTEIP ----------------------------------------------------------------------------- */

void trusted_xremoteip(struct session *s, struct slice line, struct slice args)
{
	struct addr peer;

	(void)line;
	if (!may_use(s, EXTENSION_XREMOTEIP))
		return;
	if (!xclient_addr(args, &peer)) {
		session_error(s, 501, "5.5.4 Syntax: XREMOTEIP address");
		return;
	}
	free(s->client_name);
	s->client_name = NULL;
	if (session_identify(s, &peer, 0, "XREMOTEIP"))
		session_reply(s, 250, "2.0.0 Ok");
}

/* --- the context --------------------------------------------------------------------------- */

/* All of it is looked at before any of it is done. */
static syntax_fault context_set(struct session *s, struct slice args, bool in_earnest)
{
	syntax_fault fault = NULL;
	struct slice key;
	struct buf value;

	if (args.len == 0)
		return "501 5.5.4 Syntax: XSETCONTEXT key=value...";
	buf_init(&value, SMTP_COMMAND_MAX);
	while (fault == NULL && args.len > 0) {
		fault = attribute_take(&args, &key, &value);
		if (fault == NULL && key.len > CTX_KEY_MAX)
			fault = "501 5.5.4 Error: key too long";
		if (fault == NULL && key.len > 0 && key.at[0] == '#') /* 2.5: ours */
			fault = "501 5.5.4 Error: keys that begin with # are internal";
		if (fault == NULL && in_earnest &&
		    facts_set(&s->facts, CTX_CONN, key, buf_slice(&value)) != NULL)
			fault = "452 4.3.1 Error: the context is full";
	}
	buf_free(&value);
	return fault;
}

void trusted_xsetcontext(struct session *s, struct slice line, struct slice args)
{
	syntax_fault fault;

	(void)line;
	if (!may_use(s, EXTENSION_XSETCONTEXT))
		return;
	fault = context_set(s, args, false);
	if (fault == NULL)
		fault = context_set(s, args, true);
	if (fault != NULL)
		session_fault(s, fault);
	else
		session_reply(s, 250, "2.0.0 Ok");
}

struct dump {
	struct buf text;
	unsigned lines;
};

static void dump_text(struct dump *d, struct slice text)
{
	if (text.len > SMTP_REPLY_LINE_MAX) /* where the reply cuts it anyway */
		text.len = SMTP_REPLY_LINE_MAX;
	for (size_t i = 0; i < text.len; i++)
		CHECK(buf_add(&d->text, text.at[i] == '\n' ? " " : text.at + i, 1));
}

/* A reply has only so many lines: later ones are left out. */
static void dump_one(void *arg, struct slice key, struct slice value)
{
	struct dump *d = arg;

	if (++d->lines >= REPLY_LINES_MAX)
		return;
	dump_text(d, SLICE("[connection] "));
	dump_text(d, key);
	dump_text(d, SLICE(" "));
	dump_text(d, value);
	CHECK(buf_add(&d->text, "\n", 1));
}

void trusted_xdumpcontext(struct session *s, struct slice line, struct slice args)
{
	struct dump d = { .lines = 0 };

	(void)line, (void)args;
	if (!may_use(s, EXTENSION_XDUMPCONTEXT))
		return;
	buf_init(&d.text, 0);
	facts_each(&s->facts, CTX_CONN, dump_one, &d);
	CHECK(buf_add_slice(&d.text, SLICE("XDUMPCONTEXT complete")));
	/* As documented: without an enhanced code. */
	CHECK(reply_write(stream_out(&s->client), 250, buf_text(&d.text), false));
	s->tally[s->verb].good++;
	buf_free(&d.text);
}
