#include "policy/facts.h"

#include <inttypes.h>
#include <stdio.h>

#include "net/tls.h"

/* The predefined keys of 2.5 that can have a value here. */
enum computed {
	AUTH_USER,
	CAN_RELAY,
	CONNECTION_MESSAGES,
	CONNECTION_RCPTS,
	MESSAGE_RCPTS,
	EHLO_DOMAIN,
	EHLO_STRING,
	EARLY_TALKER,
	BAD_COMMANDS,
	UNKNOWN_COMMANDS,
	TLS,
	TLS_CIPHER,
	TLS_ALGORITHM_BITS,
	TLS_USED_BITS,
	TLS_SUBJECT,
	TLS_SUBJECT_CN,
	TLS_ISSUER,
	TLS_ISSUER_CN,
	TLS_VERIFIED,
	MAIL_STRING,
	MAIL_LOCAL,
	MAIL_DOMAIN,
	RCPT_STRING,
	RCPT_LOCAL,
	RCPT_DOMAIN
};

static const struct {
	struct slice key;
	enum ctx_kind kind;
} computed_keys[] = {
	[AUTH_USER] = { SLICE("auth_user"), CTX_CONN },
	[CAN_RELAY] = { SLICE("can_relay"), CTX_CONN },
	[CONNECTION_MESSAGES] = { SLICE("connection_message_count"), CTX_CONN },
	[CONNECTION_RCPTS] = { SLICE("connection_rcpt_count"), CTX_CONN },
	[MESSAGE_RCPTS] = { SLICE("message_rcpt_count"), CTX_CONN },
	[EHLO_DOMAIN] = { SLICE("ehlo_domain"), CTX_CONN },
	[EHLO_STRING] = { SLICE("ehlo_string"), CTX_CONN },
	[EARLY_TALKER] = { SLICE("early_talker"), CTX_CONN },
	[BAD_COMMANDS] = { SLICE("conntrol_bad_commands"), CTX_CONN },
	[UNKNOWN_COMMANDS] = { SLICE("conntrol_unrecognized_commands"), CTX_CONN },
	[TLS] = { SLICE("tls"), CTX_CONN },
	[TLS_CIPHER] = { SLICE("tls_cipher"), CTX_CONN },
	[TLS_ALGORITHM_BITS] = { SLICE("tls_cipher_algbits"), CTX_CONN },
	[TLS_USED_BITS] = { SLICE("tls_cipher_usebits"), CTX_CONN },
	[TLS_SUBJECT] = { SLICE("tls_client_cert_subject"), CTX_CONN },
	[TLS_SUBJECT_CN] = { SLICE("tls_client_cert_subject_cn"), CTX_CONN },
	[TLS_ISSUER] = { SLICE("tls_client_cert_issuer"), CTX_CONN },
	[TLS_ISSUER_CN] = { SLICE("tls_client_cert_issuer_cn"), CTX_CONN },
	[TLS_VERIFIED] = { SLICE("tls_client_verified"), CTX_CONN },
	[MAIL_STRING] = { SLICE("mailfrom_string"), CTX_MESS },
	[MAIL_LOCAL] = { SLICE("mailfrom_localpart"), CTX_MESS },
	[MAIL_DOMAIN] = { SLICE("mailfrom_domain"), CTX_MESS },
	[RCPT_STRING] = { SLICE("rcptto_string"), CTX_MESS },
	[RCPT_LOCAL] = { SLICE("rcptto_localpart"), CTX_MESS },
	[RCPT_DOMAIN] = { SLICE("rcptto_domain"), CTX_MESS },
};

static bool text(struct slice s, bool there, struct slice *out)
{
	*out = s;
	return there;
}

static bool number(uint64_t n, char room[FACTS_ROOM], struct slice *out)
{
	*out = (struct slice){ room, (size_t)snprintf(room, FACTS_ROOM, "%" PRIu64, n) };
	return true;
}

static bool tls_text(const char *text, struct slice *out)
{
	*out = slice_of(text != NULL ? text : "");
	return text != NULL;
}

static bool compute(const struct facts *f, enum computed which, char room[FACTS_ROOM],
		    struct slice *out)
{
	static const struct tls_info in_the_clear;
	const struct tls_info *tls = f->tls != NULL ? f->tls : &in_the_clear;
	const struct facts_mail *mail = f->mail;
	bool has_rcpt = mail != NULL && mail->rcpt.at != NULL;

