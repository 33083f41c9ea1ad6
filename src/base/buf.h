/*
 * buf - bytes: borrowed (slice) and owned and growing (buf).
 *
 * A slice never owns: it dies with what it points into. A buf owns its bytes, holds none while it
 * is empty, and never grows past its limit: an append that would is refused whole.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_ARGS(s) (int)(s).len, (s).at /* for "%.*s" */

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII */
bool slice_has(struct slice s, char c);
struct slice slice_trim(struct slice s);		 /* blanks and tabs, both ends */
/* The part before the first `sep`; *rest_out gets what follows it, empty when there was none. */
struct slice slice_cut(struct slice s, char sep, struct slice *rest_out);
/* Decimal digits alone, 18 of them at most; leading zeros are the caller's affair. */
bool slice_number(struct slice digits, uint64_t most, uint64_t *out)
	__attribute__((warn_unused_result));

struct buf {
	char *at;
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* bytes given back; the buf may be used again */

bool buf_add(struct buf *b, const void *bytes, size_t len) __attribute__((warn_unused_result));
bool buf_add_slice(struct buf *b, struct slice s) __attribute__((warn_unused_result));
bool buf_printf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));
bool buf_vprintf(struct buf *b, const char *format, va_list args)
	__attribute__((format(printf, 2, 0), warn_unused_result));
void buf_eat(struct buf *b, size_t len); /* drop from the front; empty gives the memory back */
void buf_clear(struct buf *b);		 /* empty it, keep the memory */
const char *buf_text(struct buf *b);	 /* zero-terminated; borrowed until the next change */

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->at, b->len };
}

#endif
