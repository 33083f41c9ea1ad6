#include "policy/policy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "policy/engine.h"
#include "series/series.h"

static const char no_wait_here[] = "a script cannot wait in the accept phase"; /* D113 */

enum { SPARE_TURNS_MAX = 64, MAX_TARPIT_MS = 3600 * 1000 };

struct module {
	const struct policy_engine *engine;
	void *loaded;
	unsigned phases; /* PHASE_BIT()s */
	char bypass[40]; /* the connection key that skips it (2.2) */
};

/* A run, and how far it is. */
struct turn {
	struct policy_run run; /* first: engines hold this */
	struct turn *next_spare;
	unsigned at; /* the module whose turn it is */
	bool waiting;
	policy_said *said;
	void *owner;
};

/* What only one worker touches: turns to use again. */
struct spares {
	struct turn *spare;
	unsigned spare_count;
	char apart[64]; /* from the next one's cache line */
};

struct policy_set {
	atomic_uint refs;
	atomic_uint said_once; /* bits: see policy_set_once */
	const struct policy_host *host; /* borrowed */
	struct policy_conf conf;	/* hostname, mask_map and monitors are ours */
	char (*monitor_names)[MONITOR_TEXT_MAX];
	struct series_definition *definitions;
	unsigned definition_count;
	struct spares *workers; /* one of each */
	unsigned phases;
	bool has_slots; /* some engine keeps things for sessions */
	unsigned module_count;
	struct module modules[];
};

static const struct policy_engine *engine_find(const struct policy_engine *const *engines,
					       const char *kind)
{
	while (*engines != NULL && strcmp((*engines)->kind, kind) != 0)
		engines++;
	return *engines;
}

static bool module_load(struct policy_set *set, const struct policy_stanza *stanza,
			const struct policy_engine *engine, struct complaints *complaints)
{
	struct module *m = &set->modules[set->module_count];

	m->engine = engine;
	m->loaded = engine->load(stanza, set, complaints);
	if (m->loaded == NULL)
		return false;
	for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
		if (engine->handles(m->loaded, (enum phase)phase))
			m->phases |= PHASE_BIT(phase);
	}
	snprintf(m->bypass, sizeof m->bypass, "__bypass_%s", engine->kind);
	set->phases |= m->phases;
	set->has_slots |= engine->session_over != NULL;
	set->module_count++;
	return true;
}

static void *array_copy(const void *from, size_t count, size_t size)
{
	void *copy = mem_array(count, size);

	if (count > 0)
		memcpy(copy, from, count * size);
	return copy;
}

static struct policy_set *set_new(const struct policy_conf *conf, const struct policy_host *host)
{
	struct policy_set *set = mem_new(sizeof *set + conf->stanza_count * sizeof set->modules[0]);

	set->refs = 1;
	set->host = host;
	set->conf = *conf;
	set->conf.stanzas = NULL;
	set->conf.stanza_count = 0;
	set->conf.hostname = mem_strdup(conf->hostname != NULL ? conf->hostname : "localhost");
	set->conf.mask_map = array_copy(conf->mask_map, conf->mask_map_count,
					sizeof *conf->mask_map);
	set->conf.monitors = array_copy(conf->monitors, conf->monitor_count,
					sizeof *conf->monitors);
	set->monitor_names = mem_array(conf->monitor_count, sizeof *set->monitor_names);
	for (unsigned i = 0; i < conf->monitor_count; i++)
		monitor_print(conf->monitors[i], set->monitor_names[i]);
	if (set->conf.max_tarpit_ms == 0)
		set->conf.max_tarpit_ms = MAX_TARPIT_MS;
	if (set->conf.workers == 0)
		set->conf.workers = 1;
	set->workers = mem_array(set->conf.workers, sizeof set->workers[0]);
	return set;
}

