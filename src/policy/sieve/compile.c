#include "base/check.h"
#include "base/mem.h"
#include "policy/sieve/limits.h"
#include "policy/sieve/literal.h"
#include "policy/sieve/program.h"
#include "policy/sieve/regex.h"

/* HASH_ADD below finds its memory here. */
#define uthash_malloc(size) arena_take(arena, size)
#define uthash_free(at, size) ((void)(at))
#include <uthash.h>

/* A string constant that is there already. */
struct interned {
	struct slice text;
	unsigned index;
	UT_hash_handle hh;
};

struct compiler {
	struct program *program;
	struct symbols *symbols;
	struct complaints *complaints;
	struct arena scratch;
	struct interned *strings;
	unsigned stack; /* values on it where the next operation begins */
	uint8_t depth;	/* blocks around it */
	bool negated;
	unsigned line;
};

static void compile_block(struct compiler *c, const struct statement *block);

/* Room for one more: the room doubles when it is used up, and that is at powers of two. */
static void *grow(void *array, unsigned count, size_t size)
{
	return (count & (count - 1)) == 0 ? mem_resize(array, count == 0 ? 1 : count * 2u, size)
					  : array;
}

#define APPEND(array, count, ...)                                                                  \
	((array) = grow((array), (count), sizeof *(array)), (array)[(count)] = (__VA_ARGS__),      \
	 (count)++)

static unsigned emit(struct compiler *c, enum opcode code, unsigned x)
{
	struct program *p = c->program;
	struct op op = {
		.code = code, .negated = c->negated, .depth = c->depth, .x = x, .line = c->line
	};

	return APPEND(p->ops, p->op_count, op);
}

static void pushed(struct compiler *c, unsigned count)
{
	c->stack += count;
	if (c->stack > c->program->stack_max)
		c->program->stack_max = c->stack;
}

/* The jump at `from` goes to where the next operation will be. */
static void land(struct compiler *c, unsigned from)
{
	c->program->ops[from].x = c->program->op_count;
}

static unsigned slot_of(struct compiler *c, struct slice name)
{
	unsigned slot;

	if (!sieve_symbols_slot(c->symbols, name, &slot))
		complain(c->complaints, (struct place){ c->program->file, c->line, 0 },
			 "variable $%.*s is one too many, expected at most 1024 names in a stanza",
			 SLICE_ARGS(name));
	return slot;
}

static unsigned constant(struct compiler *c, struct value v)
{
	struct program *p = c->program;

	return APPEND(p->constants, p->constant_count, v);
}

static unsigned string_constant(struct compiler *c, struct slice text)
{
	struct arena *arena = &c->scratch;
	struct interned *known;

	HASH_FIND(hh, c->strings, text.at, text.len, known);
	if (known != NULL)
		return known->index;
	known = arena_take(arena, sizeof *known);
	CHECK(known != NULL);
	known->text = text;
	known->index = constant(c, VALUE_STR(text));
	HASH_ADD_KEYPTR(hh, c->strings, known->text.at, text.len, known);
	return known->index;
}

static void compile_string(struct compiler *c, const struct text *text)
{
	struct program *p = c->program;
	struct slice value;

	if (sieve_text_is_constant(text, &value)) {
		emit(c, OP_CONSTANT, string_constant(c, value));
	} else if (text->count == 1 && text->parts[0].kind == PART_VARIABLE) {
		emit(c, OP_STRING_OF, slot_of(c, text->parts[0].text));
	} else {
		for (unsigned i = 0; i < text->count; i++)
			if (text->parts[i].kind == PART_VARIABLE)
				text->parts[i].slot = slot_of(c, text->parts[i].text);
		emit(c, OP_TEXT, APPEND(p->texts, p->text_count, *text));
	}
	pushed(c, 1);
}

/* A list of constants is one constant. */
static bool constant_list(struct compiler *c, const struct arg *list, struct value *out)
{
	struct value *members;
	unsigned n = 0;

	for (const struct arg *arg = list->inside; arg != NULL; arg = arg->next) {
		struct slice text;

		if (!sieve_literal(arg, &text))
			return false;
	}
	members = arena_take(&c->program->arena, list->count * sizeof *members);
	CHECK(members != NULL);
	for (const struct arg *arg = list->inside; arg != NULL; arg = arg->next, n++) {
		members[n].type = VALUE_STRING;
		sieve_literal(arg, &members[n].string);
	}
	*out = (struct value){ .type = VALUE_LIST, .count = n, .list = members };
	return true;
}

