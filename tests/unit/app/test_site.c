/* Resolution: what a session gets along D73 and D76, and the sample. */
#include "app/scene.h"

#include "base/mem.h"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return text[0] == '/' && len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static struct site *load_fine(const char *text)
{
	char got[4096];
	struct site *site = load(text, got, sizeof got);

	assert_string_equal(got, "");
	return site;
}

static const struct settings *settings_for(const struct site *site, unsigned door, const char *peer)
{
	struct addr addr;

	assert_null(addr_parse(slice_of(peer), &addr));
	assert_in_range(door, 0, site->rules->door_count - 1);
	return door_settings(&site->rules->doors[door], &addr);
}

/* --- D73 --- */

static void test_lookup(void **state)
{
	static const char text[] = GATE
		"Max_Receptions_Per_Connection = 1\n"
		"ESMTP_Listener {\n"
		"  Idle_Time = 10 Max_Errors = 10 Max_Recipients_Per_Message = 10\n"
		"  Peer \"10.0.0.0/8\" { Idle_Time = 20 Max_Errors = 21 Max_Message_Size = 20 }\n"
		"  Peer \"10.1.0.0/16\" { Idle_Time = 22 }\n"
		"  Listen \"127.0.0.1:2601\" {\n"
		"    Max_Recipients_Per_Message = 30\n"
		"    Peer \"10.0.0.0/8\" { Max_Errors = 31 }\n"
		"    Peer \"10.1.2.0/24\" { Max_Message_Size = 32 }\n"
		"    Peer \"2001:db8::/32\" { Max_Errors = 33 }\n"
		"  }\n"
		"  Listen \"127.0.0.1:2602\" { Idle_Time = 40 Max_Receptions_Per_Connection = 41 }\n"
		"}\n";
	static const struct {
		const char *name;
		unsigned door;
		const char *peer;
		uint32_t want_idle_s, want_errors, want_rcpts, want_receptions, want_size;
	} cases[] = {
		{ "D73 no Peer: Listen, listener, top, default", 0, "192.0.2.1", 10, 10, 30, 1, 0 },
		{ "D73 the listener's Peer outranks the Listen", 1, "10.9.9.9", 20, 21, 10, 41,
		  20 },
		{ "D73 the Listen's Peer outranks the listener's", 0, "10.9.9.9", 20, 31, 30, 1,
		  20 },
		{ "D73 a longer block of the listener, each option on its own", 0, "10.1.9.9", 22,
		  31, 30, 1, 20 },
		{ "D73 three blocks deep", 0, "10.1.2.3", 22, 31, 30, 1, 32 },
		{ "D73 the longest of the listener without the Listen's", 1, "10.1.2.3", 22, 21, 10,
		  41, 20 },
		{ "D73 IPv6", 0, "2001:db8::1", 10, 33, 30, 1, 0 },
		{ "D73 IPv6 elsewhere", 1, "2001:db8::1", 40, 10, 10, 41, 0 },
		{ "D105 mapped is IPv4", 0, "::ffff:10.1.2.3", 22, 31, 30, 1, 32 },
	};
	struct site *site = load_fine(text);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct settings *s = settings_for(site, cases[i].door, cases[i].peer);

		if (s->idle_ms != cases[i].want_idle_s * 1000 ||
		    s->max_errors != cases[i].want_errors ||
		    s->max_rcpts_message != cases[i].want_rcpts ||
		    s->max_receptions != cases[i].want_receptions ||
		    s->max_message_size != cases[i].want_size)
			fail_msg("%s: got %u %u %u %u %ju", cases[i].name, s->idle_ms / 1000,
				 s->max_errors, s->max_rcpts_message, s->max_receptions,
				 (uintmax_t)s->max_message_size);
	}
	site_free(site);
}

