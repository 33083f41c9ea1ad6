#include "policy/sieve/world.h"

#include "policy/sieve/text.h"

/* Parts as "text", ${name}, %{name}. */
static const struct {
	const char *name;
	const char *raw;
	bool is_multiline;
	const char *want_parts;
} cases[] = {
	{ "empty", "", false, "" },
	{ "plain", "abc", false, "\"abc\"" },
	{ "a backslash quotes the next character and is dropped", "\\\"\\\\\\n\\.", false,
	  "\"\"\\n.\"" },
	{ "variable", "${a}", false, "${a}" },
	{ "between texts", "x${a}y%{b:c[1]}z", false, "\"x\"${a}\"y\"%{b:c[1]}\"z\"" },
	{ "side by side", "${a}${b}%{i}", false, "${a}${b}%{i}" },
	{ "D3 no braces, no variable", "$a %i", false, "\"$a %i\"" },
	{ "D104 escaped", "\\${a} \\%{b} $\\{a}", false, "\"${a} %{b} ${a}\"" },
	{ "D104 an escaped backslash does not escape", "\\\\${a}", false, "\"\\\"${a}" },
	{ "D12 inside out", "${${a}}", false, "\"${\"${a}\"}\"" },
	{ "not a plain name", "${a b} ${} ${1} ${a[0]}", false, "\"${a b} ${} ${1} ${a[0]}\"" },
	{ "not closed", "${a %{b", false, "\"${a %{b\"" },
	{ "D104 macro with an escape inside stays text", "%{a\\}b}", false, "\"%{a}b}\"" },
	{ "stuffed dots", "..a\n.b\n..\n", true, "\".a\n.b\n.\n\"" },
	{ "no escapes in text:", "\\d \\\" ${a}", true, "\"\\d \\\" \"${a}" },
	{ "D104 in text:", "\\${a} \\%{b} \\$x", true, "\"${a} %{b} \\$x\"" },
};

static void parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static const char *const around[][2] = { { "\"", "\"" },
							 { "${", "}" },
							 { "%{", "}" } };
		struct token token = { .type = cases[i].is_multiline ? TOKEN_MULTILINE
								     : TOKEN_STRING,
				       .text = slice_of(cases[i].raw) };
		struct arena arena;
		struct text text;
		struct buf got;

		arena_init(&arena, SIZE_MAX);
		buf_init(&got, 0);
		assert_null(sieve_text_parse(&arena, &token, &text));
		for (unsigned n = 0; n < text.count; n++)
			assert_true(buf_printf(&got, "%s%.*s%s", around[text.parts[n].kind][0],
					       SLICE_ARGS(text.parts[n].text),
					       around[text.parts[n].kind][1]));
		if (!slice_equal(buf_slice(&got), slice_of(cases[i].want_parts)))
			fail_msg("%s: want %s, got %s", cases[i].name, cases[i].want_parts,
				 buf_text(&got));
		buf_free(&got);
		arena_free(&arena);
	}
}

static const char *parse_many(const char *piece, unsigned times)
{
	struct token token = { .type = TOKEN_STRING };
	struct arena arena;
	struct text text;
	struct buf raw;
	const char *wrong;

	arena_init(&arena, SIZE_MAX);
	buf_init(&raw, 0);
	while (times-- > 0)
		assert_true(buf_add(&raw, piece, strlen(piece)));
	token.text = buf_slice(&raw);
	wrong = sieve_text_parse(&arena, &token, &text);
	buf_free(&raw);
	arena_free(&arena);
	return wrong;
}

static void limits(void **state)
{
	(void)state;
	assert_null(parse_many("x", 65536));
	assert_string_equal(parse_many("x", 65537), "string of more than 65536 bytes");
	assert_null(parse_many("${a}", 128));
	assert_string_equal(parse_many("${a}", 129), "string with more than 128 parts");
	assert_string_equal(parse_many("x${a}", 65), "string with more than 128 parts");
	assert_null(parse_many("${", 32000));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parts), cmocka_unit_test(limits) };

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
