#include "world.h"

/* What a callout did, in one text: "code=421 disconnect delay=10000". */
static void expect_verdict(const char *name, const struct verdict *v, const char *want)
{
	struct buf got = { 0 };

	assert_true(buf_printf(&got, "%u %s%s%s", v->code, v->text ? v->text : "-",
			       v->disconnect ? " close" : "", v->failed ? " failed" : ""));
	if (v->delay_ms)
		assert_true(buf_printf(&got, " %u ms", v->delay_ms));
	expect_text(name, &got, want);
	buf_free(&got);
}

#define MODULE(body) \
	"local m = {}\n" body "\nmsys.registerModule('limits', m)\n"
#define CONNECT(body)                                                                              \
	MODULE("function m:validate_connect(ac, vctx) " body " return msys.core.VALIDATE_CONT end")

static void test_callouts(void **state)
{
	static const struct {
		const char *name;
		enum phase phase;
		const char *script;
		const char *want_verdict;
		const char *want_acted;
		const char *want_logged;
	} cases[] = {
		{ "set_code", PHASE_CONNECT, CONNECT("vctx:set_code(550, 'go away')"),
		  "550 go away", "connect vctx:set_code limits.lua:2 550 go away\n", "" },
		{ "the code may be a numeric string", PHASE_CONNECT,
		  CONNECT("vctx:set_code('451', 'later')"), "451 later",
		  "connect vctx:set_code limits.lua:2 451 later\n", "" },
		{ "disconnect", PHASE_CONNECT, CONNECT("vctx:disconnect(421, 'full')"),
		  "421 full close", "connect vctx:disconnect limits.lua:2 421 full\n", "" },
		{ "disconnect: only the flag", PHASE_CONNECT, CONNECT("vctx:disconnect()"),
		  "0 - close", "connect vctx:disconnect limits.lua:2\n", "" },
		{ "disconnect as a field", PHASE_CONNECT, CONNECT("vctx.disconnect = 1"),
		  "0 - close", "connect vctx.disconnect limits.lua:2\n", "" },
		{ "disconnect taken back", PHASE_CONNECT,
		  CONNECT("vctx:disconnect() vctx.disconnect = 0"), "0 -",
		  "connect vctx:disconnect limits.lua:2\n", "" },
		{ "D34 tarpits add up", PHASE_CONNECT, CONNECT("vctx:tarpit(10) vctx:tarpit(0.5)"),
		  "0 - 10500 ms",
		  "connect vctx:tarpit limits.lua:2 ms=10000\nconnect vctx:tarpit limits.lua:2 ms=500\n",
		  "" },
		{ "D96 code and note are read", PHASE_CONNECT,
		  CONNECT("vctx:set_code(450, 'x') print(vctx.code, vctx.note)"), "450 x",
		  "connect vctx:set_code limits.lua:2 450 x\n", "limits.lua:2: 450\tx\n" },
		{ "print", PHASE_CONNECT, CONNECT("print('a', 1, nil, true, 0.5)"), "0 -", "",
		  "limits.lua:2: a\t1\tnil\ttrue\t0.5\n" },
		{ "D35 nil goes on", PHASE_CONNECT,
		  MODULE("function m:validate_connect(ac, vctx) end"), "0 -", "",
		  "limits:0: validate_connect of module limits: CALLOUT error: (null)\n" },
		{ "core_validate_accept", PHASE_ACCEPT,
		  MODULE("function m:core_validate_accept(ac, vctx) vctx:set_code(421, tostring(ac.remote_addr)) "
			 "return msys.core.VALIDATE_CONT end"),
		  "421 192.0.2.7:4711", "accept vctx:set_code limits.lua:2 421 192.0.2.7:4711\n",
		  "" },
		{ "core_validate_connect comes last", PHASE_CONNECT,
		  MODULE("function m:core_validate_connect(ac, vctx) print('hook') return 0 end "
			 "function m:validate_connect(ac, vctx) print('module') return 0 end"),
		  "0 -", "", "limits.lua:2: module\nlimits.lua:2: hook\n" },
		{ "2.2 DONE ends the phase", PHASE_CONNECT,
		  MODULE("function m:core_validate_connect(ac, vctx) print('hook') return 0 end "
			 "function m:validate_connect(ac, vctx) return msys.core.VALIDATE_DONE end"),
		  "0 -", "", "" },
		{ "pbp_disconnect returns DONE", PHASE_CONNECT,
		  MODULE("function m:validate_connect(ac, vctx) return vctx:pbp_disconnect(421, 'x') end"),
		  "421 x close", "connect vctx:pbp_disconnect limits.lua:2 421 x\n", "" },
		{ "ehlo: str with its line end", PHASE_EHLO,
		  MODULE("function m:validate_ehlo(str, ac, vctx) print((tostring(str):gsub('\\r\\n', '$')), type(str)) "
			 "return 0 end"),
		  "0 -", "", "limits.lua:2: EHLO client.example$\tuserdata\n" },
		{ "mailfrom: the canonical line", PHASE_MAILFROM,
		  MODULE("function m:validate_mailfrom(str, ac, vctx) print(tostring(str), str.buffer) return 0 end"),
		  "0 -", "",
		  "limits.lua:2: MAIL FROM:<a@example.org>\tMAIL FROM:<a@example.org>\n" },
		{ "rcptto", PHASE_RCPTTO,
		  MODULE("function m:validate_rcptto(msg, str, ac, vctx) print(tostring(str), msg:mailfrom(), "
			 "msg:rcptto()) return 0 end"),
		  "0 -", "",
		  "limits.lua:2: RCPT TO:<c@example.net>\ta@example.org\tc@example.net\n" },
		{ "data", PHASE_DATA,
		  MODULE("function m:validate_data(msg, ac, vctx) print(msg:get_message_size(), "
			 "msg:reception_peer(), msg:reception_peer('ip'), msg:listener_addr('port')) return 0 end"),
		  "0 -", "", "limits.lua:2: 1234\t192.0.2.7:4711\t192.0.2.7\t25\n" },
		{ "the message construct", PHASE_MAILFROM,
		  MODULE("function m:validate_mailfrom(str, ac, vctx) "
			 "print(msys.core.accept_construct_get_message_construct(ac).message:mailfrom()) return 0 end"),
		  "0 -", "", "limits.lua:2: a@example.org\n" },
		{ "no message construct before MAIL", PHASE_CONNECT,
		  CONNECT("print(msys.core.accept_construct_get_message_construct(ac).message)"),
		  "0 -", "", "limits.lua:2: nil\n" },
		{ "D97 contexts", PHASE_MAILFROM,
		  MODULE("function m:validate_mailfrom(str, ac, vctx)\n"
			 "local C, M = msys.core.VCTX_CONN, msys.core.ECMESS_CTX_MESS\n"
			 "vctx:set(C, 'k', 12) vctx:set(M, 'k', 'mess')\n"
			 "local msg = msys.core.accept_construct_get_message_construct(ac).message\n"
			 "print(vctx:get(C, 'k'), vctx:get(M, 'k'), vctx:exists(C, 'k'), vctx:exists(C, 'no'), "
			 "vctx:get(C, 'no') == '', msg:context_get(C, 'k'), msg:context_exists(M, 'no'))\n"
			 "msg:context_set(C, 'k', 'x') print(msg:context_delete(C, 'k'), vctx:exists(C, 'k'))\n"
			 "return 0 end"),
		  "0 -", "", "limits.lua:6: 12\tmess\t1\t0\ttrue\t12\t0\nlimits.lua:7: 1\t0\n" },
		{ "ac", PHASE_CONNECT,
		  CONNECT("print(tostring(ac.conn_id), msys.core.ec_sockaddr_family(ac.remote_addr) == msys.core.AF_INET, "
			  "ac.nothing)"),
		  "0 -", "", "limits.lua:2: 00a1f3c29b04e771\ttrue\tnil\n" },
		{ "expandMacro", PHASE_CONNECT, CONNECT("print(msys.expandMacro('%{spfv1:i}'))"),
		  "0 -", "", "limits.lua:2: 192.0.2.7\n" },
		{ "D92 !=", PHASE_CONNECT, CONNECT("print(1 != 2, '!=')"), "0 -", "",
		  "limits.lua:2: true\t!=\n" },
		{ "D93 everything is there", PHASE_CONNECT,
		  CONNECT("print(require('msys.audit') == msys.audit, require('msys.extended.vctx') != nil, "
			  "pcall(require, 'msys.nonsense') == false)"),
		  "0 -", "", "limits.lua:2: true\ttrue\ttrue\n" },
		{ "D91 not in this build", PHASE_CONNECT,
		  CONNECT("print(select(2, pcall(msys.db.query, 'x')))"), "0 -", "",
		  "limits.lua:2: function msys.db.query is not available in this build\n" },
		{ "table.sort, our own order and theirs", PHASE_CONNECT,
		  CONNECT("local t = { 3, 1, 1, 2, 1, 1 } table.sort(t) print(table.concat(t))\n"
			  "table.sort(t, function(a, b) return a > b end) print(table.concat(t))\n"
			  "t = {} for i = 1, 100 do t[i] = 1 end print(pcall(table.sort, t))"),
		  "0 -", "",
		  "limits.lua:2: 111123\nlimits.lua:3: 321111\nlimits.lua:4: true\n" },
		{ "a method wants its object", PHASE_CONNECT,
		  CONNECT("print(pcall(vctx.tarpit, 5)) print(pcall(vctx.tarpit, ac, 5))"), "0 -",
		  "",
		  "limits.lua:2: false\tcall it as a method: vctx:name(...)\n"
		  "limits.lua:2: false\tcall it as a method: vctx:name(...)\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;

		world_init(&w);
		world_must_load(&w, NULL, cases[i].script);
		assert_true(policy_handles(w.set, cases[i].phase));
		world_ask(&w, cases[i].phase);
		expect_verdict(cases[i].name, &w.verdict, cases[i].want_verdict);
		expect_text(cases[i].name, &w.acted, cases[i].want_acted);
		expect_text(cases[i].name, &w.logged, cases[i].want_logged);
		world_fini(&w);
	}
}

#define TEMPORARY                                                                                  \
	"421 edge.example.org temporary issue, please retry your message later close failed"

static void test_errors(void **state)
{
	static const struct {
		const char *name;
		const char *body;
		const char *want_acted;
		const char *want_logged;
	} cases[] = {
		{ "error", "error('boom')", "connect error limits.lua:2 421 boom\n",
		  "stack traceback:" },
		{ "nil call", "nothing()",
		  "connect error limits.lua:2 421 attempt to call global 'nothing' (a nil value)\n",
		  "in function <" },
		{ "in a function called", "local function f() error('deep') end f()",
		  "connect error limits.lua:2 421 deep\n", "in function 'f'" },
		{ "D50 unknown service", "msys.audit.inbound_session_count('/32', 'SMPT')",
		  "connect error limits.lua:2 421 there is no service \"SMPT\"\n", "" },
		{ "bad cidr", "msys.audit.inbound_session_count('nonsense', 'SMTP')",
		  "connect error limits.lua:2 421 \"nonsense\": ", "" },
		{ "a table as error", "error({})",
		  "connect error limits.lua:2 421 an error object that is not", "" },
		{ "a callout cannot yield", "coroutine.yield()",
		  "connect error limits.lua:2 421 a callout cannot yield\n", "" },
		{ "D34 negative delay", "vctx:tarpit(-1)", "connect error limits.lua:2 421 ", "" },
		{ "bad code", "vctx:set_code(99, 'x')", "connect error limits.lua:2 421 ", "" },
		{ "nil key", "vctx:get(msys.core.VCTX_CONN, nil)",
		  "connect error limits.lua:2 421 ", "" },
		{ "read-only", "vctx.code = 3",
		  "connect error limits.lua:2 421 code cannot be set\n", "" },
		{ "registering late", "msys.registerModule('x', {})",
		  "connect error limits.lua:2 421 modules are registered when the script is loaded, not later\n",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *script = mem_printf(
			"local m, broken = {}, true\nfunction m:validate_connect(ac, vctx) if broken then broken = false %s end "
			"return msys.core.VALIDATE_CONT end\nmsys.registerModule('limits', m)\n",
			cases[i].body);
		struct world w;

		world_init(&w);
		world_must_load(&w, NULL, script);
		world_ask(&w, PHASE_CONNECT);
		expect_verdict(cases[i].name, &w.verdict, TEMPORARY);
		expect_has(cases[i].name, &w.acted, cases[i].want_acted);
		expect_has(cases[i].name, &w.logged, cases[i].want_logged);
		world_ask(&w, PHASE_CONNECT); /* and the state is as good as before */
		expect_verdict(cases[i].name, &w.verdict, "0 -");
		world_fini(&w);
		free(script);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		const char *script; /* NULL: there is no file */
		const char *want; /* "%s" is the directory */
	} cases[] = {
		{ "no file", NULL,
		  "tidewaiter.conf:7:3: %s/limits.lua: No such file or directory" },
		{ "syntax", "x = 1\ny = = 2\n", "%s/limits.lua:2: unexpected symbol near '='" },
		{ "unclosed", "function f(\n",
		  "%s/limits.lua:2: <name> or '...' expected near '<eof>'" },
		{ "at run time", "x = 1\n\nnothing()\n",
		  "%s/limits.lua:3: attempt to call global 'nothing' (a nil value)" },
		{ "init gives nothing", "msys.registerModule('m', { init = function() end })",
		  "tidewaiter.conf:7:3: init of module m did not return true" },
		{ "init gives 1", "msys.registerModule('m', { init = function() return 1 end })",
		  "tidewaiter.conf:7:3: init of module m did not return true" },
		{ "init raises", "msys.registerModule('m', { init = function()\nerror('no') end })",
		  "%s/limits.lua:2: no" },
		{ "init loops",
		  "msys.registerModule('m', { init = function()\nwhile true do end end })",
		  "%s/limits.lua:2: the script ran too long (instructions)" },
		{ "the chunk loops", "while true do end",
		  "%s/limits.lua:1: the script ran too long (instructions)" },
		{ "unknown module", "require 'msys.nonsense'",
		  "%s/limits.lua:1: module 'msys.nonsense' not found:" },
		{ "broken module", "\nrequire 'broken'",
		  "%s/limits.lua:2: %s/broken.lua:2: unexpected symbol near '='" },
		{ "bytecode", "\033LJ\002",
		  "tidewaiter.conf:7:3: %s/limits.lua: bytecode is not accepted" },
		{ "integer operator", "x = 1\ny = x & 1",
		  "%s/limits.lua:2: integer operators are not available; write bit.band(a, b)" },
		{ "no session here", "print('x') msys.expandMacro('%{i}')",
		  "%s/limits.lua:1: msys.expandMacro: there is no session here" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;
		char got[1024], *want;

		world_init(&w);
		world_file(&w, "broken.lua", "\nx = = 1");
		if (world_load(&w, NULL, cases[i].script))
			fail_msg("%s: it was loaded", cases[i].name);
		assert_int_equal(w.complaints.count, 1);
		complaint_print(&w.complaints.list[0], got, sizeof got);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		want = mem_printf(cases[i].want, w.directory, w.directory);
#pragma GCC diagnostic pop
		if (strncmp(got, want, strlen(want)) != 0)
			fail_msg("%s: want \"%s\", got \"%s\"", cases[i].name, want, got);
		free(want);
		world_fini(&w);
	}
}

/* 2.3: self lives as long as the session, and belongs to it alone. */
static void test_self(void **state)
{
	struct world w;
	struct facts other = { .session = 2 };
	struct verdict verdict = { 0 };
	struct policy_run *run;

	(void)state;
	world_init(&w);
	world_must_load(
		&w, NULL,
		"local m = { word = 'of the module' }\n"
		"function m:validate_connect(ac, vctx) print(self.seen, _TLS.n, self.word) self.seen = 'yes' _TLS.n = 7 return 0 end\n"
		"function m:validate_ehlo(str, ac, vctx) print(self.seen, _TLS.n) return 0 end\n"
		"function m:validate_dealloc() print('over', self.seen, _TLS.n) end\n"
		"msys.registerModule('limits', m)\n");
	world_ask(&w, PHASE_CONNECT);
	world_ask(&w, PHASE_EHLO);
	expect_text("first", &w.logged,
		    "limits.lua:2: nil\tnil\tof the module\nlimits.lua:3: yes\t7\n");
	policy_ask(w.set, PHASE_EHLO, &other, &verdict, NULL, NULL, &run);
	expect_text("another session", &w.logged, "limits.lua:3: nil\tnil\n");
	world_session_over(&w);
	expect_text("over", &w.logged, "limits.lua:4: over\tyes\t7\n");
	world_ask(&w, PHASE_CONNECT);
	expect_text("the next session", &w.logged, "limits.lua:2: nil\tnil\tof the module\n");
	policy_session_over(w.set, &other);
	expect_text("the other is over", &w.logged, "limits.lua:4: over\tnil\tnil\n");
	world_fini(&w);
}

static void test_observe(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.script.observe = true;
	world_must_load(
		&w, NULL,
		CONNECT("vctx:tarpit(3) vctx:disconnect(421, 'x') vctx.disconnect = 1 error('late')"));
	world_ask(&w, PHASE_CONNECT);
	expect_verdict("observe", &w.verdict, "0 -");
	expect_text("observe", &w.acted,
		    "connect vctx:tarpit limits.lua:2 ms=3000 observe\n"
		    "connect vctx:disconnect limits.lua:2 421 x observe\n"
		    "connect vctx.disconnect limits.lua:2 observe\n"
		    "connect error limits.lua:2 421 late observe\n");
	world_fini(&w);
}

/* It must not keep others from being asked, either. */
static void test_observe_done(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.script.observe = true;
	world_must_load(
		&w, NULL,
		"msys.registerModule('a', { validate_connect = function() return msys.core.VALIDATE_DONE end })\n"
		"msys.registerModule('b', { validate_connect = function() print('asked') return 0 end })\n");
	world_ask(&w, PHASE_CONNECT);
	expect_text("observe", &w.logged, "limits.lua:2: asked\n");
	world_fini(&w);
}

static void test_stub(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.stub_unavailable = true;
	world_must_load(&w, NULL, CONNECT("print(msys.db.query('x') == '')"));
	world_ask(&w, PHASE_CONNECT);
	expect_text("D91", &w.logged, "limits.lua:2: true\n");
	world_fini(&w);
}

static void test_register(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_must_load(
		&w, NULL,
		"msys.registerModule('nothing', { x = 1, y = function() end })\n"
		"msys.registerModule('hooks', { core_post_msg_each_rcpt = function() end, validate_set_binding = function() end })\n"
		"print('at load')\n");
	expect_text(
		"2.3", &w.logged,
		"limits.lua:1: no usable methods found for module nothing in registerModule call\n"
		"limits.lua:2: validate_set_binding of module hooks is never called here\n"
		"limits.lua:3: at load\n"
		"limits.lua:1: no usable methods found for module nothing in registerModule call\n"
		"limits.lua:2: validate_set_binding of module hooks is never called here\n"
		"limits.lua:3: at load\n"); /* two workers */
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		assert_false(policy_handles(w.set, (enum phase)phase));
	world_fini(&w);
}

/* T18: the script's directory is searched first; module() works as in 5.1. */
static void test_require(void **state)
{
	struct world w;
	char *source;

	(void)state;
	world_init(&w);
	source = mem_printf("mkdir %s/inbound", w.directory);
	assert_int_equal(system(source), 0);
	free(source);
	world_file(
		&w, "inbound/library.lua",
		"module(..., package.seeall)\nfunction hello() return 'hello from ' .. _NAME end\n");
	world_file(
		&w, "inbound/policy.lua",
		"local m = {}\nfunction m:validate_connect(ac, vctx) print(require('library').x, ...) return 0 end\n");
	world_file(&w, "library.lua", "return { x = 'plain' }");
	world_must_load(
		&w, NULL,
		"require('inbound.library')\nprint(inbound.library.hello(), require('library').x, ...)\n");
	expect_has("require", &w.logged,
		   "limits.lua:2: hello from inbound.library\tplain\tlimits\n");
	world_fini(&w);

	world_init(&w);
	source = mem_printf("mkdir %s/dir", w.directory);
	assert_int_equal(system(source), 0);
	free(source);
	world_file(&w, "dir/file.lua", "print('found')");
	source = mem_printf("%s/dir.file", w.directory);
	world_must_load(&w, source, NULL);
	expect_has("2.3 a dot separates directories", &w.logged, "file.lua:1: found\n");
	free(source);
	world_fini(&w);
}

static void test_nothing_dangerous(void **state)
{
	static const char *const absent[] = {
		"os.execute",
		"os.exit",
		"os.remove",
		"os.rename",
		"os.tmpname",
		"os.getenv",
		"os.setlocale",
		"io",
		"ffi",
		"jit",
		"dofile",
		"loadfile",
		"newproxy",
		"debug.sethook",
		"debug.getregistry",
		"debug.setmetatable",
		"debug.getupvalue",
		"debug.getinfo",
		"debug.debug",
		"string.dump",
		"package.loadlib",
		"package.cpath",
		"getmetatable(ac)",
		"getmetatable(vctx)",
		"getmetatable(ac.remote_addr)",
		"package.loaders[3]",
		"package.preload.ffi",
		"package.loaded.ffi",
		"package.loaded.io",
		"package.loaded.jit",
		"loadstring('\\27LJ')",
		"load('\\27LJ')",
		"select(2, pcall(require, 'ffi')):match('^nothing')",
		"collectgarbage() ~= 0",
		"collectgarbage('count') == 0",
	};
	struct buf script = { 0 };
	struct world w;

	(void)state;
	world_init(&w);
	assert_true(buf_printf(&script, "local m = {}\nfunction m:validate_connect(ac, vctx)\n"));
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_true(buf_printf(&script, "if (%s) then print([==[%s]==]) end\n", absent[i],
				       absent[i]));
	assert_true(buf_printf(&script, "return 0 end\nmsys.registerModule('limits', m)\n"));
	world_must_load(&w, NULL, buf_text(&script));
	world_ask(&w, PHASE_CONNECT);
	expect_text("absent", &w.acted, "");
	expect_text("absent", &w.logged, "");
	buf_free(&script);
	world_fini(&w);
}

/* D110 */
static void test_without_audit(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.conf.has_inbound_audit = false;
	world_must_load(&w, NULL, CONNECT("msys.audit.inbound_session_count('/32', 'SMTP')"));
	world_ask(&w, PHASE_CONNECT);
	expect_has("D110", &w.acted,
		   "msys.audit.inbound_session_count requires module inbound_audit");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callouts),	  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_refused),		  cmocka_unit_test(test_self),
		cmocka_unit_test(test_observe),		  cmocka_unit_test(test_observe_done),
		cmocka_unit_test(test_stub),		  cmocka_unit_test(test_register),
		cmocka_unit_test(test_require),		  cmocka_unit_test(test_nothing_dangerous),
		cmocka_unit_test(test_without_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