static void test_lists_are_not_merged(void **state)
{
	struct site *site = load_fine(
		"Gateway = \"mx.example\" Relay_Hosts = ( \"10.0.0.0/8\" )\n"
		"ESMTP_Listener {\n"
		"  Context = [ a = 1 b = 2 ]\n"
		"  Peer \"10.0.0.0/8\" { Context = [ c = 3 ] Relay_Hosts = ( \"192.0.2.1\" ) }\n"
		"  Listen \"*:2601\" { Relay_Domains = ( \"Example.org\" ) Peer \"10.1.0.0/16\" { } }\n"
		"}\n");
	const struct settings *out = settings_for(site, 0, "192.0.2.1");
	const struct settings *in = settings_for(site, 0, "10.1.2.3");
	struct addr ten, other;
	struct slice value;

	(void)state;
	assert_null(addr_parse(SLICE("10.1.2.3"), &ten));
	assert_null(addr_parse(SLICE("192.0.2.1"), &other));
	assert_true(ctx_get(&out->context, SLICE("a"), &value));
	assert_false(ctx_get(&out->context, SLICE("c"), &value));
	assert_true(ctx_get(&in->context, SLICE("c"), &value));
	assert_false(ctx_get(&in->context, SLICE("a"), &value));
	assert_true(cidr_list_has(&out->relay_hosts, &ten));
	assert_false(cidr_list_has(&in->relay_hosts, &ten));
	assert_true(cidr_list_has(&in->relay_hosts, &other));
	assert_true(domain_list_has(&in->relay_domains, SLICE("EXAMPLE.org")));
	site_free(site);
}

/* --- T14 --- */

static void test_trusted(void **state)
{
	struct site *site = load_fine(
		GATE
		"ESMTP_Listener {\n"
		"  XClient_Hosts = ( \"10.0.0.0/8\" )\n"
		"  Peer \"10.1.0.0/16\" { SMTP_Extensions = ( \"xremoteip\" \"ENHANCEDSTATUSCODES\" ) }\n"
		"  Listen \"*:2601\" { Proxy_Protocol = on Proxy_Hosts = ( \"192.0.2.1\" ) Proxy_Protocol_Timeout = 5 }\n"
		"  Listen \"*:2602\" { XClient_Hosts = ( \"::1\" ) }\n"
		"}\n");
	const struct door *doors = site->rules->doors;
	struct addr ten, other;

	(void)state;
	assert_null(addr_parse(SLICE("10.1.2.3"), &ten));
	assert_null(addr_parse(SLICE("192.0.2.1"), &other));
	assert_true(doors[0].proxied);
	assert_false(doors[1].proxied);
	assert_int_equal(doors[0].proxy_ms, 5000);
	assert_int_equal(doors[1].proxy_ms, 60000);
	assert_true(cidr_list_has(&doors[0].proxy_hosts, &other));
	assert_true(cidr_list_has(&doors[0].xclient_hosts, &ten));
	assert_false(cidr_list_has(&doors[1].xclient_hosts, &ten));
	assert_int_equal(settings_for(site, 0, "192.0.2.1")->extensions, EXTENSION_XCLIENT);
	assert_int_equal(settings_for(site, 0, "10.1.2.3")->extensions, EXTENSION_XREMOTEIP);
	site_free(site);
}

/* --- 3.1 --- */

