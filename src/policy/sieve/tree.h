/*
 * tree - a script as the parser saw it (behaviour 1.2), and what the checker found out about it.
 *
 * Everything lives in the arena of its parse and points into the source.
 */
#ifndef POLICY_SIEVE_TREE_H
#define POLICY_SIEVE_TREE_H

#include "policy/fn.h"
#include "policy/sieve/lexer.h"
#include "policy/sieve/match.h"
#include "policy/sieve/text.h"

enum arg_kind { ARG_TAG, ARG_STRING, ARG_NUMBER, ARG_LIST, ARG_VARIABLE, ARG_SUBSCRIPT };

struct arg {
	enum arg_kind kind;
	struct spot at;
	struct arg *next;
	struct slice name;  /* of tag, variable, subscripted variable */
	struct text text;   /* of string */
	int64_t number;
	struct arg *inside; /* members of a list; the index of a subscript */
	unsigned count;	    /* of members */
};

/* What a call is for; the checker fills it in. */
enum call_kind {
	CALL_FUNCTION, /* fn */
	CALL_STUB, /* not in this build, and to do nothing instead (D91) */
	CALL_INCLUDE,
	CALL_STOP
};

struct call {
	struct slice name;
	struct spot at;
	struct arg *args; /* the checker takes tags, and what belongs to them, out */
	unsigned argc;
	enum call_kind kind;
	const struct policy_fn *fn;
	struct slice tag;
	struct arg *tag_value; /* NULL: it takes none */
};

enum test_kind { TEST_TRUE, TEST_FALSE, TEST_NOT, TEST_ALLOF, TEST_ANYOF, TEST_CALL };

struct test {
	enum test_kind kind;
	struct spot at;
	struct test *inside; /* of not, allof, anyof */
	struct test *next;
	struct call call;
	/* Of a call, by the checker. */
	struct match match;
	struct arg *left;  /* of ec_test, which calls nothing */
	struct arg *right; /* NULL: the call's own value is the truth */
};

enum statement_kind {
	STATEMENT_REQUIRE,
	STATEMENT_IF,
	STATEMENT_ASSIGN,
	STATEMENT_SPREAD,
	STATEMENT_COMMAND
};

/* if, elsif and else are a chain; else has no test. */
struct branch {
	struct spot at;
	struct test *test;
	struct statement *block;
	struct branch *next;
};

struct statement {
	enum statement_kind kind;
	struct spot at;
	struct statement *next;
	struct branch *branches;
	struct arg *targets;	/* variables to assign to */
	unsigned target_count;
	struct arg *value;	/* what to assign, or to require; NULL: call's */
	struct call call;
};

#endif
