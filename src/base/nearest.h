/*
 * nearest - the known name that somebody who wrote an unknown one may have meant.
 *
 * Begin with what was written, try every known name, then read `name`: the one with the fewest
 * letters changed, added, left out or swapped (case aside), the first of equals; NULL when none is
 * near.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/buf.h"

enum { NEAREST_LEN_MAX = 64 }; /* longer names are near to nothing */

struct nearest {
	struct slice given; /* borrowed */
	const char *name;   /* of the nearest so far */
	size_t within;	    /* a nearer one is closer than this */
};

void nearest_begin(struct nearest *n, struct slice given);
void nearest_try(struct nearest *n, const char *known);
/* One that is known by part of its name, or by another. */
void nearest_try_as(struct nearest *n, struct slice known, const char *name);

#endif
