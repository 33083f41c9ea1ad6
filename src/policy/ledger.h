/*
 * ledger - what policies did lately, and how often: the ring behind `tidectl why` (T15) and the
 * counters behind `stats` (1.8). One a daemon; lives across reloads; any thread may call anything.
 */
#ifndef POLICY_LEDGER_H
#define POLICY_LEDGER_H

#include "policy/action.h"

struct ledger;

enum { LEDGER_ENTRIES = 10000, LEDGER_COUNTERS = 10000 };

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* A copy, cut to size. */
struct ledger_entry {
	uint64_t wall_ms;
	uint64_t session;
	struct addr peer;
	enum action_kind kind;
	enum phase phase;
	uint32_t ms;
	unsigned line;
	uint16_t code;
	bool observe;
	bool has_cause;
	struct audit_read cause;
	char name[40];
	char file[96];
	char text[96];
	char counter[64];
};

void ledger_add(struct ledger *l, uint64_t session, const struct addr *peer,
		const struct action *action);

/*
 * The latest actions on addresses inside the block (NULL: on anybody), newest first; stops when
 * visit answers false. No lock is held while visit runs.
 */
typedef bool ledger_visit(void *arg, const struct ledger_entry *entry);
void ledger_latest(struct ledger *l, const struct cidr *block, ledger_visit *visit, void *arg);

/*
 * Counters in order of class, phase and name, as they were at one moment. class is "5xx", "4xx" or
 * "informational". Scripts can make names without end: past LEDGER_COUNTERS of them, actions under
 * new names are only numbered by ledger_uncounted.
 */
typedef bool ledger_counter_visit(void *arg, const char *phase, const char *name,
				  const char *class, uint64_t n);
void ledger_counters(struct ledger *l, ledger_counter_visit *visit, void *arg);
uint64_t ledger_uncounted(struct ledger *l);
uint64_t ledger_since_ms(struct ledger *l); /* wall clock of the last reset */
void ledger_reset(struct ledger *l);	    /* the counters; the latest actions stay */

#endif
