/*
 * hash - a number for a text that nobody outside can foresee: SipHash-2-4 (Aumasson, Bernstein
 * 2012) with a secret drawn at the first use.
 *
 * Keys of series come from the other side (MAIL FROM, AUTH names): with a hash that is known, a
 * client could choose them so that all fall into one chain. OpenSSL has it as a MAC, which takes
 * memory for each text.
 */
#ifndef SERIES_HASH_H
#define SERIES_HASH_H

#include <stdint.h>

#include "base/buf.h"

struct hash_secret {
	uint64_t a, b;
};

uint64_t hash_with(struct hash_secret secret, struct slice text);
uint64_t hash_text(struct slice text); /* with the secret of this process */

#endif
