/* top --series: what stands out in windows of a series. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/ask.h"
#include "admin/top.h"
#include "base/mem.h"
#include "series/hitters.h"

enum {
	SUMS_A_STEP = 512,  /* hitters; a sum over many windows is some microseconds */
	WALKS_A_STEP = 32, /* of TALLY_TURN entries */
	ROWS_A_STEP = 64,
};

struct ranking {
	struct series *series;
	struct series_info is;
	uint64_t current; /* the number of window 0 when it began; later ones are not looked at */
	unsigned oldest;  /* the last window that can be asked for */
	unsigned first, last;
	struct cidr within[TALLY_FAMILIES]; /* all of a family */
	unsigned lens[TALLY_FAMILIES];	    /* --by */
	unsigned families;
	uint64_t total, threshold;
	struct top top;

	/* Where it is. */
	unsigned moved; /* windows, since it began */
	unsigned window, family;
	struct hitters hitters;
	struct series_walk walk;
	struct top_row block; /* entries of this one come just now */
	struct buf texts;
	unsigned shown;
};

static void ranking_free(void *state)
{
	struct ranking *r = state;

	if (r->walk.begun)
		series_walk_end(r->series, &r->walk);
	buf_free(&r->texts);
	top_fini(&r->top);
	free(r);
}

static unsigned windows(const struct ranking *r)
{
	return r->last - r->first + 1;
}

/* Time goes on meanwhile, and the same windows have other numbers. */
static void ranking_follow(struct ranking *r)
{
	struct series_info info;

	series_describe(r->series, &info);
	r->moved = (unsigned)(ask_window_now(&info) - r->current);
}

static unsigned window_now(const struct ranking *r, unsigned window)
{
	return r->moved < r->oldest - window ? window + r->moved : r->oldest;
}

static struct bounds sum_of(const struct ranking *r, const struct cidr *block, struct slice text)
{
	struct series_key key = { *block, text };
	struct bounds sum;

	/* The windows were right when it began; what is wrong now has nothing. */
	if (series_sum(r->series, &key, window_now(r, r->first), window_now(r, r->last), &sum))
		return (struct bounds){ 0, 0 };
	return sum;
}

/* --- looking -------------------------------------------------------------------------------- */

static struct bounds hitters_ask(void *arg, const struct cidr *block)
{
	return sum_of(arg, block, (struct slice){ NULL, 0 });
}

static void hitters_take(void *arg, const struct hitter *h)
{
	struct ranking *r = arg;

	top_offer(&r->top, &(struct top_row){ .block = h->block, .count = h->residual,
					      .amount = h->amount });
}

/* true: there is more to do; so of all that look. */
static bool look_everywhere(struct ranking *r)
{
	for (; r->family < r->families; r->family++) {
		if (!r->hitters.begun)
			r->hitters = (struct hitters){
				.within = r->within[r->family], .threshold = r->threshold,
				.sum = hitters_ask, .found = hitters_take, .arg = r,
			};
		if (hitters_on(&r->hitters, SUMS_A_STEP))
			return true;
		r->hitters.begun = false;
	}
	return false;
}

/*
 * What it has in one window of those that are asked for. A sum over all is asked for only where it
 * may be among the largest: then it has in one of them more than its share of the least.
 */
static void offer(struct ranking *r, struct top_row *row, uint64_t in_window)
{
	const uint64_t least = top_least(&r->top);

	row->count = in_window;
	if (windows(r) > 1) {
		if (in_window <= least / windows(r))
			return;
		row->count = sum_of(r, &row->block, row->key).low;
		if (row->count <= least || top_has(&r->top, row))
			return;
	}
	top_offer(&r->top, row);
}

static void offer_block(struct ranking *r)
{
	if (r->block.count > 0)
		offer(r, &r->block, r->block.count);
	r->block = (struct top_row){ .count = 0 };
}

/* Entries come in address order: those of a block one after the other. What a fold keeps of more
 * than the block says nothing of it. */
