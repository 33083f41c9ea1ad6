/*
 * loop - one thread's event loop, its timers, and its end of turn.
 *
 * Everything here belongs to the loop's own thread except loop_post and loop_stop, which any
 * thread may call. Only net/ knows that libevent is behind it.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;
struct event_base;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
/* For net/ and for libraries that bring an adapter. */
struct event_base *loop_base(struct loop *loop);

/* Fires once, a while after it was set; never from inside timer_set. Embedded in its owner. */
struct timer {
	struct event event;
	void (*fire)(void *arg);
	void *arg;
};
void timer_init(struct timer *t, struct loop *loop, void (*fire)(void *arg), void *arg);
void timer_set(struct timer *t, uint64_t after_ms); /* again: moves it */
void timer_stop(struct timer *t);		    /* harmless when not set */
bool timer_is_set(const struct timer *t);

/*
 * End of turn. What has callbacks is not freed where it dies but here, when no event of this turn
 * can still hold it. Embedded in what is buried.
 */
struct burial {
	SLIST_ENTRY(burial) next;
	void (*bury)(struct burial *self);
};
void loop_bury(struct loop *loop, struct burial *b, void (*bury)(struct burial *self));

/* Run on the loop's thread, in the order posted, from the loop. Embedded; one post at a time. */
struct note {
	STAILQ_ENTRY(note) next;
	void (*read)(struct note *self);
};
void loop_post(struct loop *loop, struct note *n, void (*read)(struct note *self));

#endif
