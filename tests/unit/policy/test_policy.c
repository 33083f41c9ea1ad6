/* The chain of modules: their order, what they add up to, waits, and what goes wrong in
 * them (2.2). */
#include "policy/fake.h"

#include "base/mem.h"

enum { STEPS_MAX = 4, MODULES_MAX = 4 };

/* What a module of the fake language does, a step each time it is run. */
enum what { CONT, DONE, WAIT, FAIL, TARPIT, CODE, BYE, CLOSE, BAD_CODE };

struct step {
	enum what what;
	unsigned n; /* seconds, code */
};

struct script {
	const char *kind;
	unsigned phases;
	bool observe;
	struct step steps[STEPS_MAX]; /* up to the first that is none of TARPIT, CODE, BYE, CLOSE */
};

/* What was called, in order: "load a\nrun a\n". */
static struct buf calls;
static const struct script *scripts;
static unsigned loaded;

static void note(const char *what, const struct script *script)
{
	assert_true(buf_printf(&calls, "%s %ld\n", what, (long)(script - scripts)));
}

static void *engine_load(const struct policy_stanza *stanza, struct policy_set *set,
			 struct complaints *complaints)
{
	assert_non_null(policy_set_host(set));
	if (strcmp(stanza->title, "broken") == 0) {
		complain(complaints, stanza->at, "it does not compile");
		return NULL;
	}
	return (void *)&scripts[loaded++];
}

static void engine_unload(void *module)
{
	note("unload", module);
}

static bool engine_handles(const void *module, enum phase phase)
{
	return (((const struct script *)module)->phases & PHASE_BIT(phase)) != 0;
}

static const char *do_step(struct policy_run *run, const struct step *step)
{
	struct action action = { .name = "act", .file = "a", .line = 1 };
	char text[16];

	snprintf(text, sizeof text, "text %u", step->n);
	action.text = slice_of(text);
	action.code = (uint16_t)step->n;
	action.kind = step->what == TARPIT			     ? ACTION_TARPIT
		      : step->what == CODE || step->what == BAD_CODE ? ACTION_REPLY
								     : ACTION_DISCONNECT;
	if (step->what == TARPIT) {
		action.ms = step->n * 1000;
		action.text = SLICE("");
		action.code = 0;
	}
	if (step->what == CLOSE) {
		action.text = SLICE("");
		action.code = 0;
	}
	return policy_act(run, &action);
}

static enum engine_step engine_run(void *module, struct policy_run *run)
{
	const struct script *script = module;
	uintptr_t at = (uintptr_t)run->state;

	note(at == 0 ? "run" : "go on", script);
	run->observe = script->observe;
	if (at == 0)
		assert_non_null(arena_take(&run->arena, 100));
	assert_int_equal(run->arena.used, 112);
	for (; at < STEPS_MAX; at++) {
		switch (script->steps[at].what) {
		case CONT:
			return ENGINE_CONT;
		case DONE:
			return ENGINE_DONE;
		case WAIT:
			run->state = (void *)(at + 1);
			return ENGINE_WAIT;
		case FAIL:
			policy_fail(run, "a", 1, "it went wrong");
			return ENGINE_CONT;
		case TARPIT:
		case CODE:
		case BYE:
		case CLOSE:
			assert_null(do_step(run, &script->steps[at]));
			break;
		case BAD_CODE:
			assert_string_equal(do_step(run, &script->steps[at]),
					    "a reply code is 200 to 299 or 400 to 599");
			break;
		}
	}
	return ENGINE_CONT;
}

static void engine_cancel(void *module, struct policy_run *run)
{
	assert_non_null(run->state);
	note("cancel", module);
}

static void engine_session_over(void *module, struct facts *facts, void **slot)
{
	(void)facts;
	(void)slot;
	note("over", module);
}

static const struct policy_engine engine_a = { .kind = "a",
					       .load = engine_load,
					       .unload = engine_unload,
					       .handles = engine_handles,
					       .run = engine_run,
					       .cancel = engine_cancel };
static const struct policy_engine engine_b = { .kind = "b",
					       .load = engine_load,
					       .unload = engine_unload,
					       .handles = engine_handles,
					       .run = engine_run,
					       .cancel = engine_cancel,
					       .session_over = engine_session_over };
static const struct policy_engine *const engines[] = { &engine_a, &engine_b, NULL };

static void load(struct fake *fake, const struct script *list, unsigned count)
{
	struct policy_stanza stanzas[MODULES_MAX] = { 0 };
	struct complaints complaints;

	for (unsigned i = 0; i < count; i++)
		stanzas[i] = (struct policy_stanza){ .kind = list[i].kind, .title = "t" };
	fake_begin(fake);
	policy_unref(fake->set);
	scripts = list;
	loaded = 0;
	fake->conf.stanzas = stanzas;
	fake->conf.stanza_count = count;
	complaints_init(&complaints);
	fake->set = policy_load(&fake->conf, engines, &fake->host, &complaints);
	assert_non_null(fake->set);
	complaints_free(&complaints);
}

