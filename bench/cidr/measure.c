#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double clock_ns(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double measure_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

double measure_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

size_t measure_resident(void)
{
	FILE *in = fopen("/proc/self/statm", "r");
	size_t all = 0, resident = 0;

	if (in == NULL || fscanf(in, "%zu %zu", &all, &resident) != 2)
		abort();
	fclose(in);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double measure_quantile(double *samples, size_t n, double q)
{
	qsort(samples, n, sizeof *samples, rising);
	return samples[(size_t)((double)(n - 1) * q)];
}

/* A walk over all lines of the range, in an order (a full-period generator's) that nothing
 * foretells. */
double measure_latency_ns(void)
{
	enum { RANGE = 64 << 20, HUGE = 2 << 20, LINE = 64, LINES = RANGE / LINE };
	enum { CHUNKS = 100, STEPS = 5000 };
	unsigned char *map = mmap(NULL, RANGE + HUGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *at = map + (HUGE - (uintptr_t)map % HUGE);
	double chunks[CHUNKS];
	uint64_t x = 1;
	void **p;

	if (map == MAP_FAILED)
		abort();
	madvise(at, RANGE, MADV_HUGEPAGE);
	for (unsigned i = 0; i < LINES; i++) {
		uint64_t y = (x * 6364136223846793005u + 1442695040888963407u) % LINES;

		*(void **)(void *)(at + x * LINE) = at + y * LINE;
		x = y;
	}
	p = (void **)(void *)(at + x * LINE);
	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (unsigned i = 0; i < STEPS; i++)
			p = *(void *volatile *)p;
		chunks[c] = (measure_cpu_ns() - begun) / STEPS;
	}
	munmap(map, RANGE + HUGE);
	return measure_quantile(chunks, CHUNKS, 0.1);
}
