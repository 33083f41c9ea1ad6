#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "policy/lua/lua_source.h"

static void test_dialect(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *want; /* NULL: refused */
		unsigned want_line;
	} cases[] = {
		{ "D92 !=", "if a != b then end", "if a ~= b then end", 0 },
		{ "without blanks", "a!=b", "a~=b", 0 },
		{ "at the ends", "!=", "~=", 0 },
		{ "Lua's own", "a ~= b == c", "a ~= b == c", 0 },
		{ "in a string", "x = '!=' .. \"a != b\"", "x = '!=' .. \"a != b\"", 0 },
		{ "after a quoted quote", "x = 'it\\'s' a != b", "x = 'it\\'s' a ~= b", 0 },
		{ "after a quoted backslash", "x = '\\\\' a != '!='", "x = '\\\\' a ~= '!='", 0 },
		{ "in a long string", "x = [[ a != b ]] != [==[ ]] != ]=] ]==] != 1",
		  "x = [[ a != b ]] ~= [==[ ]] != ]=] ]==] ~= 1", 0 },
		{ "in a comment", "-- a != b\na != b", "-- a != b\na ~= b", 0 },
		{ "in a long comment", "--[[ a != b\n != ]] a != b", "--[[ a != b\n != ]] a ~= b",
		  0 },
		{ "in a long comment of a level", "--[=[ ]] != ]=] a != b",
		  "--[=[ ]] != ]=] a ~= b", 0 },
		{ "a bracket that is none", "a[b[1]] != 1 --[ != \n != 2",
		  "a[b[1]] ~= 1 --[ != \n ~= 2", 0 },
		{ "an unclosed string", "x = 'a != b\ny != 1", "x = 'a != b\ny ~= 1", 0 },
		{ "an unclosed long string", "x = [==[ != ]=]", "x = [==[ != ]=]", 0 },
		{ "an open end", "x = [=", "x = [=", 0 },
		{ "a backslash at the end", "x = '\\", "x = '\\", 0 },
		{ "a minus at the end", "x -", "x -", 0 },
		{ "#!", "#!/usr/bin/lua & | !=\na != b", "#!/usr/bin/lua & | !=\na ~= b", 0 },
		{ "nothing", "", "", 0 },
		{ "and", "\nx = a & b", NULL, 2 },
		{ "or", "--[[\n\n]] x = a | b", NULL, 3 },
		{ "exclusive or", "x = a ^^ b", NULL, 1 },
		{ "power is no integer operator", "x = a ^ b", "x = a ^ b", 0 },
		{ "shifts", "x = '\\\n' y = a << b", NULL, 2 },
		{ "less is no shift", "x = a < b", "x = a < b", 0 },
		{ "not", "x = ~a", NULL, 1 },
		{ "division", "x = a \\ b", NULL, 1 },
		{ "operators in strings", "x = '& | ^^ ~' -- & | \\", "x = '& | ^^ ~' -- & | \\",
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].text);
		char *text = mem_strdup(cases[i].text);
		const char *instead;
		unsigned line;
		bool good = lua_dialect(text, len, &line, &instead);

		if (good != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].name, good ? "accepted" : instead);
		if (good && strcmp(text, cases[i].want) != 0)
			fail_msg("%s: want \"%s\", got \"%s\"", cases[i].name, cases[i].want, text);
		if (!good && line != cases[i].want_line)
			fail_msg("%s: want line %u, got %u", cases[i].name, cases[i].want_line,
				 line);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
