/*
 * check - a tree is what the language and the function table allow, and is told what it means:
 * calls get their function, tests their match; tags are taken out of the arguments.
 */
#ifndef POLICY_SIEVE_CHECK_H
#define POLICY_SIEVE_CHECK_H

#include "base/complain.h"
#include "policy/sieve/tree.h"

/* What a script is compiled for. */
struct sieve_target {
	enum phase phase;
	bool has_inbound_audit; /* D110 */
	bool strict_require;	/* D24 */
	bool stub_unavailable;	/* D91 */
};

/* Faults go to complaints; all of them, in one run. */
void sieve_check(struct statement *script, const char *file, const struct sieve_target *target,
		 struct complaints *complaints);

#endif
