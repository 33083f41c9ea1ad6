/* What inbound_audit answers to, as its authors document it (3.10). */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/ask.h"
#include "base/mem.h"

enum {
	WRONG_MAX = 300,
	WALKS_A_STEP = 256, /* a step may find nothing to print: it ends all the same */
};

static struct series_all *all_of(const struct ask *a)
{
	return a->by->world->series;
}

/* --- the built-in ones, window by window ---------------------------------------------------- */

/* As `show ip` prints them. */
static const char *const type_names[EVENTS] = {
	[EVENT_CONNECTION] = "Connections",
	[EVENT_RECEPTION] = "Receptions",
	[EVENT_REJECTION] = "Rejections",
};

/* Type by type, the monitors in the order of the configuration, from the current window back
 * (D69). */
struct showing {
	unsigned event, monitor, offset;
	struct series *series;
	struct monitor is;
	uint64_t current; /* the number of its window 0 */
	struct series_key key;	 /* of `show ip` */
	struct series_walk walk; /* of `show all` */
};

static void showing_free(void *state)
{
	struct showing *s = state;

	if (s->walk.begun)
		series_walk_end(s->series, &s->walk);
	free(s);
}

static struct showing *showing_begin(struct ask *a)
{
	struct showing *s = mem_new(sizeof *s);

	a->state = s;
	a->state_free = showing_free;
	ask_view(a, VIEW_LIST);
	return s;
}

static void showing_describe(struct showing *s)
{
	struct series_info info;

	series_describe(s->series, &info);
	s->is = info.is.monitor;
	s->current = ask_window_now(&info);
}

/* What stands at event, monitor and offset, or behind it. false: there is no more. */
static bool showing_find(struct ask *a, struct showing *s)
{
	while (s->event < EVENTS) {
		s->series = series_builtin(all_of(a), (enum series_event)s->event, s->monitor);
		if (s->series == NULL) {
			s->event++;
			s->monitor = s->offset = 0;
			continue;
		}
		if (s->offset == 0)
			showing_describe(s);
		if (s->offset <= s->is.windows)
			return true;
		s->monitor++;
		s->offset = 0;
	}
	return false;
}

/* NULL, or what is wrong. */
static const char *show_window(struct ask *a, const struct showing *s)
{
	struct bounds sum;
	const char *wrong = series_sum(s->series, &s->key, s->offset, s->offset, &sum);

	if (wrong == NULL)
		view_row(&a->view,
			 VIEW_ROW(LOG_STR("type", type_names[s->event]),
				  LOG_INT("interval", s->is.seconds), LOG_INT("offset", s->offset),
				  LOG_INT("count", (int64_t)sum.low),
				  LOG_INT("count_high", (int64_t)sum.high)),
			 "%s %" PRIu32 "/%u: %" PRIu64, type_names[s->event], s->is.seconds,
			 s->offset, sum.low);
	return wrong;
}

static enum ask_step show_ip_step(struct ask *a)
{
	struct showing *s = a->state;

	for (; showing_find(a, s); s->offset++) {
		if (ask_step_is_full(a))
			return ASK_MORE;
		if (show_window(a, s) != NULL)
			s->offset = s->is.windows; /* a reload took the monitor away */
	}
	return ask_done(a);
}

enum ask_step ask_inbound_show_ip(struct ask *a)
{
	struct cidr block;
	const char *wrong = cidr_parse(a->args[0], &block);

	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	if (series_monitor_count(all_of(a)) == 0)
		return ask_fail(a, EXIT_OF_FAILURE, "inbound_audit has no monitors");
	showing_begin(a)->key.block = block;
	a->next = show_ip_step;
	return show_ip_step(a);
}

/* Of hosts only: what a fold keeps of more than one is left out (D70). */
static void show_entry(struct ask *a, const struct showing *s, const struct tally_entry *e)
{
	char text[ADDR_TEXT_MAX];

	if (e->block.len < addr_bits(&e->block.addr))
		return;
	addr_print(&e->block.addr, text);
	view_row(&a->view,
		 VIEW_ROW(LOG_STR("type", type_names[s->event]),
			  LOG_INT("interval", s->is.seconds), LOG_INT("offset", s->offset),
			  LOG_STR("address", text), LOG_INT("count", (int64_t)e->amount)),
		 "%s,%" PRIu32 ",%u,%s,%" PRIu64, type_names[s->event], s->is.seconds, s->offset,
		 text, e->amount);
}

/* Whoever reads this may take his time, and a window that is pinned can't be folded. */
static enum ask_step show_all_later(struct showing *s)
{
	const struct series_walk was = s->walk;

