/*
 * rules - what one configuration says to sessions: doors, their settings, routes and policy.
 *
 * Immutable once built (by app/site.c) and counted by references: a session finishes on the rules
 * it began with (T6), and the last one out frees them. Everything below belongs to the rules.
 */
#ifndef SESSION_RULES_H
#define SESSION_RULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/budget.h"
#include "net/endpoint.h"
#include "net/tls.h"
#include "policy/policy.h"
#include "relay/route.h"

/* A session cap (D76): the slot is taken from budget, if fewer than limit are. */
struct cap {
	struct budget *budget; /* borrowed: lives longer than any rules */
	uint32_t limit;
	const char *option;    /* "Listener_Sessions", for the log */
	const char *scope;     /* where it was written: "Listen \"*:25\"", for the log */
};

/* What only XClient_Hosts may use: SMTP_Extensions. */
enum extension {
	EXTENSION_XCLIENT = 1 << 0,
	EXTENSION_XREMOTEIP = 1 << 1,
	EXTENSION_XSETCONTEXT = 1 << 2,
	EXTENSION_XDUMPCONTEXT = 1 << 3,
};

struct domain_list {
	char **patterns; /* "example.org", "*.example.org"; lower case */
	unsigned count;
};

struct cidr_list {
	struct cidr *blocks;
	unsigned count;
};

bool domain_list_has(const struct domain_list *list, struct slice domain);
bool cidr_list_has(const struct cidr_list *list, const struct addr *addr);

/* Every option that a session looks at, resolved along D73. 0 means no limit, or never. */
struct settings {
	const char *hostname;	      /* of this machine: Hostname */
	const char *banner_hostname;
	const char *static_banner;    /* NULL: ours; begins with 220 */
	const char *received_hostname;
	uint32_t banner_delay_ms;     /* T11 */
	uint32_t idle_ms;	      /* Idle_Time: nothing came for so long */
	uint32_t command_ms; /* Command_Timeout: no whole command, or no more data, for so long */
	uint32_t transaction_ms;      /* Transaction_Timeout: from MAIL to the end of the message */
	uint32_t max_errors;
	uint32_t max_unproductive;
	uint32_t max_receptions;      /* Max_Receptions_Per_Connection */
	uint32_t max_rcpts_message;
	uint32_t max_rcpts_connection;
	uint64_t max_message_size;
	size_t message_memory; /* octets of a message kept in memory, then a temporary file */
	bool require_ehlo;
	bool open_relay;
	struct tls_context *tls;      /* borrowed from the rules; NULL: TLS is not offered */
	bool wrapped;		      /* Use_SSL: TLS from the first octet */
	bool forgive_injection;	      /* what came with STARTTLS is ignored, not refused */
	bool require_verified; /* TLS_Verify_Mode: no mail without a good client certificate */
	bool verified_may_relay;      /* TLS_Verified_Peer_Can_Relay */
	struct cidr_list relay_hosts;
	struct domain_list relay_domains;
	struct ctx context;	      /* presets of the connection context */
	const struct route_table *routes; /* borrowed from the rules */
	const struct cap *caps;	      /* all must have room; in the order in which they are taken */
	unsigned cap_count;
	unsigned outer_caps; /* the first so many are of no Peer: the same for the whole door */
	unsigned extensions;	      /* bits of enum extension */
};

/* One Listen of an ESMTP_Listener. */
struct door {
	char *name;		      /* as written: the endpoint's name in counts */
	struct endpoint where;
	int backlog;
	unsigned file_mode;
	struct audit_endpoint *endpoint; /* borrowed */
	bool proxied;		      /* connections begin with a PROXY header */
	uint32_t proxy_ms;	      /* for the whole header; 0: no limit of its own */
	struct cidr_list proxy_hosts; /* who may connect, if proxied */
	struct cidr_list xclient_hosts;
	struct settings plain;	      /* for peers that no Peer scope names */
	struct peer_map *peers;	      /* NULL: there are no Peer scopes */
};

/* Peer blocks of a door with the settings they resolve to; longest match. */
struct peer_map;
struct peer_map *peer_map_new(void);
void peer_map_free(struct peer_map *m, void (*free_settings)(struct settings *));
/* Takes settings. false: the block is there already. */
bool peer_map_add(struct peer_map *m, const struct cidr *block, struct settings *settings);
/* NULL: no block contains the address. */
const struct settings *peer_map_find(const struct peer_map *m, const struct addr *peer);

struct rules {
	_Atomic unsigned refs;
	struct policy_set *policy; /* never NULL; may handle nothing */
	struct door *doors;
	unsigned door_count;
	const char *hostname;	   /* of this machine, for next hops */
	const char *spool_dir;	   /* where unlinked temporary files are made: State_Dir */
	uint32_t hop_limit;	   /* Received: lines that make a loop */
	unsigned workers;	   /* that take new sessions */
	uint32_t max_tarpitted;	   /* held at a time, by all workers */
	bool recipients_are_receptions; /* reception_unit (D39) */
	void (*free)(struct rules *self); /* the builder's */
};

struct rules *rules_ref(struct rules *r);
void rules_unref(struct rules *r);
const struct settings *door_settings(const struct door *d, const struct addr *peer);

#endif
