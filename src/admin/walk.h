/*
 * walk - the blocks of a scope that hold anybody, length by length (T15), a piece at a time.
 *
 * Same order as audit_levels: by address, a block before what lies in it. Remembers the last block
 * visited and goes on right after it, so that millions of blocks need neither memory nor one long
 * turn. What comes and goes between two pieces is seen as it is when its turn comes.
 */
#ifndef ADMIN_WALK_H
#define ADMIN_WALK_H

#include "audit/audit.h"

struct walk {
	struct audit_scope scope;
	enum addr_family family;
	unsigned first, last; /* lengths */
	bool begun;
	bool stopped;
	struct cidr at; /* the last block visited */
	audit_visit *visit;
	void *arg;
};

void walk_begin(struct walk *w, struct audit_scope scope, enum addr_family family, unsigned first,
		unsigned last);
/* true: visit answered false, call again. false: it was the end. */
bool walk_on(struct walk *w, audit_visit *visit, void *arg);

#endif
