/*
 * run [ADDRESSES [ROUNDS]] - the tree that the daemon links against its goals, in units of L.
 *
 * Every row is measured ROUNDS times; the best is shown, because what disturbs a round is the
 * machine's other users. A row of two threads counts only what ran while both did.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "audit/bucket.h"
#include "audit/cidr_tree.h"
#include "base/mem.h"
#include "kind.h"
#include "measure.h"
#include "table.h"
#include "workload.h"

enum { CHUNKS = 200, MIXED = 255, MIB = 1 << 20 };

static unsigned addresses = 1000000, rounds = 5;

static double least(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

/* --- one thread --- */

static double run_ops(const struct kind *kind, void *counter, const struct op *ops, unsigned count)
{
	double chunks[CHUNKS];
	unsigned each = count / CHUNKS;

	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (const struct op *o = ops + c * each; o < ops + (c + 1) * each; o++) {
			if (o->leave)
				kind->leave(counter, &o->addr);
			else
				kind->enter(counter, &o->addr);
		}
		chunks[c] = (measure_cpu_ns() - begun) / each;
	}
	return measure_quantile(chunks, CHUNKS, 0.1);
}

/* Each question depends on the answer before it. */
static double run_counts(struct cidr_tree *tree, const struct cidr *blocks, unsigned count)
{
	double chunks[CHUNKS];
	unsigned each = count / CHUNKS;
	uint64_t answer = 0;

	for (unsigned c = 0; c < CHUNKS; c++) {
		double begun = measure_cpu_ns();

		for (unsigned i = c * each; i < (c + 1) * each; i++) {
			struct cidr block = blocks[i];

			block.addr.hi |= answer >> 62;
			answer = cidr_tree_count(tree, &block);
		}
		chunks[c] = (measure_cpu_ns() - begun) / each;
	}
	return measure_quantile(chunks, CHUNKS, 0.1);
}

static void load(const struct kind *kind, void *counter, const struct workload *w)
{
	for (unsigned i = 0; i < w->n; i++)
		kind->enter(counter, &w->pool[i]);
}

static double churn_of(const struct kind *kind, struct workload *w, struct op *ops, unsigned count)
{
	void *counter = kind->new(w->family);
	double best = 0;

	load(kind, counter, w);
	for (unsigned i = 0; i < rounds; i++) {
		workload_churn(w, ops, count, 0, 1);
		best = least(best, run_ops(kind, counter, ops, count));
	}
	kind->free(counter);
	return best;
}

static void measure_slowest(struct cidr_tree *tree, struct workload *w, struct cidr *blocks,
			    unsigned key, double goal)
{
	enum { EACH = 4000 };
	double slowest = 0;
	unsigned slowest_len = 0;

	for (unsigned len = key; len <= (w->family == ADDR_V4 ? 32u : 128u); len++) {
		double best = 0;

		workload_blocks(w, blocks, EACH, len);
		for (unsigned i = 0; i < rounds; i++)
			best = least(best, run_counts(tree, blocks, EACH));
		if (best > slowest)
			slowest = best, slowest_len = len;
	}
	table_row(w->name, "count, slowest of the longer lengths", slowest / table_latency_ns(), "L",
		  AT_MOST, goal,
	    "/%u, %.0f ns", slowest_len, slowest);
}

/* --- two threads --- */

struct worker {
	struct cidr_tree *tree;
	struct op *ops; /* pairs: one leaves, one enters */
	struct cidr *blocks;
	unsigned pairs, questions; /* so many after each leave */
	unsigned cpu;
	_Atomic bool *stop;	/* NULL: after one turn */
	struct worker *other;	/* that must be at work too for a chunk to count; NULL: none */
	_Atomic uint64_t done;	/* pairs */
	double ns;		/* an operation, quiet tenth of the chunks; 0: none counted */
} __attribute__((aligned(128)));

static void stay_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu == UINT_MAX)
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			CPU_SET(i, &set);
	else
		CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static uint64_t done_by(const struct worker *w)
{
	return w == NULL ? 0 : atomic_load_explicit(&w->done, memory_order_relaxed);
}

/* All pairs, then all of them backwards, which brings the set back. */
static void *work(void *arg)
{
	enum { CHUNK = 1000 };
	struct worker *w = arg;
	double *chunks = mem_array(2 * w->pairs / CHUNK, sizeof *chunks);
	uint64_t answers = 0, others = 0;
	unsigned counted = 0;
	double begun = 0;

	stay_on(w->cpu);
	do {
		counted = 0;
		for (unsigned i = 0; i < 2 * w->pairs; i++) {
			bool back = i >= w->pairs;
			unsigned pair = back ? 2 * w->pairs - 1 - i : i;

			if (i % CHUNK == 0) {
				others = done_by(w->other);
				begun = measure_cpu_ns();
			}
			cidr_tree_leave(w->tree, &w->ops[2 * pair + back].addr);
			for (unsigned q = 0; q < w->questions; q++)
				answers += cidr_tree_count(w->tree,
							   &w->blocks[pair * w->questions + q]);
			cidr_tree_enter(w->tree, &w->ops[2 * pair + !back].addr);
			atomic_store_explicit(&w->done, i, memory_order_relaxed);
			if (i % CHUNK == CHUNK - 1 &&
			    (w->other == NULL || done_by(w->other) - others > CHUNK / 2))
				chunks[counted++] =
					(measure_cpu_ns() - begun) / CHUNK / (2 + w->questions);
		}
	} while (w->stop != NULL && !atomic_load(w->stop));
	w->ns = counted > 0 ? measure_quantile(chunks, counted, 0.1) : 0;
	free(chunks);
	return answers == 1 ? arg : NULL; /* it is used */
}

