/*
 * top - the few largest of many blocks, in memory for the few.
 */
#ifndef ADMIN_TOP_H
#define ADMIN_TOP_H

#include <stdint.h>

#include "base/addr.h"

struct top_row {
	struct cidr block;
	uint64_t count;
	uint64_t distinct;
};

struct top {
	struct top_row *rows; /* owned; a heap with the smallest first until top_sort */
	unsigned used;
	unsigned most;
};

void top_init(struct top *t, unsigned most); /* most > 0 */
void top_fini(struct top *t);
void top_offer(struct top *t, const struct top_row *row);
void top_sort(struct top *t); /* largest first, equals in address order; nothing is offered after */

#endif
