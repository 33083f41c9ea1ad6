/*
 * seq - a lock for writers, and versions by which readers do without it.
 *
 * A writer holds the lock of many things and, while it changes one of them, makes that one's
 * version odd. A reader remembers the version, reads whatever it needs, and believes what it read
 * only if the version was even and is the same afterwards. So what it reads may change under it:
 * every such access, on both sides, goes through LOOK and PUT (relaxed atomics, plain moves on the
 * machines we know), and the reader trusts nothing that it has not checked against bounds.
 */
#ifndef AUDIT_SEQ_H
#define AUDIT_SEQ_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define SEQ_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define SEQ_TSAN 1
#endif

#define LOOK(at) __atomic_load_n((at), __ATOMIC_RELAXED)
#define PUT(at, value) __atomic_store_n((at), (value), __ATOMIC_RELAXED)

/* TSan knows no fences and needs none: it keeps the order of atomics as written. */
static inline void seq_fence(int order)
{
#ifdef SEQ_TSAN
	(void)order;
#else
	__atomic_thread_fence(order);
#endif
}

/* A holder is inside for well under a microsecond, unless it lost its processor: then give
 * it ours. */
static inline void seq_relax(unsigned turn)
{
	if (turn % 64 == 63)
		sched_yield();
#if defined(__x86_64__)
	else
		__builtin_ia32_pause();
#endif
}

static inline void seq_lock(uint32_t *lock)
{
	for (unsigned turn = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0;)
		while (LOOK(lock) != 0)
			seq_relax(turn++);
}

static inline void seq_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* The holder of the lock, around its changes. */
static inline void seq_change(uint32_t *version)
{
	PUT(version, *version + 1);
	seq_fence(__ATOMIC_RELEASE);
}

static inline void seq_changed(uint32_t *version)
{
	__atomic_store_n(version, *version + 1, __ATOMIC_RELEASE);
}

/* A reader, around what it reads. */
static inline uint32_t seq_begin(const uint32_t *version)
{
	return __atomic_load_n(version, __ATOMIC_ACQUIRE);
}

static inline bool seq_is_changing(uint32_t begun)
{
	return begun & 1;
}

static inline bool seq_is_still(const uint32_t *version, uint32_t begun)
{
	seq_fence(__ATOMIC_ACQUIRE);
	return LOOK(version) == begun;
}

#endif
