#include "workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t random_below(struct random *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)random_next(r) * n >> 64);
}

/* The i-th of n is chosen with a chance that falls with i to the power of slope. */
struct zipf {
	unsigned n;
	double *up_to;
};

static struct zipf zipf_new(unsigned n, double slope)
{
	struct zipf z = { n, mem_array(n, sizeof(double)) };
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		z.up_to[i] = sum += pow(i + 1, -slope);
	return z;
}

static unsigned zipf_next(const struct zipf *z, struct random *r)
{
	double u = (double)(random_next(r) >> 11) * 0x1p-53 * z->up_to[z->n - 1];
	unsigned from = 0, to = z->n - 1;

	while (from < to) {
		unsigned middle = (from + to) / 2;

		if (z->up_to[middle] < u)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct sites {
	struct zipf by_64;
	uint64_t *of_64;
};

static struct sites sites_new(unsigned n, struct random *r)
{
	enum { BLOCKS = 200, PER_64 = 2000 };
	unsigned count = n / PER_64 < 16 ? 16 : n / PER_64;
	struct zipf by_32 = zipf_new(BLOCKS, 1.0);
	struct sites s = { zipf_new(count, 0.8), mem_array(count, sizeof(uint64_t)) };
	uint32_t of_32[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++)
		of_32[i] = 0x20000000 | (uint32_t)random_below(r, 1 << 28);
	for (unsigned i = 0; i < count; i++) {
		uint64_t subnet = random_below(r, 4) ? random_below(r, 4) : random_below(r, 65536);

		s.of_64[i] = (uint64_t)of_32[zipf_next(&by_32, r)] << 32 |
			     random_below(r, 65536) << 16 | subnet;
	}
	free(by_32.up_to);
	return s;
}

static uint64_t mix(const struct addr *a)
{
	struct random r = { a->hi ^ a->lo * 0xff51afd7ed558ccdu };

	return random_next(&r);
}

/* Different ones: each is looked up in a table of those before it. */
static void fill_pool(struct workload *w, const struct sites *sites)
{
	unsigned slots = 1;
	uint32_t *table;

	while (slots < w->pool_size * 2)
		slots *= 2;
	table = mem_array(slots, sizeof *table);
	for (unsigned i = 0; i < w->pool_size;) {
		struct addr a = { random_next(&w->random) >> 32 << 32, 0, ADDR_V4 };
		unsigned at;

		if (sites != NULL)
			a = (struct addr){ sites->of_64[zipf_next(&sites->by_64, &w->random)],
					   random_next(&w->random), ADDR_V6 };
		at = (unsigned)mix(&a) & (slots - 1);
		while (table[at] != 0 && !addr_equal(&w->pool[table[at] - 1], &a))
			at = (at + 1) & (slots - 1);
		if (table[at] != 0)
			continue;
		w->pool[i] = a;
		table[at] = ++i;
	}
	free(table);
}

void workload_init(struct workload *w, const char *kind, unsigned n, uint64_t seed)
{
	struct sites sites;

	*w = (struct workload){ .name = kind, .n = n, .pool_size = n + n / 4, .random = { seed } };
	w->pool = mem_array(w->pool_size, sizeof *w->pool);
	w->family = strcmp(kind, "v4u") == 0 ? ADDR_V4 : ADDR_V6;
	if (w->family == ADDR_V4) {
		fill_pool(w, NULL);
		return;
	}
	sites = sites_new(n, &w->random);
	fill_pool(w, &sites);
	free(sites.by_64.up_to);
	free(sites.of_64);
}

void workload_copy(struct workload *to, const struct workload *from)
{
	*to = *from;
	to->pool = mem_array(from->pool_size, sizeof *from->pool);
	memcpy(to->pool, from->pool, from->pool_size * sizeof *from->pool);
}

void workload_free(struct workload *w)
{
	free(w->pool);
}

static void swap(struct addr *a, struct addr *b)
{
	struct addr kept = *a;

	*a = *b;
	*b = kept;
}

void workload_churn(struct workload *w, struct op *out, unsigned count, unsigned part,
		    unsigned parts)
{
	unsigned live = w->n / parts, spare = (w->pool_size - w->n) / parts;
	struct addr *lives = w->pool + part * live, *spares = w->pool + w->n + part * spare;

	for (unsigned i = 0; i + 1 < count; i += 2) {
		struct addr *from = lives + random_below(&w->random, live),
			    *to = spares + random_below(&w->random, spare);

		out[i] = (struct op){ *from, true };
		out[i + 1] = (struct op){ *to, false };
		swap(from, to);
	}
}

void workload_blocks(struct workload *w, struct cidr *out, unsigned count, unsigned len)
{
	static const uint8_t v4_lens[] = { 8, 12, 14, 16, 18, 20, 22, 23, 24, 25, 27, 28, 30, 32 };
	static const uint8_t v6_lens[] = { 16, 20, 29, 32, 36, 40, 44, 48,  52,
					   56, 60, 63, 64, 68, 72, 96, 120, 128 };

	for (unsigned i = 0; i < count; i++) {
		const struct addr *a = &w->pool[random_below(&w->random, w->n)];
		unsigned mixed = w->family == ADDR_V4
					 ? v4_lens[random_below(&w->random, sizeof v4_lens)]
					 : v6_lens[random_below(&w->random, sizeof v6_lens)];

		out[i] = cidr_of(a, len == 255 ? mixed : len);
	}
}
