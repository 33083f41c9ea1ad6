#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/mem.h"

enum { DIGITS_MAX = 18 }; /* cannot overflow */

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* strncasecmp() would stop at a NUL and ask the locale. */
bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

bool slice_has(struct slice s, char c)
{
	return s.len > 0 && memchr(s.at, c, s.len) != NULL;
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
		s.at++, s.len--;
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

struct slice slice_cut(struct slice s, char sep, struct slice *rest_out)
{
	const char *found = s.len > 0 ? memchr(s.at, sep, s.len) : NULL;
	struct slice head = s;

	if (found == NULL) {
		*rest_out = (struct slice){ s.len > 0 ? s.at + s.len : s.at, 0 };
		return s;
	}
	head.len = (size_t)(found - s.at);
	*rest_out = (struct slice){ found + 1, s.len - head.len - 1 };
	return head;
}

bool slice_number(struct slice digits, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;

	if (digits.len == 0 || digits.len > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(digits.at[i] - '0');
	}
	*out = n;
	return n <= most;
}

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->at);
	*b = (struct buf){ .max = b->max };
}

/* Room for `more` bytes and a final zero. */
static bool make_room(struct buf *b, size_t more)
{
	size_t want, cap;

	if (b->max != 0 && more > b->max - b->len)
		return false;
	want = b->len + more + 1;
	if (want <= b->cap)
		return true;
	for (cap = b->cap ? b->cap : 128; cap < want; cap *= 2)
		continue;
	b->at = mem_resize(b->at, cap, 1);
	b->cap = cap;
	return true;
}

bool buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (len == 0)
		return true;
	if (!make_room(b, len))
		return false;
	memcpy(b->at + b->len, bytes, len);
	b->len += len;
	return true;
}

bool buf_add_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.at, s.len);
}

bool buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0 || !make_room(b, (size_t)len))
		return false;
	vsnprintf(b->at + b->len, (size_t)len + 1, format, args);
	b->len += (size_t)len;
	return true;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = buf_vprintf(b, format, args);
	va_end(args);
	return fits;
}

void buf_eat(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_free(b);
		return;
	}
	memmove(b->at, b->at + len, b->len - len);
	b->len -= len;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
}

const char *buf_text(struct buf *b)
{
	if (b->at == NULL)
		return "";
	b->at[b->len] = '\0';
	return b->at;
}
