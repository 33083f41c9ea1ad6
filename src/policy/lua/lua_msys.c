/* msys.registerModule, msys.core, and what else scripts find that is in no function table. */
#include <lauxlib.h>
#include <lualib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "policy/fn.h"
#include "policy/lua/lua_worker.h"

enum { PRINT_MAX = 1972, PRINT_STEPS = 200 };

/* D93: require succeeds for each, whatever is in it yet. */
static const char *const namespaces[] = {
	"msys", "msys.core", "msys.extended", "msys.extended.ac", "msys.extended.vctx",
	"msys.extended.message", "msys.audit", "msys.audit_series", "msys.cidr", "msys.pbp",
	"msys.pcre", "msys.gauge_cache", "msys.counter", "msys.threadpool", "msys.base64",
	"msys.os", "msys.qp", "msys.idn", "msys.db", "msys.http", "msys.http.client",
	"msys.bounce", "msys.rfc3464", "msys.httpsrv", "msys.tls_params",
	"msys.policyeditor", "msys.av", "msys.brightmail", "msys.cloudmark",
	"msys.commtouch", "msys.expurgate", "msys.symantec_beik", "msys.validate",
	"msys.validate.dk", "msys.validate.dkim", "msys.validate.opendkim",
	"msys.validate.openarc", "msys.adaptive", "msys.delivery", "msys.apn", "msys.gcm",
	"msys.httpclnt", "msys.mstore", "msys.timer", "msys.dumper", "json", "thread",
};

static const struct constant {
	const char *name;
	int value;
} constants[] = {
	{ "VALIDATE_CONT", VALIDATE_CONT }, { "VALIDATE_DONE", VALIDATE_DONE },
	{ "VALIDATE_AGAIN", VALIDATE_AGAIN },
	{ "VCTX_CONN", CTX_CONN }, { "VCTX_MESS", CTX_MESS },
	{ "ECMESS_CTX_CONN", CTX_CONN }, { "ECMESS_CTX_MESS", CTX_MESS }, /* D97 */
	{ "AF_INET", AF_INET }, { "AF_INET6", AF_INET6 },
};

/* A reference to table[name] if that is a function. */
static int method_ref(lua_State *L, int table, const char *name)
{
	lua_getfield(L, table, name);
	if (lua_isfunction(L, -1))
		return luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
	return LUA_NOREF;
}

static bool is_callout(const char *name)
{
	for (unsigned i = 0; i < LUA_CALLOUTS; i++)
		if (strcmp(name, lua_callouts[i].name) == 0)
			return true;
	for (unsigned i = 0; i < LUA_LIVES; i++)
		if (strcmp(name, lua_lifecycles[i]) == 0)
			return true;
	return false;
}

/*
 * Other hook points are known by their shape, and accepted in silence (2.3). But a check that a
 * script has for a phase that is none here must not be lost without a word.
 */
static bool is_hook(lua_State *L, const char *module, const char *name)
{
	if (is_callout(name) || strncmp(name, "core_", 5) == 0)
		return true;
	if (strncmp(name, "validate_", 9) != 0)
		return false;
	lua_worker_log(
	    L, LOG_WARN,
	    slice_of(lua_pushfstring(L, "%s of module %s is never called here", name, module)));
	lua_pop(L, 1);
	return true;
}

static bool has_hooks(lua_State *L, int table, const char *module)
{
	bool found = false;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		if (lua_isfunction(L, -1) && lua_type(L, -2) == LUA_TSTRING)
			found |= is_hook(L, module, lua_tostring(L, -2));
	return found;
}

static int register_module(lua_State *L)
{
	struct lua_worker *w = lua_worker_of(L);
	const char *name = luaL_checkstring(L, 1);
	struct lua_module *m;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (!w->loading)
		return luaL_error(L, "modules are registered when the script is loaded, not later");
	if (w->module_count == LUA_MODULES_MAX)
		return luaL_error(L, "more than %d modules", LUA_MODULES_MAX);
	if (!has_hooks(L, 2, name))
		lua_worker_log(L, LOG_WARN, slice_of(lua_pushfstring(
			L, "no usable methods found for module %s in registerModule call", name)));
	m = &w->modules[w->module_count];
	for (unsigned i = 0; i < LUA_CALLOUTS; i++)
		m->callouts[i] = method_ref(L, 2, lua_callouts[i].name);
	for (unsigned i = 0; i < LUA_LIVES; i++)
		m->lifecycles[i] = method_ref(L, 2, lua_lifecycles[i]);
	lua_pushvalue(L, 2);
	m->table = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, "__index");
	m->self_meta = luaL_ref(L, LUA_REGISTRYINDEX);
	m->observe = w->loading->observe;
	m->name = mem_strdup(name);
	w->module_count++;
	return 0;
}

