#include "policy/sieve/check.h"

#include <limits.h>

#include "base/addr.h"
#include "base/nearest.h"
#include "policy/sieve/literal.h"

struct checker {
	const char *file;
	const struct sieve_target *target;
	struct complaints *complaints;
};

/* What `require` may ask for. All of it is there without asking. */
static const char *const capabilities[] = {
	"comparator-i;ascii-casemap",
	"comparator-i;ascii-numeric",
	"comparator-i;octet",
	"envelope",
	"fileinto",
	"include",
	"regex",
	"relational",
	"variables",
};

static void check_block(struct checker *c, struct statement *block);

#define WRONG(c, spot, ...)                                                                        \
	complain((c)->complaints, (struct place){ (c)->file, (spot).line, (spot).col }, __VA_ARGS__)

/* Whether these tags have this one, and whether it takes a value ("ip="). */
static bool tag_find(const char *tags, struct slice name, bool *takes_out)
{
	struct slice rest = slice_of(tags != NULL ? tags : ""), known;

	while (rest.len > 0) {
		known = slice_cut(rest, ' ', &rest);
		*takes_out = known.at[known.len - 1] == '=';
		known.len -= *takes_out;
		if (slice_equal_nocase(known, name))
			return true;
	}
	return false;
}

/* The argument behind a tag, taken out of the list; it has to be a literal. */
static bool take_literal(struct checker *c, struct call *call, struct arg **link, const char *tag,
			 const char *expected, struct slice *out)
{
	struct arg *arg = *link;

	if (!sieve_literal(arg, out)) {
		WRONG(c, arg != NULL ? arg->at : call->at,
		      "%s needs a literal after it, expected one of: %s", tag, expected);
		return false;
	}
	*link = arg->next;
	call->argc--;
	return true;
}

static void take_relation(struct checker *c, struct call *call, struct arg **link,
			  struct match *match)
{
	const char *tag = match->counts ? ":count" : ":value";
	struct spot spot = *link != NULL ? (*link)->at : call->at;
	struct slice name;

	if (take_literal(c, call, link, tag, sieve_relations, &name) &&
	    !sieve_relation_find(name, &match->relation))
		WRONG(c, spot, "unknown relation \"%.*s\", expected one of: %s", SLICE_ARGS(name),
		      sieve_relations);
}

static void take_comparator(struct checker *c, struct call *call, struct arg **link,
			    struct match *match)
{
	struct spot spot = *link != NULL ? (*link)->at : call->at;
	struct slice name;

	if (take_literal(c, call, link, ":comparator", sieve_comparators, &name) &&
	    !sieve_comparator_find(name, &match->comparator))
		WRONG(c, spot, "unknown comparator \"%.*s\", expected one of: %s", SLICE_ARGS(name),
		      sieve_comparators);
}

static void unknown_tag(struct checker *c, const struct call *call, const struct arg *tag,
			bool compares)
{
	const char *own = call->fn != NULL ? call->fn->tags : NULL;

	WRONG(c, tag->at, "%.*s has no tag \":%.*s\", expected %s%s%s%s", SLICE_ARGS(call->name),
	      SLICE_ARGS(tag->name),
	      compares	    ? "one of: :comparator "
	      : own == NULL ? "none"
			    : "one of: ",
	      compares ? sieve_match_types : "", compares && own != NULL ? " and: " : "",
	      own != NULL ? own : "");
}

/* The argument behind a tag of the function's own, taken out of the list. */
static void take_tag_value(struct checker *c, struct call *call, struct arg **link)
{
	struct arg *arg = *link;
	struct slice text;
	struct addr addr;
	const char *wrong = NULL;

	if (arg == NULL || arg->kind == ARG_TAG) {
		WRONG(c, arg != NULL ? arg->at : call->at, ":%.*s needs a value after it",
		      SLICE_ARGS(call->tag));
		return;
	}
	*link = arg->next;
	call->argc--;
	call->tag_value = arg;
	if (sieve_literal(arg, &text))
		wrong = addr_parse(text, &addr); /* :ip, and there is no other */
	if (wrong != NULL)
		WRONG(c, arg->at, ":%.*s: %s", SLICE_ARGS(call->tag), wrong);
}

/* Tags may stand anywhere among the arguments (D15). What they mean: *match, call->tag. */
static void take_tags(struct checker *c, struct call *call, struct match *match)
{
	struct arg **link = &call->args;
	bool has_type = false, takes_relation, takes_value;

	while (*link != NULL) {
		struct arg *tag = *link;

		if (tag->kind != ARG_TAG) {
			link = &tag->next;
			continue;
		}
		*link = tag->next;
		call->argc--;
		if (match != NULL && slice_equal_nocase(tag->name, SLICE("comparator"))) {
			take_comparator(c, call, link, match);
		} else if (match != NULL &&
			   sieve_match_type_find(tag->name, match, &takes_relation)) {
			if (has_type)
				WRONG(c, tag->at, "second match type \":%.*s\", expected only one",
				      SLICE_ARGS(tag->name));
			has_type = true;
			if (takes_relation)
				take_relation(c, call, link, match);
		} else if (call->fn == NULL ||
			   !tag_find(call->fn->tags, tag->name, &takes_value)) {
			unknown_tag(c, call, tag, match != NULL);
		} else if (call->tag.len > 0) {
			WRONG(c, tag->at, "second tag \":%.*s\", expected only one",
			      SLICE_ARGS(tag->name));
		} else {
			call->tag = tag->name;
			if (takes_value)
				take_tag_value(c, call, link);
		}
	}
}