static void test_series(void **state)
{
	static const struct {
		const char *name, *stanza;
		unsigned want_monitors;
		size_t want_bytes;
		const char *want_series, *want_journal; /* how they end */
		unsigned want_days, want_s;
		bool want_persist, want_recipients, want_made;
	} cases[] = {
		{ "no stanza", "", 0, 64 << 20, "/state/series", "/state/journal", 30, 300, true,
		  false, false },
		{ "T5 all by default", "inbound_audit { }", 0, 64 << 20, "/state/series",
		  "/state/journal", 30, 300, true, false, true },
		{ "T14 all set",
		  "inbound_audit { monitors = ( \"300,6\" \"60, 1\" ) max_bytes = 64K\n"
		  "persist = off serialize_dir = \"kept\" log_dir = \"x/y\" journal_days = 0\n"
		  "maintenance_interval = 1m reception_unit = recipient }",
		  2, 64 << 10, "/kept", "/x/y", 0, 60, false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = mem_printf("%sState_Dir = \"state\"\n%s\n"
					"ESMTP_Listener { Listen \"*:2601\" { } }",
					GATE, cases[i].stanza);
		struct site *site = load_fine(text);
		const struct site_series *s = &site->series;
		unsigned made = 0;

		for (unsigned k = 0; k < site->paths.count; k++)
			made += site->paths.list[k].path == s->serialize_dir ||
				site->paths.list[k].path == s->log_dir;
		if (s->monitor_count != cases[i].want_monitors ||
		    s->max_bytes != cases[i].want_bytes ||
		    !ends_with(s->serialize_dir, cases[i].want_series) ||
		    !ends_with(s->log_dir, cases[i].want_journal) ||
		    s->journal_days != cases[i].want_days ||
		    s->maintenance_ms != cases[i].want_s * 1000 ||
		    s->persist != cases[i].want_persist ||
		    site->rules->recipients_are_receptions != cases[i].want_recipients ||
		    made != (cases[i].want_made ? 2u : 0u))
			fail_msg("%s: got %u %zu %s %s %u %u %d %d %u", cases[i].name,
				 s->monitor_count, s->max_bytes, s->serialize_dir, s->log_dir,
				 s->journal_days, s->maintenance_ms, s->persist,
				 site->rules->recipients_are_receptions, made);
		if (s->monitor_count == 2)
			assert_true(s->monitors[1].seconds == 60 && s->monitors[1].windows == 1);
		site_free(site);
		free(text);
	}
}

/* --- D76 --- */

/* "Service_Sessions 0 ESMTP_Listener; ..." */
static const char *caps_text(const struct settings *s, char out[1024])
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < s->cap_count; i++)
		len += (size_t)snprintf(out + len, 1024 - len, "%s%s %u %s", i ? "; " : "",
					s->caps[i].option, s->caps[i].limit, s->caps[i].scope);
	return out;
}

