/* msys.audit_series.define: which series there will be, told while the scripts are loaded (3.7). */
#include <lauxlib.h>

#include "policy/lua/lua_worker.h"
#include "series/series.h"

static const char *const types[] = { "cidr", "cidr_ipv6", "string", NULL };
static const enum series_type type_of[] = { SERIES_CIDR, SERIES_CIDR_IPV6, SERIES_STRING };

static const char *const replicates[] = { "none", "cluster", "manager", NULL };

/* An option's value is on the top; arg is where the options are. */
static bool truth(lua_State *L, int arg, const char *name)
{
	if (lua_type(L, -1) == LUA_TNUMBER)
		return lua_tonumber(L, -1) != 0;
	if (!lua_isboolean(L, -1))
		luaL_argerror(L, arg, lua_pushfstring(L, "%s is true or false", name));
	return lua_toboolean(L, -1);
}

static void serialize_set(lua_State *L, int arg, struct series_definition *d)
{
	d->serialize = truth(L, arg, "serialize");
}

static void persist_set(lua_State *L, int arg, struct series_definition *d)
{
	d->persist = truth(L, arg, "persist");
}

static void replicate_set(lua_State *L, int arg, struct series_definition *d)
{
	const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	unsigned n = 0;

	while (replicates[n] && strcmp(name, replicates[n]) != 0)
		n++;
	if (!replicates[n])
		luaL_argerror(L, arg, "replicate is \"none\", \"cluster\" or \"manager\"");
	d->replicate = (enum series_replicate)n;
}

static void max_bytes_set(lua_State *L, int arg, struct series_definition *d)
{
	lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
	uint64_t bytes = n >= 1 && n < 0x1p53 ? (uint64_t)n : 0;
	struct slice text;

	if (lua_type(L, -1) == LUA_TSTRING) {
		text.at = lua_tolstring(L, -1, &text.len);
		if (!size_parse(text, &bytes))
			bytes = 0;
	}
	if (bytes == 0)
		luaL_argerror(L, arg, "max_bytes is a number of octets, or a text as \"64m\"");
	d->max_bytes = bytes;
}

static const struct {
	const char *name;
	void (*set)(lua_State *L, int arg, struct series_definition *d);
} options[] = {
	{ "serialize", serialize_set },
	{ "persist", persist_set },
	{ "replicate", replicate_set },
	{ "max_bytes", max_bytes_set },
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static void options_set(lua_State *L, int arg, struct series_definition *d)
{
	unsigned i;

	if (lua_isnoneornil(L, arg))
		return;
	luaL_checktype(L, arg, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";

		for (i = 0; i < OPTIONS && strcmp(name, options[i].name) != 0;)
			i++;
		if (i == OPTIONS)
			luaL_argerror(L, arg, lua_pushfstring(L, "no option \"%s\"", name));
		options[i].set(L, arg, d);
	}
}

/* A fraction is cut off; NaN is out of every range. */
static uint32_t whole(lua_State *L, int arg, uint32_t most)
{
	lua_Number n = luaL_checknumber(L, arg);

	if (!(n >= 1 && n < (lua_Number)most + 1))
		luaL_argerror(L, arg, lua_pushfstring(L, "expected 1 to %d", (int)most));
	return (uint32_t)n;
}

static void name_set(lua_State *L, int arg, struct series_definition *d)
{
	size_t len;
	const char *name = luaL_checklstring(L, arg, &len);

	luaL_argcheck(L, len > 0 && len < sizeof d->name && strlen(name) == len, arg,
		      "a series has a name of 1 to 200 octets");
	memcpy(d->name, name, len);
}

static int define(lua_State *L)
{
	static const char alone[] =
		"a series that is replicated counts on this node alone: it is in no cluster";
	struct lua_worker *w = lua_worker_of(L);
	struct series_definition d = { .replicate = REPLICATE_NONE };
	const char *wrong;

	if (!policy_set_conf(w->set)->has_inbound_audit) /* D110 */
		return luaL_error(L, "msys.audit_series.define requires module inbound_audit");
	if (!w->loading)
		return luaL_error(L, "series are defined when the script is loaded, not later");
	name_set(L, 1, &d);
	d.type = type_of[luaL_checkoption(L, 2, NULL, types)];
	d.monitor.seconds = whole(L, 3, MONITOR_SECONDS_MAX);
	d.monitor.windows = whole(L, 4, MONITOR_WINDOWS_MAX);
	options_set(L, 5, &d);
	wrong = series_definition_check(&d);
	if (!wrong)
		wrong = policy_set_define(w->set, &d);
	if (wrong)
		return luaL_error(L, "series \"%s\": %s", d.name, wrong);
	if (d.replicate != REPLICATE_NONE && !policy_set_conf(w->set)->has_cluster &&
	    policy_set_once(w->set, POLICY_ONCE_CLUSTER)) /* D61 */
		lua_worker_log(L, LOG_WARN, SLICE(alone));
	lua_pushboolean(L, true);
	return 1;
}

void lua_series_open(lua_State *L)
{
	lua_namespace(L, "msys.audit_series");
	lua_pushcfunction(L, define);
	lua_setfield(L, -2, "define");
	lua_pop(L, 1);
}
