/*
 * handover - an upgrade without a gap: a new process takes over from the one that runs.
 *
 * The new one says `upgrade` to the control socket. On that connection the old one sends its
 * listening sockets, every one, then a line for each session that it holds (audit/elsewhere.h), and
 * `now`. The new one opens its doors on them and says `taken`; until then the old one accepts as
 * well, and if the new one goes away nothing has happened. Then the old one stops listening and
 * only serves what it has. All the time both tell each other who enters and leaves, so that policy
 * in either sees the sum, and the end of the connection is the leave of all that are left.
 *
 * Series are handed on as files (archive/keeper.h): once nobody enters there any more, the old one
 * saves them and says so. What its last sessions add then goes to the new one, line by line.
 *
 * The lines of the old one are `socket PATH-OR-ADDRESS` and `console PATH`, each with a descriptor,
 * then `now`, later `saved` and `series NEWS` (archive/news.h); of the new one `taken`; of both
 * those of audit/elsewhere.h, and `slots COUNT NAME` of session caps (audit/budget.h), which both
 * share. A word that one side does not know is skipped: none to come may have a descriptor.
 */
#ifndef APP_HANDOVER_H
#define APP_HANDOVER_H

#include "admin/console.h"
#include "front/crew.h"
#include "series/series.h"

struct handover;

struct handover_world {
	struct audit *audit;
	struct budgets *budgets;
	struct crew *crew;
	struct series_all *series;
	void *owner;
	/* The old one's, from the handover's thread: the new one listens; or it has gone before
	 * that. */
	void (*handed)(void *owner);
	void (*given_up)(void *owner);
	/* The new one's, once, on its thread or on the handover's: the old one has saved its
	 * series, or has gone. */
	void (*saved)(void *owner);
};

/* The old one: to whoever is at the other end of fd, which is taken. On the console's thread. */
struct handover *handover_give(const struct handover_world *world, struct console *console, int fd);

/* What the new one is given. */
struct inheritance {
	struct crew_socket *doors;
	unsigned door_count;
	struct crew_socket *consoles;
	unsigned console_count;
};

/*
 * The new one: ask at this control socket, and count what the old one holds. NULL and no complaint:
 * nobody is there, or nobody any more. The lists are free()d by the caller, who takes the
 * descriptors.
 */
struct handover *handover_ask(const struct handover_world *world, const struct endpoint *control,
			      struct inheritance *out, struct complaints *complaints);
/* What the old one held when it was asked. */
uint64_t handover_sessions(const struct handover *h);
/* Our doors are open: say so, and listen to the old one from now on. */
void handover_taken(struct handover *h);

/* The old one's: how its series are forwarded. */
struct series_tap *handover_series(struct handover *h);
/* The old one has saved its series: tell the other. Any thread. */
void handover_saved(struct handover *h);

/* The other has gone. Any thread. */
bool handover_is_over(const struct handover *h);
/* What there is to say is said; then all that was counted for the other leaves. NULL
 * is harmless. */
void handover_end(struct handover *h);

#endif
