/*
 * msys.dumper.Dumper(value): a text that, run, gives the value back (7.4).
 *
 * It goes into a userdata, which Lua frees whatever happens. What is too deep, as a table in itself
 * is, and what no text can give back is named in words.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "policy/lua/lua_worker.h"

enum { DUMP_FIRST = 1024, DUMP_MAX = 256 << 10, DEPTH_MAX = 16, SLOT = 2 };

struct dump {
	lua_State *L;
	char *at; /* the userdata in SLOT */
	size_t len, size;
};

static void put(struct dump *d, const char *text, size_t len)
{
	size_t size = d->size;
	char *at;

	while (len > size - d->len)
		size *= 2;
	if (size > DUMP_MAX)
		luaL_error(d->L, "more than %d octets to dump", DUMP_MAX);
	if (size > d->size) {
		at = lua_newuserdata(d->L, size);
		memcpy(at, d->at, d->len);
		lua_replace(d->L, SLOT);
		d->at = at;
		d->size = size;
	}
	memcpy(d->at + d->len, text, len);
	d->len += len;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct dump *d, const char *format,
							     ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	put(d, text, (size_t)vsnprintf(text, sizeof text, format, args));
	va_end(args);
}

static void put_string(struct dump *d, const char *text, size_t len)
{
	lua_limits_charge(d->L, len);
	put(d, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			put_format(d, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			put_format(d, "\\%03u", c);
		else
			put(d, &text[i], 1);
	}
	put(d, "\"", 1);
}

static void put_number(struct dump *d, lua_Number n)
{
	if (isnan(n))
		put(d, "0/0", 3);
	else if (isinf(n))
		put_format(d, "%s1/0", n < 0 ? "-" : "");
	else
		put_format(d, "%.17g", n);
}

static void put_value(struct dump *d, int at, int depth);

static void put_table(struct dump *d, int at, int depth)
{
	lua_State *L = d->L;
	int key = lua_gettop(L) + 1;

	luaL_checkstack(L, 4, "a table to dump");
	put(d, "{\n", 2);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		lua_limits_charge(L, 1);
		put_format(d, "%*s[", 2 * depth + 2, "");
		put_value(d, key, DEPTH_MAX); /* a key that is a table is only named */
		put(d, "] = ", 4);
		put_value(d, key + 1, depth + 1);
		put(d, ",\n", 2);
	}
	put_format(d, "%*s}", 2 * depth, "");
}

static void put_value(struct dump *d, int at, int depth)
{
	lua_State *L = d->L;
	const char *text;
	size_t len;

	switch (lua_type(L, at)) {
	case LUA_TNIL:
		put(d, "nil", 3);
		return;
	case LUA_TBOOLEAN:
		put_format(d, "%s", lua_toboolean(L, at) ? "true" : "false");
		return;
	case LUA_TNUMBER:
		put_number(d, lua_tonumber(L, at));
		return;
	case LUA_TSTRING:
		text = lua_tolstring(L, at, &len);
		put_string(d, text, len);
		return;
	case LUA_TTABLE:
		if (depth < DEPTH_MAX) {
			put_table(d, at, depth);
			return;
		}
		/* fall through */
	default:
		put_format(d, "\"(%s)\"", luaL_typename(L, at));
	}
}

static int dumper(lua_State *L)
{
	struct dump d = { .L = L, .size = DUMP_FIRST };

	lua_settop(L, 1);
	d.at = lua_newuserdata(L, d.size);
	put(&d, "return ", 7);
	put_value(&d, 1, 0);
	lua_pushlstring(L, d.at, d.len);
	return 1;
}

void lua_dumper_open(lua_State *L)
{
	lua_namespace(L, "msys.dumper");
	lua_pushcfunction(L, dumper);
	lua_setfield(L, -2, "Dumper");
	lua_pop(L, 1);
}
