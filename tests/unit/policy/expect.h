/* What tests of policy and of its languages begin with. */
#ifndef TEST_POLICY_EXPECT_H
#define TEST_POLICY_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* NULL: none. */
static inline struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	if (text != NULL)
		assert_null(addr_parse(slice_of(text), &addr));
	return addr;
}

/* Empties it, too. */
static inline void expect_text(const char *name, struct buf *got, const char *want)
{
	if (!slice_equal(buf_slice(got), slice_of(want)))
		fail_msg("%s: want \"%s\", got \"%s\"", name, want, buf_text(got));
	buf_clear(got);
}

#endif
