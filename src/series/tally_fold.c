#include "series/tally_parts.h"

/* In units; of a bucket that tells all, or of all that a node leads to. */
static uint32_t ref_units(const struct tally *t, uint32_t ref)
{
	uint32_t cell = ref_cell(ref);

	if (cell == 0)
		return 0;
	return ref_is_node(ref) ? node_at(t, ref)->units
				: (uint32_t)(store_size(t->store, cell) / STORE_UNIT);
}

/*
 * What is told there: entries, and a sum at least of what was folded before. That is worth less,
 * however much comes to it: else what a spray left behind would seem to be worth more and more, and
 * others would be folded in its place.
 */
static uint64_t worth(const struct tally *t, uint32_t ref, uint64_t amount)
{
	uint64_t rests = tally_rests(t, ref, amount);

	return amount - rests + rests / BRANCHES;
}

/* The one with the most memory for its worth, of those that have enough for it to matter; n: none
 * has any. */
static unsigned choose(const struct tally *t, const uint32_t *refs, const uint64_t *amounts,
		       unsigned n)
{
	uint32_t units[BRANCHES], most = 0;
	uint64_t its_worth = 0;
	unsigned best = n;

	for (unsigned i = 0; i < n; i++) {
		units[i] = ref_units(t, refs[i]);
		if (units[i] > most)
			most = units[i];
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t w;

		if (units[i] == 0 || units[i] < most / 8)
			continue;
		w = worth(t, refs[i], amounts[i]);
		if (best < n && (u128)units[i] * its_worth <= (u128)units[best] * w)
			continue;
		best = i;
		its_worth = w;
	}
	return best;
}

static bool is_bottom(const struct node *n)
{
	for (unsigned b = 0; b < BRANCHES; b++)
		if (ref_is_node(n->refs[b]))
			return false;
	return true;
}

/* What is below each branch is folded, and the node stays. */
static unsigned fold_branches(struct tally *t, struct node *n, unsigned shift)
{
	uint32_t units = t->owner.units;
	unsigned moved = 0;

	for (unsigned b = 0; b < BRANCHES; b++) {
		if (n->refs[b] == 0 || ref_is_lossy(n->refs[b]))
			continue;
		moved += tally_bucket_count(t, n->refs[b]);
		tally_bucket_fold(t, &n->refs[b], shift);
		n->rests += tally_rests(t, n->refs[b], n->amounts[b]);
	}
	n->units += t->owner.units - units;
	return moved;
}

/* The node becomes a bucket of the few biggest entries below it. */
static unsigned fold_node(struct tally *t, uint32_t *slot, unsigned below)
{
	struct node *n = node_at(t, *slot);
	struct item items[LOSSY_MAX + BUCKET_MAX];
	unsigned shift = ref_shift(*slot), kept = 0, moved = 0;

	for (unsigned b = 0; b < BRANCHES; b++) {
		uint32_t cell = ref_cell(n->refs[b]);
		unsigned more =
			tally_bucket_items(t, cell, n->prefix | (u128)b << shift, items + kept);

		tally_bucket_free(t, cell);
		kept = tally_biggest(items, kept + more);
		moved += more;
	}
	store_release(t->store, &t->owner, ref_cell(*slot));
	*slot = tally_bucket_new(t, below, items, kept) | REF_LOSSY;
	t->is_folded = true;
	return moved;
}

static unsigned fold_here(struct tally *t, uint32_t *slot, unsigned below)
{
	unsigned moved = 0;

	if (ref_is_node(*slot)) {
		unsigned shift = ref_shift(*slot);

		/* A path without branches ends here: what it leads to stays exact, at first. */
		if (shift + BRANCH_BITS != below)
			moved = fold_branches(t, node_at(t, *slot), shift);
		return moved > 0 ? moved : fold_node(t, slot, below);
	}
	moved = tally_bucket_count(t, ref_cell(*slot));
	if (ref_is_lossy(*slot) && moved <= LOSSY_MAX) {
		tally_bucket_free(t, ref_cell(*slot));
		*slot = REF_LOSSY;
	} else {
		tally_bucket_fold(t, slot, below);
	}
	return moved;
}

static unsigned fold(struct tally *t)
{
	unsigned family = choose(t, t->roots, t->sums, TALLY_FAMILIES), moved;
	uint32_t units = t->owner.units;
	uint64_t amount, rests;
	struct way w;

	if (family == TALLY_FAMILIES)
		return 0;
	w = way_from(t, family);
	while (ref_is_node(*w.slot) && !is_bottom(node_at(t, *w.slot))) {
		struct node *n = node_at(t, *w.slot);

		way_step(&w, n, ref_shift(*w.slot), choose(t, n->refs, n->amounts, BRANCHES));
	}
	amount = *way_amount(&w, t, family, w.depth);
	rests = tally_rests(t, *w.slot, amount);
	moved = fold_here(t, w.slot, w.below);
	way_rest(&w, w.depth, tally_rests(t, *w.slot, amount) - rests);
	tally_way_account(&w, t, units);
	return moved > 0 ? moved : 1;
}

/*
 * Buckets of one size give way to those of another as a window grows or is folded, and leave holes
 * that the others cannot use. So every other step, if there are many, fills some.
 */
unsigned tally_fold(struct tally *t)
{
	unsigned packed;

	t->is_packing = !t->is_packing && store_is_sparse(&t->owner);
	packed = t->is_packing ? tally_pack(t) : 0;
	return packed > 0 ? packed : fold(t);
}
