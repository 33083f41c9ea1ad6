/*
 * preload - constant includes, followed at load, so that their faults are found there: each file
 * once, whatever the shape of who includes whom.
 */
#ifndef POLICY_SIEVE_PRELOAD_H
#define POLICY_SIEVE_PRELOAD_H

#include "policy/sieve/scripts.h"

/* Into the cache of scripts. A missing file is only warned of (D30); a circle is an error. */
void sieve_preload(struct scripts *scripts, struct program *program, enum phase phase,
		   struct complaints *complaints);

#endif
