/* string.find, match, gmatch and gsub, whose steps are counted. */
#include <lauxlib.h>

#include "policy/lua/lua_libs.h"
#include "policy/lua/lua_limits.h"
#include "policy/lua/lua_match.h"

static struct slice check_slice(lua_State *L, int arg)
{
	struct slice s;

	s.at = luaL_checklstring(L, arg, &s.len);
	return s;
}

/* false: there is none. Raises for what is wrong with the pattern, and when the budget is spent. */
static const char *match_at(lua_State *L, struct lua_match *m, const char *at)
{
	struct lua_limits *limits = lua_limits_of(L);
	const char *end;

	m->steps = limits->on ? limits->steps_left : UINT64_MAX;
	end = lua_match_at(m, at);
	if (limits->on)
		limits->steps_left = m->steps;
	if (m->steps == 0)
		lua_limits_charge(L, 1);
	if (m->wrong)
		luaL_error(L, "%s", m->wrong);
	return end;
}

/* The leftmost match at or after `at`. */
static const char *match_from(lua_State *L, struct lua_match *m, const char *at, bool anchored,
			      const char **start_out)
{
	const char *end;

	do {
		end = match_at(L, m, at);
		*start_out = at;
	} while (!end && !anchored && at++ < m->subject.at + m->subject.len);
	return end;
}

static void push_capture(lua_State *L, const struct lua_match *m, unsigned n)
{
	const char *at = m->capture[n].at;

	if (m->capture[n].len == LUA_MATCH_POSITION)
		lua_pushinteger(L, at - m->subject.at + 1);
	else if (m->capture[n].len < 0)
		luaL_error(L, "unfinished capture");
	else
		lua_pushlstring(L, at, (size_t)m->capture[n].len);
}

/* Capture n, or the whole match where the pattern has none. */
static void push_nth(lua_State *L, const struct lua_match *m, unsigned n, const char *start,
		     const char *end)
{
	if (n < m->capture_count)
		push_capture(L, m, n);
	else if (n == 0)
		lua_pushlstring(L, start, (size_t)(end - start));
	else
		luaL_error(L, "invalid capture index");
}

static int push_captures(lua_State *L, const struct lua_match *m)
{
	luaL_checkstack(L, LUA_MATCH_CAPTURES, "too many captures");
	for (unsigned n = 0; n < m->capture_count; n++)
		push_capture(L, m, n);
	return (int)m->capture_count;
}

static int push_match(lua_State *L, const struct lua_match *m, const char *start, const char *end)
{
	if (m->capture_count > 0)
		return push_captures(L, m);
	push_nth(L, m, 0, start, end);
	return 1;
}

/* Arguments 1 and 2, without the anchor; true when it had one. */
static bool match_args(lua_State *L, struct lua_match *m)
{
	bool anchored;

	m->subject = check_slice(L, 1);
	m->pattern = check_slice(L, 2);
	m->capture_count = 0;
	anchored = m->pattern.len > 0 && m->pattern.at[0] == '^';
	m->pattern.at += anchored;
	m->pattern.len -= anchored;
	return anchored;
}

/* Where find and match begin: an index from 1, or from the end when negative. */
static const char *begin_arg(lua_State *L, int arg, struct slice s)
{
	lua_Integer at = luaL_optinteger(L, arg, 1);

	if (at < 0)
		at += (lua_Integer)s.len + 1;
	if (at < 1)
		at = 1;
	return (size_t)at - 1 < s.len ? s.at + at - 1 : s.at + s.len;
}

static int push_place(lua_State *L, struct slice s, const char *start, size_t len)
{
	lua_pushinteger(L, start - s.at + 1);
	lua_pushinteger(L, start - s.at + (ptrdiff_t)len);
	return 2;
}

/* memmem is linear; LuaJIT's own search is not. */
static int find_plain(lua_State *L, struct slice s, struct slice what)
{
	const char *begin = begin_arg(L, 3, s);
	size_t left = (size_t)(s.at + s.len - begin);
	const char *found;

	lua_limits_charge(L, (left + what.len) / 8);
	found = what.len ? memmem(begin, left, what.at, what.len) : begin;
	if (found)
		return push_place(L, s, found, what.len);
	lua_pushnil(L);
	return 1;
}