static void take_entry(struct ranking *r, const struct tally_entry *e)
{
	const unsigned len = r->lens[r->family];
	struct cidr block = cidr_of(&e->block.addr, len);

	if (e->block.len < len)
		return;
	if (!cidr_equal(&block, &r->block.block))
		offer_block(r);
	r->block.block = block;
	r->block.count = amount_plus(r->block.count, e->amount);
}

static bool walk_blocks(struct ranking *r)
{
	struct tally_entry entries[TALLY_TURN];
	unsigned n = series_walk(r->series, &r->walk, &r->within[r->family], entries);

	for (unsigned i = 0; i < n; i++)
		take_entry(r, &entries[i]);
	if (n == 0)
		offer_block(r);
	return n > 0;
}

static bool walk_texts(struct ranking *r)
{
	struct series_text entries[TALLY_TURN];
	unsigned n = series_walk_texts(r->series, &r->walk, &r->texts, entries);

	for (unsigned i = 0; i < n; i++) {
		struct top_row row = { .key = entries[i].key };

		r->total = amount_plus(r->total, entries[i].amount);
		offer(r, &row, entries[i].amount);
	}
	buf_clear(&r->texts);
	return n > 0;
}

/* Window by window, and family by family in it. */
static bool look_along(struct ranking *r, bool (*walk)(struct ranking *r))
{
	for (unsigned walks = 0; r->window <= r->last; walks++) {
		if (walks == WALKS_A_STEP)
			return true;
		r->walk.window = r->current - r->window;
		if (walk(r))
			continue;
		series_walk_end(r->series, &r->walk);
		r->walk = (struct series_walk){ 0 };
		if (++r->family >= r->families) {
			r->family = 0;
			r->window++;
		}
	}
	return false;
}

static bool look(struct ask *a, struct ranking *r)
{
	ranking_follow(r);
	if (r->is.is.type == SERIES_STRING)
		return look_along(r, walk_texts);
	return a->options & OPTION_BY && !a->by_auto ? look_along(r, walk_blocks)
						     : look_everywhere(r);
}

/* --- saying --------------------------------------------------------------------------------- */

static void say_head(struct ask *a, const struct ranking *r)
{
	char monitor[MONITOR_TEXT_MAX];

	monitor_print(r->is.is.monitor, monitor);
	view_row(&a->view,
		 VIEW_ROW(LOG_STR("series", r->is.is.name), LOG_STR("monitor", monitor),
			  LOG_INT("first", r->first), LOG_INT("last", r->last),
			  LOG_INT("total", (int64_t)r->total),
			  LOG_INT("below", (int64_t)r->threshold),
			  LOG_INT("windows_folded", r->is.windows_folded)),
		 "%s@%s, windows %u to %u: %" PRIu64 " in all", r->is.is.name, monitor, r->first,
		 r->last, r->total);
	view_section(&a->view, "top");
	view_row(&a->view, NULL, "%10s %10s %7s  %s", "AMOUNT", "RESIDUAL", "SHARE",
		 r->is.is.type == SERIES_STRING ? "KEY" : "PREFIX");
}

static void say_row(struct ask *a, const struct ranking *r, const struct top_row *row)
{
	const bool is_text = r->is.is.type == SERIES_STRING;
	const double share = r->total > 0 ? (double)row->count / (double)r->total : 0;
	struct bounds amount = row->amount;
	char prefix[CIDR_TEXT_MAX], hidden[40] = "";
	const char *name = is_text ? row->key.at : cidr_print(&row->block, prefix);

	if (amount.high == 0) { /* the looking along asked for no bounds */
		amount = sum_of(r, &row->block, row->key);
		amount.low = row->count;
		if (amount.high < amount.low)
			amount.high = amount.low;
	}
	if (amount.high > amount.low)
		snprintf(hidden, sizeof hidden, "  (amount: up to %" PRIu64 ")", amount.high);
	view_row(&a->view,
		 VIEW_ROW(LOG_STR(is_text ? "key" : "prefix", name),
			  LOG_INT("amount", (int64_t)amount.low),
			  LOG_INT("amount_high", (int64_t)amount.high),
			  LOG_INT("residual", (int64_t)row->count),
			  LOG_INT("share_ppm", (int64_t)(share * 1e6))),
		 "%10" PRIu64 " %10" PRIu64 " %6.1f%%  %s%s", amount.low, row->count, share * 100,
		 name, hidden);
}

