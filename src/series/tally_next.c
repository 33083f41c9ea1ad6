#include "series/tally_parts.h"

#include <stdlib.h>

/* A turn of a walk: what was found so far, in order. */
struct turn {
	const struct tally *t;
	unsigned family;
	u128 first, last;
	struct tally_entry *out;
	unsigned n;
	bool is_over;
	u128 go_on; /* then: the next turn's first */
};

/*
 * Where a turn ends is told by an address alone, so what begins at the same address (rests of
 * several depths, and the address) goes into one turn: there are at most 33 of these.
 */
static void emit(struct turn *turn, u128 key, unsigned below, uint64_t amount)
{
	struct addr addr = key_addr(turn->family, key);

	if (turn->n == TALLY_TURN) {
		turn->is_over = true;
		turn->go_on = key;
		while (addr_equal(&turn->out[turn->n - 1].block.addr, &addr))
			turn->n--;
		return;
	}
	turn->out[turn->n++] = (struct tally_entry){
		{ addr, (uint8_t)(family_bits(turn->family) - below) },
		amount,
	};
}

static int by_key(const void *a, const void *b)
{
	u128 x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;

	return x < y ? -1 : x > y;
}

static void visit_bucket(struct turn *turn, uint32_t cell, u128 path)
{
	struct item items[BUCKET_MAX];
	unsigned all = tally_bucket_items(turn->t, cell, path, items), n = 0;

	for (unsigned i = 0; i < all; i++)
		if (items[i].key >= turn->first && items[i].key <= turn->last)
			items[n++] = items[i];
	qsort(items, n, sizeof *items, by_key);
	for (unsigned i = 0; i < n && !turn->is_over; i++)
		emit(turn, items[i].key, 0, items[i].amount);
}

/* The block of `path` above its low `below` bits, which has `amount` in all. Every level has a
 * smaller shift, so at most 33 deep. */
static void visit(struct turn *turn, uint32_t ref, u128 path, unsigned below, uint64_t amount)
{
	const struct node *n;
	unsigned shift;

	if (ref == 0 || turn->is_over || path > turn->last ||
	    (path | below_all(below)) < turn->first)
		return;
	if (ref_is_lossy(ref) && path >= turn->first && (path | below_all(below)) <= turn->last) {
		uint64_t rest = amount - tally_kept(turn->t, ref);

		if (rest > 0)
			emit(turn, path, below, rest);
	}
	if (!ref_is_node(ref)) {
		visit_bucket(turn, ref_cell(ref), path);
		return;
	}
	n = node_at(turn->t, ref);
	shift = ref_shift(ref);
	for (unsigned b = 0; b < BRANCHES && !turn->is_over; b++)
		visit(turn, n->refs[b], n->prefix | (u128)b << shift, shift, n->amounts[b]);
}

unsigned tally_next(const struct tally *t, struct addr *first, const struct addr *last,
		    struct tally_entry out[TALLY_TURN])
{
	struct turn turn = { .t = t, .family = family_of(last), .last = key_of(last), .out = out };
	unsigned bits = family_bits(turn.family);

	if (first->family != last->family)
		return 0;
	turn.first = key_of(first);
	visit(&turn, t->roots[turn.family], 0, bits, t->sums[turn.family]);
	*first =
		turn.is_over ? key_addr(turn.family, turn.go_on) : (struct addr){ 0, 0, ADDR_NONE };
	return turn.n;
}
