/*
 * What TLS options around a Listen or Peer come to: a context. Most places come to the same one, so
 * it is made once for each combination, and what is wrong with it is said once.
 */
#include <stdlib.h>

#include "app/site_build.h"
#include "base/mem.h"

static const enum option_id ingredients[] = {
	OPT_TLS_CERTIFICATE, OPT_TLS_KEY,	  OPT_TLS_CLIENT_CA, OPT_TLS_PROTOCOLS,
	OPT_TLS_CIPHERS,     OPT_TLS_VERIFY_MODE, OPT_USE_SSL,
};

enum {
	CERTIFICATE,
	KEY,
	CLIENT_CA,
	PROTOCOLS,
	CIPHERS,
	VERIFY_MODE,
	WRAPPED,
	INGREDIENTS,
	AROUND = 3, /* a Listen, its listener, the top level */
};

enum { HOP_MODE, HOP_CA };
enum { VERIFY_NONE, VERIFY_REQUIRE }; /* the words of TLS_Verify_Mode */
enum { HOP_TLS_OFF, HOP_TLS_OPPORTUNISTIC, HOP_TLS_VERIFY }; /* of Gateway_TLS */

struct tls_recipe {
	SLIST_ENTRY(tls_recipe) next;
	bool for_hops; /* then its options are HOP_MODE and HOP_CA */
	const struct conf_option *options[INGREDIENTS]; /* NULL: set nowhere */
	const struct conf_scope *hosts[AROUND];		/* the first TLS_Host of each scope */
	struct tls_context *context; /* NULL: there is no TLS, or it was complained about */
};

/* false: complained. What is not there, or was read with complaints, is fine. */
static bool set(struct build *b, struct tls_context *ctx, const struct conf_option *o,
		const char *(*setter)(struct tls_context *ctx, const char *text))
{
	const char *why = o && o->value_read ? setter(ctx, o->value_read->text) : NULL;

	if (why != NULL)
		complain(b->complaints, o->value.at, "%s is \"%.200s\", %s", o->row->name,
			 o->value.text, why);
	return why == NULL;
}

static bool show(struct build *b, struct tls_context *ctx, const struct conf_option *chain,
		 const struct conf_option *key)
{
	if (!set(b, ctx, chain, tls_set_chain))
		return false;
	if (key != NULL)
		return set(b, ctx, key, tls_set_key);
	if (chain->value_read == NULL || tls_set_key(ctx, chain->value_read->text) == NULL)
		return true;
	complain(b->complaints, chain->value.at,
		 "%s is \"%.200s\", which holds no key, expected a TLS_Key", chain->row->name,
		 chain->value.text);
	return false;
}

/* --- TLS_Host --- */

static bool is_named_nearer(const struct tls_recipe *r, unsigned level, const char *key)
{
	for (unsigned i = 0; i < level; i++)
		for (const struct conf_scope *h = r->hosts[i]; h != NULL;
		     h = scope_next(h->parent, SCOPE_TLS_HOST, h))
			if (h->key != NULL && strcmp(h->key, key) == 0)
				return true;
	return false;
}

static bool host_add(struct build *b, struct tls_context *ctx, const struct conf_scope *host)
{
	const struct conf_option *chain = option_find(host, OPT_TLS_CERTIFICATE);

	if (chain != NULL)
		return show(b, tls_host(ctx, host->key), chain, option_find(host, OPT_TLS_KEY));
	complain(b->complaints, host->at, "TLS_Host \"%s\" without a TLS_Certificate, expected one",
		 host->title);
	return false;
}

static bool hosts_add(struct build *b, struct tls_context *ctx, const struct tls_recipe *r)
{
	bool fine = true;

	for (unsigned i = 0; i < AROUND; i++)
		for (const struct conf_scope *h = r->hosts[i]; h != NULL;
		     h = scope_next(h->parent, SCOPE_TLS_HOST, h))
			if (h->key != NULL && !is_named_nearer(r, i, h->key))
				fine &= host_add(b, ctx, h);
	return fine;
}

