/* msys.pbp: what policies made of modules share (7.5). */
#include <lauxlib.h>

#include "policy/lua/lua_worker.h"

#define KEY_PREFIX "dp_whitelist_"

static struct facts *facts_of(lua_State *L)
{
	struct lua_worker *w = lua_worker_of(L);

	if (!w->run)
		luaL_error(L, "there is no session here");
	luaL_argcheck(L, lua_object_is(L, 1, LUA_OBJECT_VCTX), 1, "vctx expected");
	return w->run->facts;
}

/* Of the name at `arg`; on the stack as long as it is used. */
static struct slice push_key(lua_State *L, int arg)
{
	struct slice key;

	lua_pushliteral(L, KEY_PREFIX);
	lua_pushstring(L, luaL_checkstring(L, arg));
	lua_concat(L, 2);
	key.at = lua_tolstring(L, -1, &key.len);
	return key;
}

/* set_whitelist(vctx [, type], name, on): the type may be left out (D99). */
static int set_whitelist(lua_State *L)
{
	struct facts *facts = facts_of(L);
	bool has_type = lua_type(L, 2) == LUA_TNUMBER;
	enum ctx_kind kind = has_type && lua_tonumber(L, 2) == CTX_MESS ? CTX_MESS : CTX_CONN;
	int name = has_type ? 3 : 2;
	struct slice key;
	const char *wrong;

	lua_settop(L, name + 1);
	key = push_key(L, name);
	wrong = lua_toboolean(L, name + 1) ? facts_set(facts, kind, key, SLICE("true"))
					   : facts_delete(facts, kind, key);
	return wrong ? luaL_error(L, "%s", wrong) : 0;
}

static bool is_set(lua_State *L, const struct facts *facts, int name)
{
	struct slice key = push_key(L, name), value;
	char room[FACTS_ROOM];
	bool found = (facts_get(facts, CTX_MESS, key, room, &value) && value.len > 0) ||
		     (facts_get(facts, CTX_CONN, key, room, &value) && value.len > 0);

	lua_pop(L, 1);
	return found;
}

/* check_whitelist(vctx, names): a list of them, one alone, or a table that honours a list. */
static int check_whitelist(lua_State *L)
{
	const struct facts *facts = facts_of(L);
	bool found = false;

	lua_settop(L, 2);
	if (lua_istable(L, 2)) {
		lua_getfield(L, 2, "honor_whitelist");
		if (!lua_isnil(L, 3))
			lua_replace(L, 2);
	}
	if (lua_isstring(L, 2)) {
		found = is_set(L, facts, 2);
	} else if (lua_istable(L, 2)) {
		lua_settop(L, 2);
		for (int i = 1; i <= (int)lua_objlen(L, 2) && !found; i++) {
			lua_limits_charge(L, 1);
			lua_rawgeti(L, 2, i);
			found = is_set(L, facts, 3);
			lua_pop(L, 1);
		}
	}
	lua_pushboolean(L, found);
	return 1;
}

static int size_in_bytes(lua_State *L)
{
	struct slice text;
	uint64_t size;

	text.at = luaL_checklstring(L, 1, &text.len);
	luaL_argcheck(L, size_parse(text, &size), 1, "a size is \"20m\", with b, k, m, g or none");
	lua_pushnumber(L, (lua_Number)size);
	return 1;
}

void lua_pbp_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "set_whitelist", set_whitelist },
					      { "check_whitelist", check_whitelist },
					      { "size_in_bytes", size_in_bytes },
					      { NULL, NULL } };

	lua_namespace(L, "msys.pbp");
	luaL_register(L, NULL, functions);
	lua_pop(L, 1);
}
