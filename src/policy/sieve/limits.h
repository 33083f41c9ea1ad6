/*
 * limits - how big a script may be, and how much one run of it may use.
 *
 * Scripts come from the site, but what runs through them comes from anyone: nothing that a peer
 * sends may take the stack, the memory or the thread away from the other sessions.
 */
#ifndef POLICY_SIEVE_LIMITS_H
#define POLICY_SIEVE_LIMITS_H

enum {
	SIEVE_SOURCE_MAX = 256 << 10, /* bytes of one file */
	SIEVE_STATEMENTS_MAX = 10000, /* of one file */
	SIEVE_NESTING_MAX = 32,	      /* blocks and tests inside each other */
	SIEVE_TESTS_MAX = 256,	      /* in one anyof or allof */
	SIEVE_ARGS_MAX = 32,	      /* of one call, tags included; targets of one `( ... ) =` */
	SIEVE_LIST_MAX = 1024,	      /* members of a list as written */
	SIEVE_PARTS_MAX = 128, /* variables, macros and the texts between them, in one string */
	SIEVE_NAME_MAX = 64,
	SIEVE_VARIABLES_MAX = 1024, /* different names in one stanza */
	SIEVE_INCLUDE_DEPTH = 20,   /* 1.10 */
	SIEVE_INCLUDES_MAX = 500,   /* files that one script includes by constant names */

	SIEVE_STRING_MAX = 64 << 10, /* bytes of a string, as written or put together */
	SIEVE_PATTERN_MAX = 4096,    /* bytes of a regular expression */
	SIEVE_REGEX_DEPTH = 10000,   /* of backtracking */
	SIEVE_REGEX_HEAP_K = 2048,
};

/*
 * A step is one operation of the bytecode, or as much work as one: some dozens of nanoseconds.
 * After a slice a run that can wait makes room for the other sessions of its loop; at the total it
 * is a run-time error that ends the script in either error mode. In accept, where nothing can wait,
 * the total is a tenth.
 */
struct sieve_budget {
	int slice;
	int total;
};
#define SIEVE_BUDGET_USUAL ((struct sieve_budget){ .slice = 10000, .total = 1000000 })

#endif
