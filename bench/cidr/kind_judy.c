/* Judy arrays, address to count; IPv6 in two steps. It could count ranges of IPv4 addresses, not of
 * sessions. */
#include <Judy.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kind.h"

struct arrays {
	Pvoid_t top;
	bool is_v6;
};

static void *arrays_new(enum addr_family family)
{
	struct arrays *a = mem_new(sizeof *a);

	a->is_v6 = family == ADDR_V6;
	return a;
}

static void arrays_free(void *counter)
{
	struct arrays *a = counter;
	Word_t hi = 0;

	if (a->is_v6)
		for (PPvoid_t low = JudyLFirst(a->top, &hi, NULL); low != NULL;
		     low = JudyLNext(a->top, &hi, NULL))
			JudyLFreeArray(low, NULL);
	JudyLFreeArray(&a->top, NULL);
	free(a);
}

static void arrays_enter(void *counter, const struct addr *addr)
{
	struct arrays *a = counter;
	PPvoid_t at = JudyLIns(&a->top, a->is_v6 ? addr->hi : addr->hi >> 32, NULL);

	if (a->is_v6)
		at = JudyLIns(at, addr->lo, NULL);
	++*(Word_t *)at;
}

static void arrays_leave(void *counter, const struct addr *addr)
{
	struct arrays *a = counter;
	Word_t hi = a->is_v6 ? addr->hi : addr->hi >> 32;
	PPvoid_t at = JudyLGet(a->top, hi, NULL), low;

	if (!a->is_v6) {
		if (--*(Word_t *)at == 0)
			JudyLDel(&a->top, hi, NULL);
		return;
	}
	low = JudyLGet(*at, addr->lo, NULL);
	if (--*(Word_t *)low == 0)
		JudyLDel(at, addr->lo, NULL);
	if (*at == NULL)
		JudyLDel(&a->top, hi, NULL);
}

const struct kind kind_judy = { "Judy", arrays_new, arrays_free, arrays_enter, arrays_leave };
