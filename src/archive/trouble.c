#include "archive/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

void trouble_note(struct trouble *t, const char *why)
{
	if (t->count++ == 0)
		snprintf(t->now, sizeof t->now, "%s", why);
}

void trouble_tell(struct trouble *t, uint64_t next_ms)
{
	if (t->count > 0 && strcmp(t->now, t->told) != 0)
		log_error("%s: %s%s; tried again every %u s", t->what, t->now,
			  t->count > 1 ? ", and others" : "", (unsigned)(next_ms / 1000));
	else if (t->count == 0 && t->told[0] != '\0')
		log_info("%s", t->over);
	memcpy(t->told, t->now, sizeof t->told);
	t->now[0] = '\0';
	t->count = 0;
}
