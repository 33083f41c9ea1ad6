/* The series that scripts name, for scripts (behaviour 3.6, 3.7). */
#include "policy/fn_sums.h"

static const struct form sum_form = {
	.names = { [OPT_SERIES] = "series", [OPT_MONITOR] = "monitor",
		   [OPT_FIRST] = "period_start", [OPT_LAST] = "period_end", [OPT_MASK] = "mask",
		   [OPT_KEY] = "ip" },
	.order = { OPT_SERIES, OPT_MONITOR, OPT_MASK, OPT_FIRST, OPT_LAST },
};
static const struct form add_form = {
	.names = { [OPT_SERIES] = "series", [OPT_MONITOR] = "monitor", [OPT_COUNT] = "count",
		   [OPT_KEY] = "ip", [OPT_REPLICATE] = "replicate",
		   [OPT_SERIALIZE] = "serialize" },
	.order = { OPT_SERIES, OPT_MONITOR, OPT_COUNT },
};
static const struct form lua_count_form = {
	.names = { [OPT_FIRST] = "startv", [OPT_LAST] = "endv", [OPT_KEY] = "key" },
};
static const struct form lua_add_form = {
	.names = { [OPT_COUNT] = "count", [OPT_KEY] = "key", [OPT_PREFIX_LEN] = "prefix_len" },
};
static const struct form lua_key_form = { .names = { [OPT_KEY] = "key" } };

static enum fn_status named_read(struct fn_call *call, const struct options *o,
				 struct slice *name_out, struct monitor *monitor_out)
{
	struct slice monitor;
	const char *wrong;

	if (options_text(call, o, OPT_SERIES, name_out) != FN_OK ||
	    options_text(call, o, OPT_MONITOR, &monitor) != FN_OK)
		return FN_FAILED;
	wrong = monitor_parse(monitor, monitor_out);
	return wrong == NULL ? FN_OK : fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(monitor), wrong);
}

/* NULL where there is none. One of texts is Lua's own (D59). */
static enum fn_status named_find(struct fn_call *call, struct slice name, struct monitor monitor,
				 struct series **out)
{
	struct series_all *all = sums_all(call);
	struct series *s;

	*out = all != NULL ? series_find(all, name, monitor) : NULL;
	s = *out != NULL || all == NULL ? *out : series_defined(all, name);
	if (s != NULL && series_type(s) == SERIES_STRING)
		return fn_failed(call, "the series \"%.*s\" is of texts, and Lua's alone",
				 SLICE_ARGS(name));
	return FN_OK;
}

static enum fn_status sum_named(struct fn_call *call)
{
	struct monitor monitor;
	struct blocks blocks;
	struct series *s;
	struct options o;
	struct bounds sum;
	struct slice name;
	struct span span;

	if (options_of_sieve(call, &sum_form, &o) != FN_OK ||
	    named_read(call, &o, &name, &monitor) != FN_OK ||
	    options_span(call, &o, monitor.windows - 1, &span) != FN_OK ||
	    options_masked(call, &o, &blocks) != FN_OK ||
	    named_find(call, name, monitor, &s) != FN_OK ||
	    sums_of_blocks(call, s, &blocks, &span, &sum) != FN_OK)
		return FN_FAILED;
	return sums_give(call, name, SLICE(""), &blocks.block[0], sum);
}

static enum fn_status add_named(struct fn_call *call)
{
	struct series_key key = { 0 };
	struct monitor monitor;
	int64_t amount, replicate, serialize;
	const char *wrong = NULL;
	struct series *s;
	struct options o;
	struct slice name;
	struct addr addr;

	if (options_of_sieve(call, &add_form, &o) != FN_OK ||
	    named_read(call, &o, &name, &monitor) != FN_OK ||
	    options_number(call, &o, OPT_COUNT, 1, &amount) != FN_OK ||
	    options_number_within(call, &o, OPT_REPLICATE, 0, -1, 1, &replicate) != FN_OK ||
	    options_number_within(call, &o, OPT_SERIALIZE, 0, 0, 1, &serialize) != FN_OK ||
	    options_address(call, &o, &addr) != FN_OK ||
	    named_find(call, name, monitor, &s) != FN_OK)
		return FN_FAILED;
	if (replicate != 0)
		sums_cluster_asked(call); /* D61 */
	if (sums_all(call) == NULL)
		return FN_OK;
	if (s == NULL || series_is_builtin(s)) /* which it refuses */
		s = series_open(sums_all(call), name, monitor, &wrong);
	key.block = cidr_of(&addr, addr_bits(&addr));
	if (s != NULL)
		wrong = series_add(s, &key, amount, NULL);
	if (wrong == NULL && serialize != 0) /* it counts, whatever comes of the journal (D56) */
		wrong = series_set_serialize(s);
	return wrong == NULL ? FN_OK : fn_failed(call, "%s: %s", call->fn->name, wrong);
}

/* D64; what only a configuration of before defined is there still. */
static enum fn_status defined_find(struct fn_call *call, struct series **out)
{
	struct slice name = call->args[0].string;

