/*
 * user - whom the process runs as: found by name, become once, before the first thread.
 */
#ifndef GUARD_USER_H
#define GUARD_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
	const char *name; /* borrowed */
	uid_t uid;
	gid_t gid;
};

/* group NULL: the user's own. NULL, or which of the two names is unknown. */
const char *user_find(const char *name, const char *group, struct user *out);

/*
 * Become it, with its groups, and keep CAP_NET_BIND_SERVICE alone (permitted, effective, ambient),
 * so that a reload can open what a start could. Who is that user already keeps what it has. NULL,
 * or why not, with errno behind it where there is one.
 */
const char *user_become(const struct user *user);

#endif
