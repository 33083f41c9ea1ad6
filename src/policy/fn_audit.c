/* Live counts for scripts (behaviour 3.3, 3.4). */
#include <stdio.h>

#include "policy/fn.h"

/* What a CIDR argument means: one block, or everything of both families (D48). */
struct blocks {
	struct cidr block[2];
	unsigned count;
};

enum { MASK_EXACT = 32 };

static void blocks_one(struct blocks *out, struct cidr block)
{
	out->block[0] = block;
	out->count = 1;
}

/* The current peer's block of that length, written or defaulted (D45). */
static const char *blocks_implied(const struct policy_run *run, unsigned len, struct blocks *out)
{
	static const struct addr v4 = { .family = ADDR_V4 }, v6 = { .family = ADDR_V6 };
	const struct policy_conf *conf = policy_set_conf(run->set);
	const struct addr *peer = &run->facts->peer;
	bool mapped = false;

	if (peer->family == ADDR_NONE)
		return "there is no current peer, and no address was given";
	for (unsigned i = 0; peer->family == ADDR_V6 && i < conf->mask_map_count && !mapped; i++) {
		mapped = conf->mask_map[i].from == len;
		if (mapped)
			len = conf->mask_map[i].to;
	}
	if (len == 0) {
		*out = (struct blocks){ { cidr_of(&v4, 0), cidr_of(&v6, 0) }, 2 };
		return NULL;
	}
	if (len == MASK_EXACT && !mapped)
		len = addr_bits(peer);
	blocks_one(out, cidr_of(peer, len)); /* which cuts what is too long for IPv4 */
	return NULL;
}

/* ADDR/LEN, ADDR, /LEN, or nothing. */
static const char *blocks_of(const struct policy_run *run, const struct value *arg,
			     struct blocks *out)
{
	struct slice text;
	struct cidr block;
	const char *wrong;
	uint64_t len;

	if (arg->type == VALUE_NONE)
		return blocks_implied(run, MASK_EXACT, out);
	text = slice_trim(arg->string);
	if (text.len > 0 && text.at[0] == '/') {
		text = (struct slice){ text.at + 1, text.len - 1 };
		if (text.len > 3 || !slice_number(text, 128, &len))
			return "a mask is /0 to /128";
		return blocks_implied(run, (unsigned)len, out);
	}
	wrong = cidr_parse(text, &block);
	if (wrong == NULL)
		blocks_one(out, block);
	return wrong;
}

/* Remember it as what led to whatever is done with the result. */
static uint8_t read_add(struct policy_run *run, struct slice service, const struct cidr *block,
			uint64_t count)
{
	unsigned index = run->read_count++ % POLICY_READS_MAX;
	struct audit_read *read = &run->reads[index];
	size_t len = service.len < sizeof read->service ? service.len : sizeof read->service - 1;

	memcpy(read->service, service.at, len);
	read->service[len] = '\0';
	read->block = *block;
	read->count = count;
	return (uint8_t)(index + 1);
}

/*
 * Services that only a cluster fills. Alone, inbound_cidr reads SMTP and the others nothing, which
 * is worth a warning a load, or with strict_services an error (D50).
 */
static bool is_missing(struct fn_call *call, struct slice service)
{
	static const struct slice cluster_only[] = { { "inbound_cidr", 12 },
						     { "ECmmove2", 8 },
						     { "ECCluster", 9 } };
	static const char why[] = "is a service of a cluster, and this node is in none";
	struct policy_set *set = call->run->set;
	const struct policy_host *host = policy_set_host(set);
	char text[128];

	if (policy_set_conf(set)->has_cluster)
		return false;
	for (unsigned i = 0; i < sizeof cluster_only / sizeof cluster_only[0]; i++) {
		if (!slice_equal(service, cluster_only[i]))
			continue;
		snprintf(text, sizeof text, "%s %s", cluster_only[i].at, why);
		if (policy_set_conf(set)->strict_services) {
			fn_failed(call, "%s", text);
			return true;
		}
		if (policy_set_once(set, 1u << i))
			host->logged(host->owner, LOG_WARN, call->run->facts, call->file,
				     call->line, slice_of(text));
	}
	return false;
}

static enum fn_status count(struct fn_call *call, struct slice service, const struct value *cidr)
{
	struct policy_run *run = call->run;
	const struct policy_host *host = policy_set_host(run->set);
	struct blocks blocks;
	uint64_t total = 0, n;
	const char *wrong;

	if (is_missing(call, service))
		return FN_FAILED;
	wrong = blocks_of(run, cidr, &blocks);
	if (wrong != NULL && cidr->type == VALUE_STRING)
		return fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(cidr->string), wrong);
	if (wrong != NULL)
		return fn_failed(call, "%s", wrong);
	for (unsigned i = 0; i < blocks.count; i++) {
		wrong = host->count(host->owner, run->facts, service, &blocks.block[i], &n);
		if (wrong != NULL)
			return fn_failed(call, "%s", wrong);
		total += n;
	}
	call->result = VALUE_NUM((int64_t)total);
	call->result.origin = read_add(run, service, &blocks.block[0], total);
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
