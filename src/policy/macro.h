/*
 * macro - %{...} in strings (behaviour 1.4), for Sieve++ strings and for msys.expandMacro.
 */
#ifndef POLICY_MACRO_H
#define POLICY_MACRO_H

#include "policy/engine.h"

/*
 * The value of one macro, named without its "%{" and "}". What is unknown is "" and is logged at
 * debug level (D14). NULL, or what is wrong: only the run's memory can be.
 */
const char *macro_value(struct policy_run *run, struct slice name, struct slice *out);

/* All macros of a text, one pass, left to right; the result is not scanned again (D12). */
const char *macro_expand(struct policy_run *run, struct slice text, struct slice *out);

#endif
