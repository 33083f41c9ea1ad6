#include "policy/lua/lua.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "policy/lua/lua_worker.h"

/* A stanza: the same scripts in as many states as there are workers. */
struct scriptlet {
	unsigned count;
	struct lua_worker *workers[];
};

static void scriptlet_unload(void *module)
{
	struct scriptlet *s = module;

	for (unsigned i = 0; i < s->count; i++) {
		lua_worker_close(s->workers[i]);
		free(s->workers[i]);
	}
	free(s);
}

/* What is wrong in one state is wrong in all: the first that fails tells. */
static void *scriptlet_load(const struct policy_stanza *stanza, struct policy_set *set,
			    struct complaints *complaints)
{
	unsigned count = policy_set_conf(set)->workers;
	struct scriptlet *s = mem_new(sizeof *s + count * sizeof s->workers[0]);
	bool good = true;

	while (good && s->count < count) {
		struct lua_worker *w = mem_new(sizeof *w);

		s->workers[s->count++] = w;
		good = lua_worker_open(w, stanza, set, complaints);
	}
	if (good)
		return s;
	scriptlet_unload(s);
	return NULL;
}

static bool scriptlet_handles(const void *module, enum phase phase)
{
	const struct lua_worker *w = ((const struct scriptlet *)module)->workers[0];

	for (unsigned c = 0; c < LUA_CALLOUTS; c++)
		for (unsigned m = 0; lua_callouts[c].phase == phase && m < w->module_count; m++)
			if (w->modules[m].callouts[c] != LUA_NOREF)
				return true;
	return false;
}

static struct lua_worker *worker_for(void *module, const struct facts *facts)
{
	struct scriptlet *s = module;

	CHECK(facts->worker < s->count);
	return s->workers[facts->worker];
}

static enum engine_step scriptlet_run(void *module, struct policy_run *run)
{
	return lua_worker_run(worker_for(module, run->facts), run);
}

/* Nothing here waits yet. */
static void scriptlet_cancel(void *module, struct policy_run *run)
{
	(void)module;
	(void)run;
}

static void scriptlet_session_over(void *module, struct facts *facts, void **slot)
{
	lua_worker_session_over(worker_for(module, facts), facts, slot);
}

const struct policy_engine lua_engine = {
	.kind = "scriptlet",
	.load = scriptlet_load,
	.unload = scriptlet_unload,
	.handles = scriptlet_handles,
	.run = scriptlet_run,
	.cancel = scriptlet_cancel,
	.session_over = scriptlet_session_over,
};
