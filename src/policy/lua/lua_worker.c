#include "policy/lua/lua_worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/fn.h"
#include "policy/lua/lua_libs.h"
#include "policy/lua/lua_source.h"

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

static const struct facts nobody;

/* --- entering ------------------------------------------------------------------------------- */

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

/* The thread, with nothing on it but the function. */
static lua_State *prepare(struct lua_worker *w, int function)
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

void lua_worker_log(lua_State *L, struct slice text)
{
	const struct lua_worker *w = lua_worker_of(L);
	struct lua_where at;
	const char *file = lua_worker_where(L, &at);

	w->host->logged(w->host->owner, w->facts, file, at.line, text);
}

/* The error object may be anything; no metamethod of it is called. */
static const char *message_of(lua_State *L)
{
	return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error object that is not a string";
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

bool lua_worker_enter(struct lua_worker *w, int nargs, const struct lua_budget *budget, struct lua_fault *fault)
{
	const char *spent;
	int status;

	lua_limits_begin(&w->limits, budget);
	status = lua_resume(w->thread, nargs);
	spent = lua_limits_end(&w->limits);
	if (status == 0 && !spent) {
		lua_settop(w->thread, 1);
		return true;
	}
	if (spent)
		fault_fill(w, spent, fault);
	else
		fault_fill(w, status == LUA_YIELD ? "a callout cannot yield" : message_of(w->thread), fault);
	thread_drop(w);
	return false;
}

/* --- loading -------------------------------------------------------------------------------- */

static void complain_fault(struct complaints *complaints, struct place at, const struct lua_fault *fault)
{
	if (fault->at.line)
		at = (struct place){ .file = fault->at.file, .line = fault->at.line };
	complain(complaints, at, "%s", fault->text);
}

/* "dir.file" is dir/file.lua, unless there is a "dir.file.lua". */
static char *script_path(const char *source)
{
	char *path = mem_printf("%s.lua", source), *name = strrchr(path, '/');
	FILE *file = fopen(path, "re");

	if (file)
		fclose(file);
	for (char *at = name ? name : path; !file && at[4]; at++)
		if (*at == '.')
			*at = '/';
	return path;
}

static bool chunk_load(struct lua_worker *w, const struct policy_script *script, struct complaints *complaints)
{
	char *path = script_path(script->source), *slash = strrchr(path, '/');
	bool good;

	lua_pushlstring(w->L, path, slash ? (size_t)(slash - path) : 0);
	lua_source_path(w->L, slash ? lua_tostring(w->L, -1) : ".");
	lua_pop(w->L, 1);
	good = lua_source_load(w->L, path);
	if (!good) {
		struct place at = { .file = path };
		const char *what = lua_source_place(lua_tostring(w->L, -1), &at.line);

		complain(complaints, at.line ? at : script->at, "%s", what);
		lua_pop(w->L, 1);
	}
	free(path);
	return good;
}

/* The chunk is on the top of the main thread. */
static bool chunk_run(struct lua_worker *w, const struct policy_script *script, struct complaints *complaints)
{
	int chunk = luaL_ref(w->L, LUA_REGISTRYINDEX);
	struct lua_fault fault;
	bool good;

	lua_pushstring(prepare(w, chunk), script->title); /* its `...`, as require gives it */
	good = lua_worker_enter(w, 1, &lua_budget_load, &fault);
	luaL_unref(w->L, LUA_REGISTRYINDEX, chunk);
	if (!good)
		complain_fault(complaints, script->at, &fault);
	return good;
}

static bool init(struct lua_worker *w, const struct lua_module *m, struct complaints *complaints)
{
	struct lua_fault fault;
	bool good;

	if (m->lifecycles[LUA_LIFE_INIT] == LUA_NOREF)
		return true;
	lua_rawgeti(prepare(w, m->lifecycles[LUA_LIFE_INIT]), LUA_REGISTRYINDEX, m->table);
	if (!lua_worker_enter(w, 1, &lua_budget_load, &fault)) {
		complain_fault(complaints, w->loading->at, &fault);
		return false;
	}
	good = lua_isboolean(w->thread, 1) && lua_toboolean(w->thread, 1);
	if (!good)
		complain(complaints, w->loading->at, "init of module %s did not return true", m->name);
	return good;
}

static bool script_load(struct lua_worker *w, const struct policy_script *script, struct complaints *complaints)
{
	unsigned first = w->module_count;
	bool good;

	w->loading = script;
	good = chunk_load(w, script, complaints) && chunk_run(w, script, complaints);
	for (unsigned i = first; good && i < w->module_count; i++)
		good = init(w, &w->modules[i], complaints);
	w->loading = NULL;
	return good;
}

bool lua_worker_open(struct lua_worker *w, const struct policy_stanza *stanza, const struct policy_host *host,
		     struct complaints *complaints)
{
	bool good = true;

	*w = (struct lua_worker){ .host = host, .facts = &nobody,
				 .stub_unavailable = stanza->stub_unavailable };
	w->L = lua_limits_open(&w->limits);
	lua_libs_open(w->L);
	lua_source_open(w->L);
	lua_fn_open(w->L);
	lua_objects_open(w);
	lua_msys_open(w->L);
	for (unsigned i = 0; i < stanza->script_count; i++)
		good = script_load(w, &stanza->scripts[i], complaints) && good;
	w->ready = good;
	return good;
}

static void log_text(struct lua_worker *w, const char *file, unsigned line, const char *text)
{
	w->host->logged(w->host->owner, w->facts, file, line, slice_of(text));
}

static void log_fault(struct lua_worker *w, const struct lua_fault *fault)
{
	log_text(w, lua_where_name(fault->at.file), fault->at.line, fault->trace);
}

static void deinit(struct lua_worker *w, const struct lua_module *m)
{
	struct lua_fault fault;

	if (m->lifecycles[LUA_LIFE_DEINIT] == LUA_NOREF)
		return;
	lua_rawgeti(prepare(w, m->lifecycles[LUA_LIFE_DEINIT]), LUA_REGISTRYINDEX, m->table);
	if (!lua_worker_enter(w, 1, &lua_budget_load, &fault))
		log_fault(w, &fault);
}

void lua_worker_close(struct lua_worker *w)
{
	for (unsigned i = 0; i < w->module_count; i++) {
		if (w->ready)
			deinit(w, &w->modules[i]);
		free(w->modules[i].name);
	}
	lua_limits_close(&w->limits);
}

/* --- asking --------------------------------------------------------------------------------- */

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
	const struct facts *facts = run->facts;

	if (run->phase == PHASE_EHLO || !facts->mail)
		lua_str_push(L, facts->helo_line, SLICE("\r\n"));
	else
		lua_str_push(L, run->phase == PHASE_MAILFROM ? facts->mail->mail_line : facts->mail->rcpt_line,
			     SLICE(""));
}

