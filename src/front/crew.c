/*
 * A worker's doors are its own: a stand is one listener of one worker, with the rules that its new
 * sessions begin with. What changes them (installing, draining) is carried to each worker by an
 * order, and whoever gave it waits until all have carried it out: workers never block, so that is
 * a turn of their loops.
 */
#include "front/inside.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "session/session.h"

enum {
	DRAIN_LOOK_MS = 20,	   /* how often a draining worker looks whether it is empty */
	LAST_WORD_MS = 2000,	   /* after the deadline's 421 */
	STARVED_LOG_MS = 10000,
	DESCRIPTORS_LEFT = 8,	   /* one in so many is not for clients */
};

static void hire(struct crew *crew, unsigned count);

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

/* --- doors --------------------------------------------------------------------------------- */

static void accepted(void *owner, int fd, const struct addr *peer, uint16_t peer_port)
{
	struct stand *stand = owner;

	session_begin(stand->hand->worker, stand->rules, stand->door, fd, peer, peer_port);
}

static void starved(void *owner, int error)
{
	struct stand *stand = owner;
	struct hand *h = stand->hand;
	uint64_t now = clock_ms();

	stat_add(&h->worker->stats.accept_pauses, 1);
	if (h->starved_log_ms != 0 && now - h->starved_log_ms < STARVED_LOG_MS)
		return;
	h->starved_log_ms = now;
	log_warn("accepting on %s pauses: %s", stand->door->name, strerror(error));
}

void crew_stand_close(struct stand *stand)
{
	LIST_REMOVE(stand, next);
	listener_free(stand->listener);
	rules_unref(stand->rules);
	free(stand);
}

static void stand_free(struct stand *stand)
{
	if (endpoint_is_unix(&stand->door->where))
		unlink(stand->door->where.path);
	crew_stand_close(stand);
}

static const struct door *door_at(const struct rules *rules, const struct endpoint *where)
{
	for (unsigned i = 0; rules != NULL && i < rules->door_count; i++) {
		if (endpoint_equal(&rules->doors[i].where, where))
			return &rules->doors[i];
	}
	return NULL;
}

struct opening {
	const struct door *door;
	unsigned worker;
	int fd;
};

struct installation {
	struct rules *rules;
	struct opening *list;
	unsigned count;
};

static void stand_open(struct hand *h, struct rules *rules, const struct door *door, int fd)
{
	struct stand *stand = mem_new(sizeof *stand);

	stand->hand = h;
	stand->rules = rules_ref(rules);
	stand->door = door;
	stand->listener = listener_new(h->worker->loop, fd, accepted, starved, stand);
	listener_leave(stand->listener, DESCRIPTORS_LEFT);
	LIST_INSERT_HEAD(&h->stands, stand, next);
}

/* Before the doors are opened anew on copies of their sockets. */
static void leave_doors(struct hand *h, void *arg)
{
	const struct rules *rules = arg;

	while (!LIST_EMPTY(&h->stands)) {
		struct stand *stand = LIST_FIRST(&h->stands);

		if (door_at(rules, &stand->door->where) != NULL)
			crew_stand_close(stand);
		else
			stand_free(stand);
	}
}

static void adapt(int fd, const struct door *door)
{
	if (!listener_adapt(fd, &door->where, door->backlog, door->file_mode))
		log_warn("%s keeps its Listen_Backlog or File_Mode: %s", door->name,
			 strerror(errno));
}

static void install(struct hand *h, void *arg)
{
	struct installation *in = arg;
	struct stand *stand = LIST_FIRST(&h->stands);

	h->worker->relay.hostname = in->rules->hostname; /* the crew holds the latest rules */
	while (stand != NULL) {
		struct stand *following = LIST_NEXT(stand, next);
		const struct door *door = door_at(in->rules, &stand->door->where);

		if (door == NULL) {
			stand_free(stand);
		} else {
			adapt(listener_fd(stand->listener), door);
			rules_unref(stand->rules);
			stand->rules = rules_ref(in->rules);
			stand->door = door;
		}
		stand = following;
	}
	for (unsigned i = 0; i < in->count; i++) {
		if (in->list[i].worker == h->worker->index)
			stand_open(h, in->rules, in->list[i].door, in->list[i].fd);
	}
}

