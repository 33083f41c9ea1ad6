#include "admin/view.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/text_json.h"

enum { ROW_TEXT_MAX = 1024 };

static void put(struct view *v, const char *text, size_t len)
{
	if (!v->full && !buf_add(v->out, text, len))
		v->full = true;
}

static void put_text(struct view *v, const char *text)
{
	put(v, text, strlen(text));
}

static void json_open(struct view *v, char opener, char closer)
{
	put(v, &opener, 1);
	CHECK(v->depth < sizeof v->closers);
	v->closers[v->depth++] = closer;
	v->more = false;
}

static void json_close(struct view *v)
{
	put(v, &v->closers[--v->depth], 1);
	v->more = true;
}

void view_begin(struct view *v, struct buf *out, bool json, enum view_shape shape)
{
	*v = (struct view){ .out = out, .json = json };
	if (!json)
		return;
	if (shape == VIEW_LIST)
		json_open(v, '[', ']');
	else
		json_open(v, '{', '}');
}

void view_section(struct view *v, const char *key)
{
	if (!v->json)
		return;
	if (v->depth == 2)
		json_close(v);
	if (key == NULL)
		return;
	put_text(v, v->more ? ",\n\"" : "\"");
	put_text(v, key);
	put_text(v, "\":");
	json_open(v, '[', ']');
}

void view_end(struct view *v)
{
	if (v->depth == 0)
		return;
	while (v->depth > 0)
		json_close(v);
	put_text(v, "\n");
}

static int put_json(const char *text, size_t len, void *view)
{
	put(view, text, len);
	return 0;
}

static void json_row(struct view *v, const struct log_field *fields)
{
	bool in_list = v->depth > 0 && v->closers[v->depth - 1] == ']';
	size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | (in_list ? 0 : JSON_EMBED);
	json_t *row = json_object();

	for (; fields->key != NULL; fields++)
		json_object_set_new(row, fields->key,
				    fields->text != NULL ? text_json(slice_of(fields->text)) :
							   json_integer(fields->number));
	if (v->more)
		put_text(v, ",\n");
	json_dump_callback(row, put_json, v, flags);
	json_decref(row);
	v->more = true;
}

static void text_row(struct view *v, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void text_row(struct view *v, const char *format, va_list args)
{
	char line[ROW_TEXT_MAX];
	const char *from = line, *c;
	char escaped[8];

	vsnprintf(line, sizeof line, format, args);
	for (c = line; *c != '\0'; c++) {
		if (!ascii_is_control(*c))
			continue;
		snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*c);
		put(v, from, (size_t)(c - from));
		put_text(v, escaped);
		from = c + 1;
	}
	put(v, from, (size_t)(c - from));
	put_text(v, "\n");
}

void view_row(struct view *v, const struct log_field *fields, const char *text, ...)
{
	va_list args;

	if (v->full)
		return;
	if (v->json) {
		if (fields != NULL)
			json_row(v, fields);
		return;
	}
	if (text == NULL)
		return;
	va_start(args, text);
	text_row(v, text, args);
	va_end(args);
}