	if (was.begun)
		series_walk_end(s->series, &s->walk);
	s->walk = (struct series_walk){ .at = was.at, .family = was.family };
	if (was.begun && was.done) {
		s->walk = (struct series_walk){ 0 };
		s->offset++;
	}
	return ASK_MORE;
}

/* false: that was the window. */
static bool show_entries(struct ask *a, struct showing *s)
{
	struct tally_entry entries[TALLY_TURN];
	unsigned n;

	s->walk.window = s->current - s->offset;
	n = series_walk(s->series, &s->walk, NULL, entries);
	for (unsigned i = 0; i < n; i++)
		show_entry(a, s, &entries[i]);
	if (n > 0)
		return true;
	series_walk_end(s->series, &s->walk);
	s->walk = (struct series_walk){ 0 };
	return false;
}

static enum ask_step show_all_step(struct ask *a)
{
	struct showing *s = a->state;

	for (unsigned walks = 0; showing_find(a, s); walks++) {
		if (ask_step_is_full(a) || walks == WALKS_A_STEP)
			return show_all_later(s);
		if (!show_entries(a, s))
			s->offset++;
	}
	return ask_done(a);
}

enum ask_step ask_inbound_show_all(struct ask *a)
{
	showing_begin(a);
	view_row(&a->view, NULL, "type,interval,offset,address,count");
	a->next = show_all_step;
	return show_all_step(a);
}

/* --- one series, by name and monitor -------------------------------------------------------- */

struct target {
	struct series *series;
	struct series_key key;
	char wrong[WRONG_MAX];
};

static const char *key_parse(enum series_type type, struct slice text, bool is_block,
			     struct series_key *out)
{
	struct addr addr;
	const char *wrong;

	if (type == SERIES_STRING) {
		out->text = text;
		return NULL;
	}
	if (is_block)
		return cidr_parse(text, &out->block);
	wrong = addr_parse(text, &addr);
	if (wrong == NULL)
		out->block = cidr_of(&addr, addr_bits(&addr));
	return wrong;
}

static const char *no_series(struct target *t, struct slice name, struct monitor monitor)
{
	char text[MONITOR_TEXT_MAX];

	snprintf(t->wrong, sizeof t->wrong, "no series \"%.*s\" has the monitor %s",
		 SLICE_ARGS(name), monitor_print(monitor, text));
	return t->wrong;
}

enum target_kind { TARGET_BLOCK, TARGET_KEY, TARGET_NEW_KEY };

/* What is not there yet is made by the first addition, when all else is right (D57). */
static const char *target_find(struct ask *a, enum target_kind kind, struct slice name,
			       struct slice monitor_text, struct slice key, struct target *out)
{
	struct series_info info = { .is.type = SERIES_ADDRESSES };
	struct monitor monitor;
	const char *wrong = monitor_parse(monitor_text, &monitor);

	if (wrong != NULL)
		return wrong;
	out->series = series_find(all_of(a), name, monitor);
	if (out->series != NULL)
		series_describe(out->series, &info);
	else if (kind != TARGET_NEW_KEY)
		return no_series(out, name, monitor);
	wrong = key_parse(info.is.type, key, kind == TARGET_BLOCK, &out->key);
	if (wrong == NULL && out->series == NULL)
		out->series = series_open(all_of(a), name, monitor, &wrong);
	return wrong;
}

enum ask_step ask_inbound_count(struct ask *a)
{
	struct target t = { .series = NULL };
	struct bounds sum;
	uint64_t first, last;
	const char *wrong =
		target_find(a, TARGET_BLOCK, a->args[1], a->args[2], a->args[0], &t);

	if (wrong == NULL && (!slice_number(a->args[3], MONITOR_WINDOWS_MAX, &first) ||
			      !slice_number(a->args[4], MONITOR_WINDOWS_MAX, &last)))
		wrong = "START and END are numbers of windows, 0 the current one";
	if (wrong == NULL)
		wrong = series_sum(t.series, &t.key, (unsigned)first, (unsigned)last, &sum);
	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view,
		 VIEW_ROW(LOG_INT("count", (int64_t)sum.low),
			  LOG_INT("count_high", (int64_t)sum.high)),
		 "%" PRIu64, sum.low);
	return ask_done(a);
}

/* Who looks at the answer alone finds it there (D70). */
static enum ask_step refuse(struct ask *a, int code, const char *wrong)
{
	struct view v;

