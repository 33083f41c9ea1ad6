/*
 * ask - one command to the console, from its line to the end of its answer.
 *
 * An answer is lines of text (or of JSON), then one status line:
 *
 *   ". 0"          done
 *   ". 64 TEXT"    the question was wrong; 1 instead of 64: it was right, but could not be done
 *
 * Lines that begin with "! " are complaints on the way. No other line begins with '.' or '!'.
 *
 * The answer is made in steps into a buf, about ASK_STEP octets or one batch of rows a step, so
 * that its reader decides how fast it is made. An ask belongs to the console's thread.
 */
#ifndef ADMIN_ASK_H
#define ADMIN_ASK_H

#include "admin/commands.h"
#include "admin/console.h"
#include "admin/view.h"

enum { ASK_STEP = 64 << 10, ASK_OUT_MAX = 8 << 20 };

enum ask_step {
	ASK_DONE, /* the status line is in `out`; ask_end */
	ASK_MORE, /* send what is in `out`, then ask_go_on */
	ASK_WAIT, /* workers are being asked; ask_go_on when `home` was called */
};

/* Who asks, and with what. Outlives the ask. */
struct asker {
	const struct console_world *world;
	struct loop *loop;	   /* the console's */
	unsigned *errands;	   /* how many are out, orphans too; outlives them */
	void (*home)(void *owner); /* from the loop: the errand is back */
	void *owner;
	struct buf *out;
	unsigned rights; /* of enum right */
	unsigned uid;	 /* for the log */
};

struct ask;
struct trip;
typedef enum ask_step ask_run(struct ask *a);

struct ask {
	const struct asker *by;
	ask_run *next;			      /* what ask_go_on runs */
	struct slice args[COMMAND_WORDS_MAX]; /* after the command's words; slices of the line */
	unsigned arg_count;
	unsigned options; /* of enum option: those given */
	unsigned by_len;  /* OPTION_BY */
	bool by_auto;	  /* or this */
	unsigned limit;	  /* OPTION_LIMIT, or its default */
	struct slice series; /* OPTION_SERIES */
	unsigned window_first, window_last; /* OPTION_WINDOW */
	struct view view;
	bool hand_over;	   /* then the connection is no console any more */
	struct trip *trip; /* NULL: none */
	void *state;	   /* what a command keeps from step to step */
	void (*state_free)(void *state);
};

/* line is changed and must stay until ask_end. */
enum ask_step ask_begin(struct ask *a, const struct asker *by, char *line, size_t len);
enum ask_step ask_go_on(struct ask *a);
/* Gives everything back, whatever is still under way. */
void ask_end(struct ask *a);

/* For the commands. */

#define ASK_DECLARE(name, ...) ask_run ask_##name;
CONSOLE_COMMANDS(ASK_DECLARE)
#undef ASK_DECLARE

enum ask_step ask_done(struct ask *a);
enum ask_step ask_fail(struct ask *a, int code, const char *text, ...)
	__attribute__((format(printf, 3, 4)));
void ask_complain(struct ask *a, const char *text);
void ask_view(struct ask *a, enum view_shape shape);
bool ask_step_is_full(const struct ask *a);
bool ask_wants(const struct ask *a, enum option family); /* of -4 and -6; neither: both */
/* A row that several commands have (ask_count.c). */
void ask_say_block_heading(struct ask *a);
void ask_say_block(struct ask *a, const struct cidr *block, uint64_t count, uint64_t distinct);

/* What `why`, `status` and `stats` say of series, and `top --series` (ask_series.c, ask_top.c). */
void ask_say_recent(struct ask *a, const struct cidr *blocks, unsigned count);
uint64_t ask_window_now(const struct series_info *info); /* the number of its window 0 */
struct series_sums {
	unsigned count;
	size_t bytes;
	uint64_t events, folds, keys_dropped;
};
struct series_sums ask_series_sums(const struct ask *a);
ask_run ask_top_series;

/*
 * An errand and what it gathers. Begins the struct that does; freed with free(). visit runs on the
 * workers' threads and touches nothing but the trip.
 */
struct trip {
	struct errand errand;
	struct ask *ask; /* NULL: it has ended */
	unsigned *errands;
};
/* a->trip goes round, and then next runs. */
enum ask_step ask_send(struct ask *a, void (*visit)(struct errand *self, struct worker *w),
		       ask_run *next);
/* The same for what somebody else does; ask_came_home(a->trip), on the asker's loop, ends it. */
enum ask_step ask_depart(struct ask *a, ask_run *next);
void ask_came_home(struct trip *trip);

#endif
