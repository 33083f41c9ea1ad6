/*
 * lua - the `scriptlet` stanza: Lua 5.1 modules that are asked at each phase (behaviour 2.1, 7).
 *
 * One state a worker, all made at load, so that a broken script is a complaint and not a surprise;
 * afterwards a state belongs to its worker (T18). What a callout may use is bounded: lua_limits.h.
 */
#ifndef POLICY_LUA_LUA_H
#define POLICY_LUA_LUA_H

#include "policy/engine.h"

extern const struct policy_engine lua_engine;

#endif
