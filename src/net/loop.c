/*
 * The burial event is only made active, never added to the poll: so it stands behind every event
 * that this turn has found. It has no priority of its own: a lower one would never have its turn
 * while there is always something to do.
 */
#include "net/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

/* Then sockets and timers are looked at again, whatever makes itself active over and over. Who has
 * endless input does so each time: until then nobody else is even known to wait. */
enum { CALLBACKS_A_TURN = 8 };

struct loop {
	struct event_base *base;
	struct event *end_of_turn;
	struct event *posted;
	int posted_fd;
	_Atomic bool stopping;
	SLIST_HEAD(, burial) graves;
	pthread_mutex_t lock;
	STAILQ_HEAD(, note) notes; /* under lock */
};

static void bury_all(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd, (void)what;
	while (!SLIST_EMPTY(&loop->graves)) {
		struct burial *b = SLIST_FIRST(&loop->graves);

		SLIST_REMOVE_HEAD(&loop->graves, next);
		b->bury(b);
	}
}

static void read_notes(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	STAILQ_HEAD(, note) mine = STAILQ_HEAD_INITIALIZER(mine);
	uint64_t ignored;

	(void)what;
	if (read(fd, &ignored, sizeof ignored) < 0)
		ignored = 0; /* somebody read it before us: the notes are what counts */
	pthread_mutex_lock(&loop->lock);
	STAILQ_CONCAT(&mine, &loop->notes);
	pthread_mutex_unlock(&loop->lock);
	while (!STAILQ_EMPTY(&mine)) {
		struct note *n = STAILQ_FIRST(&mine);

		STAILQ_REMOVE_HEAD(&mine, next);
		n->read(n);
	}
	if (loop->stopping)
		event_base_loopbreak(loop->base);
}

struct loop *loop_new(void)
{
	struct loop *loop = mem_new(sizeof *loop);
	struct event_config *config = event_config_new();

	CHECK(config != NULL);
	event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
	event_config_set_max_dispatch_interval(config, NULL, CALLBACKS_A_TURN, 0);
	/* One thread; others only write to an eventfd. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	CHECK(loop->base != NULL);
	SLIST_INIT(&loop->graves);
	STAILQ_INIT(&loop->notes);
	pthread_mutex_init(&loop->lock, NULL);

	loop->end_of_turn = event_new(loop->base, -1, 0, bury_all, loop);
	loop->posted_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(loop->posted_fd >= 0);
	loop->posted =
		event_new(loop->base, loop->posted_fd, EV_READ | EV_PERSIST, read_notes, loop);
	event_add(loop->posted, NULL);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (!STAILQ_EMPTY(&loop->notes)) /* what disk threads finished after the last turn */
		read_notes(loop->posted_fd, 0, loop);
	bury_all(-1, 0, loop);
	event_free(loop->end_of_turn);
	event_free(loop->posted);
	close(loop->posted_fd);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_run(struct loop *loop)
{
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static void ring(struct loop *loop)
{
	uint64_t one = 1;

	while (write(loop->posted_fd, &one, sizeof one) < 0)
		continue; /* only EINTR: the counter can't be full */
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
	ring(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void fired(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd, (void)what;
	t->fire(t->arg);
}

void timer_init(struct timer *t, struct loop *loop, void (*fire)(void *arg), void *arg)
{
	t->fire = fire;
	t->arg = arg;
	event_assign(&t->event, loop->base, -1, 0, fired, t);
}

void timer_set(struct timer *t, uint64_t after_ms)
{
	struct timeval tv = { (time_t)(after_ms / 1000), (suseconds_t)(after_ms % 1000 * 1000) };

	event_add(&t->event, &tv);
}

void timer_stop(struct timer *t)
{
	event_del(&t->event);
}

bool timer_is_set(const struct timer *t)
{
	return event_pending(&t->event, EV_TIMEOUT, NULL);
}

void loop_bury(struct loop *loop, struct burial *b, void (*bury)(struct burial *self))
{
	b->bury = bury;
	if (SLIST_EMPTY(&loop->graves))
		event_active(loop->end_of_turn, EV_TIMEOUT, 0);
	SLIST_INSERT_HEAD(&loop->graves, b, next);
}

void loop_post(struct loop *loop, struct note *n, void (*read)(struct note *self))
{
	bool first;

	n->read = read;
	pthread_mutex_lock(&loop->lock);
	first = STAILQ_EMPTY(&loop->notes);
	STAILQ_INSERT_TAIL(&loop->notes, n, next);
	pthread_mutex_unlock(&loop->lock);
	if (first)
		ring(loop);
}
