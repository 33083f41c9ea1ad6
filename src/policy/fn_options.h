/*
 * fn_options - what a call asks of a series, however it was written: Sieve has positional arguments
 * or a hash, Lua a value or a table, each with names of its own for the same options.
 *
 * Each function fails the call, in words, when it answers FN_FAILED.
 */
#ifndef POLICY_FN_OPTIONS_H
#define POLICY_FN_OPTIONS_H

#include "policy/fn_blocks.h"

enum opt {
	OPT_SERIES,
	OPT_MONITOR,
	OPT_MASK,
	OPT_KEY, /* an address, a block, a text */
	OPT_FIRST,
	OPT_LAST,
	OPT_COUNT,
	OPT_REPLICATE,
	OPT_SERIALIZE,
	OPT_CLUSTER,
	OPT_PREFIX_LEN,
	OPTS
};

/* What one function takes. */
struct form {
	const char *names[OPTS]; /* in its hash or table; NULL: it has no such option */
	uint8_t order[5];	 /* Sieve: the positional arguments */
};

/* VALUE_NONE: not said. */
struct options {
	const struct form *form;
	struct value at[OPTS];
};

enum fn_status options_of_sieve(struct fn_call *call, const struct form *form,
				struct options *out);
/* from: a table; what is none is OPT_KEY. */
enum fn_status options_of_lua(struct fn_call *call, const struct form *form,
			      const struct value *from, struct options *out);

/* One that must be there. */
enum fn_status options_text(struct fn_call *call, const struct options *o, enum opt opt,
			    struct slice *out);
/* A fraction is cut off (D58). NaN, what is no number and what is too big for one are errors. */
enum fn_status options_number(struct fn_call *call, const struct options *o, enum opt opt,
			      int64_t otherwise, int64_t *out);
enum fn_status options_number_within(struct fn_call *call, const struct options *o, enum opt opt,
				     int64_t otherwise, int64_t low, int64_t high, int64_t *out);

/* Windows, the current one being 0, both ends included. */
struct span {
	unsigned first, last;
};
/* OPT_FIRST to OPT_LAST, which may be `most` (D44); one alone is that one (D55). */
enum fn_status options_span(struct fn_call *call, const struct options *o, unsigned most,
			    struct span *out);

/* OPT_KEY, one address; else the current peer's. */
enum fn_status options_address(struct fn_call *call, const struct options *o, struct addr *out);
/* OPT_KEY, any of 3.3. */
enum fn_status options_blocks(struct fn_call *call, const struct options *o, struct blocks *out);
/* OPT_KEY, one address, with OPT_MASK, which is literal where the address is given (D45). */
enum fn_status options_masked(struct fn_call *call, const struct options *o, struct blocks *out);

#endif