static void compile_arg(struct compiler *c, const struct arg *arg)
{
	struct value list;

	c->line = arg->at.line;
	switch (arg->kind) {
	case ARG_STRING:
		compile_string(c, &arg->text);
		return;
	case ARG_NUMBER:
		emit(c, OP_CONSTANT, constant(c, VALUE_NUM(arg->number)));
		pushed(c, 1);
		return;
	case ARG_VARIABLE:
		emit(c, OP_VARIABLE, slot_of(c, arg->name));
		pushed(c, 1);
		return;
	case ARG_SUBSCRIPT:
		emit(c, OP_VARIABLE, slot_of(c, arg->name));
		pushed(c, 1);
		compile_arg(c, arg->inside);
		emit(c, OP_INDEX, 0);
		c->stack--;
		return;
	case ARG_LIST:
		if (constant_list(c, arg, &list)) {
			emit(c, OP_CONSTANT, constant(c, list));
			pushed(c, 1);
			return;
		}
		for (const struct arg *member = arg->inside; member != NULL; member = member->next)
			compile_arg(c, member);
		emit(c, OP_LIST, arg->count);
		c->stack -= arg->count - 1;
		return;
	case ARG_TAG: /* the checker took them out */
		break;
	}
	CHECK(!"a tag among the arguments");
}

static void compile_function(struct compiler *c, const struct call *call)
{
	struct program *p = c->program;
	struct call_site site = { call->fn, call->tag, call->tag_value != NULL, call->argc,
			     fn_is_terminal(call->fn, call->argc) };

	for (const struct arg *arg = call->args; arg != NULL; arg = arg->next)
		compile_arg(c, arg);
	if (site.tag_takes)
		compile_arg(c, call->tag_value);
	c->line = call->at.line;
	emit(c, OP_CALL, APPEND(p->sites, p->site_count, site));
	c->stack -= call->argc + site.tag_takes;
	pushed(c, 1);
}

static void compile_include(struct compiler *c, const struct call *call)
{
	struct program *p = c->program;
	struct slice path;

	if (sieve_literal(call->args, &path))
		APPEND(p->includes, p->include_count, (struct include){ path, call->at });
	compile_arg(c, call->args);
	c->line = call->at.line;
	emit(c, OP_INCLUDE, 0);
	c->stack--;
}

/* Leaves a value on the stack. */
static void compile_call(struct compiler *c, const struct call *call)
{
	switch (call->kind) {
	case CALL_FUNCTION:
		compile_function(c, call);
		return;
	case CALL_STOP:
		c->line = call->at.line;
		emit(c, OP_STOP, 0);
		/* fall through */
	case CALL_INCLUDE:
	case CALL_STUB:
		emit(c, OP_CONSTANT, string_constant(c, SLICE("")));
		pushed(c, 1);
		return;
	}
}

static struct regex *constant_regex(struct compiler *c, const struct arg *arg, bool ignore_case)
{
	struct program *p = c->program;
	char why[REGEX_ERROR_MAX];
	struct slice pattern;
	struct regex *regex;

	sieve_literal(arg, &pattern);
	regex = sieve_regex_new(pattern, ignore_case, why);
	if (regex == NULL)
		complain(c->complaints, (struct place){ p->file, arg->at.line, arg->at.col },
			 "regular expression: %s", why);
	else
		APPEND(p->regexes, p->regex_count, regex);
	return regex;
}

/* first and what follows it, count of them, are constant strings. */
static void match_regexes(struct compiler *c, struct match *match, const struct arg *first,
			  unsigned count)
{
	struct regex **regexes = arena_take(&c->program->arena, count * sizeof *regexes);

	CHECK(regexes != NULL);
	match->regexes = regexes;
	match->regex_count = count;
	for (unsigned i = 0; i < count; i++, first = first->next)
		regexes[i] = constant_regex(c, first, match->comparator == COMPARE_CASEMAP);
}

/* What can be known of a constant right-hand side is known now. */
static unsigned match_constant(struct compiler *c, const struct test *test)
{
	struct program *p = c->program;
	struct match match = test->match;
	const struct arg *right = test->right;
	struct slice text;
	struct value list;

	if (right->kind == ARG_NUMBER) {
		match.has_number = true;
		match.number = (struct number){ true, right->number, (double)right->number };
	} else if (sieve_literal(right, &text)) {
		match.has_number = true;
		match.number = sieve_number(text);
		if (match.kind == MATCH_REGEX)
			match_regexes(c, &match, right, 1);
	} else if (right->kind == ARG_LIST && match.kind == MATCH_REGEX &&
		   constant_list(c, right, &list)) {
		match_regexes(c, &match, right->inside, right->count);
	}
	return APPEND(p->matches, p->match_count, match);
}