	view_begin(&v, a->by->out, false, VIEW_LIST);
	if ((a->options & OPTION_JSON) == 0)
		view_row(&v, NULL, "ERROR: %s", wrong);
	return ask_fail(a, code, "%s", wrong);
}

static enum ask_step say_ok(struct ask *a, struct bounds left)
{
	char text[100];

	if (left.low != left.high) {
		snprintf(text, sizeof text, "a fold hides it: %" PRIu64 " to %" PRIu64 " are left",
			 left.low, left.high);
		ask_complain(a, text);
	}
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view,
		 VIEW_ROW(LOG_STR("result", "OK"), LOG_INT("count", (int64_t)left.low),
			  LOG_INT("count_high", (int64_t)left.high)),
		 "OK");
	return ask_done(a);
}

static enum ask_step change(struct ask *a, enum target_kind kind, int sign)
{
	struct target t = { .series = NULL };
	struct bounds now;
	uint64_t amount;
	const char *wrong = NULL;

	if (!slice_number(a->args[3], AMOUNT_MAX, &amount))
		wrong = "the amount is a number of at most 18 digits";
	if (wrong == NULL)
		wrong = target_find(a, kind, a->args[0], a->args[1], a->args[2], &t);
	if (wrong != NULL)
		return refuse(a, EXIT_OF_USAGE, wrong);
	wrong = series_add(t.series, &t.key, sign * (int64_t)amount, &now);
	return wrong != NULL ? refuse(a, EXIT_OF_FAILURE, wrong) : say_ok(a, now);
}

enum ask_step ask_inbound_add(struct ask *a)
{
	return change(a, TARGET_NEW_KEY, 1);
}

enum ask_step ask_inbound_subtract(struct ask *a)
{
	return change(a, TARGET_KEY, -1);
}

enum ask_step ask_inbound_delete(struct ask *a)
{
	struct target t = { .series = NULL };
	struct bounds left;
	const char *wrong = target_find(a, TARGET_KEY, a->args[1], a->args[2], a->args[0], &t);

	if (wrong != NULL)
		return refuse(a, EXIT_OF_USAGE, wrong);
	wrong = series_remove(t.series, &t.key, &left);
	return wrong != NULL ? refuse(a, EXIT_OF_FAILURE, wrong) : say_ok(a, left);
}

/* --- what the keeper does ------------------------------------------------------------------- */

struct keeping {
	struct trip trip;
	struct keeper_task task;
	struct note note;
	struct loop *loop;
	char series[SERIES_NAME_MAX + MONITOR_TEXT_MAX + 1];
	char file[256];
};

static void keeping_home(struct note *n)
{
	struct keeping *k = (struct keeping *)((char *)n - offsetof(struct keeping, note));

	ask_came_home(&k->trip);
}

static void keeping_done(struct keeper_task *task)
{
	struct keeping *k = (struct keeping *)((char *)task - offsetof(struct keeping, task));

	loop_post(k->loop, &k->note, keeping_home);
}

static enum ask_step keeping_print(struct ask *a)
{
	const struct keeping *k = (struct keeping *)a->trip;

	if (k->task.wrong[0] != '\0')
		return refuse(a, EXIT_OF_FAILURE, k->task.wrong);
	ask_view(a, VIEW_OBJECT);
	view_row(&a->view, VIEW_ROW(LOG_STR("result", "OK")), "OK");
	return ask_done(a);
}

static bool copy_word(struct slice word, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%.*s", SLICE_ARGS(word)) < size;
}

static enum ask_step keep(struct ask *a, enum keeper_work work)
{
	struct keeping *k;

	if (a->by->world->keeper == NULL)
		return refuse(a, EXIT_OF_FAILURE, "nothing is saved here");
	k = mem_new(sizeof *k);
	a->trip = &k->trip;
	if ((a->arg_count > 0 && !copy_word(a->args[0], k->series, sizeof k->series)) ||
	    (a->arg_count > 1 && !copy_word(a->args[1], k->file, sizeof k->file)))
		return refuse(a, EXIT_OF_USAGE, "the name is too long");
	k->loop = a->by->loop;
	k->task = (struct keeper_task){
		.work = work,
		.series = a->arg_count > 0 ? k->series : NULL,
		.file = a->arg_count > 1 ? k->file : NULL,
		.done = keeping_done,
	};
	ask_depart(a, keeping_print);
	keeper_ask(a->by->world->keeper, &k->task);
	return ASK_WAIT;
}

enum ask_step ask_inbound_load(struct ask *a)
{
	return keep(a, KEEPER_LOAD);
}

enum ask_step ask_inbound_save(struct ask *a)
{
	return keep(a, KEEPER_SAVE);
}
