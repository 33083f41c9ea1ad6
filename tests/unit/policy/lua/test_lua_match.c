/* Our patterns against LuaJIT's own: the same answers wherever its matcher comes to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "policy/lua/lua_libs.h"
#include "policy/lua/lua_limits.h"
#include "policy/lua/lua_match.h"

/*
 * Compares what both say of one call. gmatch is run to its end. Messages lose their place, and the
 * words after which the two differ in naming the function.
 */
static const char compare[] =
	"local theirs, ours = ...\n"
	"local function said(...)\n"
	"  local t = { n = select('#', ...), ... }\n"
	"  for i = 1, t.n do t[i] = tostring(t[i]) end\n"
	"  return (table.concat(t, '|'):gsub(' in replacement string', ''))\n"
	"end\n"
	"local function all(lib, s, p)\n"
	"  local got, n = {}, 0\n"
	"  for a, b in lib.gmatch(s, p) do n = n + 1 got[n] = tostring(a) .. ',' .. tostring(b) if n > 300 then break end end\n"
	"  return table.concat(got, ';')\n"
	"end\n"
	"local function check(name, f, ...)\n"
	"  local a, b = said(pcall(f, theirs, ...)), said(pcall(f, ours, ...))\n"
	"  if a ~= b then error(('%s(%q): theirs %s, ours %s'):format(name, said(...), a, b), 0) end\n"
	"end\n"
	"return function(s, p, repl)\n"
	"  for init = -2, 4 do\n"
	"    check('find', function(lib, ...) return lib.find(...) end, s, p, init)\n"
	"    check('match', function(lib, ...) return lib.match(...) end, s, p, init)\n"
	"    check('plain', function(lib, ...) return lib.find(...) end, s, p, init, true)\n"
	"  end\n"
	"  check('gmatch', all, s, p)\n"
	"  for n = 0, 3 do check('gsub', function(lib, ...) return lib.gsub(...) end, s, p, repl, n) end\n"
	"  check('gsub', function(lib, ...) return lib.gsub(...) end, s, p, repl)\n"
	"  check('gsub table', function(lib, ...) return lib.gsub(...) end, s, p, { a = 'x', b = false, [1] = 2 })\n"
	"  check('gsub function', function(lib, ...) return lib.gsub(...) end, s, p, function(a, b) return b end)\n"
	"end\n";

static void open_both(struct lua_limits *limits)
{
	lua_State *L = lua_limits_open(limits);

	luaL_openlibs(L);
	assert_int_equal(luaL_loadstring(L, compare), 0);
	lua_getglobal(L, "string");
	lua_newtable(L);
	lua_string_open(L);
	lua_call(L, 2, 1);
}

static void agree(lua_State *L, const char *subject, const char *pattern, const char *repl)
{
	lua_pushvalue(L, -1);
	lua_pushstring(L, subject);
	lua_pushstring(L, pattern);
	lua_pushstring(L, repl);
	if (lua_pcall(L, 3, 0, 0) != 0)
		fail_msg("%s", lua_tostring(L, -1));
}

static void test_cases(void **state)
{
	static const char *const subjects[] = {
		"",
		"a",
		"aaab",
		"hello world",
		"key = value",
		"  trimmed  ",
		"a.b.c",
		"(x(y)z)",
		"THE (quick) fox",
		"2001:db8::1",
		"192.0.2.7:25",
		"%d+",
		"\n\t\r",
		"aXbXc",
		"abcabc",
		"[]^-",
		"\x80\xff",
	};
	static const char *const patterns[] = {
		"",	  "a",		 "^a",	      "a$",	     "^a*$",
		".-",	  ".*",		 "a-b",	      "(a*)(b)",     "()a()",
		"%a+",	  "%A+",	 "%d+%.?",    "%s*(.-)%s*$", "^(%w+)%s*=%s*(%w+)$",
		"[^.]+",  "%b()",	 "%f[%a]%a+", "%f[%A]",	     "(a)%1",
		"(.)%1",  "[a-c]+",	 "[]]",	      "[^]]",	     "[%a%d]",
		"[a-]",	  "[%]]",	 "%%",	      "%z",	     "%x+",
		"%p",	  "%c",		 "%u%l*",     "%g+",	     "[%z]",
		"(()a)",  ".?",		 "a?a?a",     "%1",	     "(",
		")",	  "(a",		 "a)",	      "%",	     "[",
		"[a",	  "[^",		 "%b",	      "%bx",	     "%f",
		"%fa",	  "[%",		 "(()",	      "%0",	     "(a)%2",
		"[a-%%]", "^^a",	 "a^",	      "$",	     "$a",
		"%$",	  "-",		 "*",	      "+a",	     "?",
		"^*",	  "[[:alpha:]]", "((a)(a))",  "(a(%1))",
	};
	static const char *const repls[] = { "", "%0", "<%1>", "%%", "%2", "x%", "%a", "%9" };
	struct lua_limits limits;

	(void)state;
	open_both(&limits);
	for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++)
		for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
			agree(limits.L, subjects[s], patterns[p],
			      repls[(s + p) % (sizeof repls / sizeof *repls)]);
	lua_limits_close(&limits);
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void random_text(unsigned *seed, const char *letters, size_t count, char *out, size_t max)
{
	size_t len = next_random(seed) % max;

	for (size_t i = 0; i < len; i++)
		out[i] = letters[next_random(seed) % count];
	out[len] = '\0';
}

static void test_random(void **state)
{
	static const char subject_letters[] = "aab(). ]1";
	static const char pattern_letters[] = "aab.()[]%%^$*+-?1bfdw";
	char subject[24], pattern[10];
	struct lua_limits limits;
	unsigned seed = 7;

	(void)state;
	open_both(&limits);
	for (unsigned i = 0; i < 8000; i++) {
		random_text(&seed, subject_letters, sizeof subject_letters - 1, subject,
			    sizeof subject);
		random_text(&seed, pattern_letters, sizeof pattern_letters - 1, pattern,
			    sizeof pattern);
		agree(limits.L, subject, pattern, "<%0>");
	}
	lua_limits_close(&limits);
}

static void test_steps(void **state)
{
	struct lua_match m = { .subject = SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
			       .pattern = SLICE(".-.-.-.-.-.-.-.-.-.-b") };

	(void)state;
	m.steps = 100000;
	assert_null(lua_match_at(&m, m.subject.at));
	assert_int_equal(m.steps, 0);
	m.pattern = SLICE("a+");
	m.steps = 1000;
	assert_ptr_equal(lua_match_at(&m, m.subject.at), m.subject.at + 40);
	assert_in_range(m.steps, 900, 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
