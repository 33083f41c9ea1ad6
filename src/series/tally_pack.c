#include "series/tally_parts.h"

enum { VISITS_MAX = 64 };
_Static_assert((int)VISITS_MAX > (int)DEPTH_MAX, "a turn gets further than to where it begins");

struct turn {
	struct tally *t;
	u128 first;
	unsigned nodes, moved; /* entries */
	bool is_over;
	u128 go_on; /* then: the next turn's first */
};

static void pack(struct turn *turn, uint32_t *ref)
{
	uint32_t cell = ref_cell(*ref);
	uint32_t now = store_pack(turn->t->store, &turn->t->owner, cell);

	if (now == cell)
		return;
	if (ref_is_node(*ref)) {
		*ref = (*ref & REF_LOSSY) | ref_of_node(now, ref_shift(*ref));
	} else {
		*ref = (*ref & REF_LOSSY) | now;
		turn->moved += tally_bucket_count(turn->t, now);
	}
}

static void visit(struct turn *turn, uint32_t *ref, u128 path, unsigned below)
{
	struct node *n;

	if (turn->is_over || ref_cell(*ref) == 0 || (path | below_all(below)) < turn->first)
		return;
	if (turn->nodes == VISITS_MAX || turn->moved + BUCKET_MAX > FOLD_MOVES_MAX) {
		turn->is_over = true;
		turn->go_on = path;
		return;
	}
	pack(turn, ref);
	if (!ref_is_node(*ref))
		return;
	turn->nodes++;
	n = node_at(turn->t, *ref);
	for (unsigned b = 0; b < BRANCHES; b++)
		visit(turn, &n->refs[b], n->prefix | (u128)b << ref_shift(*ref), ref_shift(*ref));
}

unsigned tally_pack(struct tally *t)
{
	struct turn turn = { .t = t, .first = key_of(&t->packed) };
	unsigned family = t->packed.family == ADDR_V6;

	visit(&turn, &t->roots[family], 0, family_bits(family));
	if (turn.is_over)
		t->packed = key_addr(family, turn.go_on);
	else
		t->packed = key_addr(!family, 0);
	return turn.moved;
}
