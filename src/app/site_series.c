#include "app/site.h"

static bool has_monitor(const struct monitor *list, unsigned count, struct monitor wanted)
{
	for (unsigned i = 0; i < count; i++)
		if (monitor_equal(list[i], wanted))
			return true;
	return false;
}

void site_use_monitors(const struct site *site, struct series_all *all, const struct site *leaving)
{
	const struct site_series *s = &site->series;
	struct monitor list[MONITORS_MAX];
	unsigned count = 0;

	for (; count < s->monitor_count; count++)
		list[count] = s->monitors[count];
	for (unsigned i = 0; leaving != NULL && i < leaving->series.monitor_count; i++)
		if (count < MONITORS_MAX && !has_monitor(list, count, leaving->series.monitors[i]))
			list[count++] = leaving->series.monitors[i];
	if (leaving == NULL || count > leaving->series.monitor_count)
		series_monitors(all, list, count, s->max_bytes, s->persist);
}

bool site_define_series(const struct site *site, struct series_all *all, enum series_part part,
			struct complaints *complaints)
{
	const struct series_definition *one;
	unsigned errors = complaints->errors;
	const struct place nowhere = { 0 };
	const char *wrong;
	bool dropped;

	for (unsigned n = 0; (one = policy_set_definition(site->rules->policy, n)) != NULL; n++) {
		if (part == SERIES_NEW && series_defined(all, slice_of(one->name)) != NULL)
			continue;
		wrong = series_define(all, one, &dropped);
		if (wrong != NULL)
			complain(complaints, nowhere, "%s", wrong);
		else if (dropped)
			complain_warn(complaints, nowhere,
				      "series %s is defined otherwise than before: its data are gone",
				      one->name);
	}
	return complaints->errors == errors;
}
