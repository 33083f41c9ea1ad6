/* XCLIENT's attributes, well and badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "smtp/xclient.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT", "-" for what was not said. */
static void describe(const struct xclient *x, char *out, size_t size)
{
	char addr[ADDR_TEXT_MAX], dest[ADDR_TEXT_MAX];
	const char *texts[] = { x->name, x->helo, x->login };

	for (size_t i = 0; i < COUNT(texts); i++)
		texts[i] = texts[i][0] != '\0' ? texts[i] : "-";
	snprintf(out, size, "%s %s %u %s %s %s %s %u", texts[0], addr_print(&x->addr, addr),
		 x->port, x->is_esmtp ? "ESMTP" : "SMTP", texts[1], texts[2],
		 addr_print(&x->dest_addr, dest), x->dest_port);
}

static void test_xclient(void **state)
{
	static const struct {
		const char *name, *args, *want;
	} cases[] = {
		{ "whole",
		  "NAME=mx.example.net ADDR=192.0.2.7 PORT=12345 PROTO=ESMTP HELO=relay LOGIN=me "
		  "DESTADDR=198.51.100.9 DESTPORT=25",
		  "mx.example.net 192.0.2.7 12345 ESMTP relay me 198.51.100.9 25" },
		{ "case of the names", "name=a.example addr=192.0.2.7 proto=esmtp",
		  "a.example 192.0.2.7 0 ESMTP - - none 0" },
		{ "IPv6", "ADDR=IPV6:2001:db8::7 DESTADDR=ipv6:2001:db8::9",
		  "- 2001:db8::7 0 SMTP - - 2001:db8::9 0" },
		{ "IPv6 without its mark", "ADDR=2001:db8::7", "- 2001:db8::7 0 SMTP - - none 0" },
		{ "D105 IPv4-mapped", "ADDR=IPV6:::ffff:192.0.2.7",
		  "- 192.0.2.7 0 SMTP - - none 0" },
		{ "unavailable",
		  "NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] "
		  "LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]",
		  "- none 0 SMTP - - none 0" },
		{ "for now", "NAME=[tempunavail] ADDR=192.0.2.7", "- 192.0.2.7 0 SMTP - - none 0" },
		{ "decoded", "ADDR=1+392.0.2.7 HELO=a+20b LOGIN=a+2Bb+3Dc",
		  "- 192.0.2.7 0 SMTP a b a+b=c none 0" },
		{ "the last one holds", "ADDR=192.0.2.7 ADDR=192.0.2.8",
		  "- 192.0.2.8 0 SMTP - - none 0" },
		{ "the last one is not known", "NAME=a.example NAME=[UNAVAILABLE]",
		  "- none 0 SMTP - - none 0" },
		{ "blanks", "PORT=1   DESTPORT=2", "- none 1 SMTP - - none 2" },
		{ "login in UTF-8", "LOGIN=+C3+A9", "- none 0 SMTP - \xc3\xa9 none 0" },

		{ "nothing", "", "501 5.5.4 Syntax: XCLIENT attribute=value..." },
		{ "no equals sign", "ADDR", "501 5.5.4 Error: attribute=value expected" },
		{ "no value", "ADDR=", "501 5.5.4 Error: attribute=value expected" },
		{ "no name", "=192.0.2.7", "501 5.5.4 Error: attribute=value expected" },
		{ "the second is none", "PORT=1 x", "501 5.5.4 Error: attribute=value expected" },
		{ "unknown name", "FOO=bar", "501 5.5.4 Bad XCLIENT attribute name" },
		{ "bad xtext", "HELO=a+2", "501 5.5.4 Bad attribute value syntax" },
		{ "equals sign in the value", "LOGIN=a=b", "501 5.5.4 Bad attribute value syntax" },
		{ "address cut", "ADDR=192.0.2", "501 5.5.4 Bad ADDR syntax" },
		{ "address in brackets", "ADDR=[192.0.2.7]", "501 5.5.4 Bad ADDR syntax" },
		{ "address that is a name", "ADDR=localhost", "501 5.5.4 Bad ADDR syntax" },
		{ "IPv4 as IPv6", "ADDR=IPV6:192.0.2.7", "501 5.5.4 Bad ADDR syntax" },
		{ "a block", "ADDR=192.0.2.0/24", "501 5.5.4 Bad ADDR syntax" },
		{ "port too high", "PORT=65536", "501 5.5.4 Bad PORT syntax" },
		{ "port is a word", "PORT=smtp", "501 5.5.4 Bad PORT syntax" },
		{ "LMTP", "PROTO=LMTP", "501 5.5.4 Bad PROTO syntax" },
		{ "name is an address", "NAME=192.0.2.7", "501 5.5.4 Bad NAME syntax" },
		{ "name with a blank", "NAME=a+20b", "501 5.5.4 Bad NAME syntax" },
		{ "name with a bracket", "NAME=a]", "501 5.5.4 Bad NAME syntax" },
		{ "HELO with a line's end", "HELO=a+0D+0AMAIL", "501 5.5.4 Bad HELO syntax" },
		{ "login with a NUL", "LOGIN=a+00b", "501 5.5.4 Bad LOGIN syntax" },
		{ "login in half a character", "LOGIN=+C3", "501 5.5.4 Bad LOGIN syntax" },
		{ "destination", "DESTADDR=x", "501 5.5.4 Bad DESTADDR syntax" },
		{ "destination's port", "DESTPORT=-1", "501 5.5.4 Bad DESTPORT syntax" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct xclient x;
		syntax_fault fault = xclient_parse(slice_of(cases[i].args), &x);
		char got[1024];

		if (fault == NULL)
			describe(&x, got, sizeof got);
		if (strcmp(fault != NULL ? fault : got, cases[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", cases[i].name,
				 fault != NULL ? fault : got, cases[i].want);
	}
}

static void test_xclient_lengths(void **state)
{
	static const char *const names[] = { "HELO=", "LOGIN=" };
	char args[SMTP_COMMAND_MAX];
	struct xclient x;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t len = (size_t)snprintf(args, sizeof args, "%s", names[i]);

		memset(args + len, 'x', SMTP_DOMAIN_MAX + 1);
		assert_null(xclient_parse((struct slice){ args, len + SMTP_DOMAIN_MAX }, &x));
		assert_non_null(
			xclient_parse((struct slice){ args, len + SMTP_DOMAIN_MAX + 1 }, &x));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xclient),
		cmocka_unit_test(test_xclient_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
