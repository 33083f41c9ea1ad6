/*
 * lexer - a Sieve++ source as tokens (behaviour 1.1).
 *
 * Nothing is copied: a token's text points into the source. Strings are handed on as they are
 * written; text.h takes them apart, because only the written form tells `\$` from `$` (D104).
 */
#ifndef POLICY_SIEVE_LEXER_H
#define POLICY_SIEVE_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum token_type {
	TOKEN_END,
	TOKEN_BAD, /* text says what is wrong with it */
	TOKEN_IDENTIFIER,
	TOKEN_TAG,	 /* text without the colon */
	TOKEN_VARIABLE,	 /* text without the $ */
	TOKEN_STRING,	 /* text between the quotes; a signed or broken number as it stands (D1) */
	TOKEN_MULTILINE, /* text between `text:` and the line of the closing dot */
	TOKEN_NUMBER,
	TOKEN_SEMICOLON,
	TOKEN_COMMA,
	TOKEN_EQUALS,
	TOKEN_LPAREN,
	TOKEN_RPAREN,
	TOKEN_LBRACKET,
	TOKEN_RBRACKET,
	TOKEN_LBRACE,
	TOKEN_RBRACE
};

/* Where it is written; both start at 1, col counts bytes. */
struct spot {
	unsigned line;
	unsigned col;
};

struct token {
	enum token_type type;
	struct spot at;
	struct slice text;
	int64_t number;
};

struct lexer {
	const char *at;
	const char *end;
	const char *line_start;
	unsigned line;
};

void sieve_lexer_init(struct lexer *lexer, struct slice source);
struct token sieve_lexer_next(struct lexer *lexer);

const char *sieve_token_name(enum token_type type); /* "COMMA" */

#endif
