/*
 * filter - the system calls that the process can still make (seccomp).
 *
 * An allow-list of what the daemon and its libraries use. What is not on it answers ENOSYS, because
 * libraries try new calls and fall back: killing for those would end thousands of sessions when a
 * library is updated. What none of them ever calls, and whoever breaks in calls first (a program, a
 * debugger, a mount, a kernel module), ends the process at once.
 */
#ifndef GUARD_FILTER_H
#define GUARD_FILTER_H

/* For this thread and all that it makes. NULL: in force. Otherwise why not. */
const char *filter_install(void);

#endif
