#include "policy/value.h"

#include <stdlib.h>

#include "base/ascii.h"

/*
 * A hash lives in the arena of its run, and uthash with it: what uthash gives back stays there
 * until the run is over. Both macros look for an `a` and a `full` where they are expanded.
 */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) arena_take(a, size)
#define uthash_free(at, size) ((void)(at))
#define uthash_nonfatal_oom(element) (full = true)
#include <uthash.h>

const char value_no_memory[] = "the script has used up its memory";

static const char *const type_names[] = {
	[VALUE_NONE] = "string", /* an unset variable is "" (D9) */
	[VALUE_STRING] = "string", [VALUE_NUMBER] = "number", [VALUE_LIST] = "stringlist",
	[VALUE_HASH] = "hash",	   [VALUE_TAG] = "tag",
};

const char *value_type_name(enum value_type type)
{
	return type_names[type];
}

unsigned value_origin(const struct value *v)
{
	bool asks_first = v->origin == 0 && v->type == VALUE_LIST && v->count > 0;

	return asks_first ? v->list[0].origin : v->origin;
}

/* What a list stands for where one value is wanted (D6). */
static struct value first_of(const struct value *list)
{
	return list->count > 0 ? list->list[0] : VALUE_STR(SLICE(""));
}

/* Half of what reading a live count costs would be snprintf. */
static const char *number_to_string(struct arena *a, int64_t n, struct slice *out)
{
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char text[24], *at = text + sizeof text;
	struct slice printed;

	do
		*--at = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (n < 0)
		*--at = '-';
	printed = (struct slice){ at, (size_t)(text + sizeof text - at) };
	return arena_copy(a, printed, out) ? NULL : value_no_memory;
}

const char *value_to_string(struct arena *a, const struct value *v, struct slice *out)
{
	struct value first;

	switch ((enum value_type)v->type) {
	case VALUE_NONE:
		*out = SLICE("");
		return NULL;
	case VALUE_STRING:
	case VALUE_TAG:
		*out = v->string;
		return NULL;
	case VALUE_NUMBER:
		return number_to_string(a, v->number, out);
	case VALUE_LIST:
		first = first_of(v);
		return value_to_string(a, &first, out);
	case VALUE_HASH:
		break;
	}
	return "a hash is not a string";
}

/* A number's text, and where its whole part ends: blanks around, a sign, digits, a fraction. */
static bool number_scan(struct slice text, struct slice *number_out, size_t *whole_out)
{
	struct slice s = slice_trim(text);
	size_t i = 0, start;

	if (s.len > 0 && (s.at[0] == '-' || s.at[0] == '+'))
		i++;
	for (start = i; i < s.len && ascii_is_digit(s.at[i]);)
		i++;
	if (i == start)
		return false;
	*whole_out = i;
	if (i < s.len && s.at[i] == '.') {
		for (start = ++i; i < s.len && ascii_is_digit(s.at[i]);)
			i++;
		if (i == start)
			return false;
	}
	*number_out = s;
	return i == s.len;
}

