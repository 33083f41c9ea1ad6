#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/jobs.h"
#include "net/loop.h"

enum { THREADS = 3, NOTES = 2000, JOBS = 500 };

/* --- end of turn --------------------------------------------------------------------------- */

struct body {
	struct loop *loop;
	struct burial burial;
	struct timer first, second;
	int fired;
	int fired_at_burial;
};

static void buried(struct burial *b)
{
	struct body *body = (struct body *)((char *)b - offsetof(struct body, burial));

	body->fired_at_burial = body->fired;
	loop_stop(body->loop);
}

static void dies(void *arg)
{
	struct body *body = arg;

	if (body->fired++ == 0)
		loop_bury(body->loop, &body->burial, buried);
}

static void the_dead_are_freed_when_no_event_of_the_turn_is_left(void **state)
{
	struct body body = { .loop = loop_new() };

	(void)state;
	timer_init(&body.first, body.loop, dies, &body);
	timer_init(&body.second, body.loop, dies, &body);
	timer_set(&body.first, 0);
	timer_set(&body.second, 0);
	assert_true(timer_is_set(&body.first));
	loop_run(body.loop);
	assert_int_equal(body.fired_at_burial, 2);
	loop_free(body.loop);
}

/* --- notes --------------------------------------------------------------------------------- */

struct letter {
	struct note note;
	struct postbox *box;
	unsigned from, number;
};

struct postbox {
	struct loop *loop;
	unsigned next[THREADS]; /* the number expected from each sender */
	unsigned got;
};

struct sender {
	struct postbox *box;
	struct letter *letters;
	unsigned from;
};

static void letter_read(struct note *n)
{
	struct letter *l = (struct letter *)n;

	assert_int_equal(l->number, l->box->next[l->from]++);
	if (++l->box->got == THREADS * NOTES)
		loop_stop(l->box->loop);
}

static void *send_letters(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < NOTES; i++) {
		s->letters[i] = (struct letter){ .box = s->box, .from = s->from, .number = i };
		loop_post(s->box->loop, &s->letters[i].note, letter_read);
	}
	return NULL;
}

static void notes_of_a_thread_come_once_and_in_order(void **state)
{
	struct postbox box = { .loop = loop_new() };
	struct sender senders[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		senders[i] = (struct sender){ &box, mem_array(NOTES, sizeof(struct letter)), i };
		assert_int_equal(pthread_create(&threads[i], NULL, send_letters, &senders[i]), 0);
	}
	loop_run(box.loop);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		free(senders[i].letters);
	}
	assert_int_equal(box.got, THREADS * NOTES);
	loop_free(box.loop);
}

/* --- jobs ---------------------------------------------------------------------------------- */

struct sum {
	struct job job;
	struct loop *loop;
	unsigned *left;
	unsigned in, out;
};

static void add_up(struct job *job)
{
	struct sum *s = (struct sum *)job;

	for (unsigned i = 1; i <= s->in; i++)
		s->out += i;
}

static void added(struct job *job)
{
	struct sum *s = (struct sum *)job;

	assert_int_equal(s->out, s->in * (s->in + 1) / 2);
	if (--*s->left == 0)
		loop_stop(s->loop);
}

static void a_job_is_done_once_and_told_on_the_loop_that_asked(void **state)
{
	struct loop *loop = loop_new();
	struct jobs *jobs = jobs_new(THREADS);
	struct sum *sums = mem_array(JOBS, sizeof *sums);
	unsigned left = JOBS;

	(void)state;
	for (unsigned i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){ .loop = loop, .left = &left, .in = i };
		jobs_start(jobs, loop, &sums[i].job, add_up, added);
	}
	loop_run(loop);
	assert_int_equal(left, 0);
	jobs_free(jobs);
	loop_free(loop);
	free(sums);
}

static void what_was_asked_before_the_end_is_still_told(void **state)
{
	struct loop *loop = loop_new();
	struct jobs *jobs = jobs_new(1);
	struct sum *sums = mem_array(JOBS, sizeof *sums);
	unsigned left = JOBS;

	(void)state;
	for (unsigned i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){ .loop = loop, .left = &left, .in = i };
		jobs_start(jobs, loop, &sums[i].job, add_up, added);
	}
	jobs_free(jobs);
	loop_free(loop);
	assert_int_equal(left, 0);
	free(sums);
}

static void ended_again(struct job *job)
{
	--*((struct sum *)job)->left;
}

/* As the last reader of a file has it closed. */
static void asked_again(struct job *job)
{
	struct sum *s = (struct sum *)job;

	assert_int_equal(s->out, 1);
	jobs_start(job->jobs, s->loop, job, add_up, ended_again);
}

static void what_is_asked_after_the_end_is_done_and_told(void **state)
{
	struct loop *loop = loop_new();
	struct jobs *jobs = jobs_new(1);
	unsigned left = 1;
	struct sum sum = { .loop = loop, .left = &left, .in = 1 };

	(void)state;
	jobs_start(jobs, loop, &sum.job, add_up, asked_again);
	jobs_free(jobs);
	loop_free(loop);
	assert_int_equal(sum.out, 2);
	assert_int_equal(left, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dead_are_freed_when_no_event_of_the_turn_is_left),
		cmocka_unit_test(notes_of_a_thread_come_once_and_in_order),
		cmocka_unit_test(a_job_is_done_once_and_told_on_the_loop_that_asked),
		cmocka_unit_test(what_was_asked_before_the_end_is_still_told),
		cmocka_unit_test(what_is_asked_after_the_end_is_done_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
