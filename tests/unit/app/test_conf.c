/* The language: what a text is read as, and where it is wrong (T1, 4.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/conf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void dump_value(const struct conf_value *v, FILE *out)
{
	const struct conf_value *item;

	if (v->kind == CONF_TEXT) {
		fprintf(out, "%s%s<%s>", v->key ? v->key : "", v->key ? "=" : "", v->text);
		return;
	}
	fputc(v->kind == CONF_LIST ? '(' : '[', out);
	STAILQ_FOREACH (item, &v->items, next)
		dump_value(item, out);
	fputc(v->kind == CONF_LIST ? ')' : ']', out);
}

/* a=<1> s "t"{..}; options before scopes */
static void dump(const struct conf_scope *scope, FILE *out)
{
	const struct conf_option *o;
	const struct conf_scope *s;

	STAILQ_FOREACH (o, &scope->options, next) {
		fprintf(out, "%s=", o->name);
		dump_value(&o->value, out);
		fputc(' ', out);
	}
	STAILQ_FOREACH (s, &scope->scopes, next) {
		fprintf(out, "%s%s%s{", s->name, s->title ? ":" : "", s->title ? s->title : "");
		dump(s, out);
		fputs("} ", out);
	}
}

/* What is wrong, a line each; then what was read all the same. */
static void read_into(struct conf *conf, struct complaints *c, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	complaints_print(c, f);
	dump(&conf->top, f);
	fputc('\0', f);
	fclose(f);
	conf_free(conf);
	complaints_free(c);
}

static void check(const char *name, struct slice text, const char *want)
{
	struct complaints c;
	char got[4096];

	complaints_init(&c);
	read_into(conf_parse("t.conf", text, &c), &c, got, sizeof got);
	if (strcmp(got, want) != 0)
		fail_msg("%s:\n got: %s\nwant: %s", name, got, want);
}

static void test_reads(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "nothing", "", "" },
		{ "an option", "A = b", "A=<b> " },
		{ "without blanks", "A=b", "A=<b> " },
		{ "a string", "A = \"b c\"", "A=<b c> " },
		{ "the empty string", "A = \"\"", "A=<> " },
		{ "escapes", "A = \"\\\"\\\\d\"", "A=<\"\\d> " },
		{ "marks in a string", "A = \"#/{}[]()='\"", "A=<#/{}[]()='> " },
		{ "two on a line", "A = b C = d", "A=<b> C=<d> " },
		{ "comments", "# x\nA = /* y */ b # z\n/* = \n { */ C = d", "A=<b> C=<d> " },
		{ "a comment ends a word", "A = b#c", "A=<b> " },
		{ "CRLF", "A = b\r\nC = d\r\n", "A=<b> C=<d> " },
		{ "UTF-8", "A = b\xc3\xa9", "A=<b\xc3\xa9> " },
		{ "a string on the next line", "A =\n\"b\"", "A=<b> " },
		{ "a list", "A = ( b \"c d\"\n\"e\" )", "A=(<b><c d><e>) " },
		{ "a list packed", "A=(\"b\"\"c\")", "A=(<b><c>) " },
		{ "the empty list", "A = ()", "A=() " },
		{ "a dictionary", "A = [ b = c \"d e\" = \"f\" ]", "A=[b=<c>d e=<f>] " },
		{ "the empty dictionary", "A = []", "A=[] " },
		{ "a scope", "S { A = b }", "S{A=<b> } " },
		{ "a scope with a title", "S \"t\" { }", "S:t{} " },
		{ "a title without quotes", "Listen *:25 { }", "Listen:*:25{} " },
		{ "the brace on the next line", "S \"t\"\n{\n}", "S:t{} " },
		{ "D72 a stray '=' before the title", "Replicate = \"x\" {}", "Replicate:x{} " },
		{ "D72 with a body", "S { R = \"x\" { A = b } }", "S{R:x{A=<b> } } " },
		{ "scopes in scopes", "A { B \"x\" { C \"y\" { } } D { } }",
		  "A{B:x{C:y{} } D{} } " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(cases[i].name, slice_of(cases[i].text), cases[i].want);
}

