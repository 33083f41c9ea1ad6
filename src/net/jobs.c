#include "net/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct jobs {
	_Atomic unsigned refs; /* the owner's, and one of every job until it is told of */
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	STAILQ_HEAD(, job) queue;
	bool closing;
	unsigned thread_count;
	pthread_t threads[];
};

static void jobs_unref(struct jobs *jobs)
{
	if (--jobs->refs > 0)
		return;
	pthread_mutex_destroy(&jobs->lock);
	pthread_cond_destroy(&jobs->wanted);
	free(jobs);
}

static void tell(struct note *n)
{
	struct job *job = (struct job *)n; /* its first member */
	struct jobs *jobs = job->jobs;

	job->done(job);
	jobs_unref(jobs);
}

static void *work_on(void *arg)
{
	struct jobs *jobs = arg;

	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		struct job *job;

		while (STAILQ_EMPTY(&jobs->queue) && !jobs->closing)
			pthread_cond_wait(&jobs->wanted, &jobs->lock);
		if (STAILQ_EMPTY(&jobs->queue))
			break;
		job = STAILQ_FIRST(&jobs->queue);
		STAILQ_REMOVE_HEAD(&jobs->queue, queue);
		pthread_mutex_unlock(&jobs->lock);
		job->work(job);
		loop_post(job->loop, &job->note, tell);
		pthread_mutex_lock(&jobs->lock);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

struct jobs *jobs_new(unsigned threads)
{
	struct jobs *jobs = mem_new(sizeof *jobs + threads * sizeof jobs->threads[0]);

	jobs->refs = 1;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->wanted, NULL);
	STAILQ_INIT(&jobs->queue);
	for (jobs->thread_count = 0; jobs->thread_count < threads; jobs->thread_count++) {
		if (pthread_create(&jobs->threads[jobs->thread_count], NULL, work_on, jobs) != 0)
			break;
	}
	CHECK(jobs->thread_count > 0);
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->closing = true;
	pthread_cond_broadcast(&jobs->wanted);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->thread_count; i++)
		pthread_join(jobs->threads[i], NULL);
	jobs_unref(jobs);
}

void jobs_start(struct jobs *jobs, struct loop *loop, struct job *job,
		void (*work)(struct job *self), void (*done)(struct job *self))
{
	bool closed;

	job->jobs = jobs;
	job->loop = loop;
	job->work = work;
	job->done = done;
	jobs->refs++;
	pthread_mutex_lock(&jobs->lock);
	closed = jobs->closing;
	if (!closed) {
		STAILQ_INSERT_TAIL(&jobs->queue, job, queue);
		pthread_cond_signal(&jobs->wanted);
	}
	pthread_mutex_unlock(&jobs->lock);
	if (!closed)
		return;
	job->work(job); /* nobody waits for a loop that has ended */
	loop_post(loop, &job->note, tell);
}
