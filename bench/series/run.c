/*
 * run [ROUNDS [MILLIONS]] - the windows of a series against their goals. Every time is the best of
 * so many rounds; the sprays are of so many million sources.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kind.h"
#include "measure.h"
#include "series/tally.h"
#include "spray.h"
#include "table.h"
#include "workload.h"

enum { CHUNKS = 200, OPS = 400000, ADDRESSES = 1000000, MIXED = 255, MIB = 1 << 20 };

static unsigned rounds = 5;

static double least(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

static void add(struct tally *t, const struct addr *addr)
{
	if (!tally_add(t, addr, 1))
		abort();
}

/* --- one window --- */

static double run_adds(struct tally *t, const struct kind *other, void *counter,
		       struct addr *const *addrs)
{
	double chunks[CHUNKS];
	unsigned each = OPS / CHUNKS;

	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (unsigned i = c * each; i < (c + 1) * each; i++) {
			if (t != NULL)
				add(t, addrs[i]);
			else
				other->enter(counter, addrs[i]);
		}
		chunks[c] = (measure_cpu_ns() - begun) / each;
	}
	return measure_quantile(chunks, CHUNKS, 0.1);
}

/* Each question depends on the answer before it. */
static double run_sums(const struct tally *t, const struct cidr *blocks)
{
	double chunks[CHUNKS];
	unsigned each = OPS / CHUNKS;
	uint64_t answer = 0;

	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (unsigned i = c * each; i < (c + 1) * each; i++) {
			struct cidr block = blocks[i];

			block.addr.hi |= answer >> 62;
			answer = tally_sum(t, &block).low;
		}
		chunks[c] = (measure_cpu_ns() - begun) / each;
	}
	return measure_quantile(chunks, CHUNKS, 0.1);
}

struct goals {
	const char *kind;
	double add, sum, bytes, uthash;
};

/* The last tenth of the load: each address is a new one. */
static double grow(struct tally *t, const struct workload *w)
{
	unsigned most = w->n / 10 * 9, each = (w->n - most) / CHUNKS;
	double chunks[CHUNKS];

	for (unsigned i = 0; i < most; i++)
		add(t, &w->pool[i]);
	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (unsigned i = most + c * each; i < most + (c + 1) * each; i++)
			add(t, &w->pool[i]);
		chunks[c] = (measure_cpu_ns() - begun) / each;
	}
	return measure_quantile(chunks, CHUNKS, 0.5);
}

static void measure_window(const struct goals *g)
{
	struct addr **addrs = mem_array(OPS, sizeof *addrs);
	struct cidr *blocks = mem_array(OPS, sizeof *blocks);
	struct store *store = store_new((size_t)256 * MIB);
	struct tally t = { .store = store };
	double ours = 0, sums = 0, theirs = 0, growing;
	void *table = kind_uthash.new(ADDR_V6);
	struct workload w;
	size_t bytes;

	workload_init(&w, g->kind, ADDRESSES, 1);
	growing = grow(&t, &w);
	bytes = store_bytes(store);
	for (unsigned i = 0; i < w.n; i++)
		kind_uthash.enter(table, &w.pool[i]);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < OPS; i++)
			addrs[i] = &w.pool[random_below(&w.random, w.n)];
		ours = least(ours, run_adds(&t, NULL, NULL, addrs));
		theirs = least(theirs, run_adds(NULL, &kind_uthash, table, addrs));
		workload_blocks(&w, blocks, OPS, MIXED);
		sums = least(sums, run_sums(&t, blocks));
	}
	table_row_l(g->kind, "add, a new address, to 1M", growing, g->add);
	table_row_l(g->kind, "add, a known address, of 1M", ours, g->add);
	table_row(g->kind, "the same by uthash", theirs / ours, "x", AT_LEAST, g->uthash,
		  "%.0f, %.0f ns", theirs, ours);
	table_row_l(g->kind, "sum, mixed lengths, chained", sums, g->sum);
	table_row(g->kind, "memory", (double)bytes / w.n, "B/addr", AT_MOST, g->bytes,
		  "%.1f MiB in all", (double)bytes / MIB);
	kind_uthash.free(table);
	store_free(store);
	workload_free(&w);
	free(blocks);
	free(addrs);
}

/* --- many windows --- */

enum { WINDOWS = 60, WINDOW_BYTES = 8 * MIB };

struct ring {
	struct store *store;
	struct tally windows[WINDOWS];
	const struct tally *all[WINDOWS];
};

