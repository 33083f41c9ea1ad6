/*
 * lua_libs - the standard libraries that scripts get: what can be done with values, nothing that
 * reaches the machine, and nothing that runs long without being counted (T18).
 */
#ifndef POLICY_LUA_LUA_LIBS_H
#define POLICY_LUA_LUA_LIBS_H

#include <lua.h>

void lua_libs_open(lua_State *L);

/* Into the table on the top: find, match, gmatch, gsub over lua_match.h. */
void lua_string_open(lua_State *L);

#endif