static int string_find(lua_State *L)
{
	struct slice pattern = check_slice(L, 2);
	struct lua_match m;
	const char *start, *end;
	bool anchored;

	if (lua_toboolean(L, 4) || lua_match_is_plain(pattern))
		return find_plain(L, check_slice(L, 1), pattern);
	anchored = match_args(L, &m);
	end = match_from(L, &m, begin_arg(L, 3, m.subject), anchored, &start);
	if (!end) {
		lua_pushnil(L);
		return 1;
	}
	push_place(L, m.subject, start, (size_t)(end - start));
	return 2 + push_captures(L, &m);
}

static int string_match(lua_State *L)
{
	struct lua_match m;
	bool anchored = match_args(L, &m);
	const char *start, *end = match_from(L, &m, begin_arg(L, 3, m.subject), anchored, &start);

	if (end)
		return push_match(L, &m, start, end);
	lua_pushnil(L);
	return 1;
}

/* Upvalues: subject, pattern, where to go on (from 0). */
static int gmatch_next(lua_State *L)
{
	struct lua_match m = { 0 };
	const char *at, *start, *end;

	m.subject.at = lua_tolstring(L, lua_upvalueindex(1), &m.subject.len);
	m.pattern.at = lua_tolstring(L, lua_upvalueindex(2), &m.pattern.len);
	at = m.subject.at + lua_tointeger(L, lua_upvalueindex(3));
	if (at > m.subject.at + m.subject.len)
		return 0;
	end = match_from(L, &m, at, false, &start);
	if (!end)
		return 0;
	lua_pushinteger(L, end - m.subject.at + (end == start));
	lua_replace(L, lua_upvalueindex(3));
	return push_match(L, &m, start, end);
}

static int string_gmatch(lua_State *L)
{
	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* "%1" is a capture, "%0" the match, "%x" an x. */
static void add_template(lua_State *L, luaL_Buffer *b, const struct lua_match *m, const char *start,
			 const char *end)
{
	size_t len;
	const char *text = lua_tolstring(L, 3, &len);

	lua_limits_charge(L, len);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '%' || ++i == len) {
			luaL_addchar(b, text[i]);
		} else if (text[i] == '0') {
			luaL_addlstring(b, start, (size_t)(end - start));
		} else if (text[i] >= '1' && text[i] <= '9') {
			push_nth(L, m, (unsigned)(text[i] - '1'), start, end);
			luaL_addvalue(b);
		} else {
			luaL_addchar(b, text[i]);
		}
	}
}

static void add_replaced(lua_State *L, luaL_Buffer *b, const struct lua_match *m, const char *start,
			 const char *end)
{
	int type = lua_type(L, 3);

	if (type == LUA_TFUNCTION) {
		lua_pushvalue(L, 3);
		lua_call(L, push_match(L, m, start, end), 1);
	} else if (type == LUA_TTABLE) {
		push_nth(L, m, 0, start, end);
		lua_gettable(L, 3);
	} else {
		add_template(L, b, m, start, end);
		return;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		lua_pushlstring(L, start, (size_t)(end - start));
	} else if (!lua_isstring(L, -1)) {
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	}
	luaL_addvalue(b);
}

static int string_gsub(lua_State *L)
{
	struct lua_match m;
	bool anchored = match_args(L, &m);
	const char *at = m.subject.at, *subject_end = at + m.subject.len, *end;
	lua_Integer count = 0, max = luaL_optinteger(L, 4, (lua_Integer)m.subject.len + 1);
	int type = lua_type(L, 3);
	luaL_Buffer b;

	luaL_argcheck(L,
		      type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
			  type == LUA_TTABLE,
		      3, "string/function/table expected");
	lua_limits_check_stack(L);
	luaL_buffinit(L, &b);
	while (count < max) {
		end = match_at(L, &m, at);
		if (end) {
			count++;
			add_replaced(L, &b, &m, at, end);
		}
		if (end && end > at)
			at = end;
		else if (at < subject_end)
			luaL_addchar(&b, *at++);
		else
			break;
		if (anchored)
			break;
	}
	luaL_addlstring(&b, at, (size_t)(subject_end - at));
	luaL_pushresult(&b);
	lua_pushinteger(L, count);
	return 2;
}

void lua_string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "find", string_find },   { "match", string_match }, { "gmatch", string_gmatch },
		{ "gsub", string_gsub },   { NULL, NULL },
	};

	luaL_register(L, NULL, functions);
}
