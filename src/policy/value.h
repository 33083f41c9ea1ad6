/*
 * value - what scripts compute with (behaviour 1.3). Values live in the arena of their run, hashes
 * are references (D10), everything else is copied by assignment.
 */
#ifndef POLICY_VALUE_H
#define POLICY_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum value_type { VALUE_NONE, VALUE_STRING, VALUE_NUMBER, VALUE_LIST, VALUE_HASH, VALUE_TAG };

struct value {
	uint8_t type;	/* enum value_type */
	uint8_t origin; /* the count it was made from: index + 1 in run->reads; 0: none */
	uint32_t count; /* of list */
	union {
		struct slice string; /* VALUE_STRING, VALUE_TAG (without its colon) */
		int64_t number;
		const struct value *list; /* members are strings or numbers */
		struct value_hash *hash;
	};
};

#define VALUE_STR(slice_) ((struct value){ .type = VALUE_STRING, .string = (slice_) })
#define VALUE_NUM(number_) ((struct value){ .type = VALUE_NUMBER, .number = (number_) })

const char *value_type_name(enum value_type type); /* "stringlist" */

/* A value's origin, or that of the member that a list stands for (D6). */
unsigned value_origin(const struct value *v);

extern const char value_no_memory[]; /* what is wrong when an arena is full */

/*
 * Coercion. NULL, or what is wrong ("a hash is not a string"). Results of numbers are printed into
 * the arena. VALUE_NONE is "" as a string and an error as a number or hash (D9).
 */
const char *value_to_string(struct arena *a, const struct value *v, struct slice *out);
const char *value_to_number(const struct value *v, int64_t *out);  /* fraction cut off */
const char *value_to_decimal(const struct value *v, double *out);  /* "0.5" */
const char *value_to_list(struct arena *a, const struct value *v, const struct value **members_out,
			  uint32_t *count_out);
bool value_is_true(const struct value *v); /* D18 */

/* "12", " -3.7 " cut to -3; false: no number */
bool number_parse(struct slice text, int64_t *out);
/* Octets: "12", "20m"; the suffixes are b, k, m, g in steps of 1024, in either case (7.5). */
bool size_parse(struct slice text, uint64_t *out);

struct value_hash *value_hash_new(struct arena *a); /* NULL: over the limit */
bool value_hash_set(struct arena *a, struct value_hash *h, struct slice key, const struct value *v);
const struct value *value_hash_get(const struct value_hash *h, struct slice key); /* NULL: absent */
uint32_t value_hash_count(const struct value_hash *h);
/* The nth pair in the order of first insertion; NULL: past the last. Walking on is cheap. */
const struct value *value_hash_nth(struct value_hash *h, uint32_t n, struct slice *key_out);

#endif