static void opening_add(struct installation *in, const struct door *door, unsigned worker, int fd)
{
	in->list = mem_resize(in->list, in->count + 1, sizeof *in->list);
	in->list[in->count++] = (struct opening){ door, worker, fd };
}

static unsigned open_inherited(struct crew *crew, const struct door *door, struct installation *in)
{
	unsigned found = 0;

	for (unsigned i = 0; i < crew->inherited_count; i++) {
		struct crew_socket *s = &crew->inherited[i];

		if (s->fd < 0 || !endpoint_equal(&s->where, &door->where))
			continue;
		adapt(s->fd, door);
		opening_add(in, door, found++ % crew->active, s->fd);
		s->fd = -1;
	}
	return found;
}

/* A TCP door has a socket a worker; a Unix door one, the first worker's. */
static bool open_door(struct crew *crew, const struct door *door, struct installation *in,
		      struct complaints *complaints)
{
	unsigned sockets = endpoint_is_unix(&door->where) ? 1 : crew->active;
	unsigned inherited = open_inherited(crew, door, in);
	const char *why;

	for (unsigned i = inherited; i < sockets; i++) {
		int fd = listener_socket(&door->where, door->backlog, door->file_mode, sockets > 1,
					 &why);

		if (fd < 0 && inherited > 0)
			return true; /* what there was cannot be shared by more */
		if (fd < 0) {
			complain(complaints, (struct place){ 0 }, "cannot listen on %s: %s",
				 door->name, why);
			return false;
		}
		opening_add(in, door, i, fd);
	}
	return true;
}

/* Those of doors that are no more. */
static void forget_inherited(struct crew *crew)
{
	for (unsigned i = 0; i < crew->inherited_count; i++) {
		if (crew->inherited[i].fd >= 0)
			close(crew->inherited[i].fd);
	}
	free(crew->inherited);
	crew->inherited = NULL;
	crew->inherited_count = 0;
}

bool crew_install(struct crew *crew, struct rules *rules, struct complaints *complaints)
{
	struct installation in = { .rules = rules };
	unsigned before = crew->active;
	bool fine = true, anew;

	pthread_mutex_lock(&crew->lock);
	if (crew->draining || crew->retired) {
		complain(complaints, (struct place){ 0 }, "%s: nothing new can be opened",
			 crew->retired ? "handed over" : "draining");
		fine = false;
	}
	/* With another number of workers the sockets go round anew: none is closed on the way. */
	anew = fine && crew->rules != NULL && rules->workers != before;
	if (anew && !crew_gather(crew, &crew->inherited, &crew->inherited_count)) {
		complain(complaints, (struct place){ 0 },
			 "Workers cannot change: too few descriptors");
		fine = anew = false;
	}
	if (anew) {
		hire(crew, rules->workers);
		crew->active = rules->workers;
	}
	for (unsigned i = 0; fine && i < rules->door_count; i++) {
		if (anew || door_at(crew->rules, &rules->doors[i].where) == NULL)
			fine = open_door(crew, &rules->doors[i], &in, complaints);
	}
	if (fine) {
		if (anew)
			crew_order(crew, leave_doors, rules);
		crew_order(crew, install, &in);
		rules_unref(crew->rules);
		crew->rules = rules_ref(rules);
		forget_inherited(crew);
	} else {
		for (unsigned i = 0; i < in.count; i++)
			close(in.list[i].fd);
		if (anew)
			forget_inherited(crew); /* copies */
		crew->active = before;
	}
	pthread_mutex_unlock(&crew->lock);
	free(in.list);
	return fine;
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
		stand_free(LIST_FIRST(&h->stands));
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

static void hire(struct crew *crew, unsigned count)
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
	hire(crew, workers);
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
	forget_inherited(crew);
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
