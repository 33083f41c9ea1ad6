/* One set, two workers, two disk threads: scripts that are always read again, and grow new names.
 */
#include "policy/sieve/world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WORKERS = 2, ASKS = 150, FILES = 5 };

struct worker {
	pthread_t thread;
	unsigned index;
	struct loop *loop;
	struct policy_set *set;
	struct facts facts;
	struct verdict verdict;
	struct policy_run *run;
	unsigned left;
};

static struct worker workers[WORKERS];
static atomic_uint logs, others;

static void shared_acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	(void)action;
	others++;
}

static void shared_logged(void *owner, enum log_level level, const struct facts *facts,
			  const char *file, unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	(void)file;
	(void)line;
	*(slice_equal(text, SLICE("x y")) ? &logs : &others) += 1;
}

static struct loop *shared_loop(void *owner, unsigned worker)
{
	(void)owner;
	return workers[worker].loop;
}

static void said(void *owner);

/* One after another, until an answer has to be waited for. */
static void go_on(struct worker *w)
{
	while (w->left > 0) {
		w->left--;
		ctx_clear(&w->facts.conn);
		w->facts.helo =
			slice_of((const char *[]){ "a", "b", "c", "d", "e" }[w->left % FILES]);
		if (policy_ask(w->set, PHASE_EHLO, &w->facts, &w->verdict, said, w, &w->run) ==
		    POLICY_WAIT)
			return;
	}
	loop_stop(w->loop);
}

static void said(void *owner)
{
	go_on(owner);
}

static void begin(void *owner)
{
	go_on(owner);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct timer timer;

	timer_init(&timer, w->loop, begin, w);
	timer_set(&timer, 1);
	loop_run(w->loop);
	return NULL;
}

static void includes(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->host.acted = shared_acted;
	w->host.logged = shared_logged;
	w->host.loop = shared_loop;
	w->host.jobs = w->jobs = jobs_new(2);
	w->conf.workers = WORKERS;
	w->stanza.cache_size = 2;
	w->stanza.cache_life_s = 0;
	world_script(
		w, "ehlo_phase1", "main.sieve",
		"$a = \"x\"; ec_include \"%{vctx_conn:ehlo_domain}.sieve\"; ec_log \"${a} ${b}\";",
		false);
	for (unsigned i = 0; i < FILES; i++) {
		char name[16], text[80];

		snprintf(name, sizeof name, "%c.sieve", 'a' + (int)i);
		snprintf(text, sizeof text, "$of_%u = \"y\"; $b = \"${of_%u}\"; $later_%u = $b;", i,
			 i, i);
		world_file(w, name, slice_of(text));
	}
	assert_true(world_load_set(w));
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .index = i,
					      .loop = loop_new(),
					      .set = w->set,
					      .left = ASKS,
					      .facts = { .worker = (uint16_t)i } };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		policy_session_over(w->set, &workers[i].facts);
		verdict_clear(&workers[i].verdict);
	}
	assert_int_equal(others, 0);
	assert_int_equal(logs, WORKERS * ASKS);
	policy_unref(w->set);
	w->set = NULL;
	jobs_free(w->jobs);
	w->jobs = NULL;
	for (unsigned i = 0; i < WORKERS; i++)
		loop_free(workers[i].loop);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(includes) };

	return cmocka_run_group_tests_name("include, threads", tests, NULL, NULL);
}
