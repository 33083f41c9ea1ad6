/*
 * For now: one sorted array under one lock. Right, and slow; the burst trie takes its place.
 */
#include "audit/cidr_tree.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct entry {
	struct addr addr;
	uint32_t count;
};

struct cidr_tree {
	pthread_mutex_t lock;
	enum addr_family family;
	struct entry *list;
	size_t used, cap;
};

struct cidr_tree *cidr_tree_new(enum addr_family family)
{
	struct cidr_tree *t = mem_new(sizeof *t);

	t->family = family;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void cidr_tree_free(struct cidr_tree *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->list);
	free(t);
}

/* The first entry not below the address. */
static size_t lower(const struct cidr_tree *t, const struct addr *addr)
{
	size_t from = 0, to = t->used;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (addr_compare(&t->list[mid].addr, addr) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool is_at(const struct cidr_tree *t, size_t i, const struct addr *addr)
{
	return i < t->used && addr_equal(&t->list[i].addr, addr);
}

void cidr_tree_enter(struct cidr_tree *t, const struct addr *addr)
{
	size_t i;

	pthread_mutex_lock(&t->lock);
	i = lower(t, addr);
	if (!is_at(t, i, addr)) {
		if (t->used == t->cap) {
			t->cap = t->cap ? t->cap * 2 : 16;
			t->list = mem_resize(t->list, t->cap, sizeof *t->list);
		}
		memmove(t->list + i + 1, t->list + i, (t->used - i) * sizeof *t->list);
		t->list[i] = (struct entry){ *addr, 0 };
		t->used++;
	}
	t->list[i].count++;
	pthread_mutex_unlock(&t->lock);
}

void cidr_tree_leave(struct cidr_tree *t, const struct addr *addr)
{
	size_t i;

	pthread_mutex_lock(&t->lock);
	i = lower(t, addr);
	CHECK(is_at(t, i, addr));
	if (--t->list[i].count == 0) {
		t->used--;
		memmove(t->list + i, t->list + i + 1, (t->used - i) * sizeof *t->list);
	}
	pthread_mutex_unlock(&t->lock);
}

static uint64_t sum(struct cidr_tree *t, const struct cidr *block, bool distinct)
{
	uint64_t found = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = lower(t, &block->addr); i < t->used && cidr_contains(block, &t->list[i].addr); i++)
		found += distinct ? 1 : t->list[i].count;
	pthread_mutex_unlock(&t->lock);
	return found;
}

uint64_t cidr_tree_count(struct cidr_tree *t, const struct cidr *block)
{
	return sum(t, block, false);
}

uint64_t cidr_tree_distinct(struct cidr_tree *t, const struct cidr *block)
{
	return sum(t, block, true);
}

void cidr_tree_walk(struct cidr_tree *t, const struct cidr *block, cidr_tree_visit *visit, void *arg)
{
	struct addr from = block->addr;
	struct entry e;
	bool found;

	for (;;) {
		pthread_mutex_lock(&t->lock);
		size_t i = lower(t, &from);
		found = i < t->used && cidr_contains(block, &t->list[i].addr);
		if (found)
			e = t->list[i];
		pthread_mutex_unlock(&t->lock);
		if (!found || !visit(arg, &e.addr, e.count))
			return;
		from = e.addr;
		if (from.family == ADDR_V4)
			from.hi += (uint64_t)1 << 32;
		else if (++from.lo == 0)
			from.hi++;
		if (from.hi == 0 && from.lo == 0) /* past the last address there is */
			return;
	}
}

size_t cidr_tree_bytes(const struct cidr_tree *t)
{
	return sizeof *t + t->cap * sizeof *t->list;
}

void cidr_tree_trim(struct cidr_tree *t)
{
	(void)t;
}
