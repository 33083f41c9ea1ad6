/* Somebody who asks commands of a small world, step by step as a console does. */
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/ask.h"
#include "fake_world.h"

struct fixture {
	struct fake_world *f;
	struct loop *loop;
	struct buf out; /* of a step */
	struct buf all;
	struct asker by;
	unsigned errands, steps;
	bool waiting;
};

static inline void fixture_home(void *owner)
{
	struct fixture *fx = owner;

	fx->waiting = false;
	loop_stop(fx->loop);
}

static inline struct fixture *fixture_new(void)
{
	struct fixture *fx = mem_new(sizeof *fx);

	fx->f = fake_world_new();
	fx->loop = loop_new();
	buf_init(&fx->out, ASK_OUT_MAX);
	fx->by = (struct asker){
		.world = &fx->f->world,
		.loop = fx->loop,
		.errands = &fx->errands,
		.home = fixture_home,
		.owner = fx,
		.out = &fx->out,
		.rights = RIGHT_LOOK | RIGHT_CHANGE,
	};
	return fx;
}

static inline void fixture_free(struct fixture *fx)
{
	buf_free(&fx->out);
	buf_free(&fx->all);
	loop_free(fx->loop);
	fake_world_free(fx->f);
	free(fx);
}

/* The whole answer; borrowed until the next one. */
static inline const char *say(struct fixture *fx, const char *line)
{
	char *copy = mem_strdup(line);
	struct ask a;
	enum ask_step step;

	buf_clear(&fx->all);
	fx->steps = 0;
	for (step = ask_begin(&a, &fx->by, copy, strlen(copy));; step = ask_go_on(&a)) {
		fx->steps++;
		assert_true(buf_add_slice(&fx->all, buf_slice(&fx->out)));
		buf_clear(&fx->out);
		if (step == ASK_DONE)
			break;
		for (fx->waiting = step == ASK_WAIT; fx->waiting;)
			loop_run(fx->loop);
	}
	ask_end(&a);
	free(copy);
	assert_int_equal(fx->errands, 0);
	return buf_text(&fx->all);
}

#endif
