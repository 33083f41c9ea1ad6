/*
 * fence - the directories that the process can still reach: a Landlock domain, and what is in it.
 *
 * Like the domain, the fence is the process's: it is laid out with fence_allow, closed once, before
 * the first thread, and never opened again. Until it is closed everything is inside.
 */
#ifndef GUARD_FENCE_H
#define GUARD_FENCE_H

#include <stdbool.h>

enum fence_access {
	FENCE_READ,  /* read files and list directories */
	FENCE_WRITE, /* that, and make, change, rename and remove them */
};

/* Everything below a directory. One that is not there is left out. */
void fence_allow(const char *dir, enum fence_access access);
/* What the libraries below us read: /etc, shared data, the resolver's files. */
void fence_allow_system(void);
/* NULL: closed. Otherwise why it is not: the kernel has no Landlock that suffices, or
 * errno's text. */
const char *fence_close(void);
/* The file or directory, which need not exist yet, can be reached so. Any thread. */
bool fence_has(const char *path, enum fence_access access);

#endif
