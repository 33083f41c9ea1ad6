/*
 * value_ops - what the machine does with values, beyond the coercions of policy/value.h.
 *
 * Each gives NULL, or what is wrong.
 */
#ifndef POLICY_SIEVE_VALUE_OPS_H
#define POLICY_SIEVE_VALUE_OPS_H

#include "policy/value.h"

/* "${name}": as a string, but a hash is "" (1.4). */
const char *sieve_text_of(struct arena *arena, const struct value *v, struct slice *out);

/* One string of count pieces. */
const char *sieve_put_together(struct arena *arena, const struct slice *pieces, unsigned count,
			       struct slice *out);

/* [a, b]: every member as a string, or the number that it is. */
const char *sieve_list_of(struct arena *arena, const struct value *members, uint32_t count,
			  struct value *out);

/* $from[index]. *out stays as it is when there is no such element (D8). */
const char *sieve_element(struct arena *arena, const struct value *from, const struct value *index,
			  struct value *out, bool *found_out);

#endif