/* --- recipes --- */

/* What wants a certificate and has none. */
static bool lacks_certificate(struct build *b, const struct tls_recipe *r)
{
	const struct conf_option *wrapped = r->options[WRAPPED];
	const struct conf_scope *host = NULL;

	if (r->options[CERTIFICATE] != NULL)
		return false;
	for (unsigned i = 0; i < AROUND && host == NULL; i++)
		host = r->hosts[i];
	if (wrapped != NULL && wrapped->value_read != NULL && wrapped->value_read->truth)
		complain(b->complaints, wrapped->at,
			 "Use_SSL without a TLS_Certificate, expected one");
	if (host != NULL)
		complain(b->complaints, host->at,
			 "TLS_Host \"%s\" without a TLS_Certificate around it, expected one for "
			 "other names",
			 host->title);
	return true;
}

static bool set_verification(struct build *b, struct tls_context *ctx, const struct tls_recipe *r)
{
	const struct conf_option *mode = r->options[VERIFY_MODE];

	if (mode == NULL || mode->value_read == NULL)
		return set(b, ctx, r->options[CLIENT_CA], tls_set_client_ca);
	if (mode->value_read->number == VERIFY_NONE)
		return true;
	if (r->options[CLIENT_CA] != NULL)
		return set(b, ctx, r->options[CLIENT_CA], tls_set_client_ca);
	complain(b->complaints, mode->at,
		 "TLS_Verify_Mode require without a TLS_Client_CA, expected one");
	return false;
}

static struct tls_context *prepare(struct build *b, const struct tls_recipe *r)
{
	struct tls_context *ctx = tls_server_new();
	bool fine = set(b, ctx, r->options[PROTOCOLS], tls_set_protocols);

	fine &= set(b, ctx, r->options[CIPHERS], tls_set_ciphers);
	fine &= set_verification(b, ctx, r);
	if (lacks_certificate(b, r)) {
		fine = false;
	} else {
		fine &= show(b, ctx, r->options[CERTIFICATE], r->options[KEY]);
		fine &= hosts_add(b, ctx, r);
	}
	if (fine)
		return ctx;
	tls_unref(ctx);
	return NULL;
}

static struct tls_recipe recipe_of(const struct chain *c)
{
	struct tls_recipe r = { .context = NULL };
	unsigned around = 0;

	for (unsigned i = 0; i < INGREDIENTS; i++)
		r.options[i] = chain_find(c, ingredients[i]);
	for (unsigned i = 0; i < c->count; i++)
		if (c->at[i]->row != &scope_rows[SCOPE_PEER])
			r.hosts[around++] = scope_next(c->at[i], SCOPE_TLS_HOST, NULL);
	return r;
}

/* The one that was made already, or a new one without its context. */
static struct tls_recipe *recipe_find(struct build *b, const struct tls_recipe *wanted,
				      bool *is_new)
{
	struct tls_recipe *r;

	*is_new = false;
	SLIST_FOREACH (r, &b->recipes, next)
		if (r->for_hops == wanted->for_hops &&
		    memcmp(r->options, wanted->options, sizeof r->options) == 0 &&
		    memcmp(r->hosts, wanted->hosts, sizeof r->hosts) == 0)
			return r;
	r = mem_new(sizeof *r);
	*r = *wanted;
	*is_new = true;
	SLIST_INSERT_HEAD(&b->recipes, r, next);
	return r;
}

struct tls_context *tls_build(struct build *b, const struct chain *c)
{
	const struct tls_recipe wanted = recipe_of(c);
	bool is_new;
	struct tls_recipe *r = recipe_find(b, &wanted, &is_new);

	if (is_new)
		r->context = prepare(b, r);
	return r->context;
}

static struct tls_context *hop_prepare(struct build *b, const struct conf_option *ca, bool must)
{
	const struct option_value *file = ca ? ca->value_read : NULL;
	struct tls_context *ctx;
	const char *why;

