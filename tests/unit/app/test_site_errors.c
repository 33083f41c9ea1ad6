/* What a site must have, and what is said to one that lacks it (T1). */
#include "app/scene.h"

static void test_complains(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "no listener", "Workers = 1", "t.conf: no ESMTP_Listener, expected one\n" },
		{ "no Listen", GATE "ESMTP_Listener { }",
		  "t.conf:2:1: ESMTP_Listener without a Listen, expected Listen \"..\" {}\n" },
		{ "no next hop",
		  "ESMTP_Listener { Relay_Domains = ( \"a.org\" )\n Listen \"*:1\" { }\n"
		  " Listen \"*:2\" { Gateway = \"a\" } }",
		  "t.conf:2:2: Listen \"*:1\" has no next hop, expected Gateway or Routes\n" },
		{ "T2 who may relay", "Gateway = \"a\"\nESMTP_Listener { Listen \"*:1\" { } }",
		  "t.conf:2:1: warning: no mail will be taken, expected Relay_Domains, Relay_Hosts or "
		  "Open_Relay\n" },
		{ "T3 two ways at once",
		  GATE "Routes = ( \"b\" )\nESMTP_Listener { Listen \"*:1\" { } }",
		  "t.conf:2:1: Routes beside the Gateway of t.conf:1:1, expected one of them\n" },
		{ "T3 Routes that lead nowhere",
		  "Routes = ( )\nESMTP_Listener { Relay_Domains = ( \"a.org\" ) Listen \"*:1\" { } }",
		  "t.conf:1:1: Routes is empty, expected a next hop\n" },
		{ "T3 a Maildir is no fallback",
		  "Routes = ( \"b\" \"maildir:/x\" )\nESMTP_Listener { Relay_Domains = ( \"a.org\" ) "
		  "Listen \"*:1\" { } }",
		  "t.conf:1:1: Routes with a Maildir among others, expected it alone\n" },
		{ "T3 a Domain without",
		  GATE "ESMTP_Listener { Listen \"*:1\" {\nDomain \"x.org\" { } } }",
		  "t.conf:3:1: Domain \"x.org\" without a next hop, expected Gateway or Routes\n" },
		{ "Proxy_Protocol that believes nobody",
		  GATE
		  "ESMTP_Listener { Proxy_Protocol = on\nListen \"*:1\" { }\n"
		  "Listen \"*:2\" { Proxy_Hosts = ( \"10.0.0.0/8\" ) }\nListen \"*:3\" { Proxy_Protocol = off } }",
		  "t.conf:3:1: Listen \"*:1\" with Proxy_Protocol has nobody to believe, expected Proxy_Hosts\n" },
		{ "a console on TCP",
		  GATE
		  "ESMTP_Listener { Listen \"*:1\" { } }\nControl_Listener { Listen \"127.0.0.1:2\" { } }",
		  "t.conf:3:27: Listen is \"127.0.0.1:2\", expected the path of a Unix socket\n" },
		{ "one socket for two",
		  GATE
		  "ESMTP_Listener { Listen \"x/s\" { } }\nControl_Listener { Listen \"./x/s\" { } }",
		  "t.conf:3:27: Listen \"./x/s\" is there already at t.conf:2:18\n" },
		{ "a script without source",
		  GATE "ESMTP_Listener { Listen \"*:1\" { } }\nsieve \"p\" {\nscript \"s\" { } }",
		  "t.conf:4:1: script \"s\" without a source, expected source = \"..\"\n" },
		{ "a source that is not there",
		  GATE
		  "ESMTP_Listener { Listen \"*:1\" { } }\nsieve \"p\" { script \"s\" { source = \"/none\" } }",
		  "t.conf:3:35: cannot read /none: No such file or directory\n" },
		{ "a source that is no file",
		  GATE
		  "ESMTP_Listener { Listen \"*:1\" { } }\nsieve \"p\" { script \"s\" { source = \"/dev\" } }",
		  "t.conf:3:35: cannot read /dev: it is not a file\n" },
		{ "T18 Lua is looked for with .lua",
		  GATE
		  "ESMTP_Listener { Listen \"*:1\" { } }\nscriptlet \"s\" { script \"s\" { source = \"/none\" } }",
		  "t.conf:3:39: cannot read /none.lua: No such file or directory\n" },
		{ "T18 and written without",
		  GATE
		  "ESMTP_Listener { Listen \"*:1\" { } }\nscriptlet \"s\" { script \"s\" { source = \"l.lua\" } }",
		  "t.conf:3:39: source is \"l.lua\", expected it without .lua\n" },
		{ "CAs of next hops that are none",
		  "Gateway = \"a\" Gateway_TLS = verify\nGateway_TLS_CA = \"t.conf\"\n"
		  "ESMTP_Listener { Relay_Domains = ( \"b.org\" ) Listen \"*:1\" { } Listen \"*:2\" { } }",
		  "t.conf:2:18: Gateway_TLS_CA is \"t.conf\", expected a file of CA certificates in PEM\n" },
		{ "CAs of next hops that nobody asks",
		  "Gateway = \"a\"\nGateway_TLS_CA = \"t.conf\"\n"
		  "ESMTP_Listener { Relay_Domains = ( \"b.org\" ) Listen \"*:1\" { } Listen \"*:2\" {\n"
		  "Gateway_TLS = off } }",
		  "t.conf:2:1: warning: Gateway_TLS_CA has no effect, expected Gateway_TLS = verify\n" },
		{ "CAs of next hops that one is asked for",
		  "Gateway = \"a\" Gateway_TLS_CA = \"ca.pem\"\n"
		  "ESMTP_Listener { Relay_Domains = ( \"b.org\" ) Listen \"*:1\" { }\n"
		  "Domain \"x.org\" { Gateway = \"b\" Gateway_TLS = verify } }",
		  "t.conf:1:32: Gateway_TLS_CA is \"ca.pem\", expected a file of CA certificates in PEM\n" },
		{ "a scope within its like",
		  GATE "ESMTP_Listener { Listen \"*:1\" {\nListen \"*:2\" { } } }",
		  "t.conf:3:1: Listen cannot stand in Listen, expected it in ESMTP_Listener or in "
		  "Control_Listener\n" },
		{ "T1 everything in one run",
		  "Workers = 0\nESMTP_Listener {\n  Idle_Tim = 3\n  Listen \"::1:25\" { }\n}\n"
		  "sieve \"p\" { script \"s\" { } }",
		  "t.conf:1:11: Workers is \"0\", expected 1 to 256\n"
		  "t.conf:3:3: unknown option Idle_Tim, expected perhaps Idle_Time\n"
		  "t.conf:4:10: Listen is \"::1:25\", an IPv6 address without brackets, expected [ADDRESS]:PORT\n"
		  "t.conf:4:3: Listen \"::1:25\" has no next hop, expected Gateway or Routes\n"
		  "t.conf:2:1: warning: no mail will be taken, expected Relay_Domains, Relay_Hosts or "
		  "Open_Relay\n"
		  "t.conf:6:13: script \"s\" without a source, expected source = \"..\"\n" },
		{ "T1 every unclosed scope",
		  GATE "ESMTP_Listener {\n Listen \"*:1\" {\n  Peer \"::/0\" {\n}\n",
		  "t.conf:3:2: scope Listen is not closed, expected '}' before the end of the file\n"
		  "t.conf:2:1: scope ESMTP_Listener is not closed, expected '}' before the end of the file\n" },
		{ "T1 no guesses behind an unclosed scope",
		  "Frobnicate = 1\nESMTP_Listener {\n Listen \"*:1\" {\n}\nHostname = \"x\"",
		  "t.conf:2:1: scope ESMTP_Listener is not closed, expected '}' before the end of the file\n" },
	};
	char got[4096];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_free(load(cases[i].text, got, sizeof got));
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s:\n got: %s\nwant: %s", cases[i].name, got, cases[i].want);
	}
}

