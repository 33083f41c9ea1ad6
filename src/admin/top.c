#include "admin/top.h"

#include <stdlib.h>

#include "base/mem.h"

/* Below zero: a stands before b in the answer. */
static int order(const struct top_row *a, const struct top_row *b)
{
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (!addr_equal(&a->block.addr, &b->block.addr))
		return addr_compare(&a->block.addr, &b->block.addr);
	return (int)a->block.len - (int)b->block.len;
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

void top_offer(struct top *t, const struct top_row *row)
{
	if (t->used < t->most) {
		t->rows[t->used] = *row;
		rise(t->rows, t->used++);
	} else if (order(row, &t->rows[0]) < 0) {
		t->rows[0] = *row;
		sink(t->rows, t->used);
	}
}

void top_sort(struct top *t)
{
	qsort(t->rows, t->used, sizeof *t->rows, order_of);
}
