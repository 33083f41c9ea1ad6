/* The function table, as Lua sees it. */
#include <inttypes.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>

#include "policy/fn.h"
#include "policy/lua/lua_worker.h"

/* What a call costs of the run's steps: an action is logged and kept, a value is only looked up. */
enum { ACTION_STEPS = 1000, VALUE_STEPS = 20 };

static void string_get(lua_State *L, int at, struct value *out)
{
	*out = (struct value){ .type = VALUE_STRING };
	out->string.at = lua_tolstring(L, at, &out->string.len);
}

/* An address where one is asked for may be an accept construct or a socket address. */
static bool userdata_get(lua_State *L, struct policy_run *run, int at, struct value *out)
{
	char text[ADDR_TEXT_MAX];
	const struct addr *addr;

	*out = (struct value){ .type = VALUE_STRING };
	if (lua_str_get(L, at, &out->string))
		return true;
	addr = lua_object_is(L, at, LUA_OBJECT_AC) ? &run->facts->peer : lua_sockaddr_get(L, at);
	if (!addr || addr->family == ADDR_NONE)
		return false;
	if (!arena_copy(&run->arena, slice_of(addr_print(addr, text)), &out->string))
		luaL_error(L, "%s", value_no_memory);
	return true;
}

/* What a table may hold for a function: words, numbers and addresses, not tables. */
static void scalar_get(lua_State *L, struct policy_run *run, int at, struct value *out)
{
	char text[32];
	lua_Number n;

	switch (lua_type(L, at)) {
	case LUA_TNIL:
	case LUA_TNONE:
		*out = (struct value){ .type = VALUE_NONE };
		return;
	case LUA_TSTRING:
		string_get(L, at, out);
		return;
	case LUA_TBOOLEAN:
		*out = VALUE_STR(lua_toboolean(L, at) ? SLICE("true") : SLICE("false"));
		return;
	case LUA_TNUMBER:
		n = lua_tonumber(L, at);
		*out = VALUE_NUM(0);
		if (n == floor(n) && fabs(n) < 0x1p53) {
			out->number = (int64_t)n;
			return;
		}
		snprintf(text, sizeof text, "%.14g", n);
		*out = (struct value){ .type = VALUE_STRING };
		if (!arena_copy(&run->arena, slice_of(text), &out->string))
			luaL_error(L, "%s", value_no_memory);
		return;
	case LUA_TUSERDATA:
		if (userdata_get(L, run, at, out))
			return;
		/* fall through */
	default:
		luaL_error(L, "a %s cannot be given here", luaL_typename(L, at));
	}
}

/* So is the empty table. */
static bool is_list(lua_State *L, int at)
{
	if (lua_objlen(L, at) > 0)
		return true;
	lua_pushnil(L);
	if (!lua_next(L, at))
		return true;
	lua_pop(L, 2);
	return false;
}

static void list_get(lua_State *L, struct policy_run *run, int at, struct value *out)
{
	uint32_t count = (uint32_t)lua_objlen(L, at);
	struct value *members = arena_take(&run->arena, (count ? count : 1) * sizeof *members);

	if (!members)
		luaL_error(L, "%s", value_no_memory);
	lua_limits_charge(L, count);
	for (uint32_t i = 0; i < count; i++) {
		lua_rawgeti(L, at, (int)i + 1);
		scalar_get(L, run, lua_gettop(L), &members[i]);
		lua_pop(L, 1);
	}
	*out = (struct value){ .type = VALUE_LIST, .count = count, .list = members };
}

static void hash_get(lua_State *L, struct policy_run *run, int at, struct value *out)
{
	struct value_hash *hash = value_hash_new(&run->arena);
	struct slice key;
	struct value v;

	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		lua_limits_charge(L, 1);
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "the names in a table of options are strings");
		key.at = lua_tolstring(L, -2, &key.len);
		scalar_get(L, run, lua_gettop(L), &v);
		if (!hash || !value_hash_set(&run->arena, hash, key, &v))
			luaL_error(L, "%s", value_no_memory);
	}
	*out = (struct value){ .type = VALUE_HASH, .hash = hash };
}

static void value_get(lua_State *L, struct policy_run *run, int at, struct value *out)
{
	switch (lua_type(L, at)) {
	case LUA_TSTRING: /* nearly always */
		string_get(L, at, out);
		return;
	case LUA_TTABLE:
		if (is_list(L, at))
			list_get(L, run, at, out);
		else
			hash_get(L, run, at, out);
		return;
	default:
		scalar_get(L, run, at, out);
	}
}

