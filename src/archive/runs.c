#include "archive/runs.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "series/bounds.h"

static int row_compare(const struct run_row *a, const struct run_row *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->column - b->column;
}

void run_add(struct run *r, const struct run_row *row)
{
	if (r->n == r->room) {
		r->room = r->room > 0 ? 2 * r->room : 256;
		r->rows = mem_resize(r->rows, r->room, sizeof *r->rows);
	}
	r->rows[r->n++] = *row;
}

size_t run_find(const struct run *r, const struct run_row *row)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (row_compare(&r->rows[middle], row) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void run_cut(struct run *r, uint64_t hi, uint64_t lo)
{
	r->n = run_find(r, &(struct run_row){ .hi = hi, .lo = lo });
}

void run_free(struct run *r)
{
	free(r->rows);
	*r = (struct run){ 0 };
}

/* b into a. */
static void merge(struct run *a, struct run *b)
{
	struct run_row *to = mem_resize(NULL, a->n + b->n, sizeof *to);
	struct run out = { to, 0, a->n + b->n };
	size_t i = 0, k = 0;

	while (i < a->n && k < b->n) {
		int order = row_compare(&a->rows[i], &b->rows[k]);

		if (order > 0) {
			to[out.n++] = b->rows[k++];
			continue;
		}
		to[out.n] = a->rows[i++];
		if (order == 0)
			to[out.n].amount = amount_plus(to[out.n].amount, b->rows[k++].amount);
		out.n++;
	}
	while (i < a->n)
		to[out.n++] = a->rows[i++];
	while (k < b->n)
		to[out.n++] = b->rows[k++];
	run_free(a);
	run_free(b);
	*a = out;
}

static void merge_last(struct runs *all)
{
	all->n--;
	merge(&all->list[all->n - 1], &all->list[all->n]);
}

void runs_add(struct runs *all, struct run *run)
{
	if (run->n == 0) {
		run_free(run);
		return;
	}
	CHECK(all->n < RUNS_MAX);
	all->list[all->n++] = *run;
	*run = (struct run){ 0 };
	while (all->n > 1 && all->list[all->n - 2].n <= 2 * all->list[all->n - 1].n)
		merge_last(all);
}

size_t runs_rows(const struct runs *all)
{
	size_t rows = 0;

	for (unsigned i = 0; i < all->n; i++)
		rows += all->list[i].n;
	return rows;
}

const struct run *runs_merge(struct runs *all)
{
	static const struct run none;

	while (all->n > 1)
		merge_last(all);
	return all->n > 0 ? &all->list[0] : &none;
}

void runs_cut(struct runs *all, uint64_t hi, uint64_t lo)
{
	for (unsigned i = 0; i < all->n; i++)
		run_cut(&all->list[i], hi, lo);
}

void runs_free(struct runs *all)
{
	while (all->n > 0)
		run_free(&all->list[--all->n]);
}
