#include <string.h>

#include "policy/lua/lua_source.h"

/* What follows is skipped, not looked at. Each takes a place in the text and gives the one after.
 */

/* "[[", "[==[": its length; 0: none here. */
static size_t long_bracket(const char *at, const char *end)
{
	const char *p = at;

	if (p == end || *p++ != '[')
		return 0;
	while (p < end && *p == '=')
		p++;
	return p < end && *p == '[' ? (size_t)(p - at) + 1 : 0;
}

static char *skip_long(char *at, char *end, size_t bracket)
{
	for (at += bracket; at + bracket <= end; at++)
		if (*at == ']' && at[bracket - 1] == ']' && strspn(at + 1, "=") == bracket - 2)
			return at + bracket;
	return end;
}

static char *skip_line(char *at, char *end)
{
	char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

static char *skip_quoted(char *at, char *end)
{
	char quote = *at++;

	for (; at < end && *at != quote && *at != '\n'; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at < end ? at + 1 : end;
}

static char *skip_comment(char *at, char *end)
{
	size_t bracket = long_bracket(at + 2, end);

	return bracket ? skip_long(at + 2, end, bracket) : skip_line(at, end);
}

static const struct operator {
	char text[3];
	const char *instead;
} operators[] = { /* the longer ones first */
	{ "^^", "bit.bxor(a, b)" }, { "<<", "bit.lshift(a, n)" }, { ">>", "bit.rshift(a, n)" },
	{ "&", "bit.band(a, b)" },  { "|", "bit.bor(a, b)" },	  { "\\", "math.floor(a / b)" },
	{ "~", "bit.bnot(a)" },
};

static const char *operator_at(const char *at, const char *end)
{
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		size_t len = strlen(operators[i].text);

		if ((size_t)(end - at) >= len && memcmp(at, operators[i].text, len) == 0)
			return operators[i].instead;
	}
	return NULL;
}

char *lua_token_skip(char *at, char *end, const char **instead_out)
{
	size_t bracket = long_bracket(at, end);
	bool equals = at + 1 < end && at[1] == '=';

	if (bracket)
		return skip_long(at, end, bracket);
	if (*at == '"' || *at == '\'')
		return skip_quoted(at, end);
	if (*at == '-' && at + 1 < end && at[1] == '-')
		return skip_comment(at, end);
	if (equals && (*at == '!' || *at == '~')) {
		*at = '~';
		return at + 2;
	}
	*instead_out = operator_at(at, end);
	return at + 1;
}

bool lua_dialect(char *text, size_t len, unsigned *line_out, const char **instead_out)
{
	char *at = text, *end = text + len;

	*instead_out = NULL;
	*line_out = 1;
	if (at < end && *at == '#') /* "#!" */
		at = skip_line(at, end);
	while (at < end) {
		char *next = lua_token_skip(at, end, instead_out);

		if (*instead_out)
			return false;
		for (; at < next; at++)
			*line_out += *at == '\n';
	}
	return true;
}
