/*
 * workload - addresses and what is done with them, the same for the same seed.
 *
 * "v4u" is IPv4 spread evenly. "v6c" is IPv6 as mail sees it: many addresses in few /64s, those in
 * few /32s, some far busier than others (Zipf). The first n of the pool are live after the load.
 */
#ifndef BENCH_CIDR_WORKLOAD_H
#define BENCH_CIDR_WORKLOAD_H

#include <stdbool.h>

#include "base/addr.h"

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *r);
uint64_t random_below(struct random *r, uint64_t n);

struct op {
	struct addr addr;
	bool leave;
};

struct workload {
	const char *name;
	enum addr_family family;
	unsigned n, pool_size;
	struct addr *pool; /* all different; [0, n) are live */
	struct random random;
};

/* kind: "v4u" or "v6c". */
void workload_init(struct workload *w, const char *kind, unsigned n, uint64_t seed);
/* to is another one, to be freed. */
void workload_copy(struct workload *to, const struct workload *from);
void workload_free(struct workload *w);

/* Pairs: one that is live leaves, one that is not enters. The part-th of parts of the pool, for a
 * thread of its own. */
void workload_churn(struct workload *w, struct op *out, unsigned count, unsigned part,
		    unsigned parts);
/* Blocks of live addresses; of len, or with len 255 of mixed lengths. */
void workload_blocks(struct workload *w, struct cidr *out, unsigned count, unsigned len);
#endif
