#include "policy/phase.h"

static const char *const names[PHASE_COUNT] = {
	[PHASE_ACCEPT] = "accept",     [PHASE_CONNECT] = "connect", [PHASE_EHLO] = "ehlo",
	[PHASE_MAILFROM] = "mailfrom", [PHASE_RCPTTO] = "rcptto",   [PHASE_DATA] = "data",
};

const char *phase_name(enum phase phase)
{
	return names[phase];
}

bool phase_find(struct slice name, enum phase *out)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		if (slice_equal(name, slice_of(names[i]))) {
			*out = (enum phase)i;
			return true;
		}
	}
	return false;
}
