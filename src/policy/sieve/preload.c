#include "policy/sieve/preload.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy/sieve/limits.h"

struct visit {
	char *path;
	bool is_open; /* we are still inside */
};

struct preload {
	struct scripts *scripts;
	enum phase phase;
	struct complaints *complaints;
	struct visit visits[SIEVE_INCLUDES_MAX];
	unsigned count;
};

static void follow(struct preload *p, const struct program *program, unsigned depth);

static struct visit *visit_find(struct preload *p, const char *path)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->visits[i].path, path) == 0)
			return &p->visits[i];
	return NULL;
}

/* Takes the path. */
static void visit(struct preload *p, char *path, struct program *program, unsigned depth)
{
	struct visit *here = &p->visits[p->count++];

	*here = (struct visit){ .path = path, .is_open = true };
	if (program != NULL)
		follow(p, program, depth);
	here->is_open = false;
	sieve_program_unref(program);
}

static struct program *get(struct preload *p, const char *path)
{
	struct program *program = sieve_scripts_find(p->scripts, path, p->phase, true);

	return program != NULL ? program
			       : sieve_scripts_fetch(p->scripts, path, p->phase, p->complaints);
}

static void follow_one(struct preload *p, const struct program *from, const struct include *include,
		       unsigned depth)
{
	struct place at = { from->file, include->at.line, include->at.col };
	char *path = sieve_scripts_path(from, include->path);
	struct visit *been = path != NULL ? visit_find(p, path) : NULL;

	if (path == NULL)
		complain(p->complaints, at, "\"%.*s\" is not a path", SLICE_ARGS(include->path));
	else if (been != NULL && been->is_open)
		complain(p->complaints, at, "%s includes itself%s", path,
			 strcmp(from->file, path) != 0 ? ", in a circle" : "");
	else if (depth == SIEVE_INCLUDE_DEPTH)
		complain(p->complaints, at, "scripts include each other deeper than 20");
	else if (p->count == SIEVE_INCLUDES_MAX)
		complain(p->complaints, at, "one script includes more than 500 files");
	else if (access(path, R_OK) != 0)
		complain_warn(p->complaints, at, "can't read %s: %s", path, strerror(errno));
	else if (been == NULL)
		visit(p, mem_strdup(path), get(p, path), depth + 1);
	free(path);
}

static void follow(struct preload *p, const struct program *program, unsigned depth)
{
	for (unsigned i = 0; i < program->include_count && p->complaints->errors < COMPLAIN_MAX;
	     i++)
		follow_one(p, program, &program->includes[i], depth);
}

void sieve_preload(struct scripts *scripts, struct program *program, enum phase phase,
		   struct complaints *complaints)
{
	struct preload *p = mem_new(sizeof *p);

	p->scripts = scripts;
	p->phase = phase;
	p->complaints = complaints;
	visit(p, mem_strdup(program->file), sieve_program_ref(program), 0);
	while (p->count > 0)
		free(p->visits[--p->count].path);
	free(p);
}
