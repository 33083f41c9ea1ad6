#include "policy/sieve/world.h"

#include "policy/sieve/lexer.h"

/* "TYPE line:col text", a line a token. */
static const struct {
	const char *name;
	const char *source;
	const char *want_tokens;
} cases[] = {
	{ "nothing", "", "END 1:1\n" },
	{ "blanks and comments", " \t\r\n# all; \"this\n/* and * this\n */x",
	  "IDENTIFIER 4:4 x\nEND 4:5\n" },
	{ "comments do not nest", "/* /* */ x", "IDENTIFIER 1:10 x\nEND 1:11\n" },
	{ "byte order mark", "\xef\xbb\xbfkeep", "IDENTIFIER 1:1 keep\nEND 1:5\n" },
	{ "signs", ";,=()[]{}",
	  "SEMICOLON 1:1\nCOMMA 1:2\nEQUALS 1:3\nLPAREN 1:4\nRPAREN 1:5\nLBRACKET 1:6\nRBRACKET "
	  "1:7\n"
	  "LBRACE 1:8\nRBRACE 1:9\nEND 1:10\n" },
	{ "names", "ec_Test :Value $x_1",
	  "IDENTIFIER 1:1 ec_Test\nTAG 1:9 Value\nVARIABLE 1:16 x_1\nEND 1:20\n" },
	{ "string keeps its escapes for later", "\"a\\\"b\\\\\" x",
	  "STRING 1:1 a\\\"b\\\\\nIDENTIFIER 1:10 x\nEND 1:11\n" },
	{ "string over lines", "\"a\nb\" x", "STRING 1:1 a\nb\nIDENTIFIER 2:4 x\nEND 2:5\n" },
	{ "text:", "text: \t\r\na\n..b\n.\n;", "STRING 1:1 a\n..b\n\nSEMICOLON 5:1\nEND 5:2\n" },
	{ "text: with CRLF", "text:\r\na\r\n.\r\n;", "STRING 1:1 a\r\n\nSEMICOLON 4:1\nEND 4:2\n" },
	{ "empty text:", "text:\n.\n;", "STRING 1:1 \nSEMICOLON 3:1\nEND 3:2\n" },
	{ "text without its colon is a name", "text :is",
	  "IDENTIFIER 1:1 text\nTAG 1:6 is\nEND 1:9\n" },
	{ "text: with something behind it", "text: x",
	  "IDENTIFIER 1:1 text\nBAD 1:5 ':' without the name of a tag\nIDENTIFIER 1:7 x\nEND "
	  "1:8\n" },
	{ "D1 numbers", "0 12 1K 2m 3G",
	  "NUMBER 1:1 0\nNUMBER 1:3 12\nNUMBER 1:6 1024\nNUMBER 1:9 2097152\nNUMBER 1:12 "
	  "3221225472\nEND 1:14\n" },
	{ "D1 the largest", "9223372036854775807 9223372036854775808",
	  "NUMBER 1:1 9223372036854775807\nBAD 1:21 number that is larger than "
	  "9223372036854775807\nEND 1:40\n" },
	{ "D1 a quantifier too large", "9223372036854775G",
	  "BAD 1:1 number that is larger than 9223372036854775807\nEND 1:18\n" },
	{ "D1 a sign or a fraction makes a string", "-86 65.43 -0.5",
	  "STRING 1:1 -86\nSTRING 1:5 65.43\nSTRING 1:11 -0.5\nEND 1:15\n" },
	{ "D1 no quantifier on those", "-1K 1.5M",
	  "BAD 1:1 number with letters after it, expected K, M or G after a whole one\n"
	  "BAD 1:5 number with letters after it, expected K, M or G after a whole one\nEND 1:9\n" },
	{ "number with letters", "10s",
	  "BAD 1:1 number with letters after it, expected K, M or G after a whole one\nEND 1:4\n" },
	{ "dot behind a number", "1. 2",
	  "NUMBER 1:1 1\nBAD 1:2 character that means nothing outside a string\nNUMBER 1:4 2\nEND "
	  "1:5\n" },
	{ "open string", "x \"abc\n",
	  "IDENTIFIER 1:1 x\nBAD 1:3 string that is not closed, expected '\"'\nEND 2:1\n" },
	{ "open string ending in a backslash", "\"abc\\",
	  "BAD 1:1 string that is not closed, expected '\"'\nEND 1:6\n" },
	{ "open text:", "text:\nabc\n",
	  "BAD 1:1 text: that is not closed, expected a line with only '.'\nEND 3:1\n" },
	{ "text: closed by the last byte", "text:\nabc\n.", "STRING 1:1 abc\n\nEND 3:2\n" },
	{ "open comment", "x /* abc",
	  "IDENTIFIER 1:1 x\nBAD 1:3 comment that is not closed, expected '*/'\nEND 1:9\n" },
	{ "stray bytes", "@ $ : $1",
	  "BAD 1:1 character that means nothing outside a string\nBAD 1:3 '$' without the name of "
	  "a variable\n"
	  "BAD 1:5 ':' without the name of a tag\nBAD 1:7 '$' without the name of a "
	  "variable\nNUMBER 1:8 1\nEND 1:9\n" },
};

static void tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lexer lexer;
		struct token token;
		struct buf got;

		buf_init(&got, 0);
		sieve_lexer_init(&lexer, slice_of(cases[i].source));
		do {
			token = sieve_lexer_next(&lexer);
			assert_true(buf_printf(&got, "%s %u:%u", sieve_token_name(token.type),
					       token.at.line, token.at.col));
			if (token.type == TOKEN_NUMBER)
				assert_true(buf_printf(&got, " %lld", (long long)token.number));
			else if (token.text.at != NULL)
				assert_true(buf_printf(&got, " %.*s", SLICE_ARGS(token.text)));
			assert_true(buf_add(&got, "\n", 1));
		} while (token.type != TOKEN_END);
		if (strcmp(buf_text(&got), cases[i].want_tokens) != 0)
			fail_msg("%s:\nwant: %s\ngot:  %s", cases[i].name, cases[i].want_tokens,
				 buf_text(&got));
		buf_free(&got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tokens) };

	return cmocka_run_group_tests_name("lexer", tests, NULL, NULL);
}
