/* The table: rows that hold together, values by type, and every way to miss the table (T1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/options.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_rows(void **state)
{
	struct complaints c;
	char text[512];

	(void)state;
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		const char *value = row->example ? row->example : row->standard;
		struct conf *conf;

		if (row->name == NULL || row->scopes == 0)
			fail_msg("row %u: no name or no scopes", i);
		if ((row->about == NULL) == (row->idle == NULL))
			fail_msg("%s: says what it does, or that it does nothing", row->name);
		if (row->idle == NULL && row->standard == NULL &&
		    (row->absent == NULL || row->example == NULL))
			fail_msg("%s: no default: what then? for example?", row->name);
		for (unsigned k = 0; k < i; k++)
			if (strcasecmp(row->name, option_rows[k].name) == 0)
				fail_msg("%s is there twice", row->name);
		for (const struct absent_row *a = absent_options; a->name != NULL; a++)
			if (strcasecmp(row->name, a->name) == 0)
				fail_msg("%s is there and absent", row->name);
		if (value == NULL)
			continue;
		complaints_init(&c);
		if (row->standard != NULL && row->type != OPTION_PATH)
			(void)option_standard((enum option_id)i); /* has a CHECK of its own */
		snprintf(text, sizeof text,
			 row->type == OPTION_PATH && value[0] == '/' ? "a = \"%s\"" : "a = %s",
			 value);
		conf = conf_parse("row", slice_of(text), &c);
		if (c.errors == 0) {
			struct conf_option *o = STAILQ_FIRST(&conf->top.options);
			struct option_value *v = option_read(conf, row, &o->value, &c);

			if (v != NULL)
				option_value_fini(row, v);
		}
		complaints_print(&c, stdout);
		if (c.errors > 0)
			fail_msg("%s = %s does not fit its own row", row->name, value);
		conf_free(conf);
		complaints_free(&c);
	}
}

/* --- values --- */

/* Complaints go to out; answers the value of the only option, at the top or in one scope. */
static struct conf *check_text(const char *text, struct conf_option **option_out, char *out,
			       size_t size)
{
	FILE *f = fmemopen(out, size, "w");
	struct complaints c;
	struct conf *conf;
	struct conf_scope *scope;

	complaints_init(&c);
	conf = conf_parse("t.conf", slice_of(text), &c);
	options_check(conf, &c);
	complaints_print(&c, f);
	fputc('\0', f);
	fclose(f);
	complaints_free(&c);
	for (scope = &conf->top; STAILQ_EMPTY(&scope->options) && !STAILQ_EMPTY(&scope->scopes);)
		scope = STAILQ_FIRST(&scope->scopes);
	*option_out = STAILQ_FIRST(&scope->options);
	return conf;
}

static void check_forget(struct conf *conf)
{
	options_forget(conf);
	conf_free(conf);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{ "Workers = 8", 8 },
		{ "Workers = \"8\"", 8 },
		{ "workers = 1", 1 },
		{ "WORKERS = 256", 256 },
		{ "Message_Memory = 4096", 4096 },
		{ "Message_Memory = 256K", 256 << 10 },
		{ "Message_Memory = 2m", 2 << 20 },
		{ "Message_Memory = 1G", 1 << 30 },
		{ "Drain_Timeout = 0", 0 },
		{ "Drain_Timeout = 30", 30000 },
		{ "Drain_Timeout = 30s", 30000 },
		{ "Drain_Timeout = 0.5", 500 },
		{ "Drain_Timeout = 1.2345s", 1234 },
		{ "Drain_Timeout = 1.5m", 90000 },
		{ "Drain_Timeout = 2H", 7200000 },
		{ "Drain_Timeout = 49d", 4233600000 },
		{ "Log_Format = JSON", 1 },
		{ "Log_Format = \"text\"", 0 },
		{ "ESMTP_Listener { File_Mode = 0660 }", 0660 },
		{ "ESMTP_Listener { File_Mode = 600 }", 0600 },
		{ "ESMTP_Listener { Max_Message_Size = 0 }", 0 },
		{ "ESMTP_Listener { Listener_Sessions = 4294967295 }", UINT32_MAX },
	};
	struct conf_option *o;
	char got[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf *conf = check_text(cases[i].text, &o, got, sizeof got);

		assert_string_equal(got, "");
		if (o->value_read->number != cases[i].want)
			fail_msg("%s: got %ju", cases[i].text, (uintmax_t)o->value_read->number);
		check_forget(conf);
	}
}

