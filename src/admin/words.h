/*
 * words - a console line cut into its words.
 *
 * Blanks and tabs part words; "double quotes" keep them in one, and inside quotes a backslash
 * quotes the next character. Control characters are refused. The line is changed in place, and the
 * words are slices of it.
 */
#ifndef ADMIN_WORDS_H
#define ADMIN_WORDS_H

#include "base/buf.h"

/* NULL, or what is wrong. */
const char *words_split(char *line, size_t len, struct slice *words, unsigned most,
			unsigned *count_out) __attribute__((warn_unused_result));

#endif
