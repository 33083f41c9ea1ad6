/*
 * kind - a structure that counts addresses, to be measured: ours, and those it is compared with.
 */
#ifndef BENCH_CIDR_KIND_H
#define BENCH_CIDR_KIND_H

#include "base/addr.h"

struct kind {
	const char *name;
	void *(*new)(enum addr_family family);
	void (*free)(void *counter);
	void (*enter)(void *counter, const struct addr *addr);
	void (*leave)(void *counter, const struct addr *addr);
};

extern const struct kind kind_tree, kind_uthash, kind_judy;

#endif
