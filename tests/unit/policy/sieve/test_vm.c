#include "policy/sieve/world.h"

#define SAY "log a.sieve:"

static const struct {
	const char *name;
	const char *script;
	uint64_t count; /* what every block holds */
	const char *want_told;
} cases[] = {
	/* Values and what they turn into (1.3). */
	{ "assignment", "$a = \"x\"; $b = $a; $a = \"y\"; ec_log \"${a}${b}\";", 0, SAY "1: yx\n" },
	{ "number as text", "$a = 2K; ec_log $a; ec_log \"${a}!\";", 0,
	  SAY "1: 2048\n" SAY "1: 2048!\n" },
	{ "D1 text that looks like a number", "$a = -1.5; $t = type $a; ec_log \"${t} ${a}\";", 0,
	  SAY "1: string -1.5\n" },
	{ "types",
	  "$h = hash_create; $l = [\"a\"]; $n = 1; ($a, $b) = \"x\"; $t = type $h; $u = type $l; "
	  "$v = type $n; $w = type $unset;"
	  "ec_log \"${t} ${u} ${v} ${w}\";",
	  0, SAY "1: hash stringlist number string\n" },
	{ "D6 list as text", "$a = [\"x\", \"y\"]; $e = []; ec_log \"<${a}> <${e}>\";", 0,
	  SAY "1: <x> <>\n" },
	{ "D7 spread", "($a, $b, $c) = [\"x\", \"y\"]; ec_log \"<${a}><${b}><${c}>\";", 0,
	  SAY "1: <x><y><>\n" },
	{ "D7 spread drops what is over", "($a) = [\"x\", \"y\"]; ec_log \"${a}\";", 0,
	  SAY "1: x\n" },
	{ "D7 spread of a plain string", "($a, $b) = \"x\"; ec_log \"<${a}><${b}>\";", 0,
	  SAY "1: <x><>\n" },
	{ "D7 spread of an unset variable", "($a) = $nothing; ec_log \"<${a}>\";", 0,
	  SAY "1: <>\n" },
	{ "D7 spread of a hash", "$h = hash_create; ($a) = $h;", 0,
	  "error 421 \"a hash is not a list\" a.sieve:1\n" },
	{ "D7 the last of two of one name wins", "($a, $a) = [\"x\", \"y\"]; ec_log \"${a}\";", 0,
	  SAY "1: y\n" },
	{ "D8 subscripts",
	  "$a = [\"x\", \"y\"]; $i = 1; $b = $a[0]; $c = $a[$i]; $d = $a[\"1\"]; $e = $a[2]; "
	  "ec_log \"${b}${c}${d}<${e}>\";",
	  0, SAY "1: xyy<>\n" },
	{ "D8 subscript of a string", "$a = \"x\"; $b = $a[0]; $c = $a[1]; ec_log \"${b}<${c}>\";",
	  0, SAY "1: x<>\n" },
	{ "D8 subscript of an unset variable", "$b = $a[0]; ec_log \"<${b}>\";", 0, SAY "1: <>\n" },
	{ "subscript that is no number", "$a = [\"x\"]; $b = $a[\"k\"];", 0,
	  "error 421 \"the text is not a number\" a.sieve:1\n" },
	{ "hash",
	  "$h = hash_create; hash_set $h \"k\" \"v\"; $k = \"k\"; $a = $h[\"k\"]; $b = $h[$k]; $c "
	  "= $h[\"K\"]; ec_log \"${a}${b}<${c}>\";",
	  0, SAY "1: vv<>\n" },
	{ "hash wants strings", "$h = hash_create; $a = $h[0];", 0,
	  "error 421 \"the key of a hash is a string\" a.sieve:1\n" },
	{ "D9 unset as a hash", "$a = $h[\"k\"];", 0,
	  "error 421 \"an unset variable is not a hash\" a.sieve:1\n" },
	{ "D9 unset as a number", "ec_tarpit $n;", 0,
	  "error 421 \"argument 1 of ec_tarpit: an unset variable is not a number\" a.sieve:1\n" },
	{ "D9 unset as text", "ec_log $n; ec_log \"<${n}>\";", 0, SAY "1: \n" SAY "1: <>\n" },
	{ "D10 hashes are references",
	  "$h = hash_create; $g = $h; hash_set $g \"k\" \"v\"; $a = $h[\"k\"]; ec_log $a;", 0,
	  SAY "1: v\n" },
	{ "hash inside a text is nothing",
	  "$h = hash_create; ec_log \"<${h}>\"; ec_log \"a${h}b\";", 0,
	  SAY "1: <>\n" SAY "1: ab\n" },
	{ "hash as a string", "$h = hash_create; ec_log $h;", 0,
	  "error 421 \"argument 1 of ec_log: a hash is not a string\" a.sieve:1\n" },
	{ "list of variables",
	  "$a = 5; $b = [$a, \"x${a}\", \"y\"]; $c = join \",\" $b; ec_log $c;", 0,
	  SAY "1: 5,x5,y\n" },
	{ "function that gives nothing", "$a = \"x\"; $a = ec_tarpit 0; ec_log \"<${a}>\";", 0,
	  SAY "1: <>\n" },
	{ "variables are case-sensitive (D2)", "$a = \"x\"; $A = \"y\"; ec_log \"${a}${A}\";", 0,
	  SAY "1: xy\n" },
	/* Interpolation (1.4). */
	{ "D3 no braces", "$x = 1; ec_log \"$x %i\";", 0, SAY "1: $x %i\n" },
	{ "D12 one pass", "$b = \"z\"; $a = \"${b}\"; $c = \"\\${b}\"; ec_log \"${a} ${c} ${d}\";",
	  0, SAY "1: z ${b} \n" },
	{ "D13 macros", "ec_log \"%{vctx_conn:ehlo_domain} %{i} %{rcptto_domain}\";", 0,
	  SAY "1: client.example.org 192.0.2.7 example.net\n" },
	{ "D14 unknown macros", "ec_log \"<%{spvf1:i}><%{nonsense}>\";", 0, SAY "1: <><>\n" },
	{ "text: with variables", "$a = \"x\";\nec_log text:\n..${a}\n.\n;", 0, SAY "2: .x\n\n" },
	/* Control flow (1.2, 1.6). */
	{ "if", "if true { ec_log \"a\"; } ec_log \"b\";", 0, SAY "1: a\n" SAY "1: b\n" },
	{ "else", "if false { ec_log \"a\"; } else { ec_log \"b\"; } ec_log \"c\";", 0,
	  SAY "1: b\n" SAY "1: c\n" },
	{ "elsif",
	  "if false { ec_log \"a\"; } elsif true { ec_log \"b\"; } elsif true { ec_log \"c\"; } "
	  "else { ec_log \"d\"; } ec_log \"e\";",
	  0, SAY "1: b\n" SAY "1: e\n" },
	{ "last elsif",
	  "if false { ec_log \"a\"; } elsif false { ec_log \"b\"; } elsif true { ec_log \"c\"; } "
	  "ec_log \"e\";",
	  0, SAY "1: c\n" SAY "1: e\n" },
	{ "nested",
	  "if true { if false { ec_log \"a\"; } else { if not false { ec_log \"b\"; } } } else { "
	  "ec_log \"c\"; }",
	  0, SAY "1: b\n" },
	{ "empty blocks", "if true { } else { } if false { } ec_log \"a\";", 0, SAY "1: a\n" },
	{ "D5 anyof stops at the first",
	  "if anyof (true, audit_service \"Nonsense\" \"/32\" \"0\") { ec_log \"a\"; }", 0,
	  SAY "1: a\n" },
	{ "D5 allof stops at the first",
	  "if allof (false, audit_service \"Nonsense\" \"/32\" \"0\") { ec_log \"a\"; } else { "
	  "ec_log \"b\"; }",
	  0, SAY "1: b\n" },
	{ "anyof",
	  "if anyof (false, false, true) { ec_log \"a\"; } if anyof (false, false) { ec_log \"b\"; "
	  "}",
	  0, SAY "1: a\n" },
	{ "allof",
	  "if allof (true, true, false) { ec_log \"a\"; } if allof (true, true) { ec_log \"b\"; }",
	  0, SAY "1: b\n" },
	{ "not of both",
	  "if not allof (true, false) { ec_log \"a\"; } if not anyof (true, false) { ec_log \"b\"; "
	  "}",
	  0, SAY "1: a\n" },
	{ "tests in tests",
	  "if allof (anyof (false, true), not anyof (false, false), allof (true, not false)) { "
	  "ec_log \"a\"; }",
	  0, SAY "1: a\n" },
	{ "stop", "ec_log \"a\"; stop; ec_log \"b\";", 0, SAY "1: a\n" },
	{ "keep", "keep; ec_log \"b\";", 0, "keep a.sieve:1\n" },
	{ "ec_action", "if true { ec_action 550 \"5.7.1 no\" \"refused\"; } ec_log \"b\";", 0,
	  "ec_action 550 \"5.7.1 no\" [refused] a.sieve:1\n" },
	{ "ec_disconnect", "ec_disconnect 421 \"4.7.0 later\"; ec_log \"b\";", 0,
	  "ec_disconnect 421 \"4.7.0 later\" a.sieve:1\n" },
	{ "D22 ec_disconnect alone", "ec_disconnect; ec_log \"b\";", 0,
	  "ec_disconnect a.sieve:1\n" SAY "1: b\n" },
	{ "ec_tarpit is not terminal", "ec_tarpit 10 \"c\"; ec_tarpit \"0.5\"; ec_log \"b\";", 0,
	  "ec_tarpit 10000ms [c] a.sieve:1\nec_tarpit 500ms a.sieve:1\n" SAY "1: b\n" },
	/* Tests (1.5). */
	{ "function as a test", "if audit_connections_on_service \"/32\" \"7\" { ec_log \"a\"; }",
	  7, SAY "1: a\n" },
	{ "function as a test with tags",
	  "if audit_service :value \"gt\" :comparator \"i;ascii-numeric\" \"SMTP\" \"/32\" 6 { "
	  "ec_log \"a\"; }",
	  7, SAY "1: a\n" },
	{ "type as a test",
	  "$h = hash_create; if type :is $h \"hash\" { ec_log \"a\"; } if type $h \"string\" { "
	  "ec_log \"b\"; }",
	  0, SAY "1: a\n" },
	{ "envelope",
	  "if envelope :localpart \"from\" \"Ann+list\" { ec_log \"a\"; } if envelope :domain "
	  ":comparator \"i;ascii-casemap\" \"to\" "
	  "\"EXAMPLE.net\" { ec_log \"b\"; } if envelope :detail \"from\" \"list\" { ec_log \"c\"; "
	  "}",
	  0, SAY "1: a\n" SAY "1: b\n" SAY "1: c\n" },
	{ "existence of a context value",
	  "vctx_conn_set \"k\" \"v\"; if vctx :contains \"k\" \"\" { ec_log \"a\"; } if vctx "
	  ":contains \"q\" \"\" { ec_log \"b\"; }",
	  0, SAY "1: a\n" },
	{ "count of context values",
	  "vctx_conn_set \"k\" \"v\"; if vctx :count \"eq\" [\"k\", \"q\"] \"1\" { ec_log \"a\"; }",
	  0, SAY "1: a\n" },
	{ "isset",
	  "$l = [\"a\"]; $h = hash_create; hash_set $h \"k\" 1; if isset $l 0 { ec_log \"a\"; } if "
	  "isset $l 1 { ec_log \"b\"; } "
	  "if isset $h \"k\" { ec_log \"c\"; } if not isset $h \"q\" { ec_log \"d\"; }",
	  0, SAY "1: a\n" SAY "1: c\n" SAY "1: d\n" },
	{ "D18 is_true",
	  "$n = 0; if is_true $n { ec_log \"a\"; } if is_true \"Off\" { ec_log \"b\"; } if is_true "
	  "\"x\" { ec_log \"c\"; }",
	  0, SAY "1: c\n" },
	{ "regex from a variable",
	  "$r = \"^\\\\d+$\"; if ec_test :regex \"123\" \"${r}\" { ec_log \"a\"; } if ec_test "
	  ":regex \"12x\" $r { ec_log \"b\"; }",
	  0, SAY "1: a\n" },
	{ "regex that is constant", "if ec_test :regex \"123\" \"^\\\\d+$\" { ec_log \"a\"; }", 0,
	  SAY "1: a\n" },
	{ "regexes in a list",
	  "if ec_test :regex \"123\" [\"x\", \"^\\\\d+$\"] { ec_log \"a\"; } $r = \"2\"; "
	  "if ec_test :regex [\"1\", \"2\"] [\"x\", $r] { ec_log \"b\"; }",
	  0, SAY "1: a\n" SAY "1: b\n" },
	{ "regex that is none", "$r = \"(\"; if ec_test :regex \"123\" $r { }", 0,
	  "error 421 \"the pattern is not a regular expression\" a.sieve:1\n" },
	{ "list on either side",
	  "$l = [\"a\", \"b\"]; if ec_test [\"x\", \"b\"] $l { ec_log \"a\"; }", 0, SAY "1: a\n" },
	{ "count of a list",
	  "$l = [\"a\", \"b\"]; if ec_test :count \"ge\" :comparator \"i;ascii-numeric\" $l \"2\" "
	  "{ ec_log \"a\"; }",
	  0, SAY "1: a\n" },
	/* Counts and causes (3.4, 1.8). */
	{ "a count is a list of one string",
	  "$n = audit_service \"SMTP\" \"/32\"; $t = type $n; $u = type $n[0]; ec_log \"${t} ${u} "
	  "${n}\";",
	  12, SAY "1: stringlist string 12\n" },
	{ "cause through a variable and a text",
	  "($n) = audit_connections_on_service \"/24\";\n$text = \"${n} of them\";\n"
	  "if ec_test :value \"gt\" :comparator \"i;ascii-numeric\" \"${text}\" \"10\" {\n  "
	  "ec_tarpit 1;\n}\n",
	  12, "ec_tarpit 1000ms a.sieve:4 <SMTP 192.0.2.0/24 12>\n" },
	{ "cause of the test that came true",
	  "($a) = audit_connections_on_service \"/24\"; ($b) = audit_connections_on_listener "
	  "\"/32\";"
	  "if anyof (ec_test :value \"gt\" \"${a}\" \"5\", ec_test :value \"lt\" \"${b}\" \"5\") { "
	  "ec_tarpit 1; }",
	  3, "ec_tarpit 1000ms a.sieve:1 <LISTENER 192.0.2.7/32 3>\n" },
	{ "cause under not",
	  "($a) = audit_connections_on_service \"/32\"; if not ec_test :value \"le\" \"${a}\" "
	  "\"2\" { ec_tarpit 1; }",
	  3, "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.2.7/32 3>\n" },
	{ "cause is around inner blocks too",
	  "($a) = audit_connections_on_service \"/32\"; if ec_test $a \"3\" { if true { ec_tarpit "
	  "1; } } ec_tarpit 2;",
	  3, "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.2.7/32 3>\nec_tarpit 2000ms a.sieve:1\n" },
	{ "cause of an elsif",
	  "($a) = audit_connections_on_service \"/32\"; ($b) = audit_connections_on_service "
	  "\"/16\"; "
	  "if ec_test $a \"9\" { } elsif ec_test $b \"3\" { ec_tarpit 1; } else { }",
	  3, "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.0.0/16 3>\n" },
	{ "no cause in the else",
	  "($a) = audit_connections_on_service \"/32\"; if ec_test $a \"9\" { } else { ec_tarpit "
	  "1; }",
	  3, "ec_tarpit 1000ms a.sieve:1\n" },
	{ "cause of a function as a test",
	  "if audit_connections_on_service \"/32\" \"3\" { ec_tarpit 1; }", 3,
	  "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.2.7/32 3>\n" },
	{ "cause through arithmetic",
	  "($a) = audit_connections_on_service \"/32\"; $b = ec_mul $a 2; if ec_test :value \"ge\" "
	  ":comparator \"i;ascii-numeric\" "
	  "$b 6 { ec_tarpit 1; }",
	  3, "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.2.7/32 3>\n" },
	{ "cause through a list, a hash and is_true",
	  "($a) = audit_connections_on_service \"/32\"; $l = [\"x\", $a]; $h = hash_create; "
	  "hash_set $h \"k\" $l[1]; "
	  "$b = $h[\"k\"]; if is_true $b { ec_tarpit 1; }",
	  3, "ec_tarpit 1000ms a.sieve:1 <SMTP 192.0.2.7/32 3>\n" },
	/* Errors (1.9). */
	{ "D25 an error ends the script", "ec_log \"a\";\n$c = 999; ec_action $c \"x\";\nec_log \"b\";", 0,
	  SAY "1: a\nerror 421 \"a reply code is 200 to 299 or 400 to 599\" a.sieve:2\n" },
	{ "D50 unknown service", "$a = audit_service \"Nonsense\" \"/32\";", 0,
	  "error 421 \"there is no service \"Nonsense\"\" a.sieve:1\n" },
	{ "D26 going on",
	  "ec_error_mode \"continue\";\n$a = \"x\";\n$a = audit_service \"Nonsense\" "
	  "\"/32\";\nec_log \"<${a}>\";\nec_error_mode \"fail\";\nec_tarpit \"${a}\";",
	  0,
	  SAY "3: Sieve error, going on: there is no service \"Nonsense\"\n" SAY "4: <>\n"
	      "error 421 \"argument 1 of ec_tarpit: the text is not a number\" a.sieve:6\n" },
	{ "D26 a failed terminal action does not end the script",
	  "ec_error_mode \"continue\"; $c = 999; ec_action $c \"x\"; ec_log \"b\";", 0,
	  SAY "1: Sieve error, going on: a reply code is 200 to 299 or 400 to 599\n" SAY "1: b\n" },
	{ "D26 a failed test is false",
	  "ec_error_mode \"continue\"; $r = \"(\"; if ec_test :regex \"(\" $r { ec_log \"a\"; } "
	  "else { ec_log \"b\"; }",
	  0,
	  SAY "1: Sieve error, going on: the pattern is not a regular expression\n" SAY "1: b\n" },
	{ "D26 a failed spread",
	  "ec_error_mode \"continue\"; $h = hash_create; ($a, $b) = $h; ec_log \"<${a}${b}>\";", 0,
	  SAY "1: Sieve error, going on: a hash is not a list\n" SAY "1: <>\n" },
	{ "no such mode", "ec_error_mode \"maybe\";", 0,
	  "error 421 \"the mode is \"continue\" or \"fail\"\" a.sieve:1\n" },
	{ "D34 a negative delay", "$d = -1; ec_tarpit $d;", 0,
	  "error 421 \"a delay cannot be negative\" a.sieve:1\n" },
};

