/*
 * The tree under several threads (T8): exact at quiet points, and during churn never an answer
 * outside what was possible.
 *
 * Churners enter and leave addresses of one kind, in tides, so that nodes burst and collapse under
 * the readers. Movers keep a fixed number of sessions in one small block, entering the next address
 * before leaving the last: there, an instantaneous count is never below that number, and above it
 * by at most one a mover. Permanent sessions stand among them all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "audit/cidr_tree.h"
#include "oracle.h"

enum { CHURNERS = 2, READERS = 2, ROUNDS = 4, STEPS = 8000 };
enum { POOL = 400, PERMANENT = 150, MOVING = 20 };
enum { THREADS = CHURNERS + 1 + READERS };

/* What one churner has done: begun before the call, done after it. */
struct tally {
	_Atomic long enter_begun, enter_done, leave_begun, leave_done;
};

struct scene {
	struct cidr_tree *tree;
	address_kind *kind;
	struct addr permanent[PERMANENT];
	struct oracle permanents;
	struct addr pools[CHURNERS][POOL];
	unsigned live[CHURNERS];
	struct tally tally[CHURNERS];
	struct addr moving[MOVING];
	struct cidr moving_block; /* as short as the sharding key */
	pthread_barrier_t start, stop;
	_Atomic int working; /* churners and movers still in the round */
	_Atomic int wrong;
	_Atomic long answers;
};

struct actor {
	struct scene *scene;
	unsigned nth;
	struct random random;
	void (*act)(struct actor *me);
};

static void complain_of(struct scene *s, const struct cidr *block, uint64_t got, uint64_t low,
			uint64_t high)
{
	char text[CIDR_TEXT_MAX];

	if (atomic_fetch_add(&s->wrong, 1) < 10)
		print_error("%s: %lu, possible were %lu to %lu\n", cidr_print(block, text),
			    (unsigned long)got, (unsigned long)low, (unsigned long)high);
}

static void churn(struct actor *me)
{
	struct scene *s = me->scene;
	struct tally *tally = &s->tally[me->nth];
	struct addr *pool = s->pools[me->nth];
	unsigned *live = &s->live[me->nth];

	for (unsigned step = 0; step < STEPS; step++) {
		bool flood = step / (STEPS / 8) % 2 == 0;

		if (*live < POOL &&
		    (*live == 0 || random_below(&me->random, 10) < (flood ? 8 : 2))) {
			pool[*live] = s->kind(&me->random);
			atomic_fetch_add(&tally->enter_begun, 1);
			cidr_tree_enter(s->tree, &pool[(*live)++]);
			atomic_fetch_add(&tally->enter_done, 1);
		} else {
			unsigned i = (unsigned)random_below(&me->random, *live);

			atomic_fetch_add(&tally->leave_begun, 1);
			cidr_tree_leave(s->tree, &pool[i]);
			atomic_fetch_add(&tally->leave_done, 1);
			pool[i] = pool[--*live];
		}
	}
	atomic_fetch_sub(&s->working, 1);
}

static struct addr within(const struct cidr *block, struct random *r)
{
	struct addr a = block->addr;

	if (a.family == ADDR_V4)
		a.hi |= random_below(r, 256) << 32;
	else
		a.lo |= random_next(r);
	return a;
}

static void move(struct actor *me)
{
	struct scene *s = me->scene;

	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)random_below(&me->random, MOVING);
		struct addr next = within(&s->moving_block, &me->random);

		cidr_tree_enter(s->tree, &next);
		cidr_tree_leave(s->tree, &s->moving[i]);
		s->moving[i] = next;
	}
	atomic_fetch_sub(&s->working, 1);
}

static uint64_t at_least(const struct scene *s, bool before)
{
	long n = 0;

	for (unsigned i = 0; i < CHURNERS; i++)
		n += before ? atomic_load(&s->tally[i].enter_done)
			    : -atomic_load(&s->tally[i].leave_begun);
	return (uint64_t)n;
}

static uint64_t at_most(const struct scene *s, bool before)
{
	long n = 0;

	for (unsigned i = 0; i < CHURNERS; i++)
		n += before ? -atomic_load(&s->tally[i].leave_done)
			    : atomic_load(&s->tally[i].enter_begun);
	return (uint64_t)n;
}

/* Everything there is, all of it in one question: the short prefix that T8 is about. */
static void read_all(struct actor *me)
{
	struct scene *s = me->scene;
	struct cidr all = { .addr.family = s->moving_block.addr.family };
	uint64_t low = at_least(s, true), high = at_most(s, true), got;

	got = cidr_tree_count(s->tree, &all);
	low += at_least(s, false);
	high += at_most(s, false);
	if ((int64_t)low < 0)
		low = 0;
	/* a mover's session may hop from where the sum has not been to where it has, and back */
	if (got < PERMANENT + low || got > PERMANENT + high + MOVING + STEPS)
		complain_of(s, &all, got, PERMANENT + low, PERMANENT + high + MOVING + STEPS);
}

