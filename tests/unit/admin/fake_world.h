/* The parts that a console looks at, real and small: what configuration would do is
 * only counted. */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/console.h"
#include "base/mem.h"

enum { FAKE_TICKETS = 64 };

struct fake_world {
	struct console_world world;
	struct jobs *jobs;
	struct audit_endpoint *smtp, *control;
	struct audit_ticket tickets[FAKE_TICKETS];
	unsigned ticket_count;
	bool reload_fails;
	unsigned reloads, drains, stops;
};

static inline bool fake_reload(void *owner, struct complaints *complaints)
{
	struct fake_world *f = owner;

	f->reloads++;
	complain_warn(complaints, (struct place){ "x.conf", 2, 3 }, "old\nstyle");
	if (f->reload_fails)
		complain(complaints, (struct place){ "x.conf", 4, 5 }, "wrong");
	return !f->reload_fails;
}

static inline void fake_drain(void *owner)
{
	((struct fake_world *)owner)->drains++;
}

static inline void fake_stop(void *owner)
{
	((struct fake_world *)owner)->stops++;
}

static inline void fake_hand_over(void *owner, int fd)
{
	(void)owner;
	close(fd);
}

static inline const char *fake_file(void *owner)
{
	(void)owner;
	return "/etc/x.conf";
}

static inline void fake_world_enter(struct fake_world *f, const char *peer)
{
	struct addr a;

	if (addr_parse(slice_of(peer), &a) == NULL)
		audit_enter(f->smtp, &a, &f->tickets[f->ticket_count++]);
}

static inline struct fake_world *fake_world_new(void)
{
	static const struct monitor monitors[] = { { 300, 2 }, { 60, 1 } };
	struct fake_world *f = mem_new(sizeof *f);
	struct console_world *w = &f->world;

	f->jobs = jobs_new(1);
	*w = (struct console_world){
		.audit = audit_new(),
		.crew = crew_new(2, f->jobs, NULL),
		.ledger = ledger_new(),
		.series = series_all_new(),
		.version = "1.2.3",
		.owner = f,
		.reload = fake_reload,
		.drain = fake_drain,
		.stop = fake_stop,
		.file = fake_file,
		.started_wall_ms = 1000,
		.hand_over = fake_hand_over,
		.user = "edge",
		.landlock = "on",
		.seccomp = "off: by option",
	};
	series_monitors(w->series, monitors, 2, SERIES_BYTES_MIN, false);
	f->smtp = audit_endpoint(w->audit, audit_service_find(w->audit, "SMTP"), "127.0.0.1:25");
	f->control = audit_endpoint(w->audit, audit_service_find(w->audit, "Control"), "/x.sock");
	return f;
}

static inline void fake_world_free(struct fake_world *f)
{
	for (unsigned i = 0; i < f->ticket_count; i++)
		audit_leave(&f->tickets[i]);
	crew_join(f->world.crew);
	jobs_free(f->jobs);
	crew_free(f->world.crew);
	ledger_free(f->world.ledger);
	audit_free(f->world.audit);
	series_all_free(f->world.series);
	free(f);
}

#endif
