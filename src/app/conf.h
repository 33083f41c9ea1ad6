/*
 * conf - the configuration language (4.2, T1): files to a tree in which everything has a place.
 *
 * Names and values only: what they mean is for the table (app/options.h), which notes its findings
 * in the tree. All memory is the tree's arena; whoever makes more from the tree may use it too.
 * Whatever is wrong is complained about and left out, and reading goes on at the next statement.
 */
#ifndef APP_CONF_H
#define APP_CONF_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/complain.h"

enum {
	CONF_BYTES_MAX = 16 << 20, /* of all files together */
	CONF_FILES_MAX = 1000,
	CONF_INCLUDES_MAX = 16, /* files including files */
	CONF_SCOPES_MAX = 8,	/* scopes within scopes */
	CONF_ITEMS_MAX = 100000, /* of one list */
	CONF_TEXT_MAX = 4096,
};

enum conf_kind { CONF_TEXT, CONF_LIST, CONF_DICT };

struct conf_value {
	struct place at;
	enum conf_kind kind;
	const char *key;  /* in a dictionary */
	const char *text; /* of CONF_TEXT */
	unsigned count;
	STAILQ_HEAD(, conf_value) items; /* each a CONF_TEXT */
	STAILQ_ENTRY(conf_value) next;
};

struct conf_option {
	struct place at;
	const char *name; /* as written */
	struct conf_value value;
	const struct option_row *row;	  /* NULL until checked, and when unknown */
	struct option_value *value_read; /* NULL until checked, and when wrong */
	STAILQ_ENTRY(conf_option) next;
};

struct conf_scope {
	struct place at;
	const char *name;
	const char *title; /* NULL: none */
	struct place title_at;
	struct conf_scope *parent; /* NULL: the top level */
	STAILQ_HEAD(, conf_option) options;
	STAILQ_HEAD(, conf_scope) scopes;
	const struct scope_row *row; /* NULL until checked, and when unknown */
	const char *key;	     /* the title in the form in which titles are compared */
	STAILQ_ENTRY(conf_scope) next;
};

struct conf_file;
struct conf {
	struct arena arena;
	struct conf_scope top;
	bool broken; /* nothing read, or not sure where scopes end: the rest would be guesses */
	struct conf_file *files;
	unsigned file_count;
	size_t bytes; /* of all files */
};

/* Never NULL; complaints tell whether it is any good. */
struct conf *conf_load(const char *file, struct complaints *complaints);
struct conf *conf_parse(const char *name, struct slice text, struct complaints *complaints);
void conf_free(struct conf *conf); /* NULL is harmless */

void *conf_take(struct conf *conf, size_t size); /* zeroed */
void *conf_array(struct conf *conf, size_t count, size_t size);
char *conf_copy(struct conf *conf, struct slice text);

/* T5: a path, absolute, as it was meant at that place; NULL when the directory is gone. */
const char *conf_path(struct conf *conf, struct place at, const char *path);

#endif
