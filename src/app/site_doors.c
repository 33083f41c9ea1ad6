#include <stdlib.h>

#include "app/site_build.h"
#include "base/check.h"
#include "base/mem.h"

/* One Listen under construction, with the scopes around it. */
struct opening {
	struct build *b;
	const struct conf_scope *listen;
	const struct conf_scope *esmtp;
	const struct route_table *routes;
};

static struct chain chain_of(const struct opening *o)
{
	return (struct chain){ .at = { o->listen, o->esmtp, &o->b->conf->top }, .count = 3 };
}

/* --- next hops --- */

/* What is open at a time is shared out among the workers. */
static uint32_t share(const struct build *b, uint64_t limit)
{
	return limit == 0 || limit >= b->workers ? (uint32_t)(limit / b->workers) : 1;
}

static struct hop_manner manner_build(struct build *b, const struct chain *c)
{
	struct hop_manner m = {
		.connections_max = share(b, chain_number(c, OPT_MAX_GATEWAY_CONNECTIONS)),
		.uses_max = (uint32_t)chain_number(c, OPT_GATEWAY_REUSE_LIMIT),
		.idle_ms = (uint32_t)chain_number(c, OPT_GATEWAY_IDLE_TIME),
		.retry_ms = (uint32_t)chain_number(c, OPT_GATEWAY_RETRY_TIME),
		.xclient = chain_truth(c, OPT_GATEWAY_XCLIENT),
		.proxy = chain_truth(c, OPT_GATEWAY_PROXY_PROTOCOL),
	};

	m.tls = hop_tls_build(b, c, &m.tls_must);
	return m;
}

/* Where an inner scope names hops too, it was before us and wins. */
static void route_build(const struct opening *o, struct route_table *table,
			const struct conf_scope *scope, const struct chain *around)
{
	const struct conf_option *gateway = option_find(scope, OPT_GATEWAY);
	const struct conf_option *from = gateway ? gateway : option_find(scope, OPT_ROUTES);
	const struct option_value *prohibited = chain_value(around, OPT_PROHIBITED_HOSTS);
	struct route route = { .count = 0 };

	if (from == NULL)
		return;
	route.manner = manner_build(o->b, around);
	route.hops = hops_copy(from->value_read->hops, from->value_read->count);
	route.count = from->value_read->count;
	if (prohibited != NULL) {
		route.prohibited = prohibited->blocks.blocks;
		route.prohibited_count = prohibited->blocks.count;
	}
	(void)route_add(table, scope->row == &scope_rows[SCOPE_DOMAIN] ? scope->key : NULL, &route);
}

/* How a Domain's hops are treated may be said in it, or around the Listen as for all others. */
static struct route_table *routes_build(const struct opening *o)
{
	const struct chain chain = chain_of(o);
	struct route_table *table = route_table_new();

	for (unsigned i = 0; i < chain.count; i++) {
		const struct conf_scope *domain = NULL;

		route_build(o, table, chain.at[i], &chain);
		while ((domain = scope_next(chain.at[i], SCOPE_DOMAIN, domain)) != NULL) {
			struct chain around = { .at = { domain }, .count = 1 };

			for (unsigned k = 0; k < chain.count; k++)
				chain_add(&around, chain.at[k]);
			route_build(o, table, domain, &around);
		}
	}
	return table;
}

/* --- caps (D76) --- */

enum { CAPS_MAX = 5 };

static uint32_t own_limit(const struct conf_scope *scope, enum option_id id)
{
	const struct conf_option *o = option_find(scope, id);

	return o ? (uint32_t)o->value_read->number : 0;
}

/* "ESMTP_Listener", "Listen \"*:25\"", "Peer \"10.0.0.0/8\" of Listen \"*:25\"" */
static const char *scope_text(struct build *b, const struct conf_scope *scope)
{
	bool is_peer = scope->row == &scope_rows[SCOPE_PEER];
	char *text, *copy;

	if (scope->title == NULL)
		return scope->row->name;
	text = mem_printf("%s \"%s\"%s%s", scope->row->name, scope->key, is_peer ? " of " : "",
			  is_peer ? scope_text(b, scope->parent) : "");
	copy = conf_copy(b->conf, slice_of(text));
	free(text);
	return copy;
}

