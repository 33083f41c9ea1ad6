/*
 * fn - the function table: everything that scripts can call, once, for both languages.
 *
 * A row names a function as its language spells it. Sieve++ looks names up when it compiles and
 * checks phase, number and kind of arguments there; Lua builds its tables and methods from the
 * rows ("msys.audit.x" in a table, "vctx:x" and "ac:x" as methods). Arguments arrive already
 * coerced to what the row asks for.
 */
#ifndef POLICY_FN_H
#define POLICY_FN_H

#include "policy/engine.h"
#include "policy/value.h"

enum fn_flag {
	FN_SIEVE = 1 << 0,
	FN_LUA = 1 << 1,
	FN_VALUE = 1 << 2,    /* gives a value; in Sieve it can stand as a test too (1.5) */
	FN_TEST = 1 << 3,     /* gives truth: a Sieve test on its own; Lua sees 1 or 0 */
	FN_LIST = 1 << 4,     /* Sieve sees the value as a list of one string (3.4) */
	FN_TERMINAL = 1 << 5, /* ends the script (1.6); see fn_is_terminal */
	FN_DONE = 1 << 6,     /* a terminal action after which no further module is asked (D23) */
	FN_AUDIT = 1 << 7,    /* needs inbound_audit (D110) */
	FN_ABSENT = 1 << 8,   /* known by name, not there yet; call is NULL */
	FN_TIER_C = 1 << 9,   /* with FN_ABSENT: nor will it be (D91; the stub is the engine's) */
	FN_CLUSTER = 1 << 10, /* asks all nodes (D54) */
};

/* msys.core.VALIDATE_*, what Lua callouts return. VCTX_CONN is CTX_CONN, VCTX_MESS CTX_MESS. */
enum validate { VALIDATE_CONT, VALIDATE_DONE, VALIDATE_AGAIN };

enum { FN_ARGS_MAX = 32 };

enum fn_status { FN_OK, FN_FAILED };
struct fn_call;

/*
 * args: a letter each: s string, n whole number, d decimal (a number or a text: value_to_decimal
 * takes it), l list, h hash, v as it is; H, as the first: a hash, which is then the only argument,
 * or else as s; what follows '?' may be left out; '+' ties one to the one before it: a script gives
 * both or neither; '*' at the end: any number more of the last, up to FN_ARGS_MAX. The object of a
 * method is not among them. tags are those that a Sieve call may carry beside them ("localpart
 * domain ip=", blank-separated; NULL none); one that ends in '=' takes a value with it.
 *
 * call is NULL for names that are only known: FN_ABSENT, and ec_include, which the Sieve++ machine
 * does itself.
 */
struct policy_fn {
	const char *name;
	const char *args;
	unsigned phases; /* PHASE_BIT()s where it may be called */
	unsigned flags;
	enum fn_status (*call)(struct fn_call *call);
	const char *tags;
};

/* One call. The engine fills in all but result and error. */
struct fn_call {
	struct policy_run *run;
	const struct policy_fn *fn;
	const struct value *args; /* coerced; VALUE_NONE where an optional one is missing */
	unsigned argc;		  /* given */
	struct slice tag;	  /* the one of fn->tags that was given, or empty */
	const struct value *tag_value; /* what it took; NULL: nothing */
	const char *file;
	unsigned line;
	unsigned cause;		  /* origin (struct value) of what led here; 0: the arguments' */
	bool *error_continue;	  /* ec_error_mode's switch for this run; NULL in Lua */
	struct value result;
	struct value second;	  /* Lua sees it too; VALUE_NONE: there is none */
	unsigned steps;		  /* what it cost beyond a call's usual share */
	char error[256];
};

const struct policy_fn *fn_find(unsigned language /* FN_SIEVE or FN_LUA */, struct slice name);
const struct policy_fn *fn_nth(unsigned n); /* all rows; NULL: past the last */
/* The known name nearest to this one, for messages; NULL: nothing is near. */
const char *fn_nearest(unsigned language, struct slice name);

unsigned fn_args_min(const struct policy_fn *fn);
unsigned fn_args_max(const struct policy_fn *fn); /* UINT_MAX: no end */
bool fn_args_torn(const struct policy_fn *fn, unsigned argc); /* '+' ties more to the last */
char fn_arg_kind(const struct policy_fn *fn, unsigned n); /* the letter; 0: no such argument */

bool fn_takes_hash(const struct policy_fn *fn); /* H; fn_args_min is of the other form */

/* Whether a call with so many arguments ends the script: a bare ec_disconnect does not (D22). */
bool fn_is_terminal(const struct policy_fn *fn, unsigned argc);

/*
 * Coerce argv to what the row asks for, into the run's arena, and call. FN_FAILED: call->error
 * says why, in words without the place. Checks the number of arguments and the phase as well, and
 * makes the list of FN_LIST. A result that has no origin of its own gets that of the arguments.
 * For a Lua row a VALUE_NONE (nil) is missing; one that may not be left out is an error.
 */
enum fn_status fn_call(struct fn_call *call, const struct value *argv, unsigned argc);

/* A count was read that the result is made of: what led to whatever is done with it. The caller
 * fills in which, and how many. */
struct audit_read *fn_read(struct fn_call *call, struct slice service);

enum fn_status fn_failed(struct fn_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Into the log, with the place of the call; what all calls would say goes by policy_set_once. */
void fn_warn(const struct fn_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The rows, by theme. Each ends with a name of NULL. */
extern const struct policy_fn fn_audit_rows[];	 /* fn_audit.c: live counts */
extern const struct policy_fn fn_monitor_rows[]; /* fn_monitors.c: windows of time, built in */
extern const struct policy_fn fn_series_rows[];	 /* fn_series.c: those that scripts name */
extern const struct policy_fn fn_act_rows[];	 /* fn_act.c: delay, answer, close, count, log */
extern const struct policy_fn fn_context_rows[]; /* fn_context.c: contexts, envelope, macros */
extern const struct policy_fn fn_value_rows[];	 /* fn_value.c: hashes, lists, tests of values */
extern const struct policy_fn fn_text_rows[];	 /* fn_text.c: strings */
extern const struct policy_fn fn_number_rows[];	 /* fn_number.c: arithmetic */
extern const struct policy_fn fn_absent_rows[];	 /* fn_absent.c: the rest of the catalogue */

#endif
