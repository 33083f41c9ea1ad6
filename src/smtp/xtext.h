/*
 * xtext - any octets as printable ones, for values of extensions (RFC 3461 4): "+2B" is '+'. Pure.
 */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* false: out is full, and may hold a part of it. */
bool xtext_write(struct buf *out, struct slice text) __attribute__((warn_unused_result));
/* Appends what xtext stands for. false: it is not xtext, or out is full; out may hold a part. */
bool xtext_read(struct buf *out, struct slice xtext) __attribute__((warn_unused_result));

#endif
