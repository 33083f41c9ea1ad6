#include "policy/sieve/symbols.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"
#include "policy/sieve/limits.h"

struct symbol {
	char *name;
	unsigned slot;
	UT_hash_handle hh;
};

struct symbols {
	pthread_mutex_t lock;
	struct symbol *by_name;
	struct symbol *by_slot[SIEVE_VARIABLES_MAX];
	atomic_uint count;
};

struct symbols *sieve_symbols_new(void)
{
	struct symbols *symbols = mem_new(sizeof *symbols);

	pthread_mutex_init(&symbols->lock, NULL);
	return symbols;
}

void sieve_symbols_free(struct symbols *symbols)
{
	HASH_CLEAR(hh, symbols->by_name);
	for (unsigned i = 0; i < symbols->count; i++) {
		free(symbols->by_slot[i]->name);
		free(symbols->by_slot[i]);
	}
	pthread_mutex_destroy(&symbols->lock);
	free(symbols);
}

static struct symbol *symbol_new(struct symbols *symbols, struct slice name)
{
	struct symbol *symbol = mem_new(sizeof *symbol);

	symbol->name = mem_strndup(name.at, name.len);
	symbol->slot = symbols->count;
	symbols->by_slot[symbol->slot] = symbol;
	HASH_ADD_KEYPTR(hh, symbols->by_name, symbol->name, name.len, symbol);
	symbols->count++;
	return symbol;
}

bool sieve_symbols_slot(struct symbols *symbols, struct slice name, unsigned *slot_out)
{
	struct symbol *symbol;

	pthread_mutex_lock(&symbols->lock);
	HASH_FIND(hh, symbols->by_name, name.at, name.len, symbol);
	if (symbol == NULL && symbols->count < SIEVE_VARIABLES_MAX)
		symbol = symbol_new(symbols, name);
	pthread_mutex_unlock(&symbols->lock);
	*slot_out = symbol != NULL ? symbol->slot : 0;
	return symbol != NULL;
}

unsigned sieve_symbols_count(struct symbols *symbols)
{
	return symbols->count;
}

const char *sieve_symbols_name(struct symbols *symbols, unsigned slot)
{
	return symbols->by_slot[slot]->name;
}
