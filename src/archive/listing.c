/*
 * Rows of all blocks of some lengths inside a block, from many journals: each file gives a run of
 * rows, runs are merged, and what comes out is told. Where that is too much at once, the addresses
 * are cut in two, and what lies behind the cut has its own pass over the files, which by their
 * indexes costs little more.
 */
#include <stdio.h>
#include <stdlib.h>

#include "archive/history_parts.h"
#include "archive/runs.h"
#include "base/mem.h"

/* Set in the column of a row that is the rest of a fold. */
enum { REST = 0x80, LENGTHS = 129, OPEN_RESTS_MAX = LENGTHS * QUERY_SERIES_MAX };

#define NO_ROW SIZE_MAX

struct point {
	uint64_t hi, lo;
};

struct top_row {
	struct cidr block;
	struct bounds counts[]; /* as many as there are columns */
};

struct listing {
	struct answer *a;
	unsigned first_len, last_len;
	size_t rows_max;
	struct runs runs;
	struct point from;  /* of this pass */
	struct point stop;  /* addresses from here on are for a later one */
	bool has_stop;

	/* Of the file that is read: its rows, and the last one of each length. */
	struct run run;
	size_t open[LENGTHS];

	/* Folds around the whole block, and those around the row that is told. */
	uint64_t outer[QUERY_SERIES_MAX];
	struct run_row rests[OPEN_RESTS_MAX];
	unsigned rest_count;

	/* What order by count holds back. */
	unsigned char *top;
	size_t top_size, top_n, top_room;
	uint64_t told;
};

static bool is_below(uint64_t hi, uint64_t lo, const struct point *p)
{
	return hi < p->hi || (hi == p->hi && lo < p->lo);
}

static struct addr addr_at(const struct listing *l, uint64_t hi, uint64_t lo)
{
	return (struct addr){ hi, lo, l->a->q->block.addr.family };
}

/* --- one file ------------------------------------------------------------------------------ */

/* The row of this length around the entry: the one that is open, or a new one. */
static void add_row(struct listing *l, const struct tally_entry *e, unsigned len)
{
	struct cidr block = cidr_of(&e->block.addr, len);
	struct run_row row = { block.addr.hi, block.addr.lo, e->amount, block.len, 0 };
	struct run_row *open = l->open[len] != NO_ROW ? &l->run.rows[l->open[len]] : NULL;

	if (open != NULL && open->hi == row.hi && open->lo == row.lo) {
		open->amount = amount_plus(open->amount, e->amount);
	} else if (!is_below(row.hi, row.lo, &l->from)) { /* else an earlier pass told it */
		l->open[len] = l->run.n;
		run_add(&l->run, &row);
	}
}

/* Rows come in order: those around the entry first, from short to long, then its rest. */
static void add_entry(struct listing *l, const struct tally_entry *e)
{
	unsigned last = e->block.len < l->last_len ? e->block.len : l->last_len;

	for (unsigned len = l->first_len; len <= last; len++)
		add_row(l, e, len);
	if (e->block.len < l->last_len)
		run_add(&l->run, &(struct run_row){ e->block.addr.hi, e->block.addr.lo, e->amount,
						    e->block.len, REST });
}

/* A pass goes on behind the address that it begins with. */
static bool is_first(const struct listing *l, const struct run_row *row)
{
	return row->hi == l->from.hi && row->lo == l->from.lo;
}

/* Too many rows: keep the lower half of the longest run, and what of the others is below it. */
static void shorten(struct listing *l)
{
	const struct run *longest = runs_merge(&l->runs);
	size_t middle;

	if (longest->n < l->run.n)
		longest = &l->run;
	if (runs_rows(&l->runs) + l->run.n <= l->rows_max / 2)
		return;
	middle = longest->n / 2;
	while (middle < longest->n && is_first(l, &longest->rows[middle]))
		middle++;
	if (middle == longest->n)
		return;
	l->stop = (struct point){ longest->rows[middle].hi, longest->rows[middle].lo };
	l->has_stop = true;
	runs_cut(&l->runs, l->stop.hi, l->stop.lo);
	run_cut(&l->run, l->stop.hi, l->stop.lo);
	for (unsigned len = l->first_len; len <= l->last_len; len++)
		if (l->open[len] != NO_ROW && l->open[len] >= l->run.n)
			l->open[len] = NO_ROW;
}

