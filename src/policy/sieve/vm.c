#include "policy/sieve/vm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "policy/macro.h"
#include "policy/sieve/value_ops.h"

/* Where a run can't make room for others, it has that part of the total only. */
enum { STEPS_TEST_MAX = 50000, BYTES_A_STEP = 64, ACCEPT_SHARE = 10 };

/* One script inside another. cause[d]: what led into the block d deep, as a value's origin. */
struct frame {
	struct frame *caller;
	const struct program *program;
	uint32_t pc;
	uint32_t top;
	uint8_t cause[SIEVE_NESTING_MAX + 2];
	struct value stack[];
};

/* An included program, held until the run is over: variables may point into it. */
struct held {
	struct held *next;
	struct program *program;
};

struct vm {
	struct policy_run *run;
	struct scripts *scripts;
	struct frame *frame;
	unsigned depth; /* of frames */
	struct value *variables;
	unsigned variable_count;
	struct held *held;
	const char *wants; /* the file to include; NULL: none */
	int slice;	   /* steps left in it */
	int slice_begun_with;
	int total; /* steps left when the slice began */
	struct sieve_budget budget;
	bool truth;
	uint8_t origin; /* of the latest test of this condition that came true */
	bool goes_on;
};

static bool can_wait(const struct vm *vm)
{
	return vm->run->can_wait && policy_set_host(vm->run->set)->loop != NULL;
}

static const struct op *op_now(const struct vm *vm)
{
	return &vm->frame->program->ops[vm->frame->pc - 1];
}

/* A Sieve error at the operation being done. false: it ends the script. */
static bool go_on_after(struct vm *vm, const char *why)
{
	const struct policy_host *host = policy_set_host(vm->run->set);
	const char *file = vm->frame->program->file;
	char text[512];

	if (!vm->goes_on) {
		policy_fail(vm->run, file, op_now(vm)->line, why);
		return false;
	}
	snprintf(text, sizeof text, "Sieve error, going on: %s", why);
	host->logged(host->owner, LOG_WARN, vm->run->facts, file, op_now(vm)->line,
		     slice_of(text));
	return true;
}

static bool frame_push(struct vm *vm, const struct program *program, uint8_t cause)
{
	struct frame *frame = arena_take(
		&vm->run->arena, sizeof *frame + program->stack_max * sizeof frame->stack[0]);

	if (frame == NULL)
		return false;
	frame->caller = vm->frame;
	frame->program = program;
	frame->cause[0] = cause;
	vm->frame = frame;
	vm->depth++;
	return true;
}

/* A program compiled later may have brought new names. */
static bool variables_grow(struct vm *vm)
{
	unsigned count = sieve_symbols_count(sieve_scripts_symbols(vm->scripts));
	struct value *grown;

	if (count <= vm->variable_count)
		return true;
	grown = arena_take(&vm->run->arena, count * sizeof *grown);
	if (grown == NULL)
		return false;
	if (vm->variable_count > 0)
		memcpy(grown, vm->variables, vm->variable_count * sizeof *grown);
	vm->variables = grown;
	vm->variable_count = count;
	return true;
}

struct vm *sieve_vm_new(struct policy_run *run, struct scripts *scripts,
			const struct program *program, struct sieve_budget budget, bool goes_on)
{
	struct vm *vm = arena_take(&run->arena, sizeof *vm);

	if (vm == NULL)
		return NULL;
	vm->run = run;
	vm->scripts = scripts;
	vm->budget = budget;
	vm->total = run->can_wait ? budget.total : budget.total / ACCEPT_SHARE;
	vm->goes_on = goes_on;
	return variables_grow(vm) && frame_push(vm, program, 0) ? vm : NULL;
}

void sieve_vm_fini(struct vm *vm)
{
	for (; vm->held != NULL; vm->held = vm->held->next)
		sieve_program_unref(vm->held->program);
	free((char *)vm->wants);
	vm->wants = NULL;
}

