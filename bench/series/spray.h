/*
 * spray - a window under more distinct sources than it has room for.
 */
#ifndef BENCH_SERIES_SPRAY_H
#define BENCH_SERIES_SPRAY_H

#include <stddef.h>

struct spray {
	const char *name;
	unsigned long events; /* of sprayed sources, each another one */
	unsigned blocks;      /* /32s that they come from */
	unsigned legit;	      /* addresses, with three events each on average among them */
	size_t limit;
	double exact[4]; /* goals: % of the legitimate /32, /48, /64, /128 that are told exactly */
};

void spray_measure(const struct spray *s);

#endif
