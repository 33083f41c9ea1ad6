/*
 * seq - a lock for writers whose readers take nothing and look again.
 *
 * The word is odd while a writer is inside. A reader remembers it, reads whatever it needs, and
 * believes what it read only if the word is the same and even afterwards. So what it reads may
 * change under it: every such access, on both sides, goes through LOOK and PUT (relaxed atomics,
 * plain moves on the machines we know), and the reader trusts nothing that it has not checked
 * against bounds.
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

/* A holder is inside for well under a microsecond, unless it lost its processor: then give it ours. */
static inline void seq_relax(unsigned turn)
{
	if (turn % 128 == 127)
		sched_yield();
#if defined(__x86_64__)
	else
		__builtin_ia32_pause();
#endif
}

static inline void seq_lock(uint32_t *word)
{
	uint32_t now = LOOK(word) & ~1u;

	for (unsigned turn = 0; !__atomic_compare_exchange_n(word, &now, now + 1, false, __ATOMIC_ACQUIRE,
							     __ATOMIC_RELAXED);
	     turn++) {
		while (now & 1) {
			seq_relax(turn++);
			now = LOOK(word);
		}
	}
	seq_fence(__ATOMIC_RELEASE);
}

static inline void seq_unlock(uint32_t *word)
{
	__atomic_store_n(word, LOOK(word) + 1, __ATOMIC_RELEASE);
}

static inline uint32_t seq_begin(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline bool seq_is_still(const uint32_t *word, uint32_t begun)
{
	seq_fence(__ATOMIC_ACQUIRE);
	return !(begun & 1) && LOOK(word) == begun;
}

#endif
