/*
 * text - a string as it is written, taken apart once: plain text, ${variables}, %{macros}
 * (behaviour 1.4).
 *
 * The order of the parts is the order of expansion; nothing that comes out is looked at again
 * (D12).
 */
#ifndef POLICY_SIEVE_TEXT_H
#define POLICY_SIEVE_TEXT_H

#include "base/arena.h"
#include "policy/sieve/lexer.h"

enum part_kind { PART_TEXT, PART_VARIABLE, PART_MACRO };

struct part {
	enum part_kind kind;
	unsigned slot;	   /* PART_VARIABLE: filled in by the compiler */
	struct slice text; /* or the name between the braces */
};

struct text {
	unsigned count; /* 0: the empty string */
	struct part *parts;
};

/* Into the arena. NULL, or what is wrong with it. */
const char *sieve_text_parse(struct arena *arena, const struct token *string, struct text *out);

/* Whether it is the same at every run, and then its value. */
bool sieve_text_is_constant(const struct text *text, struct slice *value_out);

#endif