struct policy_set *policy_load(const struct policy_conf *conf,
			       const struct policy_engine *const *engines,
			       const struct policy_host *host, struct complaints *complaints)
{
	struct policy_set *set = set_new(conf, host);
	bool good = true;

	for (unsigned i = 0; i < conf->stanza_count; i++) {
		const struct policy_stanza *stanza = &conf->stanzas[i];
		const struct policy_engine *engine = engine_find(engines, stanza->kind);

		if (engine == NULL)
			complain(complaints, stanza->at, "there is no policy language \"%s\"",
				 stanza->kind);
		if (engine == NULL || !module_load(set, stanza, engine, complaints))
			good = false; /* go on: everything wrong is told in one run */
	}
	if (good)
		return set;
	policy_unref(set);
	return NULL;
}

static void turn_free(struct turn *t)
{
	arena_free(&t->run.arena);
	free(t);
}

static void set_free(struct policy_set *set)
{
	struct turn *t;

	for (unsigned i = 0; i < set->conf.workers; i++) {
		while ((t = set->workers[i].spare) != NULL) {
			set->workers[i].spare = t->next_spare;
			turn_free(t);
		}
	}
	while (set->module_count > 0) {
		struct module *m = &set->modules[--set->module_count];

		m->engine->unload(m->loaded);
	}
	free((char *)set->conf.hostname);
	free((void *)set->conf.mask_map);
	free((void *)set->conf.monitors);
	free(set->monitor_names);
	free(set->definitions);
	free(set->workers);
	free(set);
}