static void test_complains(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "T1 an unclosed scope is told where it was opened", "A = b\nS \"t\" {\n C = d\n",
		  "t.conf:2:1: scope S is not closed, expected '}' before the end of the file\n"
		  "A=<b> S:t{C=<d> } " },
		{ "the outer of two", "S {\n T {\n }\n",
		  "t.conf:1:1: scope S is not closed, expected '}' before the end of the file\nS{T{} } " },
		{ "a brace too many", "S { }\n}\nA = b",
		  "t.conf:2:1: '}' closes nothing, expected a statement\nA=<b> S{} " },
		{ "no value", "A =\nB = c",
		  "t.conf:2:1: unexpected \"B\", expected a value after '='\nB=<c> " },
		{ "no value at the end",
		  "A = ", "t.conf:1:5: the file ends here, expected a value after '='\n" },
		{ "no value before a brace", "S { A = }\nB = c",
		  "t.conf:1:9: unexpected '}', expected a value after '='\nB=<c> S{} " },
		{ "no '='", "A b\nC = d",
		  "t.conf:2:1: unexpected \"C\", expected '{' after the scope's title\nC=<d> " },
		{ "a name alone", "A\nB = c",
		  "t.conf:2:1: unexpected \"B\", expected '=' or '{' after a name\nB=<c> " },
		{ "a string for a name", "\"A\" = b\nC = d",
		  "t.conf:1:1: unexpected \"A\", expected the name of an option or of a scope\nC=<d> " },
		{ "a mark for a name", "= b\nC = d",
		  "t.conf:1:1: unexpected '=', expected the name of an option or of a scope\nC=<d> " },
		{ "two titles", "S \"t\" \"u\" { A = b }\nC = d",
		  "t.conf:1:7: unexpected \"u\", expected '{' after the scope's title\nC=<d> " },
		{ "wrong inside a scope that is dropped", "S \"t\" \"u\" {\n A =\n}\nC = d",
		  "t.conf:1:7: unexpected \"u\", expected '{' after the scope's title\n"
		  "t.conf:3:1: unexpected '}', expected a value after '='\nC=<d> " },
		{ "a comma", "A = ( \"b\", \"c\" )\nD = e",
		  "t.conf:1:10: ',' in a list, expected blanks between items\nD=<e> " },
		{ "a comma at a word", "A = ( b, c )\nD = e",
		  "t.conf:1:7: ',' in a list, expected blanks between items\nD=<e> " },
		{ "a list that is not closed", "A = ( \"b\"\nC = d\nE = f",
		  "t.conf:2:3: unexpected '=', expected an item, or ')' to close what opens at line 1 column 5\n"
		  "E=<f> " },
		{ "a list in a list", "A = ( ( b ) )\nC = d",
		  "t.conf:1:7: unexpected '(', expected an item, or ')' to close what opens at line 1 column 5\n"
		  "C=<d> " },
		{ "a list over lines without '='", "A ( \"b\"\n\"c\" )\nC = d",
		  "t.conf:1:3: unexpected '(', expected '=' or '{' after a name\nC=<d> " },
		{ "a key without a value", "A = [ b ]\nC = d",
		  "t.conf:1:9: unexpected ']', expected '=' after the key\nC=<d> " },
		{ "a dictionary that is not closed", "A = [ b = c",
		  "t.conf:1:12: the file ends here, expected a key, or ']' to close what opens at line 1 column 5\n" },
		{ "a string that is not closed", "A = \"b\nC = d",
		  "t.conf:1:5: string is not closed, expected '\"' before the end of the line\nC=<d> " },
		{ "a comment that is not closed", "A = b /* c\nD = e",
		  "t.conf:1:7: comment is not closed, expected '*/' before the end of the file\nA=<b> " },
		{ "an escape", "A = \"\\n\"\nC = d",
		  "t.conf:1:6: unknown escape in a string, expected \\\\ or \\\"\nC=<d> " },
		{ "a path without quotes", "A = /var/lib/x\nC = d",
		  "t.conf:1:5: / outside of a string, expected the value in double quotes\nC=<d> " },
		{ "single quotes", "A = 'b c'\nC = d",
		  "t.conf:1:5: ' outside of a string, expected the value in double quotes\nC=<d> " },
		{ "a control octet", "A = \x01\nC = d",
		  "t.conf:1:5: octet 0x01, expected text\nC=<d> " },
		{ "a control octet in a string", "A = \"b\x1b[31m\"\nC = d",
		  "t.conf:1:7: octet 0x1b in a string, expected text\nC=<d> " },
		{ "everything in one run", "A =\nB = ( c, )\n= d\nE = f",
		  "t.conf:2:1: unexpected \"B\", expected a value after '='\n"
		  "t.conf:2:7: ',' in a list, expected blanks between items\n"
		  "t.conf:3:1: unexpected '=', expected the name of an option or of a scope\nE=<f> " },
		{ "an include without a name", "include\nC = d",
		  "t.conf:2:1: unexpected \"C\", expected the name of a file or a directory, in double quotes\nC=<d> " },
		{ "too deep", "a{b{c{d{e{f{g{h{i{ A = b j{}}}}}}}}}}\nC = d",
		  "t.conf:1:17: a scope in 8 others, expected fewer\n"
		  "C=<d> a{b{c{d{e{f{g{h{i{} } } } } } } } } " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(cases[i].name, slice_of(cases[i].text), cases[i].want);
	check("a zero octet", SLICE("A = b\0c\nC = d"),
	      "t.conf:1:6: octet 0x00, expected text\nA=<b> C=<d> ");
}

static void test_limits(void **state)
{
	static char text[CONF_TEXT_MAX + 64];
	int len;

	(void)state;
	len = snprintf(text, sizeof text, "A = \"%0*d\"\nC = d", CONF_TEXT_MAX + 1, 0);
	check("a long string", (struct slice){ text, (size_t)len },
	      "t.conf:1:5: a string of 4097 octets, expected at most 4096\nC=<d> ");
	len = snprintf(text, sizeof text, "A = %0*d\nC = d", CONF_TEXT_MAX + 1, 0);
	check("a long word", (struct slice){ text, (size_t)len },
	      "t.conf:1:5: a word of 4097 octets, expected at most 4096\nC=<d> ");
}

