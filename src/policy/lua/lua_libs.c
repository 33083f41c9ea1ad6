#include "policy/lua/lua_libs.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "base/check.h"
#include "policy/lua/lua_limits.h"

enum { DATE_FORMAT_MAX = 255 };

/*
 * What is kept of each library; all else is removed, so that what a newer LuaJIT brings is not
 * there by surprise. newproxy would give scripts a __gc, which runs without hooks. require, load
 * and print come from elsewhere in this room.
 */
static const struct library {
	const char *name; /* "": globals */
	lua_CFunction open;
	const char *kept; /* blank-separated; NULL: all */
} libraries[] = {
	{ "", luaopen_base,
	  "_G _VERSION assert coroutine error gcinfo getfenv getmetatable ipairs next pairs pcall "
	  "rawequal rawget rawlen rawset select setfenv setmetatable tonumber tostring type unpack "
	  "xpcall" },
	{ LUA_STRLIBNAME, luaopen_string, "byte char format len lower rep reverse sub upper" },
	{ LUA_TABLIBNAME, luaopen_table,
	  "concat foreach foreachi getn insert maxn move pack remove sort unpack" },
	{ LUA_MATHLIBNAME, luaopen_math, NULL },
	{ LUA_BITLIBNAME, luaopen_bit, NULL },
	{ LUA_OSLIBNAME, luaopen_os, "clock date difftime time" },
	{ LUA_DBLIBNAME, luaopen_debug, "traceback" },
};

static bool word_in(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

/* Of the table on the top. */
static void keep_only(lua_State *L, const char *kept)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		CHECK(lua_type(L, -1) == LUA_TSTRING);
		if (word_in(kept, lua_tostring(L, -1)))
			continue;
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
}

static void library_open(lua_State *L, const struct library *lib)
{
	lua_pushcfunction(L, lib->open);
	lua_pushstring(L, lib->name);
	lua_call(L, 1, 0);
	if (*lib->name)
		lua_getglobal(L, lib->name);
	else
		lua_pushvalue(L, LUA_GLOBALSINDEX);
	if (lib->kept)
		keep_only(L, lib->kept);
	lua_pop(L, 1);
}

static int call_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* They walk the whole table in C. */
static int charged_by_length(lua_State *L)
{
	if (lua_istable(L, 1))
		lua_limits_charge(L, lua_objlen(L, 1) / 2);
	return call_original(L);
}

/* Comparisons are made in Lua, where hooks fire. Upvalue 2: the usual one. */
static int table_sort(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_replace(L, 2);
	}
	if (!lua_isfunction(L, 2) || lua_iscfunction(L, 2))
		return luaL_argerror(L, 2, "Lua function expected");
	lua_limits_check_stack(L);
	return call_original(L);
}

static int string_format(lua_State *L)
{
	lua_limits_check_stack(L); /* __tostring */
	return call_original(L);
}

static int os_date(lua_State *L)
{
	luaL_argcheck(L, lua_objlen(L, 1) <= DATE_FORMAT_MAX, 1, "format too long");
	return call_original(L);
}

/* The collector works in small steps by itself; a whole collection takes as long as the heap is
 * big. */
static int collect_garbage(lua_State *L)
{
	bool asked = strcmp(luaL_optstring(L, 1, "collect"), "count") == 0;

	lua_pushnumber(L, asked ? (lua_Number)lua_gc(L, LUA_GCCOUNT, 0) : 0);
	return 1;
}

/*
 * An error raised by a hook reaches xpcall's handler with hooks still off, so a handler that loops
 * would loop for ever. Upvalue 1: the script's handler.
 */
static int handler_call(lua_State *L)
{
	if (lua_limits_of(L)->spent)
		return lua_gettop(L);
	lua_limits_check_stack(L);
	return call_original(L);
}

static int handler_guard(lua_State *L)
{
	lua_settop(L, 1);
	lua_pushcclosure(L, handler_call, 1);
	return 1;
}

/* Wrap library.name; extra more upvalues, on the top, go with it. */
static void wrap(lua_State *L, const char *library, const char *name, lua_CFunction with, int extra)
{
	lua_getglobal(L, library);
	lua_getfield(L, -1, name);
	lua_insert(L, -2 - extra);
	lua_insert(L, -2 - extra);
	lua_pushcclosure(L, with, 1 + extra);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

static void chunk(lua_State *L, const char *text, int results)
{
	CHECK(luaL_loadstring(L, text) == 0);
	lua_call(L, 0, results);
}

/* In Lua, so that what it calls may yield. */
static void wrap_xpcall(lua_State *L)
{
	chunk(L, "local xpcall = xpcall "
		 "return function(guard) "
		 "  return function(f, handler, ...) return xpcall(f, guard(handler), ...) end "
		 "end", 1);
	lua_pushcfunction(L, handler_guard);
	lua_call(L, 1, 1);
	lua_setglobal(L, "xpcall");
}

void lua_libs_open(lua_State *L)
{
	static const char *const walkers[] = { "concat", "insert", "remove", "maxn", "getn" };

	for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
		library_open(L, &libraries[i]);
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_string_open(L);
	lua_pop(L, 1);
	for (size_t i = 0; i < sizeof walkers / sizeof walkers[0]; i++)
		wrap(L, LUA_TABLIBNAME, walkers[i], charged_by_length, 0);
	wrap(L, LUA_STRLIBNAME, "format", string_format, 0);
	wrap(L, LUA_OSLIBNAME, "date", os_date, 0);
	chunk(L, "return function(a, b) return a < b end", 1);
	wrap(L, LUA_TABLIBNAME, "sort", table_sort, 1);
	lua_pushcfunction(L, collect_garbage);
	lua_setglobal(L, "collectgarbage");
	wrap_xpcall(L);
}
