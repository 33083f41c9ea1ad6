#include "admin/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/words.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "series/monitor.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000 };

static const struct verb {
	const char *words;
	const char *usage;
	const char *help;
	ask_run *run;
	unsigned right;
	unsigned args_min, args_max;
	unsigned options;
} commands[] = {
#define ROW(name, words, right, min, max, options, usage, help) \
	{ words, usage, help, ask_##name, right, min, max, options },
	CONSOLE_COMMANDS(ROW)
#undef ROW
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static bool take_number(struct slice text, uint64_t least, uint64_t most, unsigned *out)
{
	uint64_t n;

	if (!slice_number(text, most, &n) || n < least)
		return false;
	*out = (unsigned)n;
	return true;
}

static bool take_by(struct ask *a, struct slice text)
{
	a->by_auto = slice_equal(text, SLICE("auto"));
	return a->by_auto || take_number(text, 0, 128, &a->by_len);
}

static bool take_limit(struct ask *a, struct slice text)
{
	return take_number(text, 1, LIMIT_MAX, &a->limit);
}

static bool take_series(struct ask *a, struct slice text)
{
	a->series = text;
	return true;
}

static bool take_window(struct ask *a, struct slice text)
{
	struct slice last, first = slice_cut(text, '-', &last);

	if (first.len == text.len)
		last = first;
	return take_number(last, 0, MONITOR_WINDOWS_MAX, &a->window_last) &&
	       take_number(first, 0, a->window_last, &a->window_first);
}

static const struct {
	const char *word;
	enum option option;
	bool (*take)(struct ask *a, struct slice value); /* NULL: it stands alone */
} options[] = {
	{ "--json", OPTION_JSON, NULL },	   { "-4", OPTION_V4, NULL },
	{ "-6", OPTION_V6, NULL },		   { "--by", OPTION_BY, take_by },
	{ "--limit", OPTION_LIMIT, take_limit },   { "--series", OPTION_SERIES, take_series },
	{ "--window", OPTION_WINDOW, take_window },
};
enum { OPTIONS = sizeof options / sizeof *options };

/* How many of the words given are the command's; 0: it is another. */
static unsigned command_is(const struct verb *c, const struct slice *words, unsigned count)
{
	struct slice rest, word = slice_cut(slice_of(c->words), ' ', &rest);
	unsigned n = 0;

	for (; word.len > 0; word = slice_cut(rest, ' ', &rest), n++)
		if (n == count || !slice_equal(word, words[n]))
			return 0;
	return n;
}

static const struct verb *command_find(const struct slice *words, unsigned count,
					  unsigned *used_out)
{
	for (unsigned i = 0; i < COMMANDS; i++) {
		*used_out = command_is(&commands[i], words, count);
		if (*used_out > 0)
			return &commands[i];
	}
	return NULL;
}

static enum ask_step unknown_command(struct ask *a, const struct slice *words, unsigned count)
{
	struct nearest near;

	if (count == 0)
		return ask_fail(a, EXIT_OF_USAGE, "no command; \"help\" lists them");
	if (slice_equal(words[0], SLICE("inbound_audit")))
		return ask_fail(a, EXIT_OF_USAGE, "\"help inbound_audit\" lists its commands");
	nearest_begin(&near, words[0]);
	for (unsigned i = 0; i < COMMANDS; i++) {
		struct slice rest, first = slice_cut(slice_of(commands[i].words), ' ', &rest);

		nearest_try_as(&near, first, commands[i].words);
	}
	if (near.name == NULL)
		return ask_fail(a, EXIT_OF_USAGE, "no command \"%.*s\"; \"help\" lists them",
				SLICE_ARGS(words[0]));
	return ask_fail(a, EXIT_OF_USAGE, "no command \"%.*s\"; did you mean \"%s\"?",
			SLICE_ARGS(words[0]), near.name);
}

static bool take_option(struct ask *a, const struct verb *c, const struct slice *words,
			unsigned count, unsigned *at)
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		if (!slice_equal(words[*at], slice_of(options[i].word)))
			continue;
		if (((c->options | OPTION_JSON) & options[i].option) == 0)
			return false;
		a->options |= options[i].option;
		return options[i].take == NULL ||
		       (++*at < count && options[i].take(a, words[*at]));
	}
	return false;
}

static enum ask_step usage(struct ask *a, const struct verb *c)
{
	const char *gap = *c->usage ? " " : "";

	return ask_fail(a, EXIT_OF_USAGE, "usage: %s%s%s", c->words, gap, c->usage);
}

static void log_order(const struct ask *a, const struct verb *c)
{
	struct buf line;
	bool fits = true;

	buf_init(&line, COMMAND_LINE_MAX);
	for (unsigned i = 0; i < a->arg_count && fits; i++)
		fits = buf_printf(&line, " %.*s", SLICE_ARGS(a->args[i]));
	log_event(LOG_INFO, "console", 0, NULL, "console: %s%s, by uid %u", c->words,
		  buf_text(&line), a->by->uid);
	buf_free(&line);
}

