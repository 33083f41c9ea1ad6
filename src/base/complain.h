/*
 * complain - everything that is wrong with what a person wrote, gathered in one run.
 *
 * Configuration, scripts and the tools that check them all report through this: each line reads
 * `FILE:LINE:COL: what is wrong, and what was expected`. The list owns its texts. What is said
 * again of the same place, by somebody else who looked at it, is not listed twice. Past
 * COMPLAIN_MAX it only counts.
 */
#ifndef BASE_COMPLAIN_H
#define BASE_COMPLAIN_H

#include <stdbool.h>
#include <stdio.h>

enum { COMPLAIN_MAX = 100 };

/* Where something was written. line and col start at 1; 0 leaves them out. file is borrowed. */
struct place {
	const char *file;
	unsigned line;
	unsigned col;
};

enum gravity { GRAVITY_ERROR, GRAVITY_WARNING };

struct complaint {
	enum gravity gravity;
	char *file; /* NULL: about no file */
	unsigned line;
	unsigned col;
	char *text;
};

struct complaints {
	struct complaint *list;
	unsigned count;	   /* in list */
	unsigned errors;   /* in all */
	unsigned warnings; /* in all */
	unsigned repeats;  /* of those, what is in list already */
};

void complaints_init(struct complaints *c);
void complaints_free(struct complaints *c);

void complain(struct complaints *c, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void complain_warn(struct complaints *c, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One line without its newline, cut to size. Warnings begin with "warning: " after the place. */
void complaint_print(const struct complaint *one, char *out, size_t size);
/* How many did not fit the list. */
unsigned complaints_unlisted(const struct complaints *c);
void complaints_print(const struct complaints *c, FILE *out);

#endif
