#include "policy/sieve/world.h"

#include "policy/sieve/program.h"

#define IS_A_TEST " is a test, expected it after if, elsif or not, or in anyof or allof\n"
#define TYPES ":is :contains :matches :regex :value :count"

static const struct {
	const char *name;
	const char *script;
	const char *want_complaints;
} cases[] = {
	/* Syntax. */
	{ "nothing", "", "" },
	{ "missing ;", "keep\nstop;",
	  "a.sieve:2:1: syntax error near token IDENTIFIER \"stop\": expected an argument or the "
	  "end of "
	  "the call (a call can't be an argument: store its value in a variable first)\n" },
	{ "missing ; at the end", "keep",
	  "a.sieve:1:5: syntax error near token END: expected ';'\n" },
	{ "D4 a call as an argument", "ec_log ec_tolower \"X\";",
	  "a.sieve:1:8: syntax error near token IDENTIFIER \"ec_tolower\": "
	  "expected an argument or the end of the call (a call can't be an argument: store its "
	  "value in a variable first)\n" },
	{ "1.2 a variable before [ is a subscript", "if ec_test :is $v [\"a\",\"b\"] { keep; }",
	  "a.sieve:1:23: syntax error near token COMMA: expected ']' (a variable before '[' is a "
	  "subscript; write \"${name}\" "
	  "to put a list after it)\n" },
	{ "1.2 the way round", "if ec_test :is \"${v}\" [\"a\",\"b\"] { keep; }", "" },
	{ "subscript of nothing", "$a = $b[];",
	  "a.sieve:1:9: syntax error near token RBRACKET: expected a string, a number or a "
	  "variable as subscript\n" },
	{ "several errors in one run", "keep keep;\nif { }\n$a \"x\";\nstop;\n( = 1;\n",
	  "a.sieve:1:6: syntax error near token IDENTIFIER \"keep\": expected an argument or the "
	  "end of the call (a call can't be "
	  "an argument: store its value in a variable first)\n"
	  "a.sieve:2:4: syntax error near token LBRACE: expected a test\n"
	  "a.sieve:3:4: syntax error near token STRING: expected '='\n"
	  "a.sieve:5:3: syntax error near token EQUALS: expected a variable\n" },
	{ "an error inside a block leaves the rest alone",
	  "if true { keep 1 2 3 } else { ec_nothing; }\nec_logg \"x\";",
	  "a.sieve:1:22: syntax error near token RBRACE: expected ';'\n"
	  "a.sieve:1:31: unknown function \"ec_nothing\"\n"
	  "a.sieve:2:1: unknown function \"ec_logg\", did you mean \"ec_log\"?\n" },
	{ "block not closed", "if true {\n keep;\n",
	  "a.sieve:1:9: block that is not closed, expected '}'\n" },
	{ "block closed twice", "if true { keep; } }\nstop;",
	  "a.sieve:1:19: syntax error near token RBRACE: expected a statement (this '}' closes "
	  "nothing)\n" },
	{ "else without if", "else { keep; }",
	  "a.sieve:1:1: syntax error near token IDENTIFIER \"else\": expected a statement "
	  "(elsif and else follow the '}' of their if)\n" },
	{ "else after else", "if true {} else {} else {}",
	  "a.sieve:1:20: syntax error near token IDENTIFIER \"else\": expected a "
	  "statement (elsif and else follow the '}' of their if)\n" },
	{ "elsif and else on new lines", "if true {\n}\nelsif false {\n}\nelse {\n}\n", "" },
	{ "anyof needs (", "if anyof true { }",
	  "a.sieve:1:10: syntax error near token IDENTIFIER \"true\": expected '('\n" },
	{ "empty anyof", "if anyof () { }",
	  "a.sieve:1:11: syntax error near token RPAREN: expected a test\n" },
	{ "anyof not closed", "if anyof (true { }",
	  "a.sieve:1:16: syntax error near token LBRACE: expected ',' or ')'\n" },
	{ "list of numbers", "$a = [1];",
	  "a.sieve:1:7: syntax error near token NUMBER: expected a string or a variable\n" },
	{ "list not closed", "$a = [\"x\" \"y\"];",
	  "a.sieve:1:11: syntax error near token STRING: expected ',' or ']'\n" },
	{ "tag as a value", "$a = :is;",
	  "a.sieve:1:6: syntax error near token TAG \"is\": expected a value or a function\n" },
	{ "token that is none", "$a = @;",
	  "a.sieve:1:6: character that means nothing outside a string\n" },
	{ "string not closed", "keep;\n$a = \"x;\n",
	  "a.sieve:2:6: string that is not closed, expected '\"'\n" },
	{ "names are case-insensitive (D2)", "IF Not TRUE { Keep; } ELSIF AnyOf (FALSE) { STOP; }",
	  "" },
	/* require, D24. */
	{ "require", "require [\"fileinto\", \"whatever\"]; require \"x\";", "" },
	{ "require in a block", "if true { require \"x\"; }",
	  "a.sieve:1:11: require inside a block, expected it at the top level\n" },
	{ "require a variable", "require $x;",
	  "a.sieve:1:9: syntax error near token VARIABLE \"x\": expected a string or a list of "
	  "strings\n" },
	/* Functions. */
	{ "unknown", "frobnicate;", "a.sieve:1:1: unknown function \"frobnicate\"\n" },
	{ "unknown, near", "if is_tru $x { ec_tarpitt 10; }",
	  "a.sieve:1:4: unknown function \"is_tru\", did you mean \"is_true\"?\n"
	  "a.sieve:1:16: unknown function \"ec_tarpitt\", did you mean \"ec_tarpit\"?\n" },
	{ "unknown, near ec_test", "if ec_tset \"a\" \"b\" { }",
	  "a.sieve:1:4: unknown function \"ec_tset\", did you mean \"ec_test\"?\n" },
	{ "D91 tier C", "clamav_avscan;",
	  "a.sieve:1:1: function clamav_avscan is not available in this build\n" },
	{ "too few arguments", "ec_tarpit;",
	  "a.sieve:1:1: ec_tarpit takes 1 to 2 arguments, not 0\n" },
	{ "too many arguments", "ec_tarpit 1 \"a\" \"b\";",
	  "a.sieve:1:1: ec_tarpit takes 1 to 2 arguments, not 3\n" },
	{ "D22 a code without its text", "ec_disconnect; ec_disconnect 421; ec_disconnect 421 \"a\";",
	  "a.sieve:1:16: ec_disconnect with argument 1 takes argument 2, too\n" },
	{ "exact number", "$a = audit_service \"SMTP\";",
	  "a.sieve:1:6: audit_service takes 2 arguments, not 1\n" },
	{ "not a number", "ec_action \"abc\" \"x\";",
	  "a.sieve:1:11: argument 1 of ec_action: the text is not a number\n" },
	{ "D34 a negative delay", "ec_tarpit -0.5; ec_tarpit 0; ec_tarpit $d;",
	  "a.sieve:1:11: argument 1 of ec_tarpit: a delay cannot be negative\n" },
	{ "no reply code", "ec_disconnect 354 \"x\"; ec_action \"99\" \"x\"; ec_action $c \"x\";",
	  "a.sieve:1:15: argument 1 of ec_disconnect: a reply code is 200 to 299 or 400 to 599\n"
	  "a.sieve:1:34: argument 1 of ec_action: a reply code is 200 to 299 or 400 to 599\n" },
	{ "number as text", "ec_action \"550\" \"x\"; ec_tarpit \"0.5\"; ec_tarpit 0.5;", "" },
	{ "not a delay", "ec_tarpit \"soon\";",
	  "a.sieve:1:11: argument 1 of ec_tarpit: the text is not a number\n" },
	{ "not a hash", "hash_set \"h\" \"k\" \"v\";",
	  "a.sieve:1:10: argument 1 of hash_set: it is not a hash, expected a variable that holds "
	  "one\n" },
	{ "mask", "$a = audit_connections_on_service \"/33\";", "" },
	{ "mask too long", "$a = audit_connections_on_service \"/129\";",
	  "a.sieve:1:35: argument 1 of audit_connections_on_service: a mask is /0 to /128\n" },
	{ "mask without a number", "$a = audit_service \"SMTP\" \"/\";",
	  "a.sieve:1:27: argument 2 of audit_service: a mask is /0 to /128\n" },
	{ "mask with a sign", "$a = audit_service \"SMTP\" \"/-1\";",
	  "a.sieve:1:27: argument 2 of audit_service: a mask is /0 to /128\n" },
	{ "D47 brackets", "$a = audit_service \"SMTP\" \"[2001:db8::1]/64\";", "" },
	{ "mask from a variable", "$a = audit_service \"SMTP\" \"/${n}\";", "" },
	{ "a test as a command", "ec_test \"a\" \"b\"; isset $x 1; $a = is_true 1;",
	  "a.sieve:1:1: ec_test" IS_A_TEST "a.sieve:1:18: isset" IS_A_TEST
	  "a.sieve:1:35: is_true" IS_A_TEST },
	{ "a command as a test", "if keep { }",
	  "a.sieve:1:4: keep gives no value, expected a test\n" },
	{ "an include as a value", "$a = ec_include \"x\";",
	  "a.sieve:1:6: ec_include gives no value, expected it as a statement of its own\n" },
	{ "an include of something else",
	  "ec_include \"http://example.org/x\"; ec_include \":datasource:a:b\"; ec_include;",
	  "a.sieve:1:12: ec_include reads files only in this build, expected a path\n"
	  "a.sieve:1:47: ec_include reads files only in this build, expected a path\n"
	  "a.sieve:1:66: ec_include takes 1 to 2 arguments, not 0\n" },
	{ "stop takes nothing", "stop 1;", "a.sieve:1:1: stop takes 0 arguments, not 1\n" },
	/* Tests. */
	{ "D15 tags anywhere",
	  "if ec_test \"${x}\" :is \"1\" { } if ec_test \"a\" \"b\" :comparator \"i;octet\" :value "
	  "\"ne\" { }",
	  "" },
	{ "unknown tag", "if ec_test :iss \"a\" \"b\" { }",
	  "a.sieve:1:12: ec_test has no tag \":iss\", expected one of: :comparator " TYPES "\n" },
	{ "unknown tag, own ones", "if envelope :host \"from\" \"x\" { }",
	  "a.sieve:1:13: envelope has no tag \":host\", expected one of: :comparator " TYPES
	  " and: all localpart domain user detail\n" },
	{ "tag where none are", "keep :now;",
	  "a.sieve:1:6: keep has no tag \":now\", expected none\n" },
	{ "two match types", "if ec_test :is :contains \"a\" \"b\" { }",
	  "a.sieve:1:16: second match type \":contains\", expected only one\n" },
	{ "relation", "if ec_test :value \"gtt\" \"a\" \"b\" { }",
	  "a.sieve:1:19: unknown relation \"gtt\", expected one of: gt ge lt le eq ne "
	  "bitwise-and\n" },
	{ "relation missing", "if ec_test \"a\" \"b\" :value { }",
	  "a.sieve:1:4: :value needs a literal after it, expected one of: gt ge lt le eq ne "
	  "bitwise-and\n" },
	{ "relation of the wrong kind", "if ec_test :count 3 \"a\" \"b\" { }",
	  "a.sieve:1:4: ec_test takes 2 arguments beside its tags, not 3\n"
	  "a.sieve:1:19: :count needs a literal after it, expected one of: gt ge lt le eq ne "
	  "bitwise-and\n" },
	{ "comparator", "if ec_test :comparator \"i;ascii\" \"a\" \"b\" { }",
	  "a.sieve:1:24: unknown comparator \"i;ascii\", expected one of: i;octet i;ascii-casemap "
	  "i;ascii-numeric\n" },
	{ "D16 no pattern with numbers",
	  "if ec_test :contains :comparator \"i;ascii-numeric\" \"a\" \"b\" { }",
	  "a.sieve:1:4: :contains can't use the comparator i;ascii-numeric, expected i;octet or "
	  "i;ascii-casemap\n" },
	{ "D16 bitwise-and", "if ec_test :value \"bitwise-and\" \"a\" \"b\" { }",
	  "a.sieve:1:4: the relation bitwise-and needs :comparator \"i;ascii-numeric\"\n" },
	{ "ec_test with one argument", "if ec_test \"a\" { }",
	  "a.sieve:1:4: ec_test takes 2 arguments beside its tags, not 1\n" },
	{ "ec_test with three", "if ec_test \"a\" \"b\" \"c\" { }",
	  "a.sieve:1:4: ec_test takes 2 arguments beside its tags, not 3\n" },
	{ "function as a test without a right side", "if audit_connections_on_service { }",
	  "a.sieve:1:4: audit_connections_on_service as a test needs a "
	  "value to compare with as last argument\n" },
	{ "function as a test with only that", "if audit_connections_on_service \"/32\" { }",
	  "a.sieve:1:4: audit_connections_on_service takes 1 argument "
	  "and a value to compare with, not 0\n" },
	{ "constant regex", "if ec_test :regex \"a\" \"x(\" { }",
	  "a.sieve:1:23: regular expression: missing closing parenthesis, at offset 2\n" },
	{ "constant regexes in a list", "if ec_test :regex \"a\" [\"x\", \"(\", \"[\"] { }",
	  "a.sieve:1:29: regular expression: missing closing parenthesis, at offset 1\n"
	  "a.sieve:1:34: regular expression: missing terminating ] for character class, at offset "
	  "1\n" },
	{ "regex with a variable is left to the run", "if ec_test :regex \"a\" \"(${x}\" { }", "" },
	{ "comparator of a function that is a test", "if is_true :is \"a\" { }",
	  "a.sieve:1:12: is_true has no tag \":is\", expected none\n" },
};

