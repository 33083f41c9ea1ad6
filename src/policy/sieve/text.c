#include "policy/sieve/text.h"

#include "base/ascii.h"
#include "base/check.h"
#include "policy/sieve/limits.h"

/*
 * raw is read once, out is written behind it: what is written is never longer than what was read.
 * text_from is where the plain text began that is not yet a part.
 */
struct splitter {
	struct slice raw;
	size_t at;
	char *out;
	size_t len;
	size_t text_from;
	bool is_multiline;
	unsigned count;
	struct part parts[SIEVE_PARTS_MAX];
};

static char peek(const struct splitter *s, size_t ahead)
{
	return ahead < s->raw.len - s->at ? s->raw.at[s->at + ahead] : '\0';
}

static bool add_part(struct splitter *s, enum part_kind kind, struct slice text)
{
	if (s->count == SIEVE_PARTS_MAX)
		return false;
	s->parts[s->count++] = (struct part){ .kind = kind, .text = text };
	return true;
}

static bool end_plain(struct splitter *s)
{
	struct slice plain = { s->out + s->text_from, s->len - s->text_from };

	return plain.len == 0 || add_part(s, PART_TEXT, plain);
}

static bool is_plain_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (!ascii_is_letter(c) && c != '_' && (i == 0 || !ascii_is_digit(c)))
			return false;
	}
	return name.len > 0 && name.len <= SIEVE_NAME_MAX;
}

/* At "${" or "%{". false: it is no variable and no macro, so it is plain text. */
static bool take_braces(struct splitter *s, bool *fits_out)
{
	enum part_kind kind = peek(s, 0) == '$' ? PART_VARIABLE : PART_MACRO;
	struct slice inside = { s->raw.at + s->at + 2, 0 };
	const char *close = memchr(inside.at, '}', s->raw.len - s->at - 2);

	if (close == NULL)
		return false;
	inside.len = (size_t)(close - inside.at);
	if (kind == PART_VARIABLE ? !is_plain_name(inside)
				  : slice_has(inside, '\\'))
		return false;
	*fits_out = end_plain(s) && add_part(s, kind, inside);
	s->at += inside.len + 3;
	s->text_from = s->len;
	return true;
}

/* In text: a backslash is a plain character, except where it keeps a variable or macro away. */
static bool is_escape(const struct splitter *s)
{
	if (peek(s, 0) != '\\' || s->at + 1 == s->raw.len)
		return false;
	return !s->is_multiline || ((peek(s, 1) == '$' || peek(s, 1) == '%') && peek(s, 2) == '{');
}

static bool is_stuffed_dot(const struct splitter *s)
{
	return s->is_multiline && peek(s, 0) == '.' && (s->at == 0 || s->raw.at[s->at - 1] == '\n');
}

static bool split(struct splitter *s)
{
	bool fits = true;

	while (s->at < s->raw.len && fits) {
		if (is_stuffed_dot(s) && peek(s, 1) == '.')
			s->at++;
		else if (is_escape(s))
			s->at++;
		else if ((peek(s, 0) == '$' || peek(s, 0) == '%') && peek(s, 1) == '{' &&
			 take_braces(s, &fits))
			continue;
		s->out[s->len++] = s->raw.at[s->at++];
	}
	return fits && end_plain(s);
}

const char *sieve_text_parse(struct arena *arena, const struct token *string, struct text *out)
{
	struct splitter s = { .raw = string->text,
			      .is_multiline = string->type == TOKEN_MULTILINE };

	*out = (struct text){ 0 };
	if (s.raw.len > SIEVE_STRING_MAX)
		return "string of more than 65536 bytes";
	s.out = arena_take(arena, s.raw.len + 1);
	CHECK(s.out != NULL);
	if (!split(&s))
		return "string with more than 128 parts";
	if (s.count == 0)
		return NULL;
	out->count = s.count;
	out->parts = arena_take(arena, s.count * sizeof *s.parts);
	CHECK(out->parts != NULL);
	memcpy(out->parts, s.parts, s.count * sizeof *s.parts);
	return NULL;
}

bool sieve_text_is_constant(const struct text *text, struct slice *value_out)
{
	if (text->count > 1 || (text->count == 1 && text->parts[0].kind != PART_TEXT))
		return false;
	*value_out = text->count == 1 ? text->parts[0].text : SLICE("");
	return true;
}
