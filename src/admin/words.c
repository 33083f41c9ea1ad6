#include "admin/words.h"

#include "base/ascii.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_is_control(line[i]) && line[i] != '\t')
			return true;
	return false;
}

/* Copies one word over itself without its quotes. false: a quote was not closed. */
static bool take_word(char **from, const char *end, struct slice *word_out)
{
	char *in = *from, *out = *from;
	bool quoted = false;

	for (; in < end && (quoted || !is_blank(*in)); in++) {
		if (*in == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *in == '\\' && in + 1 < end)
			in++;
		*out++ = *in;
	}
	*word_out = (struct slice){ *from, (size_t)(out - *from) };
	*from = in;
	return !quoted;
}

const char *words_split(char *line, size_t len, struct slice *words, unsigned most,
			unsigned *count_out)
{
	char *at = line;
	const char *end = line + len;

	*count_out = 0;
	if (has_control(line, len))
		return "a control character in the line";
	for (;; ++*count_out) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return NULL;
		if (*count_out == most)
			return "too many words";
		if (!take_word(&at, end, &words[*count_out]))
			return "a quote is not closed";
	}
}
