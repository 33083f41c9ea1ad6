/*
 * options - the one table of what can be configured: scopes, options, and their values.
 *
 * A row is everything there is to know of an option: the checker goes by it, the reference and the
 * sample file are printed from it. options_check holds a tree against the table and leaves in it,
 * for each scope and option, its row and its value.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "app/conf.h"
#include "net/endpoint.h"
#include "relay/route.h"
#include "series/monitor.h"
#include "session/rules.h"

enum scope_kind {
	SCOPE_TOP,
	SCOPE_ESMTP,
	SCOPE_LISTEN,
	SCOPE_PEER,
	SCOPE_DOMAIN,
	SCOPE_TLS_HOST,
	SCOPE_CONTROL,
	SCOPE_CONTROL_LISTEN,
	SCOPE_AUDIT,
	SCOPE_SIEVE,
	SCOPE_SCRIPTLET,
	SCOPE_SCRIPT,
	SCOPE_ALERTING,
	SCOPE_COUNT
};

enum title_kind {
	TITLE_NONE,
	TITLE_IGNORED, /* may be there (D40) */
	TITLE_NAME,
	TITLE_ENDPOINT,
	TITLE_BLOCK,
	TITLE_DOMAIN,
};

struct scope_row {
	const char *name;
	unsigned within; /* bits of enum scope_kind */
	enum title_kind title;
	bool once; /* else once for each title */
	bool idle; /* accepted, without effect */
	const char *about;
};

enum option_type {
	OPTION_BOOL,	 /* truth */
	OPTION_INTEGER,	 /* number */
	OPTION_SIZE,	 /* number: octets */
	OPTION_SECONDS,	 /* number: milliseconds */
	OPTION_MODE,	 /* number: octal in the file */
	OPTION_CHOICE,	 /* number: index into the row's choices */
	OPTION_STRING,	 /* text */
	OPTION_HOSTNAME, /* text */
	OPTION_PATH,	 /* text: absolute */
	OPTION_BLOCKS,	 /* blocks */
	OPTION_DOMAINS,	 /* domains */
	OPTION_CONTEXT,	 /* context */
	OPTION_HOP,	 /* hops: one */
	OPTION_HOPS,	 /* hops, as listed */
	OPTION_MASKS,	 /* masks */
	OPTION_MONITORS, /* monitors */
	OPTION_EXTENSIONS, /* number: bits of enum extension */
};

struct option_value {
	union {
		bool truth;
		uint64_t number;
		const char *text;
		struct cidr_list blocks;
		struct domain_list domains;
		struct ctx context;
		struct hop *hops;
		struct policy_mask_map *masks;
		struct monitor *monitors;
	};
	unsigned count; /* of hops, masks and monitors */
};

