/*
 * lua_limits - how much work one entry into Lua may do, and the state's memory.
 *
 * Work is counted in steps: one for each VM instruction (by a count hook, so the JIT is off), and
 * what C functions on behalf of scripts charge for theirs, where no hook fires. Bytes are counted
 * as they are allocated, freed or not: copying is work too. CPU time is looked at now and then,
 * for single instructions that are long (comparing megabytes).
 *
 * Spent is spent: until lua_limits_end every further hook raises, every allocation that grows is
 * refused, and error handlers of the script do not run, so neither pcall, nor coroutines, nor
 * xpcall keep a script going. Then the state is as good as before.
 */
#ifndef POLICY_LUA_LUA_LIMITS_H
#define POLICY_LUA_LUA_LIMITS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/lua/lua_where.h"

struct lua_budget {
	uint64_t steps;
	size_t bytes;	 /* allocated, in all */
	uint32_t cpu_ms;
};

extern const struct lua_budget lua_budget_run;	/* one callout */
extern const struct lua_budget lua_budget_load; /* a script's chunk, init, deinit */

enum { LUA_STATE_BYTES_MAX = 64 << 20, LUA_STACK_C_MAX = 512 << 10 };

/* Embedded as the first member of what lua_limits_of() is asked for. */
struct lua_limits {
	lua_State *L;
	lua_Alloc alloc; /* LuaJIT's own, behind ours */
	void *alloc_arg;
	size_t held;	 /* bytes the state has now */
	size_t collect_at;
	bool on;
	const char *spent; /* what ran out; NULL: nothing did */
	struct lua_where spent_at;
	uint64_t steps_left;
	size_t bytes_left;
	uint32_t cpu_ms;
	uint32_t hooks;	       /* so far in this run */
	uint64_t cpu_since_ns; /* 0: not looked at yet */
	const char *c_stack;   /* where it was at the beginning */
};

/* A new state with no library in it, JIT off, hook set. */
lua_State *lua_limits_open(struct lua_limits *limits);
void lua_limits_close(struct lua_limits *limits);

static inline struct lua_limits *lua_limits_of(lua_State *L)
{
	void *limits;

	lua_getallocf(L, &limits);
	return limits;
}

void lua_limits_begin(struct lua_limits *limits, const struct lua_budget *budget);
/* What ran out, in words; NULL: nothing. */
const char *lua_limits_end(struct lua_limits *limits);

/* From C functions that Lua calls. These raise. */
void lua_limits_charge(lua_State *L, uint64_t steps);
/* Before calling back into Lua: scripts can nest C calls until the thread's stack is gone. */
void lua_limits_check_stack(lua_State *L);

#endif
