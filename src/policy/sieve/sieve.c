#include "policy/sieve/sieve.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/jobs.h"
#include "policy/sieve/preload.h"
#include "policy/sieve/vm.h"

/* phase1 is the site's, phase2 the vendor's (1.11). */
enum { HALVES = 2 };

struct script {
	struct program *program; /* NULL: none */
	bool observe;
};

struct module {
	struct scripts *scripts;
	struct script script[PHASE_COUNT][HALVES];
	struct sieve_budget budget;
	bool goes_on; /* runtime_error = "continue" */
	sieve_ended *ended; /* NULL: nobody watches */
	void *watcher;
};

/* One phase of one session; in the arena of its policy_run. */
struct turn {
	unsigned half;
	struct vm *vm;
	struct errand *errand; /* what it waits for; NULL: nothing */
};

/*
 * What is out while a run waits: a note for the loop, or a job for a disk thread. Neither can be
 * taken back, so it lives on its own, and on when the run is gone.
 */
struct errand {
	struct job job; /* its note, when there is nothing to read */
	struct policy_run *run; /* NULL: it is gone */
	struct policy_set *set;
	struct scripts *scripts;
	char *path;
	enum phase phase;
	struct program *program;
	char why[256];
};

/* --- loading ----------------------------------------------------------------------------- */

static bool title_parse(const char *title, enum phase *phase, unsigned *half)
{
	struct slice rest, name = slice_cut(slice_of(title), '_', &rest);

	*half = slice_equal(rest, SLICE("phase2"));
	return (*half == 1 || slice_equal(rest, SLICE("phase1"))) &&
	       phase_find(name, phase);
}

static void script_load(struct module *m, const struct policy_script *script,
			struct complaints *complaints)
{
	enum phase phase;
	unsigned half;
	struct script *place;

	if (!title_parse(script->title, &phase, &half)) {
		complain(complaints, script->at,
			 "no script \"%s\" is ever run, expected PHASE_phase1 or PHASE_phase2, "
			 "PHASE being one of: accept connect ehlo mailfrom rcptto data",
			 script->title);
		return;
	}
	place = &m->script[phase][half];
	if (place->program != NULL) {
		complain(complaints, script->at, "second script \"%s\", expected only one",
			 script->title);
		return;
	}
	place->observe = script->observe;
	place->program = sieve_scripts_read(m->scripts, script->source, phase, complaints);
	if (place->program != NULL)
		sieve_preload(m->scripts, place->program, phase, complaints);
}

static void unload(void *module)
{
	struct module *m = module;

	for (unsigned i = 0; i < PHASE_COUNT * HALVES; i++)
		sieve_program_unref(m->script[i / HALVES][i % HALVES].program);
	sieve_scripts_free(m->scripts);
	free(m);
}

static void *load(const struct policy_stanza *stanza, struct policy_set *set,
		  struct complaints *complaints)
{
	struct scripts_conf conf = {
		.target = {
			.has_inbound_audit = policy_set_conf(set)->has_inbound_audit,
			.strict_require = stanza->strict_require,
			.stub_unavailable = stanza->stub_unavailable,
		},
		.cache_size = stanza->cache_size,
		.cache_life_s = stanza->cache_life_s,
	};
	struct module *m = mem_new(sizeof *m);
	unsigned errors = complaints->errors;

	m->scripts = sieve_scripts_new(&conf);
	m->budget = SIEVE_BUDGET_USUAL;
	m->goes_on = stanza->runtime_error_continue;
	for (unsigned i = 0; i < stanza->script_count; i++)
		script_load(m, &stanza->scripts[i], complaints);
	if (complaints->errors == errors)
		return m;
	unload(m);
	return NULL;
}

static bool handles(const void *module, enum phase phase)
{
	const struct module *m = module;

	return m->script[phase][0].program != NULL || m->script[phase][1].program != NULL;
}

void sieve_set_budget(void *module, struct sieve_budget budget)
{
	struct module *m = module;

	m->budget = budget;
}

void sieve_set_watch(void *module, sieve_ended *ended, void *owner)
{
	struct module *m = module;

	m->ended = ended;
	m->watcher = owner;
}

/* --- waiting ----------------------------------------------------------------------------- */

static void errand_free(struct errand *errand)
{
	sieve_program_unref(errand->program);
	policy_unref(errand->set);
	free(errand->path);
	free(errand);
}

/* On the loop, whatever it was. */
static void errand_done(struct errand *errand)
{
	if (errand->run != NULL)
		policy_wake(errand->run); /* which takes what was brought, and frees it */
	else
		errand_free(errand);
}

static void slice_over(struct note *note)
{
	errand_done((struct errand *)note);
}