/* The last address of this pass. */
static struct addr last_addr(const struct listing *l)
{
	if (l->has_stop)
		return addr_at(l, l->stop.hi - (l->stop.lo == 0), l->stop.lo - 1);
	return cidr_last(&l->a->q->block);
}

/* Blocks that begin before the stop and go on behind it: all of what the file has of them. */
static bool complete(struct listing *l, struct volume *v)
{
	struct addr last = last_addr(l), stop = addr_at(l, l->stop.hi, l->stop.lo);

	for (unsigned len = l->first_len; l->has_stop && len < l->last_len; len++) {
		struct cidr block = cidr_of(&last, len);
		struct run_row row = { block.addr.hi, block.addr.lo, 0, block.len, 0 };
		size_t at = run_find(&l->run, &row);
		struct bounds sum;

		if (!cidr_contains(&block, &stop))
			break;
		if (!volume_sum(v, 0, &block, &sum))
			return false;
		if (sum.low == 0 || is_below(row.hi, row.lo, &l->from))
			continue;
		/* A file that has none of it before the stop has nothing else behind its start. */
		if (at == l->run.n)
			run_add(&l->run, &row);
		l->run.rows[at].amount = sum.low;
	}
	return true;
}

static bool walk(struct listing *l, struct volume *v)
{
	struct tally_entry turn[TALLY_TURN];
	struct volume_walk w = { .level = l->last_len };
	unsigned n;

	w.first = addr_at(l, l->from.hi, l->from.lo);
	w.last = last_addr(l);
	while ((n = volume_next(v, &w, turn)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			const struct cidr *block = &turn[i].block;

			/* One that is around all of it is in outer. */
			if (block->len >= l->a->q->block.len &&
			    (!l->has_stop || is_below(block->addr.hi, block->addr.lo, &l->stop)))
				add_entry(l, &turn[i]);
		}
		if (runs_rows(&l->runs) + l->run.n > l->rows_max) {
			shorten(l);
			w.last = last_addr(l);
		}
	}
	return volume_wrong(v) == NULL && complete(l, v);
}

static void set_column(struct run *run, unsigned column)
{
	for (size_t i = 0; i < run->n; i++)
		run->rows[i].column |= column;
}

/* A file counts whole or not at all. */
static bool read_file(struct listing *l, struct journal *j, bool is_first_pass)
{
	struct volume *v = answer_open(l->a, j);
	struct bounds around;
	bool fine;

	if (v == NULL)
		return l->a->why[0] == '\0';
	for (unsigned len = 0; len < LENGTHS; len++)
		l->open[len] = NO_ROW;
	fine = volume_sum(v, 0, &l->a->q->block, &around) && walk(l, v);
	if (fine) {
		if (is_first_pass)
			l->outer[j->column] = amount_plus(l->outer[j->column],
							  around.high - around.low);
		set_column(&l->run, j->column);
		runs_add(&l->runs, &l->run);
	} else {
		answer_leave_out(l->a, j, volume_wrong(v));
		run_free(&l->run);
	}
	volume_close(v);
	return true;
}

/* --- rows ---------------------------------------------------------------------------------- */

static int by_count(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int order = addr_compare(&x->block.addr, &y->block.addr);

	if (x->counts[0].low != y->counts[0].low)
		return x->counts[0].low < y->counts[0].low ? 1 : -1;
	return order != 0 ? order : x->block.len - y->block.len;
}

static void sort_top(struct listing *l)
{
	if (l->top_n > 0)
		qsort(l->top, l->top_n, l->top_size, by_count);
	if (l->a->q->limit > 0 && l->top_n > l->a->q->limit)
		l->top_n = (size_t)l->a->q->limit;
}

/* Room for twice what is wanted, so that a sort now and then keeps the best. */
static bool hold_back(struct listing *l, const struct cidr *block, const struct bounds *counts)
{
	uint64_t limit = l->a->q->limit;
	struct top_row *to;

	if (l->top_n == HISTORY_TOP_MAX || (limit > 0 && l->top_n >= 2 * limit + 1024))
		sort_top(l);
	if (l->top_n == HISTORY_TOP_MAX) {
		snprintf(l->a->why, HISTORY_WHY_MAX, "more than %d rows to sort; a threshold, a "
			 "limit or a shorter cidrsize leaves fewer", HISTORY_TOP_MAX);
		return false;
	}
	if (l->top_n == l->top_room) {
		l->top_room = l->top_room > 0 ? 2 * l->top_room : 256;
		l->top = mem_resize(l->top, l->top_room, l->top_size);
	}
	to = (struct top_row *)(l->top + l->top_n++ * l->top_size);
	to->block = *block;
	memcpy(to->counts, counts, l->a->columns * sizeof *counts);
	return true;
}

