/*
 * Landlock is spoken without a library: three system calls. The rules are on inodes, so what is
 * allowed are directories, which stay when a file in them is replaced.
 */
#include "guard/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "guard/sanitized.h"

/* Newer than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15)
#endif

/* 1 forbids renaming between directories, which is how a Maildir works. */
enum { ABI_LEAST = 2, ABI_TRUNCATE = 3, ABI_IOCTL = 5, ABI_SIGNALS = 6 };

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                             \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |             \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                        \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER)
/* Never ours, so that nothing allows them: programs, devices, links. */
#define OTHER_RIGHTS                                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_IOCTL_DEV |                             \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                          \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* struct landlock_ruleset_attr as of ABI 6. */
struct ruleset {
	uint64_t fs, net, scoped;
};
enum { SCOPE_SIGNAL = 2 };

static struct {
	struct {
		char *dir; /* without links */
		enum fence_access access;
	} *parts;
	unsigned count;
	bool closed;
} fence;

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true; /* the root */
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_allowed(const char *real, enum fence_access access)
{
	for (unsigned i = 0; i < fence.count; i++)
		if (fence.parts[i].access >= access && is_below(real, fence.parts[i].dir))
			return true;
	return false;
}

void fence_allow(const char *dir, enum fence_access access)
{
	char *real = realpath(dir, NULL);

	if (real == NULL || is_allowed(real, access)) {
		free(real);
		return;
	}
	fence.parts = mem_resize(fence.parts, fence.count + 1, sizeof *fence.parts);
	fence.parts[fence.count].dir = real;
	fence.parts[fence.count++].access = access;
}

void fence_allow_system(void)
{
	static const char *const dirs[] = {
		"/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share",
		"/usr/local/share",
		"/run/systemd/resolve", "/run/resolvconf", /* where /etc/resolv.conf may point */
		"/sys/devices/system/cpu",		   /* how many cores there are */
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		fence_allow(dirs[i], FENCE_READ);
	if (SANITIZED) {
		char self[PATH_MAX];
		ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

		fence_allow("/proc", FENCE_READ);
		self[len > 0 ? len : 0] = '\0';
		if (len > 0)
			*strrchr(self, '/') = '\0';
		fence_allow(self, FENCE_READ); /* the source lines of a report */
	}
}

static int ruleset_new(long abi)
{
	struct ruleset r = { .fs = READ_RIGHTS | WRITE_RIGHTS | OTHER_RIGHTS };
	size_t size = offsetof(struct ruleset, net);

	if (abi < ABI_TRUNCATE)
		r.fs &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi < ABI_IOCTL)
		r.fs &= ~LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= ABI_SIGNALS) {
		r.scoped = SCOPE_SIGNAL;
		size = sizeof r;
	}
	return (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
}

/* A directory that has gone, or that this user cannot open, is left out: nothing is lost by it. */
static bool add_rule(int ruleset, long abi, const char *dir, enum fence_access access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access == FENCE_WRITE ? WRITE_RIGHTS : READ_RIGHTS,
		.parent_fd = open(dir, O_PATH | O_CLOEXEC),
	};
	bool fine;

	if (rule.parent_fd < 0)
		return true;
	if (abi < ABI_TRUNCATE)
		rule.allowed_access &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	fine = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return fine;
}

const char *fence_close(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset = abi >= ABI_LEAST ? ruleset_new(abi) : -1;
	bool fine = ruleset >= 0;

	if (abi < ABI_LEAST)
		return "the kernel has none, or an early one";
	for (unsigned i = 0; fine && i < fence.count; i++)
		fine = add_rule(ruleset, abi, fence.parts[i].dir, fence.parts[i].access);
	fine = fine && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	fence.closed = fine;
	int error = errno;
	if (ruleset >= 0)
		close(ruleset);
	return fine ? NULL : strerror(error);
}

bool fence_has(const char *path, enum fence_access access)
{
	char *copy = mem_strdup(path), *real, *slash;
	bool inside = !fence.closed;

	while (!inside && (real = realpath(copy, NULL)) == NULL && errno == ENOENT &&
	       (slash = strrchr(copy, '/')) != NULL && slash != copy)
		*slash = '\0'; /* it is about to be made: what counts is where */
	if (!inside && real != NULL) {
		inside = is_allowed(real, access);
		free(real);
	}
	free(copy);
	return inside;
}
