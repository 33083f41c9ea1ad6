#include <stdlib.h>
#include <strings.h>
#include <uthash.h>

#include "app/options.h"
#include "base/mem.h"
#include "base/nearest.h"

struct checking {
	struct conf *conf;
	struct complaints *complaints;
};

/* --- names --- */

static const char *absent_why(const struct absent_row *rows, const char *name)
{
	for (; rows->name != NULL; rows++)
		if (strcasecmp(rows->name, name) == 0)
			return rows->why;
	return NULL;
}

/* "at the top level, in ESMTP_Listener or in Peer" */
static const char *places(unsigned scopes, char out[256])
{
	size_t len = 0;

	out[0] = '\0';
	if (scopes & 1u << SCOPE_LISTEN)
		scopes &= ~(1u << SCOPE_CONTROL_LISTEN); /* the same name */
	for (unsigned i = 0; i < SCOPE_COUNT && len < 256; i++) {
		if ((scopes & 1u << i) == 0)
			continue;
		scopes &= ~(1u << i);
		len += (size_t)snprintf(out + len, 256 - len, "%s%s%s",
					len == 0      ? ""
					: scopes == 0 ? " or "
						      : ", ",
					i == SCOPE_TOP ? "at the " : "in ", scope_rows[i].name);
	}
	return out;
}

static enum scope_kind kind_of(const struct conf_scope *scope)
{
	return (enum scope_kind)(scope->row - scope_rows);
}

/* --- options --- */

static const struct option_row *option_row_named(const char *name)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (strcasecmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	return NULL;
}

static void unknown_option(struct checking *k, const struct conf_option *o, unsigned in)
{
	const char *why = absent_why(absent_options, o->name);
	struct nearest best;

	if (why != NULL) {
		complain(k->complaints, o->at, "%s %s", o->name, why);
		return;
	}
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if (strcasecmp(scope_rows[i].name, o->name) == 0) {
			complain(k->complaints, o->at, "%s is a scope, expected '{' instead of '='",
				 o->name);
			return;
		}
	}
	nearest_begin(&best, slice_of(o->name));
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].scopes & in)
			nearest_try(&best, option_rows[i].name);
	for (unsigned i = 0; i < OPTION_COUNT && best.name == NULL; i++)
		nearest_try(&best, option_rows[i].name);
	if (best.name != NULL)
		complain(k->complaints, o->at, "unknown option %.40s, expected perhaps %s", o->name,
			 best.name);
	else
		complain(k->complaints, o->at, "unknown option %.40s", o->name);
}

static void check_option(struct checking *k, const struct conf_scope *scope, struct conf_option *o,
			 const struct conf_option **seen)
{
	const struct option_row *row = option_row_named(o->name);
	unsigned in = 1u << kind_of(scope);
	char where[256];

	if (row == NULL) {
		unknown_option(k, o, in);
		return;
	}
	if ((row->scopes & in) == 0) {
		complain(k->complaints, o->at, "%s cannot stand %s, expected it %s", row->name,
			 places(in, where), places(row->scopes, (char[256]){ 0 }));
		return;
	}
	if (seen[row - option_rows] != NULL) {
		const struct place *first = &seen[row - option_rows]->at;

		complain(k->complaints, o->at, "%s is set already at %s:%u:%u, expected it once",
			 row->name, first->file, first->line, first->col);
		return;
	}
	seen[row - option_rows] = o;
	o->row = row;
	o->value_read = option_read(k->conf, row, &o->value, k->complaints);
	if (row->idle != NULL && o->value_read != NULL)
		complain_warn(k->complaints, o->at, "%s has no effect: %s", row->name, row->idle);
}

/* --- scopes --- */

static const struct scope_row *scope_row_named(const char *name, unsigned in)
{
	const struct scope_row *elsewhere = NULL;

	for (unsigned i = 1; i < SCOPE_COUNT; i++) {
		if (strcasecmp(scope_rows[i].name, name) != 0)
			continue;
		elsewhere = &scope_rows[i];
		if (elsewhere->within & in)
			break;
	}
	return elsewhere;
}

static void unknown_scope(struct checking *k, const struct conf_scope *scope)
{
	const char *why = absent_why(absent_scopes, scope->name);
	struct nearest best;

	if (why != NULL) {
		complain(k->complaints, scope->at, "%s %s", scope->name, why);
		return;
	}
	if (option_row_named(scope->name) != NULL) {
		complain(k->complaints, scope->at, "%s is an option, expected '=' and a value",
			 scope->name);
		return;
	}
	nearest_begin(&best, slice_of(scope->name));
	for (unsigned i = SCOPE_TOP + 1; i < SCOPE_COUNT; i++)
		nearest_try(&best, scope_rows[i].name);
	if (best.name != NULL)
		complain(k->complaints, scope->at, "unknown scope %.40s, expected perhaps %s",
			 scope->name, best.name);
	else
		complain(k->complaints, scope->at, "unknown scope %.40s", scope->name);
}

