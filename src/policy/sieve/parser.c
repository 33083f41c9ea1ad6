#include "policy/sieve/parser.h"

#include "base/check.h"
#include "policy/sieve/limits.h"

/*
 * One token is looked at, never more. After an error the parser runs on to where a statement can
 * begin, and nothing is said until it gets there.
 */
struct parser {
	struct lexer lexer;
	struct token token;
	struct arena *arena;
	const char *file;
	struct complaints *complaints;
	unsigned statements;
	bool lost;
	bool ran_out; /* at the end, inside a block */
};

static struct statement *parse_statements(struct parser *p, unsigned depth);
static struct test *parse_test(struct parser *p, unsigned depth);

static void *take(struct parser *p, size_t size)
{
	void *at = arena_take(p->arena, size);

	CHECK(at != NULL);
	return at;
}

static struct place place_of(const struct parser *p, struct spot at)
{
	return (struct place){ p->file, at.line, at.col };
}

static void advance(struct parser *p)
{
	p->token = sieve_lexer_next(&p->lexer);
}

static bool at(const struct parser *p, enum token_type type)
{
	return p->token.type == type;
}

static bool at_word(const struct parser *p, const char *word)
{
	return at(p, TOKEN_IDENTIFIER) && slice_equal_nocase(p->token.text, slice_of(word));
}

static void fail_at(struct parser *p, struct spot spot, const char *why)
{
	if (!p->lost)
		complain(p->complaints, place_of(p, spot), "%s", why);
	p->lost = true;
}

static void expected(struct parser *p, const char *what)
{
	const struct token *t = &p->token;
	bool has_text =
		t->type == TOKEN_IDENTIFIER || t->type == TOKEN_TAG || t->type == TOKEN_VARIABLE;

	if (p->lost)
		return;
	p->lost = true;
	if (t->type == TOKEN_BAD)
		complain(p->complaints, place_of(p, t->at), "%.*s", SLICE_ARGS(t->text));
	else if (has_text)
		complain(p->complaints, place_of(p, t->at),
			 "syntax error near token %s \"%.*s\": expected %s",
			 sieve_token_name(t->type), SLICE_ARGS(t->text), what);
	else
		complain(p->complaints, place_of(p, t->at),
			 "syntax error near token %s: expected %s", sieve_token_name(t->type),
			 what);
}

static bool accept_token(struct parser *p, enum token_type type)
{
	if (p->lost || !at(p, type))
		return false;
	advance(p);
	return true;
}

static bool expect(struct parser *p, enum token_type type, const char *what)
{
	if (accept_token(p, type))
		return true;
	expected(p, what);
	return false;
}

/*
 * Behind the end of the statement that went wrong, with its blocks and what is chained to them; or
 * before the '}' of the block around.
 */
static void find_way(struct parser *p)
{
	unsigned open = 0;

	for (; !at(p, TOKEN_END); advance(p)) {
		if (at(p, TOKEN_LBRACE)) {
			open++;
		} else if (at(p, TOKEN_SEMICOLON) && open == 0) {
			advance(p);
			break;
		} else if (at(p, TOKEN_RBRACE)) {
			if (open == 0)
				break;
			if (--open > 0)
				continue;
			advance(p);
			if (!at_word(p, "elsif") && !at_word(p, "else"))
				break;
		}
	}
	p->lost = false;
}

static struct arg *new_arg(struct parser *p, enum arg_kind kind)
{
	struct arg *arg = take(p, sizeof *arg);

	arg->kind = kind;
	arg->at = p->token.at;
	arg->name = p->token.text;
	arg->number = p->token.number;
	return arg;
}

static struct arg *parse_string(struct parser *p)
{
	struct arg *arg = new_arg(p, ARG_STRING);
	const char *why = sieve_text_parse(p->arena, &p->token, &arg->text);

	if (why != NULL)
		fail_at(p, p->token.at, why);
	advance(p);
	return arg;
}

static bool at_string(const struct parser *p)
{
	return at(p, TOKEN_STRING) || at(p, TOKEN_MULTILINE);
}

static struct arg *parse_member(struct parser *p)
{
	struct arg *member;

	if (at_string(p))
		return parse_string(p);
	if (!at(p, TOKEN_VARIABLE)) {
		expected(p, "a string or a variable");
		return NULL;
	}
	member = new_arg(p, ARG_VARIABLE);
	advance(p);
	return member;
}

static struct arg *parse_list(struct parser *p)
{
	struct arg *list = new_arg(p, ARG_LIST), **end = &list->inside;