static void worker_init(struct worker *worker, struct cidr_tree *tree, struct workload *w,
			unsigned nth, unsigned questions)
{
	enum { PAIRS = 50000 };

	*worker =
		(struct worker){ .tree = tree, .pairs = PAIRS, .questions = questions, .cpu = nth };
	worker->ops = mem_array(2 * PAIRS, sizeof *worker->ops);
	worker->blocks = mem_array(PAIRS * questions, sizeof *worker->blocks);
	workload_churn(w, worker->ops, 2 * PAIRS, nth, 2);
	workload_blocks(w, worker->blocks, PAIRS * questions, MIXED);
}

static void worker_fini(struct worker *w)
{
	free(w->ops);
	free(w->blocks);
}

/* Both at a time; the mean of an operation while both were at work, or 0. */
static double both_at_work(struct worker workers[2])
{
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++) {
		workers[i].other = &workers[!i];
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return workers[0].ns > 0 && workers[1].ns > 0 ? (workers[0].ns + workers[1].ns) / 2 : 0;
}

/*
 * Leave, three counts, enter: by one thread, then by two at a time. What two threads can reach at
 * all on this machine, which may be two halves of one core, a tree for each of them tells: nothing
 * is shared then but the machine.
 */
static void measure_two_threads(const struct kind *kind, struct cidr_tree *tree,
				const struct workload *given)
{
	struct cidr_tree *own = kind->new(given->family);
	struct workload w;
	struct worker workers[2];
	pthread_t thread;
	double one = 0, shared = 0, apart = 0;

	workload_copy(&w, given);
	load(kind, own, &w);
	for (unsigned i = 0; i < 2; i++)
		worker_init(&workers[i], tree, &w, i, 3);
	for (unsigned round = 0; round < rounds; round++) {
		double ns;

		for (unsigned i = 0; i < 2; i++) {
			workers[i].other = NULL;
			pthread_create(&thread, NULL, work, &workers[i]);
			pthread_join(thread, NULL);
			one = least(one, workers[i].ns);
		}
		ns = both_at_work(workers);
		shared = ns > 0 ? least(shared, ns) : shared;
		workers[1].tree = own;
		ns = both_at_work(workers);
		apart = ns > 0 ? least(apart, ns) : apart;
		workers[1].tree = tree;
	}
	table_row(w.name, "two threads against one", shared > 0 ? 2 * one / shared : 0, "x", AT_LEAST,
	    1.8, "%.0f, %.0f ns; with a tree each %.2f x", shared, one,
	    apart > 0 ? 2 * one / apart : 0);
	for (unsigned i = 0; i < 2; i++)
		worker_fini(&workers[i]);
	workload_free(&w);
	kind->free(own);
}

/* p99.9 of single questions, each with the clock's own time in it, best of the rounds. */
static double tail_of(struct cidr_tree *tree, const struct cidr *blocks, unsigned count)
{
	double *times = mem_array(count, sizeof *times), best = 0;
	uint64_t answers = 0;

	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < count; i++) {
			double begun = measure_wall_ns();

			answers += cidr_tree_count(tree, &blocks[i]);
			times[i] = measure_wall_ns() - begun;
		}
		best = least(best, measure_quantile(times, count, 0.999));
	}
	free(times);
	return best + (answers == 1); /* it is used */
}

