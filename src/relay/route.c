#include "relay/route.h"

#include <stdlib.h>
#include <strings.h>
#include <uthash.h>

#include "base/ascii.h"
#include "base/mem.h"

enum { DOMAIN_MAX = 255 };

struct entry {
	char *pattern; /* lower case; of "*.example.org" ".example.org" */
	struct route route;
	UT_hash_handle hh;
};

struct route_table {
	struct entry *by_pattern;
	struct entry *fallback;
};

struct route_table *route_table_new(void)
{
	return mem_new(sizeof(struct route_table));
}

void hops_free(struct hop *hops, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(hops[i].name);
	free(hops);
}

struct hop *hops_copy(const struct hop *hops, unsigned count)
{
	struct hop *copy = mem_array(count, sizeof *copy);

	for (unsigned i = 0; i < count; i++) {
		copy[i] = hops[i];
		copy[i].name = hops[i].name ? mem_strdup(hops[i].name) : NULL;
	}
	return copy;
}

static void entry_free(struct entry *e)
{
	hops_free(e->route.hops, e->route.count);
	free(e->pattern);
	free(e);
}

void route_table_free(struct route_table *t)
{
	struct entry *e, *next;

	if (t == NULL)
		return;
	HASH_ITER (hh, t->by_pattern, e, next) {
		HASH_DEL(t->by_pattern, e);
		entry_free(e);
	}
	if (t->fallback != NULL)
		entry_free(t->fallback);
	free(t);
}

/* false: longer than any domain. out gets lower case, zero-terminated. */
static bool fold(struct slice domain, char out[DOMAIN_MAX + 1])
{
	if (domain.len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < domain.len; i++)
		out[i] = ascii_lower(domain.at[i]);
	out[domain.len] = '\0';
	return true;
}

static int by_pref(const void *a, const void *b)
{
	const struct hop *x = a, *y = b;

	return x->pref != y->pref ? (x->pref < y->pref ? -1 : 1) : 0;
}

/* By preference, and where that is equal as listed: lists are a handful. */
static void sort_hops(struct hop *hops, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned k = i; k > 0 && by_pref(&hops[k - 1], &hops[k]) > 0; k--) {
			struct hop swap = hops[k];

			hops[k] = hops[k - 1];
			hops[k - 1] = swap;
		}
}

bool route_add(struct route_table *t, const char *pattern, const struct route *route)
{
	char folded[DOMAIN_MAX + 1] = "";
	struct entry *e = NULL;

	if (pattern == NULL)
		e = t->fallback;
	else if (fold(slice_of(pattern[0] == '*' ? pattern + 1 : pattern), folded))
		HASH_FIND_STR(t->by_pattern, folded, e);
	if (e != NULL) {
		hops_free(route->hops, route->count);
		return false;
	}
	sort_hops(route->hops, route->count);
	e = mem_new(sizeof *e);
	e->route = *route;
	if (pattern == NULL) {
		t->fallback = e;
		return true;
	}
	e->pattern = mem_strdup(folded);
	HASH_ADD_KEYPTR(hh, t->by_pattern, e->pattern, strlen(e->pattern), e);
	return true;
}

const struct route *route_for(const struct route_table *t, struct slice domain)
{
	char folded[DOMAIN_MAX + 1];
	const char *name = folded;
	struct entry *e = NULL;

	if (fold(domain, folded)) {
		/* "a.example.org" itself, then ".example.org", ".org": the first is the longest. */
		HASH_FIND_STR(t->by_pattern, name, e);
		while (e == NULL && (name = strchr(name + 1, '.')) != NULL)
			HASH_FIND_STR(t->by_pattern, name, e);
	}
	if (e == NULL)
		e = t->fallback;
	return e ? &e->route : NULL;
}

bool route_by_domain(const struct route_table *t)
{
	return t->by_pattern != NULL;
}
