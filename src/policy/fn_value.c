/* Hashes, and tests of values (behaviour 1.5, 6.2, 6.3). */
#include "policy/fn.h"

static enum fn_status full(struct fn_call *call)
{
	return fn_failed(call, "%s", value_no_memory);
}

static enum fn_status truth(struct fn_call *call, bool is_true)
{
	call->result = VALUE_NUM(is_true);
	return FN_OK;
}

static enum fn_status hash_create(struct fn_call *call)
{
	struct value_hash *hash = value_hash_new(&call->run->arena);

	call->result = (struct value){ .type = VALUE_HASH, .hash = hash };
	return hash != NULL ? FN_OK : full(call);
}

static enum fn_status hash_set(struct fn_call *call)
{
	const struct value *a = call->args;
	bool fits = value_hash_set(&call->run->arena, a[0].hash, a[1].string, &a[2]);

	return fits ? FN_OK : full(call);
}

static enum fn_status hash_get(struct fn_call *call)
{
	const struct value *found = value_hash_get(call->args[0].hash, call->args[1].string);

	if (found != NULL)
		call->result = *found;
	return FN_OK;
}

/* Keys, or those values that are strings or numbers (D112). */
static enum fn_status hash_list(struct fn_call *call, bool want_keys)
{
	struct arena *a = &call->run->arena;
	struct value_hash *hash = call->args[0].hash;
	struct value *list = arena_take(a, value_hash_count(hash) * sizeof *list);
	const struct value *v;
	struct slice key;
	uint32_t count = 0;

	if (list == NULL)
		return full(call);
	for (uint32_t i = 0; (v = value_hash_nth(hash, i, &key)) != NULL; i++) {
		struct value *to = &list[count];

		if (!want_keys && v->type != VALUE_STRING && v->type != VALUE_NUMBER)
			continue;
		*to = want_keys ? VALUE_STR(key) : *v;
		if (value_to_string(a, to, &to->string) != NULL)
			return full(call);
		to->type = VALUE_STRING;
		count++;
	}
	call->result = (struct value){ .type = VALUE_LIST, .count = count, .list = list };
	return FN_OK;
}

static enum fn_status hash_keys(struct fn_call *call)
{
	return hash_list(call, true);
}

static enum fn_status hash_values(struct fn_call *call)
{
	return hash_list(call, false);
}

static enum fn_status isset(struct fn_call *call)
{
	const struct value *in = &call->args[0], *which = &call->args[1];
	const char *wrong;
	struct slice key;
	int64_t n;

	if (in->type == VALUE_NONE)
		return truth(call, false);
	if (in->type == VALUE_HASH) {
		wrong = value_to_string(&call->run->arena, which, &key);
		return wrong != NULL ? fn_failed(call, "%s", wrong)
				     : truth(call, value_hash_get(in->hash, key) != NULL);
	}
	wrong = value_to_number(which, &n);
	if (wrong != NULL)
		return fn_failed(call, "%s", wrong);
	return truth(call, n >= 0 && n < (in->type == VALUE_LIST ? in->count : 1));
}

static enum fn_status is_true(struct fn_call *call)
{
	return truth(call, value_is_true(&call->args[0]));
}

static bool is_ip(struct slice text)
{
	struct addr addr;

	return addr_parse_bare(text, &addr) == NULL;
}

/* [192.0.2.1], [IPv6:2001:db8::1], and without the tag as elsewhere here. */
static bool is_literal(struct slice text)
{
	static const char tag[] = "IPv6:";

	if (text.len < 2 || text.at[0] != '[' || text.at[text.len - 1] != ']')
		return false;
	text = (struct slice){ text.at + 1, text.len - 2 };
	if (text.len > sizeof tag - 1 &&
	    slice_equal_nocase((struct slice){ text.at, sizeof tag - 1 }, SLICE(tag)))
		text = (struct slice){ text.at + sizeof tag - 1, text.len - (sizeof tag - 1) };
	return is_ip(text);
}

static enum fn_status all_are(struct fn_call *call, bool (*is)(struct slice text))
{
	const struct value *list = call->args[0].list;
	uint32_t count = call->args[0].count;
	struct slice text;

	for (uint32_t i = 0; i < count; i++) {
		if (value_to_string(&call->run->arena, &list[i], &text) != NULL || !is(text))
			return truth(call, false);
	}
	return truth(call, count > 0);
}

static enum fn_status is_valid_ip(struct fn_call *call)
{
	return all_are(call, is_ip);
}

static enum fn_status is_rfc821_ip(struct fn_call *call)
{
	return all_are(call, is_literal);
}

static enum fn_status type(struct fn_call *call)
{
	call->result = VALUE_STR(slice_of(value_type_name((enum value_type)call->args[0].type)));
	return FN_OK;
}

#define VALUE (FN_SIEVE | FN_VALUE)
#define TEST (FN_SIEVE | FN_TEST)

const struct policy_fn fn_value_rows[] = {
	{ "hash_create", "", PHASES_ALL, VALUE, hash_create, NULL },
	{ "hash_set", "hsv", PHASES_ALL, FN_SIEVE, hash_set, NULL },
	{ "hash_get", "hs", PHASES_ALL, VALUE, hash_get, NULL },
	{ "hash_keys", "h", PHASES_ALL, VALUE, hash_keys, NULL },
	{ "hash_values", "h", PHASES_ALL, VALUE, hash_values, NULL },
	{ "isset", "vv", PHASES_ALL, TEST, isset, NULL },
	{ "is_true", "v", PHASES_ALL, TEST, is_true, NULL },
	{ "is_valid_ip", "l", PHASES_ALL, TEST, is_valid_ip, NULL },
	{ "is_rfc821_ip", "l", PHASES_ALL, TEST, is_rfc821_ip, NULL },
	{ "type", "v", PHASES_ALL, VALUE, type, NULL },
	{ 0 },
};
