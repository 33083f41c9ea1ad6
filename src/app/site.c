#include "app/site.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/site_build.h"
#include "base/check.h"
#include "base/mem.h"

enum { HOP_LIMIT = 100 }; /* RFC 5321 6.3 asks for at least so many Received lines */

const char control_default[] = "/run/tidewaiter/control.sock";

/* The rules, and the tree that their texts and lists live in. */
struct site_rules {
	struct rules rules;
	struct conf *conf;
	struct tls_recipes recipes;
};

void chain_add(struct chain *c, const struct conf_scope *scope)
{
	CHECK(c->count < sizeof c->at / sizeof *c->at);
	c->at[c->count++] = scope;
}

const struct conf_option *chain_find(const struct chain *c, enum option_id id)
{
	const struct conf_option *o = NULL;

	for (unsigned i = 0; i < c->count && o == NULL; i++)
		o = option_find(c->at[i], id);
	return o;
}

const struct option_value *chain_value(const struct chain *c, enum option_id id)
{
	const struct conf_option *o = chain_find(c, id);

	return o ? o->value_read : NULL;
}

uint64_t chain_number(const struct chain *c, enum option_id id)
{
	const struct option_value *v = chain_value(c, id);

	return v ? v->number : option_standard(id).number;
}

bool chain_truth(const struct chain *c, enum option_id id)
{
	const struct option_value *v = chain_value(c, id);

	return v ? v->truth : option_standard(id).truth;
}

const char *chain_text(const struct chain *c, enum option_id id, const char *otherwise)
{
	const struct option_value *v = chain_value(c, id);

	return v ? v->text : otherwise;
}

const struct conf_scope *scope_next(const struct conf_scope *parent, enum scope_kind kind,
				    const struct conf_scope *last)
{
	const struct conf_scope *s = last ? STAILQ_NEXT(last, next) : STAILQ_FIRST(&parent->scopes);

	while (s != NULL && s->row != &scope_rows[kind])
		s = STAILQ_NEXT(s, next);
	return s;
}

void listen_endpoint(const struct conf_scope *listen, struct endpoint *out)
{
	CHECK(endpoint_parse(slice_of(listen->key), out) == NULL);
}

const char *listen_name(const struct conf_scope *listen)
{
	return strchr(listen->title, '/') ? listen->key : listen->title;
}