/* Room for one more. It is filled in where it lies: values that travel by copy cost more. */
static struct value *push(struct vm *vm)
{
	return &vm->frame->stack[vm->frame->top++];
}

static struct value *pop(struct vm *vm, unsigned count)
{
	vm->frame->top -= count;
	return &vm->frame->stack[vm->frame->top];
}

/* What an operation left in *v, or "" when it failed and the script goes on (1.9). */
static bool made(struct vm *vm, struct value *v, const char *wrong)
{
	if (wrong == NULL)
		return true;
	*v = VALUE_STR(SLICE(""));
	return go_on_after(vm, wrong);
}

static bool do_string_of(struct vm *vm, uint32_t slot)
{
	const struct value *variable = &vm->variables[slot];
	struct value *v = push(vm);

	v->type = VALUE_STRING;
	v->origin = (uint8_t)value_origin(variable);
	return made(vm, v, sieve_text_of(&vm->run->arena, variable, &v->string));
}

static const char *part_value(struct vm *vm, const struct part *part, struct slice *out,
			      uint8_t *origin)
{
	const struct value *variable;

	switch (part->kind) {
	case PART_TEXT:
		*out = part->text;
		return NULL;
	case PART_MACRO:
		return macro_value(vm->run, part->text, out);
	case PART_VARIABLE:
		break;
	}
	variable = &vm->variables[part->slot];
	if (*origin == 0)
		*origin = (uint8_t)value_origin(variable);
	return sieve_text_of(&vm->run->arena, variable, out);
}

static bool do_text(struct vm *vm, const struct text *text)
{
	struct value *v = push(vm);
	struct slice pieces[SIEVE_PARTS_MAX];
	const char *wrong = NULL;

	v->type = VALUE_STRING;
	v->origin = 0;
	for (unsigned i = 0; i < text->count && wrong == NULL; i++)
		wrong = part_value(vm, &text->parts[i], &pieces[i], &v->origin);
	if (wrong == NULL)
		wrong = sieve_put_together(&vm->run->arena, pieces, text->count, &v->string);
	return made(vm, v, wrong);
}

static bool do_list(struct vm *vm, uint32_t count)
{
	struct value list = { .type = VALUE_LIST, .count = count };
	const char *wrong = sieve_list_of(&vm->run->arena, pop(vm, count), count, &list);
	struct value *v = push(vm);

	*v = list;
	return made(vm, v, wrong);
}

static bool do_index(struct vm *vm)
{
	const struct value *from = pop(vm, 2), *index = from + 1;
	struct value element = VALUE_STR(SLICE("")), *v;
	bool found;
	const char *wrong = sieve_element(&vm->run->arena, from, index, &element, &found);

	if (wrong == NULL && !found) /* D8 */
		log_debug("%s:%u: a subscript finds nothing", vm->frame->program->file,
			  op_now(vm)->line);
	v = push(vm);
	*v = element;
	return made(vm, v, wrong);
}

/* What it gave is on the stack. false: the script is over, and *over_out says how. */
static bool do_call(struct vm *vm, const struct op *op, enum vm_step *over_out)
{
	const struct call_site *site = &vm->frame->program->sites[op->x];
	struct fn_call call;
	size_t used = vm->run->arena.used;
	const struct value *args = pop(vm, site->argc + site->tag_takes);
	struct value *v;
	bool worked;

	call.run = vm->run;
	call.fn = site->fn;
	call.tag = site->tag;
	call.tag_value = site->tag_takes ? &args[site->argc] : NULL;
	call.file = vm->frame->program->file;
	call.line = op->line;
	call.cause = vm->frame->cause[op->depth];
	call.error_continue = &vm->goes_on;
	worked = fn_call(&call, args, site->argc) == FN_OK;
	vm->slice -= (int)(call.steps + (vm->run->arena.used - used) / BYTES_A_STEP);
	if (worked && site->ends) {
		*over_out = site->fn->flags & FN_DONE ? VM_ANSWERED : VM_KEPT;
		return false;
	}
	v = push(vm);
	*v = call.result;
	return made(vm, v, worked ? NULL : call.error);
}

