#include "admin/top.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int key_order(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.at, b.at, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Below zero: a stands before b in the answer. */
static int order(const struct top_row *a, const struct top_row *b)
{
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (!addr_equal(&a->block.addr, &b->block.addr))
		return addr_compare(&a->block.addr, &b->block.addr);
	if (a->block.len != b->block.len)
		return (int)a->block.len - (int)b->block.len;
	return key_order(a->key, b->key);
}

static int order_of(const void *a, const void *b)
{
	return order(a, b);
}

void top_init(struct top *t, unsigned most)
{
	*t = (struct top){ .rows = mem_array(most, sizeof *t->rows), .most = most };
}

void top_fini(struct top *t)
{
	for (unsigned i = 0; i < t->used; i++)
		free((char *)t->rows[i].key.at);
	free(t->rows);
	*t = (struct top){ 0 };
}

static void swap(struct top_row *a, struct top_row *b)
{
	struct top_row kept = *a;

	*a = *b;
	*b = kept;
}

static void rise(struct top_row *rows, unsigned i)
{
	for (; i > 0 && order(&rows[(i - 1) / 2], &rows[i]) < 0; i = (i - 1) / 2)
		swap(&rows[(i - 1) / 2], &rows[i]);
}

static void sink(struct top_row *rows, unsigned used)
{
	for (unsigned i = 0, child; (child = 2 * i + 1) < used; i = child) {
		if (child + 1 < used && order(&rows[child], &rows[child + 1]) < 0)
			child++;
		if (order(&rows[i], &rows[child]) >= 0)
			return;
		swap(&rows[i], &rows[child]);
	}
}

static void put(struct top_row *at, const struct top_row *row)
{
	*at = *row;
	at->key.at = row->key.at != NULL ? mem_strndup(row->key.at, row->key.len) : NULL;
}

void top_offer(struct top *t, const struct top_row *row)
{
	if (t->used < t->most) {
		put(&t->rows[t->used], row);
		rise(t->rows, t->used++);
	} else if (order(row, &t->rows[0]) < 0) {
		free((char *)t->rows[0].key.at);
		put(&t->rows[0], row);
		sink(t->rows, t->used);
	}
}

uint64_t top_least(const struct top *t)
{
	return t->used < t->most ? 0 : t->rows[0].count;
}

bool top_has(const struct top *t, const struct top_row *row)
{
	for (unsigned i = 0; i < t->used; i++)
		if (cidr_equal(&t->rows[i].block, &row->block) &&
		    slice_equal(t->rows[i].key, row->key))
			return true;
	return false;
}

void top_sort(struct top *t)
{
	qsort(t->rows, t->used, sizeof *t->rows, order_of);
}
