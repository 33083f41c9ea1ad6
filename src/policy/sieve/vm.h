/*
 * vm - one run of one script: it goes until the script is over, or until it has to wait.
 *
 * All its memory is the arena of its policy_run, but for the programs it holds on to; values that
 * it makes point there, or into those programs.
 */
#ifndef POLICY_SIEVE_VM_H
#define POLICY_SIEVE_VM_H

#include "policy/sieve/limits.h"
#include "policy/sieve/scripts.h"

enum vm_step {
	VM_OVER,     /* fell off its end */
	VM_STOPPED,  /* `stop` */
	VM_KEPT,     /* a terminal action that lets other modules go on (D23) */
	VM_ANSWERED, /* a terminal action that does not */
	VM_FAILED,   /* a Sieve error, and policy_fail has been told */
	VM_SLICE,    /* a slice is used up; go on later */
	VM_INCLUDE,  /* sieve_vm_wants() has to be read; then sieve_vm_included() */
};

struct vm;

/* NULL: the arena is full. program is borrowed, and lives as long as the set. */
struct vm *sieve_vm_new(struct policy_run *run, struct scripts *scripts,
			const struct program *program, struct sieve_budget budget,
			bool goes_on /* after errors (1.9) */);
void sieve_vm_fini(struct vm *vm); /* lets go of the programs it holds */

enum vm_step sieve_vm_go(struct vm *vm);

const char *sieve_vm_wants(const struct vm *vm);
/* Takes the reference. program NULL: why not. */
void sieve_vm_included(struct vm *vm, struct program *program, const char *why);

#endif