static unsigned workers_of(const struct chain *top)
{
	const struct option_value *v = chain_value(top, OPT_WORKERS);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = (unsigned)option_rows[OPT_WORKERS].most;

	if (v != NULL)
		return (unsigned)v->number;
	return cores < 1 ? 1 : cores > most ? most : (unsigned)cores;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Who is running is not looked up again: the user data base may lie outside of the fence. */
static void user_stays(struct build *b, const struct conf_option *o, const char *name)
{
	b->user = b->world->running->user;
	if (!same_text(name, b->user.name))
		complain_warn(b->complaints, o ? o->at : b->conf->top.at,
			      "User stays %s, expected a restart",
			      b->user.name ? b->user.name : "who started the daemon");
	if (b->user.name != NULL)
		b->user.name = conf_copy(b->conf, slice_of(b->user.name)); /* the old tree goes */
}

/* What the process has given up, or kept, stays so. */
static bool guard_stays(struct build *b, const struct chain *top, enum option_id id, bool is_on)
{
	const struct conf_option *o = chain_find(top, id);

	if (chain_truth(top, id) != is_on)
		complain_warn(b->complaints, o != NULL ? o->at : b->conf->top.at,
			      "%s stays %s, expected a restart", option_rows[id].name,
			      is_on ? "on" : "off");
	return is_on;
}

static void guards_build(struct build *b, const struct chain *top)
{
	const struct site *running = b->world->running;

	b->landlock = running != NULL ? guard_stays(b, top, OPT_LANDLOCK, running->landlock)
				      : chain_truth(top, OPT_LANDLOCK);
	b->seccomp = running != NULL ? guard_stays(b, top, OPT_SECCOMP, running->seccomp)
				     : chain_truth(top, OPT_SECCOMP);
}

static void user_build(struct build *b, const struct chain *top)
{
	const struct conf_option *o = chain_find(top, OPT_USER), *g = chain_find(top, OPT_GROUP);
	const char *name = chain_text(top, OPT_USER, NULL),
		   *group = chain_text(top, OPT_GROUP, NULL);
	const char *unknown;

	if (b->world->running != NULL) {
		user_stays(b, o, name);
	} else if (name == NULL) {
		if (group != NULL)
			complain(b->complaints, g->at, "Group without User, expected both");
	} else if ((unknown = user_find(name, group, &b->user)) != NULL) {
		complain(b->complaints, unknown == name ? o->value.at : g->value.at,
			 "there is no %s \"%.64s\" on this machine",
			 unknown == name ? "user" : "group", unknown);
	}
}

/* A held client is a descriptor; the other half is for everybody else. */
static uint32_t most_tarpitted(const struct chain *top)
{
	const struct option_value *v = chain_value(top, OPT_MAX_TARPITTED);
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	if (v != NULL)
		return (uint32_t)v->number;
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur / 2 < UINT32_MAX ? (uint32_t)(limit.rlim_cur / 2) : UINT32_MAX;
}

static const char *hostname_of(struct build *b, const struct chain *top)
{
	char name[HOST_NAME_MAX + 1] = "";
	bool known = gethostname(name, sizeof name - 1) == 0 && name[0] != '\0';

	return chain_text(top, OPT_HOSTNAME,
			  conf_copy(b->conf, known ? slice_of(name) : SLICE("localhost")));
}

static void rules_free(struct rules *rules)
{
	struct site_rules *all = (struct site_rules *)rules;

	policy_unref(rules->policy);
	doors_free(rules);
	tls_recipes_free(&all->recipes);
	options_forget(all->conf);
	conf_free(all->conf);
	free(all);
}

/* Takes conf and policy. */
static struct rules *rules_build(struct build *b, struct policy_set *policy)
{
	struct site_rules *all = mem_new(sizeof *all);

	all->conf = b->conf;
	atomic_init(&all->rules.refs, 1);
	all->rules.policy = policy;
	all->rules.hostname = b->hostname;
	all->rules.spool_dir = b->state_dir;
	all->rules.hop_limit = HOP_LIMIT;
	all->rules.workers = b->workers;
	all->rules.max_tarpitted =
		most_tarpitted(&(struct chain){ .at = { &b->conf->top }, .count = 1 });
	all->rules.recipients_are_receptions = b->recipients_are_receptions;
	all->rules.free = rules_free;
	doors_build(b, &all->rules);
	all->recipes = b->recipes;
	return &all->rules;
}

static void control_build(struct build *b, struct site *site, const struct chain *chain,
			  const char *path)
{
	struct console_door *c;

	if (!chain_truth(chain, OPT_ENABLE))
		return;
	site->controls =
		mem_resize(site->controls, site->control_count + 1, sizeof *site->controls);
	c = &site->controls[site->control_count++];
	*c = (struct console_door){
		.name = mem_strdup(path),
		.file_mode = (unsigned)chain_number(chain, OPT_FILE_MODE),
		.backlog = (int)chain_number(chain, OPT_LISTEN_BACKLOG),
		.timeout_ms = (uint32_t)chain_number(chain, OPT_TIMEOUT),
	};
	CHECK(endpoint_parse(slice_of(path), &c->where) == NULL);
	c->endpoint = audit_endpoint(b->world->audit,
				     audit_service_find(b->world->audit, "Control"), path);
}

static void controls_build(struct build *b, struct site *site)
{
	const struct conf_scope *listener = scope_next(&b->conf->top, SCOPE_CONTROL, NULL),
				*listen = NULL;
	struct chain chain = { .count = 0 };

	while (listener != NULL &&
	       (listen = scope_next(listener, SCOPE_CONTROL_LISTEN, listen)) != NULL) {
		chain = (struct chain){ .at = { listen, listener, &b->conf->top }, .count = 3 };
		control_build(b, site, &chain, listen->key);
	}
	if (chain.count > 0)
		return;
	if (listener != NULL)
		chain_add(&chain, listener);
	control_build(b, site, &chain, control_default);
}

/* Set, or a directory in State_Dir (T5). */
static const char *series_dir(struct build *b, const struct chain *audit, enum option_id id,
			      const char *name)
{
	size_t size = strlen(b->state_dir) + strlen(name) + sizeof "/";
	char *standard = conf_take(b->conf, size);

	snprintf(standard, size, "%s/%s", b->state_dir, name);
	return chain_text(audit, id, standard);
}

static void series_build(struct build *b)
{
	const struct conf_scope *scope = scope_next(&b->conf->top, SCOPE_AUDIT, NULL);
	const struct chain audit = { .at = { scope }, .count = scope != NULL };
	const struct option_value *monitors = chain_value(&audit, OPT_MONITORS);

	b->recipients_are_receptions = chain_number(&audit, OPT_RECEPTION_UNIT) == 1;
	b->series = (struct site_series){
		.monitors = monitors != NULL ? monitors->monitors : NULL,
		.monitor_count = monitors != NULL ? monitors->count : 0,
		.max_bytes = chain_number(&audit, OPT_MAX_BYTES),
		.persist = chain_truth(&audit, OPT_PERSIST),
		.serialize_dir = series_dir(b, &audit, OPT_SERIALIZE_DIR, "series"),
		.log_dir = series_dir(b, &audit, OPT_LOG_DIR, "journal"),
		.journal_days = (uint32_t)chain_number(&audit, OPT_JOURNAL_DAYS),
		.maintenance_ms = (uint32_t)chain_number(&audit, OPT_MAINTENANCE_INTERVAL),
	};
}

static struct site *site_build(struct build *b, const struct chain *top, struct policy_set *policy)
{
	struct site *site = mem_new(sizeof *site);

	site->file = realpath(b->conf->top.at.file, NULL);
	site->state_dir = mem_strdup(b->state_dir);
	site->workers = b->workers;
	site->user = b->user;
	site->landlock = b->landlock;
	site->seccomp = b->seccomp;
	site->paths = *b->paths;
	site->series = b->series;
	site->log_file = chain_text(top, OPT_LOG_FILE, NULL);
	site->log_format = chain_number(top, OPT_LOG_FORMAT) == 0 ? LOG_TEXT : LOG_JSON;
	site->log_level = (enum log_level)chain_number(top, OPT_LOG_LEVEL);
	site->drain_ms = (uint32_t)chain_number(top, OPT_DRAIN_TIMEOUT);
	controls_build(b, site);
	site->rules = rules_build(b, policy);
	return site;
}

struct site *site_load(const char *file, const struct site_world *world,
		       struct complaints *complaints)
{
	unsigned errors_before = complaints->errors; /* what cannot be included is one, too */
	struct site_paths paths = { 0 };
	struct build b = { .conf = conf_load(file, complaints),
			   .world = world,
			   .complaints = complaints,
			   .paths = &paths };
	struct chain top = { .at = { &b.conf->top }, .count = 1 };
	struct policy_set *policy = NULL;
	struct site *site = NULL;

	/* With scopes that end nobody knows where, the rest would be guesses. */
	if (b.conf->broken) {
		conf_free(b.conf);
		return NULL;
	}
	options_check(b.conf, complaints);
	b.hostname = hostname_of(&b, &top);
	b.state_dir = chain_text(&top, OPT_STATE_DIR, option_rows[OPT_STATE_DIR].standard);
	b.workers = workers_of(&top);
	user_build(&b, &top);
	guards_build(&b, &top);
	series_build(&b);
	paths_collect(&b);
	doors_check(&b);
	tls_check(&b);
	policy = policy_build(&b);
	if (complaints->errors == errors_before && policy != NULL) {
		site = site_build(&b, &top, policy);
	} else {
		paths_free(&paths);
		policy_unref(policy);
		tls_recipes_free(&b.recipes);
		options_forget(b.conf);
		conf_free(b.conf);
	}
	if (site == NULL || complaints->errors == errors_before)
		return site;
	site_free(site); /* where Peers lie in Peers, only building showed what they come to */
	return NULL;
}

void site_free(struct site *site)
{
	if (site == NULL)
		return;
	for (unsigned i = 0; i < site->control_count; i++)
		free((char *)site->controls[i].name);
	free(site->controls);
	paths_free(&site->paths);
	rules_unref(site->rules);
	free(site->file);
	free(site->state_dir);
	free(site);
}
