/*
 * inside - what a series is made of. For series.c, walk.c and registry.c alone.
 */
#ifndef SERIES_INSIDE_H
#define SERIES_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "series/ring.h"
#include "series/series.h"

/*
 * The lock is a mutex: alone it costs no more than audit/seq.h's (6 against 9 ns), and where four
 * threads meet on two processors an addition takes 3 to 7 % more of them than alone, against 25 to
 * 47 %, for whoever spins pays for a holder that lost its processor. It is held for one operation:
 * 200 ns for an addition, some microseconds where something is folded or all windows are summed up.
 *
 * The name is there before others see the series, and never changes; what lookups without the lock
 * compare besides it is atomic.
 */
struct series {
	pthread_mutex_t lock;
	struct ring *ring; /* NULL: a built-in one of a monitor that is gone */
	struct series_tap *tap; /* borrowed; NULL: counted here */
	uint64_t events;
	uint64_t full_since_ms; /* wall clock; 0: it is not */
	uint64_t losses;	/* folds and dropped keys of the times when it was full before */
	struct series_definition is;

	struct series_all *all; /* borrowed: its owner */
	int event;		/* enum series_event; -1: not built in */
	_Atomic uint32_t type;
	_Atomic uint64_t shape; /* its monitor, see shape_of */
	_Atomic bool is_defined, is_there;
	uint64_t hash; /* of the name */
	struct series *chained;
};

static inline uint64_t shape_of(struct monitor m)
{
	return (uint64_t)m.seconds << 32 | m.windows;
}

static inline struct monitor shape_monitor(uint64_t shape)
{
	return (struct monitor){ (uint32_t)(shape >> 32), (uint32_t)shape };
}

static inline enum ring_kind type_kind(enum series_type type)
{
	return type == SERIES_STRING ? RING_TEXTS : RING_ADDRESSES;
}

/* The calling thread's text, good until its next one. */
const char *series_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Enter it: locked, and time has come to now_ms. NULL, and not locked: it keeps nothing of this
 * kind, which is so only if it changed a moment ago.
 */
struct ring *series_enter(struct series *s, enum ring_kind kind, uint64_t now_ms);
void series_leave(struct series *s, uint64_t now_ms);

/*
 * Its data go, and it is what d says from now on, with a ring of that size; d NULL: it keeps
 * nothing any more. d's name is its own. The caller is the only one who does this.
 */
void series_reshape(struct series *s, const struct series_definition *d, size_t max_bytes);

/* One event of a built-in series. */
void series_count(struct series *s, const struct addr *addr, uint64_t now_ms);

#endif