static void check_match(struct checker *c, struct spot spot, const struct match *match)
{
	bool is_numeric = match->comparator == COMPARE_NUMERIC;

	if (match->kind != MATCH_RELATION && is_numeric)
		WRONG(c, spot,
		      ":%s can't use the comparator i;ascii-numeric, "
		      "expected i;octet or i;ascii-casemap",
		      sieve_match_name(match));
	if (match->kind == MATCH_RELATION && match->relation == RELATION_BITWISE_AND && !is_numeric)
		WRONG(c, spot, "the relation bitwise-and needs :comparator \"i;ascii-numeric\"");
}

/* A hash, which then stands alone: it can only be told from another value at run time. */
static bool may_be_hash(const struct call *call)
{
	return fn_takes_hash(call->fn) && call->argc == 1 &&
	       (call->args->kind == ARG_VARIABLE || call->args->kind == ARG_SUBSCRIPT);
}

static void check_args(struct checker *c, const struct call *call, const struct arg *right)
{
	const struct policy_fn *fn = call->fn;
	unsigned min = fn_args_min(fn), max = fn_args_max(fn), n = 0;
	const char *and_right = right != NULL ? " and a value to compare with" : "";

	if (may_be_hash(call))
		return;
	if (call->argc < min || call->argc > max) {
		if (min == max)
			WRONG(c, call->at, "%s takes %u argument%s%s, not %u", fn->name, min,
			      min == 1 ? "" : "s", and_right, call->argc);
		else if (max == UINT_MAX)
			WRONG(c, call->at, "%s takes at least %u argument%s%s, not %u", fn->name,
			      min, min == 1 ? "" : "s", and_right, call->argc);
		else
			WRONG(c, call->at, "%s takes %u to %u arguments%s, not %u", fn->name, min,
			      max, and_right, call->argc);
		return;
	}
	if (fn_args_torn(fn, call->argc))
		WRONG(c, call->at, "%s with argument %u takes argument %u, too", fn->name,
		      call->argc, call->argc + 1);
	for (const struct arg *arg = call->args; arg != NULL; arg = arg->next, n++) {
		const char *wrong = sieve_literal_fault(fn, n, arg);

		if (wrong != NULL)
			WRONG(c, arg->at, "argument %u of %s: %s", n + 1, fn->name, wrong);
	}
}

static void check_phase(struct checker *c, const struct call *call)
{
	unsigned phases = call->fn->phases;
	enum phase first = PHASE_ACCEPT;

	if (phases & PHASE_BIT(c->target->phase))
		return;
	while (first < PHASE_COUNT && (phases & PHASE_BIT(first)) == 0)
		first++;
	WRONG(c, call->at, "%s can't be used at %s, expected %s%s", call->fn->name,
	      phase_name(c->target->phase), first < PHASE_COUNT ? phase_name(first) : "no phase",
	      first < PHASE_COUNT && phases == PHASES_FROM(first) ? " or later" : "");
}

static const char *name_near(struct slice name)
{
	const char *known = fn_nearest(FN_SIEVE, name);
	struct nearest nearest;

	nearest_begin(&nearest, name);
	nearest_try(&nearest, "ec_test");
	if (known != NULL)
		nearest_try(&nearest, known);
	return nearest.name;
}

/* NULL: it can't be called at all, and that has been said. */
static const struct policy_fn *find_function(struct checker *c, struct call *call)
{
	const struct policy_fn *fn = fn_find(FN_SIEVE, call->name);
	const char *near;

	if (fn == NULL) {
		near = name_near(call->name);
		WRONG(c, call->at, "unknown function \"%.*s\"%s%s%s", SLICE_ARGS(call->name),
		      near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
		      near != NULL ? "\"?" : "");
		return NULL;
	}
	if (fn->flags & FN_TIER_C) {
		call->kind = CALL_STUB;
		if (!c->target->stub_unavailable)
			WRONG(c, call->at, "function %s is not available in this build", fn->name);
		return NULL;
	}
	if (fn->call == NULL) {
		WRONG(c, call->at,
		      fn->flags & FN_ABSENT
			      ? "function %s is not available yet"
			      : "%s gives no value, expected it as a statement of its own",
		      fn->name);
		return NULL;
	}
	if ((fn->flags & FN_AUDIT) && !c->target->has_inbound_audit) {
		WRONG(c, call->at, "%s requires module inbound_audit", fn->name);
		return NULL;
	}
	return fn;
}