static bool do_spread(struct vm *vm, uint32_t count)
{
	struct value from = *pop(vm, 1);
	const struct value *members = NULL;
	uint32_t n = 0;
	const char *wrong = value_to_list(&vm->run->arena, &from, &members, &n);

	while (count-- > 0) {
		struct value *v = push(vm);

		*v = wrong == NULL && count < n ? members[count] : VALUE_STR(SLICE(""));
		if (v->origin == 0)
			v->origin = from.origin;
	}
	return wrong == NULL || go_on_after(vm, wrong);
}

static void came_to(struct vm *vm, const struct op *op, bool truth, unsigned origin)
{
	vm->truth = truth;
	if (truth != op->negated && origin != 0)
		vm->origin = (uint8_t)origin;
}

static bool do_match(struct vm *vm, const struct op *op)
{
	const struct value *left = pop(vm, 2), *right = left + 1;
	unsigned origin = value_origin(left) != 0 ? value_origin(left) : value_origin(right);
	int steps = STEPS_TEST_MAX;
	bool truth;
	const char *wrong = sieve_match(&vm->frame->program->matches[op->x], &vm->run->arena, left,
					right, &steps, &truth);

	vm->slice -= STEPS_TEST_MAX - steps;
	came_to(vm, op, truth, origin);
	return wrong == NULL || go_on_after(vm, wrong);
}

static void do_enter(struct vm *vm, const struct op *op)
{
	uint8_t *cause = &vm->frame->cause[op->depth];

	*cause = vm->origin != 0 ? vm->origin : cause[-1];
}

static bool include_failed(struct vm *vm, const char *why)
{
	char text[400];

	snprintf(text, sizeof text, "ec_include \"%s\": %s", vm->wants != NULL ? vm->wants : "",
		 why);
	free((char *)vm->wants);
	vm->wants = NULL;
	return go_on_after(vm, text);
}

/* Takes the reference. */
static bool include(struct vm *vm, struct program *program)
{
	struct held *held = arena_take(&vm->run->arena, sizeof *held);

	if (held == NULL) {
		sieve_program_unref(program);
		return include_failed(vm, value_no_memory);
	}
	*held = (struct held){ vm->held, program };
	vm->held = held;
	if (!variables_grow(vm) || !frame_push(vm, program, vm->frame->cause[op_now(vm)->depth]))
		return include_failed(vm, value_no_memory);
	free((char *)vm->wants);
	vm->wants = NULL;
	return true;
}

/* Without a job to read it, in a tool, the file is read here and now. */
static bool include_now(struct vm *vm)
{
	struct complaints complaints;
	struct program *program;
	char why[256];

	complaints_init(&complaints);
	program = sieve_scripts_fetch(vm->scripts, vm->wants, vm->run->phase, &complaints);
	if (program == NULL)
		complaint_print(&complaints.list[0], why, sizeof why);
	complaints_free(&complaints);
	return program != NULL ? include(vm, program) : include_failed(vm, why);
}

/* In vm->wants, when it has to be read first. */
static bool do_include(struct vm *vm, enum vm_step *over_out)
{
	const struct value *arg = pop(vm, 1);
	struct program *program;
	struct slice path;
	const char *wrong = value_to_string(&vm->run->arena, arg, &path);

	if (wrong != NULL)
		return include_failed(vm, wrong);
	vm->wants = sieve_scripts_path(vm->frame->program, path);
	if (vm->wants == NULL)
		return include_failed(vm, "this is not a path");
	if (vm->depth > SIEVE_INCLUDE_DEPTH)
		return include_failed(vm, "scripts include each other deeper than 20");
	program = sieve_scripts_find(vm->scripts, vm->wants, vm->run->phase, !can_wait(vm));
	if (program != NULL)
		return include(vm, program);
	if (policy_set_host(vm->run->set)->jobs == NULL)
		return include_now(vm);
	if (!can_wait(vm))
		return include_failed(vm,
				      "a script can't wait for a file in this phase"); /* D113 */
	*over_out = VM_INCLUDE;
	return false;
}