static void runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_run(cases[i].name, cases[i].script, cases[i].count, cases[i].want_told);
}

/* A text that doubles until something says no. */
static void memory(void **state)
{
	static const char head[] = "$a = \"0123456789abcdef\";\n", twice[] = "$a = \"${a}${a}\";\n";
	struct buf script;

	(void)state;
	buf_init(&script, 0);
	assert_true(buf_printf(&script, "%s", head));
	for (unsigned i = 0; i < 13; i++)
		assert_true(buf_printf(&script, "%s", twice));
	expect_run("string", buf_text(&script), 0,
		   "error 421 \"the string would have more than 65536 bytes\" a.sieve:14\n");
	buf_clear(&script);
	assert_true(buf_printf(&script, "%s", head));
	for (unsigned i = 0; i < 12; i++)
		assert_true(buf_printf(&script, "%s", twice));
	for (unsigned i = 0; i < 16; i++)
		assert_true(buf_printf(&script, "$b = \"${a}\"; $c = ec_tolower $b;\n"));
	expect_run("arena", buf_text(&script), 0,
		   "error 421 \"the script has used up its memory\" a.sieve:27\n");
	buf_free(&script);
}

static void published(void **state)
{
	static const char text[] = "($connections) = audit_connections_on_service \"/32\";\n"
				   "($c_connections) = audit_connections_on_service \"/24\";\n"
				   "if ec_test :value \"gt\" :comparator \"i;ascii-numeric\" "
				   "\"${connections}\" \"1000\" {\n"
				   "  ec_tarpit 10 \"too many connections /32\";\n"
				   "}\n";
	(void)state;
	expect_run("one more", text, 1001,
		   "ec_tarpit 10000ms [too many connections /32] a.sieve:4 <SMTP 192.0.2.7/32 "
		   "1001>\n");
	expect_run("just so many", text, 1000, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(memory),
		cmocka_unit_test(published),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