/* Budgets are found by option and scope, so that a reload finds the slots that are taken. */
static void cap_add(struct build *b, struct settings *out, struct cap *caps, enum option_id id,
		    const struct conf_scope *scope, const char *counts, uint32_t limit)
{
	const char *option = option_rows[id].name;
	char *name = mem_printf("%s %s", option, counts);

	CHECK(out->cap_count < CAPS_MAX);
	caps[out->cap_count++] = (struct cap){ budget_named(b->world->budgets, name), limit, option,
					       scope_text(b, scope) };
	free(name);
}

static void peer_cap_add(const struct opening *o, const struct chain *chain, struct settings *out,
			 struct cap *caps, enum option_id id)
{
	const struct conf_scope *peer;

	for (unsigned i = 0; i < chain->count; i++) {
		peer = chain->at[i];
		if (peer->row != &scope_rows[SCOPE_PEER] || option_find(peer, id) == NULL)
			continue;
		cap_add(o->b, out, caps, id, peer, scope_text(o->b, peer), own_limit(peer, id));
		return;
	}
}

/*
 * The service, the listener and the Listen are counted even without a cap, so that one which a
 * reload brings knows of the sessions before it. The service has one budget, whoever caps it: the
 * lower limit holds.
 */
static void caps_build(const struct opening *o, const struct chain *chain, struct settings *out)
{
	struct cap *caps = conf_array(o->b->conf, CAPS_MAX, sizeof *caps);
	uint32_t listen = own_limit(o->listen, OPT_SERVICE_SESSIONS);
	uint32_t esmtp = own_limit(o->esmtp, OPT_SERVICE_SESSIONS);
	bool inner = listen != 0 && (esmtp == 0 || listen < esmtp);

	cap_add(o->b, out, caps, OPT_SERVICE_SESSIONS, inner ? o->listen : o->esmtp, "SMTP",
		inner ? listen : esmtp);
	cap_add(o->b, out, caps, OPT_LISTENER_SESSIONS, o->esmtp, scope_text(o->b, o->esmtp),
		own_limit(o->esmtp, OPT_LISTENER_SESSIONS));
	cap_add(o->b, out, caps, OPT_LISTENER_SESSIONS, o->listen, scope_text(o->b, o->listen),
		own_limit(o->listen, OPT_LISTENER_SESSIONS));
	out->outer_caps = out->cap_count;
	peer_cap_add(o, chain, out, caps, OPT_SERVICE_SESSIONS);
	peer_cap_add(o, chain, out, caps, OPT_LISTENER_SESSIONS);
	out->caps = caps;
}

/* --- settings --- */

