#include "policy/sieve/program.h"

#include <stdlib.h>

#include "base/mem.h"
#include "policy/sieve/limits.h"
#include "policy/sieve/parser.h"
#include "policy/sieve/regex.h"

static void program_free(struct program *program)
{
	for (unsigned i = 0; i < program->regex_count; i++)
		sieve_regex_free(program->regexes[i]);
	free(program->file);
	free(program->ops);
	free(program->constants);
	free(program->texts);
	free(program->matches);
	free(program->sites);
	free(program->regexes);
	free(program->includes);
	arena_free(&program->arena);
	free(program);
}

static int in_order(const void *a, const void *b)
{
	const struct complaint *l = a, *r = b;

	if (l->line != r->line)
		return l->line < r->line ? -1 : 1;
	return (l->col > r->col) - (l->col < r->col);
}

struct program *sieve_program_new(const char *file, struct slice source,
				  const struct sieve_target *target, struct symbols *symbols,
				  struct complaints *complaints)
{
	struct program *program = mem_new(sizeof *program);
	unsigned errors = complaints->errors, first = complaints->count;
	struct statement *script;

	program->refs = 1;
	program->file = mem_strdup(file);
	arena_init(&program->arena, SIZE_MAX);
	if (source.len > SIEVE_SOURCE_MAX) {
		complain(complaints, (struct place){ .file = file }, "script of more than 256 KiB");
	} else if (arena_copy(&program->arena, source, &source)) {
		script = sieve_parse(&program->arena, file, source, complaints);
		sieve_check(script, file, target, complaints);
		if (complaints->errors == errors)
			sieve_compile(program, script, symbols, complaints);
	}
	if (complaints->errors == errors)
		return program;
	qsort(complaints->list + first, complaints->count - first, sizeof *complaints->list,
	      in_order);
	program_free(program);
	return NULL;
}

struct program *sieve_program_ref(struct program *program)
{
	atomic_fetch_add_explicit(&program->refs, 1, memory_order_relaxed);
	return program;
}

void sieve_program_unref(struct program *program)
{
	if (program != NULL &&
	    atomic_fetch_sub_explicit(&program->refs, 1, memory_order_acq_rel) == 1)
		program_free(program);
}
