/*
 * view - the rows of an answer, printed for people or as JSON.
 *
 * Who answers gives each row both ways, as to the log: its members, and a line of text. The view
 * prints one of them, and sees to what must not be in it: control characters in a line, octets
 * that are not UTF-8 in JSON. The buf is the caller's; when it is full the view says so and stays
 * quiet.
 *
 * An answer is a list, whose rows are objects, or an object, whose rows add members to it and
 * whose sections are lists:
 *
 *   view_begin(&v, &out, json, VIEW_OBJECT);
 *   view_row(&v, VIEW_ROW(LOG_STR("version", "0.1.0")), "version 0.1.0");
 *   view_section(&v, "endpoints");
 *   view_row(...);		     an object in the list "endpoints"
 *   view_end(&v);
 */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

#include "base/buf.h"
#include "base/log.h"

#define VIEW_ROW(...) ((struct log_field[]){ __VA_ARGS__, LOG_END })

enum view_shape { VIEW_LIST, VIEW_OBJECT };

struct view {
	struct buf *out; /* borrowed */
	bool json;
	bool full;	 /* something did not fit: the answer is not whole */
	bool more;	 /* something stands before the next row where it goes: a comma is due */
	char closers[2]; /* of what is open, innermost last */
	unsigned depth;
};

void view_begin(struct view *v, struct buf *out, bool json, enum view_shape shape);
/* A list in the object; the section before it ends. NULL: back to the object. */
void view_section(struct view *v, const char *key);
/* fields NULL: only people see it. text NULL: only JSON has it. */
void view_row(struct view *v, const struct log_field *fields, const char *text, ...)
	__attribute__((format(printf, 3, 4)));
void view_end(struct view *v); /* twice is harmless */

#endif
