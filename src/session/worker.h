/*
 * worker - one thread's share of the service: its loop, the sessions that live on it, and what
 * they use together.
 *
 * Everything in it belongs to its thread; other threads send it errands (front/crew.h). Only the
 * statistics may be read from anywhere: they are written by one thread and summed by whoever asks.
 */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"
#include "relay/relay.h"
#include "session/rules.h"

/* Every number the service counts, a row each: X(name, what it counts). */
#define WORKER_STATS(X)                                                   \
	X(connections, "connections accepted")                            \
	X(capped, "connections refused by a session cap")                 \
	X(unproxied, "connections closed for want of a PROXY header")     \
	X(commands, "commands read")                                      \
	X(errors, "commands refused for syntax or order")                 \
	X(rejections, "connect, EHLO, MAIL, RCPT and DATA refused (D38)") \
	X(recipients, "recipients accepted")                              \
	X(receptions, "messages accepted (D39)")                          \
	X(octets, "octets of accepted messages")                          \
	X(tarpits, "answers held back")                                   \
	X(tarpits_cut, "clients let go because too many were held back")  \
	X(tarpit_ms, "milliseconds of holding back asked for")            \
	X(tls_sessions, "TLS handshakes done")                            \
	X(tls_failures, "TLS handshakes that failed or took too long")    \
	X(tls_injections, "clients that said more than STARTTLS at once") \
	X(hangups, "clients that left without QUIT")                      \
	X(timeouts, "sessions ended by a timeout")                        \
	X(early_talkers, "clients that spoke before the banner")          \
	X(accept_pauses, "times accepting stopped for want of descriptors")

#define STAT_MEMBER(name, text) _Atomic uint64_t name;
struct worker_stats {
	WORKER_STATS(STAT_MEMBER)
};
#undef STAT_MEMBER

/* Only the worker's own thread adds. */
static inline void stat_add(_Atomic uint64_t *stat, uint64_t n)
{
	atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* An index is the low part of its sessions' ids. */
enum { WORKERS_MAX = 256 };

struct series_all;
struct session;

struct worker {
	unsigned index;
	struct loop *loop;
	struct relay_world relay;     /* loop, dns, jobs, hostname, pool */
	struct series_all *series;    /* borrowed */
	LIST_HEAD(, session) sessions;
	_Atomic uint32_t session_count;
	TAILQ_HEAD(, session) tarpit; /* who is held back, the oldest first */
	_Atomic uint32_t *tarpitted;  /* borrowed from the crew: how many, with all workers */
	uint32_t too_many;	      /* of ours, by Max_Tarpitted */
	struct timer thin_out;
	uint64_t crowded_log_ms;
	uint64_t next_session;	      /* the last one's id: time, number, index */
	bool draining;
	struct worker_stats stats;
};

/* relay.hostname is for whoever lets sessions in. */
struct worker *worker_new(unsigned index, struct jobs *jobs, struct series_all *series);
void worker_free(struct worker *w); /* no session is left on it */
void worker_thin_out(void *worker); /* the timer's */
/* Every session ends here and now, without a word. */
void worker_end_sessions(struct worker *w);

#endif
