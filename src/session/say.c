/*
 * say - what a session tells its client, and what it tells the log. The log's words are Postfix's
 * where Postfix has them: filters and habits rest on `from NAME[ADDR]`.
 */
#include "session/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "smtp/smtp.h"

/* --- to the client ------------------------------------------------------------------------- */

/* Greetings carry no enhanced code, and 354 has none (RFC 2034 4). */
static bool wants_enhanced(const struct session *s, unsigned code)
{
	return s->extended && s->verb != VERB_EHLO && s->verb != VERB_HELO &&
	       s->verb != VERB_XCLIENT && code != 354;
}

void session_reply_text(struct session *s, unsigned code, const char *text)
{
	if (s->ended || s->state == SESSION_CLOSE)
		return;
	if (code < 400 && code != 354) /* which is only half of an answer */
		s->tally[s->verb].good++;
	/* In the clear a wrapped client hears nothing; who moved to a block of such ones has been
	 * heard. */
	if (!s->settings->wrapped || s->facts.tls != NULL || s->commands > 0)
		CHECK(reply_write(stream_out(&s->client), code, text, wants_enhanced(s, code)));
	if (s->close_next && code != 354)
		session_goodbye(s, END_REFUSED);
}

void session_reply(struct session *s, unsigned code, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	session_reply_text(s, code, text);
}

void session_banner(struct session *s)
{
	const char *fixed = s->settings->static_banner;

	if (fixed != NULL)
		session_reply_text(s, 220, fixed + 4);
	else
		session_reply(s, 220, "%s ESMTP Tidewaiter", s->settings->banner_hostname);
	if (s->commands == 0)
		s->tally[VERB_HELO].good = 0; /* it was no answer to one */
}

/* --- to the log ---------------------------------------------------------------------------- */

/* As in Postfix's log: "name[address]". */
struct who {
	char addr[ADDR_TEXT_MAX];
	char text[SMTP_DOMAIN_MAX + ADDR_TEXT_MAX + 3];
};

static const char *client(const struct session *s, struct who *who)
{
	const char *name = s->client_name != NULL ? s->client_name : "unknown";

	addr_print(&s->facts.peer, who->addr);
	snprintf(who->text, sizeof who->text, "%s[%s]", name, who->addr);
	return who->addr;
}

/* Every line's first members. */
#define OF_CLIENT(s, who)                                                                  \
	LOG_STR("client", client(s, who)), LOG_STR("listener", (s)->door->name),           \
		LOG_STR("service", "SMTP")

void session_log_connect(struct session *s, const struct addr *via)
{
	char proxy[ADDR_TEXT_MAX] = "";
	bool proxied = !addr_equal(via, &s->facts.peer);
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	if (proxied)
		addr_print(via, proxy);
	log_event(LOG_INFO, "connect", s->facts.session,
		  (struct log_field[]){ OF_CLIENT(s, &who),
					{ .key = proxied ? "proxy" : NULL, .text = proxy },
					LOG_END },
		  "connect from %s%s%s", who.text, proxied ? " by way of " : "", proxy);
}

void session_log_moved(struct session *s, const struct addr *from, const char *by)
{
	char was[ADDR_TEXT_MAX];
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	addr_print(from, was);
	log_event(LOG_INFO, "client", s->facts.session,
		  (struct log_field[]){ OF_CLIENT(s, &who), LOG_STR("was", was),
					LOG_STR("by", by), LOG_END },
		  "client [%s] is now %s by %s", was, who.text, by);
}

void session_log_unproxied(struct session *s, const char *why)
{
	struct who who;

	stat_add(&s->worker->stats.unproxied, 1);
	if (!log_wants(LOG_INFO))
		return;
	log_event(LOG_INFO, "unproxied", s->facts.session,
		  (struct log_field[]){
			  LOG_STR("proxy", client(s, &who)), LOG_STR("listener", s->door->name),
			  LOG_STR("service", "SMTP"), LOG_STR("reason", why), LOG_END },
		  "no session for [%s] on %s: %s", who.addr, s->door->name, why);
}

static void text_of(char *to, size_t size, struct slice from)
{
	snprintf(to, size, "%.*s", SLICE_ARGS(from));
}

/* Postfix's sentence, which filters know; and which cap it was. */
void session_log_capped(struct session *s, const struct cap *full)
{
	struct who who;

	if (!log_wants(LOG_WARN))
		return;
	log_event(LOG_WARN, "capped", s->facts.session,
		  (struct log_field[]){
			  OF_CLIENT(s, &who), LOG_STR("rule", full->option),
			  LOG_STR("scope", full->scope), LOG_INT("limit", full->limit), LOG_END },
		  "Connection concurrency limit exceeded: %u from %s for service smtp (%s of %s)",
		  full->limit, who.text, full->option, full->scope);
}

