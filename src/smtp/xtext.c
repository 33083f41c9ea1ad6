#include "smtp/xtext.h"

static const char digits[] = "0123456789ABCDEF";

bool xtext_write(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		const char quoted[] = { '+', digits[c >> 4], digits[c & 15] };
		bool plain = c > ' ' && c < 127 && c != '+' && c != '=';

		if (plain ? !buf_add(out, &c, 1) : !buf_add(out, quoted, sizeof quoted))
			return false;
	}
	return true;
}

/* RFC 3461 has upper case only. -1: no digit. */
static int digit(char c)
{
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

bool xtext_read(struct buf *out, struct slice xtext)
{
	for (size_t i = 0; i < xtext.len; i++) {
		unsigned char c = (unsigned char)xtext.at[i];

		if (c <= ' ' || c >= 127 || c == '=')
			return false;
		if (c == '+') {
			int high = xtext.len - i > 2 ? digit(xtext.at[i + 1]) : -1;
			int low = xtext.len - i > 2 ? digit(xtext.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (!buf_add(out, &c, 1))
			return false;
	}
	return true;
}
