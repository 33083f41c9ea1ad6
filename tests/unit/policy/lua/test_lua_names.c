/* Names of the library that are not there: told when a script is loaded (a published sample asks
 * for msys.audit.connection, and nobody noticed). */
#include "world.h"

#define CONNECT(body_)                                                                            \
	"local m = {}\nfunction m:validate_connect(ac, vctx)\n" body_                              \
	"\nreturn msys.core.VALIDATE_CONT end\nmsys.registerModule('m', m)\n"

static void test_unknown_names(void **state)
{
	static const struct {
		const char *name;
		const char *script;
		const char *want; /* complaints; "": none */
	} cases[] = {
		{ "what is there", CONNECT("msys.audit.connections('60,1', '/24')"), "" },
		{ "D107 the alias", CONNECT("msys.audit.connection('60,1')"), "" },
		{ "a function", CONNECT("if msys.audit.conections('60,1') > 2 then return 0 end"),
		  "limits.lua:3: unknown name \"msys.audit.conections\", did you mean "
		  "\"connections\"?\n" },
		{ "each of them", CONNECT("msys.audit_series.ad('s')\nmsys.pbp.nothing_like_it()"),
		  "limits.lua:3: unknown name \"msys.audit_series.ad\", did you mean \"add\"?\n"
		  "limits.lua:4: unknown name \"msys.pbp.nothing_like_it\"\n" },
		{ "a constant", CONNECT("if ac then return msys.core.VALIDATE_DON end"),
		  "limits.lua:3: unknown name \"msys.core.VALIDATE_DON\", did you mean "
		  "\"VALIDATE_DONE\"?\n" },
		{ "a library", CONNECT("msys.adit.connections('60,1')"),
		  "limits.lua:3: unknown name \"msys.adit.connections\", did you mean "
		  "\"audit\"?\n" },
		{ "in an initialiser", "local asks = { msys.audit.rejection }\n",
		  "limits.lua:1: unknown name \"msys.audit.rejection\", did you mean "
		  "\"rejections\"?\n" },
		{ "a site's own", "msys.site = { limit = 3 }\n"
		  CONNECT("local x = msys.site.limit == msys.site.none and msys.site.a.b"), "" },
		{ "it is no table", "msys.site = 2\n" CONNECT("local x = msys.site.limit"), "" },
		{ "a site's own, that may be there",
		  CONNECT("local x = msys.our_policy and msys.our_policy.limit"), "" },
		{ "put into ours",
		  "function msys.core.mine() end\nmsys.core.other = 3\nmsys.core.third =\n4\n"
		  CONNECT("msys.core.mine(msys.core.other, msys.core.third)"), "" },
		{ "compared, not assigned", CONNECT("local x = msys.core.nonsuch == 3"),
		  "limits.lua:3: unknown name \"msys.core.nonsuch\"\n" },
		{ "concatenated", CONNECT("local s = 'a'..msys.audit.x..'b'..msys.core.AF_INET"),
		  "limits.lua:3: unknown name \"msys.audit.x\"\n" },
		{ "not in texts and comments",
		  CONNECT("local s = 'msys.audit.x' .. \"msys.audit.y\" .. [[msys.audit.z]]\n"
			  "-- msys.audit.x\n--[[ msys.audit.y\n]] -- msys.audit.z"), "" },
		{ "the line, behind long ones",
		  CONNECT("local s = [[\n\n]] --[=[\n]] ]=]\nmsys.audit.x()"),
		  "limits.lua:7: unknown name \"msys.audit.x\"\n" },
		{ "somebody else's",
		  CONNECT("local x = vctx and (vctx.a or {}).msys or vctx.msys.audit.x"), "" },
		{ "not available is another matter", CONNECT("msys.db.query('x')"), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf got = { 0 };
		struct world w;
		char line[256];
		bool good;

		world_init(&w);
		good = world_load(&w, NULL, cases[i].script);
		for (unsigned n = 0; n < w.complaints.count; n++) {
			complaint_print(&w.complaints.list[n], line, sizeof line);
			assert_true(buf_printf(&got, "%s\n", strstr(line, "limits.lua")));
		}
		assert_int_equal(good, got.len == 0);
		expect_text(cases[i].name, &got, cases[i].want);
		buf_free(&got);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
