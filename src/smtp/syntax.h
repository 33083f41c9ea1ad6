/*
 * syntax - what a client's command line says (RFC 5321 4.1). Pure: no state, no I/O.
 *
 * All slices point into the line. Nothing is unquoted or changed: what goes to the next hop is what
 * came in.
 */
#ifndef SMTP_SYNTAX_H
#define SMTP_SYNTAX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* "MAIL FROM:<a@b>" -> verb MAIL, args "FROM:<a@b>". line comes without its CRLF. */
struct command {
	struct slice verb;
	struct slice args; /* without blanks at its ends */
};

struct command command_split(struct slice line);

/* <local@domain>, without the brackets. Source routes are dropped (RFC 5321 4.1.1.3). */
struct path {
	struct slice address; /* whole: "local@domain", "postmaster"; empty: the null sender <> */
	struct slice local;   /* as written, quotes and all */
	struct slice domain;  /* empty: none; "[192.0.2.1]": a literal */
	bool is_literal;      /* domain is in [] */
	bool is_utf8;	      /* has octets above 127: needs SMTPUTF8 (RFC 6531) */
};

enum body_type { BODY_NONE, BODY_7BIT, BODY_8BITMIME };

/* What follows the path. Each parameter may come once. */
struct mail_params {
	bool has_size;
	uint64_t size;	     /* RFC 1870 */
	enum body_type body; /* RFC 6152 */
	bool smtputf8;	     /* RFC 6531 */
};

/*
 * What is wrong with a command, as the reply: NULL when nothing is. Borrowed, static.
 * "501 5.1.7 Bad sender address syntax", "555 5.5.4 Unsupported option ..." and so on.
 */
typedef const char *syntax_fault;

struct mail_command {
	struct path from;
	struct mail_params params;
};

/*
 * Each takes the args of its command; *out is whole only when NULL comes back. One blank after
 * "FROM:" and "TO:" is let pass. MAIL with octets above 127 and without SMTPUTF8 is 553 5.6.7; for
 * RCPT, which cannot know, the caller looks at is_utf8. RCPT takes no parameters.
 */
syntax_fault syntax_mail(struct slice args, struct mail_command *out);
syntax_fault syntax_rcpt(struct slice args, struct path *out);
syntax_fault syntax_helo(struct slice args, struct slice *name_out); /* domain or address literal */

/* RFC 1035 labels and lengths, underscores too; U-labels are valid UTF-8 without controls. */
bool syntax_is_domain(struct slice text);
/* Valid UTF-8 without controls. */
bool syntax_is_text(struct slice text);

#endif
