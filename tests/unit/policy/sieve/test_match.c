#include "policy/sieve/world.h"

#include <math.h>

#include "policy/sieve/match.h"
#include "policy/sieve/regex.h"

static void numbers(void **state)
{
	static const struct {
		const char *text;
		bool want_is_whole;
		int64_t want_whole;
		double want_real;
	} cases[] = { /* D16 */
		{ "", true, 0, 0 },
		{ "none", true, 0, 0 },
		{ "12 per host", true, 12, 12 },
		{ "-3.5", false, -3, -3.5 },
		{ "a-7", true, -7, -7 },
		{ "- 7", true, 7, 7 },
		{ "+7", true, 7, 7 },
		{ "1.", true, 1, 1 },
		{ ".5", true, 5, 5 },
		{ "0.1", false, 0, 0.1 },
		{ "3.25.7", false, 3, 3.25 },
		{ "9223372036854775807", true, INT64_MAX, 9223372036854775807.0 },
		{ "9223372036854775808", false, INT64_MAX, 9223372036854775808.0 },
		{ "-99999999999999999999", false, -INT64_MAX, -99999999999999999999.0 },
		{ "007", true, 7, 7 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct number got = sieve_number(slice_of(cases[i].text));
		double off = got.real - cases[i].want_real,
		       bearable = fabs(cases[i].want_real) * 1e-15;

		if (got.is_whole != cases[i].want_is_whole || got.whole != cases[i].want_whole ||
		    fabs(off) > bearable)
			fail_msg("\"%s\": got %d %lld %f", cases[i].text, got.is_whole,
				 (long long)got.whole, got.real);
	}
}

#define OCTET COMPARE_OCTET
#define CASEMAP COMPARE_CASEMAP
#define NUMERIC COMPARE_NUMERIC

static const struct {
	const char *name;
	const char *type;
	const char *relation;
	enum comparator comparator;
	const char *left; /* '|' divides members; a single "|" is the empty list */
	const char *right;
	bool want;
} cases[] = {
	{ "is", "is", NULL, OCTET, "abc", "abc", true },
	{ "is, other", "is", NULL, OCTET, "abc", "abd", false },
	{ "is, longer", "is", NULL, OCTET, "abc", "abcd", false },
	{ "is, empty", "is", NULL, OCTET, "", "", true },
	{ "D17 i;octet sees the case", "is", NULL, OCTET, "Yes", "yes", false },
	{ "i;ascii-casemap does not", "is", NULL, CASEMAP, "Yes", "yES", true },
	{ "i;ascii-casemap leaves other letters", "is", NULL, CASEMAP, "\xc3\x84", "\xc3\xa4",
	  false },
	{ "i;ascii-casemap leaves signs between the cases", "is", NULL, CASEMAP, "[", "{", false },
	{ "is, by number", "is", NULL, NUMERIC, "10 per host", "010", true },
	{ "any member suffices", "is", NULL, OCTET, "a|b|c", "x|c", true },
	{ "no member", "is", NULL, OCTET, "a|b|c", "x|y", false },
	{ "empty left list never matches", "is", NULL, OCTET, "|", "", false },
	{ "empty left list, ne", "value", "ne", OCTET, "|", "x", false },
	{ "empty right list never matches", "is", NULL, OCTET, "a", "|", false },
	{ "contains", "contains", NULL, OCTET, "hello", "ell", true },
	{ "contains, other case", "contains", NULL, OCTET, "hello", "ELL", false },
	{ "contains, casemap", "contains", NULL, CASEMAP, "hEllo", "ELL", true },
	{ "contains nothing", "contains", NULL, OCTET, "hello", "", true },
	{ "nothing contains nothing", "contains", NULL, OCTET, "", "", true },
	{ "contains more than there is", "contains", NULL, OCTET, "he", "hello", false },
	{ "matches", "matches", NULL, OCTET, "mail.example.org", "*.example.org", true },
	{ "matches all of it", "matches", NULL, OCTET, "mail.example.org.uk", "*.example.org",
	  false },
	{ "matches one", "matches", NULL, OCTET, "abc", "a?c", true },
	{ "matches one, none there", "matches", NULL, OCTET, "ac", "a?c", false },
	{ "? is a character, not a byte", "matches", NULL, OCTET,
	  "a\xc3\xa4"
	  "c",
	  "a?c", true },
	{ "* again and again", "matches", NULL, OCTET, "aXbXbc", "a*b*bc", true },
	{ "* at the end", "matches", NULL, OCTET, "ab", "ab**", true },
	{ "* alone", "matches", NULL, OCTET, "", "*", true },
	{ "? alone", "matches", NULL, OCTET, "", "?", false },
	{ "literal star", "matches", NULL, OCTET, "a*c", "a\\*c", true },
	{ "literal star only", "matches", NULL, OCTET, "abc", "a\\*c", false },
	{ "literal ?", "matches", NULL, OCTET, "a?", "a\\?", true },
	{ "literal backslash", "matches", NULL, OCTET, "a\\b", "a\\\\b", true },
	{ "backslash at the end", "matches", NULL, OCTET, "a\\", "a\\", true },
	{ "matches, casemap", "matches", NULL, CASEMAP, "MAIL.x", "mail.*", true },
	{ "regex", "regex", NULL, OCTET, "host-12-34", "\\d+-\\d+", true },
	{ "regex is not anchored", "regex", NULL, OCTET, "xaby", "ab", true },
	{ "regex, anchored by itself", "regex", NULL, OCTET, "xaby", "^ab", false },
	{ "regex, casemap", "regex", NULL, CASEMAP, "ABC", "abc", true },
	{ "regex on nothing", "regex", NULL, OCTET, "", "^$", true },
	{ "D16 9 gt 1000 as octets", "value", "gt", OCTET, "9", "1000", true },
	{ "D16 9 gt 1000 as numbers", "value", "gt", NUMERIC, "9", "1000", false },
	{ "gt", "value", "gt", NUMERIC, "1001", "1000", true },
	{ "gt, equal", "value", "gt", NUMERIC, "1000", "1000", false },
	{ "ge, equal", "value", "ge", NUMERIC, "1000", "1000", true },
	{ "lt", "value", "lt", NUMERIC, "999", "1000", true },
	{ "le, equal", "value", "le", NUMERIC, "1000", "1000", true },
	{ "le, above", "value", "le", NUMERIC, "1001", "1000", false },
	{ "eq", "value", "eq", NUMERIC, "7 of 9", "7", true },
	{ "ne", "value", "ne", NUMERIC, "7 of 9", "9", true },
	{ "D16 a fraction", "value", "gt", NUMERIC, "10.5", "10", true },
	{ "D16 negative", "value", "lt", NUMERIC, "-3.5", "-3", true },
	{ "D16 no number is 0", "value", "eq", NUMERIC, "none", "0", true },
	{ "D16 as wide as 64 bits", "value", "gt", NUMERIC, "9007199254740993", "9007199254740992",
	  true },
	{ "D16 wider", "value", "gt", NUMERIC, "99999999999999999999", "9223372036854775807",
	  true },
	{ "bitwise-and", "value", "bitwise-and", NUMERIC, "6", "2", true },
	{ "bitwise-and, no common bit", "value", "bitwise-and", NUMERIC, "6", "1", false },
	{ "bitwise-and of integer parts", "value", "bitwise-and", NUMERIC, "6.9", "2.1", true },
	{ "ordering by octets", "value", "lt", OCTET, "B", "a", true },
	{ "ordering by casemap", "value", "lt", CASEMAP, "B", "a", false },
	{ "a beginning is less", "value", "lt", OCTET, "ab", "abc", true },
	{ "bytes are not signed", "value", "gt", OCTET, "\xff", "a", true },
	{ "count", "count", "eq", NUMERIC, "a|b|c", "3", true },
	{ "count of none", "count", "eq", NUMERIC, "|", "0", true },
	{ "count, as octets", "count", "gt", OCTET, "1|2|3|4|5|6|7|8|9", "10", true },
};

static struct value list_of(const char *text, struct value *members)
{
	struct slice rest = slice_of(text);
	uint32_t n = 0;

	if (strcmp(text, "|") == 0)
		return (struct value){ .type = VALUE_LIST, .list = members };
	if (strchr(text, '|') == NULL)
		return VALUE_STR(rest);
	while (rest.len > 0)
		members[n++] = VALUE_STR(slice_cut(rest, '|', &rest));
	return (struct value){ .type = VALUE_LIST, .count = n, .list = members };
}

static void matches(void **state)
{
	struct value ls[10], rs[10];
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct match match = { .comparator = cases[i].comparator };
		struct value left = list_of(cases[i].left, ls), right = list_of(cases[i].right, rs);
		bool takes_relation, got;
		int steps = 10000;

		assert_true(
			sieve_match_type_find(slice_of(cases[i].type), &match, &takes_relation));
		assert_int_equal(takes_relation, cases[i].relation != NULL);
		if (takes_relation)
			assert_true(
				sieve_relation_find(slice_of(cases[i].relation), &match.relation));
		assert_null(sieve_match(&match, &arena, &left, &right, &steps, &got));
		if (got != cases[i].want)
			fail_msg("%s: got %d", cases[i].name, got);
		assert_true(steps < 10000 || left.count == 0 || right.count == 0);
	}
	arena_free(&arena);
}

