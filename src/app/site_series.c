#include "app/site.h"

static bool has_monitor(const struct monitor *list, unsigned count, struct monitor wanted)
{
	for (unsigned i = 0; i < count; i++)
		if (monitor_equal(list[i], wanted))
			return true;
	return false;
}

/* Those of the site that are not there yet, as far as there is room. The new count. */
static unsigned add_monitors(struct monitor list[MONITORS_MAX], unsigned count,
			     const struct site *site)
{
	const struct site_series *s = &site->series;

	for (unsigned i = 0; i < s->monitor_count; i++)
		if (count < MONITORS_MAX && !has_monitor(list, count, s->monitors[i]))
			list[count++] = s->monitors[i];
	return count;
}

void site_use_monitors(const struct site *site, struct series_all *all, const struct site *leaving)
{
	const struct site_series *s = &site->series;
	struct monitor list[MONITORS_MAX];
	unsigned before = leaving != NULL ? add_monitors(list, 0, leaving) : 0;
	unsigned count = add_monitors(list, before, site);

	if (leaving == NULL || count > before)
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