enum option_id {
	OPT_HOSTNAME,
	OPT_STATE_DIR,
	OPT_USER,
	OPT_GROUP,
	OPT_LANDLOCK,
	OPT_SECCOMP,
	OPT_WORKERS,
	OPT_LOG_FORMAT,
	OPT_LOG_LEVEL,
	OPT_LOG_FILE,
	OPT_DRAIN_TIMEOUT,
	OPT_MAX_TARPITTED,
	OPT_GATEWAY,
	OPT_ROUTES,
	OPT_PROHIBITED_HOSTS,
	OPT_MAX_GATEWAY_CONNECTIONS,
	OPT_GATEWAY_REUSE_LIMIT,
	OPT_GATEWAY_IDLE_TIME,
	OPT_GATEWAY_RETRY_TIME,
	OPT_GATEWAY_XCLIENT,
	OPT_GATEWAY_PROXY_PROTOCOL,
	OPT_GATEWAY_TLS,
	OPT_GATEWAY_TLS_CA,
	OPT_RELAY_DOMAINS,
	OPT_RELAY_HOSTS,
	OPT_OPEN_RELAY,
	OPT_ENABLE,
	OPT_LISTEN_BACKLOG,
	OPT_FILE_MODE,
	OPT_LISTENER_SESSIONS,
	OPT_SERVICE_SESSIONS,
	OPT_IDLE_TIME,
	OPT_COMMAND_TIMEOUT,
	OPT_TRANSACTION_TIMEOUT,
	OPT_BANNER_DELAY,
	OPT_MAX_ERRORS,
	OPT_MAX_UNPRODUCTIVE_COMMANDS,
	OPT_MAX_MESSAGE_SIZE,
	OPT_MESSAGE_MEMORY,
	OPT_MAX_RECIPIENTS_PER_MESSAGE,
	OPT_MAX_RECIPIENTS_PER_CONNECTION,
	OPT_MAX_RECEPTIONS_PER_CONNECTION,
	OPT_BANNER_HOSTNAME,
	OPT_STATIC_BANNER,
	OPT_RECEIVED_HOSTNAME,
	OPT_REQUIRE_EHLO,
	OPT_CONTEXT,
	OPT_USE_SSL,
	OPT_TLS_CERTIFICATE,
	OPT_TLS_KEY,
	OPT_TLS_CLIENT_CA,
	OPT_TLS_PROTOCOLS,
	OPT_TLS_CIPHERS,
	OPT_TLS_VERIFY_MODE,
	OPT_TLS_VERIFIED_PEER_CAN_RELAY,
	OPT_STARTTLS_INJECTION_POLICY,
	OPT_SMTP_EXTENSIONS,
	OPT_XCLIENT_HOSTS,
	OPT_PROXY_PROTOCOL,
	OPT_PROXY_PROTOCOL_TIMEOUT,
	OPT_PROXY_HOSTS,
	OPT_TIMEOUT,
	OPT_MONITORS,
	OPT_MAX_BYTES,
	OPT_SERIES_BOUND,
	OPT_RECEPTION_UNIT,
	OPT_PERSIST,
	OPT_SERIALIZE_DIR,
	OPT_LOG_DIR,
	OPT_JOURNAL_DAYS,
	OPT_MAINTENANCE_INTERVAL,
	OPT_IPV6_MASK_MAP,
	OPT_MAX_TARPIT,
	OPT_STRICT_SERVICES,
	OPT_RUNTIME_ERROR,
	OPT_STRICT_REQUIRE,
	OPT_STUB_UNAVAILABLE,
	OPT_CACHE_SIZE,
	OPT_CACHE_LIFE,
	OPT_ENABLED,
	OPT_SCRIPT_TTL,
	OPT_SOURCE,
	OPT_OBSERVE,
	/* Accepted with a warning. */
	OPT_RECONFIG_MESSAGE,
	OPT_TLS_ALLOW_RENEGOTIATION,
	OPT_DISABLE_NAGLE_ALGORITHM,
	OPT_ACCEPT_QUEUE_BACKLOG,
	OPT_TCP_RECV_BUFFER_SIZE,
	OPT_TCP_SEND_BUFFER_SIZE,
	OPTION_COUNT
};

struct option_row {
	const char *name;
	enum option_type type;
	unsigned scopes;      /* bits of enum scope_kind */
	const char *standard; /* the default, as one would write it; NULL: there is none */
	const char *absent;   /* with no default: what happens without the option */
	const char *example;  /* of a value, where there is no default to show */
	bool shipped;	      /* the sample file sets it, to the example */
	const char *idle;     /* not NULL: accepted without effect, and why */
	uint64_t least, most; /* of a number; most 0: no limit of its own */
	const char *const *choices; /* ends with NULL */
	const char *unit;
	const char *about;
};

extern const struct scope_row scope_rows[SCOPE_COUNT];
extern const struct option_row option_rows[OPTION_COUNT];

/* Documented elsewhere, and not here (yet): using one is an error that says so. */
struct absent_row {
	const char *name;
	const char *why;
};
extern const struct absent_row absent_scopes[]; /* each ends with NULL */
extern const struct absent_row absent_options[];

const char *option_type_name(enum option_type type);

/* Everything that does not fit the table is complained about. */
void options_check(struct conf *conf, struct complaints *complaints);
/* Before conf_free of a tree that was checked. */
void options_forget(struct conf *conf);

/* NULL: complained. The result is the tree's, but for what option_value_fini gives back. */
struct option_value *option_read(struct conf *conf, const struct option_row *row,
				 const struct conf_value *from, struct complaints *complaints);

void option_value_fini(const struct option_row *row, struct option_value *value);
/* In lower case, the tree's; NULL: neither a domain nor "*.domain". */
char *option_domain(struct conf *conf, const char *text);

/* NULL: not set in this scope (nor anywhere above: that is resolution's question). */
const struct conf_option *option_find(const struct conf_scope *scope, enum option_id id);
/* The default of an option that has one, and is no path. */
struct option_value option_standard(enum option_id id);

/* The reference: "md", "mdoc", or "sample" (the file to begin with). 0, or 64: no such format. */
int options_print(const char *format, FILE *out);

#endif
