/*
 * literal - arguments that are known when a script is read: what is wrong with them is found then,
 * and not by the first client.
 */
#ifndef POLICY_SIEVE_LITERAL_H
#define POLICY_SIEVE_LITERAL_H

#include "policy/sieve/tree.h"

/* Whether it is a string that is the same at every run, and then its value. NULL is none. */
bool sieve_literal(const struct arg *arg, struct slice *out);

/* NULL, or what is wrong with it as the nth argument of fn; what is no literal may be right. */
const char *sieve_literal_fault(const struct policy_fn *fn, unsigned n, const struct arg *arg);

#endif
