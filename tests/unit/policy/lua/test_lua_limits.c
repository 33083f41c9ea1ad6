/* T18: a script that is hostile, or only wrong, ends soon, and the next session is judged
 * as ever. */
#include <time.h>

#include "world.h"

enum { SLOWEST_MS = 1500 }; /* under sanitizers, on a busy machine */

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#define STEPS "the script ran too long (instructions)"
#define CPU "the script ran too long (processor time)"
#define BYTES "the script allocated too much memory"
#define ANY "" /* whatever ends it, it ends */
#define SURVIVES NULL

static const struct attack {
	const char *name;
	const char *body;
	const char
		*want_error; /* its beginning; SURVIVES: it is refused what it wants and goes on */
} attacks[] = {
	{ "for ever", "while true do end", STEPS },
	{ "goto", "::again:: goto again", STEPS },
	{ "numeric for: a trace of the JIT would not end", "for i = 1, 1e15 do end", STEPS },
	{ "tail calls", "local function f() return f() end return f()", STEPS },
	{ "inside pcall", "pcall(function() while true do end end) return 0", STEPS },
	{ "pcall again and again", "while true do pcall(function() while true do end end) end",
	  STEPS },
	{ "pcall of pcall of pcall", "local f f = function() pcall(f) while true do end end f()",
	  ANY },
	{ "xpcall with a handler that loops",
	  "xpcall(function() while true do end end, function() while true do end end)", STEPS },
	{ "an error, and a handler that loops", "xpcall(error, function() while true do end end)",
	  STEPS },
	{ "an error in the handler", "xpcall(error, function() error('again') end)", SURVIVES },
	{ "a handler that is its own error",
	  "local f f = function() return xpcall(error, f) end xpcall(error, f)", ANY },
	{ "a handler in xpcall in a handler",
	  "xpcall(function() while true do end end, function() xpcall(function() while true do end end, print) end)",
	  STEPS },
	{ "inside a coroutine", "coroutine.wrap(function() while true do end end)()", STEPS },
	{ "pcall in a coroutine",
	  "local f = coroutine.wrap(function() while true do pcall(function() while true do end end) end end) while true do pcall(f) end",
	  STEPS },
	{ "a new coroutine for each turn",
	  "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
	  STEPS },
	{ "two coroutines that wake each other",
	  "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
	  STEPS },
	{ "coroutines in coroutines", "local function f() coroutine.wrap(f)() end f()", ANY },
	{ "resumes in resumes",
	  "local function f() coroutine.resume(coroutine.create(f)) end f() while true do end",
	  ANY },
	{ "string.find over a pattern without end",
	  "return ('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')", STEPS },
	{ "string.find in pcall",
	  "while true do pcall(string.find, ('a'):rep(5000), ('.-'):rep(20) .. 'b') end", STEPS },
	{ "string.match", "return ('a'):rep(100000):match('.-.-.-.-b')", STEPS },
	{ "string.gmatch", "for x in ('a'):rep(100000):gmatch('.-.-.-.-b') do end", STEPS },
	{ "string.gsub", "return ('a'):rep(100000):gsub('.-.-.-.-b', '')", STEPS },
	{ "gsub of each byte by a big text", "return ('a'):rep(1e5):gsub('a', ('b'):rep(1e5))",
	  ANY },
	{ "gsub with a function that loops",
	  "return ('a'):gsub('a', function() while true do end end)", STEPS },
	{ "gsub in gsub", "local f f = function() return (string.gsub('x', '.', f)) end f()", ANY },
	{ "balanced brackets from everywhere", "return ('('):rep(100000):find('%b()')", STEPS },
	{ "a big set", "return ('a'):rep(10000):find('[' .. ('b'):rep(10000) .. ']')", STEPS },
	{ "a frontier", "return ('a'):rep(100000):find('%f[' .. ('b'):rep(10000) .. ']')", STEPS },
	{ "back references", "return ('a'):rep(20000):find('(.-)%1b')", STEPS },
	{ "plain search for a needle of half the hay",
	  "for i = 1, 1e6 do (('a'):rep(1e6)):find(('a'):rep(5e5) .. 'b', 1, true) end", ANY },
	{ "string.rep", "return ('x'):rep(1e9)", BYTES },
	{ "string.rep of nothing", "return (''):rep(2^31 - 1)", SURVIVES },
	{ "string.rep in pcall", "while true do pcall(string.rep, 'x', 1e9) end", BYTES },
	{ "string.rep that doubles", "local s = 'x' while true do s = s:rep(2) end", BYTES },
	{ "concatenation that doubles", "local s = 'x' while true do s = s .. s end", BYTES },
	{ "concatenation of big with small",
	  "local s, n = ('x'):rep(1e6), 0 while true do n = n + 1 local t = s .. n end", BYTES },
	{ "comparing what is equal until the end",
	  "local a, b = ('x'):rep(1e6) .. 'a', ('x'):rep(1e6) .. 'b' while true do local c = a < b end",
	  ANY },
	{ "numbers of a million digits",
	  "local s = ('1'):rep(2e6) while true do local n = s + 1 end", ANY },
	{ "tonumber of a million digits",
	  "local s = ('1'):rep(2e6) while true do local n = tonumber(s, 36) end", ANY },
	{ "format with a huge width", "return ('%9999999d'):format(1)",
	  "invalid option '%999' to 'format'" },
	{ "format of a big text",
	  "local s = ('x'):rep(1e6) while true do local t = ('%s'):format(s) end", ANY },
	{ "format in __tostring",
	  "local t = {} setmetatable(t, { __tostring = function() return ('%s'):format(t) end }) return ('%s'):format(t)",
	  ANY },
	{ "tables without end", "local t = {} while true do t = { t } end", BYTES },
	{ "an array without end", "local t = {} while true do t[#t + 1] = 1 end", ANY },
	{ "an array that is big at once",
	  "local t = {} t[2^26] = 1 for i = 1, 2^27 do t[i] = i end", BYTES },
	{ "a list in pcall",
	  "local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
	  BYTES },
	{ "globals without end", "local n = 0 while true do n = n + 1 _G['x' .. n] = {} end",
	  BYTES },
	{ "table.concat",
	  "local t = {} for i = 1, 1e4 do t[i] = '' end while true do table.concat(t) end", STEPS },
	{ "table.concat of big texts",
	  "local s, t = ('x'):rep(1e5), {} for i = 1, 1e4 do t[i] = s end return table.concat(t)",
	  BYTES },
	{ "table.insert at the beginning", "local t = {} while true do table.insert(t, 1, 1) end",
	  STEPS },
	{ "table.remove from the beginning",
	  "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.remove(t, 1) end",
	  STEPS },
	{ "table.move", "local t = {} while true do table.move(t, 1, 1e9, 2) end", STEPS },
	{ "table.foreach",
	  "local t = {} for i = 1, 1e4 do t[i] = i end while true do table.foreach(t, math.abs) end",
	  ANY },
	{ "options without end",
	  "local t = {} for i = 1, 1e4 do t[i .. ''] = i end while true do pcall(ac.inbound_session_count, ac, t) end",
	  ANY },
	{ "a list without end",
	  "local t = {} for i = 1, 1e5 do t[i] = i end while true do pcall(ac.inbound_session_count, ac, t) end",
	  ANY },
	{ "many arguments",
	  "local t = {} for i = 1, 7000 do t[i] = {} end while true do pcall(ac.inbound_session_count, ac, unpack(t)) end",
	  ANY },
	{ "table.sort by a function that lies",
	  "local t = {} for i = 1, 1e4 do t[i] = i end while true do pcall(table.sort, t, function() return true end) end",
	  STEPS },
	{ "table.sort of equal texts",
	  "local t, s = {}, ('x'):rep(1e6) for i = 1, 1e4 do t[i] = s end table.sort(t) while true do table.sort(t) end",
	  ANY },
	{ "table.sort in table.sort", "local f f = function() table.sort({ 1, 2, 3 }, f) end f()",
	  ANY },
	{ "sort by a C function", "table.sort({ 1, 2, 3 }, rawequal)", "bad argument #2" },
	{ "next over a table that was big",
	  "local t = {} for i = 1, 3e4 do t[i .. ''] = 1 end for k in pairs(t) do t[k] = nil end while true do next(t) end",
	  ANY },
	{ "unpack",
	  "local t = {} for i = 1, 1e4 do t[i] = i end while true do pcall(unpack, t, 1, 1e8) end",
	  ANY },
	{ "recursion", "local function f() return 1 + f() end return f()", "stack overflow" },
	{ "recursion in pcall",
	  "local function f() return 1 + select(2, pcall(f)) end while true do pcall(f) end", ANY },
	{ "__index that calls itself",
	  "local t = {} setmetatable(t, { __index = function(t, k) return t[k .. 'x'] end }) return t.x",
	  ANY },
	{ "__index without end",
	  "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
	  "loop in gettable" },
	{ "__tostring of an error that loops",
	  "error(setmetatable({}, { __tostring = function() while true do end end }))",
	  "an error object that is not a string" },
	{ "print of __tostring that loops",
	  "print(setmetatable({}, { __tostring = function() while true do end end }))", STEPS },
	{ "print in __tostring",
	  "local t = {} setmetatable(t, { __tostring = function() print(t) return '' end }) print(t)",
	  ANY },
	{ "__gc of a table is none",
	  "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()",
	  SURVIVES },
	{ "newproxy and its __gc",
	  "local p = newproxy(true) getmetatable(p).__gc = function() while true do end end",
	  "attempt to call global 'newproxy'" },
	{ "collectgarbage", "for i = 1, 1e5 do collectgarbage() end", SURVIVES },
	{ "loading a big text", "return loadstring(('x = 1 '):rep(1e6))", ANY },
	{ "loading what is deep",
	  "return loadstring('return ' .. ('('):rep(1e5) .. ('0') .. (')'):rep(1e5))", SURVIVES },
	{ "loading again and again", "while true do loadstring('return 1')() end", ANY },
	{ "modules in modules",
	  "local n = 0 local function f() n = n + 1 module('x' .. n, package.seeall, f) end f()",
	  ANY },
	{ "os.date with a long format", "return os.date(('%c'):rep(1e5))", "bad argument #1" },
	{ "printing without end", "while true do print('x') end", STEPS },
	{ "calling without end", "while true do vctx:set(0, 'k', 'v') end", STEPS },
	{ "setting without end",
	  "local n = 0 while true do n = n + 1 vctx:set(0, 'k' .. n, ('v'):rep(1000)) end", ANY },
	{ "tarpitting without end", "while true do vctx:tarpit(1e9) end", ANY },
	{ "the error handler of the run",
	  "setmetatable(_G, { __index = function() while true do end end }) return nothing",
	  STEPS },
};

