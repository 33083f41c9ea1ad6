/*
 * lua_where - which line of which file a script is at.
 */
#ifndef POLICY_LUA_LUA_WHERE_H
#define POLICY_LUA_LUA_WHERE_H

#include <lua.h>
#include <stdbool.h>

struct lua_where {
	char file[256]; /* full path; "": nowhere */
	unsigned line;
};

/* Of the innermost function that came from a file. false: there is none, as after a tail call into
 * C. */
bool lua_where_now(lua_State *L, struct lua_where *out);

/* Where a function begins. It is on the top, and is taken from there. */
void lua_where_defined(lua_State *L, struct lua_where *out);

/*
 * Of an error message that begins with its place, the place; L is the thread that it killed, whose
 * functions are still known but not its line. Gives the message without the place, or as it is.
 */
const char *lua_where_message(lua_State *L, const char *message, struct lua_where *out);

const char *lua_where_name(const char *path); /* after the last slash */

#endif
