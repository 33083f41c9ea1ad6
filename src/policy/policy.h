/*
 * policy - the judging of a session, for whoever holds one.
 *
 * A policy_set is what a configuration's policy stanzas were compiled into: immutable, counted by
 * references, swapped whole on reload while sessions keep the one they began with. At each phase
 * the session asks; the modules run in configuration order (2.2), each may act, and the sum of the
 * acts is the verdict.
 *
 * The answer is either here now or comes later through `said`, from the loop, exactly once, and
 * never from inside policy_ask: policy_cancel is the only way to stop it coming.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/complain.h"
#include "base/log.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "policy/action.h"
#include "policy/facts.h"
#include "policy/phase.h"
#include "policy/verdict.h"

struct monitor;
struct policy_engine;
struct policy_run;
struct policy_set;
struct series_all;
struct series_definition;

/* What policy needs of the world around it. Outlives every set made with it. */
struct policy_host {
	void *owner;
	/* Live sessions inside the block: of `service`, or of facts->endpoint for "LISTENER".
	 * NULL, or what is wrong, naming it (D50). */
	const char *(*count)(void *owner, const struct facts *facts, struct slice service,
			     const struct cidr *block, uint64_t *out);
	/* An action was taken (or, with observe, would have been): log it, keep it. */
	void (*acted)(void *owner, const struct facts *facts, const struct action *action);
	/* A script wrote to the log (ec_log, print) or an engine has something to say. */
	void (*logged)(void *owner, enum log_level level, const struct facts *facts,
		       const char *file, unsigned line, struct slice text);
	struct series_all *series; /* NULL, in tools: nothing was ever added to any */
	struct jobs *jobs;	/* for includes; NULL: files are read at once (tools) */
	struct loop *(*loop)(void *owner, unsigned worker);
};

/* One script of a stanza, as configured. */
struct policy_script {
	const char *title;	/* sieve: "connect_phase1"; scriptlet: "limits" */
	const char *source;	/* absolute path */
	bool observe;
	struct place at;
};

/* One policy stanza, in configuration order. Borrowed during policy_load. */
struct policy_stanza {
	const char *kind;	/* "sieve", "scriptlet" */
	const char *title;	/* "policy" */
	struct place at;
	const struct policy_script *scripts;
	unsigned script_count;
	bool runtime_error_continue; /* runtime_error (1.9) */
	bool strict_require;	     /* D24 */
	bool stub_unavailable;	     /* D91 */
	unsigned cache_size;	     /* D31 */
	unsigned cache_life_s;
};

/* ipv6_mask_map (D45): an implied mask `from` on an IPv6 peer means `to`. */
struct policy_mask_map {
	uint8_t from;
	uint8_t to;
};

struct policy_conf {
	const char *hostname;		  /* copied; for reply texts (D25); NULL: "localhost" */
	const struct policy_stanza *stanzas;
	unsigned stanza_count;
	unsigned workers;		  /* one Lua state each; 0: one */
	bool has_inbound_audit;		  /* D110: without it the audit functions do not compile */
	bool strict_services;		  /* D50 */
	bool has_cluster;		  /* D50: what only a cluster can count is counted */
	uint32_t max_tarpit_ms;		  /* D34; the longest a phase may hold; 0: 3600 s */
	const struct policy_mask_map *mask_map; /* copied */
	unsigned mask_map_count;
	const struct monitor *monitors;	  /* copied; of the built-in series, in order */
	unsigned monitor_count;
	bool series_high;		  /* series_bound: where a fold leaves a doubt, the most */
};

/* engines ends with NULL. NULL: there are complaints. The caller holds the first reference. */
struct policy_set *policy_load(const struct policy_conf *conf,
			       const struct policy_engine *const *engines,
			       const struct policy_host *host, struct complaints *complaints);
struct policy_set *policy_ref(struct policy_set *set);
void policy_unref(struct policy_set *set); /* NULL is harmless */

/*
 * The series that scripts defined while they were loaded, each name once; NULL: past the last. They
 * are for series_define when the set is adopted: a set that is not changes nothing.
 */
const struct series_definition *policy_set_definition(const struct policy_set *set, unsigned n);

/* Whether anything runs at this phase; a session need not ask otherwise. */
bool policy_handles(const struct policy_set *set, enum phase phase);

enum policy_step {
	POLICY_DONE, /* *verdict is filled in */
	POLICY_WAIT, /* not yet; said() comes later with it filled in, unless policy_cancel */
};

typedef void policy_said(void *owner);

/* On the thread of facts->worker. *run_out is set only for POLICY_WAIT. *verdict comes cleared. */
enum policy_step policy_ask(struct policy_set *set, enum phase phase, struct facts *facts,
			    struct verdict *verdict, policy_said *said, void *owner,
			    struct policy_run **run_out);
void policy_cancel(struct policy_run *run); /* said() will not come */

/* The session ends: engines let go of what they kept for it in facts->engine_state. */
void policy_session_over(struct policy_set *set, struct facts *facts);

#endif