static void read_any(struct actor *me)
{
	struct scene *s = me->scene;
	const struct addr *at = &s->permanent[random_below(&me->random, PERMANENT)];
	struct cidr block = cidr_of(at, (unsigned)random_below(&me->random, addr_bits(at) + 1));
	uint64_t most = PERMANENT + CHURNERS * POOL + MOVING + STEPS;
	struct counts low = oracle_ask(&s->permanents, &block);
	uint64_t count = cidr_tree_count(s->tree, &block),
		 distinct = cidr_tree_distinct(s->tree, &block);

	if (count < low.count || count > most)
		complain_of(s, &block, count, low.count, most);
	if (distinct < low.distinct || distinct > most)
		complain_of(s, &block, distinct, low.distinct, most);
}

static void read_moving(struct actor *me)
{
	struct scene *s = me->scene;
	uint64_t got = cidr_tree_count(s->tree, &s->moving_block);

	if (got < MOVING || got > MOVING + 1)
		complain_of(s, &s->moving_block, got, MOVING, MOVING + 1);
}

static void read(struct actor *me)
{
	struct scene *s = me->scene;

	while (atomic_load(&s->working) > 0) {
		read_all(me);
		read_any(me);
		read_moving(me);
		atomic_fetch_add(&s->answers, 4);
	}
}

static void *run(void *arg)
{
	struct actor *me = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&me->scene->start);
		me->act(me);
		pthread_barrier_wait(&me->scene->stop);
	}
	return NULL;
}

static void check_quiet(const struct scene *s, const char *name)
{
	struct random r = { 42 };
	struct oracle oracle;

	oracle_init(&oracle, PERMANENT + CHURNERS * POOL + MOVING);
	for (unsigned i = 0; i < PERMANENT; i++)
		oracle_add(&oracle, &s->permanent[i], 1);
	for (unsigned i = 0; i < MOVING; i++)
		oracle_add(&oracle, &s->moving[i], 1);
	for (unsigned c = 0; c < CHURNERS; c++)
		for (unsigned i = 0; i < s->live[c]; i++)
			oracle_add(&oracle, &s->pools[c][i], 1);
	for (unsigned i = 0; i < 32; i++) {
		const struct addr *a = &oracle.list[random_below(&r, oracle.used)].addr;

		for (unsigned len = 0; len <= addr_bits(a); len++) {
			struct cidr block = cidr_of(a, len);
			struct counts want = oracle_ask(&oracle, &block);

			if (cidr_tree_count(s->tree, &block) != want.count ||
			    cidr_tree_distinct(s->tree, &block) != want.distinct)
				fail_msg("%s: wrong at a quiet point, /%u", name, len);
		}
	}
	free(oracle.list);
}

static void scene_set(struct scene *s, unsigned kind)
{
	struct random r = { 1 + kind };
	struct addr home = address_kinds[kind].family == ADDR_V4 ? v4(0x7f420000) : v6_one_64(&r);

	*s = (struct scene){ .tree = cidr_tree_new(address_kinds[kind].family),
			     .kind = address_kinds[kind].next };
	s->moving_block = cidr_of(&home, home.family == ADDR_V4 ? 24 : 64);
	if (home.family == ADDR_V6)
		s->moving_block.addr.hi ^= 0x4200000000000000; /* no churner comes here */
	oracle_init(&s->permanents, PERMANENT);
	for (unsigned i = 0; i < PERMANENT; i++) {
		s->permanent[i] = s->kind(&r);
		cidr_tree_enter(s->tree, &s->permanent[i]);
		oracle_add(&s->permanents, &s->permanent[i], 1);
	}
	for (unsigned i = 0; i < MOVING; i++) {
		s->moving[i] = within(&s->moving_block, &r);
		cidr_tree_enter(s->tree, &s->moving[i]);
	}
	pthread_barrier_init(&s->start, NULL, THREADS + 1);
	pthread_barrier_init(&s->stop, NULL, THREADS + 1);
}

static void scene_clear(struct scene *s)
{
	struct cidr all = { .addr.family = s->moving_block.addr.family };

	for (unsigned i = 0; i < PERMANENT; i++)
		cidr_tree_leave(s->tree, &s->permanent[i]);
	for (unsigned i = 0; i < MOVING; i++)
		cidr_tree_leave(s->tree, &s->moving[i]);
	for (unsigned c = 0; c < CHURNERS; c++)
		while (s->live[c] > 0)
			cidr_tree_leave(s->tree, &s->pools[c][--s->live[c]]);
	assert_int_equal(cidr_tree_count(s->tree, &all), 0);
	assert_int_equal(cidr_tree_distinct(s->tree, &all), 0);
	pthread_barrier_destroy(&s->start);
	pthread_barrier_destroy(&s->stop);
	free(s->permanents.list);
	cidr_tree_free(s->tree);
}

static void play(unsigned kind)
{
	struct scene *s = mem_new(sizeof *s);
	struct actor actors[THREADS];
	pthread_t threads[THREADS];

	scene_set(s, kind);
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ s, i, { 1000 * kind + i + 1 }, read };
		if (i < CHURNERS)
			actors[i].act = churn;
		else if (i == CHURNERS)
			actors[i].act = move;
		pthread_create(&threads[i], NULL, run, &actors[i]);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		atomic_store(&s->working, CHURNERS + 1);
		pthread_barrier_wait(&s->start);
		pthread_barrier_wait(&s->stop);
		check_quiet(s, address_kinds[kind].name);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s->wrong, 0);
	assert_true(s->answers > 0);
	scene_clear(s);
	free(s);
}

static void test_churn_under_readers_T8(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ADDRESS_KINDS; kind++)
		play(kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_churn_under_readers_T8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
