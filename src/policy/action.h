/*
 * action - one thing that a policy did, or in observe mode would have done, and what made it.
 */
#ifndef POLICY_ACTION_H
#define POLICY_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "policy/phase.h"

enum action_kind {
	ACTION_TARPIT,	   /* ms */
	ACTION_REPLY,	   /* code, text: ec_action, vctx:set_code */
	ACTION_DISCONNECT, /* code, text; code 0: only closes after the reply (D22) */
	ACTION_KEEP,	   /* text: the optional reason */
	ACTION_ERROR,	   /* code 421, text: a run-time error in mode fail (D25) */
	ACTION_COUNT	   /* ec_inc_counter: only a counter */
};

/* A count that a script read, live or of a series: where it looked, and what it saw. */
struct audit_read {
	char service[48]; /* "SMTP", "LISTENER" for this endpoint; "connections 300,6", "login" */
	bool is_series;
	struct cidr block; /* ADDR_NONE: of a text */
	uint64_t count;
};

struct action {
	enum action_kind kind;
	enum phase phase;
	const char *name;	 /* the function called: "ec_tarpit", "vctx:tarpit" */
	const char *file;	 /* script */
	unsigned line;
	uint32_t ms;
	uint16_t code;
	struct slice text;
	struct slice counter;	 /* empty: "file:line" is the counter's name (1.8) */
	const struct audit_read *cause; /* NULL: no count led here */
	bool observe;		 /* it was not done */
};

#endif
