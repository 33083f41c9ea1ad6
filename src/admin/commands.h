/*
 * commands - what the console understands: a row is a command.
 *
 * The daemon runs the rows (ask.c); tidectl reads them for its help, and to refuse a wrong word
 * before it connects. Of two rows that begin alike the longer one stands first.
 */
#ifndef ADMIN_COMMANDS_H
#define ADMIN_COMMANDS_H

/* What a command needs; ask.c checks it in one place. Who may connect has both for now. */
enum right { RIGHT_LOOK = 1, RIGHT_CHANGE = 2 };

enum option {
	OPTION_JSON = 1, /* --json, which every command takes */
	OPTION_V4 = 2,	 /* -4 */
	OPTION_V6 = 4,	 /* -6 */
	OPTION_BY = 8,	 /* --by LEN */
	OPTION_LIMIT = 16, /* --limit N */
};

enum {
	COMMAND_LINE_MAX = 4096, /* octets, the line's end included */
	COMMAND_WORDS_MAX = 32,
	EXIT_OF_USAGE = 64, /* sysexits.h EX_USAGE: the question was wrong, not the answer */
	EXIT_OF_FAILURE = 1,
};

#define OPTIONS_FAMILY (OPTION_V4 | OPTION_V6)

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
	X(top, "top", RIGHT_LOOK, 0, 1, OPTIONS_FAMILY | OPTION_BY | OPTION_LIMIT, \
	  "[SERVICE[@ENDPOINT]] [--by LEN] [--limit N] [-4|-6]", \
	  "the blocks with the most live sessions: /24 and /64, or of one length") \
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
	X(help, "help", RIGHT_LOOK, 0, 2, 0, "[COMMAND]", "these lines")

#endif
