/*
 * Whatever changes a worker from outside (installing, draining) is carried to it by an order, and
 * who gave the order waits until all have carried it out: workers never block, so that is a turn of
 * their loops.
 */
#include "front/inside.h"

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "session/session.h"

enum {
	DRAIN_LOOK_MS = 20,  /* how often a draining worker looks whether it is empty */
	LAST_WORD_MS = 2000, /* after the deadline's 421 */
};

/* --- orders -------------------------------------------------------------------------------- */

struct order {
	struct note note;
	struct hand *hand;
	void *arg;
	void (*carry_out)(struct hand *h, void *arg);
	sem_t *done;
};

static void order_read(struct note *n)
{
	struct order *o = (struct order *)n;

	o->carry_out(o->hand, o->arg);
	sem_post(o->done);
}

void crew_order(struct crew *crew, void (*carry_out)(struct hand *h, void *arg), void *arg)
{
	struct order *orders = mem_array(crew->count, sizeof *orders);
	sem_t done;

	sem_init(&done, 0, 0);
	for (unsigned i = 0; i < crew->count; i++) {
		orders[i] = (struct order){
			.hand = &crew->hands[i], .arg = arg, .carry_out = carry_out, .done = &done
		};
		loop_post(crew->hands[i].worker->loop, &orders[i].note, order_read);
	}
	for (unsigned i = 0; i < crew->count; i++) {
		while (sem_wait(&done) != 0)
			continue; /* a signal */
	}
	sem_destroy(&done);
	free(orders);
}

/* --- stopping ------------------------------------------------------------------------------ */

static void drain_all(struct hand *h, bool now)
{
	struct session *s, *following;

	for (s = LIST_FIRST(&h->worker->sessions); s != NULL; s = following) {
		following = session_next(s);
		session_drain(s, now);
	}
}

static void look_whether_empty(void *arg)
{
	struct hand *h = arg;
	uint64_t now = clock_ms();

	if (h->worker->session_count == 0) {
		h->empty = true;
		return;
	}
	if (now >= h->drain_until_ms + LAST_WORD_MS)
		worker_end_sessions(h->worker);
	else if (now >= h->drain_until_ms)
		drain_all(h, true);
	timer_set(&h->look, DRAIN_LOOK_MS);
}

static void drain(struct hand *h, void *arg)
{
	const uint32_t *within_ms = arg;
	uint64_t until = clock_ms() + *within_ms;

	while (!LIST_EMPTY(&h->stands))
		crew_stand_end(LIST_FIRST(&h->stands));
	if (!h->worker->draining || until < h->drain_until_ms)
		h->drain_until_ms = until; /* again: only sooner */
	h->worker->draining = true;
	drain_all(h, false);
	timer_set(&h->look, 0);
}

void crew_drain(struct crew *crew, uint32_t within_ms)
{
	pthread_mutex_lock(&crew->lock);
	crew->draining = true;
	crew_order(crew, drain, &within_ms);
	pthread_mutex_unlock(&crew->lock);
}

bool crew_is_empty(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		if (!crew->hands[i].empty)
			return false;
	}
	return true;
}

void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		loop_stop(crew->hands[i].worker->loop);
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->hands[i].thread, NULL);
}

/* --- birth and death ----------------------------------------------------------------------- */

static void *work(void *arg)
{
	struct hand *h = arg;
	char name[16]; /* for ps and top */

	snprintf(name, sizeof name, "worker %u", h->worker->index);
	pthread_setname_np(pthread_self(), name);
	loop_run(h->worker->loop);
	return NULL;
}

void crew_hire(struct crew *crew, unsigned count)
{
	CHECK(count <= WORKERS_MAX);
	while (crew->count < count) {
		struct hand *h = &crew->hands[crew->count];

		h->worker = worker_new(crew->count, crew->jobs, crew->series);
		h->worker->tarpitted = &crew->tarpitted;
		LIST_INIT(&h->stands);
		timer_init(&h->look, h->worker->loop, look_whether_empty, h);
		CHECK(pthread_create(&h->thread, NULL, work, h) == 0);
		crew->count++;
	}
}

struct crew *crew_new(unsigned workers, struct jobs *jobs, struct series_all *series)
{
	struct crew *crew = mem_new(sizeof *crew);

	crew->jobs = jobs;
	crew->series = series;
	crew->active = workers;
	pthread_mutex_init(&crew->lock, NULL);
	crew_hire(crew, workers);
	return crew;
}

void crew_free(struct crew *crew)
{
	if (crew == NULL)
		return;
	for (unsigned i = 0; i < crew->count; i++) {
		timer_stop(&crew->hands[i].look);
		worker_free(crew->hands[i].worker);
	}
	rules_unref(crew->rules);
	crew_forget_inherited(crew);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

/* --- looking in ---------------------------------------------------------------------------- */

unsigned crew_size(const struct crew *crew)
{
	return crew->active;
}

unsigned crew_threads(const struct crew *crew)
{
	return crew->count;
}

struct loop *crew_loop(struct crew *crew, unsigned worker)
{
	return crew->hands[worker].worker->loop;
}

bool crew_is_draining(struct crew *crew)
{
	return crew->draining;
}

static void pulse_read(struct note *n)
{
	struct hand *h = (struct hand *)((char *)n - offsetof(struct hand, pulse));

	h->pulse_out = false;
}

bool crew_turns(struct crew *crew)
{
	bool all = true;

	for (unsigned i = 0; i < crew->count; i++) {
		struct hand *h = &crew->hands[i];

		all &= !h->pulse_out;
		if (!h->pulse_out) {
			h->pulse_out = true;
			loop_post(h->worker->loop, &h->pulse, pulse_read);
		}
	}
	return all;
}

static void errand_home(struct note *n)
{
	struct errand *e = (struct errand *)n;

	e->home(e);
}

static void errand_visit(struct note *n)
{
	struct errand *e = (struct errand *)n;

	e->visit(e, e->crew->hands[e->at].worker);
	if (++e->at < e->crew->count)
		loop_post(crew_loop(e->crew, e->at), &e->note, errand_visit);
	else
		loop_post(e->loop, &e->note, errand_home);
}

void crew_send(struct crew *crew, struct errand *e, struct loop *from,
	       void (*visit)(struct errand *self, struct worker *w),
	       void (*home)(struct errand *self))
{
	e->crew = crew;
	e->loop = from;
	e->at = 0;
	e->visit = visit;
	e->home = home;
	loop_post(crew_loop(crew, 0), &e->note, errand_visit);
}

void crew_stats(struct crew *crew, struct crew_stats *out)
{
	memset(out, 0, sizeof *out);
	out->held = atomic_load_explicit(&crew->tarpitted, memory_order_relaxed);
	for (unsigned i = 0; i < crew->count; i++) {
		struct worker *w = crew->hands[i].worker;

#define ADD(name, text) out->name += atomic_load_explicit(&w->stats.name, memory_order_relaxed);
		WORKER_STATS(ADD)
#undef ADD
		out->live += atomic_load_explicit(&w->session_count, memory_order_relaxed);
	}
}

uint64_t crew_sessions(struct crew *crew)
{
	struct crew_stats sum;

	crew_stats(crew, &sum);
	return sum.live;
}