static void check_include(struct checker *c, struct call *call)
{
	struct slice uri;

	call->kind = CALL_INCLUDE;
	take_tags(c, call, NULL);
	/* The second is for data sources; a file ignores it. */
	if (call->argc < 1 || call->argc > 2)
		WRONG(c, call->at, "ec_include takes 1 to 2 arguments, not %u", call->argc);
	else if (sieve_literal(call->args, &uri) &&
		 (uri.len == 0 || uri.at[0] == ':' || memmem(uri.at, uri.len, "://", 3) != NULL))
		WRONG(c, call->args->at,
		      "ec_include reads files only in this build, expected a path");
}

static void not_a_test_here(struct checker *c, const struct call *call)
{
	WRONG(c, call->at,
	      "%.*s is a test, expected it after if, elsif or not, or in anyof or allof",
	      SLICE_ARGS(call->name));
}

/* A statement of its own, or what a variable is set to. */
static void check_call(struct checker *c, struct call *call, bool is_statement)
{
	if (slice_equal_nocase(call->name, SLICE("ec_include")) && is_statement) {
		check_include(c, call);
		return;
	}
	if (slice_equal_nocase(call->name, SLICE("ec_test"))) {
		not_a_test_here(c, call);
		return;
	}
	call->fn = find_function(c, call);
	if (call->fn == NULL)
		return;
	if (slice_equal_nocase(call->name, SLICE("stop")))
		call->kind = CALL_STOP;
	if ((call->fn->flags & FN_TEST) && !(call->fn->flags & FN_VALUE))
		not_a_test_here(c, call);
	check_phase(c, call);
	take_tags(c, call, NULL);
	check_args(c, call, NULL);
}

/* The last argument of a test that compares. */
static struct arg *take_right(struct call *call)
{
	struct arg **link = &call->args, *right;

	while ((*link)->next != NULL)
		link = &(*link)->next;
	right = *link;
	*link = NULL;
	call->argc--;
	return right;
}

static void check_ec_test(struct checker *c, struct test *test)
{
	struct call *call = &test->call;

	take_tags(c, call, &test->match);
	check_match(c, call->at, &test->match);
	if (call->argc != 2) {
		WRONG(c, call->at, "ec_test takes 2 arguments beside its tags, not %u", call->argc);
		return;
	}
	test->right = take_right(call);
	test->left = call->args;
}

/* Any function that gives a value is a test with the right-hand side as last argument (1.5). */
static void check_function_test(struct checker *c, struct test *test)
{
	struct call *call = &test->call;

	call->fn = find_function(c, call);
	if (call->fn == NULL)
		return;
	check_phase(c, call);
	if (call->fn->flags & FN_TEST) {
		take_tags(c, call, NULL);
		check_args(c, call, NULL);
		return;
	}
	if (!(call->fn->flags & FN_VALUE)) {
		WRONG(c, call->at, "%s gives no value, expected a test", call->fn->name);
		return;
	}
	take_tags(c, call, &test->match);
	check_match(c, call->at, &test->match);
	if (call->argc == 0) {
		WRONG(c, call->at, "%s as a test needs a value to compare with as last argument",
		      call->fn->name);
		return;
	}
	test->right = take_right(call);
	check_args(c, call, test->right);
}

static void check_test(struct checker *c, struct test *test)
{
	if (test == NULL)
		return;
	for (struct test *inside = test->inside; inside != NULL; inside = inside->next)
		check_test(c, inside);
	if (test->kind != TEST_CALL)
		return;
	if (slice_equal_nocase(test->call.name, SLICE("ec_test")))
		check_ec_test(c, test);
	else
		check_function_test(c, test);
}

static void check_capability(struct checker *c, const struct arg *arg)
{
	struct slice name;

	if (!sieve_literal(arg, &name)) {
		WRONG(c, arg->at, "require needs literals");
		return;
	}
	if (!c->target->strict_require)
		return;
	for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
		if (slice_equal(name, slice_of(capabilities[i])))
			return;
	if (fn_find(FN_SIEVE, name) == NULL)
		WRONG(c, arg->at, "unknown capability \"%.*s\"", SLICE_ARGS(name));
}

static void check_statement(struct checker *c, struct statement *s)
{
	switch (s->kind) {
	case STATEMENT_REQUIRE:
		if (s->value == NULL)
			return;
		if (s->value->kind != ARG_LIST)
			check_capability(c, s->value);
		for (const struct arg *arg = s->value->inside; arg != NULL; arg = arg->next)
			check_capability(c, arg);
		return;
	case STATEMENT_IF:
		for (struct branch *b = s->branches; b != NULL; b = b->next) {
			check_test(c, b->test);
			check_block(c, b->block);
		}
		return;
	case STATEMENT_ASSIGN:
	case STATEMENT_SPREAD:
		if (s->value == NULL)
			check_call(c, &s->call, false);
		return;
	case STATEMENT_COMMAND:
		check_call(c, &s->call, true);
		return;
	}
}

static void check_block(struct checker *c, struct statement *block)
{
	for (; block != NULL; block = block->next)
		check_statement(c, block);
}

void sieve_check(struct statement *script, const char *file, const struct sieve_target *target,
		 struct complaints *complaints)
{
	struct checker c = { .file = file, .target = target, .complaints = complaints };

	check_block(&c, script);
}