struct policy_set *policy_ref(struct policy_set *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void policy_unref(struct policy_set *set)
{
	if (set != NULL && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1)
		set_free(set);
}

bool policy_handles(const struct policy_set *set, enum phase phase)
{
	return (set->phases & PHASE_BIT(phase)) != 0;
}

bool policy_set_once(struct policy_set *set, unsigned bit)
{
	return (atomic_fetch_or(&set->said_once, bit) & bit) == 0;
}

const struct policy_host *policy_set_host(const struct policy_set *set)
{
	return set->host;
}

const struct policy_conf *policy_set_conf(const struct policy_set *set)
{
	return &set->conf;
}

const char *policy_set_monitor(const struct policy_set *set, unsigned n)
{
	return set->monitor_names[n];
}

/* NULL: none is of this name. */
static const struct series_definition *definition_of(const struct policy_set *set,
						     struct slice name)
{
	for (unsigned i = 0; i < set->definition_count; i++)
		if (slice_equal(slice_of(set->definitions[i].name), name))
			return &set->definitions[i];
	return NULL;
}

bool policy_set_defines(const struct policy_set *set, struct slice name)
{
	return definition_of(set, name) != NULL;
}

const char *policy_set_define(struct policy_set *set, const struct series_definition *definition)
{
	const struct series_definition *is = definition_of(set, slice_of(definition->name));

	if (is != NULL)
		return series_definition_equal(is, definition)
			       ? NULL
			       : "another script has defined this series otherwise";
	if (set->definition_count == SERIES_MOST)
		return "there are too many series";
	set->definitions = mem_resize(set->definitions, set->definition_count + 1, sizeof *is);
	set->definitions[set->definition_count++] = *definition;
	return NULL;
}

const struct series_definition *policy_set_definition(const struct policy_set *set, unsigned n)
{
	return n < set->definition_count ? &set->definitions[n] : NULL;
}

static struct turn *turn_take(struct policy_set *set, const struct facts *facts)
{
	struct spares *mine = &set->workers[facts->worker];
	struct turn *t;

	CHECK(facts->worker < set->conf.workers);
	t = mine->spare;
	if (t != NULL) {
		mine->spare = t->next_spare;
		mine->spare_count--;
		return t;
	}
	t = mem_new(sizeof *t);
	arena_init(&t->run.arena, POLICY_RUN_MEMORY);
	return t;
}

static void turn_give(struct turn *t)
{
	struct spares *mine = &t->run.set->workers[t->run.facts->worker];

	if (mine->spare_count >= SPARE_TURNS_MAX) {
		turn_free(t);
		return;
	}
	arena_reset(&t->run.arena);
	t->next_spare = mine->spare;
	mine->spare = t;
	mine->spare_count++;
}

static void **slots_of(const struct policy_set *set, struct facts *facts)
{
	if (facts->engine_state == NULL && set->has_slots)
		facts->engine_state = mem_array(set->module_count, sizeof(void *));
	return facts->engine_state;
}

static bool is_bypassed(const struct module *m, const struct facts *facts)
{
	struct slice value, key = slice_of(m->bypass);

	if (facts->conn.first == NULL && facts->preset == NULL)
		return false;
	return (ctx_get(&facts->conn, key, &value) ||
		(facts->preset != NULL && ctx_get(facts->preset, key, &value))) &&
	       slice_equal(value, SLICE("true"));
}

/* Make ready for the module at t->at; false: it has nothing to say here. */
static bool turn_begin(struct turn *t, const struct module *m)
{
	struct policy_run *run = &t->run;
	void **slots;

	if ((m->phases & PHASE_BIT(run->phase)) == 0 || is_bypassed(m, run->facts))
		return false;
	slots = slots_of(run->set, run->facts);
	run->session_slot = slots != NULL ? &slots[t->at] : NULL;
	run->observe = false;
	run->state = NULL;
	run->read_count = 0;
	arena_reset(&run->arena);
	return true;
}

static enum policy_step turn_go_on(struct turn *t)
{
	struct policy_run *run = &t->run;

	for (; t->at < run->set->module_count && !run->verdict->failed; t->at++) {
		const struct module *m = &run->set->modules[t->at];
		enum engine_step step;

		if (!t->waiting && !turn_begin(t, m))
			continue;
		t->waiting = false;
		step = m->engine->run(m->loaded, run);
		if (step == ENGINE_DONE)
			break;
		if (step == ENGINE_CONT)
			continue;
		if (run->can_wait) {
			t->waiting = true;
			return POLICY_WAIT;
		}
		m->engine->cancel(m->loaded, run);
		policy_fail(run, m->engine->kind, 0, no_wait_here);
	}
	return POLICY_DONE;
}

enum policy_step policy_ask(struct policy_set *set, enum phase phase, struct facts *facts,
			    struct verdict *verdict, policy_said *said, void *owner,
			    struct policy_run **run_out)
{
	struct turn *t;

	if (!policy_handles(set, phase))
		return POLICY_DONE;
	t = turn_take(set, facts);
	t->at = 0;
	t->waiting = false;
	t->said = said;
	t->owner = owner;
	t->run.set = set;
	t->run.facts = facts;
	t->run.verdict = verdict;
	t->run.phase = phase;
	t->run.can_wait = phase != PHASE_ACCEPT;
	if (turn_go_on(t) == POLICY_WAIT) {
		*run_out = &t->run;
		return POLICY_WAIT;
	}
	turn_give(t);
	return POLICY_DONE;
}

void policy_wake(struct policy_run *run)
{
	struct turn *t = (struct turn *)run;
	policy_said *said = t->said;
	void *owner = t->owner;

	CHECK(t->waiting);
	if (turn_go_on(t) == POLICY_WAIT)
		return;
	turn_give(t); /* first: said() may end the session, and the set with it */
	said(owner);
}

void policy_cancel(struct policy_run *run)
{
	struct turn *t = (struct turn *)run;
	const struct module *m = &run->set->modules[t->at];

	CHECK(t->waiting);
	m->engine->cancel(m->loaded, run);
	turn_give(t);
}

void policy_session_over(struct policy_set *set, struct facts *facts)
{
	void **slots = facts->engine_state;

	if (slots == NULL)
		return;
	for (unsigned i = 0; i < set->module_count; i++) {
		const struct module *m = &set->modules[i];

		if (m->engine->session_over != NULL)
			m->engine->session_over(m->loaded, facts, &slots[i]);
	}
	free(slots);
	facts->engine_state = NULL;
}