/* Ten thousand steps, and inputs that would like more. */
static void costs(void **state)
{
	static char as[60000], bits[60000], pattern[512];
	struct value many[600];
	struct {
		const char *name;
		struct match match;
		struct value left, right;
		const char *want_wrong;
	} costly[] = {
		{ "glob",
		  { .kind = MATCH_GLOB },
		  VALUE_STR(((struct slice){ as, sizeof as })),
		  VALUE_STR(((struct slice){ pattern, sizeof pattern })),
		  "the comparison takes too long" },
		{ "regex",
		  { .kind = MATCH_REGEX },
		  VALUE_STR(((struct slice){ as, 64 })),
		  VALUE_STR(SLICE("^(a+)+$")),
		  "the regular expression takes too long on this text" },
		{ "regex, at every start a little",
		  { .kind = MATCH_REGEX },
		  VALUE_STR(((struct slice){ bits, sizeof bits })),
		  VALUE_STR(SLICE("(a+)+[bc]")),
		  "the regular expression takes too long on this text" },
		{ "broken regex",
		  { .kind = MATCH_REGEX },
		  VALUE_STR(SLICE("a")),
		  VALUE_STR(SLICE("(a")),
		  "the pattern is not a regular expression" },
		{ "lists",
		  { .kind = MATCH_RELATION },
		  { .type = VALUE_LIST, .count = COUNT(many), .list = many },
		  { .type = VALUE_LIST, .count = COUNT(many), .list = many },
		  "the comparison takes too long" },
		{ "hash",
		  { .kind = MATCH_RELATION },
		  { .type = VALUE_HASH },
		  VALUE_STR(SLICE("a")),
		  "a hash is not a list" },
	};
	struct arena arena;

	(void)state;
	memset(as, 'a', sizeof as);
	as[63] = 'b';
	for (size_t i = 0; i < sizeof bits; i++)
		bits[i] = i % 8 ? 'a' : ' ';
	memset(pattern, 'a', sizeof pattern);
	pattern[0] = '*';
	pattern[sizeof pattern - 1] = 'x';
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = VALUE_STR(SLICE("x"));
	costly[4].match.relation = RELATION_NE;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(costly); i++) {
		int steps = 10000;
		bool got = true;
		const char *wrong = sieve_match(&costly[i].match, &arena, &costly[i].left,
						&costly[i].right, &steps, &got);

		if (wrong == NULL || strcmp(wrong, costly[i].want_wrong) != 0)
			fail_msg("%s: %s", costly[i].name, wrong != NULL ? wrong : "no error");
		assert_false(got);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(matches),
		cmocka_unit_test(costs),
	};

	return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