	switch (which) {
	case AUTH_USER:
		return text(f->auth_user, f->auth_user.len > 0, out);
	case CAN_RELAY:
		return text(SLICE("true"), f->can_relay, out);
	case CONNECTION_MESSAGES:
		return number(f->message_count, room, out);
	case CONNECTION_RCPTS:
		return number(f->rcpt_count, room, out);
	case MESSAGE_RCPTS:
		return number(mail != NULL ? mail->rcpt_count : 0, room, out);
	case EHLO_DOMAIN:
		return text(f->helo, f->helo.len > 0, out);
	case EHLO_STRING:
		return text(f->helo_line, f->helo_line.len > 0, out);
	case EARLY_TALKER:
		return text(SLICE("yes"), f->early_talker, out);
	case BAD_COMMANDS:
		return number(f->bad_commands, room, out);
	case UNKNOWN_COMMANDS:
		return number(f->unknown_commands, room, out);
	case TLS:
		return text(SLICE("on"), f->tls != NULL, out);
	case TLS_CIPHER:
		return tls_text(tls->cipher, out);
	case TLS_ALGORITHM_BITS:
		return f->tls != NULL && number((uint64_t)tls->cipher_bits, room, out);
	case TLS_USED_BITS:
		return f->tls != NULL && number((uint64_t)tls->used_bits, room, out);
	case TLS_SUBJECT:
		return tls_text(tls->subject, out);
	case TLS_SUBJECT_CN:
		return tls_text(tls->subject_cn, out);
	case TLS_ISSUER:
		return tls_text(tls->issuer, out);
	case TLS_ISSUER_CN:
		return tls_text(tls->issuer_cn, out);
	case TLS_VERIFIED:
		return text(SLICE("yes"), tls->verified, out);
	case MAIL_STRING:
		return mail != NULL && text(mail->from, true, out);
	case MAIL_LOCAL:
		return mail != NULL && text(address_local(mail->from), true, out);
	case MAIL_DOMAIN:
		return mail != NULL && text(address_domain(mail->from), true, out);
	case RCPT_STRING:
		return has_rcpt && text(mail->rcpt, true, out);
	case RCPT_LOCAL:
		return has_rcpt && text(address_local(mail->rcpt), true, out);
	case RCPT_DOMAIN:
		return has_rcpt && text(address_domain(mail->rcpt), true, out);
	}
	return false;
}

bool facts_get(const struct facts *facts, enum ctx_kind kind, struct slice key,
	       char room[FACTS_ROOM], struct slice *out)
{
	if (kind == CTX_CONN && ctx_get(&facts->conn, key, out))
		return true;
	if (kind == CTX_CONN && facts->preset != NULL && ctx_get(facts->preset, key, out))
		return true;
	if (kind == CTX_MESS && facts->mail != NULL && ctx_get(&facts->mail->mess, key, out))
		return true;
	for (size_t i = 0; i < sizeof computed_keys / sizeof computed_keys[0]; i++) {
		if (computed_keys[i].kind == kind && slice_equal(computed_keys[i].key, key))
			return compute(facts, (enum computed)i, room, out);
	}
	return false;
}

void facts_each(const struct facts *facts, enum ctx_kind kind, facts_visit *visit, void *arg)
{
	static const struct ctx none;
	const struct ctx *mess = facts->mail != NULL ? &facts->mail->mess : &none;
	const struct ctx *set = kind == CTX_CONN ? &facts->conn : mess;
	const struct ctx *base = facts->preset != NULL ? facts->preset : &none;
	const struct ctx *preset = kind == CTX_CONN ? base : &none;
	const struct ctx_entry *at = NULL;
	struct slice key, value, other;
	char room[FACTS_ROOM];

	while (ctx_next(set, &at, &key, &value))
		visit(arg, key, value);
	while (ctx_next(preset, &at, &key, &value)) {
		if (!ctx_get(set, key, &other))
			visit(arg, key, value);
	}
	for (size_t i = 0; i < sizeof computed_keys / sizeof computed_keys[0]; i++) {
		key = computed_keys[i].key;
		if (computed_keys[i].kind == kind && !ctx_get(set, key, &other) &&
		    !ctx_get(preset, key, &other) && compute(facts, (enum computed)i, room, &value))
			visit(arg, key, value);
	}
}

static struct ctx *ctx_of(struct facts *facts, enum ctx_kind kind)
{
	if (kind == CTX_CONN)
		return &facts->conn;
	return facts->mail != NULL ? &facts->mail->mess : NULL;
}

static const char no_mail[] = "there is no message context before MAIL";

const char *facts_set(struct facts *facts, enum ctx_kind kind, struct slice key, struct slice value)
{
	struct ctx *ctx = ctx_of(facts, kind);

	return ctx != NULL ? ctx_set(ctx, key, value) : no_mail;
}

const char *facts_delete(struct facts *facts, enum ctx_kind kind, struct slice key)
{
	struct ctx *ctx = ctx_of(facts, kind);
	char room[FACTS_ROOM];
	struct slice behind;

	if (ctx == NULL)
		return no_mail;
	ctx_delete(ctx, key);
	if (facts_get(facts, kind, key, room, &behind))
		return ctx_set(ctx, key, SLICE(""));
	return NULL;
}

/* The last '@' divides: a quoted local part may hold others. */
static size_t at_sign(struct slice address)
{
	const char *at = address.len > 0 ? memrchr(address.at, '@', address.len) : NULL;

	return at != NULL ? (size_t)(at - address.at) : address.len;
}

struct slice address_local(struct slice address)
{
	return (struct slice){ address.at, at_sign(address) };
}

struct slice address_domain(struct slice address)
{
	size_t at = at_sign(address);

	if (at == address.len)
		return SLICE("");
	return (struct slice){ address.at + at + 1, address.len - at - 1 };
}

struct slice address_user(struct slice address)
{
	struct slice detail;

	return slice_cut(address_local(address), '+', &detail);
}

struct slice address_detail(struct slice address)
{
	struct slice detail;

	slice_cut(address_local(address), '+', &detail);
	return detail;
}