static void settings_build(const struct opening *o, const struct chain *c, struct settings *out)
{
	const char *hostname = o->b->hostname;
	const struct option_value *v;

	*out = (struct settings){
		.hostname = hostname,
		.banner_hostname = chain_text(c, OPT_BANNER_HOSTNAME, hostname),
		.static_banner = chain_text(c, OPT_STATIC_BANNER, NULL),
		.received_hostname = chain_text(c, OPT_RECEIVED_HOSTNAME, hostname),
		.banner_delay_ms = (uint32_t)chain_number(c, OPT_BANNER_DELAY),
		.idle_ms = (uint32_t)chain_number(c, OPT_IDLE_TIME),
		.command_ms = (uint32_t)chain_number(c, OPT_COMMAND_TIMEOUT),
		.transaction_ms = (uint32_t)chain_number(c, OPT_TRANSACTION_TIMEOUT),
		.max_errors = (uint32_t)chain_number(c, OPT_MAX_ERRORS),
		.max_unproductive = (uint32_t)chain_number(c, OPT_MAX_UNPRODUCTIVE_COMMANDS),
		.max_receptions = (uint32_t)chain_number(c, OPT_MAX_RECEPTIONS_PER_CONNECTION),
		.max_rcpts_message = (uint32_t)chain_number(c, OPT_MAX_RECIPIENTS_PER_MESSAGE),
		.max_rcpts_connection =
			(uint32_t)chain_number(c, OPT_MAX_RECIPIENTS_PER_CONNECTION),
		.max_message_size = chain_number(c, OPT_MAX_MESSAGE_SIZE),
		.message_memory = chain_number(c, OPT_MESSAGE_MEMORY),
		.require_ehlo = chain_truth(c, OPT_REQUIRE_EHLO),
		.open_relay = chain_truth(c, OPT_OPEN_RELAY),
		.wrapped = chain_truth(c, OPT_USE_SSL),
		.forgive_injection = chain_number(c, OPT_STARTTLS_INJECTION_POLICY) != 0,
		.verified_may_relay = chain_truth(c, OPT_TLS_VERIFIED_PEER_CAN_RELAY),
		.routes = o->routes,
	};
	out->tls = tls_build(o->b, c);
	if ((v = chain_value(c, OPT_TLS_VERIFY_MODE)) != NULL)
		out->require_verified = v->number != 0;
	v = chain_value(c, OPT_SMTP_EXTENSIONS);
	out->extensions = v != NULL ? (unsigned)v->number : EXTENSION_XCLIENT;
	if ((v = chain_value(c, OPT_RELAY_HOSTS)) != NULL)
		out->relay_hosts = v->blocks;
	if ((v = chain_value(c, OPT_RELAY_DOMAINS)) != NULL)
		out->relay_domains = v->domains;
	if ((v = chain_value(c, OPT_CONTEXT)) != NULL)
		out->context = v->context; /* borrowed from the tree, like all of these */
	caps_build(o, c, out);
}

/* --- Peers --- */

struct peer {
	struct cidr block;
	const struct conf_scope *scope;
};

static int by_block(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;
	int order = addr_compare(&x->block.addr, &y->block.addr);

	return order ? order : x->block.len - y->block.len;
}

static unsigned peers_collect(const struct conf_scope *scope, struct peer *peers, unsigned count)
{
	const struct conf_scope *s = NULL;

	while ((s = scope_next(scope, SCOPE_PEER, s)) != NULL) {
		if (peers != NULL) {
			peers[count].scope = s;
			CHECK(cidr_parse(slice_of(s->key), &peers[count].block) == NULL);
		}
		count++;
	}
	return count;
}

/* The blocks around a peer, the longest last, to where its options are looked for: the Listen's
 * Peers, the listener's, and what every client of the Listen has. */
static void chain_build(const struct opening *o, const struct peer *const *around, unsigned depth,
			struct chain *out)
{
	const struct conf_scope *const owners[] = { o->listen, o->esmtp };

	out->count = 0;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = depth; k-- > 0;)
			if (around[k]->scope->parent == owners[i])
				chain_add(out, around[k]->scope);
	chain_add(out, o->listen);
	chain_add(out, o->esmtp);
	chain_add(out, &o->b->conf->top);
}

/* In address order, blocks before what lies in them, so that those around the one at hand are a
 * stack. */
static struct peer_map *peers_build(const struct opening *o)
{
	unsigned count = peers_collect(o->esmtp, NULL, peers_collect(o->listen, NULL, 0));
	struct peer *peers = mem_array(count, sizeof *peers);
	struct peer_map *map = peer_map_new();
	const struct peer *around[PEERS_AROUND_MAX];
	unsigned depth = 0;

