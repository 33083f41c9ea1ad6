#include "series/hitters.h"

static struct cidr block_at(const struct hitters *h)
{
	return cidr_of(&h->at, h->depth);
}

static void set_bit(struct addr *a, unsigned bit, bool one)
{
	uint64_t *word = bit < 64 ? &a->hi : &a->lo, mask = (uint64_t)1 << (63 - bit % 64);

	*word = one ? *word | mask : *word & ~mask;
}

/* What is below the threshold can't hold anything that is not. */
static void go_down(struct hitters *h, struct bounds amount)
{
	if (amount.low >= h->threshold)
		h->levels[++h->depth] = (struct hitters_level){ .amount = amount };
}

static void look_at_half(struct hitters *h)
{
	struct hitters_level *l = &h->levels[h->depth];
	struct cidr half;
	struct bounds amount;

	set_bit(&h->at, h->depth, l->halves > 0);
	half = cidr_of(&h->at, h->depth + 1);
	amount = h->sum(h->arg, &half);
	/* What the first half leaves may be too little for the second to be worth a look. */
	l->halves = l->halves == 0 && l->amount.low < amount_plus(amount.low, h->threshold) ? 2
										: l->halves + 1;
	go_down(h, amount);
}

/* Sums that were asked for one after the other need not agree. */
static uint64_t residual(const struct hitters_level *l)
{
	return l->amount.low > l->covered ? l->amount.low - l->covered : 0;
}

static void go_up(struct hitters *h)
{
	const struct hitters_level *l = &h->levels[h->depth];
	struct hitter it = { block_at(h), l->amount, residual(l) };
	uint64_t covered = l->covered;

	if (it.residual >= h->threshold) {
		h->found(h->arg, &it);
		covered = l->amount.low;
	}
	if (h->depth == h->within.len) {
		h->done = true;
		return;
	}
	h->depth--;
	h->levels[h->depth].covered = amount_plus(h->levels[h->depth].covered, covered);
}

static void begin(struct hitters *h)
{
	struct bounds amount = h->sum(h->arg, &h->within);

	h->begun = true;
	h->at = h->within.addr;
	h->depth = h->within.len;
	h->done = amount.low < h->threshold;
	h->levels[h->depth] = (struct hitters_level){ .amount = amount };
}

bool hitters_on(struct hitters *h, unsigned sums)
{
	const unsigned bits = addr_bits(&h->within.addr);

	if (!h->begun)
		begin(h);
	while (!h->done && sums > 0) {
		if (h->depth == bits || h->levels[h->depth].halves == 2) {
			go_up(h);
		} else {
			look_at_half(h);
			sums--;
		}
	}
	return !h->done;
}
