/*
 * commands - what the console understands: a row is a command.
 *
 * The daemon runs the rows (ask.c); tidectl reads them for its help, and to refuse a wrong word
 * before it connects. Of two rows that begin alike the longer one stands first.
 */
#ifndef ADMIN_COMMANDS_H
#define ADMIN_COMMANDS_H

#include "base/buf.h"

/* What a command needs; ask.c checks it in one place. Who may connect has both for now. */
enum right { RIGHT_LOOK = 1, RIGHT_CHANGE = 2 };

enum option {
	OPTION_JSON = 1, /* --json, which every command takes */
	OPTION_V4 = 2,	 /* -4 */
	OPTION_V6 = 4,	 /* -6 */
	OPTION_BY = 8,	 /* --by LEN, --by auto */
	OPTION_LIMIT = 16, /* --limit N */
	OPTION_SERIES = 32, /* --series NAME */
	OPTION_WINDOW = 64, /* --window N */
};

enum {
	COMMAND_LINE_MAX = 4096, /* octets, the line's end included */
	COMMAND_WORDS_MAX = 32,
	EXIT_OF_USAGE = 64, /* sysexits.h EX_USAGE: the question was wrong, not the answer */
	EXIT_OF_FAILURE = 1,
};

#define OPTIONS_FAMILY (OPTION_V4 | OPTION_V6)
#define OPTIONS_TOP \
	(OPTIONS_FAMILY | OPTION_BY | OPTION_LIMIT | OPTION_SERIES | OPTION_WINDOW)

/* inbound_audit was a module of which there could be several: "inbound_audit:NAME" is the same one
 * (3.10, D40). */
static inline struct slice command_word(struct slice word)
{
	struct slice name, module = slice_cut(word, ':', &name);

	return slice_equal(module, SLICE("inbound_audit")) ? module : word;
}

/* X(function, words, right, fewest and most arguments, options, usage, help) */
#define CONSOLE_COMMANDS(X) \
	X(count, "count", RIGHT_LOOK, 2, 2, OPTIONS_FAMILY, \
	  "SERVICE[@ENDPOINT] PREFIX|FIRST-LAST [-4|-6]", \
	  "live sessions inside a block, or of every block of these lengths") \
	X(distinct, "distinct", RIGHT_LOOK, 2, 2, 0, "SERVICE[@ENDPOINT] PREFIX", \
	  "different addresses connected from a block") \
	X(who, "who", RIGHT_LOOK, 0, 1, 0, "[PREFIX]", "live SMTP sessions, newest first") \
	X(show_inbound, "show inbound", RIGHT_LOOK, 0, 0, 0, "", \
	  "live SMTP sessions, a line each") \
	X(top, "top", RIGHT_LOOK, 0, 1, OPTIONS_TOP, \
	  "[SERVICE[@ENDPOINT]|--series NAME[@MONITOR] [--window N|FIRST-LAST]] [--by LEN|auto] " \
	  "[--limit N] [-4|-6]", \
	  "the blocks with the most live sessions, or the most of a series") \
	X(series, "series", RIGHT_LOOK, 0, 1, 0, "[NAME[@MONITOR]]", \
	  "what is counted in windows of time, and in how much memory") \
	X(inbound_show_ip, "inbound_audit show ip", RIGHT_LOOK, 1, 1, 0, "IP[/MASK]", \
	  "what a block did in each window of each monitor") \
	X(inbound_show_all, "inbound_audit show all", RIGHT_LOOK, 0, 0, 0, "", \
	  "the same of every address, as CSV") \
	X(inbound_count, "inbound_audit count_cidr", RIGHT_LOOK, 5, 5, 0, \
	  "IP[/MASK] SERIES MONITOR START END", "the sum of a block over windows of a series") \
	X(inbound_add, "inbound_audit add", RIGHT_CHANGE, 4, 4, 0, "SERIES MONITOR IP INCREMENT", \
	  "count so many more in the current window") \
	X(inbound_subtract, "inbound_audit subtract", RIGHT_CHANGE, 4, 4, 0, \
	  "SERIES MONITOR IP DECREMENT", "count so many less, down to 0") \
	X(inbound_delete, "inbound_audit delete_ip", RIGHT_CHANGE, 3, 3, 0, "IP SERIES MONITOR", \
	  "forget an address in all windows of a series") \
	X(inbound_load, "inbound_audit load", RIGHT_CHANGE, 1, 2, 0, "SERIES [FILE]", \
	  "read a saved series into memory") \
	X(inbound_save, "inbound_audit save", RIGHT_CHANGE, 0, 1, 0, "[SERIES]", \
	  "save a series, or all that persist, now") \
	X(inbound_help, "inbound_audit help", RIGHT_LOOK, 0, 0, 0, "", "these lines") \
	X(status, "status", RIGHT_LOOK, 0, 0, 0, "", "what runs here, and how it is") \
	X(stats_reset, "stats reset", RIGHT_CHANGE, 0, 0, 0, "", \
	  "set the policy counters to zero") \
	X(stats, "stats", RIGHT_LOOK, 0, 0, 0, "", "policy counters, and what was served") \
	X(why, "why", RIGHT_LOOK, 1, 1, OPTION_LIMIT, "ADDRESS [--limit N]", \
	  "the latest actions on an address, and the counts of its blocks") \
	X(kick, "kick", RIGHT_CHANGE, 1, 1, 0, "SESSION|PREFIX", \
	  "end a session, or all of a block") \
	X(reload, "reload", RIGHT_CHANGE, 0, 0, 0, "", \
	  "read the configuration again; a bad one changes nothing") \
	X(drain, "drain", RIGHT_CHANGE, 0, 0, 0, "", \
	  "accept no more, and end when the last session has") \
	X(stop, "stop", RIGHT_CHANGE, 0, 0, 0, "", \
	  "the same, but wait no longer than Drain_Timeout; a second time: end now") \
	X(upgrade, "upgrade", RIGHT_CHANGE, 0, 0, 0, "", \
	  "hand the sockets over to who asks: what tidewaiter -u says") \
	X(help, "help", RIGHT_LOOK, 0, 3, 0, "[COMMAND]", "these lines")

#endif
