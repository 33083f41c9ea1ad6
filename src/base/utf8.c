#include "base/utf8.h"

/* Of one octet, two, three, four. */
static const struct {
	unsigned char mask, lead;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 0x0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};
enum { FORMS = sizeof forms / sizeof *forms };

size_t utf8_len(struct slice s)
{
	unsigned char first = s.len > 0 ? (unsigned char)*s.at : 0;
	uint32_t c;
	size_t more = 0;

	while (more < FORMS && (first & forms[more].mask) != forms[more].lead)
		more++;
	if (more == FORMS || more >= s.len)
		return 0;
	c = first & (unsigned char)~forms[more].mask;
	for (size_t i = 1; i <= more; i++) {
		if ((s.at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s.at[i] & 0x3f);
	}
	if (c < forms[more].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return more + 1;
}

void utf8_mend(char *text, size_t len)
{
	while (len > 0) {
		size_t n = utf8_len((struct slice){ text, len });

		if (n == 0) {
			*text = '?';
			n = 1;
		}
		text += n;
		len -= n;
	}
}
