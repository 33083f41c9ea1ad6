/*
 * series - what came from where in which window of time: events by address, or by a text.
 *
 * A series has a name and a monitor (monitor.h), and keeps the current window and as many before
 * it as the monitor says (D44). Windows are aligned to the wall clock (D43): the number of the one
 * at time t is t / seconds, so restarts and other nodes agree. An event always goes into the
 * current one. A clock that steps back moves nothing back: the newest window seen stays the current
 * one until time has caught up.
 *
 * What is kept here is what this node saw: a `ring` of windows (ring.h). Other nodes' parts will be
 * rings beside it, and a sum over them; nothing of theirs is ever mixed into ours.
 *
 * The set of all series only ever grows, up to a limit; a series once found is there until
 * series_all_free, so nobody counts references. A definition that changes empties it and gives it
 * its new shape.
 *
 * Any thread may call anything here. Each series has one lock, held for one operation. Texts of
 * what is wrong are static or the calling thread's, good until its next call.
 */
#ifndef SERIES_SERIES_H
#define SERIES_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "series/bounds.h"
#include "series/monitor.h"
#include "series/tally.h"

struct series;
struct series_all;

enum {
	SERIES_NAME_MAX = 200,
	SERIES_KEY_MAX = 1024, /* octets of a text key */
	SERIES_MOST = 1024,	/* series in all */
	SERIES_BYTES_MIN = 64 << 10,
	SERIES_BYTES_STANDARD = 64 << 20, /* max_bytes (T14) */
};

enum series_type {
	SERIES_CIDR,	  /* IPv4 addresses */
	SERIES_CIDR_IPV6, /* IPv6 addresses */
	SERIES_ADDRESSES, /* both: built-in ones, and those that Sieve made (D57) */
	SERIES_STRING,
};
const char *series_type_name(enum series_type type); /* "cidr", "cidr_ipv6", "address", "string" */

enum series_replicate { REPLICATE_NONE, REPLICATE_CLUSTER, REPLICATE_MANAGER };

/* The built-in ones: three of each monitor of the configuration (3.5, D109). */
enum series_event { EVENT_CONNECTION, EVENT_RECEPTION, EVENT_REJECTION, EVENTS };
const char *series_event_name(enum series_event event); /* "connections", "receptions", ... */

struct series_all *series_all_new(void);
void series_all_free(struct series_all *all);

/*
 * The built-in series are those of these monitors, which differ, from now on; what a monitor that
 * stays has seen stays, with the max_bytes it began with. For the main thread, at start and at a
 * reload; the others see the old list or the new one.
 */
enum { MONITORS_MAX = 16 };
void series_monitors(struct series_all *all, const struct monitor *monitors, unsigned count,
		     size_t max_bytes, bool persist);
unsigned series_monitor_count(const struct series_all *all);
/* NULL: no such monitor. */
struct series *series_builtin(struct series_all *all, enum series_event event, unsigned monitor);
struct series *series_builtin_named(struct series_all *all, enum series_event event,
				    struct monitor monitor);
/* One event of an SMTP session, into the current window of every monitor. What the accept path
 * calls. */
void series_event(struct series_all *all, enum series_event event, const struct addr *peer);

/* What msys.audit_series.define says (3.7). */
struct series_definition {
	char name[SERIES_NAME_MAX + 1];
	enum series_type type;
	struct monitor monitor;
	bool serialize, persist;
	enum series_replicate replicate;
	size_t max_bytes; /* 0: the standard */
};
bool series_definition_equal(const struct series_definition *a, const struct series_definition *b);
/* NULL, or what is wrong with it. */
const char *series_definition_check(const struct series_definition *d);
/*
 * The same as before keeps its data; a changed one drops them, which *dropped tells (D60). A series
 * that Sieve made of this name and monitor is the same one (D57). NULL, or what is wrong.
 */
const char *series_define(struct series_all *all, const struct series_definition *d, bool *dropped);

/* Defined under this name; NULL: none is (D64). */
struct series *series_defined(struct series_all *all, struct slice name);
/* Any of this name and monitor; NULL: there is none. */
struct series *series_find(struct series_all *all, struct slice name, struct monitor monitor);
/* Found, or made at the first event (D57), for addresses of both families. Name and monitor of a
 * built-in one are reserved. NULL: *why says. */
struct series *series_open(struct series_all *all, struct slice name, struct monitor monitor,
			   const char **why);