static void measure_tails(struct cidr_tree *tree, const struct workload *given, unsigned key)
{
	enum { COUNT = 100000 };
	struct cidr *blocks = mem_array(COUNT, sizeof *blocks);
	_Atomic bool stop = false;
	struct worker updater;
	struct workload w;
	pthread_t thread;

	workload_copy(&w, given);
	worker_init(&updater, tree, &w, 1, 0);
	updater.stop = &stop;
	stay_on(0);
	pthread_create(&thread, NULL, work, &updater);
	for (unsigned is_short = 0; is_short < 2; is_short++) {
		for (unsigned i = 0; i < COUNT; i++) {
			unsigned bits = w.family == ADDR_V4 ? 32 : 128;
			unsigned len =
				is_short ? (unsigned)random_below(&w.random, key)
					 : key + (unsigned)random_below(&w.random, bits - key + 1);

			workload_blocks(&w, &blocks[i], 1, len);
		}
		table_row_l(w.name,
		      is_short ? "count p99.9 under updates, shorter"
			       : "count p99.9 under updates, longer",
		      tail_of(tree, blocks, COUNT), is_short ? 20 : 6);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	stay_on(UINT_MAX);
	worker_fini(&updater);
	free(blocks);
	workload_free(&w);
}

/* --- all of it --- */

struct goals {
	const char *kind;
	unsigned key; /* the prefix length that the tree is sharded by */
	double churn, mixed, slowest, bytes;
};

static void row_memory(const struct goals *g, const char *what, size_t bytes)
{
	double each = bytes > MIB ? (double)(bytes - MIB) / addresses : 0;

	table_row(g->kind, what, each, "B/addr", AT_MOST, g->bytes, "%.1f MiB in all",
	    (double)bytes / MIB);
}

static void measure_family(const struct goals *g)
{
	unsigned count = 400000;
	struct op *ops = mem_array(count, sizeof *ops);
	struct cidr *blocks = mem_array(count, sizeof *blocks);
	struct cidr_tree *tree;
	struct workload w;
	size_t before, loaded;
	double best = 0;

	workload_init(&w, g->kind, addresses, 1);
	before = measure_resident();
	tree = cidr_tree_new(w.family);
	load(&kind_tree, tree, &w);
	loaded = measure_resident() - before;
	for (unsigned i = 0; i < rounds; i++) {
		workload_churn(&w, ops, count, 0, 1);
		best = least(best, run_ops(&kind_tree, tree, ops, count));
	}
	table_row_l(g->kind, "enter/leave", best, g->churn);

	workload_blocks(&w, blocks, count, MIXED);
	best = 0;
	for (unsigned i = 0; i < rounds; i++)
		best = least(best, run_counts(tree, blocks, count));
	table_row_l(g->kind, "count, mixed lengths, chained", best, g->mixed);
	measure_slowest(tree, &w, blocks, g->key, g->slowest);

	row_memory(g, "memory beyond 1 MiB, resident", loaded);
	row_memory(g, "the same after churn, as it says", cidr_tree_bytes(tree));

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		measure_two_threads(&kind_tree, tree, &w);
		measure_tails(tree, &w, g->key);
	}
	free(blocks);
	free(ops);
	for (unsigned i = 0; i < w.n; i++)
		cidr_tree_leave(tree, &w.pool[i]);
	cidr_tree_trim(tree);
	before = measure_resident();
	cidr_tree_free(tree);
	table_row(g->kind, "memory left when all have left", (double)(before - measure_resident()) / MIB,
	    "MiB", AT_MOST, 1, "%s", "");
	workload_free(&w);
}

static void compare(const struct kind *other, const char *kind, double goal)
{
	unsigned count = 400000;
	struct op *ops = mem_array(count, sizeof *ops);
	double ours, theirs;
	struct workload w;

	workload_init(&w, kind, addresses, 2);
	ours = churn_of(&kind_tree, &w, ops, count);
	theirs = churn_of(other, &w, ops, count);
	table_row(kind, other->name, theirs / ours, "x", AT_LEAST, goal, "%.0f, %.0f ns, churn", theirs,
	    ours);
	workload_free(&w);
	free(ops);
}

static void print_machine(void)
{
	char line[256], *name;
	struct utsname os;
	FILE *in = fopen("/proc/cpuinfo", "r");

	while (in != NULL && fgets(line, sizeof line, in) != NULL) {
		name = strchr(line, ':');
		if (strncmp(line, "model name", 10) == 0 && name != NULL) {
			printf("%s%s", "processor:", name + 1);
			break;
		}
	}
	if (in != NULL)
		fclose(in);
	uname(&os);
	printf("%ld processors, %s %s, scan: %s, compiler: %s, tidewaiter %s\n",
	       sysconf(_SC_NPROCESSORS_ONLN), os.sysname, os.release, scan_best()->name,
	       __VERSION__, VERSION);
}

int main(int argc, char **argv)
{
	static const struct goals goals[] = {
		{ "v4u", CIDR_TREE_KEY_V4, 0.25, 0.45, 1.3, 11 },
		{ "v6c", CIDR_TREE_KEY_V6, 0.9, 2, 2, 15 },
	};

	if (argc > 1)
		addresses = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		rounds = (unsigned)strtoul(argv[2], NULL, 10);
	if (addresses < 10000 || rounds < 1) {
		fputs("usage: run [ADDRESSES >= 10000 [ROUNDS]]\n", stderr);
		return 64;
	}
	print_machine();
	printf("%u live addresses, %u rounds, ", addresses, rounds);
	table_begin();
	for (unsigned i = 0; i < sizeof goals / sizeof *goals; i++)
		measure_family(&goals[i]);
	table_row("all", "keys moved by one operation, at most", BUCKET_MAX, "", AT_MOST, 64, "%s",
	    "by construction");
	compare(&kind_uthash, "v4u", 8);
	compare(&kind_uthash, "v6c", 1);
#ifdef HAVE_JUDY
	compare(&kind_judy, "v4u", 1);
	compare(&kind_judy, "v6c", 1);
#endif
	table_end();
	return 0; /* a busy machine misses goals, too */
}
