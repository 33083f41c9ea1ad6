#include "policy/sieve/world.h"

#include "base/clock.h"

/* phase1 and phase2 of one phase (1.6). */
static void halves(void **state)
{
	static const struct {
		const char *name;
		const char *first, *second;
		bool first_observes, second_observes;
		const char *want_told;
		uint16_t want_code;
	} cases[] = {
		{ "both run", "ec_log \"1\";", "ec_log \"2\";", false, false,
		  "log a.sieve:1: 1\nlog b.sieve:1: 2\n", 0 },
		{ "only a second", NULL, "ec_log \"2\";", false, false, "log b.sieve:1: 2\n", 0 },
		{ "D21 after stop the second runs", "stop;", "ec_log \"2\";", false, false,
		  "log b.sieve:1: 2\n", 0 },
		{ "D21 other terminal actions skip it", "keep;", "ec_log \"2\";", false, false,
		  "keep a.sieve:1\n", 0 },
		{ "an answer skips it", "ec_action 550 \"no\";", "ec_log \"2\";", false, false,
		  "ec_action 550 \"no\" a.sieve:1\n", 550 },
		{ "a tarpit does not", "ec_tarpit 1;", "ec_tarpit 2;", false, false,
		  "ec_tarpit 1000ms a.sieve:1\nec_tarpit 2000ms b.sieve:1\n", 0 },
		{ "D11 variables do not survive", "$x = \"1\";", "ec_log \"<${x}>\";", false, false,
		  "log b.sieve:1: <>\n", 0 },
		{ "an error ends both", "$c = 1; ec_action $c \"x\";", "ec_log \"2\";", false, false,
		  "error 421 \"a reply code is 200 to 299 or 400 to 599\" a.sieve:1\n", 421 },
		{ "observed: nothing is done, the other runs", "ec_action 550 \"no\";",
		  "ec_action 450 \"later\";", true, false,
		  "ec_action 550 \"no\" a.sieve:1 observe\nec_action 450 \"later\" b.sieve:1\n",
		  450 },
		{ "observed: it ends all the same", "keep; ec_log \"x\";", "ec_log \"2\";", true,
		  false, "keep a.sieve:1 observe\nlog b.sieve:1: 2\n", 0 },
		{ "observed: an error is only told", "$c = 1; ec_action $c \"x\";", "ec_log \"2\";", true,
		  false,
		  "error 421 \"a reply code is 200 to 299 or 400 to 599\" a.sieve:1 observe\nlog "
		  "b.sieve:1: 2\n",
		  0 },
		{ "the second observes", "ec_log \"1\";", "ec_action 550 \"no\";", false, true,
		  "log a.sieve:1: 1\nec_action 550 \"no\" b.sieve:1 observe\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = world_new();

		if (cases[i].first != NULL)
			world_script(w, "connect_phase1", "a.sieve", cases[i].first,
				     cases[i].first_observes);
		world_script(w, "connect_phase2", "b.sieve", cases[i].second,
			     cases[i].second_observes);
		assert_true(world_load_set(w));
		assert_true(policy_handles(w->set, PHASE_CONNECT));
		assert_false(policy_handles(w->set, PHASE_DATA));
		world_ask(w, PHASE_CONNECT);
		expect_told(w, cases[i].name, cases[i].want_told);
		assert_int_equal(w->verdict.code, cases[i].want_code);
		world_free(w);
	}
}

/* D21: phase2 has its say after `stop` only if the answer so far is a yes. Two stanzas make it. */
static void stop_after_an_answer(void **state)
{
	static const struct {
		const char *code;
		const char *want_told;
	} cases[] = { { "550", "" }, { "250", "log b.sieve:1: 2\n" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = world_new();
		char script[64];

		snprintf(script, sizeof script, "ec_error_mode \"continue\"; stop;");
		world_script(w, "connect_phase1", "a.sieve", script, false);
		world_script(w, "connect_phase2", "b.sieve", "ec_log \"2\";", false);
		assert_true(world_load_set(w));
		w->verdict.code = (uint16_t)atoi(cases[i].code);
		world_ask(w, PHASE_CONNECT);
		expect_told(w, cases[i].code, cases[i].want_told);
		world_free(w);
	}
}

/* D23: what the end of a script means for the stanza behind it. */
static void chain(void **state)
{
	static const struct {
		const char *first;
		const char *want_told;
	} cases[] = {
		{ "ec_log \"1\";", "log a.sieve:1: 1\nlog b.sieve:1: 2\n" },
		{ "stop;", "log b.sieve:1: 2\n" },
		{ "keep;", "keep a.sieve:1\nlog b.sieve:1: 2\n" },
		{ "ec_disconnect;", "ec_disconnect a.sieve:1\nlog b.sieve:1: 2\n" },
		{ "ec_action 550 \"no\";", "ec_action 550 \"no\" a.sieve:1\n" },
		{ "ec_disconnect 421 \"no\";", "ec_disconnect 421 \"no\" a.sieve:1\n" },
		{ "$c = 1; ec_action $c \"x\";",
		  "error 421 \"a reply code is 200 to 299 or 400 to 599\" a.sieve:1\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = world_new();
		struct policy_stanza stanzas[2];

		world_script(w, "connect_phase1", "a.sieve", cases[i].first, false);
		world_script(w, "connect_phase1", "b.sieve", "ec_log \"2\";", false);
		stanzas[0] = stanzas[1] = w->stanza;
		stanzas[0].script_count = stanzas[1].script_count = 1;
		stanzas[1].scripts++;
		w->conf.stanzas = stanzas;
		w->conf.stanza_count = 2;
		assert_true(world_load_set(w));
		world_ask(w, PHASE_CONNECT);
		expect_told(w, cases[i].first, cases[i].want_told);
		world_free(w);
	}
}

static void run_with(struct world *w, const char *name, enum phase phase,
		     struct sieve_budget budget, unsigned want_waits, const char *want_told)
{
	w->budget = budget;
	assert_true(world_load_set(w));
	world_ask(w, phase);
	expect_told(w, name, want_told);
	assert_int_equal(w->waits > 0, want_waits);
	world_free(w);
}

/* Ten lines of a log: some thirty steps. */
static const char ten_lines[] = "$n = \"x\"; ec_log \"${n}0\"; ec_log \"${n}1\"; ec_log \"${n}2\"; "
				"if ec_test $n \"x\" { ec_log \"${n}3\"; }"
				"ec_log \"${n}4\"; ec_log \"${n}5\"; ec_log \"${n}6\"; ec_log "
				"\"${n}7\"; ec_log \"${n}8\"; ec_log \"${n}9\";";
static const char ten_told[] = "log a.sieve:1: x0\nlog a.sieve:1: x1\nlog a.sieve:1: x2\nlog "
			       "a.sieve:1: x3\nlog a.sieve:1: x4\n"
			       "log a.sieve:1: x5\nlog a.sieve:1: x6\nlog a.sieve:1: x7\nlog "
			       "a.sieve:1: x8\nlog a.sieve:1: x9\n";

static void slices(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_can_wait(w);
	world_script(w, "rcptto_phase1", "a.sieve", ten_lines, false);
	run_with(w, "a step at a time", PHASE_RCPTTO, (struct sieve_budget){ 1, 1000 }, true,
		 ten_told);

	w = world_new();
	world_can_wait(w);
	world_script(w, "rcptto_phase1", "a.sieve", ten_lines, false);
	run_with(w, "enough for all", PHASE_RCPTTO, (struct sieve_budget){ 100, 1000 }, false,
		 ten_told);

	w = world_new();
	world_can_wait(w);
	world_script(w, "accept_phase1", "a.sieve", ten_lines, false);
	run_with(w, "D113 no waiting in accept", PHASE_ACCEPT, (struct sieve_budget){ 1, 1000 },
		 false, ten_told);

	w = world_new();
	world_script(w, "rcptto_phase1", "a.sieve", ten_lines, false);
	run_with(w, "no loop, no waiting", PHASE_RCPTTO, (struct sieve_budget){ 1, 1000 }, false,
		 ten_told);

	w = world_new();
	world_can_wait(w);
	world_script(w, "rcptto_phase1", "a.sieve", ten_lines, false);
	world_script(w, "rcptto_phase2", "b.sieve", "ec_log \"second\";", false);
	run_with(w, "both halves wait", PHASE_RCPTTO, (struct sieve_budget){ 2, 1000 }, true,
		 "log a.sieve:1: x0\nlog a.sieve:1: x1\nlog a.sieve:1: x2\nlog a.sieve:1: x3\nlog "
		 "a.sieve:1: x4\nlog a.sieve:1: x5\n"
		 "log a.sieve:1: x6\nlog a.sieve:1: x7\nlog a.sieve:1: x8\nlog a.sieve:1: x9\nlog "
		 "b.sieve:1: second\n");
}

static void total(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_can_wait(w);
	w->stanza.runtime_error_continue = true;
	world_script(w, "rcptto_phase1", "a.sieve", "ec_log \"1\";\nec_log \"2\";\nec_log \"3\";",
		     false);
	run_with(w, "the whole budget, in either mode", PHASE_RCPTTO, (struct sieve_budget){ 2, 5 },
		 true,
		 "log a.sieve:1: 1\nlog a.sieve:2: 2\nerror 421 \"the script takes too many "
		 "steps\" a.sieve:2\n");
}

static void time_is_up(void *loop)
{
	loop_stop(loop);
}

static void cancelled(void **state)
{
	struct world *w = world_new();
	struct timer stop;

	(void)state;
	world_can_wait(w);
	w->budget = (struct sieve_budget){ 1, 1000 };
	world_script(w, "rcptto_phase1", "a.sieve", "ec_log \"1\"; ec_log \"2\";", false);
	assert_true(world_load_set(w));
	assert_int_equal(policy_ask(w->set, PHASE_RCPTTO, &w->facts, &w->verdict, world_said, w,
				    &w->waiting),
			 POLICY_WAIT);
	policy_cancel(w->waiting);
	/* The note is still out, and the set with it: what frees them comes from the loop. */
	policy_session_over(w->set, &w->facts);
	policy_unref(w->set);
	w->set = NULL;
	timer_init(&stop, w->loop, time_is_up, w->loop);
	timer_set(&stop, 1);
	loop_run(w->loop);
	expect_told(w, "D27", "");
	world_free(w);
}

/* Included files: b.sieve, c.sieve. */
static void includes(void **state)
{
	static const struct {
		const char *name;
		const char *a, *b, *c;
		bool want_waits; /* with a loop and a disk thread */
		const char *want_told;
	} cases[] = {
		{ "by a constant name", "$x = 1; ec_include \"b.sieve\"; ec_log \"${y}\";",
		  "ec_log \"${x}\"; $y = 2;", NULL, false, "log b.sieve:1: 1\nlog a.sieve:1: 2\n" },
		{ "by a computed name (D28 the same variables)",
		  "$n = \"b\"; $x = 1; ec_include \"${n}.sieve\"; ec_log \"${y}\";",
		  "ec_log \"${x}\"; $y = 2; $late1 = 1; $late2 = 2;", NULL, true,
		  "log b.sieve:1: 1\nlog a.sieve:1: 2\n" },
		{ "D28 one include to another",
		  "$n = \"b\"; ec_include \"${n}.sieve\"; $n = \"c\"; ec_include \"${n}.sieve\";",
		  "$only = \"in b\";", "ec_log \"${only}\";", true, "log c.sieve:1: in b\n" },
		{ "twice", "ec_include \"b.sieve\"; ec_include \"./b.sieve\";", "ec_log \"b\";",
		  NULL, false, "log b.sieve:1: b\nlog b.sieve:1: b\n" },
		{ "terminal action inside ends both (1.6)", "ec_include \"b.sieve\"; ec_log \"a\";",
		  "keep;", NULL, false, "keep b.sieve:1\n" },
		{ "stop inside ends both", "ec_include \"b.sieve\"; ec_log \"a\";", "stop;", NULL,
		  false, "" },
		{ "include inside an include", "ec_include \"b.sieve\"; ec_log \"a\";",
		  "ec_include \"c.sieve\"; ec_log \"b\";", "ec_log \"c\";", false,
		  "log c.sieve:1: c\nlog b.sieve:1: b\nlog a.sieve:1: a\n" },
		{ "D26 the mode stays", "ec_include \"b.sieve\"; $c = 1; ec_action $c \"x\"; ec_log \"a\";",
		  "ec_error_mode \"continue\";", NULL, false,
		  "log a.sieve:1: Sieve error, going on: a reply code is 200 to 299 or 400 to "
		  "599\nlog a.sieve:1: a\n" },
		{ "D30 missing, by a constant name", "ec_log \"a\";\nec_include \"nothing.sieve\";",
		  NULL, NULL, true,
		  "a.sieve:2:1: warning: can't read nothing.sieve: No such file or directory\nlog "
		  "a.sieve:1: a\n"
		  "error 421 \"ec_include \"nothing.sieve\": nothing.sieve: can't read this "
		  "script: No such file or directory\" a.sieve:2\n" },
		{ "D30 missing, going on",
		  "ec_error_mode \"continue\"; $n = \"nothing\"; ec_include \"${n}\"; ec_log "
		  "\"a\";",
		  NULL, NULL, true,
		  "log a.sieve:1: Sieve error, going on: ec_include \"nothing\": nothing: can't "
		  "read this script: No such file or directory\nlog a.sieve:1: a\n" },
		{ "faulty, by a constant name", "ec_include \"b.sieve\";", "keep", NULL, false,
		  "b.sieve:1:5: syntax error near token END: expected ';'\n" },
		{ "faulty, by a computed name", "$n = \"b.sieve\"; ec_include $n;", "keep", NULL,
		  true,
		  "error 421 \"ec_include \"b.sieve\": b.sieve:1:5: syntax error near token END: "
		  "expected ';'\" a.sieve:1\n" },
		{ "itself", "ec_include \"a.sieve\";", NULL, NULL, false,
		  "a.sieve:1:1: a.sieve includes itself\n" },
		{ "in a circle", "ec_include \"b.sieve\";", "\nec_include \"./a.sieve\";", NULL,
		  false, "b.sieve:2:1: a.sieve includes itself, in a circle\n" },
		{ "itself, computed: 20 deep", "$n = \"b.sieve\"; ec_include $n;",
		  "ec_log \"b\"; ec_include $n;", NULL, true,
		  "log b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog "
		  "b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\n"
		  "log b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog "
		  "b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\n"
		  "log b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog b.sieve:1: b\nlog "
		  "b.sieve:1: b\nlog b.sieve:1: b\n"
		  "error 421 \"ec_include \"b.sieve\": scripts include each other deeper than 20\" "
		  "b.sieve:1\n" },
		{ "cause comes along",
		  "($n) = audit_connections_on_service \"/32\"; if ec_test $n \"0\" { ec_include "
		  "\"b.sieve\"; }",
		  "ec_tarpit 1;", NULL, false,
		  "ec_tarpit 1000ms b.sieve:1 <SMTP 192.0.2.7/32 0>\n" },
		{ "no path", "ec_include \"${x}\";", NULL, NULL, false,
		  "error 421 \"ec_include \"\": this is not a path\" a.sieve:1\n" },
		{ "not a file", "$n = \".\"; ec_include \"${n}\";", NULL, NULL, true,
		  "error 421 \"ec_include \".\": .: can't read this script: it is not a plain "
		  "file\" a.sieve:1\n" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t n = i / 2;
		const bool has_loop = i % 2;
		struct world *w = world_new();
		char *dir;

		if (has_loop)
			world_can_wait(w);
		world_script(w, "rcptto_phase1", "a.sieve", cases[n].a, false);
		if (cases[n].b != NULL)
			world_file(w, "b.sieve", slice_of(cases[n].b));
		if (cases[n].c != NULL)
			world_file(w, "c.sieve", slice_of(cases[n].c));
		if (world_load_set(w))
			world_ask(w, PHASE_RCPTTO);
		while (w->told.len > 0 && (dir = strstr(buf_text(&w->told), w->dir)) != NULL) {
			size_t cut = strlen(w->dir) + 1;

			memmove(dir, dir + cut, strlen(dir + cut) + 1);
			w->told.len -= cut;
		}
		expect_told(w, cases[n].name, cases[n].want_told);
		if ((w->waits > 0) != (has_loop && cases[n].want_waits))
			fail_msg("%s: waits %u", cases[n].name, w->waits);
		world_free(w);
	}
}

/* Each includes the next one twice: read once at load, even without a cache; too many steps to run.
 */
static void includes_fan_out(void **state)
{
	struct world *w = world_new();
	char name[16], text[80];

	(void)state;
	w->stanza.cache_size = 1;
	for (unsigned i = 1; i < 20; i++) {
		snprintf(name, sizeof name, "%u.sieve", i);
		snprintf(text, sizeof text, "ec_include \"%u.sieve\"; ec_include \"%u.sieve\";",
			 i + 1, i + 1);
		world_file(w, name, slice_of(text));
	}
	world_file(w, "20.sieve", SLICE("$x = 1;"));
	world_script(w, "rcptto_phase1", "a.sieve", "ec_include \"1.sieve\";", false);
	w->budget = (struct sieve_budget){ 100, 1000 };
	assert_true(world_load_set(w));
	world_ask(w, PHASE_RCPTTO);
	w->told.len = strlen("error 421 \"the script takes too many steps\"");
	expect_told(w, "fan out", "error 421 \"the script takes too many steps\"");
	world_file(w, "20.sieve", SLICE("ec_include \"21.sieve\";"));
	world_file(w, "21.sieve", SLICE("keep;"));
	policy_unref(w->set);
	assert_false(world_load_set(w));
	expect_told(w, "21 deep", "20.sieve:1:1: scripts include each other deeper than 20\n");
	world_free(w);
}

/* D31: what was read stays for cache_life, and then is read again. */
static void cache(void **state)
{
	struct world *w = world_new();

	(void)state;
	clock_stop(true, 1000, 1000);
	world_can_wait(w);
	w->stanza.cache_life_s = 10;
	world_script(w, "rcptto_phase1", "a.sieve", "ec_include \"b.sieve\";", false);
	world_file(w, "b.sieve", SLICE("ec_log \"old\";"));
	assert_true(world_load_set(w));
	world_file(w, "b.sieve", SLICE("ec_log \"new\";"));
	world_ask(w, PHASE_RCPTTO);
	clock_stop(true, 10999, 1000);
	world_ask(w, PHASE_RCPTTO);
	expect_told(w, "young", "log b.sieve:1: old\nlog b.sieve:1: old\n");
	assert_int_equal(w->waits, 0);
	clock_stop(true, 11000, 1000);
	world_ask(w, PHASE_RCPTTO);
	world_ask(w, PHASE_RCPTTO);
	expect_told(w, "old", "log b.sieve:1: new\nlog b.sieve:1: new\n");
	assert_int_equal(w->waits, 1);
	clock_stop(false, 0, 0);
	world_free(w);
}

/* D113: the accept phase can't wait, and makes do with what was read at load. */
static void accept_phase(void **state)
{
	struct world *w = world_new();

	(void)state;
	clock_stop(true, 1000, 1000);
	world_can_wait(w);
	world_script(w, "accept_phase1", "a.sieve",
		     "ec_include \"b.sieve\"; $n = \"c.sieve\"; ec_include $n;", false);
	world_file(w, "b.sieve", SLICE("ec_log \"b\";"));
	world_file(w, "c.sieve", SLICE("ec_log \"c\";"));
	assert_true(world_load_set(w));
	clock_stop(true, 1000000, 1000);
	world_ask(w, PHASE_ACCEPT);
	w->told.len -= strlen(strstr(buf_text(&w->told), "error 421"));
	expect_told(w, "accept", "log b.sieve:1: b\n");
	assert_true(w->verdict.failed);
	assert_int_equal(w->waits, 0);
	clock_stop(false, 0, 0);
	world_free(w);
}

/* A session that goes while its file is read; the cache that is too small for anything. */
static void gone_while_reading(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_can_wait(w);
	w->stanza.cache_size = 0;
	world_script(w, "rcptto_phase1", "a.sieve",
		     "$n = \"b.sieve\"; ec_include $n; ec_include $n; ec_log \"${x}\";", false);
	world_file(w, "b.sieve", SLICE("$x = \"from b\";"));
	assert_true(world_load_set(w));
	assert_int_equal(policy_ask(w->set, PHASE_RCPTTO, &w->facts, &w->verdict, world_said, w,
				    &w->waiting),
			 POLICY_WAIT);
	policy_cancel(w->waiting);
	world_ask(w, PHASE_RCPTTO);
	expect_told(w, "D27", "log a.sieve:1: from b\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves),
		cmocka_unit_test(stop_after_an_answer),
		cmocka_unit_test(slices), cmocka_unit_test(chain),
		cmocka_unit_test(total),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(includes),
		cmocka_unit_test(includes_fan_out), cmocka_unit_test(cache),
		cmocka_unit_test(accept_phase),
		cmocka_unit_test(gone_while_reading),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
