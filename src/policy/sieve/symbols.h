/*
 * symbols - the names of variables of one stanza, each with its slot.
 *
 * An included script has the same variables as the one that includes it (D28), and may be compiled
 * long after it: so all scripts of a stanza share one table. Names are never taken out. Any thread
 * may call anything.
 */
#ifndef POLICY_SIEVE_SYMBOLS_H
#define POLICY_SIEVE_SYMBOLS_H

#include <stdbool.h>

#include "base/buf.h"

struct symbols;

struct symbols *sieve_symbols_new(void);
void sieve_symbols_free(struct symbols *symbols);

/* Found, or made at first sight. false: SIEVE_VARIABLES_MAX names are there already. */
bool sieve_symbols_slot(struct symbols *symbols, struct slice name, unsigned *slot_out);
unsigned sieve_symbols_count(struct symbols *symbols); /* every slot is below it */
const char *sieve_symbols_name(struct symbols *symbols, unsigned slot);

#endif
