#include "policy/sieve/match.h"

#include "base/ascii.h"
#include "policy/sieve/regex.h"

enum { STEPS_REGEX = 20, STEPS_REGEX_NEW = 500, BYTES_A_STEP = 64, GLOB_MOVES_A_STEP = 16 };

static const char too_long[] = "the comparison takes too long";

static const struct {
	const char *name;
	enum match_kind kind;
	bool takes_relation;
	bool counts;
} types[] = {
	{ "value", MATCH_RELATION, true, false },   { "is", MATCH_RELATION, false, false },
	{ "count", MATCH_RELATION, true, true },    { "contains", MATCH_CONTAINS, false, false },
	{ "matches", MATCH_GLOB, false, false },    { "regex", MATCH_REGEX, false, false },
};
static const char *const relations[] = {
	[RELATION_GT] = "gt", [RELATION_GE] = "ge", [RELATION_LT] = "lt", [RELATION_LE] = "le",
	[RELATION_EQ] = "eq", [RELATION_NE] = "ne", [RELATION_BITWISE_AND] = "bitwise-and",
};
static const char *const comparators[] = {
	[COMPARE_OCTET] = "i;octet",
	[COMPARE_CASEMAP] = "i;ascii-casemap",
	[COMPARE_NUMERIC] = "i;ascii-numeric",
};
const char sieve_match_types[] = ":is :contains :matches :regex :value :count";
const char sieve_relations[] = "gt ge lt le eq ne bitwise-and";
const char sieve_comparators[] = "i;octet i;ascii-casemap i;ascii-numeric";

bool sieve_match_type_find(struct slice tag, struct match *out, bool *takes_relation_out)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (!slice_equal_nocase(tag, slice_of(types[i].name)))
			continue;
		out->kind = types[i].kind;
		out->counts = types[i].counts;
		*takes_relation_out = types[i].takes_relation;
		return true;
	}
	return false;
}

/* The index of the name; count: it is not there. */
static unsigned name_find(const char *const *names, unsigned count, struct slice name)
{
	unsigned i = 0;

	while (i < count && !slice_equal_nocase(name, slice_of(names[i])))
		i++;
	return i;
}

bool sieve_relation_find(struct slice name, enum relation *out)
{
	unsigned count = sizeof relations / sizeof *relations,
		 i = name_find(relations, count, name);

	*out = (enum relation)i;
	return i < count;
}

bool sieve_comparator_find(struct slice name, enum comparator *out)
{
	unsigned count = sizeof comparators / sizeof *comparators,
		 i = name_find(comparators, count, name);

	*out = (enum comparator)i;
	return i < count;
}

const char *sieve_match_name(const struct match *match)
{
	size_t i = 0;

	while (types[i].kind != match->kind || types[i].counts != match->counts)
		i++;
	return types[i].name;
}

const char *sieve_relation_name(enum relation relation)
{
	return relations[relation];
}

const char *sieve_comparator_name(enum comparator comparator)
{
	return comparators[comparator];
}

struct number sieve_number(struct slice text)
{
	struct number n = { .is_whole = true };
	double scale = 1;
	bool negative;
	size_t i = 0;

	while (i < text.len && !ascii_is_digit(text.at[i]))
		i++;
	negative = i > 0 && i < text.len && text.at[i - 1] == '-';
	for (; i < text.len && ascii_is_digit(text.at[i]); i++) {
		int digit = text.at[i] - '0';

		n.real = n.real * 10 + digit;
		if (__builtin_mul_overflow(n.whole, 10, &n.whole) ||
		    __builtin_add_overflow(n.whole, digit, &n.whole)) {
			n.is_whole = false;
			n.whole = INT64_MAX;
		}
	}
	if (n.is_whole)
		n.real = (double)n.whole; /* the nearest one, which a sum of digits may miss */
	if (i + 1 < text.len && text.at[i] == '.' && ascii_is_digit(text.at[i + 1])) {
		n.is_whole = false;
		for (i++; i < text.len && ascii_is_digit(text.at[i]) && scale < 1e18; i++) {
			scale *= 10;
			n.real = n.real * 10 + (text.at[i] - '0');
		}
		n.real /= scale;
	}
	if (negative) {
		n.whole = -n.whole;
		n.real = -n.real;
	}
	return n;
}

static struct number number_of(const struct value *v)
{
	if (v->type == VALUE_NUMBER)
		return (struct number){ .is_whole = true,
					.whole = v->number,
					.real = (double)v->number };
	return sieve_number(v->string);
}

static bool relation_holds(enum relation relation, int order)
{
	switch (relation) {
	case RELATION_GT:
		return order > 0;
	case RELATION_GE:
		return order >= 0;
	case RELATION_LT:
		return order < 0;
	case RELATION_LE:
		return order <= 0;
	case RELATION_EQ:
		return order == 0;
	case RELATION_NE:
		return order != 0;
	case RELATION_BITWISE_AND: /* only between numbers */
		break;
	}
	return false;
}

static bool numbers_match(enum relation relation, const struct number *l, const struct number *r)
{
	if (relation == RELATION_BITWISE_AND)
		return (l->whole & r->whole) != 0;
	if (l->is_whole && r->is_whole)
		return relation_holds(relation, (l->whole > r->whole) - (l->whole < r->whole));
	return relation_holds(relation, (l->real > r->real) - (l->real < r->real));
}

static int slice_order(struct slice l, struct slice r)
{
	size_t len = l.len < r.len ? l.len : r.len;
	int order = len > 0 ? memcmp(l.at, r.at, len) : 0;

	return order != 0 ? order : (l.len > r.len) - (l.len < r.len);
}

