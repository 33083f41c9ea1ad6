#include "app/conf_lex.h"

void lexer_init(struct lexer *x, struct conf *conf, struct complaints *complaints, const char *file,
		struct slice text)
{
	*x = (struct lexer){
		.conf = conf,
		.complaints = complaints,
		.file = file,
		.at = text.at,
		.end = text.at + text.len,
		.line_at = text.at,
		.line = 1,
		.leads = true,
	};
}

static struct place here(const struct lexer *x)
{
	return (struct place){ x->file, x->line, (unsigned)(x->at - x->line_at) + 1 };
}

/* 0 at the end: a zero octet is refused wherever it is met, so the two need no telling apart. */
static unsigned char peek(const struct lexer *x, size_t ahead)
{
	return (size_t)(x->end - x->at) > ahead ? (unsigned char)x->at[ahead] : 0;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_mark(unsigned char c)
{
	return c != 0 && strchr("={}[]()", c) != NULL;
}

static bool is_word(unsigned char c)
{
	return c > ' ' && c != 0x7f && strchr("#/\"'={}[]()", c) == NULL;
}

static void next_line(struct lexer *x)
{
	x->at++;
	x->line++;
	x->line_at = x->at;
	x->leads = true;
}

static void skip_comment(struct lexer *x)
{
	struct place opened = here(x);

	for (x->at += 2; x->at < x->end;) {
		if (peek(x, 0) == '*' && peek(x, 1) == '/') {
			x->at += 2;
			return;
		}
		if (*x->at == '\n')
			next_line(x);
		else
			x->at++;
	}
	complain(x->complaints, opened,
		 "comment is not closed, expected '*/' before the end of the file");
	x->conf->broken = true;
}

static void skip_blanks(struct lexer *x)
{
	while (x->at < x->end) {
		if (*x->at == '\n')
			next_line(x);
		else if (is_blank((unsigned char)*x->at))
			x->at++;
		else if (*x->at == '#')
			while (x->at < x->end && *x->at != '\n')
				x->at++;
		else if (*x->at == '/' && peek(x, 1) == '*')
			skip_comment(x);
		else
			return;
	}
}

static struct token word(struct lexer *x, struct token t)
{
	const char *start = x->at;
	size_t len;

	while (x->at < x->end && is_word((unsigned char)*x->at))
		x->at++;
	len = (size_t)(x->at - start);
	if (len > CONF_TEXT_MAX) {
		complain(x->complaints, t.at, "a word of %zu octets, expected at most %d", len,
			 CONF_TEXT_MAX);
		return t;
	}
	t.kind = TOKEN_WORD;
	t.text = conf_copy(x->conf, (struct slice){ start, len });
	return t;
}

/* Copies what stands between the quotes; false when there was something in it that can't. */
static bool unescape(struct lexer *x, char *out, const char *end)
{
	while (x->at < end) {
		unsigned char c = (unsigned char)*x->at;

		if ((c < ' ' && c != '\t') || c == 0x7f) {
			complain(x->complaints, here(x), "octet 0x%02x in a string, expected text",
				 c);
			return false;
		}
		if (c == '\\') {
			if (x->at[1] != '\\' && x->at[1] != '"') {
				complain(x->complaints, here(x),
					 "unknown escape in a string, expected \\\\ or \\\"");
				return false;
			}
			x->at++;
		}
		*out++ = *x->at++;
	}
	return true;
}

static struct token string(struct lexer *x, struct token t)
{
	const char *end = ++x->at;
	char *text;
	size_t len;
	bool fine;

	while (end < x->end && *end != '"' && *end != '\n')
		end += *end == '\\' && end + 1 < x->end && end[1] != '\n' ? 2 : 1;
	if (end == x->end || *end != '"') {
		complain(x->complaints, t.at,
			 "string is not closed, expected '\"' before the end of the line");
		for (; x->at < end;
		     x->at++) /* it may have swallowed where a scope begins or ends */
			x->conf->broken |= *x->at == '{' || *x->at == '}';
		return t;
	}
	len = (size_t)(end - x->at);
	if (len > CONF_TEXT_MAX) {
		complain(x->complaints, t.at, "a string of %zu octets, expected at most %d", len,
			 CONF_TEXT_MAX);
		x->at = end + 1;
		return t;
	}
	text = conf_take(x->conf, len + 1);
	fine = unescape(x, text, end);
	x->at = end + 1;
	if (fine) {
		t.kind = TOKEN_STRING;
		t.text = text;
	}
	return t;
}

/* Eats what was meant as one word, for one complaint instead of three. */
static struct token bad(struct lexer *x, struct token t)
{
	unsigned char c = (unsigned char)*x->at++;
	const char *line_end = memchr(x->at, '\n', (size_t)(x->end - x->at));
	const char *close =
		c != '\'' ? NULL
			  : memchr(x->at, c, (size_t)((line_end ? line_end : x->end) - x->at));

	if (c == '/' || c == '\'')
		complain(x->complaints, t.at,
			 "%c outside of a string, expected the value in double quotes", c);
	else
		complain(x->complaints, t.at, "octet 0x%02x, expected text", c);
	if (close != NULL)
		x->at = close + 1;
	while (x->at < x->end && !is_blank((unsigned char)*x->at) &&
	       !is_mark((unsigned char)*x->at))
		x->at++;
	return t;
}

struct token lexer_next(struct lexer *x)
{
	struct token t = { .kind = TOKEN_BAD };

	skip_blanks(x);
	t.at = here(x);
	t.leads = x->leads;
	x->leads = false;
	if (x->at >= x->end) {
		t.kind = TOKEN_END;
		return t;
	}
	if (is_mark((unsigned char)*x->at)) {
		t.kind = *x->at++;
		return t;
	}
	if (*x->at == '"')
		return string(x, t);
	if (is_word((unsigned char)*x->at))
		return word(x, t);
	return bad(x, t);
}
