#include "policy/sieve/lexer.h"

#include "base/ascii.h"
#include "policy/sieve/limits.h"

static const char *const token_names[] = {
	[TOKEN_END] = "END",
	[TOKEN_BAD] = "BAD",
	[TOKEN_IDENTIFIER] = "IDENTIFIER",
	[TOKEN_TAG] = "TAG",
	[TOKEN_VARIABLE] = "VARIABLE",
	[TOKEN_STRING] = "STRING",
	[TOKEN_MULTILINE] = "STRING",
	[TOKEN_NUMBER] = "NUMBER",
	[TOKEN_SEMICOLON] = "SEMICOLON",
	[TOKEN_COMMA] = "COMMA",
	[TOKEN_EQUALS] = "EQUALS",
	[TOKEN_LPAREN] = "LPAREN",
	[TOKEN_RPAREN] = "RPAREN",
	[TOKEN_LBRACKET] = "LBRACKET",
	[TOKEN_RBRACKET] = "RBRACKET",
	[TOKEN_LBRACE] = "LBRACE",
	[TOKEN_RBRACE] = "RBRACE",
};

static const struct {
	char spelling;
	enum token_type type;
} signs[] = {
	{ ';', TOKEN_SEMICOLON }, { ',', TOKEN_COMMA },	   { '=', TOKEN_EQUALS },
	{ '(', TOKEN_LPAREN },	  { ')', TOKEN_RPAREN },   { '[', TOKEN_LBRACKET },
	{ ']', TOKEN_RBRACKET },  { '{', TOKEN_LBRACE },   { '}', TOKEN_RBRACE },
};

const char *sieve_token_name(enum token_type type)
{
	return token_names[type];
}

void sieve_lexer_init(struct lexer *lexer, struct slice source)
{
	const char *end = source.at + source.len;

	if (source.len >= 3 && memcmp(source.at, "\xef\xbb\xbf", 3) == 0)
		source.at += 3;
	*lexer = (struct lexer){ .at = source.at, .end = end, .line_start = source.at, .line = 1 };
}

static bool is_name_start(char c)
{
	return ascii_is_letter(c) || c == '_';
}

static bool is_name(char c)
{
	return is_name_start(c) || ascii_is_digit(c);
}

static char peek(const struct lexer *lexer, size_t ahead)
{
	return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : '\0';
}

/* Every byte passes here, so that lines are counted in one place. */
static void step(struct lexer *lexer)
{
	if (*lexer->at++ == '\n') {
		lexer->line++;
		lexer->line_start = lexer->at;
	}
}

static bool skip_comment(struct lexer *lexer)
{
	step(lexer);
	step(lexer);
	while (lexer->at < lexer->end) {
		if (lexer->at[0] == '*' && peek(lexer, 1) == '/') {
			step(lexer);
			step(lexer);
			return true;
		}
		step(lexer);
	}
	return false;
}

/* false: at a comment that is not closed. */
static bool skip_blanks(struct lexer *lexer)
{
	while (lexer->at < lexer->end) {
		struct lexer here = *lexer;

		switch (*lexer->at) {
		case ' ':
		case '\t':
		case '\r':
		case '\n':
			step(lexer);
			continue;
		case '#':
			while (lexer->at < lexer->end && *lexer->at != '\n')
				step(lexer);
			continue;
		case '/':
			if (peek(lexer, 1) == '*') {
				if (skip_comment(lexer))
					continue;
				*lexer = here;
				return false;
			}
			return true;
		}
		return true;
	}
	return true;
}

static struct token token_at(const struct lexer *lexer, enum token_type type)
{
	struct spot at = { lexer->line, (unsigned)(lexer->at - lexer->line_start) + 1 };

	return (struct token){ .type = type, .at = at };
}

static struct token bad(struct token token, const char *why)
{
	token.type = TOKEN_BAD;
	token.text = slice_of(why);
	return token;
}

/* The rest of the source means nothing once a string or a comment runs into its end. */
static struct token bad_to_the_end(struct lexer *lexer, struct token token, const char *why)
{
	while (lexer->at < lexer->end)
		step(lexer);
	return bad(token, why);
}

static struct slice take_name(struct lexer *lexer)
{
	struct slice name = { lexer->at, 0 };

	while (is_name(peek(lexer, name.len)))
		name.len++;
	lexer->at += name.len;
	return name;
}

static struct token named(struct lexer *lexer, enum token_type type, size_t sigil)
{
	struct token token = token_at(lexer, type);

	lexer->at += sigil;
	if (!is_name_start(peek(lexer, 0)))
		return bad(token, type == TOKEN_TAG ? "':' without the name of a tag"
						    : "'$' without the name of a variable");
	token.text = take_name(lexer);
	if (token.text.len > SIEVE_NAME_MAX)
		return bad(token, "name of more than 64 characters");
	return token;
}