bool number_parse(struct slice text, int64_t *out)
{
	struct slice s;
	size_t whole;
	int64_t n = 0;

	if (!number_scan(text, &s, &whole))
		return false;
	for (size_t i = 0; i < whole; i++) {
		int digit = s.at[0] == '-' ? '0' - s.at[i] : s.at[i] - '0';

		if (!ascii_is_digit(s.at[i]))
			continue; /* the sign */
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	*out = n;
	return true;
}

bool size_parse(struct slice text, uint64_t *out)
{
	static const char suffixes[] = "bkmg";
	struct slice digits = slice_trim(text);
	const char *suffix = NULL;
	unsigned shift = 0;
	uint64_t n;

	if (digits.len > 1)
		suffix = strchr(suffixes, ascii_lower(digits.at[digits.len - 1]));
	if (suffix != NULL && *suffix != '\0') {
		shift = 10 * (unsigned)(suffix - suffixes);
		digits = slice_trim((struct slice){ digits.at, digits.len - 1 });
	}
	if (!slice_number(digits, (uint64_t)INT64_MAX >> shift, &n))
		return false;
	*out = n << shift;
	return true;
}

static bool decimal_parse(struct slice text, double *out)
{
	char copy[64];
	struct slice s;
	size_t whole;

	if (!number_scan(text, &s, &whole) || s.len >= sizeof copy)
		return false;
	memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	*out = strtod(copy, NULL);
	return true;
}

/* A number, or the text that has to be read as one. NULL, or what is wrong. */
static const char *numeric(const struct value *v, struct value *out)
{
	*out = v->type == VALUE_LIST ? first_of(v) : *v;
	switch ((enum value_type)out->type) {
	case VALUE_NUMBER:
	case VALUE_STRING:
		return NULL;
	case VALUE_NONE: /* D9 */
		return "an unset variable is not a number";
	case VALUE_HASH:
		return "a hash is not a number";
	case VALUE_LIST:
	case VALUE_TAG:
		break;
	}
	return "a tag is not a number";
}

static const char not_a_number[] = "the text is not a number";

const char *value_to_number(const struct value *v, int64_t *out)
{
	struct value n;
	const char *wrong = numeric(v, &n);

	if (wrong == NULL && n.type == VALUE_NUMBER)
		*out = n.number;
	else if (wrong == NULL && !number_parse(n.string, out))
		wrong = not_a_number;
	return wrong;
}

const char *value_to_decimal(const struct value *v, double *out)
{
	struct value n;
	const char *wrong = numeric(v, &n);

	if (wrong == NULL && n.type == VALUE_NUMBER)
		*out = (double)n.number;
	else if (wrong == NULL && !decimal_parse(n.string, out))
		wrong = not_a_number;
	return wrong;
}

const char *value_to_list(struct arena *a, const struct value *v, const struct value **members_out,
			  uint32_t *count_out)
{
	struct value *one;

	if (v->type == VALUE_LIST) {
		*members_out = v->list;
		*count_out = v->count;
		return NULL;
	}
	if (v->type == VALUE_HASH)
		return "a hash is not a list";
	one = arena_take(a, sizeof *one);
	if (one == NULL)
		return value_no_memory;
	*one = v->type == VALUE_NONE ? VALUE_STR(SLICE("")) : *v; /* D9 */
	*members_out = one;
	*count_out = 1;
	return NULL;
}

bool value_is_true(const struct value *v)
{
	static const char *const falsehoods[] = { "", "0", "false", "no", "off" };
	struct value first;

	switch ((enum value_type)v->type) {
	case VALUE_NONE:
		return false;
	case VALUE_NUMBER:
		return v->number != 0;
	case VALUE_LIST:
		first = first_of(v);
		return value_is_true(&first);
	case VALUE_HASH:
		return value_hash_count(v->hash) > 0;
	case VALUE_STRING:
	case VALUE_TAG:
		break;
	}
	for (size_t i = 0; i < sizeof falsehoods / sizeof falsehoods[0]; i++) {
		if (slice_equal_nocase(v->string, slice_of(falsehoods[i])))
			return false;
	}
	return true;
}

struct pair {
	struct slice key;
	struct value value;
	UT_hash_handle hh; /* its list is the order of first insertion */
};

struct value_hash {
	struct pair *pairs;
	struct pair *last; /* asked for last by number, as walks do, and its number */
	uint32_t last_n;
};

struct value_hash *value_hash_new(struct arena *a)
{
	return arena_take(a, sizeof(struct value_hash));
}

bool value_hash_set(struct arena *a, struct value_hash *h, struct slice key, const struct value *v)
{
	struct pair *pair;
	bool full = false;

	if (key.len == 0)
		key = SLICE("");
	HASH_FIND(hh, h->pairs, key.at, key.len, pair);
	if (pair != NULL) {
		pair->value = *v;
		return true;
	}
	pair = arena_take(a, sizeof *pair);
	if (pair == NULL)
		return false;
	pair->key = key;
	pair->value = *v;
	HASH_ADD_KEYPTR(hh, h->pairs, pair->key.at, pair->key.len, pair);
	return !full;
}

const struct value *value_hash_get(const struct value_hash *h, struct slice key)
{
	struct pair *pair;

	if (key.len == 0)
		key = SLICE("");
	HASH_FIND(hh, h->pairs, key.at, key.len, pair);
	return pair != NULL ? &pair->value : NULL;
}

uint32_t value_hash_count(const struct value_hash *h)
{
	return HASH_COUNT(h->pairs);
}

const struct value *value_hash_nth(struct value_hash *h, uint32_t n, struct slice *key_out)
{
	if (h->last == NULL || n < h->last_n) {
		h->last = h->pairs;
		h->last_n = 0;
	}
	for (; h->last != NULL && h->last_n < n; h->last_n++)
		h->last = h->last->hh.next;
	if (h->last == NULL)
		return NULL;
	*key_out = h->last->key;
	return &h->last->value;
}