static void tell(struct listing *l, const struct cidr *block, const struct bounds *counts)
{
	struct history_row row = { l->a->day, *block, counts, l->a->columns };

	l->told++;
	l->a->asker->row(l->a->asker->owner, &row);
}

/* The rests that are left are around this address, or begin at it. */
static void close_rests(struct listing *l, uint64_t hi, uint64_t lo)
{
	struct addr here = addr_at(l, hi, lo);

	while (l->rest_count > 0) {
		const struct run_row *r = &l->rests[l->rest_count - 1];
		struct addr there = addr_at(l, r->hi, r->lo);
		struct cidr block = cidr_of(&there, r->len);

		if (cidr_contains(&block, &here))
			break;
		l->rest_count--;
	}
}

/* A block, its columns side by side from rows[0] on; what is around it may be its, too. */
static bool tell_block(struct listing *l, const struct run_row *rows, size_t n)
{
	struct addr addr = addr_at(l, rows->hi, rows->lo);
	struct cidr block = cidr_of(&addr, rows->len);
	struct bounds counts[QUERY_SERIES_MAX] = { { 0, 0 } };

	for (unsigned c = 0; c < l->a->columns; c++)
		counts[c].high = l->outer[c];
	for (unsigned i = 0; i < l->rest_count; i++) {
		unsigned c = l->rests[i].column & ~REST;

		if (l->rests[i].len < rows->len)
			counts[c].high = amount_plus(counts[c].high, l->rests[i].amount);
	}
	for (size_t i = 0; i < n; i++)
		bounds_add(&counts[rows[i].column],
			   (struct bounds){ rows[i].amount, rows[i].amount });
	if (counts[0].low < l->a->q->threshold)
		return true;
	if (l->a->q->by_count)
		return hold_back(l, &block, counts);
	tell(l, &block, counts);
	return true;
}

static bool is_full(const struct listing *l)
{
	return !l->a->q->by_count && l->a->q->limit > 0 && l->told == l->a->q->limit;
}

static bool tell_run(struct listing *l, const struct run *run)
{
	for (size_t i = 0, n; i < run->n && !is_full(l); i += n) {
		const struct run_row *r = &run->rows[i];

		n = 1;
		close_rests(l, r->hi, r->lo);
		if ((r->column & REST) != 0) {
			if (l->rest_count < OPEN_RESTS_MAX)
				l->rests[l->rest_count++] = *r;
			continue;
		}
		while (i + n < run->n && r[n].hi == r->hi && r[n].lo == r->lo &&
		       r[n].len == r->len && (r[n].column & REST) == 0)
			n++;
		if (!tell_block(l, r, n))
			return false;
	}
	return true;
}

static void tell_top(struct listing *l)
{
	sort_top(l);
	for (size_t i = 0; i < l->top_n; i++) {
		const struct top_row *row = (const struct top_row *)(l->top + i * l->top_size);

		tell(l, &row->block, row->counts);
	}
}

static bool one_pass(struct listing *l, struct journal *journals, size_t n, bool is_first)
{
	bool done = true;

	l->has_stop = false;
	for (size_t i = 0; done && i < n; i++)
		done = read_file(l, &journals[i], is_first);
	done = done && tell_run(l, runs_merge(&l->runs));
	runs_free(&l->runs);
	return done;
}

bool listing_make(struct answer *a, struct journal *journals, size_t n)
{
	const struct query *q = a->q;
	struct listing *l = mem_new(sizeof *l);
	bool done;

	*l = (struct listing){
		.a = a,
		.first_len = q->level_first,
		.last_len = q->level_last,
		.rows_max = a->asker->rows_max > 0 ? a->asker->rows_max : HISTORY_ROWS_MAX,
		.from = { q->block.addr.hi, q->block.addr.lo },
		.top_size = sizeof(struct top_row) + a->columns * sizeof(struct bounds),
	};
	done = one_pass(l, journals, n, true);
	while (done && l->has_stop && !is_full(l)) {
		l->from = l->stop;
		a->files_all += n;
		done = one_pass(l, journals, n, false);
	}
	if (done)
		tell_top(l);
	free(l->top);
	free(l);
	return done;
}
