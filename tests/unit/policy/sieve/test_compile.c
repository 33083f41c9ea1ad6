#include "policy/sieve/world.h"

#include "policy/sieve/program.h"

static const struct {
	const char *name;
	const char *script;
	const char *want_dump; /* "number line: operation" */
} cases[] = {
	{ "nothing", "", "0 0: end\n" },
	{ "published",
	  "($n) = audit_service \"SMTP\" \"/32\";\n"
	  "if ec_test :value \"gt\" :comparator \"i;ascii-numeric\" \"${n}\" \"1000\" {\n"
	  "  ec_tarpit 10 \"many\";\n"
	  "}\n",
	  "0 1: constant \"SMTP\"\n1 1: constant \"/32\"\n2 1: call audit_service/2\n3 1: spread "
	  "1\n"
	  "4 1: store $n\n5 2: if\n6 2: string-of $n\n7 2: constant \"1000\"\n"
	  "8 2: match :value gt i;ascii-numeric\n9 2: jump-unless -> 15\n10 2: enter\n"
	  "11 3: constant 10\n12 3: constant \"many\"\n13 3: call ec_tarpit/2\n14 3: drop\n15 3: "
	  "end\n" },
	{ "texts and lists",
	  "$a = \"x${b}%{i}\"; $l = [\"a\", \"b\"]; $m = [$a, \"b\"]; $e = $l[$i];",
	  "0 1: text \"x\" ${b} %{i}\n1 1: store $a\n2 1: constant [ \"a\" \"b\" ]\n3 1: store $l\n"
	  "4 1: variable $a\n5 1: constant \"b\"\n6 1: list 2\n7 1: store $m\n8 1: variable $l\n"
	  "9 1: variable $i\n10 1: index\n11 1: store $e\n12 1: end\n" },
	{ "if, elsif, else", "if true { stop; } elsif false { keep; } else { ec_include \"x\"; }",
	  "0 1: if\n1 1: set 1\n2 1: jump-unless -> 8\n3 1: enter\n4 1: stop\n5 1: constant \"\"\n"
	  "6 1: drop\n7 1: jump -> 18\n8 1: if\n9 1: set 0\n10 1: jump-unless -> 15\n11 1: enter\n"
	  "12 1: call keep/0 ends\n13 1: drop\n14 1: jump -> 18\n15 1: enter\n16 1: constant "
	  "\"x\"\n"
	  "17 1: include\n18 1: end\n" },
	{ "logic",
	  "if allof (true, anyof (false, not is_true $x), envelope :domain :regex \"to\" \"x$\") { "
	  "}",
	  "0 1: if\n1 1: set 1\n2 1: jump-unless -> 14\n3 1: set 0\n4 1: jump-if -> 9\n"
	  "5 1: variable $x\n6 1: call is_true/1\n7 1: truth\n8 1: not\n9 1: jump-unless -> 14\n"
	  "10 1: constant \"to\"\n11 1: call envelope:domain/1\n12 1: constant \"x$\"\n"
	  "13 1: match :regex - i;octet compiled\n14 1: jump-unless -> 16\n15 1: enter\n16 1: "
	  "end\n" },
	{ "constants are interned",
	  "ec_log \"a\"; ec_log \"b\"; ec_log \"a\"; if vctx \"a\" \"b\" { }",
	  "0 1: constant \"a\"\n1 1: call ec_log/1\n2 1: drop\n3 1: constant \"b\"\n4 1: call "
	  "ec_log/1\n"
	  "5 1: drop\n6 1: constant \"a\"\n7 1: call ec_log/1\n8 1: drop\n9 1: if\n10 1: constant "
	  "\"a\"\n"
	  "11 1: call vctx/1\n12 1: constant \"b\"\n13 1: match :value eq i;octet\n14 1: "
	  "jump-unless -> 16\n"
	  "15 1: enter\n16 1: end\n" },
};

static void dumps(void **state)
{
	const struct sieve_target target = { .phase = PHASE_DATA, .has_inbound_audit = true };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct symbols *symbols = sieve_symbols_new();
		struct complaints complaints;
		struct program *program;
		struct buf got;

		complaints_init(&complaints);
		buf_init(&got, 0);
		program = sieve_program_new("a.sieve", slice_of(cases[i].script), &target, symbols,
					    &complaints);
		complaints_print(&complaints, stderr);
		assert_non_null(program);
		assert_true(sieve_dump(program, symbols, &got));
		if (strcmp(buf_text(&got), cases[i].want_dump) != 0)
			fail_msg("%s:\nwant: %s\ngot:  %s", cases[i].name, cases[i].want_dump,
				 buf_text(&got));
		if (strcmp(cases[i].name, "constants are interned") == 0)
			assert_int_equal(program->constant_count, 2);
		buf_free(&got);
		sieve_program_unref(program);
		sieve_symbols_free(symbols);
		complaints_free(&complaints);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(dumps) };

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
