#include "policy/lua/lua_where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Walking to a level starts at the innermost each time: all levels of a deep recursion take
 * seconds. */
enum { LEVELS_MAX = 64 };

static bool level_get(lua_State *L, int level, lua_Debug *at)
{
	return level < LEVELS_MAX && lua_getstack(L, level, at) && lua_getinfo(L, "Sl", at);
}

static bool fill(struct lua_where *out, const lua_Debug *at, int line)
{
	snprintf(out->file, sizeof out->file, "%s", at->source + 1);
	out->line = (unsigned)line;
	return true;
}

bool lua_where_now(lua_State *L, struct lua_where *out)
{
	lua_Debug at;

	for (int level = 0; level_get(L, level, &at); level++)
		if (*at.source == '@' && at.currentline > 0)
			return fill(out, &at, at.currentline);
	*out = (struct lua_where){ 0 };
	return false;
}

void lua_where_defined(lua_State *L, struct lua_where *out)
{
	lua_Debug at;

	*out = (struct lua_where){ 0 };
	if (lua_getinfo(L, ">S", &at) && *at.source == '@' && at.linedefined > 0)
		fill(out, &at, at.linedefined);
}

/* Lua cuts long paths in messages, but by the same rule as in short_src. */
const char *lua_where_message(lua_State *L, const char *message, struct lua_where *out)
{
	lua_Debug at;

	for (int level = 0; level_get(L, level, &at); level++) {
		const char *end;
		char *rest;
		long line;

		if (*at.source != '@' || strncmp(message, at.short_src, strlen(at.short_src)) != 0)
			continue;
		end = message + strlen(at.short_src);
		line = *end == ':' ? strtol(end + 1, &rest, 10) : 0;
		if (line <= 0 || strncmp(rest, ": ", 2) != 0)
			continue;
		fill(out, &at, (int)line);
		return rest + 2;
	}
	return message;
}

const char *lua_where_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
