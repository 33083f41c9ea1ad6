#include "base/complain.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void complaints_init(struct complaints *c)
{
	*c = (struct complaints){ 0 };
}

void complaints_free(struct complaints *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		free(c->list[i].file);
		free(c->list[i].text);
	}
	free(c->list);
	complaints_init(c);
}

static bool is_there(const struct complaints *c, enum gravity gravity, struct place at,
		     const char *text)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct complaint *one = &c->list[i];

		if (one->gravity == gravity && one->line == at.line && one->col == at.col &&
		    at.file != NULL && one->file != NULL && strcmp(one->file, at.file) == 0 &&
		    strcmp(one->text, text) == 0)
			return true;
	}
	return false;
}

__attribute__((format(printf, 4, 0)))
static void add(struct complaints *c, enum gravity gravity, struct place at, const char *format,
		va_list args)
{
	struct complaint *one;
	char text[1024];

	if (gravity == GRAVITY_ERROR)
		c->errors++;
	else
		c->warnings++;
	vsnprintf(text, sizeof text, format, args);
	if (is_there(c, gravity, at, text)) {
		c->repeats++;
		return;
	}
	if (c->count == COMPLAIN_MAX)
		return;
	if (c->list == NULL)
		c->list = mem_array(COMPLAIN_MAX, sizeof *c->list);
	one = &c->list[c->count++];
	one->gravity = gravity;
	one->file = at.file ? mem_strdup(at.file) : NULL;
	one->line = at.line;
	one->col = at.col;
	one->text = mem_strdup(text);
}

void complain(struct complaints *c, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(c, GRAVITY_ERROR, at, format, args);
	va_end(args);
}

void complain_warn(struct complaints *c, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(c, GRAVITY_WARNING, at, format, args);
	va_end(args);
}

void complaint_print(const struct complaint *one, char *out, size_t size)
{
	char place[320] = "";

	if (one->file != NULL && one->line != 0 && one->col != 0)
		snprintf(place, sizeof place, "%s:%u:%u: ", one->file, one->line, one->col);
	else if (one->file != NULL && one->line != 0)
		snprintf(place, sizeof place, "%s:%u: ", one->file, one->line);
	else if (one->file != NULL)
		snprintf(place, sizeof place, "%s: ", one->file);
	snprintf(out, size, "%s%s%s", place, one->gravity == GRAVITY_WARNING ? "warning: " : "",
		 one->text);
}

unsigned complaints_unlisted(const struct complaints *c)
{
	return c->errors + c->warnings - c->repeats - c->count;
}

void complaints_print(const struct complaints *c, FILE *out)
{
	char line[1400];

	for (unsigned i = 0; i < c->count; i++) {
		complaint_print(&c->list[i], line, sizeof line);
		fprintf(out, "%s\n", line);
	}
	if (complaints_unlisted(c) > 0)
		fprintf(out, "... and %u more\n", complaints_unlisted(c));
}
