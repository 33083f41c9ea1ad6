#include "policy/lua/lua_worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/fn.h"

const struct lua_callout lua_callouts[LUA_CALLOUTS] = {
	{ "core_validate_accept", PHASE_ACCEPT, "av" },
	{ "validate_accept", PHASE_ACCEPT, "av" },
	{ "validate_connect", PHASE_CONNECT, "av" },
	{ "core_validate_connect", PHASE_CONNECT, "av" }, /* after all validate_connect (2.1) */
	{ "validate_ehlo", PHASE_EHLO, "sav" },
	{ "validate_mailfrom", PHASE_MAILFROM, "sav" },
	{ "validate_rcptto", PHASE_RCPTTO, "msav" },
	{ "validate_data", PHASE_DATA, "mav" },
};

const char *const lua_lifecycles[LUA_LIVES] = {
	[LUA_LIFE_INIT] = "init",
	[LUA_LIFE_DEINIT] = "deinit",
	[LUA_LIFE_DEALLOC] = "validate_dealloc",
};

const struct facts lua_nobody;

static lua_State *thread(struct lua_worker *w)
{
	if (!w->thread) {
		w->thread = lua_newthread(w->L);
		w->thread_ref = luaL_ref(w->L, LUA_REGISTRYINDEX);
	}
	return w->thread;
}

/* It died of an error, or somebody made it yield. */
static void thread_drop(struct lua_worker *w)
{
	luaL_unref(w->L, LUA_REGISTRYINDEX, w->thread_ref);
	w->thread = NULL;
}

lua_State *lua_worker_prepare(struct lua_worker *w, int function)
{
	lua_State *co = thread(w);

	lua_settop(co, 0);
	lua_rawgeti(co, LUA_REGISTRYINDEX, function);
	w->entered = function;
	return co;
}

const char *lua_worker_where(lua_State *L, struct lua_where *at)
{
	/* After a tail call the caller is gone: `return vctx:pbp_action(...)`. */
	if (!lua_where_now(L, at)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, lua_worker_of(L)->entered);
		lua_where_defined(L, at);
	}
	return lua_where_name(at->file);
}

void lua_worker_log(lua_State *L, enum log_level level, struct slice text)
{
	const struct lua_worker *w = lua_worker_of(L);
	struct lua_where at;
	const char *file = lua_worker_where(L, &at);

	w->host->logged(w->host->owner, level, w->facts, file, at.line, text);
}

unsigned lua_worker_cause(const struct lua_worker *w)
{
	unsigned read = w->run->read_count;

	return read == w->reads_before ? 0 : (read - 1) % POLICY_READS_MAX + 1;
}

/* The error object may be anything; no metamethod of it is called. */
static const char *message_of(lua_State *L)
{
	return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
					      : "an error object that is not a string";
}

static void fault_fill(struct lua_worker *w, const char *message, struct lua_fault *fault)
{
	*fault = (struct lua_fault){ .at = w->limits.spent_at };
	if (fault->at.line == 0)
		message = lua_where_message(w->thread, message, &fault->at);
	if (fault->at.line == 0)
		lua_worker_where(w->thread, &fault->at);
	snprintf(fault->text, sizeof fault->text, "%s", message);
	luaL_traceback(w->L, w->thread, NULL, 0);
	snprintf(fault->trace, sizeof fault->trace, "%s", lua_tostring(w->L, -1));
	lua_pop(w->L, 1);
}

bool lua_worker_enter(struct lua_worker *w, int nargs, const struct lua_budget *budget,
		      struct lua_fault *fault)
{
	const char *why;
	int status;

	lua_limits_begin(&w->limits, budget);
	status = lua_resume(w->thread, nargs);
	why = lua_limits_end(&w->limits);
	if (status == 0 && !why) {
		lua_settop(w->thread, 1);
		return true;
	}
	if (!why)
		why = status == LUA_YIELD ? "a callout cannot yield" : message_of(w->thread);
	fault_fill(w, why, fault);
	thread_drop(w);
	return false;
}

/* Of what is wrong with a script. */
static void warn(struct lua_worker *w, const char *file, unsigned line, const char *text)
{
	w->host->logged(w->host->owner, LOG_WARN, w->facts, file, line, slice_of(text));
}

void lua_worker_log_fault(struct lua_worker *w, const struct lua_fault *fault)
{
	warn(w, lua_where_name(fault->at.file), fault->at.line, fault->trace);
}

struct lua_session *lua_worker_session(struct lua_worker *w)
{
	struct lua_session *s = *w->session;

	if (s)
		return s;
	s = mem_new(sizeof *s + w->module_count * sizeof s->self[0]);
	s->tls = LUA_NOREF;
	for (unsigned i = 0; i < w->module_count; i++)
		s->self[i] = LUA_NOREF;
	*w->session = s;
	return s;
}