static void compile_test_call(struct compiler *c, const struct test *test)
{
	if (test->left != NULL)
		compile_arg(c, test->left);
	else
		compile_call(c, &test->call);
	if (test->right != NULL) {
		compile_arg(c, test->right);
		c->line = test->at.line;
		emit(c, OP_MATCH, match_constant(c, test));
		c->stack -= 2;
	} else {
		emit(c, OP_TRUTH, 0);
		c->stack--;
	}
}

/* Leaves the truth in its register; jumps over what can't change it any more (D5). */
static void compile_test(struct compiler *c, const struct test *test)
{
	enum opcode enough = test->kind == TEST_ALLOF ? OP_JUMP_UNLESS : OP_JUMP_IF;
	unsigned jumps[SIEVE_TESTS_MAX], count = 0;

	c->line = test->at.line;
	switch (test->kind) {
	case TEST_TRUE:
	case TEST_FALSE:
		emit(c, OP_SET, test->kind == TEST_TRUE);
		return;
	case TEST_NOT:
		c->negated = !c->negated;
		compile_test(c, test->inside);
		c->negated = !c->negated;
		emit(c, OP_NOT, 0);
		return;
	case TEST_ALLOF:
	case TEST_ANYOF:
		for (const struct test *inside = test->inside; inside != NULL;
		     inside = inside->next) {
			compile_test(c, inside);
			if (inside->next != NULL)
				jumps[count++] = emit(c, enough, 0);
		}
		while (count > 0)
			land(c, jumps[--count]);
		return;
	case TEST_CALL:
		compile_test_call(c, test);
		return;
	}
}

static void compile_if(struct compiler *c, const struct statement *s)
{
	unsigned ends = 0, next = 0;

	for (const struct branch *b = s->branches; b != NULL; b = b->next) {
		if (b->test != NULL) {
			c->line = b->at.line;
			emit(c, OP_IF, 0);
			compile_test(c, b->test);
			next = emit(c, OP_JUMP_UNLESS, 0);
		}
		c->depth++;
		emit(c, OP_ENTER, 0);
		compile_block(c, b->block);
		c->depth--;
		/* Until the end is known, each jump to it remembers the one before. */
		if (b->next != NULL)
			ends = emit(c, OP_JUMP, ends);
		if (b->test != NULL)
			land(c, next);
	}
	while (ends != 0) {
		next = c->program->ops[ends].x;
		land(c, ends);
		ends = next;
	}
}

static void compile_assignment(struct compiler *c, const struct statement *s)
{
	if (s->value != NULL)
		compile_arg(c, s->value);
	else
		compile_call(c, &s->call);
	c->line = s->at.line;
	if (s->kind == STATEMENT_SPREAD) {
		emit(c, OP_SPREAD, s->target_count);
		c->stack--;
		pushed(c, s->target_count);
	}
	for (const struct arg *target = s->targets; target != NULL; target = target->next) {
		emit(c, OP_STORE, slot_of(c, target->name));
		c->stack--;
	}
}

static void compile_statement(struct compiler *c, const struct statement *s)
{
	c->line = s->at.line;
	switch (s->kind) {
	case STATEMENT_REQUIRE:
		return;
	case STATEMENT_IF:
		compile_if(c, s);
		return;
	case STATEMENT_ASSIGN:
	case STATEMENT_SPREAD:
		compile_assignment(c, s);
		return;
	case STATEMENT_COMMAND:
		if (s->call.kind == CALL_INCLUDE) {
			compile_include(c, &s->call);
			return;
		}
		compile_call(c, &s->call);
		emit(c, OP_DROP, 0);
		c->stack--;
		return;
	}
}

static void compile_block(struct compiler *c, const struct statement *block)
{
	for (; block != NULL; block = block->next)
		compile_statement(c, block);
}

void sieve_compile(struct program *program, const struct statement *script, struct symbols *symbols,
		   struct complaints *complaints)
{
	struct compiler c = { .program = program, .symbols = symbols, .complaints = complaints };

	arena_init(&c.scratch, SIZE_MAX);
	compile_block(&c, script);
	emit(&c, OP_END, 0);
	arena_free(&c.scratch);
}
