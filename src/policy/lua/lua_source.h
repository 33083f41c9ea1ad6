/*
 * lua_source - Lua source from files: found, brought from the original's dialect to Lua 5.1 (D92),
 * compiled. Bytecode is refused. Brings require, module, package, load and loadstring.
 *
 * Files are read when they are required: at load as a rule, and then nothing waits for the disk. A
 * require that runs first in a callout reads its file on the worker.
 */
#ifndef POLICY_LUA_LUA_SOURCE_H
#define POLICY_LUA_LUA_SOURCE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/complain.h"

enum { LUA_SOURCE_MAX = 4 << 20 };

/*
 * "!=" becomes "~=", in place, except in strings and comments. false: the text uses one of the
 * original's integer operators, which Lua 5.1 lacks; *line_out and *instead_out say where, and what
 * to write instead.
 */
bool lua_dialect(char *text, size_t len, unsigned *line_out, const char **instead_out);
/* Past one token, or a piece of one, at its beginning; the same there. */
char *lua_token_skip(char *at, char *end, const char **instead_out);

void lua_source_open(lua_State *L);

/* Puts a directory first on package.path. */
void lua_source_path(lua_State *L, const char *directory);

/*
 * Pushes the chunk of a file, or what is wrong as "FILE:LINE: what" (or "FILE: what"). `path`
 * becomes the chunk's name in full.
 */
bool lua_source_load(lua_State *L, const char *path);

/*
 * Which msys.* names the files use that are loaded between begin and end; in the end each must be
 * there. false: there are complaints.
 */
void lua_names_begin(lua_State *L);
void lua_names_note(lua_State *L, char *text, size_t len, const char *file);
bool lua_names_end(lua_State *L, struct complaints *complaints)
	__attribute__((warn_unused_result));

/* Of "FILE:7: what": 7, and `what`. Line 0 when there is no place in it. */
const char *lua_source_place(const char *message, unsigned *line_out);

#endif