static void file_read(struct job *job)
{
	struct errand *errand = (struct errand *)job;
	struct complaints complaints;

	complaints_init(&complaints);
	errand->program =
		sieve_scripts_fetch(errand->scripts, errand->path, errand->phase, &complaints);
	if (errand->program == NULL)
		complaint_print(&complaints.list[0], errand->why, sizeof errand->why);
	complaints_free(&complaints);
}

static void file_is_there(struct job *job)
{
	errand_done((struct errand *)job);
}

static enum engine_step wait(struct module *m, struct policy_run *run, struct turn *turn)
{
	const struct policy_host *host = policy_set_host(run->set);
	struct loop *loop = host->loop(host->owner, run->facts->worker);
	const char *path = sieve_vm_wants(turn->vm);
	struct errand *errand = mem_new(sizeof *errand);

	errand->run = run;
	errand->set = policy_ref(run->set);
	errand->scripts = m->scripts;
	errand->phase = run->phase;
	turn->errand = errand;
	if (path != NULL) {
		errand->path = mem_strdup(path);
		jobs_start(host->jobs, loop, &errand->job, file_read, file_is_there);
	} else {
		loop_post(loop, &errand->job.note, slice_over);
	}
	return ENGINE_WAIT;
}

static void cancel(void *module, struct policy_run *run)
{
	struct turn *turn = run->state;

	(void)module;
	turn->errand->run = NULL;
	sieve_vm_fini(turn->vm);
	run->state = NULL;
}

static void wait_is_over(struct turn *turn)
{
	struct errand *errand = turn->errand;

	turn->errand = NULL;
	if (errand->path != NULL)
		sieve_vm_included(turn->vm, errand->program, errand->why);
	errand->program = NULL; /* the run has it */
	errand_free(errand);
}

/* --- running ----------------------------------------------------------------------------- */

/* Whether the answer so far is a yes, so that phase2 has its say after `stop` (D21). */
static bool is_yes(const struct verdict *verdict)
{
	return verdict->code == 0 || verdict->code == 250;
}

/* What the end of this half means for the other half and for the modules that follow (D21, D23). */
static bool is_last(const struct turn *turn, const struct policy_run *run, enum vm_step over)
{
	if (turn->half + 1 == HALVES)
		return true;
	if (run->observe)
		return false;
	return over == VM_STOPPED ? !is_yes(run->verdict) : over != VM_OVER;
}

static bool begin(struct module *m, struct policy_run *run, struct turn *turn)
{
	const struct script *script = &m->script[run->phase][turn->half];

	run->observe = script->observe;
	turn->vm = sieve_vm_new(run, m->scripts, script->program, m->budget, m->goes_on);
	if (turn->vm == NULL)
		policy_fail(run, script->program->file, 0, value_no_memory);
	return turn->vm != NULL;
}

static void tell(const struct module *m, enum vm_step step)
{
	static const enum sieve_end ends[] = {
		[VM_OVER] = SIEVE_OVER,	     [VM_STOPPED] = SIEVE_STOPPED, [VM_KEPT] = SIEVE_ACTED,
		[VM_ANSWERED] = SIEVE_ACTED, [VM_FAILED] = SIEVE_FAILED,
	};

	if (m->ended != NULL)
		m->ended(m->watcher, ends[step]);
}

static enum engine_step go(struct module *m, struct policy_run *run, struct turn *turn)
{
	enum vm_step step;

	for (;;) {
		if (turn->vm == NULL && m->script[run->phase][turn->half].program == NULL)
			step = VM_OVER;
		else if (turn->vm == NULL && !begin(m, run, turn))
			step = VM_FAILED;
		else
			step = sieve_vm_go(turn->vm);
		if (step == VM_SLICE || step == VM_INCLUDE)
			return wait(m, run, turn);
		if (turn->vm != NULL) {
			sieve_vm_fini(turn->vm);
			tell(m, step);
		}
		turn->vm = NULL;
		if (is_last(turn, run, step))
			break;
		turn->half++;
	}
	run->state = NULL;
	return !run->observe && (step == VM_ANSWERED || step == VM_FAILED) ? ENGINE_DONE
									   : ENGINE_CONT;
}

static enum engine_step run_phase(void *module, struct policy_run *run)
{
	struct turn *turn = run->state;

	if (turn != NULL) {
		wait_is_over(turn);
		return go(module, run, turn);
	}
	turn = run->state = arena_take(&run->arena, sizeof *turn);
	return go(module, run, turn);
}

const struct policy_engine sieve_engine = {
	.kind = "sieve",
	.load = load,
	.unload = unload,
	.handles = handles,
	.run = run_phase,
	.cancel = cancel,
};
