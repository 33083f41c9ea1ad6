/*
 * elsewhere - the sessions that another process holds, counted here like our own.
 *
 * It is told line by line who enters and who leaves there:
 *
 *	+ 192.0.2.1 SMTP 127.0.0.1:25
 *	- 192.0.2.1 SMTP 127.0.0.1:25
 *
 * and with elsewhere_free all that are left leave at once. Belongs to one thread.
 */
#ifndef AUDIT_ELSEWHERE_H
#define AUDIT_ELSEWHERE_H

#include "audit/audit.h"
#include "base/buf.h"

enum {
	ELSEWHERE_LINE_MAX = 512,
	ELSEWHERE_SESSIONS_MAX = 4 << 20,
	ELSEWHERE_ENDPOINTS_MAX = 1024, /* that we did not know */
};

struct elsewhere;

struct elsewhere *elsewhere_new(struct audit *audit);
void elsewhere_free(struct elsewhere *e); /* NULL is harmless */
/* A line without its end. NULL, or what is wrong with it; then nothing was counted. */
const char *elsewhere_hear(struct elsewhere *e, struct slice line)
	__attribute__((warn_unused_result));
uint64_t elsewhere_sessions(const struct elsewhere *e);
/* The line, with its end, that says this of one of ours. false: the buf is full. */
bool elsewhere_say(struct buf *out, bool entered, const struct audit_ticket *ticket)
	__attribute__((warn_unused_result));

#endif