	peers_collect(o->esmtp, peers, peers_collect(o->listen, peers, 0));
	qsort(peers, count, sizeof *peers, by_block);
	for (unsigned i = 0; i < count; i++) {
		const struct cidr *block = &peers[i].block;
		struct settings *settings;
		struct chain chain;

		while (depth > 0 && !cidr_contains(&around[depth - 1]->block, &block->addr))
			depth--;
		around[depth++] = &peers[i];
		/* In the Listen and in the listener: one entry, when both are on the stack. */
		if (i + 1 < count && cidr_equal(block, &peers[i + 1].block))
			continue;
		chain_build(o, around, depth, &chain);
		settings = conf_take(o->b->conf, sizeof *settings);
		settings_build(o, &chain, settings);
		CHECK(peer_map_add(map, block, settings));
	}
	free(peers);
	return map;
}

/* --- doors --- */

static struct cidr_list blocks_of(const struct chain *c, enum option_id id)
{
	const struct option_value *v = chain_value(c, id);

	return v != NULL ? v->blocks : (struct cidr_list){ 0 };
}

static void door_build(struct opening *o, struct door *d)
{
	struct audit *audit = o->b->world->audit;
	const struct chain chain = chain_of(o);

	d->name = (char *)listen_name(o->listen);
	listen_endpoint(o->listen, &d->where);
	d->backlog = (int)chain_number(&chain, OPT_LISTEN_BACKLOG);
	d->file_mode = (unsigned)chain_number(&chain, OPT_FILE_MODE);
	d->endpoint = audit_endpoint(audit, audit_service_find(audit, "SMTP"), d->name);
	d->proxied = chain_truth(&chain, OPT_PROXY_PROTOCOL);
	d->proxy_ms = (uint32_t)chain_number(&chain, OPT_PROXY_PROTOCOL_TIMEOUT);
	d->proxy_hosts = blocks_of(&chain, OPT_PROXY_HOSTS);
	d->xclient_hosts = blocks_of(&chain, OPT_XCLIENT_HOSTS);
	o->routes = routes_build(o);
	settings_build(o, &chain, &d->plain);
	d->peers = peers_build(o);
}

void doors_build(struct build *b, struct rules *rules)
{
	struct opening o = { .b = b, .esmtp = scope_next(&b->conf->top, SCOPE_ESMTP, NULL) };
	struct chain chain;
	unsigned count = 0;

	while ((o.listen = scope_next(o.esmtp, SCOPE_LISTEN, o.listen)) != NULL)
		count++;
	rules->doors = conf_array(b->conf, count, sizeof *rules->doors);
	while ((o.listen = scope_next(o.esmtp, SCOPE_LISTEN, o.listen)) != NULL) {
		chain = chain_of(&o);
		if (chain_truth(&chain, OPT_ENABLE))
			door_build(&o, &rules->doors[rules->door_count++]);
	}
}

void doors_free(struct rules *rules)
{
	for (unsigned i = 0; i < rules->door_count; i++) {
		peer_map_free(rules->doors[i].peers, NULL);
		route_table_free((struct route_table *)rules->doors[i].plain.routes);
	}
}

/* --- what must be there --- */

static bool has_hop(const struct conf_scope *scope)
{
	return option_find(scope, OPT_GATEWAY) || option_find(scope, OPT_ROUTES);
}

/* A Maildir is always there, so there is nothing to prefer or to fall back to. */
static void check_routes(struct build *b, const struct conf_option *routes)
{
	const struct option_value *v = routes->value_read;

	if (v == NULL)
		return;
	if (v->count == 0)
		complain(b->complaints, routes->at, "Routes is empty, expected a next hop");
	for (unsigned i = 0; v->count > 1 && i < v->count; i++)
		if (v->hops[i].kind == HOP_MAILDIR)
			complain(b->complaints, routes->at,
				 "Routes with a Maildir among others, expected it alone");
}

static void check_one_hop(struct build *b, const struct conf_scope *scope)
{
	const struct conf_option *gateway = option_find(scope, OPT_GATEWAY);
	const struct conf_option *routes = option_find(scope, OPT_ROUTES);
	const struct conf_scope *domain = NULL;

	if (routes != NULL)
		check_routes(b, routes);
	if (gateway != NULL && routes != NULL)
		complain(b->complaints, routes->at,
			 "Routes beside the Gateway of %s:%u:%u, expected one of them",
			 gateway->at.file, gateway->at.line, gateway->at.col);
	while ((domain = scope_next(scope, SCOPE_DOMAIN, domain)) != NULL) {
		check_one_hop(b, domain);
		if (!has_hop(domain))
			complain(b->complaints, domain->at,
				 "Domain \"%s\" without a next hop, expected Gateway or Routes",
				 domain->title);
	}
}

