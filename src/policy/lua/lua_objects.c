/* The three objects that callouts are given for their session: ac, vctx, msg. */
#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

#include "policy/lua/lua_worker.h"

bool lua_object_is(lua_State *L, int arg, enum lua_object which)
{
	bool same;

	lua_rawgeti(L, LUA_REGISTRYINDEX, lua_worker_of(L)->objects[which]);
	same = lua_rawequal(L, arg, -1);
	lua_pop(L, 1);
	return same;
}

static const char *const object_names[LUA_OBJECTS] = {
	[LUA_OBJECT_AC] = "ac", [LUA_OBJECT_VCTX] = "vctx", [LUA_OBJECT_MSG] = "msg"
};

void lua_object_check(lua_State *L, int arg, enum lua_object which)
{
	if (lua_gettop(L) < arg || !lua_object_is(L, arg, which))
		luaL_error(L, "call it as a method: %s:name(...)", object_names[which]);
}

static struct policy_run *run_of(lua_State *L)
{
	struct lua_worker *w = lua_worker_of(L);

	if (!w->run)
		luaL_error(L, "there is no session here");
	return w->run;
}

static const struct facts_mail *mail_of(lua_State *L)
{
	const struct policy_run *run = run_of(L);

	lua_object_check(L, 1, LUA_OBJECT_MSG);
	if (!run->facts->mail)
		luaL_error(L, "there is no message here");
	return run->facts->mail;
}

static int push_slice(lua_State *L, struct slice s)
{
	lua_pushlstring(L, s.at ? s.at : "", s.len);
	return 1;
}

/* Arguments: the methods, the name of what is none of them. */
static int ac_field(lua_State *L)
{
	const struct facts *facts = run_of(L)->facts;
	const char *name = luaL_checkstring(L, 2);
	char id[20];

	if (strcmp(name, "remote_addr") == 0)
		return lua_sockaddr_push(L, &facts->peer, facts->peer_port);
	if (strcmp(name, "conn_id") != 0)
		return 0;
	snprintf(id, sizeof id, "%016" PRIx64, facts->session);
	lua_pushstring(L, id);
	return 1;
}

static int vctx_field(lua_State *L)
{
	const struct verdict *verdict = run_of(L)->verdict;
	const char *name = luaL_checkstring(L, 2);

	if (strcmp(name, "code") == 0)
		lua_pushinteger(L, verdict->code);
	else if (strcmp(name, "note") == 0)
		lua_pushstring(L, verdict->text ? verdict->text : "");
	else
		lua_pushnil(L);
	return 1;
}

static int msg_field(lua_State *L)
{
	lua_pushnil(L);
	return 1;
}

static int read_only(lua_State *L)
{
	return luaL_error(L, "%s cannot be set", lua_tostring(L, 2)); /* D96 */
}

/* vctx.disconnect = 1, or 0: the flag, which as a method has a code too. */
static int vctx_set(lua_State *L)
{
	struct policy_run *run = run_of(L);
	struct action action = { .kind = ACTION_DISCONNECT, .name = "vctx.disconnect" };
	struct lua_where at;
	const char *wrong;
	unsigned cause;

	if (strcmp(luaL_checkstring(L, 2), "disconnect") != 0)
		return read_only(L);
	if (!lua_toboolean(L, 3) || (lua_isnumber(L, 3) && lua_tonumber(L, 3) == 0)) {
		if (!run->observe)
			run->verdict->disconnect = false;
		return 0;
	}
	action.file = lua_worker_where(L, &at);
	action.line = at.line;
	cause = lua_worker_cause(lua_worker_of(L));
	if (cause != 0)
		action.cause = &run->reads[cause - 1];
	wrong = policy_act(run, &action);
	return wrong ? luaL_error(L, "%s", wrong) : 0;
}

static int msg_mailfrom(lua_State *L)
{
	return push_slice(L, mail_of(L)->from);
}

static int msg_rcptto(lua_State *L)
{
	return push_slice(L, mail_of(L)->rcpt);
}

static int msg_size(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)mail_of(L)->size);
	return 1;
}

/* "ip", "port" or "all". */
static int push_endpoint(lua_State *L, const struct addr *addr, uint16_t port)
{
	static const char *const parts[] = { "all", "ip", "port", NULL };
	int part = luaL_checkoption(L, 2, "all", parts);
	char text[ADDR_PORT_TEXT_MAX];

	if (part == 2)
		lua_pushinteger(L, port);
	else
		lua_pushstring(L, part == 1 ? addr_print(addr, text)
					    : addr_port_print(addr, port, text));
	return 1;
}

