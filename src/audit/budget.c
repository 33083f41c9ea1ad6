#include "audit/budget.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/check.h"
#include "base/mem.h"

struct budget {
	char *name;
	_Atomic uint32_t taken;
	_Atomic uint32_t elsewhere; /* in another process */
	uint32_t told;		    /* to it, under the table's lock */
	UT_hash_handle hh;
};

struct budgets {
	pthread_mutex_t lock; /* of the table; what is in it never goes before the table does */
	struct budget *by_name;
};

struct budgets *budgets_new(void)
{
	struct budgets *all = mem_new(sizeof *all);

	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void budgets_free(struct budgets *all)
{
	struct budget *b, *next;

	if (all == NULL)
		return;
	HASH_ITER (hh, all->by_name, b, next) {
		HASH_DEL(all->by_name, b);
		free(b->name);
		free(b);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
}

struct budget *budget_named(struct budgets *all, const char *name)
{
	struct budget *b;

	pthread_mutex_lock(&all->lock);
	HASH_FIND_STR(all->by_name, name, b);
	if (b == NULL) {
		b = mem_new(sizeof *b);
		b->name = mem_strdup(name);
		HASH_ADD_KEYPTR(hh, all->by_name, b->name, strlen(b->name), b);
	}
	pthread_mutex_unlock(&all->lock);
	return b;
}

bool budget_take(struct budget *b, uint32_t limit)
{
	uint32_t taken = atomic_load(&b->taken), elsewhere = atomic_load(&b->elsewhere);

	do {
		if (limit != 0 && (elsewhere >= limit || taken >= limit - elsewhere))
			return false;
	} while (!atomic_compare_exchange_weak(&b->taken, &taken, taken + 1));
	return true;
}

void budget_give(struct budget *b)
{
	CHECK(atomic_fetch_sub(&b->taken, 1) > 0);
}

uint32_t budget_taken(const struct budget *b)
{
	return atomic_load(&b->taken);
}

void budgets_tell(struct budgets *all, budget_tell *tell, void *arg)
{
	struct budget *b;

	pthread_mutex_lock(&all->lock);
	for (b = all->by_name; b != NULL; b = b->hh.next) {
		uint32_t taken = budget_taken(b);

		if (taken == b->told)
			continue;
		b->told = taken;
		tell(arg, b->name, taken);
	}
	pthread_mutex_unlock(&all->lock);
}

void budgets_hear(struct budgets *all, const char *name, uint32_t taken)
{
	struct budget *b;

	pthread_mutex_lock(&all->lock);
	HASH_FIND_STR(all->by_name, name, b);
	if (b != NULL)
		atomic_store(&b->elsewhere, taken);
	pthread_mutex_unlock(&all->lock);
}

void budgets_alone(struct budgets *all)
{
	struct budget *b;

	pthread_mutex_lock(&all->lock);
	for (b = all->by_name; b != NULL; b = b->hh.next) {
		atomic_store(&b->elsewhere, 0);
		b->told = 0;
	}
	pthread_mutex_unlock(&all->lock);
}
