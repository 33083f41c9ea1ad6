/* Series for scripts: what came from where in which windows of time (behaviour 3.5 to 3.7). */
#include "policy/fn_options.h"
#include "series/series.h"

static const struct form builtin_form = {
	.names = { [OPT_MONITOR] = "monitor", [OPT_FIRST] = "period_start",
		   [OPT_LAST] = "period_end", [OPT_MASK] = "mask" },
};
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
static const struct form lua_builtin_form = {
	.names = { [OPT_FIRST] = "startv", [OPT_LAST] = "endv", [OPT_KEY] = "cidr",
		   [OPT_CLUSTER] = "cluster" },
};
static const struct form lua_count_form = {
	.names = { [OPT_FIRST] = "startv", [OPT_LAST] = "endv", [OPT_KEY] = "key" },
};
static const struct form lua_add_form = {
	.names = { [OPT_COUNT] = "count", [OPT_KEY] = "key", [OPT_PREFIX_LEN] = "prefix_len" },
};
static const struct form lua_key_form = { .names = { [OPT_KEY] = "key" } };

/* Of a cluster that there is not, this node is all; which is said once a load (D54, D61). */
static void cluster_asked(struct fn_call *call)
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

/* The two numbers that Lua gets of it. */
static void give_bounds(struct fn_call *call, struct bounds of)
{
	bool is_high = policy_set_conf(call->run->set)->series_high;

	call->result = VALUE_NUM((int64_t)(is_high ? of.high : of.low));
	call->second = VALUE_NUM((int64_t)of.high);
}

/* One decimal string for Sieve, two numbers for Lua. block NULL: of a text. */
static enum fn_status give(struct fn_call *call, struct slice name, struct slice more,
			   const struct cidr *block, struct bounds sum)
{
	struct audit_read *read;
	struct value number;
	char room[NAME_ROOM];

	give_bounds(call, sum);
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

/* s NULL: nothing was ever added to it. span NULL: the sliding value. */
static enum fn_status blocks_sum(struct fn_call *call, struct series *s,
				 const struct blocks *blocks, const struct span *span,
				 struct bounds *out)
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

static struct series_all *all_of(const struct fn_call *call)
{
	return policy_set_host(call->run->set)->series;
}

/* A tool has no monitors: every one is as good there. */
static enum fn_status monitor_at(struct fn_call *call, struct slice text, unsigned *out)
{
	unsigned count = policy_set_conf(call->run->set)->monitor_count;
	int64_t n;

	if (!number_parse(text, &n) || n < 0 || n > UINT32_MAX)
		return fn_failed(call, "\"%.*s\" is not the index of a monitor", SLICE_ARGS(text));
	*out = (unsigned)n;
	return n < count || all_of(call) == NULL
		       ? FN_OK
		       : fn_failed(call, "there is no monitor %u, inbound_audit has %u", *out,
				   count);
}

/* By its shape, blanks aside (D53); *monitor is then that. */
static enum fn_status monitor_like(struct fn_call *call, struct slice text, unsigned *out,
				   struct monitor *monitor)
{
	const struct policy_conf *conf = policy_set_conf(call->run->set);
	const char *wrong = monitor_parse(text, monitor);
	unsigned n = 0;

	if (wrong != NULL)
		return fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(text), wrong);
	while (n < conf->monitor_count && !monitor_equal(conf->monitors[n], *monitor))
		n++;
	*out = n;
	return n < conf->monitor_count || all_of(call) == NULL
		       ? FN_OK
		       : fn_failed(call, "inbound_audit has no monitor \"%.*s\"",
				   SLICE_ARGS(text));
}

/* span NULL: the sliding value. */
static enum fn_status builtin_give(struct fn_call *call, enum series_event event, unsigned n,
				   const struct blocks *blocks, const struct span *span)
{
	const struct policy_conf *conf = policy_set_conf(call->run->set);
	struct slice monitor = { 0 };
	struct series *s = NULL;
	struct bounds sum;

	if (n < conf->monitor_count) {
		monitor = slice_of(policy_set_monitor(call->run->set, n));
		/* Gone by a reload that this session is older than: it reads 0. */
		if (all_of(call) != NULL)
			s = series_builtin_named(all_of(call), event, conf->monitors[n]);
	}
	if (blocks_sum(call, s, blocks, span, &sum) != FN_OK)
		return FN_FAILED;
	return give(call, slice_of(series_event_name(event)), monitor, &blocks->block[0], sum);
}

static enum fn_status builtin_by_index(struct fn_call *call, enum series_event event)
{
	struct options o = { .form = &builtin_form, .at = { [OPT_MASK] = call->args[1] } };
	struct blocks blocks;
	unsigned n;

	if (monitor_at(call, call->args[0].string, &n) != FN_OK ||
	    options_masked(call, &o, &blocks) != FN_OK)
		return FN_FAILED;
	return builtin_give(call, event, n, &blocks, NULL);
}

static enum fn_status builtin_by_hash(struct fn_call *call, enum series_event event)
{
	const struct policy_conf *conf = policy_set_conf(call->run->set);
	struct monitor monitor = { .windows = MONITOR_WINDOWS_MAX };
	struct blocks blocks;
	struct options o;
	struct slice text;
	struct span span;
	unsigned n = 0;