static void test_caps(void **state)
{
	static const char text[] =
		GATE "ESMTP_Listener {\n"
		     "  Listener_Sessions = 100 Service_Sessions = 200\n"
		     "  Peer \"10.0.0.0/8\" { Listener_Sessions = 10 }\n"
		     "  Peer \"10.2.0.0/16\" { Idle_Time = 5 }\n"
		     "  Listen \"*:2601\" {\n"
		     "    Listener_Sessions = 50 Service_Sessions = 150\n"
		     "    Peer \"10.1.0.0/16\" { Listener_Sessions = 5 Service_Sessions = 6 }\n"
		     "  }\n"
		     "  Listen \"*:2602\" { }\n"
		     "}\n";
	static const struct {
		const char *name;
		unsigned door;
		const char *peer, *want;
	} cases[] = {
		{ "D76 all scopes around", 0, "192.0.2.1",
		  "Service_Sessions 150 Listen \"*:2601\"; Listener_Sessions 100 ESMTP_Listener; "
		  "Listener_Sessions 50 Listen \"*:2601\"" },
		{ "D76 a Listen without is counted all the same", 1, "192.0.2.1",
		  "Service_Sessions 200 ESMTP_Listener; Listener_Sessions 100 ESMTP_Listener; "
		  "Listener_Sessions 0 Listen \"*:2602\"" },
		{ "D76 the best Peer, and the scopes around", 0, "10.1.2.3",
		  "Service_Sessions 150 Listen \"*:2601\"; Listener_Sessions 100 ESMTP_Listener; "
		  "Listener_Sessions 50 Listen \"*:2601\"; Service_Sessions 6 Peer \"10.1.0.0/16\" of Listen "
		  "\"*:2601\"; Listener_Sessions 5 Peer \"10.1.0.0/16\" of Listen \"*:2601\"" },
		{ "D76 of the next Peer where the best has none", 1, "10.2.2.3",
		  "Service_Sessions 200 ESMTP_Listener; Listener_Sessions 100 ESMTP_Listener; "
		  "Listener_Sessions 0 Listen \"*:2602\"; Listener_Sessions 10 Peer \"10.0.0.0/8\" of "
		  "ESMTP_Listener" },
	};
	struct site *site = load_fine(text), *again;
	char got[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		caps_text(settings_for(site, cases[i].door, cases[i].peer), got);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s:\n got: %s\nwant: %s", cases[i].name, got, cases[i].want);
		assert_int_equal(settings_for(site, cases[i].door, cases[i].peer)->outer_caps, 3);
	}

	/* Who shares a budget with whom. */
	assert_ptr_equal(settings_for(site, 0, "192.0.2.1")->caps[0].budget,
			 settings_for(site, 1, "10.1.2.3")->caps[0].budget);
	assert_ptr_equal(settings_for(site, 0, "192.0.2.1")->caps[1].budget,
			 settings_for(site, 1, "192.0.2.1")->caps[1].budget);
	assert_ptr_not_equal(settings_for(site, 0, "192.0.2.1")->caps[2].budget,
			     settings_for(site, 1, "192.0.2.1")->caps[2].budget);
	assert_ptr_equal(settings_for(site, 0, "10.2.0.1")->caps[3].budget,
			 settings_for(site, 1, "10.3.0.1")->caps[3].budget);
	assert_ptr_not_equal(settings_for(site, 0, "10.1.0.1")->caps[3].budget,
			     settings_for(site, 0, "10.1.0.1")->caps[4].budget);

	/* A reload with other limits finds the slots that are taken. */
	assert_true(budget_take(settings_for(site, 0, "10.1.0.1")->caps[4].budget, 5));
	again = load_fine(
		GATE
		"ESMTP_Listener { Listen \"*:2601\" { Peer \"10.1.9.9/16\" { Listener_Sessions = 1 } } }");
	assert_int_equal(budget_taken(settings_for(again, 0, "10.1.0.1")->caps[3].budget), 1);
	budget_give(settings_for(again, 0, "10.1.0.1")->caps[3].budget);
	site_free(again);
	site_free(site);
}

/* --- T3 --- */

static const struct hop_manner *manner_of(const struct site *site, const char *domain)
{
	const struct route *r =
		route_for(settings_for(site, 0, "192.0.2.1")->routes, slice_of(domain));

	return &r->manner;
}

/* What is said nearer holds, wherever the next hop itself is named. */
static void test_manner(void **state)
{
	struct site *site = load_fine(
		"Workers = 4 Relay_Domains = ( \"example.org\" ) Gateway = \"top.example\"\n"
		"Max_Gateway_Connections = 10 Gateway_Idle_Time = 7 Gateway_TLS = off\n"
		"Domain \"few.org\" { Gateway = \"few.example\" Max_Gateway_Connections = 2 Gateway_XCLIENT = off }\n"
		"Domain \"any.org\" { Gateway = \"any.example\" Max_Gateway_Connections = 0 Gateway_Proxy_Protocol = on }\n"
		"Domain \"safe.org\" { Gateway = \"safe.example\" Gateway_TLS = verify }\n"
		"ESMTP_Listener { Gateway_Idle_Time = 8 Listen \"*:2601\" { Gateway_Idle_Time = 9 } }\n");

	(void)state;
	assert_int_equal(manner_of(site, "x.org")->connections_max, 2); /* a worker's share */
	assert_int_equal(manner_of(site, "x.org")->idle_ms, 9000);
	assert_int_equal(manner_of(site, "x.org")->uses_max, 100);
	assert_int_equal(manner_of(site, "x.org")->retry_ms, 60000);
	assert_true(manner_of(site, "x.org")->xclient);
	assert_false(manner_of(site, "x.org")->proxy);
	assert_null(manner_of(site, "x.org")->tls);
	assert_int_equal(manner_of(site, "few.org")->connections_max, 1); /* each may have one */
	assert_int_equal(manner_of(site, "few.org")->idle_ms, 9000);
	assert_false(manner_of(site, "few.org")->xclient);
	assert_int_equal(manner_of(site, "any.org")->connections_max, 0);
	assert_true(manner_of(site, "any.org")->proxy);
	assert_non_null(manner_of(site, "safe.org")->tls);
	assert_true(manner_of(site, "safe.org")->tls_must);
	site_free(site);
}