static void test_booleans(void **state)
{
	static const char *const words[2][6] = {
		{ "off", "FALSE", "disabled", "0", "\"false\"", "Off" },
		{ "on", "true", "Enabled", "1", "\"1\"", "TRUE" },
	};
	struct conf_option *o;
	char text[64], got[1024];

	(void)state;
	for (unsigned truth = 0; truth < 2; truth++) {
		for (size_t i = 0; i < COUNT(words[0]); i++) {
			struct conf *conf;

			snprintf(text, sizeof text, "Require_EHLO = %s", words[truth][i]);
			conf = check_text(text, &o, got, sizeof got);
			assert_string_equal(got, "");
			assert_int_equal(o->value_read->truth, truth);
			check_forget(conf);
		}
	}
}

static void test_lists(void **state)
{
	struct conf_option *o;
	struct slice value;
	char got[1024], text[CIDR_TEXT_MAX];
	struct conf *conf;

	(void)state;
	conf = check_text("Relay_Hosts = ( \"10.1.2.3/8\" \"2001:db8::/32\" \"[::1]\" )", &o, got,
			  sizeof got);
	assert_string_equal(got, "");
	assert_int_equal(o->value_read->blocks.count, 3);
	assert_string_equal(cidr_print(&o->value_read->blocks.blocks[0], text), "10.0.0.0/8");
	assert_string_equal(cidr_print(&o->value_read->blocks.blocks[1], text), "2001:db8::/32");
	assert_string_equal(cidr_print(&o->value_read->blocks.blocks[2], text),
			    "::1/128"); /* D74 */
	check_forget(conf);

	conf = check_text("Relay_Domains = ( \"Example.ORG\" \"*.x.org\" )", &o, got, sizeof got);
	assert_string_equal(got, "");
	assert_string_equal(o->value_read->domains.patterns[0], "example.org");
	assert_string_equal(o->value_read->domains.patterns[1], "*.x.org");
	check_forget(conf);

	conf = check_text("ESMTP_Listener { Context = [ a = \"1\" B = 2 ] }", &o, got, sizeof got);
	assert_string_equal(got, "");
	assert_true(ctx_get(&o->value_read->context, SLICE("B"), &value));
	assert_true(slice_equal(value, SLICE("2")));
	check_forget(conf);

	conf = check_text("Routes = ( \"a.example\" \"maildir:/x\" )", &o, got, sizeof got);
	assert_string_equal(got, "");
	assert_int_equal(o->value_read->count, 2);
	assert_string_equal(o->value_read->hops[1].name, "/x");
	check_forget(conf);

	conf = check_text("inbound_audit { ipv6_mask_map = ( \"24=64\" \"32 = 128\" ) }", &o, got,
			  sizeof got);
	assert_string_equal(got, "");
	assert_int_equal(o->value_read->count, 2);
	assert_int_equal(o->value_read->masks[0].from, 24);
	assert_int_equal(o->value_read->masks[1].to, 128);
	check_forget(conf);
}

/* --- what does not fit --- */

