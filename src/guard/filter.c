#include "guard/filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/sanitized.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Names, not numbers: a call that this machine's kernel or architecture lacks is left out. */
static const char *const allowed[] = {
	/* bytes in and out */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "close",
	"lseek", "fcntl", "dup", "dup2", "dup3", "pipe2", "eventfd2",
	/* files */
	"open", "openat", "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "mkdir", "mkdirat",
	"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir",
	"chmod", "fchmod", "fchmodat", "umask", "ftruncate", "fallocate", "fsync", "fdatasync",
	"sync_file_range", "fadvise64", "statfs", "fstatfs", "utimensat",
	/* sockets */
	"connect", "bind", "listen", "accept", "accept4", "shutdown", "getsockname", "getpeername",
	"getsockopt", "setsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg",
	"recvmmsg",
	/* waiting and time */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"select", "pselect6", "timerfd_create", "timerfd_settime", "nanosleep", "clock_nanosleep",
	"clock_gettime", "clock_getres", "gettimeofday", "time", "restart_syscall",
	/* threads and signals */
	"futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "gettid",
	"sched_yield", "sched_getaffinity", "exit", "exit_group", "membarrier", "getcpu",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
	"sigaltstack",
	/* memory: mmap and mprotect have conditions */
	"brk", "munmap", "mremap", "madvise",
	/* who and where we are */
	"getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "uname",
	"sysinfo", "getrusage", "getrlimit", "getrandom",
};

static const char *const deadly[] = {
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "kexec_load",
	"kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "perf_event_open",
	"userfaultfd", "add_key", "request_key", "keyctl", "mount", "umount2", "move_mount",
	"open_tree", "fsopen", "fsmount", "pivot_root", "chroot", "setns", "unshare",
	"open_by_handle_at", "swapon", "swapoff", "reboot", "settimeofday", "clock_settime",
	"adjtimex", "clock_adjtime", "iopl", "ioperm", "mknod", "mknodat", "acct", "quotactl",
	"personality", "process_madvise", "pidfd_getfd",
};

/* Allowed where (argument & mask) == value; mask 0: where the argument is the value. */
struct condition {
	const char *name;
	unsigned arg;
	unsigned long mask, value;
};

/* pid: our own, for signals to ourselves. */
static bool add_conditions(scmp_filter_ctx ctx, unsigned long pid)
{
	const struct condition conditions[] = {
		{ "socket", 0, 0, AF_INET },
		{ "socket", 0, 0, AF_INET6 },
		{ "socket", 0, 0, AF_UNIX },
		{ "socketpair", 0, 0, AF_UNIX },
		/* threads, not processes; clone3 hides its flags, and glibc falls back */
		{ "clone", 0, CLONE_THREAD, CLONE_THREAD },
		/* no memory that can be written and run: nothing compiles in here at run time */
		{ "mmap", 2, PROT_WRITE | PROT_EXEC, 0 },
		{ "mmap", 2, PROT_WRITE | PROT_EXEC, PROT_WRITE },
		{ "mmap", 2, PROT_WRITE | PROT_EXEC, PROT_EXEC },
		{ "mprotect", 2, PROT_EXEC, 0 },
		{ "ioctl", 1, 0, FIONBIO },
		{ "ioctl", 1, 0, FIONREAD },
		{ "ioctl", 1, 0, TCGETS }, /* isatty */
		{ "prctl", 0, 0, PR_SET_NAME },
		{ "prctl", 0, 0, PR_GET_NAME },
		{ "prctl", 0, 0, PR_SET_VMA },
		{ "kill", 0, 0, pid },
		{ "tgkill", 0, 0, pid },
		{ "rt_sigqueueinfo", 0, 0, pid },
		{ "prlimit64", 2, 0, 0 }, /* asking only */
	};
	int error = 0;

	for (size_t i = 0; error == 0 && i < sizeof conditions / sizeof *conditions; i++) {
		const struct condition *c = &conditions[i];
		enum scmp_compare how = c->mask != 0 ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ;
		unsigned long first = c->mask != 0 ? c->mask : c->value;
		int call = seccomp_syscall_resolve_name(c->name);

		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
					 SCMP_CMP(c->arg, how, first, c->value));
	}
	return error == 0;
}

static bool add_all(scmp_filter_ctx ctx, const char *const *names, size_t count, uint32_t action)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0)
			error = seccomp_rule_add(ctx, action, number, 0);
	}
	return error == 0;
}

const char *filter_install(void)
{
	scmp_filter_ctx ctx;
	const char *wrong = NULL;
	int error;

	if (SANITIZED)
		return "built with a sanitizer";
	ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (ctx == NULL)
		return "out of memory";
	if (!add_all(ctx, allowed, sizeof allowed / sizeof *allowed, SCMP_ACT_ALLOW) ||
	    !add_all(ctx, deadly, sizeof deadly / sizeof *deadly, SCMP_ACT_KILL_PROCESS) ||
	    !add_conditions(ctx, (unsigned long)getpid()))
		wrong = "the filter could not be made";
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: the list is long */
	if (wrong == NULL && (error = seccomp_load(ctx)) != 0)
		wrong = strerror(-error);
	seccomp_release(ctx);
	return wrong;
}