static void value_push(lua_State *L, struct value v)
{
	struct slice key;
	const struct value *member;

	switch ((enum value_type)v.type) {
	case VALUE_NONE:
		lua_pushnil(L);
		return;
	case VALUE_STRING:
	case VALUE_TAG:
		lua_pushlstring(L, v.string.at, v.string.len);
		return;
	case VALUE_NUMBER:
		lua_pushnumber(L, (lua_Number)v.number);
		return;
	case VALUE_LIST:
		lua_createtable(L, (int)v.count, 0);
		for (uint32_t i = 0; i < v.count; i++) {
			value_push(L, v.list[i]);
			lua_rawseti(L, -2, (int)i + 1);
		}
		return;
	case VALUE_HASH: /* has no hashes in it: Lua gets only what one function made */
		lua_newtable(L);
		for (uint32_t i = 0; (member = value_hash_nth(v.hash, i, &key)); i++) {
			if (member->type == VALUE_HASH)
				continue;
			lua_pushlstring(L, key.at, key.len);
			value_push(L, *member);
			lua_rawset(L, -3);
		}
		return;
	}
}

/* Upvalues: the row; for a method, the number of its object, else nil. */
static int row_call(lua_State *L)
{
	const struct policy_fn *fn = lua_touserdata(L, lua_upvalueindex(1));
	struct lua_worker *w = lua_worker_of(L);
	struct value argv[FN_ARGS_MAX];
	struct fn_call call;
	struct lua_where at;
	int first = 1, argc;

	if (!lua_isnil(L, lua_upvalueindex(2))) {
		lua_object_check(L, 1, (enum lua_object)lua_tointeger(L, lua_upvalueindex(2)));
		first = 2;
	}
	if ((fn->flags & FN_TIER_C) && w->stub_unavailable) { /* D91 */
		lua_pushliteral(L, "");
		return 1;
	}
	if (!w->run)
		return luaL_error(L, "%s: there is no session here", fn->name);
	lua_limits_charge(L, fn->flags & (FN_VALUE | FN_TEST) ? VALUE_STEPS : ACTION_STEPS);
	argc = lua_gettop(L) - first + 1;
	if (argc > FN_ARGS_MAX)
		return luaL_error(L, "%s: too many arguments", fn->name);
	for (int i = 0; i < argc; i++)
		value_get(L, w->run, first + i, &argv[i]);
	call.run = w->run;
	call.fn = fn;
	call.tag = SLICE("");
	call.tag_value = NULL;
	at.line = 0; /* nobody asks where a count was read */
	call.file = fn->flags & FN_AUDIT ? "" : lua_worker_where(L, &at);
	call.line = at.line;
	call.cause = lua_worker_cause(w);
	call.error_continue = NULL;
	if (fn_call(&call, argv, (unsigned)argc) != FN_OK)
		return luaL_error(L, "%s", call.error);
	if (call.steps)
		lua_limits_charge(L, call.steps);
	if (!(fn->flags & (FN_VALUE | FN_TEST)))
		return 0;
	value_push(L, call.result);
	if (call.second.type == VALUE_NONE)
		return 1;
	value_push(L, call.second);
	return 2;
}

static void row_push(lua_State *L, const struct policy_fn *fn)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
}

void lua_namespace(lua_State *L, const char *name)
{
	char part[64];

	lua_pushvalue(L, LUA_GLOBALSINDEX);
	for (;;) {
		size_t len = strcspn(name, ".");

		snprintf(part, sizeof part, "%.*s", (int)len, name);
		lua_getfield(L, -1, part);
		if (!lua_istable(L, -1)) {
			lua_pop(L, 1);
			lua_newtable(L);
			lua_pushvalue(L, -1);
			lua_setfield(L, -3, part);
		}
		lua_remove(L, -2);
		if (!name[len])
			return;
		name += len + 1;
	}
}

/* "msys.audit.x" goes into the table msys.audit, "x" is a global. */
void lua_fn_open(lua_State *L)
{
	const struct policy_fn *fn;

	for (unsigned n = 0; (fn = fn_nth(n)); n++) {
		const char *dot = strrchr(fn->name, '.');
		char space[64];

		if (!(fn->flags & FN_LUA) || strchr(fn->name, ':'))
			continue;
		snprintf(space, sizeof space, "%.*s", dot ? (int)(dot - fn->name) : 0, fn->name);
		lua_namespace(L, dot ? space : "_G");
		row_push(L, fn);
		lua_pushnil(L);
		lua_pushcclosure(L, row_call, 2);
		lua_setfield(L, -2, dot ? dot + 1 : fn->name);
		lua_pop(L, 1);
	}
}

void lua_fn_methods(lua_State *L, const char *prefix, enum lua_object which)
{
	const struct policy_fn *fn;
	size_t len = strlen(prefix);

	for (unsigned n = 0; (fn = fn_nth(n)); n++) {
		if (!(fn->flags & FN_LUA) || strncmp(fn->name, prefix, len) != 0 ||
		    fn->name[len] != ':')
			continue;
		row_push(L, fn);
		lua_pushinteger(L, which);
		lua_pushcclosure(L, row_call, 2);
		lua_setfield(L, -2, fn->name + len + 1);
	}
}
