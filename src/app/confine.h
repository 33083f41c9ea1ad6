/*
 * confine - the daemon gives up what it does not need: its user, its reach (guard/fence.h), its
 * system calls (guard/filter.h). Once, before the first thread: all of it is inherited, none
 * shared.
 *
 * Before the sockets too: those of one port must all be one user's (SO_REUSEPORT), and a reload
 * opens some after the start. The right to open low ports is kept instead.
 */
#ifndef APP_CONFINE_H
#define APP_CONFINE_H

#include "app/site.h"

/* What is in force, for people. */
struct confinement {
	char user[64];
	char landlock[96]; /* "on", "off: WHY" */
	char seccomp[96];
};

/* Makes the directories that the configuration names and that are missing, for the user. false:
 * complaints tell. What the kernel lacks is a warning. */
bool confine(const struct site *site, struct confinement *out, struct complaints *complaints);

/* The directories alone, for a reload: what it names may be new. */
bool confine_dirs(const struct site *site, struct complaints *complaints);

#endif
