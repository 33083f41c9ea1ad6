/* msys.pbp and msys.dumper (7.4, 7.5). */
#include "world.h"

/* What print(EXPRESSION) says, in a session. */
static void test_expressions(void **state)
{
	static const struct {
		const char *name;
		const char *before;
		const char *expression;
		const char *want; /* in the line */
	} cases[] = {
		{ "not set", "", "p.check_whitelist(vctx, {'global'})", ": false\n" },
		{ "D99 without a type", "p.set_whitelist(vctx, 'global', true)",
		  "p.check_whitelist(vctx, {'other', 'global'})", ": true\n" },
		{ "D99 its key", "p.set_whitelist(vctx, 'global', true)",
		  "vctx:get(msys.core.VCTX_CONN, 'dp_whitelist_global')", ": true\n" },
		{ "D99 with a type",
		  "p.set_whitelist(vctx, msys.core.VCTX_CONN, 'global', true)",
		  "p.check_whitelist(vctx, { honor_whitelist = {'global'} })", ": true\n" },
		{ "of a message", "p.set_whitelist(vctx, msys.core.VCTX_MESS, 'global', true)",
		  "p.check_whitelist(vctx, { honor_whitelist = 'global' })", ": true\n" },
		{ "taken back",
		  "p.set_whitelist(vctx, 'global', true) p.set_whitelist(vctx, 'global', false)",
		  "p.check_whitelist(vctx, {'global'})", ": false\n" },
		{ "no names", "", "p.check_whitelist(vctx, {})", ": false\n" },
		{ "nothing", "", "p.check_whitelist(vctx)", ": false\n" },
		{ "no vctx", "", "pcall(p.check_whitelist, {}, {'global'})", "vctx expected" },
		{ "a name that is a table", "", "pcall(p.check_whitelist, vctx, {{}})",
		  "string expected" },
		{ "a size", "", "p.size_in_bytes('30m')", ": 31457280\n" },
		{ "a size that is a number", "", "p.size_in_bytes(30)", ": 30\n" },
		{ "no size", "", "pcall(p.size_in_bytes, 'much')", "a size is" },

		{ "nil", "", "d(nil)", ": return nil\n" },
		{ "a text", "", "d('a\"\\\\\\n\\0b')", ": return \"a\\\"\\\\\\010\\000b\"\n" },
		{ "a number", "", "d(-1.5)", ": return -1.5\n" },
		{ "no number", "", "d(-1/0)", ": return -1/0\n" },
		{ "a table", "", "d({ x = { true } })",
		  ": return {\n  [\"x\"] = {\n    [1] = true,\n  },\n}\n" },
		{ "it comes back", "", "loadstring(d({ 1, { k = 'v' } }))()[2].k", ": v\n" },
		{ "a table in itself", "local t = {} t.t = t", "#d(t) < 2000", ": true\n" },
		{ "a function", "", "d(print)", ": return \"(function)\"\n" },
		{ "a table as a key", "", "d({ [{}] = 1 })", "[\"(table)\"] = 1" },
		{ "too much", "", "pcall(d, string.rep('x', 300000))", "more than 262144 octets" },
		{ "far too much",
		  "local t = {} for i = 1, 9 do t = { t, t, t, t, t, t, t, t } end",
		  "pcall(d, t)", "more than 262144 octets" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;
		char *script = mem_printf("require('msys.pbp') require('msys.dumper')\n"
					  "local m, p, d = {}, msys.pbp, msys.dumper.Dumper\n"
					  "function m:validate_mailfrom(str, ac, vctx)\n"
					  "%s print(%s) return 0 end\n"
					  "msys.registerModule('m', m)\n",
					  cases[i].before, cases[i].expression);

		world_init(&w);
		world_must_load(&w, NULL, script);
		world_ask(&w, PHASE_MAILFROM);
		expect_has(cases[i].name, &w.logged, cases[i].want);
		free(script);
		world_fini(&w);
	}
}

/* Where there is no session: sizes are read when scripts are loaded. */
static void test_at_load(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_must_load(&w, NULL,
			"assert(msys.pbp.size_in_bytes('1k') == 1024)\n"
			"assert(not pcall(msys.pbp.check_whitelist, nil, {}))\n"
			"msys.registerModule('m', { validate_connect = print })\n");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_at_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
