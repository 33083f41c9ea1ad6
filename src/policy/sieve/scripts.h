/*
 * scripts - the programs of one stanza: how a file becomes one, and the cache of included ones
 * (behaviour 1.10).
 *
 * An included file is read again when it is older than cache_life; constant names are read at load
 * already, so that their faults are found there. Any thread may call anything. Reading a file
 * blocks: never on a loop.
 */
#ifndef POLICY_SIEVE_SCRIPTS_H
#define POLICY_SIEVE_SCRIPTS_H

#include "policy/sieve/program.h"

struct scripts;

struct scripts_conf {
	struct sieve_target target; /* its phase is that of the script */
	unsigned cache_size;	    /* programs (D31) */
	unsigned cache_life_s;
};

struct scripts *sieve_scripts_new(const struct scripts_conf *conf);
void sieve_scripts_free(struct scripts *scripts);
struct symbols *sieve_scripts_symbols(struct scripts *scripts);

/* Read and compile. NULL: there are complaints. The caller holds the reference. */
struct program *sieve_scripts_read(struct scripts *scripts, const char *path, enum phase phase,
				   struct complaints *complaints);
/* From the cache, with a reference. NULL: it has to be read. */
struct program *sieve_scripts_find(struct scripts *scripts, const char *path, enum phase phase,
				   bool stale_is_good);
/* Find or read, and remember. */
struct program *sieve_scripts_fetch(struct scripts *scripts, const char *path, enum phase phase,
				    struct complaints *complaints);

/* What a script means by a path: relative to its own directory (D29). Heap; NULL: too long. */
char *sieve_scripts_path(const struct program *from, struct slice path);

#endif
