#include "policy/phase.h"

#include <stddef.h>
#include <string.h>

static const char *const names[PHASE_COUNT] = {
	[PHASE_ACCEPT] = "accept",	   [PHASE_CONNECT] = "connect", [PHASE_EHLO] = "ehlo",
	[PHASE_MAILFROM] = "mailfrom", [PHASE_RCPTTO] = "rcptto",	[PHASE_DATA] = "data",
};

const char *phase_name(enum phase phase)
{
	return names[phase];
}

_Bool phase_find(const char *name, unsigned len, enum phase *out)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			*out = (enum phase)i;
			return 1;
		}
	}
	return 0;
}