/* i;ascii-casemap is i;octet behind this. */
static bool fold(struct arena *arena, struct slice *s)
{
	char *at = arena_take(arena, s->len);

	if (at == NULL)
		return false;
	for (size_t i = 0; i < s->len; i++)
		at[i] = ascii_lower(s->at[i]);
	s->at = at;
	return true;
}

/* One UTF-8 character, or one byte of what is none. */
static size_t char_len(struct slice text, size_t at)
{
	size_t len = 1;

	while (at + len < text.len && ((unsigned char)text.at[at + len] & 0xc0) == 0x80)
		len++;
	return len;
}

/*
 * On a mismatch only the latest '*' has to take one more: what stood before it has matched as early
 * as it can. So the worst case is a product, not a power; and *moves bounds that.
 */
static bool glob(struct slice text, struct slice pattern, long *moves)
{
	size_t t = 0, p = 0, retry_t = 0, retry_p = 0;
	bool has_star = false;

	while (t < text.len) {
		bool is_escaped = p + 1 < pattern.len && pattern.at[p] == '\\';

		if (--*moves < 0)
			return false;
		if (p < pattern.len && pattern.at[p] == '*') {
			has_star = true;
			retry_p = ++p;
			retry_t = t;
		} else if (p < pattern.len && pattern.at[p] == '?') {
			t += char_len(text, t);
			p++;
		} else if (p < pattern.len && pattern.at[p + is_escaped] == text.at[t]) {
			t++;
			p += 1 + is_escaped;
		} else if (has_star) {
			t = ++retry_t;
			p = retry_p;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}

static const char *glob_match(struct slice text, struct slice pattern, int *steps, bool *out)
{
	long moves = *steps < 0 ? 0 : (long)*steps * GLOB_MOVES_A_STEP;

	*out = glob(text, pattern, &moves);
	*steps = (int)(moves / GLOB_MOVES_A_STEP) - (moves < 0);
	return moves < 0 ? too_long : NULL;
}

static bool contains(struct slice text, struct slice part)
{
	return part.len == 0 ||
	       (part.len <= text.len && memmem(text.at, text.len, part.at, part.len) != NULL);
}

static const char *pattern_match(const struct match *m, struct slice text, struct slice pattern,
				 const struct regex *compiled, int *steps, bool *out)
{
	char why[REGEX_ERROR_MAX];
	struct regex *made;
	const char *wrong;

	*steps -= STEPS_REGEX;
	if (compiled != NULL)
		return sieve_regex_match(compiled, text, steps, out);
	*steps -= STEPS_REGEX_NEW;
	made = sieve_regex_new(pattern, m->comparator == COMPARE_CASEMAP, why);
	if (made == NULL)
		return "the pattern is not a regular expression";
	wrong = sieve_regex_match(made, text, steps, out);
	sieve_regex_free(made);
	return wrong;
}

static const char *texts_match(const struct match *m, struct arena *arena, const struct value *left,
			       const struct value *right, const struct regex *compiled, int *steps,
			       bool *out)
{
	struct slice l, r;
	const char *wrong = value_to_string(arena, left, &l);

	if (wrong == NULL)
		wrong = value_to_string(arena, right, &r);
	if (wrong != NULL)
		return wrong;
	*steps -= (int)((l.len + r.len) / BYTES_A_STEP);
	if (m->kind == MATCH_REGEX)
		return pattern_match(m, l, r, compiled, steps, out);
	if (m->comparator == COMPARE_CASEMAP && (!fold(arena, &l) || !fold(arena, &r)))
		return value_no_memory;
	if (m->kind == MATCH_GLOB)
		return glob_match(l, r, steps, out);
	*out = m->kind == MATCH_CONTAINS ? contains(l, r)
					 : relation_holds(m->relation, slice_order(l, r));
	return NULL;
}

/* left and right, the nth of its list, are strings or numbers. */
static const char *pair_match(const struct match *m, struct arena *arena, const struct value *left,
			      const struct value *right, uint32_t n, int *steps, bool *out)
{
	const struct regex *compiled = n < m->regex_count ? m->regexes[n] : NULL;
	struct number l, r;

	if (m->comparator != COMPARE_NUMERIC)
		return texts_match(m, arena, left, right, compiled, steps, out);
	l = number_of(left);
	r = m->has_number ? m->number : number_of(right);
	*out = numbers_match(m->relation, &l, &r);
	return NULL;
}

static const char *members_of(struct arena *arena, const struct value *v,
			      const struct value **members_out, uint32_t *count_out)
{
	if (v->type != VALUE_STRING && v->type != VALUE_NUMBER)
		return value_to_list(arena, v, members_out, count_out);
	*members_out = v;
	*count_out = 1;
	return NULL;
}

const char *sieve_match(const struct match *m, struct arena *arena, const struct value *left,
			const struct value *right, int *steps, bool *out)
{
	const struct value *ls, *rs;
	uint32_t l_count, r_count;
	struct value count;
	const char *wrong = members_of(arena, left, &ls, &l_count);

	*out = false;
	if (wrong == NULL)
		wrong = members_of(arena, right, &rs, &r_count);
	if (wrong != NULL)
		return wrong;
	if (m->counts) {
		count = VALUE_NUM(l_count);
		ls = &count;
		l_count = 1;
	}
	for (uint32_t l = 0; l < l_count; l++) {
		for (uint32_t r = 0; r < r_count; r++) {
			if (--*steps < 0)
				return too_long;
			wrong = pair_match(m, arena, &ls[l], &rs[r], r, steps, out);
			if (wrong != NULL || *out)
				return wrong;
		}
	}
	return NULL;
}
