/*
 * program - a script as the machine runs it.
 *
 * A stack machine with one truth register. Immutable once it is made, and counted by references,
 * since a run may hold an included program that the cache has long replaced.
 */
#ifndef POLICY_SIEVE_PROGRAM_H
#define POLICY_SIEVE_PROGRAM_H

#include <stdatomic.h>

#include "base/complain.h"
#include "policy/fn.h"
#include "policy/sieve/check.h"
#include "policy/sieve/symbols.h"

/* "x", "a": the members of struct op. "push", "pop": values on the stack. */
enum opcode {
	OP_END,
	OP_CONSTANT,  /* push constants[x] */
	OP_VARIABLE,  /* push variable x */
	OP_STRING_OF, /* push the text of variable x: "${name}" and nothing else */
	OP_TEXT,      /* push texts[x], put together */
	OP_LIST,      /* pop x members, push the list of them */
	OP_INDEX,     /* pop an index and what it indexes, push the element */
	OP_CALL,      /* pop the arguments of sites[x], call it, push its value */
	OP_DROP,      /* pop */
	OP_STORE,     /* pop into variable x */
	OP_SPREAD,    /* pop a list, push its first x members, the first on top */
	OP_MATCH,     /* pop right and left: truth is whether matches[x] holds */
	OP_TRUTH,     /* pop: truth is whether it is true */
	OP_SET,	      /* truth is x */
	OP_NOT,
	OP_JUMP,      /* to x */
	OP_JUMP_IF,
	OP_JUMP_UNLESS,
	OP_IF,	      /* a condition begins: nothing has come true yet */
	OP_ENTER,     /* a block begins, `depth` deep, because of what came true */
	OP_INCLUDE,   /* pop a path, run the script there and come back */
	OP_STOP
};

struct op {
	uint8_t code;
	bool negated; /* OP_MATCH, OP_TRUTH: under an odd number of `not` */
	uint8_t depth; /* blocks around, for the cause of what it does */
	uint32_t x;
	uint32_t line;
};

/* One call as it is written somewhere. */
struct call_site {
	const struct policy_fn *fn;
	struct slice tag;
	bool tag_takes; /* a value, which lies behind the arguments */
	unsigned argc;
	bool ends; /* the script, when it works (1.6) */
};

/* A file that a script always includes under this name. */
struct include {
	struct slice path;
	struct spot at;
};

struct program {
	atomic_uint refs;
	char *file;
	struct op *ops;
	unsigned op_count;
	struct value *constants;
	unsigned constant_count;
	struct text *texts;
	unsigned text_count;
	struct match *matches;
	unsigned match_count;
	struct call_site *sites;
	unsigned site_count;
	struct regex **regexes;
	unsigned regex_count;
	struct include *includes;
	unsigned include_count;
	unsigned stack_max;
	struct arena arena; /* what all of them point to */
};

/* Parse, check and compile. NULL: there are complaints. The caller holds the first reference. */
struct program *sieve_program_new(const char *file, struct slice source,
				  const struct sieve_target *target, struct symbols *symbols,
				  struct complaints *complaints);
struct program *sieve_program_ref(struct program *program);
void sieve_program_unref(struct program *program); /* NULL is harmless */

/* Tree to program, for sieve_program_new; faults, of which few are left, go to complaints. */
void sieve_compile(struct program *program, const struct statement *script, struct symbols *symbols,
		   struct complaints *complaints);

/* One operation a line, for people and tests. */
bool sieve_dump(const struct program *program, struct symbols *symbols, struct buf *out)
	__attribute__((warn_unused_result));

#endif
