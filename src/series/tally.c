#include "series/tally_parts.h"

void tally_way_descend(struct way *w, const struct tally *t, u128 key, unsigned least)
{
	while (ref_is_node(*w->slot) && w->below > least) {
		struct node *n = node_at(t, *w->slot);
		unsigned shift = ref_shift(*w->slot), branch = branch_of(key, shift);

		/* a node right below its parent cannot be off the way: spare its prefix's line */
		if (shift < least || (shift + BRANCH_BITS != w->below &&
				      above(key ^ n->prefix, shift + BRANCH_BITS) != 0))
			return;
		__builtin_prefetch(&n->amounts[branch], 1);
		way_step(w, n, shift, branch);
	}
}

void tally_way_account(struct way *w, const struct tally *t, uint32_t units)
{
	uint32_t change = t->owner.units - units;

	if (change == 0)
		return;
	for (unsigned i = 0; i < w->depth; i++)
		w->steps[i].node->units += change;
}

uint64_t tally_kept(const struct tally *t, uint32_t ref)
{
	if (ref_is_node(ref))
		return node_sum(node_at(t, ref), 0, BRANCHES);
	return tally_bucket_sum(t, ref_cell(ref), 0, 128);
}

uint64_t tally_rests(const struct tally *t, uint32_t ref, uint64_t amount)
{
	uint64_t rest = ref_is_lossy(ref) ? amount - tally_kept(t, ref) : 0;

	return ref_is_node(ref) ? rest + node_at(t, ref)->rests : rest;
}

/* --- nodes --- */

static unsigned highest_bit(u128 x)
{
	uint64_t hi = (uint64_t)(x >> 64), lo = (uint64_t)x;

	return hi ? 127u - (unsigned)__builtin_clzll(hi) : 63u - (unsigned)__builtin_clzll(lo);
}

/* An empty node on the way of key, branching where keys differ that differ so, and not below
 * `least`. 0: no memory. */
static uint32_t node_new(struct tally *t, u128 key, u128 differ, unsigned least)
{
	unsigned shift =
		above(differ, least) == 0 ? least : highest_bit(differ) / BRANCH_BITS * BRANCH_BITS;
	uint32_t cell = store_alloc(t->store, &t->owner, sizeof(struct node));
	struct node *n = store_at(t->store, cell);

	if (cell == 0)
		return 0;
	*n = (struct node){
		.prefix = key & ~below_all(shift + BRANCH_BITS),
		.units = sizeof *n / STORE_UNIT,
	};
	return ref_of_node(cell, shift);
}

static void node_free(struct tally *t, uint32_t ref)
{
	store_release(t->store, &t->owner, ref_cell(ref));
}

/* A node above the one at *slot, where key leaves its path. false: no memory. */
static bool split(struct tally *t, uint32_t *slot, u128 key, unsigned least)
{
	uint32_t old = *slot, ref;
	const struct node *below = node_at(t, old);
	unsigned known = ref_shift(old) + BRANCH_BITS, branch;
	struct node *n;

	ref = node_new(t, key, (key ^ below->prefix) >> known << known, least);
	if (ref == 0)
		return false;
	n = node_at(t, ref);
	branch = branch_of(below->prefix, ref_shift(ref));
	n->refs[branch] = old & ~REF_LOSSY;
	n->amounts[branch] = node_sum(below, 0, BRANCHES);
	n->units += below->units;
	n->rests = below->rests;
	*slot = ref | (old & REF_LOSSY);
	return true;
}

/* One branch of a node that is being made. false: no memory. */
static bool branch_fill(struct tally *t, uint32_t ref, unsigned branch, const struct item *items,
			unsigned n)
{
	struct node *node = node_at(t, ref);

	for (unsigned i = 0; i < n; i++)
		node->amounts[branch] += items[i].amount;
	node->refs[branch] = tally_bucket_new(t, ref_shift(ref), items, n);
	return n == 0 || node->refs[branch] != 0;
}

/* Of buckets, which tell all. */
static void node_drop(struct tally *t, uint32_t ref)
{
	for (unsigned b = 0; b < BRANCHES; b++)
		tally_bucket_free(t, node_at(t, ref)->refs[b]);
	node_free(t, ref);
}

/* The bucket at *slot, or none, becomes a node with a bucket at each branch. false: no memory, and
 * nothing was done. */
