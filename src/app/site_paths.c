/*
 * site_paths - every path that a configuration names, so that the daemon can be kept from all
 * others, and so that a reload which names one outside is refused before it half works.
 */
#include <stdlib.h>

#include "app/conf_file.h"
#include "app/site_build.h"
#include "base/mem.h"
#include "guard/fence.h"

static void list(struct build *b, struct place at, const char *path, enum site_access access)
{
	struct site_paths *all = b->paths;

	all->list = mem_resize(all->list, all->count + 1, sizeof *all->list);
	all->list[all->count++] = (struct site_path){ path, access, at };
}

static void add(struct build *b, struct place at, const char *path, enum site_access access)
{
	if (fence_has(path, access == SITE_READS ? FENCE_READ : FENCE_WRITE))
		list(b, at, path, access);
	else
		complain(b->complaints, at, "needs a restart: %s", path);
}

/* Those are added whether they are set or not. */
static bool is_directory(const struct option_row *row)
{
	return row == &option_rows[OPT_STATE_DIR] || row == &option_rows[OPT_SERIALIZE_DIR] ||
	       row == &option_rows[OPT_LOG_DIR];
}

/* Where it is not set it is in State_Dir. */
static void add_directory(struct build *b, const struct conf_scope *scope, enum option_id id,
			  const char *path)
{
	const struct conf_option *o = option_find(scope, id);

	if (o != NULL)
		add(b, o->at, path, SITE_FILLS);
	else
		list(b, scope->at, path, SITE_FILLS);
}

static void add_option(struct build *b, const struct conf_option *o)
{
	const struct option_value *v = o->value_read;

	if (o->row == NULL || v == NULL)
		return;
	if (o->row->type == OPTION_HOP || o->row->type == OPTION_HOPS)
		for (unsigned i = 0; i < v->count; i++)
			if (v->hops[i].kind == HOP_MAILDIR)
				add(b, o->at, conf_copy(b->conf, slice_of(v->hops[i].name)),
				    SITE_FILLS);
	if (o->row->type != OPTION_PATH || is_directory(o->row))
		return;
	add(b, o->at, v->text, o->row == &option_rows[OPT_LOG_FILE] ? SITE_MAKES : SITE_READS);
}

static void add_scope(struct build *b, const struct conf_scope *scope)
{
	const struct conf_option *o;
	const struct conf_scope *s;

	if (scope->key != NULL && scope->row->title == TITLE_ENDPOINT && strchr(scope->key, '/'))
		add(b, scope->title_at, scope->key, SITE_MAKES);
	STAILQ_FOREACH (o, &scope->options, next)
		add_option(b, o);
	STAILQ_FOREACH (s, &scope->scopes, next)
		if (s->row != NULL)
			add_scope(b, s);
}

void paths_collect(struct build *b)
{
	const struct conf_option *o = option_find(&b->conf->top, OPT_STATE_DIR);
	const struct conf_scope *control = scope_next(&b->conf->top, SCOPE_CONTROL, NULL);
	const struct conf_scope *audit = scope_next(&b->conf->top, SCOPE_AUDIT, NULL);
	const struct place nowhere = { 0 };

	add(b, o ? o->at : nowhere, b->state_dir, SITE_FILLS);
	if (audit != NULL) {
		add_directory(b, audit, OPT_SERIALIZE_DIR, b->series.serialize_dir);
		add_directory(b, audit, OPT_LOG_DIR, b->series.log_dir);
	}
	if (control == NULL || scope_next(control, SCOPE_CONTROL_LISTEN, NULL) == NULL)
		add(b, nowhere, control_default, SITE_MAKES);
	for (const struct conf_file *f = b->conf->files; f != NULL; f = f->older)
		add(b, f->included_at, f->name, SITE_READS);
	add_scope(b, &b->conf->top);
}

void paths_free(struct site_paths *paths)
{
	free(paths->list);
	*paths = (struct site_paths){ 0 };
}
