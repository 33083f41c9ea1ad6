/*
 * facts - what is known of one session, for policy: who it is, what it said, and its contexts.
 *
 * The session fills it in and owns it; policy reads it, and writes only the two context
 * dictionaries. The well-known context keys (2.5: ehlo_domain, mailfrom_string, ...) are computed
 * from the other members when somebody asks; a key that was set is looked at first.
 */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/addr.h"
#include "base/buf.h"

struct tls_info;

enum ctx_kind { CTX_CONN, CTX_MESS };

/* A dictionary of strings; keys unique. Zeroed: empty. */
struct ctx_entry;
struct ctx {
	struct ctx_entry *first;
	uint32_t bytes; /* keys and values together */
};

enum { CTX_BYTES_MAX = 256 << 10, CTX_KEY_MAX = 255 };

/* false: not there */
bool ctx_get(const struct ctx *ctx, struct slice key, struct slice *value_out);
/* NULL, or why not: the dictionary is full, the key too long */
const char *ctx_set(struct ctx *ctx, struct slice key, struct slice value)
	__attribute__((warn_unused_result));
bool ctx_delete(struct ctx *ctx, struct slice key);
void ctx_clear(struct ctx *ctx);
/* One entry after the other; *at begins as NULL. false: no more. */
bool ctx_next(const struct ctx *ctx, const struct ctx_entry **at, struct slice *key_out,
	      struct slice *value_out);

/* One MAIL transaction. */
struct facts_mail {
	struct slice from;	  /* "a@b" without <>; empty: the null sender */
	struct slice mail_line;	  /* "MAIL FROM:<a@b>" */
	struct slice rcpt;	  /* now asked about, then the last one; at == NULL: none yet */
	struct slice rcpt_line;	  /* "RCPT TO:<c@d>" */
	uint32_t rcpt_count;	  /* accepted */
	uint64_t size;		  /* octets of the message, from the data phase on */
	struct ctx mess;
};

struct facts {
	uint64_t session;		  /* its id in logs; 0: no session (a tool) */
	struct audit_endpoint *endpoint;  /* borrowed; NULL: none (a tool) */
	struct addr peer;		  /* ADDR_NONE: no current peer */
	struct addr local;
	uint16_t peer_port;
	uint16_t local_port;
	uint16_t worker;		  /* index of the worker that the session lives on */
	bool can_relay;
	bool early_talker;
	uint32_t message_count;		  /* accepted on this connection */
	uint32_t rcpt_count;		  /* accepted on this connection */
	uint32_t bad_commands;
	uint32_t unknown_commands;
	struct slice helo;		  /* the name; empty before */
	struct slice helo_line;		  /* "EHLO name" */
	struct slice auth_user;		  /* empty: none */
	const struct tls_info *tls;	  /* borrowed; NULL: in the clear */
	struct facts_mail *mail;	  /* NULL: no transaction */
	const struct ctx *preset;	  /* Context of the configuration; borrowed, may be NULL */
	struct ctx conn;
	void *engine_state;		  /* policy's, see policy_session_over */
};

/* A context value, computed ones included; false: absent. *out dies with the next change of facts.
 * room holds numbers printed as text. */
enum { FACTS_ROOM = 24 };
bool facts_get(const struct facts *facts, enum ctx_kind kind, struct slice key,
	       char room[FACTS_ROOM], struct slice *out);
/* Everything that facts_get() would find, each once. */
typedef void facts_visit(void *arg, struct slice key, struct slice value);
void facts_each(const struct facts *facts, enum ctx_kind kind, facts_visit *visit, void *arg);
/* NULL, or why not (D85: there is no message dictionary before MAIL). */
const char *facts_set(struct facts *facts, enum ctx_kind kind, struct slice key, struct slice value)
	__attribute__((warn_unused_result));
/* The same. A key that is preset or computed reads "" from then on. */
const char *facts_delete(struct facts *facts, enum ctx_kind kind, struct slice key)
	__attribute__((warn_unused_result));

/* "user+detail@domain" taken apart, for `envelope` and for the SPF macros. */
struct slice address_local(struct slice address);
struct slice address_domain(struct slice address);
struct slice address_user(struct slice address);
struct slice address_detail(struct slice address);

#endif
