#include "app/conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "app/conf_file.h"
#include "app/conf_lex.h"
#include "base/check.h"
#include "base/mem.h"

/* One file on its way into the tree. */
struct parser {
	struct conf *conf;
	struct complaints *complaints;
	struct conf_file *file;
	struct lexer lexer;
	struct token token; /* the one to look at next */
	unsigned depth;	    /* scopes open, those of including files too */
};

static void statements(struct parser *p, struct conf_scope *into, bool nested);

static void next(struct parser *p)
{
	p->token = lexer_next(&p->lexer);
}

static bool at_text(const struct parser *p)
{
	return p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_STRING;
}

static void unexpected(struct parser *p, const char *expected)
{
	const struct token *t = &p->token;

	if (t->kind == TOKEN_BAD)
		return; /* complained about already */
	if (t->kind == TOKEN_END)
		complain(p->complaints, t->at, "the file ends here, expected %s", expected);
	else if (at_text(p))
		complain(p->complaints, t->at, "unexpected \"%.40s\", expected %s", t->text,
			 expected);
	else
		complain(p->complaints, t->at, "unexpected '%c', expected %s", t->kind, expected);
}

static void scope_init(struct conf_scope *s)
{
	STAILQ_INIT(&s->options);
	STAILQ_INIT(&s->scopes);
}

/* From a '{' to before the '}' that belongs to it. */
static void skip_body(struct parser *p)
{
	unsigned open = 1;

	for (next(p); p->token.kind != TOKEN_END; next(p)) {
		if (p->token.kind == '{')
			open++;
		else if (p->token.kind == '}' && --open == 0)
			return;
	}
}

/* And those around it in this file. */
static void unclosed(struct parser *p, const struct conf_scope *scope)
{
	for (; scope->parent != NULL && scope->at.file == p->file->name; scope = scope->parent)
		complain(p->complaints, scope->at,
			 "scope %s is not closed, expected '}' before the end of the file",
			 scope->name);
}

static void scope_body(struct parser *p, struct conf_scope *scope)
{
	if (p->depth == CONF_SCOPES_MAX) {
		complain(p->complaints, scope->at, "a scope in %d others, expected fewer",
			 CONF_SCOPES_MAX);
		skip_body(p);
	} else {
		p->depth++;
		next(p);
		statements(p, scope, true);
		p->depth--;
	}
	if (p->token.kind == '}') {
		next(p);
		return;
	}
	if (!p->conf->broken)
		unclosed(p, scope);
	p->conf->broken = true;
}

/*
 * Go on at the next statement: the next line that does not begin inside of a list. A scope on the
 * way is read for what is wrong inside, and dropped.
 */
static void recover(struct parser *p)
{
	unsigned lists = 0;

	while (p->token.kind != TOKEN_END && p->token.kind != '}') {
		if (p->token.leads && (lists == 0 || p->token.kind == TOKEN_WORD))
			return;
		if (p->token.kind == '{') {
			struct conf_scope *dropped = conf_take(p->conf, sizeof *dropped);

			scope_init(dropped);
			dropped->at = p->token.at;
			dropped->name = "here";
			dropped->parent = &p->conf->top;
			scope_body(p, dropped);
			return;
		}
		if (p->token.kind == '(' || p->token.kind == '[')
			lists++;
		else if ((p->token.kind == ')' || p->token.kind == ']') && lists > 0)
			lists--;
		next(p);
	}
}

static void set_text(struct parser *p, struct conf_value *v)
{
	v->kind = CONF_TEXT;
	v->at = p->token.at;
	v->text = p->token.text;
	next(p);
}

static bool has_stray_comma(const struct token *t)
{
	return t->kind == TOKEN_WORD && (t->text[0] == ',' || t->text[strlen(t->text) - 1] == ',');
}

/* The item at hand; NULL when it is not one, and has been complained about. */
static struct conf_value *item(struct parser *p, const struct conf_value *list,
			       const char *expected)
{
	char close[96];

	if (!at_text(p)) {
		snprintf(close, sizeof close, "%s to close what opens at line %u column %u",
			 expected, list->at.line, list->at.col);
		unexpected(p, close);
		return NULL;
	}
	if (has_stray_comma(&p->token)) {
		complain(p->complaints, p->token.at,
			 "',' in a list, expected blanks between items");
		return NULL;
	}
	if (list->count == CONF_ITEMS_MAX) {
		complain(p->complaints, p->token.at, "a list of more than %d items",
			 CONF_ITEMS_MAX);
		return NULL;
	}
	return conf_take(p->conf, sizeof *list);
}

static bool list(struct parser *p, struct conf_value *v)
{
	struct conf_value *one;

	v->kind = CONF_LIST;
	for (next(p); p->token.kind != ')'; v->count++) {
		one = item(p, v, "an item, or ')'");
		if (one == NULL)
			return false;
		set_text(p, one);
		STAILQ_INSERT_TAIL(&v->items, one, next);
	}
	next(p);
	return true;
}

static bool dictionary(struct parser *p, struct conf_value *v)
{
	struct conf_value *one;
	struct token key;

	v->kind = CONF_DICT;
	for (next(p); p->token.kind != ']'; v->count++) {
		one = item(p, v, "a key, or ']'");
		if (one == NULL)
			return false;
		key = p->token;
		next(p);
		if (p->token.kind != '=') {
			unexpected(p, "'=' after the key");
			return false;
		}
		next(p);
		if (!at_text(p)) {
			unexpected(p, "the key's value");
			return false;
		}
		set_text(p, one);
		one->key = key.text;
		one->at = key.at;
		STAILQ_INSERT_TAIL(&v->items, one, next);
	}
	next(p);
	return true;
}