/* "badrcpt4", "connections@300,6", "connections": how the console names one. NULL: *why says. */
struct series *series_named(struct series_all *all, struct slice text, const char **why);
struct series *series_nth(struct series_all *all, unsigned n); /* in the order made, until NULL */
/* What it keeps now; takes no lock. */
enum series_type series_type(const struct series *s);
bool series_is_builtin(const struct series *s);

/* Of whom. For add and remove the block is one address; for a text series the text. */
struct series_key {
	struct cidr block;
	struct slice text;
};

/*
 * An amount for the current window; a negative one takes away, never below 0 (D58). An address of a
 * family that the series does not keep is ignored (D62). NULL, or what is wrong: no key, a key too
 * long, an amount that would pass AMOUNT_MAX. *now: what the key has in the current window then;
 * may be NULL.
 */
const char *series_add(struct series *s, const struct series_key *key, int64_t amount,
		       struct bounds *now);
/* From all windows (D63). *left: what a fold may still hold of it; may be NULL. */
const char *series_remove(struct series *s, const struct series_key *key, struct bounds *left);
/* The sum over windows first..last, 0 the current one; to the monitor's number for built-in series,
 * one less for others (D44). */
const char *series_sum(struct series *s, const struct series_key *key, unsigned first,
		       unsigned last, struct bounds *out);
/* value = W0 + (1 - alpha) W1 (3.2, D46). */
const char *series_sliding(struct series *s, const struct series_key *key, struct bounds *out);

/* From now on its finished windows are journalled too (3.6 serialize). NULL, or what is wrong: a
 * series of the same name and another monitor is. */
const char *series_set_serialize(struct series *s);

/* A copy for people. */
struct series_info {
	struct series_definition is;
	int event;		/* enum series_event of a built-in one; -1 */
	bool is_defined;	/* from Lua; else Sieve or the console made it */
	uint64_t window;	/* number of the current one; 0: nothing was ever added */
	uint32_t windows_used;	/* that hold anything */
	uint32_t windows_folded; /* of those; by folds of before the start, too */
	size_t bytes;		/* of all its windows */
	uint64_t keys_dropped;	/* text keys, for want of room */
	uint64_t folds;		/* since the start */
	uint64_t folded_since_ms; /* full since, by the wall clock; 0: it has been half empty */
	uint64_t events;	/* additions since the start */
};
void series_describe(struct series *s, struct series_info *out);
/* Only what it is, as defined: no look at its windows, so cheap for each event. The rest is 0. */
void series_identify(struct series *s, struct series_info *out);

/*
 * Walking one window, a turn at a time: entries of addresses in order (IPv4, then IPv6), or texts,
 * the least recently added first. Between two turns others may add. Zeroed but for the window's
 * number: from the start. A walk that was begun is ended with series_walk_end: until then its
 * window is neither folded nor dropped. Who may be kept waiting ends it, and begins another one of
 * addresses there (at and family); what was folded meanwhile is missed.
 */
struct series_walk {
	uint64_t window; /* its number, not its index: time moves on */
	struct addr at;
	uint32_t text_at, text_last;
	uint8_t family;
	bool begun, done;
	struct window *pinned;
};
struct series_text {
	struct slice key; /* good until the next turn */
	uint64_t amount;
};
/* How many; 0: the end. within may be NULL. */
unsigned series_walk(struct series *s, struct series_walk *w, const struct cidr *within,
		     struct tally_entry out[TALLY_TURN]);
unsigned series_walk_texts(struct series *s, struct series_walk *w, struct buf *room,
			   struct series_text out[TALLY_TURN]);
void series_walk_end(struct series *s, struct series_walk *w);

/*
 * Loading: into a window by its number; one too old is skipped, a future one counts as the current
 * (3.2). Entries as series_walk gave them. false: it did not fit or would pass AMOUNT_MAX.
 */
bool series_load(struct series *s, uint64_t window, const struct tally_entry *entry);
bool series_load_text(struct series *s, uint64_t window, struct slice key, uint64_t amount);

/*
 * From now on what would change it is told, and changes nothing here: another process counts it.
 * What it says of a key then (*now, *left) is 0. It can be asked as before. On any thread, and not
 * under the lock; amount 0: the key is removed. The tap is borrowed for as long as anybody adds.
 */
struct series_tap {
	void (*told)(struct series_tap *self, struct series *s, const struct series_key *key,
		     int64_t amount);
};
void series_forward(struct series *s, struct series_tap *tap);

/* Off the hot path: time moves on, and what was dropped goes back to the system, a little at a
 * time. true: there is more to do. */
bool series_tidy(struct series *s);

#endif
