/*
 * measure - time and memory on a machine that others use too.
 *
 * Times are of the thread's own processor time, so a neighbour's slices do not count, in chunks of
 * which the quiet tenth is reported: what the caches and the memory of this machine allow, not what
 * its other users left. L is one dependent load from memory: the unit in which goals are stated.
 */
#ifndef BENCH_CIDR_MEASURE_H
#define BENCH_CIDR_MEASURE_H

#include <stddef.h>
#include <stdint.h>

double measure_cpu_ns(void); /* of this thread */
double measure_wall_ns(void);
size_t measure_resident(void); /* bytes of this process */
double measure_latency_ns(void); /* L: 64 MiB, huge pages */

/* The q-th part (0..1) of samples, which it sorts. */
double measure_quantile(double *samples, size_t n, double q);

#endif