void session_log_refusal(struct session *s, enum phase phase, unsigned code, const char *text)
{
	bool is_command = phase == PHASE_DATA && s->state == SESSION_MAIL;
	const char *verb = is_command ? "DATA" : session_phase_verb(phase);
	char helo[256], from[300] = "", to[300] = "", about[400] = "", enhanced[16];
	size_t len = reply_enhanced_len(slice_of(text), code);
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	text_of(helo, sizeof helo, s->facts.helo);
	if (s->mail != NULL) {
		text_of(from, sizeof from, s->mail->facts.from);
		text_of(to, sizeof to, s->mail->facts.rcpt);
	}
	/* What could not be read is about nobody. */
	if (phase == PHASE_RCPTTO && s->mail != NULL && s->mail->facts.rcpt.at != NULL)
		snprintf(about, sizeof about, "<%s>: ", to);
	else if (phase == PHASE_MAILFROM && s->mail != NULL)
		snprintf(about, sizeof about, "<%s>: ", from);
	/* Before the address, where Postfix has it and fail2ban looks for it. */
	text_of(enhanced, sizeof enhanced, (struct slice){ text, len });
	log_event(LOG_INFO, "reject", s->facts.session,
		  (struct log_field[]){
			  OF_CLIENT(s, &who), LOG_STR("phase", phase_name(phase)),
			  LOG_INT("code", code), LOG_STR("enhanced", enhanced),
			  LOG_STR("from", from), LOG_STR("to", to), LOG_STR("helo", helo),
			  LOG_STR("reply", text), LOG_END },
		  "NOQUEUE: reject: %s from %s: %u %s%s%s%s; from=<%s> to=<%s> proto=%s helo=<%s>",
		  verb, who.text, code, enhanced, len > 0 ? " " : "", about,
		  text + len + (text[len] == ' '), from, to, s->extended ? "ESMTP" : "SMTP", helo);
}

/* Postfix's words: a certificate that was shown is good or not. */
static const char *trust_in(const struct tls_info *tls)
{
	if (tls->subject == NULL)
		return "Anonymous";
	return tls->verified ? "Trusted" : "Untrusted";
}

void session_log_tls(struct session *s)
{
	const struct tls_info *tls = s->facts.tls;
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	log_event(LOG_INFO, "tls", s->facts.session,
		  (struct log_field[]){
			  OF_CLIENT(s, &who), LOG_STR("version", tls->version),
			  LOG_STR("cipher", tls->cipher), LOG_INT("bits", tls->used_bits),
			  LOG_STR("subject", tls->subject != NULL ? tls->subject : ""),
			  LOG_INT("verified", tls->verified), LOG_END },
		  "%s TLS connection established from %s: %s with cipher %s (%d/%d bits)%s%s",
		  trust_in(tls), who.text, tls->version, tls->cipher, tls->used_bits,
		  tls->cipher_bits, tls->subject != NULL ? " subject=" : "",
		  tls->subject != NULL ? tls->subject : "");
}

void session_log_tls_failure(struct session *s, const char *why)
{
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	log_event(LOG_INFO, "tls_failure", s->facts.session,
		  (struct log_field[]){
			  OF_CLIENT(s, &who), LOG_STR("reason", why), LOG_END },
		  "TLS handshake failed from %s: %s", who.text, why);
}

void session_log_injection(struct session *s, unsigned code, const char *text)
{
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	log_event(LOG_INFO, "reject", s->facts.session,
		  (struct log_field[]){ OF_CLIENT(s, &who), LOG_STR("phase", "starttls"),
					LOG_INT("code", code), LOG_STR("reply", text), LOG_END },
		  "NOQUEUE: reject: STARTTLS from %s: %u %s; proto=%s", who.text, code, text,
		  s->extended ? "ESMTP" : "SMTP");
}

void session_log_delivery(struct session *s, const struct reply *reply)
{
	struct transaction *t = s->mail;
	char from[300];
	struct who who;

	if (!log_wants(LOG_INFO))
		return;
	text_of(from, sizeof from, t->facts.from);
	log_event(LOG_INFO, "delivery", s->facts.session,
		  (struct log_field[]){
			  OF_CLIENT(s, &who), LOG_STR("from", from),
			  LOG_STR("to", t->first_rcpt), LOG_INT("recipients", t->facts.rcpt_count),
			  LOG_INT("size", (int64_t)t->reader.size),
			  LOG_STR("relay", relay_peer(t->relay)), LOG_INT("code", reply->code),
			  LOG_STR("reply", reply->text != NULL ? reply->text : ""), LOG_END },
		  "from=<%s>, to=<%s>, nrcpt=%u, size=%" PRIu64
		  ", client=%s, relay=%s, delay=%.2f, status=sent (%u %s)",
		  from, t->first_rcpt, t->facts.rcpt_count, t->reader.size, who.text,
		  relay_peer(t->relay), (double)(clock_ms() - t->began_ms) / 1000, reply->code,
		  reply->text != NULL ? reply->text : "");
}

