#include "policy/fn_sums.h"

struct series_all *sums_all(const struct fn_call *call)
{
	return policy_set_host(call->run->set)->series;
}

void sums_cluster_asked(struct fn_call *call)
{
	struct policy_set *set = call->run->set;

	if (!policy_set_conf(set)->has_cluster && policy_set_once(set, POLICY_ONCE_CLUSTER))
		fn_warn(call, "%s asks a cluster, and this node is in none: it alone counts",
			call->fn->name);
}

enum { FIRST_MAX = 40, SECOND_MAX = 23, NAME_ROOM = FIRST_MAX + 1 + SECOND_MAX };

/* "connections 300,6", "login bob" */
static struct slice name_join(char room[NAME_ROOM], struct slice a, struct slice b)
{
	size_t a_len = a.len < FIRST_MAX ? a.len : FIRST_MAX;
	size_t b_len = b.len < SECOND_MAX ? b.len : SECOND_MAX;

	if (b_len == 0)
		return a;
	memcpy(room, a.at, a_len);
	room[a_len] = ' ';
	memcpy(room + a_len + 1, b.at, b_len);
	return (struct slice){ room, a_len + 1 + b_len };
}

void sums_give_bounds(struct fn_call *call, struct bounds of)
{
	bool is_high = policy_set_conf(call->run->set)->series_high;

	call->result = VALUE_NUM((int64_t)(is_high ? of.high : of.low));
	call->second = VALUE_NUM((int64_t)of.high);
}

enum fn_status sums_give(struct fn_call *call, struct slice name, struct slice more,
			 const struct cidr *block, struct bounds sum)
{
	struct audit_read *read;
	struct value number;
	char room[NAME_ROOM];

	sums_give_bounds(call, sum);
	number = call->result;
	if (call->fn->flags & FN_SIEVE) {
		call->result.type = VALUE_STRING;
		if (value_to_string(&call->run->arena, &number, &call->result.string) != NULL)
			return fn_failed(call, "%s", value_no_memory);
	}
	read = fn_read(call, name_join(room, name, more));
	read->is_series = true;
	read->block = block != NULL ? *block : (struct cidr){ 0 };
	read->count = (uint64_t)number.number;
	return FN_OK;
}

enum fn_status sums_of_blocks(struct fn_call *call, struct series *s, const struct blocks *blocks,
			      const struct span *span, struct bounds *out)
{
	*out = (struct bounds){ 0 };
	for (unsigned i = 0; s != NULL && i < blocks->count; i++) {
		const struct series_key key = { .block = blocks->block[i] };
		struct bounds one;
		const char *wrong = span != NULL
					    ? series_sum(s, &key, span->first, span->last, &one)
					    : series_sliding(s, &key, &one);

		if (wrong != NULL)
			return fn_failed(call, "%s: %s", call->fn->name, wrong);
		bounds_add(out, one);
	}
	return FN_OK;
}
