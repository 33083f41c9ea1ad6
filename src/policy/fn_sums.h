/*
 * fn_sums - what windows of a series hold, read for a script and given to it.
 */
#ifndef POLICY_FN_SUMS_H
#define POLICY_FN_SUMS_H

#include "policy/fn_options.h"
#include "series/series.h"

/* NULL in a tool: nothing was ever added to any. */
struct series_all *sums_all(const struct fn_call *call);

/* Of a cluster that there is not, this node is all; which is said once a load (D54, D61). */
void sums_cluster_asked(struct fn_call *call);

/* s NULL: nothing was ever added to it. span NULL: the sliding value. Fails the call. */
enum fn_status sums_of_blocks(struct fn_call *call, struct series *s, const struct blocks *blocks,
			      const struct span *span, struct bounds *out);

/*
 * The call's result, one decimal string for Sieve, two numbers for Lua; and what led to what is
 * done next. name and more: "connections", "300,6". block NULL: of a text. Fails the call.
 */
enum fn_status sums_give(struct fn_call *call, struct slice name, struct slice more,
			 const struct cidr *block, struct bounds sum);
/* The two numbers alone: of something that was done, and led to nothing. */
void sums_give_bounds(struct fn_call *call, struct bounds of);

#endif