	advance(p);
	if (accept_token(p, TOKEN_RBRACKET))
		return list;
	do {
		if (list->count++ == SIEVE_LIST_MAX)
			fail_at(p, p->token.at, "list of more than 1024 members");
		*end = parse_member(p);
		if (*end == NULL)
			return list;
		end = &(*end)->next;
	} while (accept_token(p, TOKEN_COMMA));
	expect(p, TOKEN_RBRACKET, "',' or ']'");
	return list;
}

/* A variable followed by '[' is always a subscript, whatever lies between them. */
static struct arg *parse_variable(struct parser *p)
{
	struct arg *arg = new_arg(p, ARG_VARIABLE);

	advance(p);
	if (!accept_token(p, TOKEN_LBRACKET))
		return arg;
	arg->kind = ARG_SUBSCRIPT;
	if (at(p, TOKEN_NUMBER)) {
		arg->inside = new_arg(p, ARG_NUMBER);
		advance(p);
	} else if (at(p, TOKEN_VARIABLE) || at_string(p)) {
		arg->inside = parse_member(p);
	} else {
		expected(p, "a string, a number or a variable as subscript");
	}
	expect(p, TOKEN_RBRACKET, "']' (a variable before '[' is a subscript; "
				  "write \"${name}\" to put a list after it)");
	return arg;
}

/* NULL: what stands here is no argument, or is broken. */
static struct arg *parse_arg(struct parser *p)
{
	struct arg *arg;

	if (at_string(p))
		return parse_string(p);
	if (at(p, TOKEN_VARIABLE))
		return parse_variable(p);
	if (at(p, TOKEN_LBRACKET))
		return parse_list(p);
	if (!at(p, TOKEN_NUMBER) && !at(p, TOKEN_TAG))
		return NULL;
	arg = new_arg(p, at(p, TOKEN_TAG) ? ARG_TAG : ARG_NUMBER);
	advance(p);
	return arg;
}

static void parse_call(struct parser *p, struct call *call)
{
	struct arg **end = &call->args;

	call->name = p->token.text;
	call->at = p->token.at;
	advance(p);
	while (!p->lost && (*end = parse_arg(p)) != NULL) {
		if (call->argc++ == SIEVE_ARGS_MAX)
			fail_at(p, (*end)->at, "call with more than 32 arguments");
		end = &(*end)->next;
	}
	if (at(p, TOKEN_IDENTIFIER))
		expected(p, "an argument or the end of the call (a call can't be an argument: "
			    "store its value in a variable first)");
}

static struct test *parse_tests(struct parser *p, unsigned depth)
{
	struct test *first = NULL, **end = &first;
	unsigned count = 0;

	if (!expect(p, TOKEN_LPAREN, "'('"))
		return NULL;
	do {
		if (count++ == SIEVE_TESTS_MAX)
			fail_at(p, p->token.at, "more than 256 tests in a row");
		*end = parse_test(p, depth);
		if (*end == NULL)
			return first;
		end = &(*end)->next;
	} while (accept_token(p, TOKEN_COMMA));
	expect(p, TOKEN_RPAREN, "',' or ')'");
	return first;
}

static const struct {
	const char *word;
	enum test_kind kind;
} test_words[] = {
	{ "true", TEST_TRUE }, { "false", TEST_FALSE }, { "not", TEST_NOT },
	{ "allof", TEST_ALLOF }, { "anyof", TEST_ANYOF },
};

static struct test *parse_test(struct parser *p, unsigned depth)
{
	struct test *test;

	if (!at(p, TOKEN_IDENTIFIER)) {
		expected(p, "a test");
		return NULL;
	}
	if (depth == SIEVE_NESTING_MAX) {
		fail_at(p, p->token.at, "blocks and tests nest deeper than 32");
		return NULL;
	}
	test = take(p, sizeof *test);
	test->kind = TEST_CALL;
	test->at = p->token.at;
	for (size_t i = 0; i < sizeof test_words / sizeof *test_words; i++)
		if (at_word(p, test_words[i].word))
			test->kind = test_words[i].kind;
	if (test->kind == TEST_CALL) {
		parse_call(p, &test->call);
		return test;
	}
	advance(p);
	if (test->kind == TEST_NOT)
		test->inside = parse_test(p, depth + 1);
	else if (test->kind == TEST_ALLOF || test->kind == TEST_ANYOF)
		test->inside = parse_tests(p, depth + 1);
	return test;
}

static struct statement *parse_block(struct parser *p, unsigned depth)
{
	struct spot opened = p->token.at;
	struct statement *block;

	if (at(p, TOKEN_LBRACE) && depth == SIEVE_NESTING_MAX)
		fail_at(p, opened, "blocks and tests nest deeper than 32");
	if (!expect(p, TOKEN_LBRACE, "'{'"))
		return NULL;
	block = parse_statements(p, depth + 1);
	if (!at(p, TOKEN_END)) {
		expect(p, TOKEN_RBRACE, "'}'");
	} else {
		if (!p->ran_out) /* else the blocks around it are open for the same reason */
			fail_at(p, opened, "block that is not closed, expected '}'");
		p->ran_out = p->lost = true;
	}
	return block;
}

