#include "policy/sieve/value_ops.h"

#include "policy/sieve/limits.h"

const char *sieve_text_of(struct arena *arena, const struct value *v, struct slice *out)
{
	if (v->type == VALUE_HASH) {
		*out = SLICE("");
		return NULL;
	}
	return value_to_string(arena, v, out);
}

const char *sieve_put_together(struct arena *arena, const struct slice *pieces, unsigned count,
			       struct slice *out)
{
	size_t len = 0;
	char *at;

	for (unsigned i = 0; i < count; i++) {
		if (pieces[i].len > SIEVE_STRING_MAX - len)
			return "the string would have more than 65536 bytes";
		len += pieces[i].len;
	}
	at = arena_take(arena, len);
	if (at == NULL)
		return value_no_memory;
	*out = (struct slice){ at, len };
	for (unsigned i = 0; i < count; i++) {
		if (pieces[i].len > 0)
			memcpy(at, pieces[i].at, pieces[i].len);
		at += pieces[i].len;
	}
	return NULL;
}

const char *sieve_list_of(struct arena *arena, const struct value *members, uint32_t count,
			  struct value *out)
{
	struct value *list = arena_take(arena, count * sizeof *list);
	const char *wrong = NULL;

	if (list == NULL)
		return value_no_memory;
	for (uint32_t i = 0; i < count && wrong == NULL; i++) {
		list[i] = members[i];
		list[i].origin = (uint8_t)value_origin(&members[i]);
		if (list[i].type == VALUE_NUMBER)
			continue;
		list[i].type = VALUE_STRING;
		wrong = value_to_string(arena, &members[i], &list[i].string);
	}
	out->list = list;
	return wrong;
}

static bool is_numeric(const struct value *index)
{
	int64_t n;

	return value_to_number(index, &n) == NULL;
}

static const char *hash_element(const struct value *from, const struct value *index,
				struct value *out, bool *found_out)
{
	const struct value *found;

	if (index->type != VALUE_STRING)
		return "the key of a hash is a string";
	found = value_hash_get(from->hash, index->string);
	*found_out = found != NULL;
	if (found != NULL)
		*out = *found;
	return NULL;
}

const char *sieve_element(struct arena *arena, const struct value *from, const struct value *index,
			  struct value *out, bool *found_out)
{
	const struct value *members;
	uint32_t count;
	const char *wrong;
	int64_t n;

	*found_out = false;
	if (from->type == VALUE_HASH)
		return hash_element(from, index, out, found_out);
	if (from->type == VALUE_NONE && !is_numeric(index)) /* D9 */
		return "an unset variable is not a hash";
	wrong = value_to_list(arena, from, &members, &count);
	if (wrong == NULL)
		wrong = value_to_number(index, &n);
	if (wrong != NULL || n < 0 || n >= count)
		return wrong;
	*found_out = true;
	*out = members[n];
	if (out->origin == 0)
		out->origin = from->origin;
	return NULL;
}
