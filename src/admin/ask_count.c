/* count, distinct, top: what the audit knows. */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/ask.h"
#include "admin/top.h"
#include "admin/walk.h"
#include "admin/words.h"
#include "base/mem.h"

#define BLOCK_ROW(prefix, count, distinct)                                                        \
	VIEW_ROW(LOG_STR("prefix", prefix), LOG_INT("count", (int64_t)(count)),                   \
		 LOG_INT("distinct", (int64_t)(distinct)))

enum { TOP_LEN_V4 = 24, TOP_LEN_V6 = 64, TOP_STEP = 4096 /* blocks looked at in one turn */ };

static const char *scope_of(const struct ask *a, struct slice name, struct audit_scope *out)
{
	return audit_scope_find(a->by->world->audit, name, out);
}

void ask_say_block_heading(struct ask *a)
{
	view_row(&a->view, NULL, "%9s %9s  %s", "SESSIONS", "ADDRESSES", "PREFIX");
}

void ask_say_block(struct ask *a, const struct cidr *block, uint64_t count, uint64_t distinct)
{
	char text[CIDR_TEXT_MAX];

	view_row(&a->view, BLOCK_ROW(cidr_print(block, text), count, distinct),
		 "%9" PRIu64 " %9" PRIu64 "  %s", count, distinct, text);
}

typedef uint64_t audit_question(struct audit_scope scope, const struct cidr *block);

static enum ask_step number(struct ask *a, const char *key, audit_question *question)
{
	struct audit_scope scope;
	struct cidr block;
	char text[CIDR_TEXT_MAX], service[64];
	uint64_t n;
	const char *wrong = scope_of(a, a->args[0], &scope);

	if (wrong == NULL)
		wrong = cidr_parse(a->args[1], &block);
	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	n = question(scope, &block);
	snprintf(service, sizeof service, "%.*s", SLICE_ARGS(a->args[0]));
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view, VIEW_ROW(LOG_STR("service", service),
			  LOG_STR("prefix", cidr_print(&block, text)),
			  LOG_INT(key, (int64_t)n)),
		 "%" PRIu64, n);
	return ask_done(a);
}

enum ask_step ask_distinct(struct ask *a)
{
	return number(a, "distinct", audit_distinct);
}

/* Walks that go through IPv4 first, then IPv6. */
struct levels {
	struct walk walks[2];
	unsigned at, count;
	struct ask *ask;
	unsigned visited; /* in this step */
	struct top top;
};

static void levels_free(void *state)
{
	struct levels *l = state;

	top_fini(&l->top);
	free(l);
}

static struct levels *levels_new(struct ask *a)
{
	struct levels *l = mem_new(sizeof *l);

	l->ask = a;
	a->state = l;
	a->state_free = levels_free;
	return l;
}

static void levels_add(struct levels *l, struct audit_scope scope, enum addr_family family,
		       unsigned first, unsigned last)
{
	walk_begin(&l->walks[l->count++], scope, family, first, last);
}

/* true: there is more to visit. */
static bool levels_on(struct levels *l, audit_visit *visit)
{
	l->visited = 0;
	for (; l->at < l->count; l->at++)
		if (walk_on(&l->walks[l->at], visit, l))
			return true;
	return false;
}

static bool print_level(void *arg, const struct cidr *block, uint64_t count, uint64_t distinct)
{
	struct levels *l = arg;
	char text[CIDR_TEXT_MAX];

	view_row(&l->ask->view, BLOCK_ROW(cidr_print(block, text), count, distinct),
		 "%*s%" PRIu64 " %s", (int)(block->len - l->walks[l->at].first), "", count, text);
	return !ask_step_is_full(l->ask);
}

static enum ask_step levels_step(struct ask *a)
{
	if (levels_on(a->state, print_level))
		return ASK_MORE;
	return ask_done(a);
}

/* "16-32" (T15). A level above 32 concerns IPv6 only. */
static enum ask_step count_levels(struct ask *a, struct slice first_text, struct slice last_text)
{
	struct levels *l;
	struct audit_scope scope;
	uint64_t first, last;
	const char *wrong = scope_of(a, a->args[0], &scope);

	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	if (!slice_number(first_text, 128, &first) || !slice_number(last_text, 128, &last) ||
	    first > last)
		return ask_fail(a, EXIT_OF_USAGE,
				"\"%.*s\" is not FIRST-LAST, lengths from 0 to 128",
				SLICE_ARGS(a->args[1]));
	l = levels_new(a);
	if (ask_wants(a, OPTION_V4) && first <= 32)
		levels_add(l, scope, ADDR_V4, (unsigned)first, last < 32 ? (unsigned)last : 32);
	if (ask_wants(a, OPTION_V6))
		levels_add(l, scope, ADDR_V6, (unsigned)first, (unsigned)last);
	ask_view(a, VIEW_LIST);
	a->next = levels_step;
	return levels_step(a);
}

enum ask_step ask_count(struct ask *a)
{
	struct slice last, first = slice_cut(a->args[1], '-', &last);

	if (first.len < a->args[1].len)
		return count_levels(a, first, last);
	if (a->options & OPTIONS_FAMILY)
		return ask_fail(a, EXIT_OF_USAGE,
				"-4 and -6 go with FIRST-LAST: a prefix has a family");
	return number(a, "count", audit_count);
}

static bool offer(void *arg, const struct cidr *block, uint64_t count, uint64_t distinct)
{
	struct levels *l = arg;

	top_offer(&l->top, &(struct top_row){ .block = *block, .count = count,
					      .distinct = distinct });
	return ++l->visited < TOP_STEP;
}

static enum ask_step top_step(struct ask *a)
{
	struct levels *l = a->state;

	if (levels_on(l, offer))
		return ASK_MORE;
	top_sort(&l->top);
	ask_view(a, VIEW_LIST);
	ask_say_block_heading(a);
	for (const struct top_row *r = l->top.rows; r < l->top.rows + l->top.used; r++)
		ask_say_block(a, &r->block, r->count, r->distinct);
	return ask_done(a);
}

enum ask_step ask_top(struct ask *a)
{
	struct slice name = a->arg_count > 0 ? a->args[0] : SLICE("SMTP");
	bool by = (a->options & OPTION_BY) != 0;
	struct audit_scope scope;
	struct levels *l;
	const char *wrong;
	unsigned v4 = by ? a->by_len : TOP_LEN_V4, v6 = by ? a->by_len : TOP_LEN_V6;

	if (a->options & OPTION_SERIES)
		return ask_top_series(a);
	if (a->by_auto || (a->options & OPTION_WINDOW) != 0)
		return ask_fail(a, EXIT_OF_USAGE, "--by auto and --window go with --series");
	wrong = scope_of(a, name, &scope);
	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	l = levels_new(a);
	top_init(&l->top, a->limit);
	if (ask_wants(a, OPTION_V4) && v4 <= 32)
		levels_add(l, scope, ADDR_V4, v4, v4);
	if (ask_wants(a, OPTION_V6))
		levels_add(l, scope, ADDR_V6, v6, v6);
	a->next = top_step;
	return top_step(a);
}