static enum ask_step rows_step(struct ask *a)
{
	struct ranking *r = a->state;
	const char *what = r->is.is.type == SERIES_STRING ? "key" : "block";

	ranking_follow(r);
	for (unsigned n = 0; r->shown < r->top.used; n++) {
		if (n == ROWS_A_STEP)
			return ASK_MORE;
		say_row(a, r, &r->top.rows[r->shown++]);
	}
	view_row(&a->view, NULL, "any other %s has less than %" PRIu64 " outside of these", what,
		 r->threshold);
	if (r->is.windows_folded > 0)
		view_row(&a->view, NULL, "below what was folded, amounts are lower bounds");
	return ask_done(a);
}

static enum ask_step look_step(struct ask *a)
{
	struct ranking *r = a->state;

	if (look(a, r))
		return ASK_MORE;
	if (r->threshold == 0) /* the same promise: who is not shown has at most the least shown */
		r->threshold = top_least(&r->top) + 1;
	top_sort(&r->top);
	ask_view(a, VIEW_OBJECT);
	say_head(a, r);
	a->next = rows_step;
	return rows_step(a);
}

/* --- asking --------------------------------------------------------------------------------- */

static void add_family(struct ask *a, struct ranking *r, enum option option,
		       enum addr_family family, unsigned len_most)
{
	const enum series_type other =
		family == ADDR_V4 ? SERIES_CIDR_IPV6 : SERIES_CIDR;

	if (!ask_wants(a, option) || r->is.is.type == other || a->by_len > len_most)
		return;
	r->within[r->families].addr.family = (uint8_t)family;
	r->lens[r->families++] = a->by_len;
}

/* The whole of what is asked for; NULL, or what is wrong with the question. */
static const char *add_up(struct ranking *r)
{
	struct series_key key = { .text = SLICE("x") };
	struct bounds sum;
	const char *wrong;

	for (unsigned i = 0; i < r->families || i == 0; i++) {
		key.block = r->within[i];
		wrong = series_sum(r->series, &key, r->first, r->last, &sum);
		if (wrong != NULL)
			return wrong;
		if (r->is.is.type != SERIES_STRING)
			r->total = amount_plus(r->total, sum.low);
	}
	return NULL;
}

static const char *ranking_begin(struct ask *a, struct ranking *r)
{
	series_describe(r->series, &r->is);
	r->current = ask_window_now(&r->is);
	r->oldest = r->is.is.monitor.windows - (r->is.event < 0); /* D44 */
	r->first = r->window = a->window_first;
	r->last = a->window_last;
	top_init(&r->top, a->limit);
	buf_init(&r->texts, TALLY_TURN * SERIES_KEY_MAX);
	if (r->is.is.type != SERIES_STRING) {
		add_family(a, r, OPTION_V4, ADDR_V4, 32);
		add_family(a, r, OPTION_V6, ADDR_V6, 128);
		if (r->families == 0)
			return "the series keeps no such blocks";
	} else if (a->options & (OPTION_BY | OPTIONS_FAMILY)) {
		return "a series of texts has no blocks";
	}
	return add_up(r);
}

enum ask_step ask_top_series(struct ask *a)
{
	const char *wrong = NULL;
	struct series *s = series_named(a->by->world->series, a->series, &wrong);
	struct ranking *r;

	if (a->arg_count > 0)
		return ask_fail(a, EXIT_OF_USAGE, "a service does not go with --series");
	if (s == NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	r = mem_new(sizeof *r);
	a->state = r;
	a->state_free = ranking_free;
	r->series = s;
	wrong = ranking_begin(a, r);
	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	if (r->is.is.type != SERIES_STRING && (a->by_auto || (a->options & OPTION_BY) == 0))
		r->threshold = r->total == 0 ? 1 : (r->total - 1) / a->limit + 1;
	a->next = look_step;
	return look_step(a);
}
