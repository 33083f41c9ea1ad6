#include "series/tally_parts.h"

/* One way down of many that go side by side. */
struct lane {
	const struct tally *t;
	uint32_t ref;
	unsigned below;
	uint64_t amount; /* of the branch that ref is at, where it is lossy */
	uint64_t low, rests;
};

/* What all of them are asked. */
struct question {
	u128 key;
	unsigned rest; /* the block's low bits */
	unsigned family;
};

static inline void fetch(const struct lane *l, const struct question *q)
{
	const struct node *n;
	unsigned shift;

	if (!ref_is_node(l->ref)) {
		tally_bucket_prefetch(l->t, ref_cell(l->ref), l->below);
		return;
	}
	n = node_at(l->t, l->ref);
	shift = ref_shift(l->ref);
	if (shift + BRANCH_BITS != l->below)
		__builtin_prefetch(&n->prefix);
	if (q->rest < shift)
		__builtin_prefetch(n->refs);
	if (q->rest >= shift || l->t->is_folded)
		__builtin_prefetch(&n->amounts[branch_of(q->key, shift)]);
}

static inline bool answer(struct lane *l, uint64_t low)
{
	l->low = low;
	return true;
}

static inline bool step(struct lane *l, const struct question *q)
{
	const struct node *n;
	unsigned shift, known, branch;

	if (ref_is_lossy(l->ref))
		l->rests += l->amount - tally_kept(l->t, l->ref);
	if (!ref_is_node(l->ref))
		return answer(l, tally_bucket_sum(l->t, ref_cell(l->ref), q->key, q->rest));
	n = node_at(l->t, l->ref);
	shift = ref_shift(l->ref);
	known = shift + BRANCH_BITS;
	if (known != l->below &&
	    above(q->key ^ n->prefix, q->rest > known ? q->rest : known) != 0)
		return answer(l, 0);
	branch = branch_of(q->key, shift);
	if (q->rest >= shift) {
		unsigned width = q->rest >= known ? BRANCHES : 1u << (q->rest - shift);

		return answer(l, node_sum(n, branch & ~(width - 1), width));
	}
	l->ref = n->refs[branch];
	l->below = shift;
	if (l->ref == 0)
		return answer(l, 0);
	if (ref_is_lossy(l->ref))
		l->amount = n->amounts[branch];
	fetch(l, q);
	return false;
}

static bool lane_begin(struct lane *l, const struct tally *t, const struct question *q)
{
	*l = (struct lane){
		.t = t,
		.ref = t->roots[q->family],
		.below = family_bits(q->family),
		.amount = t->sums[q->family],
	};
	if (q->rest >= l->below) {
		l->low = l->amount;
		return false;
	}
	if (l->ref == 0)
		return false;
	fetch(l, q);
	return true;
}

static inline struct bounds lane_bounds(const struct lane *l)
{
	return (struct bounds){ l->low, l->low + l->rests };
}

static struct question question_of(const struct cidr *block)
{
	unsigned family = family_of(&block->addr);

	return (struct question){ key_of(&block->addr), family_bits(family) - block->len, family };
}

struct bounds tally_sum(const struct tally *t, const struct cidr *block)
{
	struct question q = question_of(block);
	struct lane l;

	if (lane_begin(&l, t, &q))
		while (!step(&l, &q))
			;
	return lane_bounds(&l);
}

struct bounds tally_sum_of(const struct tally *const *tallies, unsigned n, const struct cidr *block)
{
	enum { LANES = 64 };
	struct question q = question_of(block);
	struct bounds sum = { 0, 0 };
	struct lane lanes[LANES];
	unsigned next = 0, going = 0;

	while (next < n || going > 0) {
		for (; going < LANES && next < n; next++) {
			if (lane_begin(&lanes[going], tallies[next], &q))
				going++;
			else
				bounds_add(&sum, lane_bounds(&lanes[going]));
		}
		for (unsigned i = 0; i < going;) {
			if (!step(&lanes[i], &q)) {
				i++;
				continue;
			}
			bounds_add(&sum, lane_bounds(&lanes[i]));
			lanes[i] = lanes[--going];
		}
	}
	return sum;
}
