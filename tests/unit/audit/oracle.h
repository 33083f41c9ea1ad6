/*
 * oracle - the counts as they must be: every address in one array, every question a walk over it.
 *
 * Also the addresses that the tree is asked about: kinds that make it burst, collapse and chain.
 */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

/* xorshift: the same addresses in every run */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state;
}

static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return (random_next(r) >> 16) % n;
}

typedef struct addr address_kind(struct random *r);

static inline struct addr v4(uint32_t value)
{
	return (struct addr){ (uint64_t)value << 32, 0, ADDR_V4 };
}

static inline struct addr v4_anywhere(struct random *r)
{
	return v4((uint32_t)(random_next(r) >> 24));
}

static inline struct addr v4_one_16(struct random *r)
{
	return v4(0x0a010000 | (uint32_t)random_below(r, 65536));
}

static inline struct addr v4_dense(struct random *r)
{
	return v4(0xc0000200 | (uint32_t)random_below(r, 512));
}

/* One address and all that differ from it in one bit and below: a branch at every depth. */
static inline struct addr v4_chain(struct random *r)
{
	unsigned bit = (unsigned)random_below(r, 32);

	return v4(0xdeadbeef ^ 1u << bit ^ (uint32_t)random_below(r, 16));
}

static inline struct addr v6_anywhere(struct random *r)
{
	return (struct addr){ random_next(r), random_next(r), ADDR_V6 };
}

static inline struct addr v6_one_64(struct random *r)
{
	return (struct addr){ 0x20010db800050001, random_next(r), ADDR_V6 };
}

static inline struct addr v6_spray(struct random *r) /* over the /48s of a /36 */
{
	return (struct addr){ 0x20010db800000000 | random_below(r, 4096) << 16 | random_below(r, 4),
			      random_below(r, 4), ADDR_V6 };
}

static inline struct addr v6_chain(struct random *r)
{
	struct addr a = { 0x20010db85a5a5a5a, 0xa5a5a5a5a5a5a5a5, ADDR_V6 };
	unsigned bit = (unsigned)random_below(r, 128);

	if (bit < 64)
		a.lo ^= (uint64_t)1 << bit;
	else
		a.hi ^= (uint64_t)1 << (bit - 64);
	a.lo ^= random_below(r, 8);
	return a;
}

static const struct {
	const char *name;
	address_kind *next;
	enum addr_family family;
} address_kinds[] = {
	{ "v4 anywhere", v4_anywhere, ADDR_V4 }, { "v4 one /16", v4_one_16, ADDR_V4 },
	{ "v4 dense", v4_dense, ADDR_V4 },	 { "v4 chain", v4_chain, ADDR_V4 },
	{ "v6 anywhere", v6_anywhere, ADDR_V6 }, { "v6 one /64", v6_one_64, ADDR_V6 },
	{ "v6 spray", v6_spray, ADDR_V6 },	 { "v6 chain", v6_chain, ADDR_V6 },
};
enum { ADDRESS_KINDS = sizeof address_kinds / sizeof *address_kinds };

struct oracle {
	struct oracle_entry {
		struct addr addr;
		uint32_t count;
	} *list;
	unsigned used;
};

struct counts {
	uint64_t count, distinct;
};

static inline void oracle_init(struct oracle *o, unsigned max)
{
	o->list = mem_array(max, sizeof *o->list);
	o->used = 0;
}

static inline void oracle_add(struct oracle *o, const struct addr *addr, int delta)
{
	unsigned i = 0;

	while (i < o->used && !addr_equal(&o->list[i].addr, addr))
		i++;
	if (i == o->used)
		o->list[o->used++] = (struct oracle_entry){ *addr, 0 };
	o->list[i].count += (uint32_t)delta;
	if (o->list[i].count == 0)
		o->list[i] = o->list[--o->used];
}

static inline struct counts oracle_ask(const struct oracle *o, const struct cidr *block)
{
	struct counts sum = { 0, 0 };

	for (unsigned i = 0; i < o->used; i++) {
		if (!cidr_contains(block, &o->list[i].addr))
			continue;
		sum.count += o->list[i].count;
		sum.distinct++;
	}
	return sum;
}

static inline int oracle_by_addr(const void *a, const void *b)
{
	return addr_compare(&((const struct oracle_entry *)a)->addr,
			    &((const struct oracle_entry *)b)->addr);
}

static inline void oracle_sort(struct oracle *o)
{
	qsort(o->list, o->used, sizeof *o->list, oracle_by_addr);
}

#endif