static unsigned said_count;

static void said(void *owner)
{
	assert_non_null(owner);
	said_count++;
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *name;
		enum phase phase;
		const char *bypass; /* set in the connection context */
		struct script scripts[MODULES_MAX];
		const char *want_calls;
		const char *want_acted;
		const char *want_verdict; /* delay, code, text */
	} cases[] = {
		{ "2.2 in the order of the configuration",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { CONT, 0 } } },
		    { "b", PHASES_ALL, false, { { CONT, 0 } } } },
		  "run 0\nrun 1\n",
		  "",
		  "0 0 -" },
		{ "only those that handle the phase",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASE_BIT(PHASE_CONNECT), false, { { CONT, 0 } } },
		    { "b", PHASES_ALL, false, { { CONT, 0 } } } },
		  "run 1\n",
		  "",
		  "0 0 -" },
		{ "nobody handles it",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASE_BIT(PHASE_CONNECT), false, { { CONT, 0 } } } },
		  "",
		  "",
		  "0 0 -" },
		{ "2.2 DONE stops the chain",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { CODE, 550 }, { DONE, 0 } } },
		    { "b", PHASES_ALL, false, { { CODE, 450 } } } },
		  "run 0\n",
		  "ehlo act ms=0 code=550 text=text 550 counter=\n",
		  "0 550 text 550" },
		{ "D33 the last setter wins",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { CODE, 550 } } },
		    { "b", PHASES_ALL, false, { { CODE, 250 } } } },
		  "run 0\nrun 1\n",
		  "ehlo act ms=0 code=550 text=text 550 counter=\nehlo act ms=0 code=250 text=text 250 counter=\n",
		  "0 250 text 250" },
		{ "D34 tarpits add up",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { TARPIT, 2 }, { TARPIT, 3 } } },
		    { "b", PHASES_ALL, false, { { TARPIT, 4 } } } },
		  "run 0\nrun 1\n",
		  "ehlo act ms=2000 code=0 text= counter=\nehlo act ms=3000 code=0 text= counter=\n"
		  "ehlo act ms=4000 code=0 text= counter=\n",
		  "9000 0 -" },
		{ "D34 up to max_tarpit",
		  PHASE_EHLO,
		  NULL,
		  { { "a",
		      PHASES_ALL,
		      false,
		      { { TARPIT, 50 }, { TARPIT, 20 }, { TARPIT, 4000000 } } } },
		  "run 0\n",
		  "ehlo act ms=50000 code=0 text= counter=\nehlo act ms=10000 code=0 text= counter=\n"
		  "ehlo act ms=0 code=0 text= counter=\n",
		  "60000 0 -" },
		{ "disconnect with a code",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { BYE, 421 } } } },
		  "run 0\n",
		  "ehlo act ms=0 code=421 text=text 421 counter=\n",
		  "0 421 text 421 close" },
		{ "D22 only the flag",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { CLOSE, 0 } } } },
		  "run 0\n",
		  "ehlo act ms=0 code=0 text= counter=\n",
		  "0 0 - close" },
		{ "codes that are no answer are refused",
		  PHASE_EHLO,
		  NULL,
		  { { "a",
		      PHASES_ALL,
		      false,
		      { { BAD_CODE, 354 }, { BAD_CODE, 199 }, { BAD_CODE, 600 } } } },
		  "run 0\n",
		  "",
		  "0 0 -" },
		{ "D25 a failure answers 421 and closes",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, false, { { CODE, 550 }, { FAIL, 0 } } },
		    { "b", PHASES_ALL, false, { { CODE, 250 } } } },
		  "run 0\n",
		  "ehlo act ms=0 code=550 text=text 550 counter=\n"
		  "ehlo error ms=0 code=421 text=it went wrong counter=\n",
		  "0 421 edge.example.org temporary issue, please retry your message later close failed" },
		{ "T14 observe: told, not done",
		  PHASE_EHLO,
		  NULL,
		  { { "a", PHASES_ALL, true, { { TARPIT, 2 }, { BYE, 421 }, { FAIL, 0 } } },
		    { "b", PHASES_ALL, false, { { CODE, 250 } } } },
		  "run 0\nrun 1\n",
		  "ehlo act ms=2000 code=0 text= counter= observe\n"
		  "ehlo act ms=0 code=421 text=text 421 counter= observe\n"
		  "ehlo error ms=0 code=421 text=it went wrong counter= observe\n"
		  "ehlo act ms=0 code=250 text=text 250 counter=\n",
		  "0 250 text 250" },
		{ "D113 accept cannot wait",
		  PHASE_ACCEPT,
		  NULL,
		  { { "a", PHASES_ALL, false, { { WAIT, 0 } } },
		    { "b", PHASES_ALL, false, { { CONT, 0 } } } },
		  "run 0\ncancel 0\n",
		  "accept error ms=0 code=421 text=a script cannot wait in the accept phase counter=\n",
		  "0 421 edge.example.org temporary issue, please retry your message later close failed" },
		{ "2.2 __bypass_a",
		  PHASE_EHLO,
		  "__bypass_a",
		  { { "a", PHASES_ALL, false, { { CODE, 550 } } },
		    { "b", PHASES_ALL, false, { { CONT, 0 } } } },
		  "run 1\n",
		  "",
		  "0 0 -" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { .conf.max_tarpit_ms = 60000 };
		const struct verdict *v = &fake.verdict;
		struct policy_run *run = NULL;
		struct buf got = { 0 };
		unsigned count = 0;

		while (count < MODULES_MAX && cases[i].scripts[count].kind != NULL)
			count++;
		load(&fake, cases[i].scripts, count);
		if (cases[i].bypass != NULL)
			assert_null(facts_set(&fake.facts, CTX_CONN, slice_of(cases[i].bypass),
					      SLICE("true")));
		assert_int_equal(policy_ask(fake.set, cases[i].phase, &fake.facts, &fake.verdict,
					    said, &fake, &run),
				 POLICY_DONE);
		assert_null(run);
		expect_text(cases[i].name, &calls, cases[i].want_calls);
		expect_text(cases[i].name, &fake.acted, cases[i].want_acted);
		assert_true(buf_printf(&got, "%u %u %s%s%s", v->delay_ms, v->code,
				       v->text ? v->text : "-", v->disconnect ? " close" : "",
				       v->failed ? " failed" : ""));
		expect_text(cases[i].name, &got, cases[i].want_verdict);
		buf_free(&got);
		policy_session_over(fake.set, &fake.facts);
		fake_end(&fake);
		buf_free(&calls);
	}
}

