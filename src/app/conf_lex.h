/*
 * conf_lex - the configuration language's words: one file's text to tokens with places.
 *
 * Values with blanks or any of # / " ' = { } [ ] ( ) stand in double quotes, in which \" and \\ are
 * the only escapes. The lexer complains about what is no token; the parser need not.
 */
#ifndef APP_CONF_LEX_H
#define APP_CONF_LEX_H

#include "app/conf.h"

/* Any other kind is the mark itself: one of = { } [ ] ( ) */
enum { TOKEN_END = 0, TOKEN_BAD = '?', TOKEN_WORD = 'w', TOKEN_STRING = '"' };

struct token {
	int kind;
	bool leads; /* the first on its line */
	struct place at;
	const char *text; /* of a word or a string; the arena's */
};

struct lexer {
	struct conf *conf;
	struct complaints *complaints;
	const char *file;
	const char *at;
	const char *end;
	const char *line_at;
	unsigned line;
	bool leads;
};

void lexer_init(struct lexer *x, struct conf *conf, struct complaints *complaints, const char *file,
		struct slice text);
struct token lexer_next(struct lexer *x);

#endif
