/* The built-in series of monitors, for scripts (behaviour 3.5). */
#include "policy/fn_sums.h"

static const struct form builtin_form = {
	.names = { [OPT_MONITOR] = "monitor", [OPT_FIRST] = "period_start",
		   [OPT_LAST] = "period_end", [OPT_MASK] = "mask" },
};
static const struct form lua_builtin_form = {
	.names = { [OPT_FIRST] = "startv", [OPT_LAST] = "endv", [OPT_KEY] = "cidr",
		   [OPT_CLUSTER] = "cluster" },
};

/* A tool has no monitors: every one is as good there. */
static enum fn_status monitor_at(struct fn_call *call, struct slice text, unsigned *out)
{
	unsigned count = policy_set_conf(call->run->set)->monitor_count;
	int64_t n;

	if (!number_parse(text, &n) || n < 0 || n > UINT32_MAX)
		return fn_failed(call, "\"%.*s\" is not the index of a monitor", SLICE_ARGS(text));
	*out = (unsigned)n;
	return n < count || sums_all(call) == NULL
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
	return n < conf->monitor_count || sums_all(call) == NULL
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
		if (sums_all(call) != NULL)
			s = series_builtin_named(sums_all(call), event, conf->monitors[n]);
	}
	if (sums_of_blocks(call, s, blocks, span, &sum) != FN_OK)
		return FN_FAILED;
	return sums_give(call, slice_of(series_event_name(event)), monitor, &blocks->block[0], sum);
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
		sums_cluster_asked(call); /* D54 */
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
		sums_cluster_asked(call); /* D54 */
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

#define SIEVE (FN_SIEVE | FN_VALUE | FN_AUDIT)
#define CLUSTER (SIEVE | FN_CLUSTER)
#define LUA (FN_LUA | FN_VALUE | FN_AUDIT)

const struct policy_fn fn_monitor_rows[] = {
	{ "ec_ip_connections", "H?s", PHASES_ALL, SIEVE, ip_connections, NULL },
	{ "ec_ip_receptions", "H?s", PHASES_ALL, SIEVE, ip_receptions, NULL },
	{ "ec_ip_rejections", "H?s", PHASES_ALL, SIEVE, ip_rejections, NULL },
	{ "ec_ip_connections_cluster", "H?s", PHASES_ALL, CLUSTER, ip_connections, NULL },
	{ "ec_ip_receptions_cluster", "H?s", PHASES_ALL, CLUSTER, ip_receptions, NULL },
	{ "ec_ip_rejections_cluster", "H?s", PHASES_ALL, CLUSTER, ip_rejections, NULL },
	{ "msys.audit.connections", "s?v", PHASES_ALL, LUA, lua_connections, NULL },
	{ "msys.audit.connection", "s?v", PHASES_ALL, LUA, lua_connections, NULL }, /* D107 */
	{ "msys.audit.receptions", "s?v", PHASES_ALL, LUA, lua_receptions, NULL },
	{ "msys.audit.rejections", "s?v", PHASES_ALL, LUA, lua_rejections, NULL },
	{ 0 },
};