static void test_wait(void **state)
{
	static const struct script list[] = {
		{ "a",
		  PHASES_ALL,
		  false,
		  { { TARPIT, 1 }, { WAIT, 0 }, { WAIT, 0 }, { TARPIT, 2 } } },
		{ "b", PHASES_ALL, false, { { TARPIT, 3 }, { WAIT, 0 }, { DONE, 0 } } },
		{ "b", PHASES_ALL, false, { { CONT, 0 } } },
	};
	struct policy_run *run = NULL;
	struct fake fake = { 0 };

	(void)state;
	said_count = 0;
	load(&fake, list, COUNT(list));
	assert_int_equal(
		policy_ask(fake.set, PHASE_RCPTTO, &fake.facts, &fake.verdict, said, &fake, &run),
		POLICY_WAIT);
	assert_non_null(run);
	expect_text("asked", &calls, "run 0\n");
	policy_wake(run);
	expect_text("the same module waits again", &calls, "go on 0\n");
	policy_wake(run);
	expect_text("the next one waits", &calls, "go on 0\nrun 1\n");
	assert_int_equal(said_count, 0);
	policy_wake(run);
	expect_text("DONE after a wait", &calls, "go on 1\n");
	assert_int_equal(said_count, 1);
	assert_int_equal(fake.verdict.delay_ms, 6000);
	policy_session_over(fake.set, &fake.facts);
	expect_text("the session is told to those who listen", &calls, "over 1\nover 2\n");
	fake_end(&fake);
	expect_text("backwards", &calls, "unload 2\nunload 1\nunload 0\n");
	buf_free(&calls);
}

/* D27: the client went while a script waited. */
static void test_cancel(void **state)
{
	static const struct script list[] = {
		{ "a", PHASES_ALL, false, { { CONT, 0 } } },
		{ "b", PHASES_ALL, false, { { WAIT, 0 }, { TARPIT, 3 } } },
	};
	struct policy_run *run = NULL, *again = NULL;
	struct fake fake = { 0 };

	(void)state;
	said_count = 0;
	load(&fake, list, COUNT(list));
	assert_int_equal(
		policy_ask(fake.set, PHASE_CONNECT, &fake.facts, &fake.verdict, said, &fake, &run),
		POLICY_WAIT);
	policy_cancel(run);
	expect_text("cancel", &calls, "run 0\nrun 1\ncancel 1\n");
	assert_int_equal(
		policy_ask(fake.set, PHASE_EHLO, &fake.facts, &fake.verdict, said, &fake, &again),
		POLICY_WAIT);
	assert_ptr_equal(run, again); /* it is used again */
	policy_cancel(again);
	assert_int_equal(said_count, 0);
	assert_int_equal(fake.verdict.delay_ms, 0);
	policy_session_over(fake.set, &fake.facts);
	fake_end(&fake);
	buf_free(&calls);
}

