#include "base/nearest.h"

#include <ctype.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How many letters make b of a (Levenshtein, and neighbours swapped), row by row. */
static size_t distance(struct slice a, struct slice b)
{
	size_t rows[3][NEAREST_LEN_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			row[j] = least(above[j - 1] + !same(a.at[i - 1], b.at[j - 1]),
				       least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) &&
			    same(a.at[i - 2], b.at[j - 1]))
				row[j] = least(row[j], twice[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

void nearest_begin(struct nearest *n, struct slice given)
{
	*n = (struct nearest){ .given = given, .within = least(4, given.len / 2 + 2) };
}

void nearest_try_as(struct nearest *n, struct slice known, const char *name)
{
	size_t far;

	if (n->given.len > NEAREST_LEN_MAX || known.len > NEAREST_LEN_MAX)
		return;
	far = distance(n->given, known);
	if (far < n->within) {
		n->within = far;
		n->name = name;
	}
}

void nearest_try(struct nearest *n, const char *known)
{
	nearest_try_as(n, slice_of(known), known);
}
