/*
 * lua_match - Lua 5.1's string patterns, with a count of steps.
 *
 * LuaJIT's own matcher can take longer than the world lasts over a pattern of fifty bytes, and no
 * hook fires inside it (T18). Same language as its: %a..%z, sets, %b, %f, back references,
 * captures, and the same words for what is wrong with a pattern.
 */
#ifndef POLICY_LUA_LUA_MATCH_H
#define POLICY_LUA_LUA_MATCH_H

#include <stdint.h>

#include "base/buf.h"

enum { LUA_MATCH_CAPTURES = 32, LUA_MATCH_POSITION = -2 /* as a capture's len: "()" */ };

struct lua_match {
	struct slice subject;
	struct slice pattern;	/* without the anchor "^" */
	uint64_t steps;		/* counted down; 0 after a call: they ran out */
	const char *wrong;	/* with the pattern; NULL: nothing */
	unsigned depth;
	unsigned capture_count;
	struct {
		const char *at;
		ptrdiff_t len;
	} capture[LUA_MATCH_CAPTURES];
};

/* A match that begins exactly at `at`: its end. NULL: none, or out of steps, or wrong is set. */
const char *lua_match_at(struct lua_match *m, const char *at);
bool lua_match_is_plain(struct slice pattern); /* no character in it is special */

#endif