static void test_routes(void **state)
{
	static const char text[] =
		"Relay_Domains = ( \"example.org\" ) Gateway = \"top.example\"\n"
		"Domain \"a.org\" { Gateway = \"top-a.example\" }\n"
		"Domain \"b.org\" { Gateway = \"top-b.example\" }\n"
		"ESMTP_Listener {\n"
		"  Prohibited_Hosts = ( \"192.0.2.0/24\" )\n"
		"  Domain \"A.org\" { Routes = ( \"smtp://second.example?pref=20\" \"smtp://first.example?pref=10\" ) }\n"
		"  Listen \"*:2601\" { Gateway = \"maildir:mail\" Domain \"*.a.org\" { Gateway = \"sub-a.example\" } }\n"
		"  Listen \"*:2602\" { }\n"
		"}\n";
	static const struct {
		const char *name;
		unsigned door;
		const char *domain, *want;
	} cases[] = {
		{ "T3 the nearest Gateway", 1, "x.org", "top.example" },
		{ "T3 the nearest Domain", 1, "a.org", "first.example" },
		{ "T3 a Domain further out", 0, "b.org", "top-b.example" },
		{ "T3 sub-domains", 0, "x.y.a.org", "sub-a.example" },
		{ "T3 the domain itself is no sub-domain", 0, "a.org", "first.example" },
		{ "T3 sub-domains only where they are said", 1, "x.a.org", "top.example" },
	};
	struct site *site = load_fine(text);
	const struct route *route;
	char want[8192];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		route = route_for(site->rules->doors[cases[i].door].plain.routes,
				  slice_of(cases[i].domain));
		if (strcmp(route->hops[0].name, cases[i].want) != 0)
			fail_msg("%s: got %s", cases[i].name, route->hops[0].name);
		assert_int_equal(route->prohibited_count, 1);
	}
	route = route_for(site->rules->doors[0].plain.routes, SLICE("x.org"));
	snprintf(want, sizeof want, "%s/mail", getcwd(loaded, sizeof loaded));
	assert_string_equal(route->hops[0].name, want); /* T5 */
	site_free(site);
}

/* --- the whole --- */

static void test_doors(void **state)
{
	struct site *site = load_fine(
		GATE
		"Hostname = \"mx.example.org\"\n"
		"ESMTP_Listener {\n"
		"  Banner_Hostname = \"banner.example\"\n"
		"  Listen \"*:2601\" { Listen_Backlog = 7 }\n"
		"  Listen \"*:2602\" { Enable = false }\n"
		"  Listen \"run/x.sock\" { File_Mode = 0600 Received_Hostname = \"r.example\" }\n"
		"}\n"
		"Control_Listener { Timeout = 5 Listen \"./c.sock\" { } Listen \"./d.sock\" { Enable = off } }\n");
	const struct door *d = site->rules->doors;
	char here[4096], want[8192];

	(void)state;
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(site->rules->door_count, 2);
	assert_string_equal(d[0].name, "*:2601");
	assert_int_equal(d[0].backlog, 7);
	assert_string_equal(d[0].plain.hostname, "mx.example.org");
	assert_string_equal(d[0].plain.banner_hostname, "banner.example");
	assert_string_equal(d[0].plain.received_hostname, "mx.example.org");
	assert_string_equal(audit_endpoint_name(d[0].endpoint), "*:2601");
	snprintf(want, sizeof want, "%s/run/x.sock", here);
	assert_string_equal(d[1].name, want);
	assert_int_equal(d[1].file_mode, 0600);
	assert_string_equal(d[1].plain.received_hostname, "r.example");
	assert_int_equal(site->control_count, 1);
	assert_int_equal(site->controls[0].timeout_ms, 5000);
	snprintf(want, sizeof want, "%s/c.sock", here);
	assert_string_equal(site->controls[0].where.path, want);
	site_free(site);
}