static enum ask_step command_run(struct ask *a, const struct verb *c, const struct slice *words,
				 unsigned count)
{
	bool ended = false; /* "--": what follows are arguments, whatever they begin with */

	for (unsigned i = 0; i < count; i++) {
		if (ended || words[i].len <= 1 || words[i].at[0] != '-')
			a->args[a->arg_count++] = words[i];
		else if (slice_equal(words[i], SLICE("--")))
			ended = true;
		else if (!take_option(a, c, words, count, &i))
			return usage(a, c);
	}
	if (a->arg_count < c->args_min || a->arg_count > c->args_max)
		return usage(a, c);
	if ((a->by->rights & c->right) == 0)
		return ask_fail(a, EXIT_OF_FAILURE, "\"%s\" is not permitted", c->words);
	if (c->right == RIGHT_CHANGE)
		log_order(a, c);
	return c->run(a);
}

enum ask_step ask_begin(struct ask *a, const struct asker *by, char *line, size_t len)
{
	struct slice words[COMMAND_WORDS_MAX];
	const struct verb *c;
	const char *wrong;
	unsigned count, used;

	*a = (struct ask){ .by = by, .limit = LIMIT_DEFAULT };
	wrong = words_split(line, len, words, COMMAND_WORDS_MAX, &count);
	if (wrong != NULL)
		return ask_fail(a, EXIT_OF_USAGE, "%s", wrong);
	if (count > 0)
		words[0] = command_word(words[0]);
	c = command_find(words, count, &used);
	if (c == NULL)
		return unknown_command(a, words, count);
	return command_run(a, c, words + used, count - used);
}

enum ask_step ask_go_on(struct ask *a)
{
	return a->next(a);
}

void ask_end(struct ask *a)
{
	if (a->trip != NULL && a->trip->ask != NULL)
		a->trip->ask = NULL; /* it is out: it frees itself when it comes home */
	else
		free(a->trip);
	if (a->state_free != NULL)
		a->state_free(a->state);
	*a = (struct ask){ 0 };
}

void ask_came_home(struct trip *trip)
{
	struct ask *a = trip->ask;

	--*trip->errands;
	if (a == NULL) {
		free(trip);
		return;
	}
	trip->ask = NULL;
	a->by->home(a->by->owner);
}

static void errand_came_home(struct errand *e)
{
	ask_came_home((struct trip *)e);
}

enum ask_step ask_depart(struct ask *a, ask_run *next)
{
	struct trip *trip = a->trip;

	trip->ask = a;
	trip->errands = a->by->errands;
	++*trip->errands;
	a->next = next;
	return ASK_WAIT;
}

enum ask_step ask_send(struct ask *a, void (*visit)(struct errand *self, struct worker *w),
		       ask_run *next)
{
	ask_depart(a, next);
	crew_send(a->by->world->crew, &a->trip->errand, a->by->loop, visit, errand_came_home);
	return ASK_WAIT;
}

void ask_view(struct ask *a, enum view_shape shape)
{
	view_begin(&a->view, a->by->out, (a->options & OPTION_JSON) != 0, shape);
}

bool ask_wants(const struct ask *a, enum option family)
{
	return (a->options & OPTIONS_FAMILY) == 0 || (a->options & family) != 0;
}

bool ask_step_is_full(const struct ask *a)
{
	return a->by->out->len >= ASK_STEP;
}

/* Whatever stands in it, it stays one line. */
static void add_line(struct ask *a, const char *mark, const char *text)
{
	struct view v;

	view_begin(&v, a->by->out, false, VIEW_LIST);
	view_row(&v, NULL, "%s %s", mark, text);
}

void ask_complain(struct ask *a, const char *text)
{
	add_line(a, "!", text);
}

enum ask_step ask_fail(struct ask *a, int code, const char *format, ...)
{
	char text[512], mark[16];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(mark, sizeof mark, ". %d", code);
	add_line(a, mark, text);
	return ASK_DONE;
}

enum ask_step ask_done(struct ask *a)
{
	view_end(&a->view);
	if (a->view.full || !buf_printf(a->by->out, ". 0\n")) {
		buf_clear(a->by->out);
		return ask_fail(a, EXIT_OF_FAILURE, "the answer is too long");
	}
	return ASK_DONE;
}

static bool begins_with_words(const struct verb *c, const struct ask *a)
{
	struct slice rest = slice_of(c->words);

	for (unsigned i = 0; i < a->arg_count; i++)
		if (!slice_equal(slice_cut(rest, ' ', &rest), a->args[i]))
			return false;
	return true;
}

enum ask_step ask_inbound_help(struct ask *a)
{
	a->args[a->arg_count++] = SLICE("inbound_audit");
	return ask_help(a);
}

enum ask_step ask_help(struct ask *a)
{
	unsigned shown = 0;

	ask_view(a, VIEW_LIST);
	for (const struct verb *c = commands; c < commands + COMMANDS; c++) {
		if (!begins_with_words(c, a))
			continue;
		shown++;
		view_row(&a->view,
			 VIEW_ROW(LOG_STR("command", c->words), LOG_STR("usage", c->usage),
				  LOG_STR("help", c->help)),
			 "%s%s%s", c->words, *c->usage ? " " : "", c->usage);
		view_row(&a->view, NULL, "        %s", c->help);
	}
	if (shown == 0) {
		buf_clear(a->by->out);
		return unknown_command(a, a->args, a->arg_count);
	}
	return ask_done(a);
}