/* More wait at once than are kept for later. */
static void test_many_wait(void **state)
{
	enum { MANY = 200 };
	static const struct script list[] = { { "a", PHASES_ALL, false, { { WAIT, 0 } } } };
	struct policy_run *run[MANY];
	struct fake fake = { 0 };

	(void)state;
	said_count = 0;
	load(&fake, list, COUNT(list));
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(policy_ask(fake.set, PHASE_DATA, &fake.facts, &fake.verdict, said,
					    &fake, &run[i]),
				 POLICY_WAIT);
	for (unsigned i = 0; i < MANY; i++)
		policy_wake(run[i]);
	assert_int_equal(said_count, MANY);
	fake_end(&fake);
	buf_free(&calls);
}

static void test_load(void **state)
{
	static const struct script list[] = {
		{ "a", PHASE_BIT(PHASE_DATA), false, { { CONT, 0 } } }
	};
	const struct policy_stanza stanzas[] = {
		{ .kind = "a", .title = "good" },
		{ .kind = "perl", .title = "t", .at = { "x.conf", 3, 1 } },
		{ .kind = "a", .title = "broken", .at = { "x.conf", 9, 1 } },
	};
	struct policy_mask_map map[] = { { 24, 64 } };
	struct complaints complaints;
	struct policy_set *set;
	struct fake fake = { 0 };

	(void)state;
	scripts = list;
	loaded = 0;
	complaints_init(&complaints);
	fake.conf = (struct policy_conf){ .stanzas = stanzas, .stanza_count = COUNT(stanzas) };
	assert_null(policy_load(&fake.conf, engines, &fake.host, &complaints));
	assert_int_equal(complaints.errors, 2);
	assert_string_equal(complaints.list[0].text, "there is no policy language \"perl\"");
	assert_int_equal(complaints.list[1].line, 9);
	expect_text("what was loaded is unloaded", &calls, "unload 0\n");
	for (size_t i = 1; i < COUNT(stanzas); i++) { /* one fault is enough */
		fake.conf = (struct policy_conf){ .stanzas = &stanzas[i], .stanza_count = 1 };
		assert_null(policy_load(&fake.conf, engines, &fake.host, &complaints));
	}

	loaded = 0;
	fake.conf = (struct policy_conf){ .stanzas = stanzas, .stanza_count = 1, .mask_map = map,
					  .mask_map_count = 1 };
	set = policy_load(&fake.conf, engines, &fake.host, &complaints);
	map[0].to = 0; /* copied */
	assert_int_equal(policy_set_conf(set)->mask_map[0].to, 64);
	assert_null(policy_set_conf(set)->stanzas);
	assert_int_equal(policy_set_conf(set)->max_tarpit_ms, 3600000);
	assert_true(policy_handles(set, PHASE_DATA));
	assert_false(policy_handles(set, PHASE_RCPTTO));
	assert_ptr_equal(policy_ref(set), set);
	policy_unref(set);
	expect_text("somebody still holds it", &calls, "");
	policy_unref(set);
	expect_text("the last one went", &calls, "unload 0\n");
	complaints_free(&complaints);
	buf_free(&calls);
}

/* What a script writes into an answer: lines stay lines, no text is without an end. */
static void test_reply_text(void **state)
{
	static const struct {
		const char *name;
		struct slice text;
		const char *want;
	} cases[] = {
		{ "lines", { "a\r\nb\nc", 6 }, "a\nb\nc" },
		{ "a zero", { "a\0b", 3 }, "a b" },
		{ "none", { NULL, 0 }, "" },
	};
	char large[POLICY_TEXT_MAX + 100];
	struct fake fake = { 0 };

	(void)state;
	fake_begin(&fake);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct action action = { .kind = ACTION_REPLY,
					 .name = "act",
					 .file = "a",
					 .code = 550,
					 .text = cases[i].text };

		assert_null(policy_act(&fake.run, &action));
		if (strcmp(fake.verdict.text, cases[i].want) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name, fake.verdict.text);
	}
	memset(large, 'x', sizeof large);
	assert_null(policy_act(&fake.run, &(struct action){ .kind = ACTION_REPLY,
							    .name = "act",
							    .file = "a",
							    .code = 550,
							    .text = { large, sizeof large } }));
	assert_int_equal(strlen(fake.verdict.text), POLICY_TEXT_MAX);
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_wait),
		cmocka_unit_test(test_cancel),	 cmocka_unit_test(test_many_wait),
		cmocka_unit_test(test_load),	 cmocka_unit_test(test_reply_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
