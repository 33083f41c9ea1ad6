/*
 * runs - sums by block, gathered from many sorted lists.
 *
 * Each list is added as a run; where two of like size meet they are merged, and rows of the same
 * key become one, so a row moves a handful of times, always in order. All runs together are short
 * (runs_rows), or the highest keys are forgotten (runs_cut), to be gathered again later.
 */
#ifndef ARCHIVE_RUNS_H
#define ARCHIVE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of address, length, column. */
struct run_row {
	uint64_t hi, lo;
	uint64_t amount;
	uint8_t len;
	uint8_t column;
};

/* Rows in strictly ascending order. Zeroed: empty. */
struct run {
	struct run_row *rows;
	size_t n, room;
};

void run_add(struct run *r, const struct run_row *row); /* after all that are there */
/* The first that does not come before this one; n: there is none. */
size_t run_find(const struct run *r, const struct run_row *row);
/* Forget the rows from this address on. */
void run_cut(struct run *r, uint64_t hi, uint64_t lo);
void run_free(struct run *r);

/* Each is more than twice as long as the next. */
enum { RUNS_MAX = 64 };
struct runs {
	struct run list[RUNS_MAX];
	unsigned n;
};

void runs_add(struct runs *all, struct run *run); /* takes its rows */
size_t runs_rows(const struct runs *all);
/* Into one, which is borrowed until the next call. */
const struct run *runs_merge(struct runs *all);
/* Of one run, after runs_merge. */
void runs_cut(struct runs *all, uint64_t hi, uint64_t lo);
void runs_free(struct runs *all);

#endif
