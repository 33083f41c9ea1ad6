#include "spray.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "measure.h"
#include "series/tally.h"
#include "table.h"
#include "workload.h"

enum {
	FOLDS_AT_ONCE = 4,
	BATCH = 1024,
	ASKED = 4000,
	PER_ADDRESS = 3,
	SUBNETS = 65536,
	MIB = 1 << 20
};

struct scene {
	const struct spray *is;
	struct workload legit;
	uint32_t *legit_counts;	 /* of each address */
	uint32_t *blocks;	 /* the sprayed /32s, */
	uint32_t *block_counts;	 /* what each had, */
	uint32_t *subnet_counts; /* and the /48s of the first */
	struct random random;
	struct store *store;
	struct tally tally;

	uint64_t events, folds, moved;
	double fold_ns, fold_worst_ns, batch_worst_ns, ns;
	unsigned most_at_once;
	size_t most_bytes;
};

static struct addr sprayed(struct scene *s)
{
	uint64_t i = random_below(&s->random, s->is->blocks), low = random_next(&s->random);

	s->block_counts[i]++;
	if (i == 0)
		s->subnet_counts[(low >> 16) % SUBNETS]++;
	return (struct addr){ (uint64_t)s->blocks[i] << 32 | (uint32_t)low, random_next(&s->random),
			      ADDR_V6 };
}

static struct addr legit(struct scene *s)
{
	uint64_t i = random_below(&s->random, s->legit.n);

	s->legit_counts[i]++;
	return s->legit.pool[i];
}

static void fold(struct scene *s)
{
	unsigned at_once = 0;

	for (unsigned n = 0; n < FOLDS_AT_ONCE && store_is_over(s->store); n++) {
		double begun = measure_cpu_ns(), ns;
		unsigned moved = tally_fold(&s->tally);

		if (moved == 0)
			break;
		ns = measure_cpu_ns() - begun;
		at_once += moved;
		s->folds++;
		s->fold_ns += ns;
		if (ns > s->fold_worst_ns)
			s->fold_worst_ns = ns;
	}
	s->moved += at_once;
	if (at_once > s->most_at_once)
		s->most_at_once = at_once;
}

static void run(struct scene *s)
{
	uint64_t sprays = s->is->events, all = sprays + (uint64_t)s->legit.n * PER_ADDRESS;

	while (s->events < all) {
		double begun = measure_cpu_ns(), ns;

		for (unsigned i = 0; i < BATCH; i++, s->events++) {
			struct addr a =
				random_below(&s->random, all) < sprays ? sprayed(s) : legit(s);

			if (!tally_add(&s->tally, &a, 1))
				abort();
			fold(s);
		}
		ns = measure_cpu_ns() - begun;
		s->ns += ns;
		if (ns > s->batch_worst_ns)
			s->batch_worst_ns = ns;
		if (store_bytes(s->store) > s->most_bytes)
			s->most_bytes = store_bytes(s->store);
	}
}

struct told {
	unsigned asked, exact, wrong;
	double truth, width;
};

static void tell(struct scene *s, const struct cidr *block, uint64_t truth, struct told *t)
{
	struct bounds b = tally_sum(&s->tally, block);

	t->asked++;
	t->exact += b.low == b.high;
	t->wrong += b.low > truth || b.high < truth;
	t->truth += (double)truth;
	t->width += (double)(b.high - b.low);
}

static int by_addr(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* Legitimate addresses in order, with a running sum, so that a block is two searches. */
struct ordered {
	struct addr addr;
	uint64_t up_to;
};

static struct ordered *in_order(const struct scene *s)
{
	struct ordered *list = mem_array(s->legit.n + 1, sizeof *list);
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->legit.n; i++)
		list[i] = (struct ordered){ s->legit.pool[i], s->legit_counts[i] };
	qsort(list, s->legit.n, sizeof *list, by_addr);
	for (unsigned i = 0; i <= s->legit.n; i++) {
		uint64_t own = list[i].up_to;

		list[i].up_to = sum;
		sum += own;
	}
	return list;
}

