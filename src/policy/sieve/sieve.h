/*
 * sieve - Sieve++ as a policy engine: a stanza's scripts, by phase and half, and their runs.
 */
#ifndef POLICY_SIEVE_SIEVE_H
#define POLICY_SIEVE_SIEVE_H

#include "policy/engine.h"
#include "policy/sieve/limits.h"

extern const struct policy_engine sieve_engine;

/* For tests: what a run may use from now on. */
void sieve_set_budget(void *module, struct sieve_budget budget);

/* How a script came to its end, for tools: told each time, on the thread that ran it. */
enum sieve_end { SIEVE_OVER, SIEVE_STOPPED, SIEVE_ACTED /* a terminal action */, SIEVE_FAILED };
typedef void sieve_ended(void *owner, enum sieve_end end);
void sieve_set_watch(void *module, sieve_ended *ended, void *owner);

#endif