	*out = sums_all(call) != NULL && policy_set_defines(call->run->set, name)
		       ? series_defined(sums_all(call), name)
		       : NULL;
	return *out != NULL ? FN_OK
			    : fn_failed(call, "no series is defined as \"%.*s\"", SLICE_ARGS(name));
}

static enum fn_status text_key_read(struct fn_call *call, const struct options *o,
				    struct slice *out)
{
	if (o->at[OPT_KEY].type == VALUE_NONE)
		return fn_failed(call, "the series \"%.*s\" is of texts, and needs a key",
				 SLICE_ARGS(call->args[0].string));
	return options_text(call, o, OPT_KEY, out);
}

/* One key, to add to or to remove. */
static enum fn_status key_read(struct fn_call *call, const struct series *s,
			       const struct options *o, struct series_key *out)
{
	struct addr addr;
	int64_t len;

	*out = (struct series_key){ 0 };
	if (series_type(s) == SERIES_STRING)
		return text_key_read(call, o, &out->text);
	if (options_address(call, o, &addr) != FN_OK ||
	    options_number_within(call, o, OPT_PREFIX_LEN, 128, 0, 128, &len) != FN_OK)
		return FN_FAILED;
	if (addr.family == ADDR_V6) /* the network's first address stands for all of it */
		addr = cidr_of(&addr, (unsigned)len).addr;
	out->block = cidr_of(&addr, addr_bits(&addr));
	return FN_OK;
}

static enum fn_status lua_add(struct fn_call *call)
{
	struct bounds now = { 0 };
	struct series_key key;
	const char *wrong;
	struct options o;
	struct series *s;
	int64_t amount;

	if (defined_find(call, &s) != FN_OK ||
	    options_of_lua(call, &lua_add_form, &call->args[1], &o) != FN_OK ||
	    options_number(call, &o, OPT_COUNT, 1, &amount) != FN_OK ||
	    key_read(call, s, &o, &key) != FN_OK)
		return FN_FAILED;
	wrong = series_add(s, &key, amount, &now);
	if (wrong != NULL)
		return fn_failed(call, "%s: %s", call->fn->name, wrong);
	sums_give_bounds(call, now);
	return FN_OK;
}

static enum fn_status lua_remove(struct fn_call *call)
{
	struct bounds left = { 0 };
	struct series_key key;
	const char *wrong;
	struct options o;
	struct series *s;

	if (defined_find(call, &s) != FN_OK ||
	    options_of_lua(call, &lua_key_form, &call->args[1], &o) != FN_OK ||
	    key_read(call, s, &o, &key) != FN_OK)
		return FN_FAILED;
	wrong = series_remove(s, &key, &left);
	if (wrong != NULL)
		return fn_failed(call, "%s: %s", call->fn->name, wrong);
	sums_give_bounds(call, left);
	return FN_OK;
}

static enum fn_status text_sum(struct fn_call *call, struct series *s, const struct options *o,
			       const struct span *span)
{
	struct series_key key = { 0 };
	struct bounds sum;
	const char *wrong;

	if (text_key_read(call, o, &key.text) != FN_OK)
		return FN_FAILED;
	wrong = series_sum(s, &key, span->first, span->last, &sum);
	if (wrong != NULL)
		return fn_failed(call, "%s: %s", call->fn->name, wrong);
	return sums_give(call, call->args[0].string, key.text, NULL, sum);
}

static enum fn_status lua_count(struct fn_call *call)
{
	struct blocks blocks;
	struct bounds sum;
	struct options o;
	struct series *s;
	struct span span;

	if (defined_find(call, &s) != FN_OK ||
	    options_of_lua(call, &lua_count_form, &call->args[1], &o) != FN_OK ||
	    options_span(call, &o, MONITOR_WINDOWS_MAX, &span) != FN_OK) /* the sum knows better */
		return FN_FAILED;
	if (series_type(s) == SERIES_STRING)
		return text_sum(call, s, &o, &span);
	if (options_blocks(call, &o, &blocks) != FN_OK ||
	    sums_of_blocks(call, s, &blocks, &span, &sum) != FN_OK)
		return FN_FAILED;
	return sums_give(call, call->args[0].string, SLICE(""), &blocks.block[0], sum);
}

#define SIEVE (FN_SIEVE | FN_VALUE | FN_AUDIT)
#define LUA (FN_LUA | FN_VALUE | FN_AUDIT)

const struct policy_fn fn_series_rows[] = {
	{ "audit_series", "Hs?snn", PHASES_ALL, SIEVE, sum_named, "ip=" },
	{ "audit_series_add", "Hs?n", PHASES_ALL, FN_SIEVE | FN_AUDIT, add_named, "ip=" },
	{ "msys.audit_series.add", "s?v", PHASES_ALL, LUA, lua_add, NULL },
	{ "msys.audit_series.count", "s?v", PHASES_ALL, LUA, lua_count, NULL },
	{ "msys.audit_series.remove_item", "s?v", PHASES_ALL, LUA, lua_remove, NULL },
	{ 0 },
};
