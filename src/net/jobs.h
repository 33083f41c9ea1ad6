/*
 * jobs - a few threads for what can block (fsync, file reads), so that no loop ever does.
 *
 * A job is embedded in whoever wants it done. `work` runs on a disk thread and touches only what
 * the job brought; `done` runs on the loop that asked, always exactly once. Who dies while a job is
 * out leaves it to `done` to free: a job is never taken back.
 */
#ifndef NET_JOBS_H
#define NET_JOBS_H

#include "net/loop.h"

struct jobs;

struct job {
	struct note note;
	STAILQ_ENTRY(job) queue;
	struct jobs *jobs;
	struct loop *loop;
	void (*work)(struct job *self);
	void (*done)(struct job *self);
};

struct jobs *jobs_new(unsigned threads);
/* Finishes what was asked; loop_free tells of it. What `done` then asks for is done on its own
 * thread. */
void jobs_free(struct jobs *jobs);
void jobs_start(struct jobs *jobs, struct loop *loop, struct job *job,
		void (*work)(struct job *self), void (*done)(struct job *self));

#endif