static int msg_reception_peer(lua_State *L)
{
	const struct facts *facts = run_of(L)->facts;

	return push_endpoint(L, &facts->peer, facts->peer_port);
}

static int msg_listener_addr(lua_State *L)
{
	const struct facts *facts = run_of(L)->facts;

	return push_endpoint(L, &facts->local, facts->local_port);
}

/* Arguments 2 and 3 of the context functions. */
static struct slice context_key(lua_State *L, enum ctx_kind *kind_out)
{
	struct slice key;
	int kind = luaL_checkint(L, 2);

	luaL_argcheck(L, kind == CTX_CONN || kind == CTX_MESS, 2,
		      "VCTX_CONN or VCTX_MESS expected");
	*kind_out = (enum ctx_kind)kind;
	key.at = luaL_checklstring(L, 3, &key.len);
	return key;
}

/* Puts the value on the top, if there is one. */
static bool context_push(lua_State *L)
{
	const struct facts *facts = run_of(L)->facts;
	char room[FACTS_ROOM];
	enum ctx_kind kind;
	struct slice value, key = context_key(L, &kind);

	if (!facts_get(facts, kind, key, room, &value))
		return false;
	push_slice(L, value);
	return true;
}

static int msg_context_get(lua_State *L)
{
	return context_push(L) ? 1 : push_slice(L, SLICE(""));
}

static int msg_context_exists(lua_State *L)
{
	lua_pushinteger(L, context_push(L));
	return 1;
}

static int msg_context_exists_and_get(lua_State *L)
{
	bool there = context_push(L);

	if (!there)
		lua_pushnil(L);
	lua_pushinteger(L, there);
	lua_insert(L, -2);
	return 2;
}

static int msg_context_set(lua_State *L)
{
	enum ctx_kind kind;
	struct slice value, key = context_key(L, &kind);
	const char *wrong;

	value.at = luaL_checklstring(L, 4, &value.len);
	wrong = facts_set(run_of(L)->facts, kind, key, value);
	return wrong ? luaL_error(L, "%s", wrong) : 0;
}

static int msg_context_delete(lua_State *L)
{
	bool there = context_push(L);
	enum ctx_kind kind;
	struct slice key = context_key(L, &kind);
	const char *wrong = there ? facts_delete(run_of(L)->facts, kind, key) : NULL;

	if (wrong)
		return luaL_error(L, "%s", wrong);
	lua_pushinteger(L, there);
	return 1;
}

static const luaL_Reg no_methods[] = { { NULL, NULL } };

static const luaL_Reg msg_methods[] = {
	{ "mailfrom", msg_mailfrom },
	{ "rcptto", msg_rcptto },
	{ "get_message_size", msg_size },
	{ "context_get", msg_context_get },
	{ "context_set", msg_context_set },
	{ "context_exists", msg_context_exists },
	{ "context_exists_and_get", msg_context_exists_and_get },
	{ "context_delete", msg_context_delete },
	{ "reception_peer", msg_reception_peer },
	{ "listener_addr", msg_listener_addr },
	{ NULL, NULL },
};

static const struct {
	const luaL_Reg *methods; /* beside those of the function table */
	lua_CFunction field;
	lua_CFunction set;
} objects[LUA_OBJECTS] = {
	[LUA_OBJECT_AC] = { no_methods, ac_field, read_only },
	[LUA_OBJECT_VCTX] = { no_methods, vctx_field, vctx_set },
	[LUA_OBJECT_MSG] = { msg_methods, msg_field, read_only },
};

/*
 * Names are looked up in the table of methods, without a call; what is not there is a field, found
 * by the methods' own metatable. There is one object of a kind, so the field need not be told
 * which.
 */
static int object_new(lua_State *L, enum lua_object which)
{
	lua_newuserdata(L, 0);
	lua_newtable(L);
	lua_metatable_hide(L);
	lua_newtable(L);
	lua_fn_methods(L, object_names[which], which);
	luaL_register(L, NULL, objects[which].methods);
	lua_newtable(L);
	lua_pushcfunction(L, objects[which].field);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, objects[which].set);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void lua_objects_open(struct lua_worker *w)
{
	for (int i = 0; i < LUA_OBJECTS; i++)
		w->objects[i] = object_new(w->L, (enum lua_object)i);
}