static void test_defaults(void **state)
{
	struct site *site = load_fine(GATE "ESMTP_Listener { Listen \"*:2601\" { } }");
	const struct settings *s = &site->rules->doors[0].plain;

	(void)state;
	assert_string_equal(site->state_dir, "/var/lib/tidewaiter");
	assert_string_equal(site->controls[0].name, "/run/tidewaiter/control.sock");
	assert_int_equal(site->controls[0].timeout_ms, 60000);
	assert_int_equal(site->drain_ms, 30000);
	assert_int_equal(site->log_format, LOG_TEXT);
	assert_int_equal(site->log_level, LOG_INFO);
	assert_int_not_equal(site->rules->hostname[0], 0);
	assert_in_range(site->workers, 1, 256);
	assert_int_equal(s->command_ms, 300000);
	assert_int_equal(s->transaction_ms, 1800000);
	assert_int_equal(s->idle_ms, 0);
	assert_int_equal(s->max_errors, 20);
	assert_int_equal(s->max_unproductive, 100);
	assert_int_equal(s->message_memory, 256 << 10);
	assert_int_equal(site->rules->doors[0].backlog, 500);
	assert_int_equal(site->rules->doors[0].file_mode, 0660);
	assert_null(s->static_banner);
	assert_int_equal(site->rules->hop_limit, 100);
	site_free(site);
}

/* With Landlock, what is not among the paths cannot be made. */
static void test_control_path(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "no listener", "", "/run/tidewaiter/control.sock" },
		{ "no Listen", "Control_Listener { Timeout = 5 }", "/run/tidewaiter/control.sock" },
		{ "a Listen", "Control_Listener { Listen \"/tmp/c.sock\" { } }", "/tmp/c.sock" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct site_path *made = NULL;
		struct site *site;
		char text[256];

		snprintf(text, sizeof text, GATE "ESMTP_Listener { Listen \"*:2601\" { } } %s",
			 cases[i].text);
		site = load_fine(text);
		for (unsigned p = 0; p < site->paths.count; p++)
			if (site->paths.list[p].access == SITE_MAKES)
				made = &site->paths.list[p];
		if (made == NULL || strcmp(made->path, cases[i].want) != 0 ||
		    strcmp(site->controls[0].name, cases[i].want) != 0)
			fail_msg("%s: %s at %s", cases[i].name,
				 made == NULL ? "nothing" : made->path, site->controls[0].name);
		site_free(site);
	}
}

