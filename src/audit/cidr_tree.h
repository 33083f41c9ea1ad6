/*
 * cidr_tree - how many live things, and how many different addresses, stand under every prefix.
 *
 * One family a tree. A counted burst trie, cut into shards by the top bits of the address; the .c
 * tells how. Any thread may call anything but _new and _free at any time. Memory follows what is
 * live and is given back; the tree owns it. No clock, no I/O, no globals that change.
 *
 * Exactness (T8): at a quiet moment every answer is exact. While others enter and leave, a prefix
 * at least CIDR_TREE_KEY_V4/_V6 long reads an instantaneous value; a shorter one reads between the
 * number of things that were there during the whole call and the number there at any time in it.
 */
#ifndef AUDIT_CIDR_TREE_H
#define AUDIT_CIDR_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The shard of an address is chosen from this many of its top bits. */
enum { CIDR_TREE_KEY_V4 = 16, CIDR_TREE_KEY_V6 = 48 };

struct cidr_tree;

struct cidr_tree *cidr_tree_new(enum addr_family family);
void cidr_tree_free(struct cidr_tree *tree); /* whatever it still holds; nobody else is inside */
enum addr_family cidr_tree_family(const struct cidr_tree *tree);

/* One more, or one fewer, live thing at this address. Leaving what never entered is our own bug. */
void cidr_tree_enter(struct cidr_tree *tree, const struct addr *addr);
void cidr_tree_leave(struct cidr_tree *tree, const struct addr *addr);

/* Live things, and different addresses, inside the block; both 0 when none. Address bits below len
 * are ignored. */
uint64_t cidr_tree_count(struct cidr_tree *tree, const struct cidr *block);
uint64_t cidr_tree_distinct(struct cidr_tree *tree, const struct cidr *block);

/*
 * Every address inside the block that has anything, in address order, with its count at the time
 * it is reached; stops when visit answers false. Not a snapshot: shard by shard.
 * No lock is held while visit runs.
 */
typedef bool cidr_tree_visit(void *arg, const struct addr *addr, uint32_t count);
void cidr_tree_walk(struct cidr_tree *tree, const struct cidr *block, cidr_tree_visit *visit,
		    void *arg);

/* What it holds now, its fixed part included. */
size_t cidr_tree_bytes(const struct cidr_tree *tree);
void cidr_tree_trim(struct cidr_tree *tree); /* give spare memory back to the system */

#endif
