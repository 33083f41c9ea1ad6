/* Values that scripts see as userdata: the ec_string of a command line, the sockaddr of a peer. */
#include <lauxlib.h>

#include "policy/lua/lua_worker.h"

#define STR_TYPE "ec_string"
#define SOCKADDR_TYPE "sockaddr"

struct sockaddr_object {
	struct addr addr;
	uint16_t port;
};

void lua_str_push(lua_State *L, struct slice text, struct slice more)
{
	struct slice *s = lua_newuserdata(L, sizeof *s + text.len + more.len);
	char *bytes = (char *)(s + 1);

	if (text.len)
		memcpy(bytes, text.at, text.len);
	if (more.len)
		memcpy(bytes + text.len, more.at, more.len);
	*s = (struct slice){ bytes, text.len + more.len };
	luaL_getmetatable(L, STR_TYPE);
	lua_setmetatable(L, -2);
}

/* Like luaL_checkudata, which raises. */
static void *userdata_of(lua_State *L, int arg, const char *type)
{
	bool same;

	if (!lua_getmetatable(L, arg))
		return NULL;
	luaL_getmetatable(L, type);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same ? lua_touserdata(L, arg) : NULL;
}

bool lua_str_get(lua_State *L, int arg, struct slice *out)
{
	const struct slice *s = userdata_of(L, arg, STR_TYPE);

	if (s)
		*out = *s;
	return s != NULL;
}

static int str_tostring(lua_State *L)
{
	const struct slice *s = luaL_checkudata(L, 1, STR_TYPE);

	lua_pushlstring(L, s->at, s->len);
	return 1;
}

static int str_index(lua_State *L)
{
	if (strcmp(luaL_checkstring(L, 2), "buffer") == 0)
		return str_tostring(L);
	return 0;
}

const struct addr *lua_sockaddr_get(lua_State *L, int arg)
{
	const struct sockaddr_object *s = userdata_of(L, arg, SOCKADDR_TYPE);

	return s ? &s->addr : NULL;
}

/* "192.0.2.1:25"; IPv6 with a dot, which samples split at (D75). */
static int sockaddr_tostring(lua_State *L)
{
	const struct sockaddr_object *s = luaL_checkudata(L, 1, SOCKADDR_TYPE);
	char text[ADDR_TEXT_MAX];

	lua_pushfstring(L, "%s%s%d", addr_print(&s->addr, text),
			s->addr.family == ADDR_V6 ? "." : ":", s->port);
	return 1;
}

int lua_sockaddr_push(lua_State *L, const struct addr *addr, uint16_t port)
{
	struct sockaddr_object *s;

	if (addr->family == ADDR_NONE)
		return 0;
	s = lua_newuserdata(L, sizeof *s);
	*s = (struct sockaddr_object){ *addr, port };
	luaL_getmetatable(L, SOCKADDR_TYPE);
	lua_setmetatable(L, -2);
	return 1;
}

/* Hide the metatable on the top from getmetatable: one for all, a script could spoil it. */
void lua_metatable_hide(lua_State *L)
{
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
}

static void type_new(lua_State *L, const char *name, lua_CFunction tostring, lua_CFunction index)
{
	luaL_newmetatable(L, name);
	lua_metatable_hide(L);
	lua_pushcfunction(L, tostring);
	lua_setfield(L, -2, "__tostring");
	if (index) {
		lua_pushcfunction(L, index);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
}

void lua_boxes_open(lua_State *L)
{
	type_new(L, STR_TYPE, str_tostring, str_index);
	type_new(L, SOCKADDR_TYPE, sockaddr_tostring, NULL);
}
