#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"

/* Every octet, against the list of those that are. */
static void test_octets(void **state)
{
	static const char digits[] = "0123456789", upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			  lower[] = "abcdefghijklmnopqrstuvwxyz";

	(void)state;
	for (int octet = 0; octet < 256; octet++) {
		char c = (char)octet;
		const char *big = memchr(upper, c, 26);
		bool want_letter = big != NULL || memchr(lower, c, 26) != NULL;

		if (ascii_is_digit(c) != (memchr(digits, c, 10) != NULL) ||
		    ascii_is_letter(c) != want_letter ||
		    ascii_lower(c) != (big != NULL ? lower[big - upper] : c) ||
		    ascii_is_control(c) != (octet < 32 || octet == 127))
			fail_msg("octet %d", octet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
