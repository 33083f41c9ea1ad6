/*
 * regex - one compiled PCRE, with a price on what a match does. Immutable: any thread may match.
 *
 * PCRE2's own match limit begins anew at each start in the text, so that text times limit is what
 * a match may take. Callouts between all items of the pattern count the steps of a match as a
 * whole, and how far it moved at each.
 */
#ifndef POLICY_SIEVE_REGEX_H
#define POLICY_SIEVE_REGEX_H

#include <stdbool.h>

#include "base/buf.h"

struct regex;
enum { REGEX_ERROR_MAX = 160 };

/* NULL: error says why, and where in the pattern. */
struct regex *sieve_regex_new(struct slice pattern, bool ignore_case, char error[REGEX_ERROR_MAX]);
void sieve_regex_free(struct regex *regex);

/*
 * Anywhere in the text. Takes from *steps what it costs. NULL, or why there is no answer: out of
 * steps, another limit, or a text that (*UTF) refuses.
 */
const char *sieve_regex_match(const struct regex *regex, struct slice text, int *steps, bool *out);

#endif