static bool burst(struct tally *t, uint32_t *slot, u128 key, unsigned least)
{
	struct item items[BUCKET_MAX], sorted[BUCKET_MAX];
	unsigned starts[BRANCHES + 1] = { 0 }, at[BRANCHES], shift;
	unsigned n = tally_bucket_items(t, ref_cell(*slot), key, items);
	uint32_t ref, units;
	u128 differ = 0;

	for (unsigned i = 0; i < n; i++)
		differ |= items[i].key ^ key;
	ref = node_new(t, key, differ, least);
	if (ref == 0)
		return false;
	units = t->owner.units;
	shift = ref_shift(ref);
	for (unsigned i = 0; i < n; i++)
		starts[branch_of(items[i].key, shift) + 1]++;
	for (unsigned b = 0; b < BRANCHES; b++) {
		at[b] = starts[b];
		starts[b + 1] += starts[b];
	}
	for (unsigned i = 0; i < n; i++)
		sorted[at[branch_of(items[i].key, shift)]++] = items[i];
	for (unsigned b = 0; b < BRANCHES; b++)
		if (!branch_fill(t, ref, b, sorted + starts[b], starts[b + 1] - starts[b])) {
			node_drop(t, ref);
			return false;
		}
	node_at(t, ref)->units += t->owner.units - units;
	tally_bucket_free(t, ref_cell(*slot));
	*slot = ref | (*slot & REF_LOSSY);
	return true;
}

/* All branches of the node become one bucket. false: no memory for it. */
static bool collapse(struct tally *t, const struct step *s)
{
	struct item items[BUCKET_MAX];
	uint32_t old = *s->slot, cell;
	unsigned n = 0;

	for (unsigned b = 0; b < BRANCHES; b++)
		n += tally_bucket_items(t, s->node->refs[b], s->node->prefix | (u128)b << s->shift,
					items + n);
	cell = tally_bucket_new(t, s->below, items, n);
	if (cell == 0)
		return false;
	node_drop(t, old);
	*s->slot = cell | (old & REF_LOSSY);
	return true;
}

static bool shrink(struct tally *t, const struct step *s)
{
	unsigned branches = 0, entries = 0;
	bool is_plain = true; /* but for buckets that tell all */
	uint32_t old = *s->slot, any = 0;

	for (unsigned b = 0; b < BRANCHES; b++) {
		uint32_t ref = s->node->refs[b];

		if (ref == 0)
			continue;
		branches++;
		any = ref;
		if (ref_is_node(ref) || ref_is_lossy(ref))
			is_plain = false;
		else
			entries += tally_bucket_count(t, ref);
	}
	if (branches > 0 && is_plain && entries <= bucket_max(s->below) / 2)
		return collapse(t, s);
	if (branches > 1 || (branches == 1 && (!ref_is_node(any) || ref_is_lossy(any))))
		return false;
	node_free(t, old);
	*s->slot = any | (old & REF_LOSSY);
	return true;
}

void tally_way_tidy(struct way *w, struct tally *t)
{
	while (w->depth > 0) {
		uint32_t units = t->owner.units;

		if (!shrink(t, &w->steps[w->depth - 1]))
			return;
		w->depth--;
		tally_way_account(w, t, units);
	}
}

/* --- adding --- */

/* What is kept below it stays: somebody may be walking it. */
static void make_lossy(struct tally *t, uint32_t *slot)
{
	*slot |= REF_LOSSY;
	t->is_folded = true;
}

enum added { ADDED_TOLD, ADDED_TO_REST, ADD_GOES_ON };

/* At the end of its way, where there may be a node afterwards. What finds no memory is left to the
 * rest. */
static enum added add_here(struct tally *t, uint32_t *slot, unsigned below, u128 key,
			   uint64_t amount, bool is_kept)
{
	uint32_t lossy = *slot & REF_LOSSY, cell = ref_cell(*slot);
	enum bucket_news news;

	if (ref_is_node(*slot)) {
		if (split(t, slot, key, 0))
			return ADD_GOES_ON;
		make_lossy(t, slot);
		return ADDED_TO_REST;
	}
	if (lossy && !is_kept) {
		bool is_told = cell != 0 && tally_bucket_bump(t, &cell, below, key, amount);

		*slot = cell | lossy;
		return is_told ? ADDED_TOLD : ADDED_TO_REST;
	}
	news = tally_bucket_add(t, &cell, below, key, amount);
	if (news == BUCKET_FULL && burst(t, slot, key, 0))
		return ADD_GOES_ON;
	if (news != BUCKET_DONE) {
		make_lossy(t, slot);
		return ADDED_TO_REST;
	}
	*slot = cell | lossy;
	return ADDED_TOLD;
}

