/*
 * parser - tokens to a tree, and all syntax errors of a source in one run.
 */
#ifndef POLICY_SIEVE_PARSER_H
#define POLICY_SIEVE_PARSER_H

#include "base/complain.h"
#include "policy/sieve/tree.h"

/*
 * Into the arena, which has no limit of its own: a tree is at most some dozens of times its source,
 * and that has one. NULL for an empty script; faults are in complaints.
 */
struct statement *sieve_parse(struct arena *arena, const char *file, struct slice source,
			      struct complaints *complaints);

#endif
