#include "policy/sieve/regex.h"

#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "policy/sieve/limits.h"

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
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
	pcre2_code *code;

	pcre2_set_max_pattern_length(limits, SIEVE_PATTERN_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.len, ignore_case ? PCRE2_CASELESS : 0,
			     why, where, limits);
	pcre2_compile_context_free(limits);
	return code;
}

struct regex *sieve_regex_new(struct slice pattern, bool ignore_case, char error[REGEX_ERROR_MAX])
{
	struct regex *regex = mem_new(sizeof *regex);
	char text[120];
	size_t where;
	int why;

	regex->code = compile(pattern.len > 0 ? pattern : SLICE(""), ignore_case, &why, &where);
	if (regex->code == NULL) {
		pcre2_get_error_message(why, (PCRE2_UCHAR *)text, sizeof text);
		snprintf(error, REGEX_ERROR_MAX, "%s, at offset %zu", text, where);
		free(regex);
		return NULL;
	}
	regex->limits = there(pcre2_match_context_create(NULL));
	pcre2_set_match_limit(regex->limits, SIEVE_REGEX_STEPS);
	pcre2_set_depth_limit(regex->limits, SIEVE_REGEX_DEPTH);
	pcre2_set_heap_limit(regex->limits, SIEVE_REGEX_HEAP_K);
	return regex;
}

void sieve_regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_code_free(regex->code);
	pcre2_match_context_free(regex->limits);
	free(regex);
}

const char *sieve_regex_match(const struct regex *regex, struct slice text, bool *out)
{
	pcre2_match_data *where = there(pcre2_match_data_create(1, NULL));
	int got;

	got = pcre2_match(regex->code, (PCRE2_SPTR)(text.len > 0 ? text.at : ""), text.len, 0, 0,
			  where, regex->limits);
	pcre2_match_data_free(where);
	*out = got >= 0;
	if (got >= 0 || got == PCRE2_ERROR_NOMATCH)
		return NULL;
	return got == PCRE2_ERROR_MATCHLIMIT || got == PCRE2_ERROR_DEPTHLIMIT ||
			       got == PCRE2_ERROR_HEAPLIMIT
		       ? "the regular expression takes too long on this text"
		       : "the regular expression can't be used on this text";
}