static struct token quoted(struct lexer *lexer)
{
	struct token token = token_at(lexer, TOKEN_STRING);

	step(lexer);
	token.text.at = lexer->at;
	while (lexer->at < lexer->end && *lexer->at != '"') {
		if (*lexer->at == '\\' && lexer->at + 1 < lexer->end)
			step(lexer);
		step(lexer);
	}
	token.text.len = (size_t)(lexer->at - token.text.at);
	if (lexer->at == lexer->end)
		return bad_to_the_end(lexer, token, "string that is not closed, expected '\"'");
	step(lexer);
	return token;
}

/* The length of `text:`, blanks and the line break, when that is what stands here; else 0. */
static size_t multiline_opening(const struct lexer *lexer)
{
	size_t n = 5;

	if (lexer->end - lexer->at < 6 ||
	    !slice_equal_nocase((struct slice){ lexer->at, 5 }, SLICE("text:")))
		return 0;
	while (peek(lexer, n) == ' ' || peek(lexer, n) == '\t')
		n++;
	if (peek(lexer, n) == '\r')
		n++;
	return peek(lexer, n) == '\n' ? n + 1 : 0;
}

static bool is_dot_line(const struct lexer *lexer)
{
	return peek(lexer, 0) == '.' &&
	       (peek(lexer, 1) == '\n' || (peek(lexer, 1) == '\r' && peek(lexer, 2) == '\n') ||
		lexer->at + 1 == lexer->end);
}

static struct token multiline(struct lexer *lexer, size_t opening)
{
	struct token token = token_at(lexer, TOKEN_MULTILINE);

	while (opening-- > 0)
		step(lexer);
	token.text.at = lexer->at;
	while (lexer->at < lexer->end && !is_dot_line(lexer)) {
		while (lexer->at < lexer->end && *lexer->at != '\n')
			step(lexer);
		if (lexer->at < lexer->end)
			step(lexer);
	}
	token.text.len = (size_t)(lexer->at - token.text.at);
	if (lexer->at == lexer->end)
		return bad_to_the_end(lexer, token,
				      "text: that is not closed, expected a line with only '.'");
	step(lexer);
	return token;
}

static struct token number(struct lexer *lexer)
{
	struct token token = token_at(lexer, TOKEN_NUMBER);
	bool is_plain = *lexer->at != '-', too_large = false;
	unsigned shift = 0;

	token.text.at = lexer->at;
	if (!is_plain)
		lexer->at++;
	for (; ascii_is_digit(peek(lexer, 0)); lexer->at++)
		too_large |= __builtin_mul_overflow(token.number, 10, &token.number) ||
			     __builtin_add_overflow(token.number, *lexer->at - '0', &token.number);
	if (peek(lexer, 0) == '.' && ascii_is_digit(peek(lexer, 1))) {
		is_plain = false;
		for (lexer->at++; ascii_is_digit(peek(lexer, 0));)
			lexer->at++;
	}
	token.text.len = (size_t)(lexer->at - token.text.at);
	switch (peek(lexer, 0)) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	}
	if (shift != 0 && is_plain) {
		lexer->at++;
		too_large |=
			__builtin_mul_overflow(token.number, (int64_t)1 << shift, &token.number);
	}
	if (is_name(peek(lexer, 0))) {
		take_name(lexer);
		return bad(token,
			   "number with letters after it, expected K, M or G after a whole one");
	}
	if (!is_plain) {
		token.type = TOKEN_STRING;
		return token;
	}
	return too_large ? bad(token, "number that is larger than 9223372036854775807") : token;
}

struct token sieve_lexer_next(struct lexer *lexer)
{
	struct token token;
	size_t opening;
	char c;

	if (!skip_blanks(lexer))
		return bad_to_the_end(lexer, token_at(lexer, TOKEN_BAD),
				      "comment that is not closed, expected '*/'");
	if (lexer->at == lexer->end)
		return token_at(lexer, TOKEN_END);
	c = *lexer->at;
	if (c == '"')
		return quoted(lexer);
	if (c == '$')
		return named(lexer, TOKEN_VARIABLE, 1);
	if (c == ':')
		return named(lexer, TOKEN_TAG, 1);
	if (ascii_is_digit(c) || (c == '-' && ascii_is_digit(peek(lexer, 1))))
		return number(lexer);
	opening = multiline_opening(lexer);
	if (opening > 0)
		return multiline(lexer, opening);
	if (is_name_start(c))
		return named(lexer, TOKEN_IDENTIFIER, 0);
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		if (c == signs[i].spelling) {
			token = token_at(lexer, signs[i].type);
			step(lexer);
			return token;
		}
	}
	token = token_at(lexer, TOKEN_BAD);
	step(lexer);
	return bad(token, "character that means nothing outside a string");
}