static int sockaddr_family(lua_State *L)
{
	const struct addr *addr = lua_sockaddr_get(L, 1);

	luaL_argcheck(L, addr, 1, "a socket address expected");
	lua_pushinteger(L, addr->family == ADDR_V6 ? AF_INET6 : AF_INET);
	return 1;
}

/* Something with a field `message`, which is nil before MAIL. */
static int message_construct(lua_State *L)
{
	struct lua_worker *w = lua_worker_of(L);

	lua_object_check(L, 1, LUA_OBJECT_AC);
	lua_newtable(L);
	if (w->run && w->run->facts->mail) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, w->objects[LUA_OBJECT_MSG]);
		lua_setfield(L, -2, "message");
	}
	return 1;
}

/* As tostring does it. */
static void push_text(lua_State *L, int arg)
{
	int type = lua_type(L, arg);

	if (luaL_callmeta(L, arg, "__tostring")) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "__tostring gave no string");
	} else if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		lua_pushvalue(L, arg);
	} else if (type == LUA_TBOOLEAN) {
		lua_pushstring(L, lua_toboolean(L, arg) ? "true" : "false");
	} else if (type == LUA_TNIL) {
		lua_pushliteral(L, "nil");
	} else {
		lua_pushfstring(L, "%s: %p", luaL_typename(L, arg), lua_topointer(L, arg));
	}
}

static int print(lua_State *L)
{
	int count = lua_gettop(L);
	struct slice text;

	lua_limits_charge(L, PRINT_STEPS);
	lua_limits_check_stack(L);
	lua_pushliteral(L, "");
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			lua_pushliteral(L, "\t");
		push_text(L, i);
		lua_concat(L, i > 1 ? 3 : 2);
	}
	text.at = lua_tolstring(L, -1, &text.len);
	if (text.len > PRINT_MAX)
		text.len = PRINT_MAX;
	lua_worker_log(L, LOG_INFO, text);
	return 0;
}

/* The session's store. nil is pushed where there is no session. */
static void push_tls(lua_State *L)
{
	struct lua_worker *w = lua_worker_of(L);
	struct lua_session *s = w->session ? lua_worker_session(w) : NULL;

	if (!s) {
		lua_pushnil(L);
		return;
	}
	if (s->tls == LUA_NOREF) {
		lua_newtable(L);
		s->tls = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->tls);
}

static int tls_index(lua_State *L)
{
	push_tls(L);
	if (lua_isnil(L, -1))
		return 1;
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

static int tls_newindex(lua_State *L)
{
	luaL_argcheck(L, !lua_isnil(L, 2), 2, "a key expected");
	push_tls(L);
	if (lua_isnil(L, -1))
		return luaL_error(L, "_TLS: there is no session here");
	lua_insert(L, 2);
	lua_rawset(L, 2);
	return 0;
}

static void tls_open(lua_State *L)
{
	static const luaL_Reg meta[] = {
		{ "__index", tls_index }, { "__newindex", tls_newindex }, { NULL, NULL }
	};

	lua_newtable(L);
	lua_newtable(L);
	luaL_register(L, NULL, meta);
	lua_setmetatable(L, -2);
	lua_setglobal(L, "_TLS");
	lua_newtable(L);
	lua_setglobal(L, "_OSTLS");
}

void lua_msys_open(lua_State *L)
{
	static const luaL_Reg core[] = {
		{ "ec_sockaddr_family", sockaddr_family },
		{ "accept_construct_get_message_construct", message_construct },
		{ NULL, NULL },
	};

	lua_getglobal(L, LUA_LOADLIBNAME);
	lua_getfield(L, -1, "loaded");
	for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
		lua_namespace(L, namespaces[i]);
		lua_setfield(L, -2, namespaces[i]);
	}
	lua_pop(L, 2);
	lua_namespace(L, "msys.core");
	luaL_register(L, NULL, core);
	for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
		lua_pushinteger(L, constants[i].value);
		lua_setfield(L, -2, constants[i].name);
	}
	lua_namespace(L, "msys");
	lua_pushcfunction(L, register_module);
	lua_setfield(L, -2, "registerModule");
	lua_pop(L, 2);
	lua_register(L, "print", print);
	tls_open(L);
}
