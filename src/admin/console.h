/*
 * console - the control socket: a command a line in, an answer out (behaviour 3.10, 4.1; T15).
 *
 * Runs on a loop and a thread of its own, and asks the workers for what they own. Its connections
 * are sessions of the service `Control` and counted like any other. Peer credentials are checked:
 * root, the daemon's own user, or a member of the socket's group.
 */
#ifndef ADMIN_CONSOLE_H
#define ADMIN_CONSOLE_H

#include "archive/keeper.h"
#include "audit/audit.h"
#include "base/complain.h"
#include "front/crew.h"
#include "net/endpoint.h"
#include "policy/ledger.h"
#include "series/series.h"

/* What the console can look at and ask for. Outlives it. The functions are called on its thread. */
struct console_world {
	struct audit *audit;
	struct crew *crew;
	struct ledger *ledger;
	struct series_all *series;
	struct keeper *keeper; /* NULL: nothing is saved */
	const char *version;
	void *owner;
	/* Load the configuration again (T6). true: done, complaints may hold warnings. */
	bool (*reload)(void *owner, struct complaints *complaints);
	void (*drain)(void *owner);
	void (*stop)(void *owner);
	const char *(*file)(void *owner);	/* the configuration's path */
	/* Whoever asked is to have our sockets. Takes fd, non-blocking. */
	void (*hand_over)(void *owner, int fd);
	uint64_t started_wall_ms;
	const char *user;			/* whom it runs as */
	const char *landlock, *seccomp;		/* "on", "off: WHY" */
};

struct console_door {
	const char *name;
	struct endpoint where; /* a Unix socket */
	unsigned file_mode;
	int backlog;
	uint32_t timeout_ms;
	struct audit_endpoint *endpoint;
	bool inherited; /* fd listens already, and is taken */
	int fd;
};

struct console;

/* Starts its thread. NULL: it could not; complaints tell. A socket file that nobody listens on is
 * replaced; one that somebody does is an error. */
struct console *console_start(const struct console_world *world, const struct console_door *doors,
			      unsigned count, struct complaints *complaints);
/* As crew_sockets: copies of the listening sockets. On its thread. */
bool console_sockets(const struct console *c, struct crew_socket **out, unsigned *count_out);
/* Another process listens now: the doors are closed, the socket files stay. Not on its thread. */
void console_retire(struct console *c);
/*
 * Closes its doors and connections and waits for its thread; removes the socket files. The workers'
 * threads must still run: errands that are out come home first. Not from inside a function of the
 * world.
 */
void console_stop(struct console *c);

#endif
