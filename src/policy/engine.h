/*
 * engine - what a policy language must provide, and what a run of it may use.
 *
 * policy.c knows no language; app/ hands it the list of engines. One module is one stanza,
 * compiled. All calls for a session come on its worker's thread.
 */
#ifndef POLICY_ENGINE_H
#define POLICY_ENGINE_H

#include "policy/policy.h"
#include "policy/value.h"

enum engine_step {
	ENGINE_CONT, /* go on with the next module */
	ENGINE_DONE, /* no further module in this phase (VALIDATE_DONE) */
	ENGINE_WAIT, /* suspended; the engine calls policy_wake when it can go on */
};

struct policy_engine {
	const char *kind; /* the stanza's keyword */

	/* Compile. Every fault goes to complaints. NULL when there was one. */
	void *(*load)(const struct policy_stanza *stanza, struct policy_set *set,
		      struct complaints *complaints);
	void (*unload)(void *module);
	bool (*handles)(const void *module, enum phase phase);

	/*
	 * Begin at a phase; or, when run->state is what an earlier ENGINE_WAIT left there, go on.
	 * After policy_fail the chain ends, whatever is answered.
	 */
	enum engine_step (*run)(void *module, struct policy_run *run);
	/* The session went while waiting: let go of run->state (D27). */
	void (*cancel)(void *module, struct policy_run *run);
	/* The session ends; slot is where this module keeps what it wants for it. May be NULL. */
	void (*session_over)(void *module, struct facts *facts, void **slot);
};

enum { POLICY_READS_MAX = 16, POLICY_RUN_MEMORY = 1 << 20, POLICY_TEXT_MAX = 2048 };

/* One phase of one session on its way through the modules. */
struct policy_run {
	struct policy_set *set;
	struct facts *facts;
	struct verdict *verdict;
	enum phase phase;
	bool can_wait;		 /* false in accept (D113) */
	bool observe;		 /* set by the engine for the script it runs */
	struct arena arena;	 /* values of this module's turn */
	void *state;		 /* the engine's, between ENGINE_WAIT and going on */
	void **session_slot;	 /* this module's place for the session; engines may set it */
	struct audit_read reads[POLICY_READS_MAX]; /* the latest ones; index = number % MAX */
	unsigned read_count;
};

/* From the loop, never from inside run(): the module may go on. */
void policy_wake(struct policy_run *run);

/*
 * Do it: into the verdict, or not at all when run->observe; counted and logged either way. Codes
 * and delays are checked here: NULL, or what is wrong with it. Tarpits add up (D34), the last
 * code wins (D33).
 */
const char *policy_act(struct policy_run *run, struct action *action)
	__attribute__((warn_unused_result));
/* A script failed: log it, answer 421 with the text of D25, close. Not done when run->observe. */
void policy_fail(struct policy_run *run, const char *file, unsigned line, const char *why);

/* What the set was loaded with. */
const struct policy_host *policy_set_host(const struct policy_set *set);
/* While it is loaded; the same again is fine. NULL, or what is wrong. */
const char *policy_set_define(struct policy_set *set, const struct series_definition *definition)
	__attribute__((warn_unused_result));
bool policy_set_defines(const struct policy_set *set, struct slice name);
/* True the first time that this set is asked for the bit: for what is worth saying once a load. */
enum policy_once {
	POLICY_ONCE_SERVICES = 1 << 0, /* and the next two: each of them (D50) */
	POLICY_ONCE_CLUSTER = 1 << 3,  /* D54, D61 */
};
bool policy_set_once(struct policy_set *set, unsigned bit);
/* "300,6", of the nth monitor. */
const char *policy_set_monitor(const struct policy_set *set, unsigned n);
const struct policy_conf *policy_set_conf(const struct policy_set *set); /* its stanzas are gone */

#endif
