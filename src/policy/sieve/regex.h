/*
 * regex - one compiled PCRE, with limits on what a match may cost. Immutable: any thread may match.
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

/* Anywhere in the text. NULL, or why there is no answer: a limit, or a text that (*UTF) refuses. */
const char *sieve_regex_match(const struct regex *regex, struct slice text, bool *out);

#endif
