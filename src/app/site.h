/*
 * site - one configuration, read, checked and resolved: what the daemon runs with.
 *
 * site_load reads the file and what it includes (app/conf.c), checks every option against the
 * table (app/options.c), resolves scopes (D73, D76), compiles the policies, and reports everything
 * wrong in one run. It changes nothing: no socket, no directory; budgets and endpoints that it
 * names are found or made in the audit, empty.
 */
#ifndef APP_SITE_H
#define APP_SITE_H

#include "admin/console.h"
#include "audit/audit.h"
#include "audit/budget.h"
#include "base/complain.h"
#include "base/log.h"
#include "guard/user.h"
#include "policy/policy.h"
#include "series/series.h"
#include "session/rules.h"

enum site_access {
	SITE_READS, /* a file */
	SITE_MAKES, /* a file: a socket, the log */
	SITE_FILLS, /* a directory */
};

/* Every path that the configuration names, or that stands in for one. Texts are the tree's. */
struct site_paths {
	struct site_path {
		const char *path;
		enum site_access access;
		struct place at;
	} *list;
	unsigned count;
};

/* What inbound_audit says of series. Texts are the tree's. */
struct site_series {
	const struct monitor *monitors;
	unsigned monitor_count;
	size_t max_bytes;		/* of one built-in series */
	bool persist;			/* the built-in ones */
	const char *serialize_dir;	/* absolute */
	const char *log_dir;		/* absolute */
	uint32_t journal_days;		/* 0: for ever */
	uint32_t maintenance_ms;
};

struct site {
	char *file;		/* absolute */
	char *state_dir;	/* absolute */
	unsigned workers;	/* default: one a core */
	struct user user;	/* name NULL: as started */
	bool landlock;
	bool seccomp;
	struct site_paths paths;
	struct site_series series;
	enum log_format log_format;
	enum log_level log_level;
	const char *log_file;	/* NULL: standard error */
	uint32_t drain_ms;	/* Drain_Timeout, T7 */
	struct console_door *controls; /* each with a name of its own */
	unsigned control_count;
	struct rules *rules;	/* the site's own reference */
};

/* What site_load needs that outlives it. */
struct site_world {
	struct audit *audit;
	struct budgets *budgets;
	const struct policy_host *host;
	const struct policy_engine *const *engines;
	unsigned threads; /* of the crew that runs: each has sessions, whatever Workers says now */
	const struct site *running; /* NULL: none; a reload does not change all of it */
};

/* NULL: complaints has errors. Warnings may be there either way. */
struct site *site_load(const char *file, const struct site_world *world,
		       struct complaints *complaints);

/*
 * Putting it into use, as far as series go. Monitors: the site's; while its scripts and those of
 * the one that it replaces (leaving; NULL: none) run side by side, both's, the old ones first.
 * Definitions: at first the new ones alone, which takes nothing from anybody; a changed one drops
 * data (D60). false: complained.
 */
enum series_part { SERIES_NEW, SERIES_ALL };
void site_use_monitors(const struct site *site, struct series_all *all, const struct site *leaving);
bool site_define_series(const struct site *site, struct series_all *all, enum series_part part,
			struct complaints *complaints);

void site_free(struct site *site); /* gives its reference to the rules back; NULL is harmless */

#endif