static bool says_who_may_relay(const struct conf_scope *scope)
{
	const struct conf_scope *s;

	if (option_find(scope, OPT_RELAY_DOMAINS) || option_find(scope, OPT_RELAY_HOSTS) ||
	    option_find(scope, OPT_OPEN_RELAY))
		return true;
	STAILQ_FOREACH (s, &scope->scopes, next)
		if (says_who_may_relay(s))
			return true;
	return false;
}

/* Nobody could connect. */
static void check_proxies(struct build *b, const struct conf_scope *listen,
			  const struct conf_scope *esmtp)
{
	const struct chain chain = { .at = { listen, esmtp }, .count = 2 };

	if (chain_truth(&chain, OPT_PROXY_PROTOCOL) && !chain_find(&chain, OPT_PROXY_HOSTS))
		complain(b->complaints, listen->at,
			 "Listen \"%s\" with Proxy_Protocol has nobody to believe, expected "
			 "Proxy_Hosts",
			 listen->title);
}

static void check_listens(struct build *b, const struct conf_scope *esmtp)
{
	const struct conf_scope *top = &b->conf->top, *listen = NULL;
	bool around = has_hop(esmtp) || has_hop(top) || scope_next(esmtp, SCOPE_DOMAIN, NULL) ||
		      scope_next(top, SCOPE_DOMAIN, NULL);

	if (scope_next(esmtp, SCOPE_LISTEN, NULL) == NULL)
		complain(b->complaints, esmtp->at, "%s without a Listen, expected Listen \"..\" {}",
			 esmtp->row->name);
	while ((listen = scope_next(esmtp, SCOPE_LISTEN, listen)) != NULL) {
		check_one_hop(b, listen);
		check_proxies(b, listen, esmtp);
		if (!around && !has_hop(listen) && scope_next(listen, SCOPE_DOMAIN, NULL) == NULL)
			complain(
				b->complaints, listen->at,
				"Listen \"%s\" has no next hop, expected Gateway or Routes",
				listen->title);
	}
}

static void check_controls(struct build *b, const struct conf_scope *esmtp)
{
	const struct conf_scope *control = scope_next(&b->conf->top, SCOPE_CONTROL, NULL);
	const struct conf_scope *c = NULL, *l;

	while (control != NULL && (c = scope_next(control, SCOPE_CONTROL_LISTEN, c)) != NULL) {
		if (c->key == NULL)
			continue;
		if (strchr(c->key, '/') == NULL)
			complain(b->complaints, c->title_at,
				 "Listen is \"%s\", expected the path of a Unix socket", c->title);
		for (l = NULL; esmtp != NULL && (l = scope_next(esmtp, SCOPE_LISTEN, l)) != NULL;)
			if (l->key != NULL && strcmp(l->key, c->key) == 0)
				complain(
					b->complaints, c->title_at,
					"Listen \"%s\" is there already at %s:%u:%u",
					c->title, l->at.file, l->at.line, l->at.col);
	}
}

void doors_check(struct build *b)
{
	const struct conf_scope *top = &b->conf->top, *esmtp = scope_next(top, SCOPE_ESMTP, NULL);

	check_one_hop(b, top);
	check_controls(b, esmtp);
	if (esmtp == NULL) {
		complain(b->complaints, top->at, "no ESMTP_Listener, expected one");
		return;
	}
	check_one_hop(b, esmtp);
	check_listens(b, esmtp);
	if (!says_who_may_relay(top))
		complain_warn(
			b->complaints, esmtp->at,
			"no mail will be taken, expected Relay_Domains, Relay_Hosts or Open_Relay");
}
