/*
 * site_build - how a checked tree becomes what the daemon runs with. Private to site*.c.
 */
#ifndef APP_SITE_BUILD_H
#define APP_SITE_BUILD_H

#include <sys/queue.h>

#include "app/options.h"
#include "app/site.h"

SLIST_HEAD(tls_recipes, tls_recipe);

struct build {
	struct conf *conf;
	const struct site_world *world;
	struct complaints *complaints;
	const char *hostname; /* the tree's */
	const char *state_dir;
	unsigned workers;
	struct user user;
	bool landlock, seccomp;
	struct site_paths *paths;
	struct tls_recipes recipes; /* then the rules' */
	struct site_series series;
	bool recipients_are_receptions;
};

/* Peers around one client at most: a block of each length, in the Listen and in the listener. */
enum { PEERS_AROUND_MAX = 2 * 129 };

/*
 * Where an option is looked for, the nearest scope first (D73): the Listen's Peers that hold the
 * client, longest block first, the listener's, the Listen, the listener, the top level.
 */
struct chain {
	const struct conf_scope *at[PEERS_AROUND_MAX + 3];
	unsigned count;
};

void chain_add(struct chain *c, const struct conf_scope *scope);
/* NULL: set nowhere. */
const struct conf_option *chain_find(const struct chain *c, enum option_id id);
const struct option_value *chain_value(const struct chain *c, enum option_id id);
/* Of an option with a default. */
uint64_t chain_number(const struct chain *c, enum option_id id);
bool chain_truth(const struct chain *c, enum option_id id);
/* Or what stands in for it. */
const char *chain_text(const struct chain *c, enum option_id id, const char *otherwise);

/* The next scope of this kind in parent after `last` (NULL: the first); NULL: no more. */
const struct conf_scope *scope_next(const struct conf_scope *parent, enum scope_kind kind,
				    const struct conf_scope *last);

/* What must be there, and what must not be there twice. */
void doors_check(struct build *b);
/* The ESMTP_Listener's enabled Listens into rules->doors. Complains (caller looks at errors). */
void doors_build(struct build *b, struct rules *rules);
void doors_free(struct rules *rules);

/* Complains of what a confined daemon cannot reach. Before anything is read from there. */
void paths_collect(struct build *b);
void paths_free(struct site_paths *paths);
extern const char control_default[]; /* T5 */

/* What TLS is offered with there; NULL: it is not, or complained. The recipes'. */
struct tls_context *tls_build(struct build *b, const struct chain *chain);
/* The same for connections to next hops; NULL: without TLS, or complained. must: not without. */
struct tls_context *hop_tls_build(struct build *b, const struct chain *chain, bool *must_out);
/* All of them, so that everything wrong is said in one run (T1). */
void tls_check(struct build *b);
void tls_recipes_free(struct tls_recipes *recipes);

/* NULL: complained. */
struct policy_set *policy_build(struct build *b);

/* The endpoint of a Listen whose title has been checked. */
void listen_endpoint(const struct conf_scope *listen, struct endpoint *out);
/* What a Listen is called in counts and logs: as written, but for relative paths. */
const char *listen_name(const struct conf_scope *listen);

#endif