static bool value(struct parser *p, struct conf_value *v)
{
	STAILQ_INIT(&v->items);
	v->at = p->token.at;
	switch (p->token.kind) {
	case '(':
		return list(p, v);
	case '[':
		return dictionary(p, v);
	case TOKEN_WORD:
		/* On a line of its own it is the next statement: this one has no value. */
		if (!p->token.leads) {
			set_text(p, v);
			return true;
		}
		break;
	case TOKEN_STRING:
		set_text(p, v);
		return true;
	}
	unexpected(p, "a value after '='");
	return false;
}

static void scope(struct parser *p, struct conf_scope *into, const struct token *name,
		  const struct token *title)
{
	struct conf_scope *s = conf_take(p->conf, sizeof *s);

	scope_init(s);
	s->at = name->at;
	s->name = name->text;
	s->parent = into;
	if (title != NULL) {
		s->title = title->text;
		s->title_at = title->at;
	}
	STAILQ_INSERT_TAIL(&into->scopes, s, next);
	scope_body(p, s);
}

static void option(struct parser *p, struct conf_scope *into, const struct token *name)
{
	struct conf_option *o = conf_take(p->conf, sizeof *o);
	struct token first;

	next(p);
	first = p->token;
	if (!value(p, &o->value)) {
		recover(p);
		return;
	}
	if (first.kind == TOKEN_STRING && p->token.kind == '{') { /* D72 */
		scope(p, into, name, &first);
		return;
	}
	o->at = name->at;
	o->name = name->text;
	STAILQ_INSERT_TAIL(&into->options, o, next);
}

static void parse_file(struct conf *conf, struct complaints *complaints, struct conf_file *file,
		       struct conf_scope *into, unsigned depth)
{
	struct parser p = { conf, complaints, .file = file, .depth = depth };
	struct slice text;

	if (!conf_file_read(conf, file, complaints, &text)) {
		conf->broken |= file->includer == NULL;
		return;
	}
	lexer_init(&p.lexer, conf, complaints, file->name, text);
	next(&p);
	statements(&p, into, false);
	free((char *)text.at);
}

static void include(struct parser *p, struct conf_scope *into)
{
	struct conf_file *file;
	struct token path = p->token;

	if (!at_text(p) || path.leads) {
		unexpected(p, "the name of a file or a directory, in double quotes");
		recover(p);
		return;
	}
	next(p);
	file = conf_file_list(p->conf, p->file, path.at, path.text, p->complaints);
	for (; file != NULL; file = file->sibling)
		parse_file(p->conf, p->complaints, file, into, p->depth);
}

static void statement(struct parser *p, struct conf_scope *into)
{
	struct token name = p->token, title;

	next(p);
	if (name.kind != TOKEN_WORD) {
		struct token after = p->token;

		p->token = name;
		unexpected(p, "the name of an option or of a scope");
		p->token = after;
		recover(p);
	} else if (strcasecmp(name.text, "include") == 0 ||
		   strcasecmp(name.text, "readonly_include") == 0) {
		include(p, into);
	} else if (p->token.kind == '=') {
		option(p, into, &name);
	} else if (p->token.kind == '{') {
		scope(p, into, &name, NULL);
	} else if (at_text(p) && !p->token.leads) {
		title = p->token;
		next(p);
		if (p->token.kind == '{') {
			scope(p, into, &name, &title);
			return;
		}
		unexpected(p, "'{' after the scope's title");
		recover(p);
	} else {
		unexpected(p, "'=' or '{' after a name");
		recover(p);
	}
}

/* Up to the end, or to the '}' that closes the scope around. */
static void statements(struct parser *p, struct conf_scope *into, bool nested)
{
	while (p->token.kind != TOKEN_END) {
		if (p->token.kind != '}') {
			statement(p, into);
			continue;
		}
		if (nested)
			return;
		if (!p->conf->broken)
			complain(p->complaints, p->token.at,
				 "'}' closes nothing, expected a statement");
		p->conf->broken = true;
		next(p);
	}
}

void *conf_take(struct conf *conf, size_t size)
{
	void *at = arena_take(&conf->arena, size);

	CHECK(at != NULL); /* it has no limit: CONF_BYTES_MAX is one on what is read into it */
	return at;
}

void *conf_array(struct conf *conf, size_t count, size_t size)
{
	CHECK(size == 0 || count <= SIZE_MAX / size);
	return conf_take(conf, count * size);
}

char *conf_copy(struct conf *conf, struct slice text)
{
	char *copy = conf_take(conf, text.len + 1);

	memcpy(copy, text.at, text.len);
	return copy;
}

static struct conf *conf_new(const char *file)
{
	struct conf *conf = mem_new(sizeof *conf);

	arena_init(&conf->arena, SIZE_MAX);
	scope_init(&conf->top);
	conf->top.at.file = conf_file_new(conf, NULL, (struct place){ 0 }, file)->name;
	return conf;
}

struct conf *conf_load(const char *file, struct complaints *complaints)
{
	struct conf *conf = conf_new(file);

	parse_file(conf, complaints, conf->files, &conf->top, 0);
	return conf;
}

struct conf *conf_parse(const char *name, struct slice text, struct complaints *complaints)
{
	struct conf *conf = conf_new(name);
	struct parser p = { conf, complaints, .file = conf->files };

	lexer_init(&p.lexer, conf, complaints, p.file->name, text);
	next(&p);
	statements(&p, &conf->top, false);
	return conf;
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	arena_free(&conf->arena);
	free(conf);
}
