/*
 * phase - the moments of an SMTP session at which policy is asked (behaviour 2.1), in their order.
 */
#ifndef POLICY_PHASE_H
#define POLICY_PHASE_H

#include "base/buf.h"

enum phase {
	PHASE_ACCEPT,
	PHASE_CONNECT,
	PHASE_EHLO,
	PHASE_MAILFROM,
	PHASE_RCPTTO,
	PHASE_DATA,
	PHASE_COUNT
};

#define PHASE_BIT(phase) (1u << (phase))
#define PHASES_ALL (PHASE_BIT(PHASE_COUNT) - 1)
#define PHASES_FROM(phase) (PHASES_ALL & ~(PHASE_BIT(phase) - 1))

const char *phase_name(enum phase phase); /* "rcptto" */
/* false: no such phase */
bool phase_find(struct slice name, enum phase *out);

#endif