/* The title as titles are compared. NULL: it is wrong, and *wrong_out says why. */
static const char *title_key(struct checking *k, const struct conf_scope *scope,
			     const char **wrong_out)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint where;
	struct cidr block;
	const char *path;

	switch (scope->row->title) {
	case TITLE_NONE:
	case TITLE_IGNORED:
		return "";
	case TITLE_NAME:
		*wrong_out = "expected a name";
		return scope->title[0] ? scope->title : NULL;
	case TITLE_BLOCK:
		*wrong_out = cidr_parse(slice_of(scope->title), &block);
		return *wrong_out ? NULL : conf_copy(k->conf, slice_of(cidr_print(&block, text)));
	case TITLE_DOMAIN:
		*wrong_out = "expected a domain, or *. and a domain";
		return option_domain(k->conf, scope->title);
	case TITLE_ENDPOINT:
		path = strchr(scope->title, '/') ? conf_path(k->conf, scope->title_at, scope->title)
						 : scope->title;
		*wrong_out =
			path ? endpoint_parse(slice_of(path), &where) : "expected an absolute path";
		return *wrong_out ? NULL
				  : conf_copy(k->conf, slice_of(endpoint_print(&where, text)));
	}
	return NULL;
}

static bool check_title(struct checking *k, struct conf_scope *scope)
{
	const struct scope_row *row = scope->row;
	const char *wrong = NULL;

	if (row->title >= TITLE_NAME && scope->title == NULL) {
		complain(k->complaints, scope->at, "%s without a title, expected %s \"..\" {",
			 row->name, row->name);
		return false;
	}
	if (row->title == TITLE_NONE && scope->title != NULL) {
		complain(k->complaints, scope->title_at, "%s with a title, expected %s {",
			 row->name, row->name);
		return false;
	}
	scope->key = title_key(k, scope, &wrong);
	if (scope->key != NULL)
		return true;
	complain(k->complaints, scope->title_at, "%s is \"%.60s\", %s", row->name, scope->title,
		 wrong);
	return false;
}

/* Scopes of one parent, by row and key. */
struct sibling {
	char *key;
	const struct conf_scope *scope;
	UT_hash_handle hh;
};

static bool is_first(struct checking *k, struct sibling **siblings, const struct conf_scope *scope)
{
	char *key = mem_printf("%u %s", kind_of(scope), scope->row->once ? "" : scope->key);
	const struct conf_scope *first;
	struct sibling *s;

	HASH_FIND_STR(*siblings, key, s);
	if (s == NULL) {
		s = mem_new(sizeof *s);
		s->key = key;
		s->scope = scope;
		HASH_ADD_KEYPTR(hh, *siblings, s->key, strlen(s->key), s);
		return true;
	}
	free(key);
	first = s->scope;
	complain(k->complaints, scope->at,
		 "%s%s%s%s is there already at %s:%u:%u, expected it once", scope->row->name,
		 scope->title ? " \"" : "", scope->title ? scope->title : "",
		 scope->title ? "\"" : "", first->at.file, first->at.line, first->at.col);
	return false;
}

static void siblings_free(struct sibling *siblings)
{
	struct sibling *s, *next;

	HASH_ITER (hh, siblings, s, next) {
		HASH_DEL(siblings, s);
		free(s->key);
		free(s);
	}
}

/* Listen is one row in ESMTP_Listener, and another in Control_Listener. */
static unsigned within_of(const char *name)
{
	unsigned within = 0;

	for (unsigned i = 1; i < SCOPE_COUNT; i++)
		if (strcasecmp(scope_rows[i].name, name) == 0)
			within |= scope_rows[i].within;
	return within;
}

/* Sets scope->row, or says why not. */
static void find_row(struct checking *k, struct conf_scope *scope, unsigned in)
{
	const struct scope_row *row = scope_row_named(scope->name, in);
	char where[256];

	if (row == NULL) {
		unknown_scope(k, scope);
	} else if ((row->within & in) == 0) {
		complain(k->complaints, scope->at, "%s cannot stand %s, expected it %s", row->name,
			 places(in, where), places(within_of(row->name), (char[256]){ 0 }));
	} else {
		scope->row = row;
	}
}

/* conf.c keeps the nesting shallow. */
static void check_scope(struct checking *k, struct conf_scope *scope)
{
	const struct conf_option *seen[OPTION_COUNT] = { NULL };
	struct sibling *siblings = NULL;
	struct conf_option *o;
	struct conf_scope *s;

	if (scope->row->idle) {
		complain_warn(k->complaints, scope->at, "%s has no effect", scope->row->name);
		return;
	}
	STAILQ_FOREACH (o, &scope->options, next)
		check_option(k, scope, o, seen);
	STAILQ_FOREACH (s, &scope->scopes, next) {
		find_row(k, s, 1u << kind_of(scope));
		if (s->row == NULL)
			continue;
		if (check_title(k, s))
			is_first(k, &siblings, s);
		check_scope(k, s);
	}
	siblings_free(siblings);
}

void options_check(struct conf *conf, struct complaints *complaints)
{
	struct checking k = { conf, complaints };

	conf->top.row = &scope_rows[SCOPE_TOP];
	check_scope(&k, &conf->top);
}

static void forget_scope(struct conf_scope *scope)
{
	struct conf_option *o;
	struct conf_scope *s;

	STAILQ_FOREACH (o, &scope->options, next)
		if (o->value_read != NULL)
			option_value_fini(o->row, o->value_read);
	STAILQ_FOREACH (s, &scope->scopes, next)
		forget_scope(s);
}

void options_forget(struct conf *conf)
{
	forget_scope(&conf->top);
}

const struct conf_option *option_find(const struct conf_scope *scope, enum option_id id)
{
	const struct conf_option *o;

	STAILQ_FOREACH (o, &scope->options, next)
		if (o->row == &option_rows[id])
			return o;
	return NULL;
}
