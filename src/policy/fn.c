#include "policy/fn.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

static const struct policy_fn *const tables[] = {
	fn_audit_rows, fn_monitor_rows, fn_series_rows, fn_act_rows,    fn_context_rows,
	fn_value_rows, fn_text_rows,    fn_number_rows, fn_absent_rows,
};

enum { TABLES = sizeof tables / sizeof tables[0] };

/* The row after this one; NULL begins, and ends. */
static const struct policy_fn *fn_next(const struct policy_fn *fn, unsigned *table)
{
	fn = fn == NULL ? tables[*table] : fn + 1;
	while (fn->name == NULL) {
		if (++*table == TABLES)
			return NULL;
		fn = tables[*table];
	}
	return fn;
}

const struct policy_fn *fn_nth(unsigned n)
{
	const struct policy_fn *fn = NULL;
	unsigned table = 0;

	do
		fn = fn_next(fn, &table);
	while (fn != NULL && n-- > 0);
	return fn;
}

const struct policy_fn *fn_find(unsigned language, struct slice name)
{
	const struct policy_fn *fn = NULL;
	unsigned table = 0;

	while ((fn = fn_next(fn, &table)) != NULL) {
		struct slice known = slice_of(fn->name);

		if ((fn->flags & language) == 0)
			continue;
		if (slice_equal(name, known) ||
		    (language == FN_SIEVE && slice_equal_nocase(name, known))) /* D2 */
			return fn;
	}
	return NULL;
}

const char *fn_nearest(unsigned language, struct slice name)
{
	const struct policy_fn *fn = NULL;
	struct nearest nearest;
	unsigned table = 0;

	nearest_begin(&nearest, name);
	while ((fn = fn_next(fn, &table)) != NULL) {
		if ((fn->flags & language) != 0 && (fn->flags & FN_ABSENT) == 0)
			nearest_try(&nearest, fn->name);
	}
	return nearest.name;
}

static bool is_mark(char letter)
{
	return letter == '?' || letter == '+';
}

struct arity {
	unsigned min, max;
};

static struct arity arity_of(const struct policy_fn *fn)
{
	struct arity n = { 0, 0 };
	bool optional = false;

	for (const char *at = fn->args; *at != '\0'; at++) {
		if (*at == '*') {
			n.max = UINT_MAX;
			break;
		}
		optional |= *at == '?';
		n.max += !is_mark(*at);
		n.min += !is_mark(*at) && !optional;
	}
	return n;
}

unsigned fn_args_min(const struct policy_fn *fn)
{
	return arity_of(fn).min;
}

unsigned fn_args_max(const struct policy_fn *fn)
{
	return arity_of(fn).max;
}

bool fn_args_torn(const struct policy_fn *fn, unsigned argc)
{
	for (const char *at = fn->args; *at != '\0'; at++) {
		if (*at == '+' && argc == 0)
			return true;
		if (!is_mark(*at) && argc-- == 0)
			return false;
	}
	return false;
}

char fn_arg_kind(const struct policy_fn *fn, unsigned n)
{
	char last = 0;

	for (const char *at = fn->args; *at != '\0'; at++) {
		if (is_mark(*at))
			continue;
		if (*at == '*')
			return last;
		last = *at;
		if (n-- == 0)
			return last;
	}
	return 0;
}

bool fn_takes_hash(const struct policy_fn *fn)
{
	return fn->args[0] == 'H';
}

bool fn_is_terminal(const struct policy_fn *fn, unsigned argc)
{
	/* Only an action that sets a code has a form which sets none. */
	return (fn->flags & FN_TERMINAL) != 0 && (argc > 0 || (fn->flags & FN_DONE) == 0);
}

enum fn_status fn_failed(struct fn_call *call, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->error, sizeof call->error, format, args);
	va_end(args);
	return FN_FAILED;
}

void fn_warn(const struct fn_call *call, const char *format, ...)
{
	const struct policy_host *host = policy_set_host(call->run->set);
	char text[sizeof call->error];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	host->logged(host->owner, LOG_WARN, call->run->facts, call->file, call->line,
		     slice_of(text));
}

struct audit_read *fn_read(struct fn_call *call, struct slice service)
{
	struct policy_run *run = call->run;
	unsigned index = run->read_count++ % POLICY_READS_MAX;
	struct audit_read *read = &run->reads[index];
	size_t most = sizeof read->service - 1, len = service.len < most ? service.len : most;

	memcpy(read->service, service.at, len);
	read->service[len] = '\0';
	read->is_series = false;
	call->result.origin = (uint8_t)(index + 1);
	return read;
}