static void ring_fill(struct ring *r, struct workload *w)
{
	r->store = store_new((size_t)WINDOWS * 2 * WINDOW_BYTES);
	for (unsigned i = 0; i < WINDOWS; i++) {
		r->windows[i] = (struct tally){ .store = r->store };
		r->all[i] = &r->windows[i];
		while (r->windows[i].owner.chunks < WINDOW_BYTES / 4096)
			add(&r->windows[i], &w->pool[random_below(&w->random, w->pool_size)]);
	}
}

static void measure_drop(struct ring *r, const char *kind)
{
	enum { TURN = 8 };
	double worst = 0, begun = measure_cpu_ns(), all = begun, clear;

	tally_clear(&r->windows[0]);
	clear = measure_cpu_ns() - begun;
	for (unsigned given = TURN; given > 0;) {
		double ns;

		begun = measure_cpu_ns();
		given = store_drop_some(r->store, TURN);
		ns = measure_cpu_ns() - begun;
		if (ns > worst)
			worst = ns;
	}
	table_row(kind, "dropping an 8 MiB window, worst turn", worst / 1000, "us", AT_MOST, 100,
		  "%.1f us to clear it, %.1f ms in all", clear / 1000,
		  (measure_cpu_ns() - all) / 1e6);
}

enum { QUESTIONS = 20, TIMES = 200 };

/* Of all windows together, or of one after the other; a question's mean in a quiet tenth. */
static double run_ring(const struct ring *r, const struct cidr *blocks, bool together)
{
	double times[TIMES];
	uint64_t answer = 0;

	for (unsigned i = 0; i < TIMES; i++) {
		double begun = measure_cpu_ns();

		for (const struct cidr *b = blocks + i * QUESTIONS;
		     b < blocks + (i + 1) * QUESTIONS; b++) {
			if (together)
				answer += tally_sum_of(r->all, WINDOWS, b).low;
			else
				for (unsigned n = 0; n < WINDOWS; n++)
					answer += tally_sum(r->all[n], b).low;
		}
		times[i] = (measure_cpu_ns() - begun) / QUESTIONS;
	}
	return measure_quantile(times, TIMES, 0.1) + (answer == 1); /* it is used */
}

static void measure_ring(const char *kind)
{
	static const struct {
		unsigned len[2]; /* of IPv4, of IPv6 */
		const char *what;
	} rows[] = {
		{ { MIXED, MIXED }, "sum of 60 windows, mixed lengths" },
		{ { 24, 64 }, "the same, /24 or /64" },
		{ { 32, 128 }, "the same, /32 or /128" },
	};
	struct cidr *blocks = mem_array(QUESTIONS * TIMES, sizeof *blocks);
	struct ring *r = mem_new(sizeof *r);
	struct workload w;

	workload_init(&w, kind, 2 * ADDRESSES, 4);
	ring_fill(r, &w);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		double together = 0, apart = 0;

		for (unsigned round = 0; round < rounds; round++) {
			workload_blocks(&w, blocks, QUESTIONS * TIMES,
					rows[i].len[w.family == ADDR_V6]);
			together = least(together, run_ring(r, blocks, true));
			apart = least(apart, run_ring(r, blocks, false));
		}
		table_row_l(kind, rows[i].what, together, 40);
		if (i == 0)
			table_row(kind, "the same, one after the other", apart / together, "x",
				  AT_LEAST, 1, "%.0f ns", apart);
	}
	measure_drop(r, kind);
	store_free(r->store);
	free(r);
	free(blocks);
	workload_free(&w);
}

int main(int argc, char **argv)
{
	static const struct goals goals[] = {
		{ "v4u", 2.5, 1, 11, 1 },
		{ "v6c", 2.5, 2, 15, 0.5 },
	};
	unsigned long millions = 100;

	if (argc > 1)
		rounds = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		millions = strtoul(argv[2], NULL, 10);
	if (rounds < 1 || millions < 1) {
		fputs("usage: run [ROUNDS [MILLIONS]]\n", stderr);
		return 64;
	}
	table_begin();
	for (unsigned i = 0; i < sizeof goals / sizeof *goals; i++)
		measure_window(&goals[i]);
	measure_ring("v4u");
	measure_ring("v6c");
	spray_measure(&(struct spray){ "1 /32",
				       millions * 1000000,
				       1,
				       1000000,
				       (size_t)64 * MIB,
				       { 100, 100, 100, 100 } });
	spray_measure(&(struct spray){
		"1k /32", 10000000, 1000, 1000000, (size_t)64 * MIB, { 100, 90, 91, 30 } });
	spray_measure(&(struct spray){
		"100k /32", 10000000, 100000, 1000000, (size_t)64 * MIB, { 100, 43, 52, 13 } });
	spray_measure(&(struct spray){
		"4 MiB", 1000000, 1, 1000000, (size_t)4 * MIB, { 100, 15, 15, 8 } });
	table_end();
	return 0; /* a busy machine misses goals, too */
}
