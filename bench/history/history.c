/*
 * history DIR FILES ADDRESSES ROUNDS - writes so many quarter-hour journals of so many addresses
 * into DIR/journal, asks them what operators ask, and removes them. Wall time and the processor's,
 * the best of so many rounds; the files are in the page cache.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/history.h"
#include "archive/shelf.h"
#include "archive/volume.h"
#include "base/mem.h"
#include "measure.h"

enum { QUARTER = 900, BEGIN = 1793491200 /* 2026-11-01 */, CROWD = 10 };

struct job {
	const char *dir;
	unsigned files, addresses, rounds;
	uint64_t octets;
};

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "history: %s\n", why);
	exit(1);
}

static uint64_t random_number(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

static const char *path_of(const struct job *job, unsigned nth)
{
	static char path[4096];
	char file[SHELF_NAME_MAX];

	if (!shelf_journal(file, "bench", BEGIN + (nth + 1ull) * QUARTER))
		die("no name");
	snprintf(path, sizeof path, "%s/%s", job->dir, file);
	return path;
}

/* A tenth of the known addresses comes in each window. */
static uint32_t *make_crowd(const struct job *job)
{
	unsigned n = job->addresses * CROWD;
	uint32_t *crowd = mem_array(n, sizeof *crowd);
	uint64_t step = (UINT64_C(1) << 32) / n;

	for (unsigned i = 0; i < n; i++)
		crowd[i] = (uint32_t)(i * step + random_number() % step);
	return crowd;
}

static void write_file(struct job *job, unsigned nth, const uint32_t *crowd)
{
	struct volume_about about = { .is = { .name = "bench", .type = SERIES_CIDR,
					      .monitor = { QUARTER, 4 } }, .event = -1 };
	char why[VOLUME_WHY_MAX];
	struct volume_writer *w = volume_create(path_of(job, nth), &about, why);

	if (w == NULL)
		die(why);
	volume_begin_window(w, BEGIN / QUARTER + nth);
	for (unsigned i = 0; i < job->addresses; i++) {
		uint32_t addr = crowd[i * CROWD + random_number() % CROWD];
		struct tally_entry e = { { { (uint64_t)addr << 32, 0, ADDR_V4 }, 32 },
					 1 + random_number() % 16 };

		volume_add(w, &e);
	}
	job->octets += volume_written(w);
	if (!volume_commit(w, why))
		die(why);
}

static void count_row(void *owner, const struct history_row *row)
{
	(void)row;
	++*(uint64_t *)owner;
}

static double process_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void measure(const struct job *job, const char *text, double goal_ms)
{
	double wall = 0, cpu = 0;
	uint64_t rows = 0;

	for (unsigned i = 0; i < (goal_ms > 0 ? job->rounds : 1); i++) {
		struct history_asker asker = { .owner = &rows, .row = count_row };
		double wall_begun = measure_wall_ns(), cpu_begun = process_ms(), took;
		char why[HISTORY_WHY_MAX];
		struct query q;

		rows = 0;
		if (!query_parse(slice_of(text), &q, why) ||
		    history_ask(job->dir, &q, &asker, why) != HISTORY_DONE)
			die(why);
		took = (measure_wall_ns() - wall_begun) / 1e6;
		wall = i == 0 || took < wall ? took : wall;
		took = process_ms() - cpu_begun;
		cpu = i == 0 || took < cpu ? took : cpu;
	}
	printf("  %-58s %9.0f %9.0f %10ju %6.0f", text + sizeof "show count for " - 1, wall, cpu,
	       (uintmax_t)rows, (double)measure_resident() / (1 << 20));
	if (goal_ms > 0)
		printf("   <= %.0f %s", goal_ms, wall <= goal_ms ? "met" : "MISSED");
	putchar('\n');
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct job job;
	uint32_t *crowd;
	double begun;

	if (argc != 5)
		die("usage: history DIR FILES ADDRESSES ROUNDS");
	job = (struct job){ mem_printf("%s/journal", argv[1]), (unsigned)atoi(argv[2]),
			    (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), 0 };
	if (mkdir(job.dir, 0700) != 0 && errno != EEXIST)
		die("cannot make the directory");
	crowd = make_crowd(&job);
	begun = measure_wall_ns();
	for (unsigned i = 0; i < job.files; i++)
		write_file(&job, i, crowd);
	free(crowd);
	printf("%u journals of %u addresses of %u: %.0f MiB, written and synced in %.1f s\n\n",
	       job.files, job.addresses, job.addresses * CROWD,
	       (double)job.octets / (1 << 20), (measure_wall_ns() - begun) / 1e9);
	printf("  %-58s %9s %9s %10s %6s   goal, ms\n", "show count for ...", "wall ms", "cpu ms",
	       "rows", "MiB");
	measure(&job, "show count for 192.0.2.0/24 in bench cidrsize 24", 1000);
	measure(&job, "show count for 10.0.0.0/8 in bench cidrsize 8", 1000);
	measure(&job, "show count for 0.0.0.0/0 in bench cidrsize 0", 1000);
	measure(&job, "show count for 192.0.2.7 in bench", 1000);
	measure(&job, "show count for 10.0.0.0/8 in bench cidrsize 8 aggregate daily", 1000);
	measure(&job, "show count for 10.0.0.0/8 in bench cidrsize 16", 0);
	measure(&job, "show count for 10.0.0.0/8 in bench", 0);
	measure(&job, "show count for 0.0.0.0/0 in bench cidrsize 8", 0);
	measure(&job, "show count for 10.0.0.0/8 in bench cidrsize 16 to 24", 0);
	measure(&job, "show count for 0.0.0.0/0 in bench", 0);
	measure(&job, "show count for 0.0.0.0/0 in bench order by count limit 10", 0);
	for (unsigned i = 0; i < job.files; i++)
		unlink(path_of(&job, i));
	rmdir(job.dir);
	free((char *)job.dir);
	return 0;
}
