#include "admin/walk.h"

void walk_begin(struct walk *w, struct audit_scope scope, enum addr_family family, unsigned first,
		unsigned last)
{
	*w = (struct walk){ .scope = scope, .family = family, .first = first, .last = last };
}

static bool step(void *arg, const struct cidr *block, uint64_t count, uint64_t distinct)
{
	struct walk *w = arg;

	w->at = *block;
	w->begun = true;
	w->stopped = !w->visit(w->arg, block, count, distinct);
	return !w->stopped;
}

/* Whether it went through. */
static bool part(struct walk *w, const struct cidr *within, unsigned first)
{
	if (first <= w->last)
		audit_levels(w->scope, w->family, within, first, w->last, step, w);
	return !w->stopped;
}

/* The other half of the block around this address that is one bit shorter, if it comes later. */
static bool right_neighbour(const struct addr *a, unsigned len, struct cidr *out)
{
	uint64_t bit = (uint64_t)1 << (63 - (len - 1) % 64);

	*out = cidr_of(a, len);
	uint64_t *word = len <= 64 ? &out->addr.hi : &out->addr.lo;
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

/*
 * What comes after a block: what lies in it, then, from the inside out, the right neighbours of
 * the blocks around it. Shorter blocks around those hold the block too, and were visited before it.
 */
bool walk_on(struct walk *w, audit_visit *visit, void *arg)
{
	const struct cidr from = w->at;

	w->visit = visit;
	w->arg = arg;
	w->stopped = false;
	if (!w->begun)
		return !part(w, NULL, w->first);
	if (!part(w, &from, from.len + 1u))
		return true;
	for (unsigned len = from.len; len > 0; len--) {
		struct cidr right;

		if (right_neighbour(&from.addr, len, &right) && !part(w, &right, w->first))
			return true;
	}
	return false;
}
