/* Rows for people and as JSON: nothing that a peer said can make a row of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/view.h"

static const struct log_field row_a[] = { LOG_STR("text", "a"), LOG_INT("n", 1), LOG_END };
static const struct log_field row_b[] = { LOG_STR("text", "b"), LOG_INT("n", -2), LOG_END };

static void list(struct view *v)
{
	view_row(v, NULL, "HEADING");
	view_row(v, row_a, "a %d", 1);
	view_row(v, row_b, NULL);
}

static void nothing(struct view *v)
{
	(void)v;
}

static void object(struct view *v)
{
	view_row(v, row_a, "a %d", 1);
	view_section(v, "empty");
	view_section(v, "list");
	view_row(v, row_a, "in %s", "list");
	view_row(v, row_b, "b");
	view_section(v, NULL);
	view_row(v, (struct log_field[]){ LOG_INT("last", 3), LOG_END }, "last");
}

static void hostile(struct view *v)
{
	const char *said = "x\r\n. 0\t\x1b\"\\\xff\x7f";

	view_row(v, (struct log_field[]){ LOG_STR("said", said), LOG_END }, "%s", said);
}

static const struct {
	const char *name;
	void (*rows)(struct view *v);
	enum view_shape shape;
	const char *want_text;
	const char *want_json;
} cases[] = {
	{ "list", list, VIEW_LIST, "HEADING\na 1\n",
	  "[{\"text\":\"a\",\"n\":1},\n{\"text\":\"b\",\"n\":-2}]\n" },
	{ "empty list", nothing, VIEW_LIST, "", "[]\n" },
	{ "empty object", nothing, VIEW_OBJECT, "", "{}\n" },
	{ "object", object, VIEW_OBJECT, "a 1\nin list\nb\nlast\n",
	  "{\"text\":\"a\",\"n\":1,\n\"empty\":[],\n\"list\":[{\"text\":\"a\",\"n\":1},\n"
	  "{\"text\":\"b\",\"n\":-2}],\n\"last\":3}\n" },
	{ "hostile", hostile, VIEW_LIST, "x\\x0d\\x0a. 0\\x09\\x1b\"\\\xff\\x7f\n",
	  "[{\"said\":\"x\\r\\n. 0\\t\\u001B\\\"\\\\?\x7f\"}]\n" },
};

static void check(const char *name, bool json, enum view_shape shape, void (*rows)(struct view *v),
		  const char *want)
{
	struct buf out;
	struct view v;

	buf_init(&out, 0);
	view_begin(&v, &out, json, shape);
	rows(&v);
	view_end(&v);
	view_end(&v);
	assert_false(v.full);
	if (!slice_equal(buf_slice(&out), slice_of(want)))
		fail_msg("%s: got <%s>, wanted <%s>", name, buf_text(&out), want);
	buf_free(&out);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check(cases[i].name, false, cases[i].shape, cases[i].rows, cases[i].want_text);
		check(cases[i].name, true, cases[i].shape, cases[i].rows, cases[i].want_json);
	}
}

static void test_full(void **state)
{
	struct buf out;
	struct view v;

	(void)state;
	for (size_t max = 1; max < 60; max++) {
		buf_init(&out, max);
		view_begin(&v, &out, max % 2, VIEW_OBJECT);
		object(&v);
		view_end(&v);
		assert_true(out.len <= max);
		assert_true(v.full == (out.len < (max % 2 ? strlen(cases[3].want_json)
							  : strlen(cases[3].want_text))));
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