static uint64_t ordered_before(const struct ordered *list, unsigned n, const struct addr *a)
{
	unsigned from = 0, to = n;

	while (from < to) {
		unsigned middle = (from + to) / 2;

		if (addr_compare(&list[middle].addr, a) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return list[from].up_to;
}

static struct addr after(const struct cidr *block)
{
	struct addr a = block->addr;
	unsigned rest = 128 - block->len;
	unsigned __int128 key = (unsigned __int128)a.hi << 64 | a.lo;

	key += (unsigned __int128)1 << rest;
	return (struct addr){ (uint64_t)(key >> 64), (uint64_t)key, ADDR_V6 };
}

static void ask_legit(struct scene *s, double exact[4], struct told *all)
{
	static const unsigned lens[] = { 32, 48, 64, 128 };
	struct ordered *list = in_order(s);

	for (unsigned l = 0; l < 4; l++) {
		struct told t = { 0 };

		for (unsigned i = 0; i < ASKED; i++) {
			const struct addr *a = &s->legit.pool[random_below(&s->random, s->legit.n)];
			struct cidr block = cidr_of(a, lens[l]);
			struct addr end = after(&block);

			tell(s, &block,
			     ordered_before(list, s->legit.n, &end) -
				     ordered_before(list, s->legit.n, &block.addr),
			     &t);
		}
		exact[l] = 100.0 * t.exact / t.asked;
		all->asked += t.asked;
		all->wrong += t.wrong;
		all->truth += t.truth;
		all->width += t.width;
	}
	free(list);
}

static void ask_sprayed(struct scene *s, struct told *t)
{
	for (unsigned i = 0; i < ASKED && i < s->is->blocks; i++) {
		struct cidr block = { { (uint64_t)s->blocks[i] << 32, 0, ADDR_V6 }, 32 };

		tell(s, &block, s->block_counts[i], t);
	}
	for (unsigned len = 36; len <= 48; len += 4)
		for (unsigned i = 0; i < 1u << (len - 32); i += 7) {
			unsigned each = 1u << (48 - len);
			uint64_t first = (uint64_t)i * each << 16;
			struct cidr block = { { (uint64_t)s->blocks[0] << 32 | first, 0, ADDR_V6 },
					      (uint8_t)len };
			uint64_t truth = 0;

			for (unsigned j = i * each; j < (i + 1) * each; j++)
				truth += s->subnet_counts[j];
			tell(s, &block, truth, t);
		}
}

static void scene_init(struct scene *s, const struct spray *is)
{
	*s = (struct scene){ .is = is, .random = { 7 } };
	workload_init(&s->legit, "v6c", is->legit, 3);
	s->legit_counts = mem_array(is->legit, sizeof *s->legit_counts);
	s->blocks = mem_array(is->blocks, sizeof *s->blocks);
	s->block_counts = mem_array(is->blocks, sizeof *s->block_counts);
	s->subnet_counts = mem_array(SUBNETS, sizeof *s->subnet_counts);
	/* All different (a step that is odd), and among the legitimate: did one meet any of these,
	 * bounds would seem not to hold. */
	for (unsigned i = 0; i < is->blocks; i++)
		s->blocks[i] = 0x20000000 | ((i + 1) * 0x9e3779b1u) >> 4;
	s->store = store_new(is->limit);
	s->tally.store = s->store;
}

static void scene_fini(struct scene *s)
{
	store_free(s->store);
	free(s->subnet_counts);
	free(s->block_counts);
	free(s->blocks);
	free(s->legit_counts);
	workload_free(&s->legit);
}

void spray_measure(const struct spray *is)
{
	static const char *const lens[] = { "legitimate /32 that are exact", "legitimate /48",
					    "legitimate /64", "legitimate /128" };
	struct told legits = { 0 }, sprays = { 0 };
	double exact[4], mib = (double)is->limit / MIB;
	size_t before, resident;
	struct scene s;

	scene_init(&s, is);
	before = measure_resident();
	run(&s);
	resident = measure_resident() - before;
	ask_legit(&s, exact, &legits);
	ask_sprayed(&s, &sprays);
	for (unsigned i = 0; i < 4; i++)
		table_row(is->name, lens[i], exact[i], "%", AT_LEAST, is->exact[i], "%s", "");
	table_row(
		is->name, "bounds that hold the truth",
		100.0 * (1 - (double)(legits.wrong + sprays.wrong) / (legits.asked + sprays.asked)),
		"%", AT_LEAST, 100, "mean width %.1f of %.0f; of sprayed ones %.1f of %.0f",
		legits.width / legits.asked, legits.truth / legits.asked,
		sprays.width / sprays.asked, sprays.truth / sprays.asked);
	table_row(is->name, "resident", (double)resident / MIB, "MiB", AT_MOST, 1.25 * mib + 4,
		  "%.1f as it says, %.1f at most, %.1f in cells",
		  (double)store_bytes(s.store) / MIB, (double)s.most_bytes / MIB,
		  (double)s.tally.owner.units * STORE_UNIT / MIB);
	table_row(is->name, "a fold, mean", s.folds ? s.fold_ns / (double)s.folds / 1000 : 0, "us",
		  AT_MOST, 10, "worst %.0f us, %.0f ns an event in all; %lu folds",
		  s.fold_worst_ns / 1000, s.ns / (double)s.events, (unsigned long)s.folds);
	table_row(is->name, "entries moved by one event, at most", s.most_at_once, "", AT_MOST,
		  4096, "slowest %u events %.1f ms", BATCH, s.batch_worst_ns / 1e6);
	scene_fini(&s);
}