	if (options_of_sieve(call, &builtin_form, &o) != FN_OK)
		return FN_FAILED;
	if (o.at[OPT_MONITOR].type == VALUE_NONE) {
		if (monitor_at(call, SLICE("0"), &n) != FN_OK)
			return FN_FAILED;
		if (n < conf->monitor_count)
			monitor = conf->monitors[n];
	} else if (options_text(call, &o, OPT_MONITOR, &text) != FN_OK ||
		   monitor_like(call, text, &n, &monitor) != FN_OK) {
		return FN_FAILED;
	}
	if (options_span(call, &o, monitor.windows, &span) != FN_OK ||
	    options_masked(call, &o, &blocks) != FN_OK)
		return FN_FAILED;
	return builtin_give(call, event, n, &blocks, &span);
}

static enum fn_status builtin_read(struct fn_call *call, enum series_event event)
{
	if (call->fn->flags & FN_CLUSTER)
		cluster_asked(call); /* D54 */
	return call->args[0].type == VALUE_HASH ? builtin_by_hash(call, event)
						: builtin_by_index(call, event);
}

static enum fn_status ip_connections(struct fn_call *call)
{
	return builtin_read(call, EVENT_CONNECTION);
}

static enum fn_status ip_receptions(struct fn_call *call)
{
	return builtin_read(call, EVENT_RECEPTION);
}

static enum fn_status ip_rejections(struct fn_call *call)
{
	return builtin_read(call, EVENT_REJECTION);
}

static enum fn_status lua_builtin(struct fn_call *call, enum series_event event)
{
	struct monitor monitor;
	struct blocks blocks;
	struct options o;
	struct span span;
	unsigned n;

	if (monitor_like(call, call->args[0].string, &n, &monitor) != FN_OK ||
	    options_of_lua(call, &lua_builtin_form, &call->args[1], &o) != FN_OK ||
	    options_span(call, &o, monitor.windows, &span) != FN_OK ||
	    options_blocks(call, &o, &blocks) != FN_OK)
		return FN_FAILED;
	if (value_is_true(&o.at[OPT_CLUSTER]))
		cluster_asked(call); /* D54 */
	return builtin_give(call, event, n, &blocks, &span);
}

static enum fn_status lua_connections(struct fn_call *call)
{
	return lua_builtin(call, EVENT_CONNECTION);
}

static enum fn_status lua_receptions(struct fn_call *call)
{
	return lua_builtin(call, EVENT_RECEPTION);
}

static enum fn_status lua_rejections(struct fn_call *call)
{
	return lua_builtin(call, EVENT_REJECTION);
}

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
	struct series_all *all = all_of(call);
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
	    blocks_sum(call, s, &blocks, &span, &sum) != FN_OK)
		return FN_FAILED;
	return give(call, name, SLICE(""), &blocks.block[0], sum);
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
		cluster_asked(call); /* D61 */
	if (all_of(call) == NULL)
		return FN_OK;
	if (s == NULL || series_is_builtin(s)) /* which it refuses */
		s = series_open(all_of(call), name, monitor, &wrong);
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

	*out = all_of(call) != NULL && policy_set_defines(call->run->set, name)
		       ? series_defined(all_of(call), name)
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
	give_bounds(call, now);
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
	give_bounds(call, left);
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
	return give(call, call->args[0].string, key.text, NULL, sum);
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
	    blocks_sum(call, s, &blocks, &span, &sum) != FN_OK)
		return FN_FAILED;
	return give(call, call->args[0].string, SLICE(""), &blocks.block[0], sum);
}

#define SIEVE (FN_SIEVE | FN_VALUE | FN_AUDIT)
#define CLUSTER (SIEVE | FN_CLUSTER)
#define LUA (FN_LUA | FN_VALUE | FN_AUDIT)

const struct policy_fn fn_series_rows[] = {
	{ "ec_ip_connections", "H?s", PHASES_ALL, SIEVE, ip_connections, NULL },
	{ "ec_ip_receptions", "H?s", PHASES_ALL, SIEVE, ip_receptions, NULL },
	{ "ec_ip_rejections", "H?s", PHASES_ALL, SIEVE, ip_rejections, NULL },
	{ "ec_ip_connections_cluster", "H?s", PHASES_ALL, CLUSTER, ip_connections, NULL },
	{ "ec_ip_receptions_cluster", "H?s", PHASES_ALL, CLUSTER, ip_receptions, NULL },
	{ "ec_ip_rejections_cluster", "H?s", PHASES_ALL, CLUSTER, ip_rejections, NULL },
	{ "audit_series", "Hs?snn", PHASES_ALL, SIEVE, sum_named, "ip=" },
	{ "audit_series_add", "Hs?n", PHASES_ALL, FN_SIEVE | FN_AUDIT, add_named, "ip=" },
	{ "msys.audit.connections", "s?v", PHASES_ALL, LUA, lua_connections, NULL },
	{ "msys.audit.connection", "s?v", PHASES_ALL, LUA, lua_connections, NULL }, /* D107 */
	{ "msys.audit.receptions", "s?v", PHASES_ALL, LUA, lua_receptions, NULL },
	{ "msys.audit.rejections", "s?v", PHASES_ALL, LUA, lua_rejections, NULL },
	{ "msys.audit_series.add", "s?v", PHASES_ALL, LUA, lua_add, NULL },
	{ "msys.audit_series.count", "s?v", PHASES_ALL, LUA, lua_count, NULL },
	{ "msys.audit_series.remove_item", "s?v", PHASES_ALL, LUA, lua_remove, NULL },
	{ 0 },
};