const char *sieve_vm_wants(const struct vm *vm)
{
	return vm->wants;
}

void sieve_vm_included(struct vm *vm, struct program *program, const char *why)
{
	bool goes_on = program != NULL ? include(vm, program) : include_failed(vm, why);

	if (!goes_on)
		vm->frame = NULL; /* failed, and sieve_vm_go says so */
}

/*
 * false: *over_out is VM_SLICE, let others go first; or VM_FAILED, the total is spent, which no
 * error mode forgives.
 */
static bool slice_begin(struct vm *vm, enum vm_step *over_out)
{
	const struct frame *frame = vm->frame;
	bool is_first = vm->slice_begun_with == 0;

	vm->total -= vm->slice_begun_with - vm->slice;
	vm->slice = vm->total < vm->budget.slice ? vm->total : vm->budget.slice;
	vm->slice_begun_with = vm->slice;
	if (vm->total <= 0) {
		policy_fail(vm->run, frame->program->file, frame->program->ops[frame->pc].line,
			    "the script takes too many steps");
		*over_out = VM_FAILED;
		return false;
	}
	*over_out = VM_SLICE;
	return is_first || !can_wait(vm);
}

static bool do_end(struct vm *vm, enum vm_step *over_out)
{
	vm->frame = vm->frame->caller;
	vm->depth--;
	*over_out = VM_OVER;
	return vm->frame != NULL;
}

/* false: it goes no further, and *over_out, which was VM_FAILED, says why. */
static bool do_op(struct vm *vm, const struct op *op, enum vm_step *over_out)
{
	const struct value *v;

	switch ((enum opcode)op->code) {
	case OP_END:
		return do_end(vm, over_out);
	case OP_CONSTANT:
		*push(vm) = vm->frame->program->constants[op->x];
		return true;
	case OP_VARIABLE:
		*push(vm) = vm->variables[op->x];
		return true;
	case OP_STRING_OF:
		return do_string_of(vm, op->x);
	case OP_TEXT:
		return do_text(vm, &vm->frame->program->texts[op->x]);
	case OP_LIST:
		return do_list(vm, op->x);
	case OP_INDEX:
		return do_index(vm);
	case OP_CALL:
		return do_call(vm, op, over_out);
	case OP_DROP:
		pop(vm, 1);
		return true;
	case OP_STORE:
		vm->variables[op->x] = *pop(vm, 1);
		return true;
	case OP_SPREAD:
		return do_spread(vm, op->x);
	case OP_MATCH:
		return do_match(vm, op);
	case OP_TRUTH:
		v = pop(vm, 1);
		came_to(vm, op, value_is_true(v), value_origin(v));
		return true;
	case OP_SET:
		vm->truth = op->x;
		return true;
	case OP_NOT:
		vm->truth = !vm->truth;
		return true;
	case OP_JUMP:
		vm->frame->pc = op->x;
		return true;
	case OP_JUMP_IF:
		if (vm->truth)
			vm->frame->pc = op->x;
		return true;
	case OP_JUMP_UNLESS:
		if (!vm->truth)
			vm->frame->pc = op->x;
		return true;
	case OP_IF:
		vm->origin = 0;
		return true;
	case OP_ENTER:
		do_enter(vm, op);
		return true;
	case OP_INCLUDE:
		return do_include(vm, over_out);
	case OP_STOP:
		*over_out = VM_STOPPED;
		return false;
	}
	return false;
}

enum vm_step sieve_vm_go(struct vm *vm)
{
	enum vm_step over;

	while (vm->frame != NULL) {
		if (vm->slice <= 0 && !slice_begin(vm, &over))
			return over;
		vm->slice--;
		over = VM_FAILED;
		if (!do_op(vm, &vm->frame->program->ops[vm->frame->pc++], &over))
			return over;
	}
	return VM_FAILED; /* what was to be included could not be */
}