static void complaints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = world_new();

		world_script(w, "data_phase1", "a.sieve", cases[i].script, false);
		world_load_set(w);
		expect_told(w, cases[i].name, cases[i].want_complaints);
		world_free(w);
	}
}

/* What is repeated, around what, and how it is to end. */
static void limits(void **state)
{
	static const struct {
		const char *name;
		const char *head, *piece, *tail;
		unsigned times;
		const char *want_complaints;
	} repeated[] = {
		{ "tests nest 32 deep", "if ", "not ", "true { }", 32,
		  "a.sieve:1:132: blocks and tests nest deeper than 32\n" },
		{ "tests nest 31 deep", "if ", "not ", "true { }", 31, "" },
		{ "blocks nest 33 deep", "", "if true { ", "", 33,
		  "a.sieve:1:324: blocks and tests nest deeper than 32\n" },
		{ "very many blocks", "", "if true { ", "", 20000,
		  "a.sieve:1:324: blocks and tests nest deeper than 32\n" },
		{ "very many tests", "if ", "anyof (", "", 30000,
		  "a.sieve:1:228: blocks and tests nest deeper than 32\n" },
		{ "32 arguments", "$x = hash_create; ec_log ", "\"a\" ", ";", 32,
		  "a.sieve:1:19: ec_log takes 1 argument, not 32\n" },
		{ "33 arguments", "ec_log ", "\"a\" ", ";", 33,
		  "a.sieve:1:136: call with more than 32 arguments\n" },
		{ "1024 members", "$x = [\"a\"", ", \"a\"", "];", 1023, "" },
		{ "1025 members", "$x = [\"a\"", ", \"a\"", "];", 1024,
		  "a.sieve:1:5127: list of more than 1024 members\n" },
		{ "256 tests", "if anyof (true", ", true", ") { }", 255, "" },
		{ "257 tests", "if anyof (true", ", true", ") { }", 256,
		  "a.sieve:1:1547: more than 256 tests in a row\n" },
		{ "10000 statements", "", "keep;", "", 10000, "" },
		{ "10001 statements", "", "keep;", "", 10001,
		  "a.sieve:1:50001: more than 10000 statements\n" },
		{ "too large", "#", "xxxxxxxxxxxxxxxx", "", 16384,
		  "a.sieve: can't read this script: it has more than 256 KiB\n" },
		{ "33 variables", "($a", ", $a", ") = \"x\";", 32,
		  "a.sieve:1:130: more than 32 variables\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(repeated); i++) {
		struct world *w = world_new();
		struct buf script;

		buf_init(&script, 0);
		assert_true(buf_printf(&script, "%s", repeated[i].head));
		for (unsigned n = 0; n < repeated[i].times; n++)
			assert_true(buf_add(&script, repeated[i].piece, strlen(repeated[i].piece)));
		assert_true(buf_printf(&script, "%s", repeated[i].tail));
		world_script(w, "data_phase1", "a.sieve", buf_text(&script), false);
		world_load_set(w);
		if (repeated[i].want_complaints[0] == '\0')
			expect_told(w, repeated[i].name, "");
		else if (strstr(buf_text(&w->told), repeated[i].want_complaints) == NULL)
			fail_msg("%s: got: %s", repeated[i].name, buf_text(&w->told));
		buf_free(&script);
		world_free(w);
	}
}

static void too_many_names(void **state)
{
	struct world *w = world_new();
	struct buf script;

	(void)state;
	buf_init(&script, 0);
	for (unsigned n = 0; n < 1025; n++)
		assert_true(buf_printf(&script, "$v%u = 1;\n", n));
	world_script(w, "data_phase1", "a.sieve", buf_text(&script), false);
	assert_false(world_load_set(w));
	expect_told(w, "names",
		    "a.sieve:1025: variable $v1024 is one too many, expected at most 1024 names in "
		    "a stanza\n");
	buf_free(&script);
	world_free(w);
}

static void names_too_long(void **state)
{
	(void)state;
	expect_run("65 characters",
		   "$a2345678901234567890123456789012345678901234567890123456789012345 = 1;", 0,
		   "a.sieve:1:1: name of more than 64 characters\n");
}

/* What a stanza or the configuration changes. */
static void settings(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->stanza.strict_require = true;
	world_script(w, "data_phase1", "a.sieve",
		     "require [\"relational\", \"ec_tarpit\", \"nonsense\"];", false);
	world_load_set(w);
	expect_told(w, "D24", "a.sieve:1:37: unknown capability \"nonsense\"\n");
	world_free(w);

	w = world_new();
	w->conf.has_inbound_audit = false;
	world_script(w, "data_phase1", "a.sieve", "$a = audit_service \"SMTP\" \"/32\";", false);
	world_load_set(w);
	expect_told(w, "D110", "a.sieve:1:6: audit_service requires module inbound_audit\n");
	world_free(w);

	w = world_new();
	w->stanza.stub_unavailable = true;
	world_script(w, "data_phase1", "a.sieve",
		     "$x = clamav_avscan :all \"a\"; if ec_dkim_domains :is \"x\" { keep; } "
		     "clamav_avscan; ec_log \"<${x}>\";",
		     false);
	assert_true(world_load_set(w));
	world_ask(w, PHASE_DATA);
	expect_told(w, "D91", "log a.sieve:1: <>\n");
	world_free(w);
}

/* Titles of scripts, and files that are not there. */
static void titles(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_script(w, "connect_phase3", "a.sieve", "", false);
	world_script(w, "spool_phase1", "b.sieve", "", false);
	world_script(w, "connect_phase1", "c.sieve", "", false);
	world_script(w, "connect_phase1", "d.sieve", "", false);
	unlink(w->files[2]);
	assert_false(world_load_set(w));
	expect_told(w, "titles",
		    "no script \"connect_phase3\" is ever run, expected PHASE_phase1 or "
		    "PHASE_phase2, PHASE being one of: accept "
		    "connect ehlo mailfrom rcptto data\n"
		    "no script \"spool_phase1\" is ever run, expected PHASE_phase1 or "
		    "PHASE_phase2, PHASE being one of: accept "
		    "connect ehlo mailfrom rcptto data\n"
		    "c.sieve: can't read this script: No such file or directory\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complaints),	  cmocka_unit_test(limits),
		cmocka_unit_test(too_many_names), cmocka_unit_test(names_too_long),
		cmocka_unit_test(settings),	  cmocka_unit_test(titles),
	};

	return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}