static void test_policy(void **state)
{
	(void)state;
	write_file("c.sieve", "keep;\n");
	write_file("l.lua", "\n");
	site_free(load_fine(
		GATE
		"ESMTP_Listener { Listen \"*:2601\" { } }\n"
		"sieve \"one\" { script \"connect_phase1\" { source = \"c.sieve\" observe = true }\n"
		"  script \"data_phase2\" { source = \"./c.sieve\" } runtime_error = \"continue\" }\n"
		"scriptlet \"s\" { script \"l\" { source = \"l\" } }\n"
		"sieve \"off\" { enabled = false script \"x\" { source = \"c.sieve\" } }\n"
		"sieve \"two\" { strict_require = on stub_unavailable = on cache_size = 3 cache_life = 4 }\n"
		"inbound_audit { max_tarpit = 9 strict_services = on ipv6_mask_map = ( \"24=64\" ) }\n"));
	assert_string_equal(
		loaded, "sieve one continue cache=200,260 tarpit=9000 audit=1 strict=1 masks=1: "
			"connect_phase1=c.sieve? data_phase2=c.sieve\n"
			"scriptlet s cache=200,260 tarpit=9000 audit=1 strict=1 masks=1: l=l\n"
			"sieve two require stub cache=3,4 tarpit=9000 audit=1 strict=1 masks=1:\n");
	site_free(load_fine(GATE "ESMTP_Listener { Listen \"*:2601\" { } }\nsieve \"p\" { }\n"));
	assert_string_equal(
		loaded,
		"sieve p cache=200,260 tarpit=3600000 audit=0 strict=0 masks=0:\n"); /* D110 */
}

static void test_references(void **state)
{
	struct site *site = load_fine(
		GATE
		"ESMTP_Listener { Listen \"*:2601\" { Peer \"::/0\" { Context = [ a = 1 ] } } }");
	struct rules *rules = rules_ref(site->rules);
	struct slice value;
	struct addr peer;

	/* T6 a session finishes on what it began with. */
	(void)state;
	site_free(site);
	assert_null(addr_parse(SLICE("2001:db8::1"), &peer));
	assert_true(ctx_get(&door_settings(&rules->doors[0], &peer)->context, SLICE("a"), &value));
	assert_string_equal(rules->spool_dir, "/var/lib/tidewaiter");
	rules_unref(rules);
}

static void test_many_peers(void **state)
{
	FILE *f = fopen("t.conf", "w");
	struct complaints c;
	struct site *site;

	(void)state;
	fputs(GATE "ESMTP_Listener { Listen \"*:1\" { }\n", f);
	for (unsigned i = 0; i < 20000; i++)
		fprintf(f, "Peer \"10.%u.%u.0/24\" { Idle_Time = %u }\n", i >> 8, i & 255, i + 1);
	fputs("}\n", f);
	fclose(f);
	complaints_init(&c);
	site = site_load("t.conf", &world, &c);
	assert_non_null(site);
	assert_int_equal(settings_for(site, 0, "10.3.4.5")->idle_ms, (3 * 256 + 4 + 1) * 1000);
	site_free(site);
	complaints_free(&c);
}

/* The sample of the issue, as it stands in etc/demo, and the one that is installed. */
static void test_samples(void **state)
{
	static const char *const files[] = { "etc/demo/tidewaiter.conf", "etc/tidewaiter.conf" };
	struct slice value;
	struct complaints c;
	struct site *site;
	char file[8192], want[8192];

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(file, sizeof file, "%s/%s", project, files[i]);
		complaints_init(&c);
		site = site_load(file, &world, &c);
		complaints_print(&c, stdout);
		assert_int_equal(c.errors + c.warnings, 0);
		assert_int_equal(site->rules->door_count, 2);
		if (i == 0) {
			snprintf(want, sizeof want, "%s/var/demo", project);
			assert_string_equal(site->state_dir, want);
			assert_string_equal(site->rules->hostname, "edge.example.org");
			assert_true(ctx_get(&settings_for(site, 1, "2001:db8:5::9")->context,
					    SLICE("trusted"), &value));
		}
		site_free(site);
		complaints_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),	   cmocka_unit_test(test_lists_are_not_merged),
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_caps),	   cmocka_unit_test(test_routes),
		cmocka_unit_test(test_manner),
		cmocka_unit_test(test_doors),	   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_control_path),
		cmocka_unit_test(test_policy),	   cmocka_unit_test(test_references),
		cmocka_unit_test(test_many_peers), cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, in_own_directory, remove_directory);
}
