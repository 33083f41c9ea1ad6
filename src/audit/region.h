/*
 * region - the memory of one tree: a reserved range of addresses, handed out in small cells.
 *
 * The range is reserved whole and costs nothing until it is touched. It is cut into chunks of
 * 4 KiB; a chunk holds cells of one size class. A cell is named by its unit, its distance from the
 * base in steps of 16 bytes, so a name fits in 26 bits. Cells come from an arena; a tree spreads
 * its parts over the arenas so that their writers seldom meet at one's lock. A chunk that empties
 * goes back to the region, and past a reserve to the system.
 *
 * Memory of the region never stops being readable before region_free, and never holds anything but
 * what the tree put there: a reader who follows a name that is out of date reads something wrong,
 * and nothing worse.
 */
#ifndef AUDIT_REGION_H
#define AUDIT_REGION_H

#include <stddef.h>
#include <stdint.h>

enum {
	REGION_UNIT = 16,
	REGION_UNIT_BITS = 26, /* 1 GiB a tree */
	REGION_CELL_MAX = 1024,
	REGION_CLASSES = 17,
	REGION_ARENAS = 16,
};

struct region_arena {
	uint32_t lock;
	uint32_t partial[REGION_CLASSES]; /* chunks with a cell to give; 0: none */
} __attribute__((aligned(128)));

struct region {
	uint32_t lock;	  /* of what follows; taken after an arena's */
	uint32_t fresh;	  /* the first chunk never used */
	uint32_t warm;	  /* free chunks that still have their page, */
	uint32_t cold;	  /* and those that gave it back */
	uint32_t warm_count, cold_count;
	uint32_t fixed;	  /* chunks that `fixed` took */
	struct chunk *chunks;
	struct region_arena arenas[REGION_ARENAS];
};

/*
 * A region that lies at the start of its own range, with `fixed` bytes in all for the caller,
 * zeroed, itself included: struct { struct region region; ... }.
 */
struct region *region_new(size_t fixed);
void region_free(struct region *r);

/* The size class of so many bytes, at most REGION_CELL_MAX; and the size of a class. */
unsigned region_class(size_t bytes);
unsigned region_class_size(unsigned class);

/* A cell of the class, filled with anything. Who holds its name owns it. */
uint32_t region_alloc(struct region *r, unsigned arena, unsigned class);
void region_release(struct region *r, uint32_t unit);

static inline void *region_at(const struct region *r, uint32_t unit)
{
	return (unsigned char *)r + (size_t)(unit & ((1u << REGION_UNIT_BITS) - 1)) * REGION_UNIT;
}

void region_trim(struct region *r); /* the reserve goes back to the system */
/* Of chunks, in use or in reserve; without the fixed part. */
size_t region_bytes(const struct region *r);

#endif