	ctx = tls_client_new(must ? file ? file->text : "" : NULL, &why);
	if (ctx == NULL)
		complain(b->complaints, ca ? ca->value.at : b->conf->top.at, "%s is \"%.200s\", %s",
			 option_rows[OPT_GATEWAY_TLS_CA].name, ca ? ca->value.text : "", why);
	return ctx;
}

struct tls_context *hop_tls_build(struct build *b, const struct chain *c, bool *must_out)
{
	uint64_t mode = chain_number(c, OPT_GATEWAY_TLS);
	struct tls_recipe wanted = { .for_hops = true }, *r;
	bool is_new;

	*must_out = mode == HOP_TLS_VERIFY;
	wanted.options[HOP_MODE] = chain_find(c, OPT_GATEWAY_TLS);
	wanted.options[HOP_CA] = chain_find(c, OPT_GATEWAY_TLS_CA);
	r = recipe_find(b, &wanted, &is_new);
	if (is_new && mode != HOP_TLS_OFF)
		r->context = hop_prepare(b, wanted.options[HOP_CA], *must_out);
	return r->context;
}

void tls_recipes_free(struct tls_recipes *recipes)
{
	while (!SLIST_EMPTY(recipes)) {
		struct tls_recipe *r = SLIST_FIRST(recipes);

		SLIST_REMOVE_HEAD(recipes, next);
		tls_unref(r->context);
		free(r);
	}
}

/* --- what is wrong --- */

static void check_peers(struct build *b, const struct conf_scope *of,
			const struct conf_scope *listen, const struct conf_scope *esmtp)
{
	struct chain c = { .at = { NULL, listen, esmtp, &b->conf->top }, .count = 4 };

	while ((c.at[0] = scope_next(of, SCOPE_PEER, c.at[0])) != NULL)
		(void)tls_build(b, &c);
}

static void check_hops(struct build *b, const struct chain *c)
{
	const struct conf_scope *domain;
	bool must;

	(void)hop_tls_build(b, c, &must);
	for (unsigned i = 0; i < c->count; i++) {
		domain = NULL;
		while ((domain = scope_next(c->at[i], SCOPE_DOMAIN, domain)) != NULL) {
			struct chain around = { .at = { domain }, .count = 1 };

			for (unsigned k = 0; k < c->count; k++)
				chain_add(&around, c->at[k]);
			(void)hop_tls_build(b, &around, &must);
		}
	}
}

static bool is_used(const struct build *b, const struct conf_option *ca)
{
	const struct conf_option *mode;
	const struct tls_recipe *r;

	SLIST_FOREACH (r, &b->recipes, next) {
		mode = r->options[HOP_MODE];
		if (r->for_hops && r->options[HOP_CA] == ca && mode != NULL &&
		    mode->value_read != NULL && mode->value_read->number == HOP_TLS_VERIFY)
			return true;
	}
	return false;
}

/* Whoever names CAs means to verify, and nobody would notice that nothing is. */
static void check_hop_cas(struct build *b)
{
	const struct tls_recipe *r;

	SLIST_FOREACH (r, &b->recipes, next)
		if (r->for_hops && r->options[HOP_CA] != NULL && !is_used(b, r->options[HOP_CA]))
			complain_warn(b->complaints, r->options[HOP_CA]->at,
				      "%s has no effect, expected Gateway_TLS = verify",
				      option_rows[OPT_GATEWAY_TLS_CA].name);
}

void tls_check(struct build *b)
{
	const struct conf_scope *esmtp = scope_next(&b->conf->top, SCOPE_ESMTP, NULL), *l = NULL;

	while (esmtp != NULL && (l = scope_next(esmtp, SCOPE_LISTEN, l)) != NULL) {
		struct chain c = { .at = { l, esmtp, &b->conf->top }, .count = 3 };

		(void)tls_build(b, &c);
		check_hops(b, &c);
		check_peers(b, l, l, esmtp);
		check_peers(b, esmtp, l, esmtp);
	}
	check_hop_cas(b);
}
