/* The known name that was probably meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/nearest.h"

static void test_nearest(void **state)
{
	static const char *const known[] = { "count", "top", "stop", "status", "who", "Relay_Hosts",
					     "Relay_Domains" };
	static const struct {
		const char *given;
		const char *want;
	} cases[] = {
		{ "count", "count" },	      { "cuont", "count" },	    { "coun", "count" },
		{ "countt", "count" },	      { "COUNT", "count" },	    { "tpo", "top" },
		{ "sotp", "stop" },	      { "stat", "stop" },	    { "statsu", "status" },
		{ "relay_host", "Relay_Hosts" }, { "Relay_Domain", "Relay_Domains" },
		{ "", NULL },		      { "x", NULL },		    { "completely", NULL },
	};
	char longer[NEAREST_LEN_MAX + 2];
	struct nearest n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		nearest_begin(&n, slice_of(cases[i].given));
		for (size_t k = 0; k < sizeof known / sizeof *known; k++)
			nearest_try(&n, known[k]);
		if ((n.name == NULL) != (cases[i].want == NULL) ||
		    (n.name != NULL && strcmp(n.name, cases[i].want) != 0))
			fail_msg("\"%s\": %s", cases[i].given, n.name ? n.name : "none");
	}

	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	nearest_begin(&n, slice_of(longer));
	nearest_try(&n, longer);
	assert_null(n.name);
	nearest_begin(&n, slice_of("shwo"));
	nearest_try_as(&n, SLICE("show"), "show inbound");
	assert_string_equal(n.name, "show inbound");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nearest) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