static void way_add(struct way *w, struct tally *t, unsigned family, uint64_t amount)
{
	for (unsigned i = 0; i < w->depth; i++)
		w->steps[i].node->amounts[w->steps[i].branch] += amount;
	t->sums[family] += amount;
}

/* is_kept: also where it would otherwise be folded at once. */
static bool add(struct tally *t, const struct addr *addr, uint64_t amount, bool is_kept)
{
	unsigned family = family_of(addr);
	struct way w = way_from(t, family);
	u128 key = key_of(addr);
	enum added added;

	if (amount > AMOUNT_MAX - t->sums[family])
		return false;
	do {
		uint32_t units;

		tally_way_descend(&w, t, key, 0);
		units = t->owner.units;
		added = add_here(t, w.slot, w.below, key, amount, is_kept);
		tally_way_account(&w, t, units);
	} while (added == ADD_GOES_ON);
	if (added == ADDED_TO_REST)
		way_rest(&w, w.depth, amount);
	way_add(&w, t, family, amount);
	return true;
}

bool tally_add(struct tally *t, const struct addr *addr, uint64_t amount)
{
	return add(t, addr, amount, false);
}

/* Goes on below until the branch is there that the block is. false: it is, or there is no place
 * for it and it must be said further up. */
static bool rest_goes_on(struct tally *t, const struct way *w, u128 key, unsigned least)
{
	if (w->below == least)
		return false;
	if (ref_is_node(*w->slot))
		return split(t, w->slot, key, least);
	return burst(t, w->slot, key, least);
}

static bool add_rest(struct tally *t, const struct cidr *block, uint64_t amount)
{
	unsigned family = family_of(&block->addr);
	unsigned least = family_bits(family) - block->len / BRANCH_BITS * BRANCH_BITS;
	struct way w = way_from(t, family);
	u128 key = key_of(&block->addr);
	bool goes_on;

	if (amount > AMOUNT_MAX - t->sums[family])
		return false;
	do {
		uint32_t units;

		tally_way_descend(&w, t, key, least);
		units = t->owner.units;
		goes_on = rest_goes_on(t, &w, key, least);
		tally_way_account(&w, t, units);
	} while (goes_on);
	make_lossy(t, w.slot);
	way_rest(&w, w.depth, amount);
	way_add(&w, t, family, amount);
	return true;
}

bool tally_load(struct tally *t, const struct tally_entry *entry)
{
	if (entry->block.len < addr_bits(&entry->block.addr))
		return add_rest(t, &entry->block, entry->amount);
	return add(t, &entry->block.addr, entry->amount, true);
}

/* --- taking away --- */

static void way_subtract(struct way *w, struct tally *t, unsigned family, unsigned depth,
			 uint64_t amount)
{
	for (unsigned i = 0; i <= depth; i++)
		*way_amount(w, t, family, i) -= amount;
}

/* Of the rest at the branch above the depth-th node. */
static uint64_t take_rest(struct way *w, struct tally *t, unsigned family, unsigned depth,
			  uint64_t most)
{
	uint32_t *slot = depth == w->depth ? w->slot : w->steps[depth].slot;
	uint64_t rest;

	if (!ref_is_lossy(*slot))
		return 0;
	rest = *way_amount(w, t, family, depth) - tally_kept(t, *slot);
	if (rest <= most)
		*slot &= ~REF_LOSSY;
	return rest < most ? rest : most;
}

uint64_t tally_take(struct tally *t, const struct addr *addr, uint64_t amount)
{
	unsigned family = family_of(addr);
	struct way w = way_from(t, family);
	uint32_t units = t->owner.units, lossy, cell;
	u128 key = key_of(addr);
	uint64_t taken = 0;

	tally_way_descend(&w, t, key, 0);
	if (!ref_is_node(*w.slot)) {
		lossy = *w.slot & REF_LOSSY;
		cell = ref_cell(*w.slot);
		taken = tally_bucket_take(t, &cell, key, amount);
		*w.slot = cell | lossy;
		tally_way_account(&w, t, units);
		way_subtract(&w, t, family, w.depth, taken);
	}
	for (unsigned depth = w.depth + 1; depth-- > 0;) {
		uint64_t more = take_rest(&w, t, family, depth, amount - taken);

		way_subtract(&w, t, family, depth, more);
		way_rest(&w, depth, -more);
		taken += more;
	}
	tally_way_tidy(&w, t);
	return taken;
}

void tally_clear(struct tally *t)
{
	struct store *store = t->store;

	store_drop(store, &t->owner);
	*t = (struct tally){ .store = store };
}
