/*
 * top - the few largest of many blocks, or texts, in memory for the few.
 */
#ifndef ADMIN_TOP_H
#define ADMIN_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "series/bounds.h"

struct top_row {
	struct cidr block;
	struct slice key;     /* of a text instead; top_offer copies it */
	uint64_t count;	      /* what they are ordered by */
	uint64_t distinct;    /* of live sessions */
	struct bounds amount; /* of a series */
};

struct top {
	struct top_row *rows; /* owned; a heap with the smallest first until top_sort */
	unsigned used;
	unsigned most;
};

void top_init(struct top *t, unsigned most); /* most > 0 */
void top_fini(struct top *t);
void top_offer(struct top *t, const struct top_row *row);
uint64_t top_least(const struct top *t); /* of the smallest, which goes next; 0: there is room */
bool top_has(const struct top *t, const struct top_row *row);
void top_sort(struct top *t); /* largest first, equals in address order; nothing is offered after */

#endif
