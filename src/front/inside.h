/*
 * inside - the crew's own structs, for its files: crew.c (threads, orders, stopping, looking in),
 * doors.c (where they listen) and pass.c (from one process to another). Nobody outside front/
 * includes it.
 */
#ifndef FRONT_INSIDE_H
#define FRONT_INSIDE_H

#include <pthread.h>
#include <sys/queue.h>

#include "front/crew.h"

/* One listener of one worker. */
struct stand {
	LIST_ENTRY(stand) next;
	struct hand *hand;
	struct listener *listener;
	struct rules *rules;	 /* a reference */
	const struct door *door; /* of rules */
};

/* A worker and what the crew knows of it. */
struct hand {
	struct worker *worker;
	pthread_t thread;
	LIST_HEAD(, stand) stands;
	struct timer look; /* while draining */
	uint64_t drain_until_ms;
	_Atomic bool empty; /* drained, and the last session is gone */
	uint64_t starved_log_ms;
	struct note pulse;
	_Atomic bool pulse_out;
};

struct crew {
	_Atomic unsigned count;	 /* of threads; only ever more */
	_Atomic unsigned active; /* the first so many have doors */
	_Atomic bool draining;
	_Atomic uint32_t tarpitted; /* sessions held back now */
	pthread_mutex_t lock; /* one order at a time */
	struct rules *rules;  /* the latest; under lock */
	bool retired;	      /* under lock */
	struct crew_socket *inherited; /* sockets that the next installation opens doors on */
	unsigned inherited_count;
	struct jobs *jobs;
	struct series_all *series;
	struct hand hands[WORKERS_MAX];
};

/* On every worker's thread; back when all have done it. Under the lock. */
void crew_order(struct crew *crew, void (*carry_out)(struct hand *h, void *arg), void *arg);
/* Threads, until there are so many. */
void crew_hire(struct crew *crew, unsigned count);
void crew_stand_end(struct stand *stand);   /* its socket file goes, too */
void crew_stand_close(struct stand *stand); /* the socket file stays */
void crew_forget_inherited(struct crew *crew);
/* As crew_sockets, under the lock. */
bool crew_gather(struct crew *crew, struct crew_socket **out, unsigned *count_out);

#endif
