#include "policy/lua/lua_source.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/lua/lua_limits.h"

const char *lua_source_place(const char *message, unsigned *line_out)
{
	for (const char *at = strchr(message, ':'); at; at = strchr(at + 1, ':')) {
		char *end;
		unsigned long line = strtoul(at + 1, &end, 10);

		if (end > at + 1 && end[0] == ':' && end[1] == ' ') {
			*line_out = (unsigned)line;
			return end + 2;
		}
	}
	*line_out = 0;
	return message;
}

/* The message on the top gets its place in full: Lua cuts names to 60 bytes. */
static bool failed_in(lua_State *L, const char *name)
{
	unsigned line;
	const char *what = lua_source_place(lua_tostring(L, -1), &line);

	if (line)
		lua_pushfstring(L, "%s:%d: %s", name, (int)line, what);
	else
		lua_pushfstring(L, "%s: %s", name, what);
	lua_remove(L, -2);
	return false;
}

/* Pushes the function, or what is wrong. text is changed. */
static bool compile(lua_State *L, char *text, size_t len, const char *chunkname)
{
	const char *instead, *name = chunkname + (*chunkname == '@' || *chunkname == '=');
	unsigned line;

	if (len > 0 && text[0] == LUA_SIGNATURE[0]) {
		lua_pushfstring(L, "%s: bytecode is not accepted", name);
		return false;
	}
	if (!lua_dialect(text, len, &line, &instead)) {
		lua_pushfstring(L, "%s:%d: integer operators are not available; write %s", name,
				(int)line, instead);
		return false;
	}
	return luaL_loadbufferx(L, text, len, chunkname, "t") == 0 || failed_in(L, name);
}

/* The size of a regular file that is not too long; -1 with errno. */
static ssize_t file_size(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -1;
	errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	return S_ISREG(st.st_mode) && st.st_size <= LUA_SOURCE_MAX ? (ssize_t)st.st_size : -1;
}

static ssize_t file_read(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, to, size);
	close(fd);
	return got;
}

bool lua_source_load(lua_State *L, const char *path)
{
	ssize_t len = file_size(path);
	char *text = NULL;
	bool good;

	if (len >= 0) {
		text = lua_newuserdata(L, (size_t)len + 1);
		len = file_read(path, text, (size_t)len);
	}
	if (len < 0) {
		lua_pushfstring(L, "%s: %s", path, strerror(errno));
		return false;
	}
	text[len] = '\0';
	good = compile(L, text, (size_t)len, lua_pushfstring(L, "@%s", path));
	if (good)
		lua_names_note(L, text, (size_t)len, path);
	lua_replace(L, -3);
	lua_pop(L, 1);
	return good;
}

/* loadstring(text [, name]), and load of a text: the same here. */
static int load_text(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len), *name = luaL_optstring(L, 2, text);
	char *copy;

	lua_limits_charge(L, len);
	copy = lua_newuserdata(L, len + 1);
	memcpy(copy, text, len + 1);
	if (compile(L, copy, len, name))
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* The searcher of require: tries the templates of package.path, as it is now. */
static int search(lua_State *L)
{
	const char *name = luaL_gsub(L, luaL_checkstring(L, 1), ".", LUA_DIRSEP), *path, *end;

	lua_getfield(L, lua_upvalueindex(1), "path");
	path = luaL_checkstring(L, -1);
	lua_pushliteral(L, ""); /* what was tried */
	for (; *path; path = *end ? end + 1 : end) {
		const char *file;

		end = path + strcspn(path, ";");
		lua_pushlstring(L, path, (size_t)(end - path));
		file = luaL_gsub(L, lua_tostring(L, -1), LUA_PATH_MARK, name);
		lua_remove(L, -2);
		if (access(file, R_OK) == 0) {
			if (lua_source_load(L, file))
				return 1;
			return lua_error(L);
		}
		lua_pushfstring(L, "\n\tno file '%s'", file);
		lua_remove(L, -2);
		lua_concat(L, 2);
	}
	return 1;
}

void lua_source_path(lua_State *L, const char *directory)
{
	lua_getglobal(L, LUA_LOADLIBNAME);
	lua_getfield(L, -1, "path");
	lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", directory, directory, lua_tostring(L, -1));
	lua_setfield(L, -3, "path");
	lua_pop(L, 2);
}

void lua_source_open(lua_State *L)
{
	static const char *const gone[] = { "loadlib", "cpath", "searchpath" };

	lua_pushcfunction(L, luaopen_package);
	lua_pushliteral(L, LUA_LOADLIBNAME);
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "loaders"); /* preload; files; two for C libraries */
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, search, 1);
	lua_rawseti(L, -2, 2);
	for (int i = (int)lua_objlen(L, -1); i > 2; i--) {
		lua_pushnil(L);
		lua_rawseti(L, -2, i);
	}
	lua_pop(L, 1);
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, gone[i]);
	}
	lua_pushliteral(L, "/usr/local/share/lua/5.1/?.lua;/usr/share/lua/5.1/?.lua");
	lua_setfield(L, -2, "path");
	lua_pop(L, 1);
	lua_register(L, "loadstring", load_text);
	lua_register(L, "load", load_text);
}
