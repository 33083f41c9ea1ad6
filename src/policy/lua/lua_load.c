/* A worker's state from its scripts' files to their init, and its end. */
#include <lauxlib.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy/lua/lua_libs.h"
#include "policy/lua/lua_source.h"
#include "policy/lua/lua_worker.h"

static void complain_fault(struct complaints *complaints, struct place at,
			   const struct lua_fault *fault)
{
	if (fault->at.line)
		at = (struct place){ .file = fault->at.file, .line = fault->at.line };
	complain(complaints, at, "%s", fault->text);
}

/* "dir.file" is dir/file.lua, unless there is a "dir.file.lua". */
static char *script_path(const char *source)
{
	char *path = mem_printf("%s.lua", source), *suffix = path + strlen(source);
	char *slash = strrchr(path, '/');

	if (access(path, R_OK) == 0)
		return path;
	for (char *at = slash ? slash : path; at < suffix; at++)
		if (*at == '.')
			*at = '/';
	return path;
}

static bool chunk_load(struct lua_worker *w, const struct policy_script *script,
		       struct complaints *complaints)
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
static bool chunk_run(struct lua_worker *w, const struct policy_script *script,
		      struct complaints *complaints)
{
	int chunk = luaL_ref(w->L, LUA_REGISTRYINDEX);
	struct lua_fault fault;
	bool good;

	/* Its `...` is its name, as require gives it. */
	lua_pushstring(lua_worker_prepare(w, chunk), script->title);
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
	lua_rawgeti(lua_worker_prepare(w, m->lifecycles[LUA_LIFE_INIT]), LUA_REGISTRYINDEX,
		    m->table);
	if (!lua_worker_enter(w, 1, &lua_budget_load, &fault)) {
		complain_fault(complaints, w->loading->at, &fault);
		return false;
	}
	good = lua_isboolean(w->thread, 1) && lua_toboolean(w->thread, 1);
	if (!good)
		complain(complaints, w->loading->at, "init of module %s did not return true",
			 m->name);
	return good;
}

static bool script_load(struct lua_worker *w, const struct policy_script *script,
			struct complaints *complaints)
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

bool lua_worker_open(struct lua_worker *w, const struct policy_stanza *stanza,
		     struct policy_set *set, struct complaints *complaints)
{
	bool good = true;

	*w = (struct lua_worker){ .set = set, .host = policy_set_host(set), .facts = &lua_nobody,
				 .stub_unavailable = stanza->stub_unavailable };
	w->L = lua_limits_open(&w->limits);
	lua_libs_open(w->L);
	lua_source_open(w->L);
	lua_fn_open(w->L);
	lua_series_open(w->L);
	lua_pbp_open(w->L);
	lua_dumper_open(w->L);
	lua_boxes_open(w->L);
	lua_objects_open(w);
	lua_msys_open(w->L);
	lua_names_begin(w->L);
	for (unsigned i = 0; i < stanza->script_count; i++)
		good = script_load(w, &stanza->scripts[i], complaints) && good;
	if (good)
		good = lua_names_end(w->L, complaints);
	w->ready = good;
	return good;
}

static void deinit(struct lua_worker *w, const struct lua_module *m)
{
	struct lua_fault fault;

	if (m->lifecycles[LUA_LIFE_DEINIT] == LUA_NOREF)
		return;
	lua_rawgeti(lua_worker_prepare(w, m->lifecycles[LUA_LIFE_DEINIT]), LUA_REGISTRYINDEX,
		    m->table);
	if (!lua_worker_enter(w, 1, &lua_budget_load, &fault))
		lua_worker_log_fault(w, &fault);
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