static void test_complains(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		/* names */
		{ "T1 unknown option, with the nearest", "ESMTP_Listener {\n  Idle_Tmie = 30 }",
		  "t.conf:2:3: unknown option Idle_Tmie, expected perhaps Idle_Time\n" },
		{ "T1 unknown option, nothing near", "Frobnicate = 1",
		  "t.conf:1:1: unknown option Frobnicate\n" },
		{ "T1 unknown scope, with the nearest", "EMSTP_Listener { }",
		  "t.conf:1:1: unknown scope EMSTP_Listener, expected perhaps ESMTP_Listener\n" },
		{ "T1 unknown scope, nothing near", "Frobnicate { }",
		  "t.conf:1:1: unknown scope Frobnicate\n" },
		{ "an option in the wrong scope", "ESMTP_Listener { Workers = 2 }",
		  "t.conf:1:18: Workers cannot stand in ESMTP_Listener, expected it at the top level\n" },
		{ "several scopes to choose from", "Idle_Time = 3",
		  "t.conf:1:1: Idle_Time cannot stand at the top level, expected it in ESMTP_Listener, in Listen "
		  "or in Peer\n" },
		{ "an option of either Listen", "Listen_Backlog = 5",
		  "t.conf:1:1: Listen_Backlog cannot stand at the top level, expected it in ESMTP_Listener, in "
		  "Listen or in Control_Listener\n" },
		{ "a scope in the wrong scope", "Peer \"10.0.0.0/8\" { }",
		  "t.conf:1:1: Peer cannot stand at the top level, expected it in ESMTP_Listener or in Listen\n" },
		{ "no Peer for consoles",
		  "Control_Listener { Listen \"/x\" { Peer \"::/0\" { } } }",
		  "t.conf:1:34: Peer cannot stand in Listen, expected it in ESMTP_Listener or in Listen\n" },
		{ "an option written as a scope", "Hostname { }",
		  "t.conf:1:1: Hostname is an option, expected '=' and a value\n" },
		{ "a scope written as an option", "ESMTP_Listener { Listen = \"*:25\" }",
		  "t.conf:1:18: Listen is a scope, expected '{' instead of '='\n" },
		{ "T2 there is no Pathway", "Pathway \"x\" { }\nESMTP_Listener { Pathway = \"x\" }",
		  "t.conf:1:1: Pathway is not available in Tidewaiter\n"
		  "t.conf:2:18: Pathway is not available in Tidewaiter\n" },
		{ "not yet",
		  "ESMTP_Listener { Allow_IP_Literal = \"x\" always_allow = true }\nECStream_Listener { Listen \"x\" { } }",
		  "t.conf:1:18: Allow_IP_Literal is not available yet\n"
		  "t.conf:1:41: always_allow is not available yet\n"
		  "t.conf:2:1: ECStream_Listener is not available yet\n" },
		{ "an extension that there is not",
		  "ESMTP_Listener { SMTP_Extensions = ( \"XCLIENT\" \"AUTH PLAIN\" \"X\" ) }",
		  "t.conf:1:48: SMTP_Extensions holds \"AUTH PLAIN\", AUTH is not available yet\n"
		  "t.conf:1:61: SMTP_Extensions holds \"X\", expected XCLIENT, XREMOTEIP, XSETCONTEXT or XDUMPCONTEXT\n" },
		{ "T14 PROXY and XCLIENT are the listener's",
		  "Proxy_Hosts = ( \"::1\" )\nESMTP_Listener { Peer \"::/0\" { XClient_Hosts = ( \"::1\" ) } }",
		  "t.conf:1:1: Proxy_Hosts cannot stand at the top level, expected it in ESMTP_Listener or in Listen\n"
		  "t.conf:2:32: XClient_Hosts cannot stand in Peer, expected it in ESMTP_Listener or in Listen\n" },
		{ "T14 max_bytes took the place of max_items", "inbound_audit { max_items = 5 }",
		  "t.conf:1:17: max_items is not available, a series is limited by max_bytes\n" },
		{ "T14 max_bytes below the least", "inbound_audit { max_bytes = 65535 }",
		  "t.conf:1:29: max_bytes is \"65535\", expected 65536 to 4294967296 octets\n" },
		{ "D39 reception_unit", "inbound_audit { reception_unit = \"mail\" }",
		  "t.conf:1:34: reception_unit is \"mail\", expected message or recipient\n" },
		{ "series_bound", "inbound_audit { series_bound = both }",
		  "t.conf:1:32: series_bound is \"both\", expected low or high\n" },
		{ "3.1 maintenance_interval is no spinning",
		  "inbound_audit { maintenance_interval = 0 }",
		  "t.conf:1:40: maintenance_interval is \"0\", expected at least 1 seconds\n" },
		{ "journal_days", "inbound_audit { journal_days = -1 }",
		  "t.conf:1:32: journal_days is \"-1\", expected a whole number\n" },
		{ "3.1 directories are the stanza's", "log_dir = \"/var/log\"",
		  "t.conf:1:1: log_dir cannot stand at the top level, expected it in inbound_audit\n" },
		{ "T6 accepted with a warning", "ESMTP_Listener { Reconfig_Message = \"4.3.2 x\" }",
		  "t.conf:1:18: warning: Reconfig_Message has no effect: a reload disturbs no session\n" },
		{ "D36 alerting is ignored", "alerting { anything = 3 }",
		  "t.conf:1:1: warning: alerting has no effect\n" },
		{ "D40 a name of inbound_audit is ignored", "inbound_audit \"x\" { }", "" },
		/* twice */
		{ "T1 an option twice", "Workers = 2\nworkers = 3",
		  "t.conf:2:1: Workers is set already at t.conf:1:1, expected it once\n" },
		{ "T1 a scope twice", "ESMTP_Listener { }\nesmtp_listener { }",
		  "t.conf:2:1: ESMTP_Listener is there already at t.conf:1:1, expected it once\n" },
		{ "T1 a title twice",
		  "ESMTP_Listener {\nListen \"*:25\" { }\nListen \"*:25\" { } }",
		  "t.conf:3:1: Listen \"*:25\" is there already at t.conf:2:1, expected it once\n" },
		{ "the same endpoint in other words",
		  "ESMTP_Listener {\nListen \"*:25\" { }\nListen \":25\" { } }",
		  "t.conf:3:1: Listen \":25\" is there already at t.conf:2:1, expected it once\n" },
		{ "the same block in other words",
		  "ESMTP_Listener {\nPeer \"10.0.0.0/8\" { }\nPeer \"10.1.2.3/8\" { } }",
		  "t.conf:3:1: Peer \"10.1.2.3/8\" is there already at t.conf:2:1, expected it once\n" },
		{ "the same domain in other words", "Domain \"a.org\" { }\nDomain \"A.ORG\" { }",
		  "t.conf:2:1: Domain \"A.ORG\" is there already at t.conf:1:1, expected it once\n" },
		{ "titles are not case-insensitive", "sieve \"a\" { }\nsieve \"A\" { }", "" },
		{ "D40 inbound_audit is one", "inbound_audit \"a\" { }\ninbound_audit \"b\" { }",
		  "t.conf:2:1: inbound_audit \"b\" is there already at t.conf:1:1, expected it once\n" },
		{ "2.3 only one scriptlet", "scriptlet \"a\" { }\nscriptlet \"b\" { }",
		  "t.conf:2:1: scriptlet \"b\" is there already at t.conf:1:1, expected it once\n" },
		{ "a key twice", "ESMTP_Listener { Context = [ a = 1 b = 2 a = 3 ] }",
		  "t.conf:1:42: Context holds \"a\", the key is there already\n" },
		/* titles */
		{ "a title missing", "ESMTP_Listener { Listen { } }",
		  "t.conf:1:18: Listen without a title, expected Listen \"..\" {\n" },
		{ "a title too many", "ESMTP_Listener \"x\" { }",
		  "t.conf:1:16: ESMTP_Listener with a title, expected ESMTP_Listener {\n" },
		{ "an IPv6 address without brackets", "ESMTP_Listener { Listen \"::1:25\" { } }",
		  "t.conf:1:25: Listen is \"::1:25\", an IPv6 address without brackets, expected [ADDRESS]:PORT\n" },
		{ "no port", "ESMTP_Listener { Listen \"127.0.0.1\" { } }",
		  "t.conf:1:25: Listen is \"127.0.0.1\", no port, expected ADDRESS:PORT\n" },
		{ "a port too large", "ESMTP_Listener { Listen \"*:65536\" { } }",
		  "t.conf:1:25: Listen is \"*:65536\", not a port, expected 1 to 65535\n" },
		{ "a block that is none", "ESMTP_Listener { Peer \"10.0.0.0/33\" { } }",
		  "t.conf:1:23: Peer is \"10.0.0.0/33\", the mask of an IPv4 block is 0 to 32\n" },
		{ "a domain that is none", "Domain \"a..org\" { }",
		  "t.conf:1:8: Domain is \"a..org\", expected a domain, or *. and a domain\n" },
		/* values */
		{ "T1 a leading zero", "Workers = 08",
		  "t.conf:1:11: Workers is \"08\", a number does not begin with 0\n" },
		{ "T1 a leading zero in a size", "Message_Memory = 0256K",
		  "t.conf:1:18: Message_Memory is \"0256K\", a number does not begin with 0\n" },
		{ "T1 a leading zero in a time", "Drain_Timeout = 030s",
		  "t.conf:1:17: Drain_Timeout is \"030s\", a number does not begin with 0\n" },
		{ "no number", "Workers = many",
		  "t.conf:1:11: Workers is \"many\", expected a whole number\n" },
		{ "a sign", "Workers = -2",
		  "t.conf:1:11: Workers is \"-2\", expected a whole number\n" },
		{ "a fraction", "Workers = 2.5",
		  "t.conf:1:11: Workers is \"2.5\", expected a whole number\n" },
		{ "out of range", "Workers = 257",
		  "t.conf:1:11: Workers is \"257\", expected 1 to 256\n" },
		{ "far out of range", "Workers = 99999999999999999999999",
		  "t.conf:1:11: Workers is \"99999999999999999999999\", the number is too large\n" },
		{ "a size with a wrong letter", "Message_Memory = 5X",
		  "t.conf:1:18: Message_Memory is \"5X\", expected a number, with K, M or G where wanted\n" },
		{ "a size too small", "Message_Memory = 1K",
		  "t.conf:1:18: Message_Memory is \"1K\", expected 4096 to 1073741824 octets\n" },
		{ "a size too large", "ESMTP_Listener { Max_Message_Size = 9999999999G }",
		  "t.conf:1:37: Max_Message_Size is \"9999999999G\", the number is too large\n" },
		{ "a time with a wrong letter", "Drain_Timeout = 5y",
		  "t.conf:1:17: Drain_Timeout is \"5y\", expected seconds, or a number with s, m, h or d\n" },
		{ "a time too long", "Drain_Timeout = 50d",
		  "t.conf:1:17: Drain_Timeout is \"50d\", expected at most 49 days\n" },
		{ "a time too long by a fraction", "Drain_Timeout = 49.9d",
		  "t.conf:1:17: Drain_Timeout is \"49.9d\", expected at most 49 days\n" },
		{ "a time far too long", "Drain_Timeout = 18446744073709551615d",
		  "t.conf:1:17: Drain_Timeout is \"18446744073709551615d\", the number is too large\n" },
		{ "a time without digits", "Drain_Timeout = 5.s",
		  "t.conf:1:17: Drain_Timeout is \"5.s\", expected seconds, or a number with s, m, h or d\n" },
		{ "no boolean", "Require_EHLO = yes",
		  "t.conf:1:16: Require_EHLO is \"yes\", expected on or off, true or false, enabled or disabled, 1 or "
		  "0\n" },
		{ "no choice", "Log_Format = xml",
		  "t.conf:1:14: Log_Format is \"xml\", expected text or json\n" },
		{ "no mode", "ESMTP_Listener { File_Mode = 0888 }",
		  "t.conf:1:30: File_Mode is \"0888\", expected an octal number up to 0777\n" },
		{ "no host name", "Hostname = \"a b\"",
		  "t.conf:1:12: Hostname is \"a b\", expected a host name\n" },
		{ "no banner", "ESMTP_Listener { Static_Banner = \"hello\" }",
		  "t.conf:1:34: Static_Banner is \"hello\", expected a banner that begins with 220\n" },
		{ "an empty path", "State_Dir = \"\"",
		  "t.conf:1:13: State_Dir is \"\", expected a path\n" },
		{ "a list for a value", "Workers = ( 1 )",
		  "t.conf:1:11: Workers is a list, expected a whole number\n" },
		{ "a value for a list", "Relay_Domains = \"a.org\"",
		  "t.conf:1:17: Relay_Domains is a single value, expected a list of domains: ( \"..\" \"..\" )\n" },
		{ "a list for a dictionary", "ESMTP_Listener { Context = ( a ) }",
		  "t.conf:1:28: Context is a list, expected a dictionary: [ key = \"..\" ]\n" },
		{ "items one by one", "Relay_Hosts = ( \"10.0.0.0/33\" \"::1\" \"host\" )",
		  "t.conf:1:17: Relay_Hosts holds \"10.0.0.0/33\", the mask of an IPv4 block is 0 to 32\n"
		  "t.conf:1:37: Relay_Hosts holds \"host\", not an IPv4 or IPv6 address\n" },
		{ "no glob inside", "Relay_Domains = ( \"a.*.org\" \"*\" )",
		  "t.conf:1:19: Relay_Domains holds \"a.*.org\", expected a domain, or *. and a domain\n"
		  "t.conf:1:29: Relay_Domains holds \"*\", expected a domain, or *. and a domain\n" },
		{ "Gateway without brackets", "Gateway = \"2001:db8::1:25\"",
		  "t.conf:1:11: Gateway is \"2001:db8::1:25\", an IPv6 address without brackets, expected [ADDRESS] or [ADDRESS]:PORT\n" },
		{ "Routes without brackets", "Routes = ( \"2001:db8::1\" )",
		  "t.conf:1:12: Routes holds \"2001:db8::1\", an IPv6 address without brackets, expected [ADDRESS] or [ADDRESS]:PORT\n" },
		{ "a monitor that is none",
		  "inbound_audit { monitors = ( \"300\" \"0,5\" \"300,6\" ) }",
		  "t.conf:1:30: monitors holds \"300\", a monitor is \"SECONDS,WINDOWS\"\n"
		  "t.conf:1:36: monitors holds \"0,5\", a monitor's SECONDS are 1 to 31622400\n" },
		{ "T1 a monitor with a leading zero",
		  "inbound_audit { monitors = ( \"0300,6\" \"300, 06\" \"60,10\" ) }",
		  "t.conf:1:30: monitors holds \"0300,6\", a number does not begin with 0\n"
		  "t.conf:1:39: monitors holds \"300, 06\", a number does not begin with 0\n" },
		{ "D53 a monitor twice, blanks aside",
		  "inbound_audit { monitors = ( \"300,6\" \"60,1\" \" 300 , 6 \" ) }",
		  "t.conf:1:45: monitors holds \" 300 , 6 \", which is \"300,6\" at t.conf:1:30 again, expected it once\n" },
		{ "monitors without end",
		  "inbound_audit { monitors = ( \"1,1\" \"2,1\" \"3,1\" \"4,1\" \"5,1\" \"6,1\" \"7,1\" \"8,1\"\n"
		  "\"9,1\" \"10,1\" \"11,1\" \"12,1\" \"13,1\" \"14,1\" \"15,1\" \"16,1\" \"17,1\" ) }",
		  "t.conf:2:56: monitors holds \"17,1\", expected at most 16 monitors\n" },
		{ "D45 a mask that would be two", "inbound_audit { ipv6_mask_map = ( \"24=64\" \"24=48\" ) }",
		  "t.conf:1:43: ipv6_mask_map holds \"24=48\", expected each FROM once\n" },
		{ "a mask that is none", "inbound_audit { ipv6_mask_map = ( \"24=129\" ) }",
		  "t.conf:1:35: ipv6_mask_map holds \"24=129\", expected FROM=TO with FROM up to 32 and TO up to 128\n" },
	};
	struct conf_option *o;
	char got[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_forget(check_text(cases[i].text, &o, got, sizeof got));
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s:\n got: %s\nwant: %s", cases[i].name, got, cases[i].want);
	}
}

/* --- what is printed --- */

static char *slurp(FILE *f)
{
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void test_printed(void **state)
{
	static const struct {
		const char *file, *format;
	} cases[] = {
		{ "docs/configuration.md", "md" },
		{ "man/tidewaiter.conf.5", "mdoc" },
		{ "etc/tidewaiter.conf", "sample" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		FILE *f = tmpfile();
		char *want, *got;

		assert_int_equal(options_print(cases[i].format, f), 0);
		rewind(f);
		want = slurp(f);
		got = slurp(fopen(cases[i].file, "r"));
		if (strcmp(got, want) != 0)
			fail_msg("%s is not what the table says: make docs", cases[i].file);
		free(want);
		free(got);
	}
	assert_int_not_equal(options_print("html", stdout), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_booleans),  cmocka_unit_test(test_lists),
		cmocka_unit_test(test_complains), cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