static void test_attacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(attacks); i++) {
		const struct attack *a = &attacks[i];
		char *script = mem_printf("local m, n = {}, 0\n"
					  "function m:validate_connect(ac, vctx)\n"
					  "n = n + 1\n"
					  "if n == 1 then (function() %s end)() end\n"
					  "vctx:set_code(250, 'well ' .. n)\n"
					  "return msys.core.VALIDATE_CONT end\n"
					  "msys.registerModule('limits', m)\n", a->body);
		uint64_t before;
		struct world w;

		world_init(&w);
		world_must_load(&w, NULL, script);
		before = cpu_ms();
		world_ask(&w, PHASE_CONNECT);
		if (getenv("VERBOSE"))
			fprintf(stderr, "%5lu ms  %-50s %s", (unsigned long)(cpu_ms() - before),
				a->name, w.acted.len ? strrchr(buf_text(&w.acted), ':') : "\n");
		if (cpu_ms() - before > SLOWEST_MS)
			fail_msg("%s: took %lu ms", a->name, (unsigned long)(cpu_ms() - before));
		if (w.verdict.failed != (a->want_error != SURVIVES) &&
		    !(a->want_error && !*a->want_error))
			fail_msg("%s: want %s, got %s", a->name,
				 a->want_error ? a->want_error : "that it survives",
				 buf_text(&w.acted));
		if (a->want_error && *a->want_error)
			expect_has(a->name, &w.acted, a->want_error);
		world_ask(&w, PHASE_CONNECT);
		if (w.verdict.code != 250 || strcmp(w.verdict.text, "well 2") != 0)
			fail_msg("%s: afterwards: %s", a->name, buf_text(&w.acted));
		world_fini(&w);
		free(script);
	}
}