/* --- files --- */

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void check_load(const char *name, const char *want)
{
	struct complaints c;
	char got[4096];

	complaints_init(&c);
	read_into(conf_load("main.conf", &c), &c, got, sizeof got);
	if (strcmp(got, want) != 0)
		fail_msg("%s:\n got: %s\nwant: %s", name, got, want);
}

static void test_include(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/sub", 0700), 0);
	write_file("d/2.conf", "B = 2\n");
	write_file("d/10.conf", "A = 10 include \"../one.conf\"\n");
	write_file("d/.hidden", "H = h\n");
	write_file("d/sub/3.conf", "C = 3\n");
	write_file("one.conf", "One = 1\n");

	write_file("main.conf", "include \"one.conf\"\nS { readonly_include \"one.conf\" }\n");
	check_load("a file, and in a scope", "One=<1> S{One=<1> } ");
	write_file("main.conf", "include \"d\"\n");
	check_load("a directory: lexical order, nothing hidden, no sub-directory",
		   "A=<10> One=<1> B=<2> ");

	write_file("main.conf", "A = b\ninclude \"none.conf\"\nC = d\n");
	check_load("a file that is not there",
		   "main.conf:2:9: cannot read none.conf: No such file or directory\nA=<b> C=<d> ");
	write_file("main.conf", "include \"/dev/zero\"\n");
	check_load("what is no file", "main.conf:1:9: cannot read /dev/zero: it is not a file\n");
	write_file("main.conf", "include \"loop.conf\"\n");
	write_file("loop.conf", "include \"d/../loop.conf\"\nA = b\n");
	check_load("a loop",
		   "loop.conf:1:9: cannot read d/../loop.conf: it includes itself\nA=<b> ");
	write_file("main.conf", "include \"bad.conf\"\nS { A = b }\n");
	write_file("bad.conf", "S {\n}\n}\n");
	check_load("an included file closes what it opens",
		   "bad.conf:3:1: '}' closes nothing, expected a statement\nS{} S{A=<b> } ");
	write_file("main.conf", "S {\n include \"bad.conf\"\n}\n");
	write_file("bad.conf", "T {\n");
	check_load(
		"and does not leave it open",
		"bad.conf:1:1: scope T is not closed, expected '}' before the end of the file\nS{T{} } ");
	unlink("main.conf");
	check_load("no configuration", "cannot read main.conf: No such file or directory\n");
	write_file("main.conf", "");
	assert_int_equal(truncate("main.conf", (off_t)CONF_BYTES_MAX + 1), 0);
	check_load("too large", "cannot read main.conf: the configuration is too large\n");
}

static void test_include_depth(void **state)
{
	char name[16], text[64], want[256];

	(void)state;
	write_file("main.conf", "include \"n0\"\n");
	for (int i = 0; i <= CONF_INCLUDES_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		snprintf(text, sizeof text, "include \"n%d\"\n", i + 1);
		write_file(name, text);
	}
	snprintf(want, sizeof want, "n%d:1:9: cannot read n%d: too many files including files\n",
		 CONF_INCLUDES_MAX - 1, CONF_INCLUDES_MAX);
	check_load("sixteen deep", want);
}

static void test_paths(void **state)
{
	static const struct {
		const char *name, *path, *want_below; /* "/": absolute */
	} cases[] = {
		{ "T5 beside the file", "x.sock", "d/x.sock" },
		{ "T5 below it", "run/x.sock", "d/run/x.sock" },
		{ "T5 above it", "../var/x", "var/x" },
		{ "T5 the same place", "./x", "d/x" },
		{ "T5 both", "././..//d/../x", "d/../x" },
		{ "T5 an absolute one", "/run/x", "/run/x" },
	};
	struct complaints c;
	struct conf *conf;
	char here[4096], want[8192];

	(void)state;
	assert_non_null(getcwd(here, sizeof here));
	complaints_init(&c);
	conf = conf_parse("d/t.conf", SLICE(""), &c);
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool absolute = cases[i].want_below[0] == '/';

		snprintf(want, sizeof want, "%s%s%s", absolute ? "" : here, absolute ? "" : "/",
			 cases[i].want_below);
		assert_string_equal(conf_path(conf, conf->top.at, cases[i].path), want);
	}
	conf_free(conf);
}

static int in_own_directory(void **state)
{
	static char dir[] = "/tmp/test_conf.XXXXXX";

	*state = dir;
	return mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static int remove_directory(void **state)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r %s", (const char *)*state);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),	      cmocka_unit_test(test_complains),
		cmocka_unit_test(test_limits),	      cmocka_unit_test(test_include),
		cmocka_unit_test(test_include_depth), cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, in_own_directory, remove_directory);
}
