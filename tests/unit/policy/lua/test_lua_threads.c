/* Each worker in its own state: two at once, with scripts that behave and that do not, and series
 * that they share. */
#include <pthread.h>
#include <stdatomic.h>

#include "series/series.h"
#include "world.h"

enum { ROUNDS = 400 };

struct worker_thread {
	pthread_t thread;
	struct world *world;
	uint16_t worker;
	unsigned failed;
	unsigned answered;
};

static atomic_uint acted_count;

static void count_acted(void *owner, const struct facts *facts, const struct action *action)
{
	(void)owner;
	(void)facts;
	(void)action;
	atomic_fetch_add(&acted_count, 1);
}

static void ignore_logged(void *owner, enum log_level level, const struct facts *facts,
			  const char *file, unsigned line, struct slice text)
{
	(void)owner;
	(void)level;
	(void)facts;
	(void)file;
	(void)line;
	(void)text;
}

static void *work(void *arg)
{
	struct worker_thread *t = arg;
	struct policy_run *run;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct facts facts = { .session = i + 1,
				       .worker = t->worker,
				       .peer = addr_of("192.0.2.7") };
		struct verdict verdict = { 0 };

		policy_ask(t->world->set, PHASE_CONNECT, &facts, &verdict, NULL, NULL, &run);
		t->failed += verdict.failed;
		t->answered += verdict.code == 250;
		policy_session_over(t->world->set, &facts);
		ctx_clear(&facts.conn);
		verdict_clear(&verdict);
	}
	return NULL;
}

static void start_and_join(struct world *w, struct worker_thread threads[2])
{
	for (unsigned i = 0; i < 2; i++) {
		threads[i].world = w;
		assert_int_equal(pthread_create(&threads[i].thread, NULL, work, &threads[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i].thread, NULL);
}

static void test_threads(void **state)
{
	static const char script[] =
		"local m, n = {}, 0\n"
		"local function nest() return (string.gsub('x', '.', nest)) end\n"
		"local function wrap() coroutine.wrap(wrap)() end\n"
		"function m:validate_connect(ac, vctx)\n"
		"  n = n + 1 self.n = n\n"
		"  if n % 40 == 0 then while true do end end\n"
		"  if n % 40 == 1 then wrap() end\n"
		"  if n % 40 == 2 then nest() end\n"
		"  vctx:set(0, 'n', n)\n"
		"  if msys.audit.inbound_session_count('/24', 'SMTP') == 0 then vctx:set_code(250, 'ok ' .. self.n) end\n"
		"  return 0 end\n"
		"msys.registerModule('limits', m)\n";
	struct worker_thread threads[2] = { { .worker = 0 }, { .worker = 1 } };
	struct world w;

	(void)state;
	world_init(&w);
	w.host.acted = count_acted;
	w.host.logged = ignore_logged;
	world_must_load(&w, NULL, script);
	start_and_join(&w, threads);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(threads[i].failed, 3 * ROUNDS / 40);
		assert_int_equal(threads[i].answered, ROUNDS - 3 * ROUNDS / 40);
	}
	assert_int_equal(acted_count, 2 * ROUNDS);
	world_fini(&w);
}

/* BZ4061: a named series in parallel brought the original down. */
static void test_BZ4061_shared_series(void **state)
{
	static const char script[] =
		"local m = {}\n"
		"function m:init() msys.audit_series.define('t', 'string', 3600, 2)\n"
		"  return msys.audit_series.define('s', 'cidr', 3600, 2) end\n"
		"function m:validate_connect(ac, vctx)\n"
		"  msys.audit_series.add('s') msys.audit_series.add('s', '198.51.100.1')\n"
		"  msys.audit_series.add('t', 'bob')\n"
		"  if msys.audit_series.count('s', '/24') >= 1 and msys.audit_series.count('t', 'bob') >= 1\n"
		"    then vctx:set_code(250, 'ok') end\n"
		"  msys.audit_series.remove_item('s', '198.51.100.1')\n"
		"  return 0 end\n"
		"msys.registerModule('limits', m)\n";
	static const struct series_key net = { .block = { { .family = ADDR_V4 }, 0 } };
	static const struct series_key bob = { .text = { "bob", 3 } };
	struct worker_thread threads[2] = { { .worker = 0 }, { .worker = 1 } };
	const struct series_definition *d;
	struct bounds sum;
	struct world w;
	bool dropped;

	(void)state;
	world_init(&w);
	w.host.acted = count_acted;
	w.host.logged = ignore_logged;
	w.host.series = series_all_new();
	world_must_load(&w, NULL, script);
	for (unsigned n = 0; (d = policy_set_definition(w.set, n)); n++)
		assert_null(series_define(w.host.series, d, &dropped));
	start_and_join(&w, threads);
	assert_int_equal(threads[0].answered + threads[1].answered, 2 * ROUNDS);
	assert_null(series_sum(series_defined(w.host.series, SLICE("s")), &net, 0, 1, &sum));
	assert_int_equal(sum.low, 2 * ROUNDS);
	assert_null(series_sum(series_defined(w.host.series, SLICE("t")), &bob, 0, 1, &sum));
	assert_int_equal(sum.low, 2 * ROUNDS);
	world_fini(&w);
	series_all_free(w.host.series);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_BZ4061_shared_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
