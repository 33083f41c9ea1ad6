/*
 * utf8 - what peers send as text, which may be UTF-8 (RFC 3629) or not.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* Octets of the character at the start; 0: it is none, as long forms and surrogates are. */
size_t utf8_len(struct slice s);
/* In place: each octet that belongs to no character becomes '?'. */
void utf8_mend(char *text, size_t len);

#endif