static void test_no_file(void **state)
{
	struct complaints c;
	char line[256];

	(void)state;
	complaints_init(&c);
	assert_null(site_load("none.conf", &world, &c));
	assert_int_equal(c.errors, 1);
	complaint_print(&c.list[0], line, sizeof line);
	assert_string_equal(line, "cannot read none.conf: No such file or directory");
	complaints_free(&c);
}

static void test_user_stays(void **state)
{
	struct site *site;
	char got[1024];

	(void)state;
	world.running =
		&(struct site){ .user = { "edge", 4711, 4712 }, .landlock = true, .seccomp = true };
	site = load(GATE "User = \"no-such-user\" ESMTP_Listener { Listen \"*:1\" { } }", got,
		    sizeof got);
	world.running = NULL;
	assert_string_equal(got, "t.conf:2:1: warning: User stays edge, expected a restart\n");
	assert_string_equal(site->user.name, "edge");
	assert_int_equal(site->user.uid, 4711);
	site_free(site);
}

static void test_guards_stay(void **state)
{
	struct site was = { .landlock = true };
	struct site *site;
	char got[1024];

	(void)state;
	world.running = &was;
	site = load(GATE "Landlock = off\nESMTP_Listener { Listen \"*:1\" { } }", got, sizeof got);
	world.running = NULL;
	assert_string_equal(got, "t.conf:2:1: warning: Landlock stays on, expected a restart\n"
				 "t.conf: warning: Seccomp stays off, expected a restart\n");
	assert_true(site->landlock);
	assert_false(site->seccomp);
	site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complains),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_user_stays),
		cmocka_unit_test(test_guards_stay),
	};

	return cmocka_run_group_tests(tests, in_own_directory, remove_directory);
}
