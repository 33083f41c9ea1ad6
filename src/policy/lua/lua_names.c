/*
 * Names of the library that scripts use. One that is not there would be nil, and found out by the
 * first client that comes to it. So every msys.a.b in a text that is loaded is noted, and looked up
 * when all scripts are there, for they may have put their own beside ours. What is in a table of
 * theirs is their business, and so is what they reach by another way.
 */
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/nearest.h"
#include "policy/lua/lua_source.h"
#include "policy/lua/lua_worker.h"

/* In the registry, a table of both: name, file, line, name, ... and our tables as keys. */
static const char noted[] = "msys names";
enum { NOTED_FIELDS = 3 };

/* Of a name, digits too. */
static bool is_name(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c) || c == '_';
}

/* "a.b.c", and not what is concatenated to it: "a.b..c" */
static size_t word_len(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && is_name(at[n])) {
		while (at + n < end && is_name(at[n]))
			n++;
		n += at + n + 1 < end && at[n] == '.' && is_name(at[n + 1]);
	}
	return n;
}

/* A field of what comes before it. */
static bool is_field(const char *text, const char *at)
{
	return at > text && at[-1] == '.' && (at - 1 == text || at[-2] != '.');
}

static bool is_assigned(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at < end && *at == '=' && (at + 1 == end || at[1] != '=');
}

/* The list is on the top. */
static void note(lua_State *L, struct slice name, const char *file, unsigned line)
{
	int n = (int)lua_objlen(L, -1);

	lua_pushlstring(L, name.at, name.len);
	lua_rawseti(L, -2, n + 1);
	lua_pushstring(L, file);
	lua_rawseti(L, -2, n + 2);
	lua_pushinteger(L, line);
	lua_rawseti(L, -2, n + 3);
}

void lua_names_note(lua_State *L, char *text, size_t len, const char *file)
{
	char *at = text, *end = text + len, *next;
	const char *instead;
	bool is_defined = false; /* function msys.mine() */
	unsigned line = 1;

	lua_getfield(L, LUA_REGISTRYINDEX, noted);
	for (; lua_istable(L, -1) && at < end; at = next) {
		const struct slice word = { at, word_len(at, end) };

		next = word.len > 0 ? at + word.len : lua_token_skip(at, end, &instead);
		for (const char *c = at; c < next; c++)
			line += *c == '\n';
		if (word.len > strlen("msys.") && memcmp(at, "msys.", strlen("msys.")) == 0 &&
		    !is_defined && !is_field(text, at) && !is_assigned(next, end))
			note(L, word, file, line);
		if (word.len > 0)
			is_defined = slice_equal(word, SLICE("function"));
	}
	lua_pop(L, 1);
}

/* Among what is in the table on the top. A script may ask for another one's table: directly under
 * msys only a slip of the pen is wrong. */
static void complain_unknown(lua_State *L, struct complaints *complaints, struct place at,
			     struct slice name, struct slice part)
{
	bool is_first = name.at + strlen("msys.") == part.at;
	struct nearest nearest;

	nearest_begin(&nearest, part);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			nearest_try(&nearest, lua_tostring(L, -2));
	if (is_first && !nearest.name)
		return;
	complain(complaints, at, "unknown name \"%.*s\"%s%s%s", SLICE_ARGS(name),
		 nearest.name ? ", did you mean \"" : "", nearest.name ? nearest.name : "",
		 nearest.name ? "\"?" : "");
}

/* The table on the top is. */
static bool is_ours(lua_State *L, int list)
{
	bool is;

	lua_pushvalue(L, -1);
	lua_rawget(L, list);
	is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

static void look_up(lua_State *L, int list, struct complaints *complaints, struct place at,
		    struct slice name)
{
	struct slice rest, part = slice_cut(name, '.', &rest);
	int top = lua_gettop(L);

	lua_getglobal(L, "msys");
	while (rest.len > 0 && lua_istable(L, -1) && is_ours(L, list)) {
		part = slice_cut(rest, '.', &rest);
		lua_pushlstring(L, part.at, part.len);
		lua_rawget(L, -2);
		if (!lua_isnil(L, -1))
			continue;
		lua_pop(L, 1);
		complain_unknown(L, complaints, at, name, part);
		break;
	}
	lua_settop(L, top);
}

/* The table on the top and those in it: a tree of three levels. */
static void own(lua_State *L, int list)
{
	lua_pushvalue(L, -1);
	lua_pushboolean(L, true);
	lua_rawset(L, list);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (lua_istable(L, -1))
			own(L, list);
}

void lua_names_begin(lua_State *L)
{
	lua_newtable(L);
	lua_getglobal(L, "msys");
	own(L, lua_gettop(L) - 1);
	lua_pop(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, noted);
}

bool lua_names_end(lua_State *L, struct complaints *complaints)
{
	unsigned errors = complaints->errors;
	int list = lua_gettop(L) + 1, count;

	lua_getfield(L, LUA_REGISTRYINDEX, noted);
	count = (int)lua_objlen(L, -1);
	for (int i = 1; i < count; i += NOTED_FIELDS) {
		struct place at = { .col = 0 };
		struct slice name;

		lua_rawgeti(L, -1, i);
		lua_rawgeti(L, -2, i + 1);
		lua_rawgeti(L, -3, i + 2);
		name.at = lua_tolstring(L, -3, &name.len);
		at.file = lua_tostring(L, -2);
		at.line = (unsigned)lua_tointeger(L, -1);
		look_up(L, list, complaints, at, name);
		lua_pop(L, NOTED_FIELDS);
	}
	lua_pop(L, 1);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, noted);
	return complaints->errors == errors;
}