static const struct {
	const char *tallied, *said;
} verb_words[VERB_COUNT] = {
	[VERB_HELO] = { "helo", "HELO" },
	[VERB_EHLO] = { "ehlo", "EHLO" },
	[VERB_STARTTLS] = { "starttls", "STARTTLS" },
	[VERB_MAIL] = { "mail", "MAIL" },
	[VERB_RCPT] = { "rcpt", "RCPT" },
	[VERB_DATA] = { "data", "DATA" },
	[VERB_RSET] = { "rset", "RSET" },
	[VERB_NOOP] = { "noop", "NOOP" },
	[VERB_VRFY] = { "vrfy", "VRFY" },
	[VERB_QUIT] = { "quit", "QUIT" },
	[VERB_XCLIENT] = { "xclient", "XCLIENT" },
	[VERB_OTHER] = { "unknown", "UNKNOWN" },
};

/* "ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4" */
static void tally_print(const struct session *s, char *out, size_t size)
{
	unsigned good = 0, all = 0;
	size_t len = 0;

	for (int i = 0; i <= VERB_COUNT && len < size; i++) {
		struct verb_tally t = i < VERB_COUNT ? s->tally[i]
						: (struct verb_tally){ (uint16_t)good, (uint16_t)all };
		const char *word = i < VERB_COUNT ? verb_words[i].tallied : "commands";

		good += t.good;
		all += t.all;
		if (t.all == 0 && i < VERB_COUNT)
			continue;
		if (t.good == t.all)
			len += (size_t)snprintf(out + len, size - len, " %s=%u", word, t.all);
		else
			len += (size_t)snprintf(out + len, size - len, " %s=%u/%u", word, t.good,
						t.all);
	}
}

static const char *last_verb(const struct session *s)
{
	return s->commands == 0 ? "CONNECT" : verb_words[s->verb].said;
}

void session_log_end(struct session *s, enum ending how)
{
	static const char *const endings[] = {
		[END_QUIT] = "quit",	   [END_HANGUP] = "hangup", [END_TIMEOUT] = "timeout",
		[END_REFUSED] = "refused", [END_ERRORS] = "errors", [END_DRAIN] = "drain",
		[END_KICK] = "kick",	   [END_CROWDED] = "crowded", [END_TLS] = "tls",
	};
	char tally[256];
	double lived = (double)(clock_ms() - s->began_ms) / 1000;
	struct who who;

	if (s->ticket.endpoint == NULL) { /* it has not been a session yet */
		if (how == END_HANGUP || how == END_TIMEOUT)
			session_log_unproxied(s, how == END_HANGUP
							 ? "it left before its PROXY header"
							 : "its PROXY header did not come in time");
		return;
	}
	if (!log_wants(LOG_INFO))
		return;
	client(s, &who);
	if (how == END_HANGUP)
		log_event(LOG_INFO, "lost", s->facts.session, NULL,
			  "lost connection after %s from %s", last_verb(s), who.text);
	else if (how == END_TIMEOUT)
		log_event(LOG_INFO, "timeout", s->facts.session, NULL, "timeout after %s from %s",
			  last_verb(s), who.text);
	tally_print(s, tally, sizeof tally);
	log_event(LOG_INFO, "disconnect", s->facts.session,
		  (struct log_field[]){
			  LOG_STR("client", who.addr), LOG_STR("listener", s->door->name),
			  LOG_STR("service", "SMTP"), LOG_STR("end", endings[how]),
			  LOG_INT("commands", s->commands),
			  LOG_INT("messages", s->facts.message_count),
			  LOG_INT("recipients", s->facts.rcpt_count),
			  LOG_INT("tarpit_ms", (int64_t)s->tarpit_ms),
			  LOG_INT("early_talker", s->facts.early_talker),
			  LOG_STR("tls", s->facts.tls != NULL ? s->facts.tls->version : ""),
			  LOG_INT("lived_ms", (int64_t)(lived * 1000)), LOG_END },
		  "disconnect from %s%s messages=%u tarpit=%.1f time=%.2f end=%s%s", who.text,
		  tally, s->facts.message_count, (double)s->tarpit_ms / 1000, lived, endings[how],
		  s->facts.early_talker ? " early_talker" : "");
}
