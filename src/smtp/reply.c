#include "smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "smtp/smtp.h"

/* What may stand in a reply's line: a blank takes the place of anything that could end it. */
static char printable(char c)
{
	return ascii_is_control(c) ? ' ' : c;
}

void reply_free(struct reply *r)
{
	free(r->text);
	*r = (struct reply){ 0 };
}

struct reply reply_take(struct reply *from)
{
	struct reply taken = *from;

	*from = (struct reply){ 0 };
	return taken;
}

/* Takes text. */
static void replace(struct reply *r, unsigned code, char *text)
{
	free(r->text);
	*r = (struct reply){ (uint16_t)code, text };
}

void reply_set(struct reply *r, unsigned code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	replace(r, code, mem_vprintf(format, args));
	va_end(args);
}

size_t reply_enhanced_len(struct slice text, unsigned code)
{
	size_t i = 2;

	if (text.len < 2 || text.at[1] != '.' || (unsigned)(text.at[0] - '0') != code / 100 ||
	    !slice_has(SLICE("245"), text.at[0]))
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t start = i;

		while (i < text.len && i - start < 3 && ascii_is_digit(text.at[i]))
			i++;
		if (i == start)
			return 0;
		if (part == 0 && (i == text.len || text.at[i++] != '.'))
			return 0;
	}
	return i == text.len || text.at[i] == ' ' ? i : 0;
}

static struct slice next_line(struct slice *rest, unsigned code, struct slice *enhanced_out)
{
	struct slice line = slice_cut(*rest, '\n', rest);
	size_t len;

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	len = reply_enhanced_len(line, code);
	*enhanced_out = (struct slice){ line.at, len };
	if (len > 0 && len < line.len)
		len++;
	return (struct slice){ line.at + len, line.len - len };
}

static bool write_line(struct buf *out, unsigned code, char sep, struct slice enhanced,
		       struct slice text)
{
	char line[SMTP_REPLY_LINE_MAX];
	size_t len = (size_t)snprintf(line, sizeof line, "%u%c%.*s%s", code, sep,
				      SLICE_ARGS(enhanced), enhanced.len > 0 ? " " : "");

	for (size_t i = 0; i < text.len && len < sizeof line - 2; i++)
		line[len++] = printable(text.at[i]);
	line[len++] = '\r';
	line[len++] = '\n';
	return buf_add(out, line, len);
}

bool reply_write(struct buf *out, unsigned code, const char *text, bool enhanced)
{
	struct slice rest = slice_of(text != NULL ? text : ""), line, own, first = { "", 0 };
	char fitting[] = "x.0.0";
	size_t start = out->len;
	unsigned lines = 0;

	/* A script chose the code, too. A wrong one must not become two replies, or none. */
	if (code < 200 || code > 599)
		code = 451;
	fitting[0] = (char)('0' + code / 100);
	do {
		line = next_line(&rest, code, &own);
		if (++lines == 1)
			first = own;
		if (lines == 1 && own.len == 0 && enhanced && code / 100 != 3)
			first = (struct slice){ fitting, sizeof fitting - 1 };
		if (lines == REPLY_LINES_MAX)
			rest.len = 0;
		if (!write_line(out, code, rest.len > 0 ? '-' : ' ', first, line)) {
			out->len = start; /* whole or not at all */
			return false;
		}
	} while (rest.len > 0);
	return true;
}

void reply_reader_init(struct reply_reader *r)
{
	*r = (struct reply_reader){ 0 };
	buf_init(&r->text, REPLY_TEXT_MAX);
}

void reply_reader_free(struct reply_reader *r)
{
	buf_free(&r->text);
	reply_reader_init(r);
}

/* 0: not a code that a server may send here. */
static unsigned read_code(struct slice line)
{
	if (line.len < 3 || line.at[0] < '2' || line.at[0] > '5' || !ascii_is_digit(line.at[1]) ||
	    !ascii_is_digit(line.at[2]))
		return 0;
	return (unsigned)((line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + line.at[2] - '0');
}

static enum reply_step read_line(struct reply_reader *r, struct slice line)
{
	unsigned code = read_code(line);
	char sep = line.len > 3 ? line.at[3] : ' '; /* "250" alone is legal */

	if (code == 0 || (r->lines > 0 && code != r->code) || (sep != ' ' && sep != '-') ||
	    r->lines == REPLY_LINES_MAX)
		return REPLY_BAD;
	if (r->lines > 0 && !buf_add(&r->text, "\n", 1))
		return REPLY_BAD;
	if (line.len > 4) {
		size_t start = r->text.len;

		if (!buf_add(&r->text, line.at + 4, line.len - 4))
			return REPLY_BAD;
		for (size_t i = start; i < r->text.len; i++)
			r->text.at[i] = printable(r->text.at[i]);
	}
	r->code = (uint16_t)code;
	r->lines++;
	return sep == '-' ? REPLY_MORE : REPLY_DONE;
}

enum reply_step reply_read(struct reply_reader *r, struct slice line, struct reply *out)
{
	enum reply_step step = read_line(r, line);

	if (step == REPLY_MORE)
		return step;
	if (step == REPLY_DONE)
		replace(out, r->code, mem_strdup(buf_text(&r->text)));
	reply_reader_free(r);
	return step;
}