/* However much is left when memory runs out, the state is whole afterwards. */
static void test_memory_runs_out_anywhere(void **state)
{
	static const char script[] =
		"local m = {}\n"
		"function m:validate_connect(ac, vctx)\n"
		"  local left = 4 * 2^20 - 60000 - tonumber(vctx:get(0, 'n'))\n"
		"  while left > 0 do left = left - #(left .. ' '):rep(1000) end\n"
		"  local t = {}\n"
		"  for i = 1, 300 do t[i] = { i, tostring(i), k = i, f = function() return i end } end\n"
		"  pcall(string.gsub, table.concat({ 'a', 'b', 'c' }, ','), '%a', function(c) return c .. #t end)\n"
		"  local ok = pcall(function() coroutine.wrap(function() error({}) end)() end)\n"
		"  self.list = { unpack(t, 1, 100) } _TLS.x = {} print(ac.remote_addr, ac.conn_id, #t)\n"
		"  return 0 end\n"
		"msys.registerModule('limits', m)\n";
	unsigned failed = 0;
	struct world w;

	(void)state;
	world_init(&w);
	world_must_load(&w, NULL, script);
	for (unsigned n = 0; n < 300000; n += 487) {
		char text[16];

		snprintf(text, sizeof text, "%u", n);
		assert_null(ctx_set(&w.facts.conn, SLICE("n"), slice_of(text)));
		world_ask(&w, PHASE_CONNECT);
		failed += w.verdict.failed;
		world_session_over(&w);
		buf_clear(&w.acted);
		buf_clear(&w.logged);
	}
	assert_in_range(failed, 50, 300000 / 487 - 50);
	world_fini(&w);
}

/* What sessions and scripts keep is bounded, and what is let go is there again. */
static void test_state_memory(void **state)
{
	static const char script[] =
		"local m, kept = {}, {}\n"
		"function m:validate_connect(ac, vctx) kept[#kept + 1] = ('x'):rep(1e6) .. #kept return 0 end\n"
		"function m:validate_ehlo(str, ac, vctx) kept = {} return 0 end\n"
		"msys.registerModule('limits', m)\n";
	struct world w;

	(void)state;
	world_init(&w);
	world_must_load(&w, NULL, script);
	for (unsigned round = 0; round < 3; round++) {
		unsigned held = 0;

		do
			world_ask(&w, PHASE_CONNECT);
		while (!w.verdict.failed && ++held < 1000);
		assert_in_range(held, 40, 64);
		expect_has("full", &w.acted, "the scripts of this worker hold too much memory");
		world_ask(&w, PHASE_EHLO);
		assert_false(w.verdict.failed);
	}
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_memory_runs_out_anywhere),
		cmocka_unit_test(test_state_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
