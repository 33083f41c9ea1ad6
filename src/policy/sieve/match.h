/*
 * match - comparing two values: match types, relations, comparators (behaviour 1.5).
 *
 * A struct match is what the tags of one test say, bound when the script is compiled; it is
 * immutable from then on.
 */
#ifndef POLICY_SIEVE_MATCH_H
#define POLICY_SIEVE_MATCH_H

#include "policy/value.h"

struct regex;

enum match_kind { MATCH_RELATION, MATCH_CONTAINS, MATCH_GLOB, MATCH_REGEX };
enum relation {
	RELATION_EQ,
	RELATION_NE,
	RELATION_GT,
	RELATION_GE,
	RELATION_LT,
	RELATION_LE,
	RELATION_BITWISE_AND
};
enum comparator { COMPARE_OCTET, COMPARE_CASEMAP, COMPARE_NUMERIC };

/* The first number in a text (D16). */
struct number {
	bool is_whole;
	int64_t whole; /* its integer part, at the ends of the range when it is beyond them */
	double real;
};

/* Zeroed: `:is` with the default comparator. */
struct match {
	enum match_kind kind;
	enum relation relation;	    /* of MATCH_RELATION */
	enum comparator comparator;
	bool counts;		    /* :count compares the number of left's members */
	bool has_number;	    /* right is constant, and this number */
	struct number number;
	struct regex *const *regexes; /* right is constant: one for each member; borrowed */
	unsigned regex_count;
};

/* By name, without its colon. false: no match type. */
bool sieve_match_type_find(struct slice tag, struct match *out, bool *takes_relation_out);
bool sieve_relation_find(struct slice name, enum relation *out);
bool sieve_comparator_find(struct slice name, enum comparator *out);
/* All of them, for messages. */
extern const char sieve_match_types[], sieve_relations[], sieve_comparators[];
const char *sieve_match_name(const struct match *match);     /* "value" */
const char *sieve_relation_name(enum relation relation);     /* "gt" */
const char *sieve_comparator_name(enum comparator comparator);

struct number sieve_number(struct slice text);

/*
 * Whether any member of left stands so to any member of right. Takes from *steps what it costs.
 * NULL, or why there is no answer; then *out is false.
 */
const char *sieve_match(const struct match *match, struct arena *arena, const struct value *left,
			const struct value *right, int *steps, bool *out);

#endif