static int push_args(struct lua_worker *w, const char *args)
{
	for (const char *at = args; *at; at++) {
		if (*at == 's')
			push_str(w->thread, w->run);
		else
			lua_rawgeti(w->thread, LUA_REGISTRYINDEX,
				    w->objects[*at == 'a' ? LUA_OBJECT_AC :
					       *at == 'v' ? LUA_OBJECT_VCTX : LUA_OBJECT_MSG]);
	}
	return (int)strlen(args);
}

/* D35: what is no answer is logged, and goes on. Who only observes holds up nobody. */
static enum engine_step answer(struct lua_worker *w, const struct lua_module *m, const struct lua_callout *c)
{
	lua_Number said = lua_type(w->thread, 1) == LUA_TNUMBER ? lua_tonumber(w->thread, 1) : -1;
	char text[128];

	if (said == VALIDATE_DONE)
		return m->observe ? ENGINE_CONT : ENGINE_DONE;
	if (said == VALIDATE_CONT)
		return ENGINE_CONT;
	snprintf(text, sizeof text, "%s of module %.64s: CALLOUT error: (null)", c->name, m->name);
	log_text(w, m->name, 0, text);
	return ENGINE_CONT;
}

static enum engine_step call(struct lua_worker *w, unsigned module, unsigned callout)
{
	const struct lua_module *m = &w->modules[module];
	const struct lua_callout *c = &lua_callouts[callout];
	struct lua_fault fault;
	int nargs;

	prepare(w, m->callouts[callout]);
	push_self(w, module);
	nargs = 1 + push_args(w, c->args);
	w->run->observe = m->observe;
	w->reads_before = w->run->read_count;
	if (lua_worker_enter(w, nargs, &lua_budget_run, &fault))
		return answer(w, m, c);
	log_fault(w, &fault);
	policy_fail(w->run, lua_where_name(fault.at.file), fault.at.line, fault.text);
	return m->observe ? ENGINE_CONT : ENGINE_DONE;
}

enum engine_step lua_worker_run(struct lua_worker *w, struct policy_run *run)
{
	enum engine_step step = ENGINE_CONT;

	w->run = run;
	w->facts = run->facts;
	w->session = run->session_slot;
	for (unsigned c = 0; c < LUA_CALLOUTS; c++)
		for (unsigned m = 0; lua_callouts[c].phase == run->phase && m < w->module_count; m++)
			if (step == ENGINE_CONT && w->modules[m].callouts[c] != LUA_NOREF)
				step = call(w, m, c);
	w->run = NULL;
	w->facts = &nobody;
	w->session = NULL;
	return step;
}

static void dealloc(struct lua_worker *w, unsigned module)
{
	struct lua_fault fault;

	if (w->modules[module].lifecycles[LUA_LIFE_DEALLOC] == LUA_NOREF)
		return;
	prepare(w, w->modules[module].lifecycles[LUA_LIFE_DEALLOC]);
	push_self(w, module);
	if (!lua_worker_enter(w, 1, &lua_budget_run, &fault))
		log_fault(w, &fault);
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
	w->facts = &nobody;
	w->session = NULL;
	free(s);
	*session = NULL;
}