static enum fn_status check(struct fn_call *call, unsigned argc, struct arity n)
{
	const struct policy_fn *fn = call->fn;
	const struct policy_run *run = call->run;

	if (fn->flags & FN_TIER_C) /* D91 */
		return fn_failed(call, "function %s is not available in this build", fn->name);
	if (fn->call == NULL)
		return fn_failed(call, "function %s is not available yet", fn->name);
	if ((fn->phases & PHASE_BIT(run->phase)) == 0)
		return fn_failed(call, "%s cannot be used at %s", fn->name, phase_name(run->phase));
	if ((fn->flags & FN_AUDIT) && !policy_set_conf(run->set)->has_inbound_audit)
		return fn_failed(call, "%s requires module inbound_audit", fn->name); /* D110 */
	if (argc < n.min)
		return fn_failed(call, "%s takes at least %u argument%s, not %u", fn->name, n.min,
				 n.min == 1 ? "" : "s", argc);
	if (argc > n.max)
		return fn_failed(call, "%s takes at most %u argument%s, not %u", fn->name, n.max,
				 n.max == 1 ? "" : "s", argc);
	return FN_OK;
}

/* NULL, or what is wrong. */
static const char *coerce(struct arena *a, char kind, const struct value *v, struct value *out)
{
	double decimal;

	*out = *v;
	switch (kind) {
	case 'H':
		if (v->type == VALUE_HASH)
			return NULL;
		/* fall through */
	case 's':
		if (v->type == VALUE_STRING) /* nearly always */
			return NULL;
		out->type = VALUE_STRING;
		out->origin = (uint8_t)value_origin(v);
		return value_to_string(a, v, &out->string);
	case 'n':
		out->type = VALUE_NUMBER;
		out->origin = (uint8_t)value_origin(v);
		return value_to_number(v, &out->number);
	case 'd':
		return value_to_decimal(v, &decimal);
	case 'l':
		out->type = VALUE_LIST;
		return value_to_list(a, v, &out->list, &out->count);
	case 'h':
		return v->type == VALUE_HASH ? NULL : "it is not a hash";
	}
	return NULL;
}

/* Sieve sees such a result as a list of one string (3.4). */
static enum fn_status make_list(struct fn_call *call)
{
	struct arena *a = &call->run->arena;
	struct value *one = arena_take(a, sizeof *one);

	if (one == NULL || value_to_string(a, &call->result, &one->string) != NULL)
		return fn_failed(call, "%s", value_no_memory);
	one->type = VALUE_STRING;
	one->origin = call->result.origin;
	call->result.type = VALUE_LIST;
	call->result.count = 1;
	call->result.list = one;
	return FN_OK;
}

enum fn_status fn_call(struct fn_call *call, const struct value *argv, unsigned argc)
{
	const struct policy_fn *fn = call->fn;
	struct value args[FN_ARGS_MAX];
	struct arity n = arity_of(fn);
	unsigned origin = 0;
	const char *wrong;

	if (n.max > FN_ARGS_MAX)
		n.max = FN_ARGS_MAX;
	call->error[0] = '\0';
	call->result = VALUE_STR(SLICE(""));
	call->second.type = VALUE_NONE;
	call->steps = 0;
	if (fn_takes_hash(fn) && argc > 0 && argv[0].type == VALUE_HASH)
		n.min = n.max = 1;
	if (check(call, argc, n) != FN_OK)
		return FN_FAILED;
	for (unsigned i = 0; i < argc; i++) {
		bool missing = argv[i].type == VALUE_NONE && ((fn->flags & FN_LUA) || i >= n.min);

		args[i] = argv[i];
		if (missing && i < n.min)
			return fn_failed(call, "argument %u of %s is missing", i + 1, fn->name);
		if (missing)
			continue;
		wrong = coerce(&call->run->arena, fn_arg_kind(fn, i), &argv[i], &args[i]);
		if (wrong != NULL)
			return fn_failed(call, "argument %u of %s: %s", i + 1, fn->name, wrong);
		if (origin == 0)
			origin = value_origin(&args[i]);
	}
	for (unsigned i = argc; i < n.max; i++)
		args[i] = (struct value){ 0 };
	call->args = args;
	call->argc = argc;
	if (call->cause == 0)
		call->cause = origin;
	if (fn->call(call) != FN_OK)
		return FN_FAILED;
	if (call->result.origin == 0)
		call->result.origin = (uint8_t)origin;
	return fn->flags & FN_LIST ? make_list(call) : FN_OK;
}
