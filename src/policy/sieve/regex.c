#include "policy/sieve/regex.h"

#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "policy/sieve/limits.h"

enum { BYTES_A_STEP = 64 };

struct regex {
	pcre2_code *code;
};

static void *there(void *at)
{
	if (at == NULL)
		abort(); /* as base/mem.h does */
	return at;
}

static pcre2_code *compile(struct slice pattern, bool ignore_case, int *why, size_t *where)
{
	pcre2_compile_context *limits = there(pcre2_compile_context_create(NULL));
	uint32_t options = PCRE2_AUTO_CALLOUT | (ignore_case ? PCRE2_CASELESS : 0);
	pcre2_code *code;

	pcre2_set_max_pattern_length(limits, SIEVE_PATTERN_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.len, options, why, where, limits);
	pcre2_compile_context_free(limits);
	return code;
}

struct regex *sieve_regex_new(struct slice pattern, bool ignore_case, char error[REGEX_ERROR_MAX])
{
	struct regex *regex;
	pcre2_code *code;
	char text[120];
	size_t where;
	int why;

	code = compile(pattern.len > 0 ? pattern : SLICE(""), ignore_case, &why, &where);
	if (code == NULL) {
		pcre2_get_error_message(why, (PCRE2_UCHAR *)text, sizeof text);
		snprintf(error, REGEX_ERROR_MAX, "%s, at offset %zu", text, where);
		return NULL;
	}
	regex = mem_new(sizeof *regex);
	regex->code = code;
	return regex;
}

void sieve_regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

struct toll {
	int steps;
	size_t at; /* in the text, at the step before */
};

static int pay(pcre2_callout_block *here, void *arg)
{
	struct toll *toll = arg;
	size_t from = toll->at, to = here->current_position;

	toll->at = to;
	toll->steps -= 1 + (int)((to > from ? to - from : from - to) / BYTES_A_STEP);
	return toll->steps < 0 ? PCRE2_ERROR_CALLOUT : 0;
}

static const char *result_of(int got, bool *out)
{
	*out = got >= 0;
	switch (got) {
	case PCRE2_ERROR_NOMATCH:
		return NULL;
	case PCRE2_ERROR_CALLOUT:
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
		return "the regular expression takes too long on this text";
	}
	return got >= 0 ? NULL : "the regular expression can't be used on this text";
}

const char *sieve_regex_match(const struct regex *regex, struct slice text, int *steps, bool *out)
{
	pcre2_match_data *where = there(pcre2_match_data_create(1, NULL));
	pcre2_match_context *limits = there(pcre2_match_context_create(NULL));
	struct toll toll = { .steps = *steps };
	int got;

	pcre2_set_callout(limits, pay, &toll);
	pcre2_set_depth_limit(limits, SIEVE_REGEX_DEPTH);
	pcre2_set_heap_limit(limits, SIEVE_REGEX_HEAP_K);
	got = pcre2_match(regex->code, (PCRE2_SPTR)(text.len > 0 ? text.at : ""), text.len, 0, 0,
			  where, limits);
	pcre2_match_context_free(limits);
	pcre2_match_data_free(where);
	*steps = toll.steps;
	return result_of(got, out);
}
