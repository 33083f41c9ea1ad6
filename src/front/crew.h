/*
 * crew - the workers, and the doors they stand at.
 *
 * Each worker has its own SO_REUSEPORT socket for every TCP door; a Unix door is the first
 * worker's. Opening doors, swapping rules and draining may be asked for from any thread but a
 * worker's, and are done when the call is back. Errands are how the console asks workers for what
 * they own.
 */
#ifndef FRONT_CREW_H
#define FRONT_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/complain.h"
#include "net/endpoint.h"
#include "net/jobs.h"
#include "session/worker.h"

struct crew;

struct crew *crew_new(unsigned workers, struct jobs *jobs, struct series_all *series);
/* After crew_join, and after jobs_free: what the disk threads still had to tell is told here. */
void crew_free(struct crew *crew);
unsigned crew_size(const struct crew *crew); /* how many take new sessions */
/* How many threads there are: those that a reload took the doors from finish what they have, and
 * wait. */
unsigned crew_threads(const struct crew *crew);
struct loop *crew_loop(struct crew *crew, unsigned worker);

/*
 * Open the doors of these rules that are not open yet, close those that they no longer have, and
 * let new sessions begin with them; with another rules->workers, by so many workers. Everything
 * that can fail is done first: false leaves the doors and rules as they were. Takes its own
 * reference.
 */
bool crew_install(struct crew *crew, struct rules *rules, struct complaints *complaints);

/* A listening socket on its way from one process to another. */
struct crew_socket {
	struct endpoint where;
	int fd;
};

/* Copies of all that are open; the list is free()d by the caller. false: there are too few
 * descriptors, and none were made. */
bool crew_sockets(struct crew *crew, struct crew_socket **out, unsigned *count_out);
/*
 * Before the first crew_install: listen on these instead of opening one's own. Takes the
 * descriptors; all of a door's are used, however many workers there are, because closing one that
 * is shared (SO_REUSEPORT) resets the clients that wait in it.
 */
void crew_inherit(struct crew *crew, const struct crew_socket *list, unsigned count);
/* Another process listens now: no new connections here, and the socket files are its. Sessions go
 * on as they are. */
void crew_retire(struct crew *crew);
/* Every session that is there, and then every change, is told to the tap on its worker's thread;
 * NULL ends it. Back when no worker is in the old tap any more. */
void crew_tap(struct crew *crew, struct audit_tap *tap);

/* No new connections; sessions end at their next pause, and after within_ms all the same (T7).
 * Again with less: sooner. */
void crew_drain(struct crew *crew, uint32_t within_ms);
bool crew_is_empty(struct crew *crew); /* drained, and the last session is gone */
/* Ends the threads. Called once, last, when the crew is empty. */
void crew_join(struct crew *crew);
uint64_t crew_sessions(struct crew *crew); /* live, summed; any thread */
bool crew_is_draining(struct crew *crew);

/* Whether every worker's loop has turned since the last call, or since the crew was made. Asked by
 * one thread, now and then. */
bool crew_turns(struct crew *crew);

/*
 * An errand visits the workers one after the other, on their threads, and comes home: visit runs
 * on each, home last, on the loop of whoever sent it. Embedded in what it gathers; freed by home.
 */
struct errand {
	struct note note;
	struct crew *crew;
	struct loop *loop;
	unsigned at;
	void (*visit)(struct errand *self, struct worker *w);
	void (*home)(struct errand *self);
};
void crew_send(struct crew *crew, struct errand *e, struct loop *from,
	       void (*visit)(struct errand *self, struct worker *w),
	       void (*home)(struct errand *self));

/* The sum of one statistic over all workers; any thread. */
struct crew_stats {
#define CREW_STAT(name, text) uint64_t name;
	WORKER_STATS(CREW_STAT)
#undef CREW_STAT
	uint64_t live;
	uint64_t held;
};
void crew_stats(struct crew *crew, struct crew_stats *out);

#endif
