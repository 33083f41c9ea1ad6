#include "policy/lua/lua_limits.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"

const struct lua_budget lua_budget_run = { .steps = 1000000, .bytes = 4 << 20, .cpu_ms = 100 };
const struct lua_budget lua_budget_load = { .steps = 50000000, .bytes = 64 << 20, .cpu_ms = 5000 };

enum { HOOK_STEPS = 100, COLLECT_AT = LUA_STATE_BYTES_MAX / 4 * 3 };

#define SPENT "the script's budget is spent"

static const char *const NO_STEPS = "the script ran too long (instructions)";
static const char *const NO_CPU = "the script ran too long (processor time)";
static const char *const NO_BYTES = "the script allocated too much memory";
static const char *const STATE_FULL = "the scripts of this worker hold too much memory";

static const char *grow_refused(const struct lua_limits *l, size_t grow)
{
	if (l->spent)
		return l->spent;
	if (grow > l->bytes_left)
		return NO_BYTES;
	if (l->held > LUA_STATE_BYTES_MAX || grow > LUA_STATE_BYTES_MAX - l->held)
		return STATE_FULL;
	return NULL;
}

/* Only growing may fail: the collector counts on shrinking and freeing. */
static void *on_alloc(void *arg, void *at, size_t old_size, size_t new_size)
{
	struct lua_limits *l = arg;
	size_t grow = new_size > old_size ? new_size - old_size : 0;
	void *got;

	if (grow && l->on) {
		l->spent = grow_refused(l, grow);
		if (l->spent)
			return NULL;
		l->bytes_left -= grow;
	}
	got = l->alloc(l->alloc_arg, at, old_size, new_size);
	if (got || new_size == 0)
		l->held += new_size - old_size;
	return got;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec + 1;
}

/* Not at the first hook of a run: most runs have no other, and shall not pay for the system call.
 */
static bool cpu_is_spent(struct lua_limits *l)
{
	uint64_t now = l->hooks++ ? cpu_ns() : 0;

	if (l->cpu_since_ns == 0)
		l->cpu_since_ns = now;
	return now - l->cpu_since_ns > l->cpu_ms * UINT64_C(1000000);
}

static void on_count(lua_State *L, lua_Debug *at);

/* Raises always. */
static void stop(lua_State *L, const char *what)
{
	struct lua_limits *l = lua_limits_of(L);

	if (!l->spent)
		lua_where_now(L, &l->spent_at);
	l->spent = what;
	l->steps_left = 0;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
	/* A string already there, since nothing can be allocated any more. */
	lua_pushliteral(L, SPENT);
	lua_error(L);
}

static void on_count(lua_State *L, lua_Debug *at)
{
	struct lua_limits *l = lua_limits_of(L);

	(void)at;
	if (!l->on)
		return;
	if (l->spent)
		stop(L, l->spent);
	if (l->steps_left <= HOOK_STEPS)
		stop(L, NO_STEPS);
	l->steps_left -= HOOK_STEPS;
	if (cpu_is_spent(l))
		stop(L, NO_CPU);
}

void lua_limits_charge(lua_State *L, uint64_t steps)
{
	struct lua_limits *l = lua_limits_of(L);

	if (!l->on)
		return;
	if (l->spent || steps >= l->steps_left)
		stop(L, l->spent ? l->spent : NO_STEPS);
	l->steps_left -= steps;
}

void lua_limits_check_stack(lua_State *L)
{
	const struct lua_limits *l = lua_limits_of(L);
	const char *here = __builtin_frame_address(0);

	if (l->on && llabs(l->c_stack - here) > LUA_STACK_C_MAX)
		luaL_error(L, "stack overflow (calls nested in C functions)");
}

lua_State *lua_limits_open(struct lua_limits *l)
{
	lua_State *L = luaL_newstate();

	CHECK(L);
	*l = (struct lua_limits){ .L = L, .collect_at = COLLECT_AT };
	l->alloc = lua_getallocf(L, &l->alloc_arg);
	l->held = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
	lua_setallocf(L, on_alloc, l);
	lua_pushliteral(L, SPENT);
	luaL_ref(L, LUA_REGISTRYINDEX);
	CHECK(luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF));
	lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_STEPS);
	return L;
}

void lua_limits_close(struct lua_limits *l)
{
	if (!l->L)
		return;
	lua_setallocf(l->L, l->alloc, l->alloc_arg);
	lua_close(l->L);
	l->L = NULL;
}

void lua_limits_begin(struct lua_limits *l, const struct lua_budget *budget)
{
	l->steps_left = budget->steps;
	l->bytes_left = budget->bytes;
	l->cpu_ms = budget->cpu_ms;
	l->cpu_since_ns = 0;
	l->hooks = 0;
	l->c_stack = __builtin_frame_address(0);
	l->spent = NULL;
	l->spent_at.line = 0;
	l->on = true;
}

/*
 * LuaJIT collects when the heap has doubled, which may be past what the state may hold. The next
 * mark lies half way to the limit, so that a heap full of live things is not collected at each run.
 */
static void collect(struct lua_limits *l)
{
	lua_gc(l->L, LUA_GCCOLLECT, 0);
	l->collect_at = l->held / 2 + LUA_STATE_BYTES_MAX / 2;
	if (l->collect_at < COLLECT_AT)
		l->collect_at = COLLECT_AT;
}

const char *lua_limits_end(struct lua_limits *l)
{
	const char *spent = l->spent;

	l->on = false;
	l->spent = NULL;
	if (spent)
		lua_sethook(l->L, on_count, LUA_MASKCOUNT, HOOK_STEPS);
	if (l->held > l->collect_at)
		collect(l);
	return spent;
}