/* A table of the session's own; what it lacks is looked up in the module. */
static void push_self(struct lua_worker *w, unsigned module)
{
	int *self = &lua_worker_session(w)->self[module];
	lua_State *co = w->thread;

	if (*self != LUA_NOREF) {
		lua_rawgeti(co, LUA_REGISTRYINDEX, *self);
		return;
	}
	lua_newtable(co);
	lua_rawgeti(co, LUA_REGISTRYINDEX, w->modules[module].self_meta);
	lua_setmetatable(co, -2);
	lua_pushvalue(co, -1);
	*self = luaL_ref(co, LUA_REGISTRYINDEX);
}

/* EHLO keeps its line end, the others are canonical (2.1). */
static void push_str(lua_State *L, const struct policy_run *run)
{
	const struct facts_mail *mail = run->facts->mail;

	if (run->phase == PHASE_MAILFROM && mail)
		lua_str_push(L, mail->mail_line, SLICE(""));
	else if (run->phase == PHASE_RCPTTO && mail)
		lua_str_push(L, mail->rcpt_line, SLICE(""));
	else
		lua_str_push(L, run->facts->helo_line, SLICE("\r\n"));
}

static int push_args(struct lua_worker *w, const char *args)
{
	for (const char *at = args; *at; at++) {
		enum lua_object which = *at == 'a'   ? LUA_OBJECT_AC
					: *at == 'v' ? LUA_OBJECT_VCTX
						     : LUA_OBJECT_MSG;

		if (*at == 's')
			push_str(w->thread, w->run);
		else
			lua_rawgeti(w->thread, LUA_REGISTRYINDEX, w->objects[which]);
	}
	return (int)strlen(args);
}

/* D35: what is no answer is logged, and goes on. Who only observes holds up nobody. */
static enum engine_step answer(struct lua_worker *w, const struct lua_module *m,
			       const struct lua_callout *c)
{
	lua_Number said = lua_type(w->thread, 1) == LUA_TNUMBER ? lua_tonumber(w->thread, 1) : -1;
	char text[128];

	if (said == VALIDATE_DONE)
		return m->observe ? ENGINE_CONT : ENGINE_DONE;
	if (said == VALIDATE_CONT)
		return ENGINE_CONT;
	snprintf(text, sizeof text, "%s of module %.64s: CALLOUT error: (null)", c->name, m->name);
	warn(w, m->name, 0, text);
	return ENGINE_CONT;
}

static enum engine_step call(struct lua_worker *w, unsigned module, unsigned callout)
{
	const struct lua_module *m = &w->modules[module];
	const struct lua_callout *c = &lua_callouts[callout];
	struct lua_fault fault;
	int nargs;

	lua_worker_prepare(w, m->callouts[callout]);
	push_self(w, module);
	nargs = 1 + push_args(w, c->args);
	w->run->observe = m->observe;
	w->reads_before = w->run->read_count;
	if (lua_worker_enter(w, nargs, &lua_budget_run, &fault))
		return answer(w, m, c);
	lua_worker_log_fault(w, &fault);
	policy_fail(w->run, lua_where_name(fault.at.file), fault.at.line, fault.text);
	return m->observe ? ENGINE_CONT : ENGINE_DONE;
}

/* One callout, in each module that has it, until one says that it is enough. */
static enum engine_step call_all(struct lua_worker *w, unsigned callout)
{
	enum engine_step step = ENGINE_CONT;

	for (unsigned m = 0; step == ENGINE_CONT && m < w->module_count; m++)
		if (w->modules[m].callouts[callout] != LUA_NOREF)
			step = call(w, m, callout);
	return step;
}

enum engine_step lua_worker_run(struct lua_worker *w, struct policy_run *run)
{
	enum engine_step step = ENGINE_CONT;

	w->run = run;
	w->facts = run->facts;
	w->session = run->session_slot;
	for (unsigned c = 0; step == ENGINE_CONT && c < LUA_CALLOUTS; c++)
		if (lua_callouts[c].phase == run->phase)
			step = call_all(w, c);
	w->run = NULL;
	w->facts = &lua_nobody;
	w->session = NULL;
	return step;
}

static void dealloc(struct lua_worker *w, unsigned module)
{
	struct lua_fault fault;

	if (w->modules[module].lifecycles[LUA_LIFE_DEALLOC] == LUA_NOREF)
		return;
	lua_worker_prepare(w, w->modules[module].lifecycles[LUA_LIFE_DEALLOC]);
	push_self(w, module);
	if (!lua_worker_enter(w, 1, &lua_budget_run, &fault))
		lua_worker_log_fault(w, &fault);
}

void lua_worker_session_over(struct lua_worker *w, const struct facts *facts, void **session)
{
	struct lua_session *s = *session;

	if (!s)
		return;
	w->facts = facts;
	w->session = session;
	for (unsigned i = 0; i < w->module_count; i++)
		if (s->self[i] != LUA_NOREF) {
			dealloc(w, i);
			luaL_unref(w->L, LUA_REGISTRYINDEX, s->self[i]);
		}
	luaL_unref(w->L, LUA_REGISTRYINDEX, s->tls);
	w->facts = &lua_nobody;
	w->session = NULL;
	free(s);
	*session = NULL;
}
