/* Live counts for scripts (behaviour 3.3, 3.4). */
#include "policy/fn_blocks.h"

static const char *const cluster_only[] = { "inbound_cidr", "ECmmove2", "ECCluster" };
enum { CLUSTER_ONLY = sizeof cluster_only / sizeof cluster_only[0] };

/*
 * Services that only a cluster fills. Alone, inbound_cidr reads SMTP and the others nothing, which
 * is worth a warning a load, or with strict_services an error (D50).
 */
static enum fn_status service_check(struct fn_call *call, struct slice service)
{
	static const char why[] = "is a service of a cluster, and this node is in none";
	struct policy_set *set = call->run->set;
	unsigned i = 0;

	while (i < CLUSTER_ONLY && !slice_equal(service, slice_of(cluster_only[i])))
		i++;
	if (i == CLUSTER_ONLY || policy_set_conf(set)->has_cluster)
		return FN_OK;
	if (policy_set_conf(set)->strict_services)
		return fn_failed(call, "%s %s", cluster_only[i], why);
	if (policy_set_once(set, POLICY_ONCE_SERVICES << i))
		fn_warn(call, "%s %s", cluster_only[i], why);
	return FN_OK;
}

static enum fn_status count(struct fn_call *call, struct slice service, const struct value *cidr)
{
	struct policy_run *run = call->run;
	const struct policy_host *host = policy_set_host(run->set);
	struct audit_read *read;
	struct blocks blocks;
	uint64_t total = 0, n;
	const char *wrong;

	if (service_check(call, service) != FN_OK || blocks_read(call, cidr, &blocks) != FN_OK)
		return FN_FAILED;
	for (unsigned i = 0; i < blocks.count; i++) {
		wrong = host->count(host->owner, run->facts, service, &blocks.block[i], &n);
		if (wrong != NULL)
			return fn_failed(call, "%s", wrong);
		total += n;
	}
	call->result = VALUE_NUM((int64_t)total);
	read = fn_read(call, service);
	read->block = blocks.block[0];
	read->count = total;
	return FN_OK;
}

static enum fn_status on_listener(struct fn_call *call)
{
	return count(call, SLICE("LISTENER"), &call->args[0]);
}

static enum fn_status on_service(struct fn_call *call)
{
	return count(call, SLICE("SMTP"), &call->args[0]);
}

/* audit_service, pbp_inbound_session_count_service */
static enum fn_status on_named(struct fn_call *call)
{
	return count(call, call->args[0].string, &call->args[1]);
}

static enum fn_status by_cidr(struct fn_call *call)
{
	const struct value *service = &call->args[1];

	return count(call, service->type == VALUE_STRING ? service->string : SLICE("SMTP"),
		     &call->args[0]);
}

static enum fn_status by_accept_construct(struct fn_call *call)
{
	return call->argc == 0 ? on_listener(call) : by_cidr(call); /* D52 */
}

#define SIEVE (FN_SIEVE | FN_VALUE | FN_LIST | FN_AUDIT)
#define LUA (FN_LUA | FN_VALUE | FN_AUDIT)

const struct policy_fn fn_audit_rows[] = {
	{ "audit_connections_on_listener", "s", PHASES_ALL, SIEVE, on_listener, NULL },
	{ "audit_connections_on_service", "s", PHASES_ALL, SIEVE, on_service, NULL },
	{ "audit_service", "ss", PHASES_ALL, SIEVE, on_named, NULL },
	{ "msys.audit.inbound_session_count", "?ss", PHASES_ALL, LUA, by_cidr, NULL },
	{ "ac:inbound_session_count", "?ss", PHASES_ALL, LUA, by_accept_construct, NULL },
	{ "ac:pbp_inbound_session_count_service", "s?s", PHASES_ALL, LUA, on_named, NULL },
	{ 0 },
};
