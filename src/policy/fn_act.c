/* What scripts do: delay, answer, close, count and log (behaviour 6.2, 7.2). */
#include "policy/fn.h"

#include <math.h>

enum { LOG_TEXT_MAX = 1972 };

static enum fn_status act(struct fn_call *call, struct action action)
{
	const char *wrong;

	action.name = call->fn->name;
	action.file = call->file;
	action.line = call->line;
	if (call->cause != 0)
		action.cause = &call->run->reads[call->cause - 1];
	wrong = policy_act(call->run, &action);
	return wrong == NULL ? FN_OK : fn_failed(call, "%s", wrong);
}

/* Of an argument that may be missing. */
static struct slice text_at(const struct fn_call *call, unsigned n)
{
	bool is_there = n < call->argc && call->args[n].type == VALUE_STRING;

	return is_there ? call->args[n].string : SLICE("");
}

/* What fits no code stays wrong: policy_act says so. */
static uint16_t code_at(const struct fn_call *call, unsigned n)
{
	int64_t code = call->args[n].number;

	return code > 0 && code <= UINT16_MAX ? (uint16_t)code : UINT16_MAX;
}

static enum fn_status tarpit(struct fn_call *call)
{
	double seconds;
	const char *wrong = value_to_decimal(&call->args[0], &seconds);
	uint32_t ms;

	if (wrong != NULL)
		return fn_failed(call, "%s", wrong);
	if (seconds < 0)
		return fn_failed(call, "a delay cannot be negative"); /* D34 */
	ms = seconds < UINT32_MAX / 1000 ? (uint32_t)lround(seconds * 1000) : UINT32_MAX;
	if (ms == 0)
		return FN_OK;
	return act(call,
		   (struct action){ .kind = ACTION_TARPIT, .ms = ms, .counter = text_at(call, 1) });
}

static enum fn_status reply(struct fn_call *call)
{
	return act(call, (struct action){ .kind = ACTION_REPLY,
					  .code = code_at(call, 0),
					  .text = text_at(call, 1),
					  .counter = text_at(call, 2) });
}

static enum fn_status disconnect(struct fn_call *call)
{
	if (call->argc == 0) /* D22 */
		return act(call, (struct action){ .kind = ACTION_DISCONNECT });
	if (call->argc == 1)
		return fn_failed(call, "%s takes a code and a text, or nothing", call->fn->name);
	return act(call, (struct action){ .kind = ACTION_DISCONNECT,
					  .code = code_at(call, 0),
					  .text = text_at(call, 1),
					  .counter = text_at(call, 2) });
}

/* The helpers of the published default policy answer what their callout is to return. */
static enum fn_status reply_done(struct fn_call *call)
{
	call->result = VALUE_NUM(VALIDATE_DONE);
	return reply(call);
}

static enum fn_status disconnect_done(struct fn_call *call)
{
	call->result = VALUE_NUM(VALIDATE_DONE);
	return disconnect(call);
}

static enum fn_status keep(struct fn_call *call)
{
	return act(call, (struct action){ .kind = ACTION_KEEP, .text = text_at(call, 0) });
}

/* That the script ends is the engine's part. */
static enum fn_status stop(struct fn_call *call)
{
	(void)call;
	return FN_OK;
}

static enum fn_status inc_counter(struct fn_call *call)
{
	return act(call, (struct action){ .kind = ACTION_COUNT, .counter = text_at(call, 0) });
}

static enum fn_status error_mode(struct fn_call *call)
{
	struct slice mode = text_at(call, 0);
	bool is_continue = slice_equal_nocase(mode, SLICE("continue"));

	if (!is_continue && !slice_equal_nocase(mode, SLICE("fail")))
		return fn_failed(call, "the mode is \"continue\" or \"fail\"");
	if (call->error_continue != NULL)
		*call->error_continue = is_continue; /* D26 */
	return FN_OK;
}

static enum fn_status log_text(struct fn_call *call)
{
	const struct policy_host *host = policy_set_host(call->run->set);
	struct slice text = text_at(call, 0);

	if (text.len > LOG_TEXT_MAX)
		text.len = LOG_TEXT_MAX;
	host->logged(host->owner, LOG_INFO, call->run->facts, call->file, call->line, text);
	return FN_OK;
}

#define ENDS (FN_SIEVE | FN_TERMINAL)
#define ANSWERS (ENDS | FN_DONE)

const struct policy_fn fn_act_rows[] = {
	{ "ec_tarpit", "d?s", PHASES_ALL, FN_SIEVE, tarpit, NULL },
	{ "ec_action", "ns?s", PHASES_ALL, ANSWERS, reply, NULL },
	{ "ec_disconnect", "?n+ss", PHASES_ALL, ANSWERS, disconnect, NULL },
	{ "keep", "?s", PHASES_ALL, ENDS, keep, NULL },
	{ "ec_keep", "?s", PHASES_ALL, ENDS, keep, NULL },
	{ "stop", "", PHASES_ALL, ENDS, stop, NULL },
	{ "ec_log", "s", PHASES_ALL, FN_SIEVE, log_text, NULL },
	{ "ec_error_mode", "s", PHASES_ALL, FN_SIEVE, error_mode, NULL },
	{ "ec_inc_counter", "s", PHASES_ALL, FN_SIEVE, inc_counter, NULL },
	{ "ec_include", "s?l", PHASES_ALL, FN_SIEVE, NULL, NULL },
	{ "vctx:tarpit", "d", PHASES_ALL, FN_LUA, tarpit, NULL },
	{ "vctx:set_code", "ns", PHASES_ALL, FN_LUA, reply, NULL },
	{ "vctx:disconnect", "?ns", PHASES_ALL, FN_LUA, disconnect, NULL },
	{ "vctx:pbp_action", "ns", PHASES_ALL, FN_LUA | FN_VALUE, reply_done, NULL },
	{ "vctx:pbp_disconnect", "ns", PHASES_ALL, FN_LUA | FN_VALUE, disconnect_done, NULL },
	{ 0 },
};