static void parse_if(struct parser *p, struct statement *statement, unsigned depth)
{
	struct branch **end = &statement->branches;
	bool has_test;

	do {
		has_test = !at_word(p, "else");
		*end = take(p, sizeof **end);
		(*end)->at = p->token.at;
		advance(p);
		if (has_test)
			(*end)->test = parse_test(p, depth);
		(*end)->block = parse_block(p, depth);
		end = &(*end)->next;
	} while (!p->lost && has_test && (at_word(p, "elsif") || at_word(p, "else")));
}

static void parse_targets(struct parser *p, struct statement *statement)
{
	struct arg **end = &statement->targets;

	do {
		if (!at(p, TOKEN_VARIABLE)) {
			expected(p, "a variable");
			return;
		}
		if (statement->target_count++ == SIEVE_ARGS_MAX)
			fail_at(p, p->token.at, "more than 32 variables");
		*end = new_arg(p, ARG_VARIABLE);
		end = &(*end)->next;
		advance(p);
	} while (statement->kind == STATEMENT_SPREAD && accept_token(p, TOKEN_COMMA));
}

static void parse_value(struct parser *p, struct statement *statement)
{
	if (!expect(p, TOKEN_EQUALS, "'='"))
		return;
	if (at(p, TOKEN_IDENTIFIER)) {
		parse_call(p, &statement->call);
		return;
	}
	statement->value = at(p, TOKEN_TAG) ? NULL : parse_arg(p);
	if (statement->value == NULL)
		expected(p, "a value or a function");
}

static void parse_require(struct parser *p, struct statement *statement)
{
	advance(p);
	if (at_string(p))
		statement->value = parse_string(p);
	else if (at(p, TOKEN_LBRACKET))
		statement->value = parse_list(p);
	else
		expected(p, "a string or a list of strings");
}

static struct statement *parse_statement(struct parser *p, unsigned depth)
{
	struct statement *statement = take(p, sizeof *statement);

	statement->at = p->token.at;
	if (at_word(p, "if")) {
		statement->kind = STATEMENT_IF;
		parse_if(p, statement, depth);
		return statement;
	}
	if (at_word(p, "elsif") || at_word(p, "else")) {
		expected(p, "a statement (elsif and else follow the '}' of their if)");
		return statement;
	}
	if (at_word(p, "require")) {
		statement->kind = STATEMENT_REQUIRE;
		if (depth > 0)
			fail_at(p, p->token.at,
				"require inside a block, expected it at the top level");
		parse_require(p, statement);
	} else if (at(p, TOKEN_VARIABLE)) {
		statement->kind = STATEMENT_ASSIGN;
		parse_targets(p, statement);
		parse_value(p, statement);
	} else if (accept_token(p, TOKEN_LPAREN)) {
		statement->kind = STATEMENT_SPREAD;
		parse_targets(p, statement);
		if (expect(p, TOKEN_RPAREN, "',' or ')'"))
			parse_value(p, statement);
	} else if (at(p, TOKEN_IDENTIFIER)) {
		statement->kind = STATEMENT_COMMAND;
		parse_call(p, &statement->call);
	} else {
		expected(p, "a statement");
	}
	expect(p, TOKEN_SEMICOLON, "';'");
	return statement;
}

/* Up to the end of the block or of the source. */
static struct statement *parse_statements(struct parser *p, unsigned depth)
{
	struct statement *first = NULL, **end = &first;

	while (!at(p, TOKEN_END) && !at(p, TOKEN_RBRACE)) {
		if (p->statements++ == SIEVE_STATEMENTS_MAX) {
			fail_at(p, p->token.at, "more than 10000 statements");
			while (!at(p, TOKEN_END))
				advance(p);
			return first;
		}
		*end = parse_statement(p, depth);
		if (p->lost) {
			*end = NULL; /* half a statement would only make more complaints */
			find_way(p);
		} else {
			end = &(*end)->next;
		}
	}
	return first;
}

struct statement *sieve_parse(struct arena *arena, const char *file, struct slice source,
			      struct complaints *complaints)
{
	struct parser p = { .arena = arena, .file = file, .complaints = complaints };
	struct statement *script;

	sieve_lexer_init(&p.lexer, source);
	advance(&p);
	script = parse_statements(&p, 0);
	while (at(&p, TOKEN_RBRACE)) {
		expected(&p, "a statement (this '}' closes nothing)");
		p.lost = false;
		advance(&p);
		parse_statements(&p, 0);
	}
	return script;
}
