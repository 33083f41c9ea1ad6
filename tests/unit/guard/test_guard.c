/* What is given up is given up for good: so each case gives it up in a process of its own, and
 * tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/fence.h"
#include "guard/filter.h"
#include "guard/sanitized.h"
#include "guard/user.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char root[64]; /* in/ may be written, out/ may not be reached, see/ may be read */

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", root, name);
	return p;
}

static int touch(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

/* errno's value, or 128 and the signal. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int error_of(int result)
{
	return result < 0 ? errno : 0;
}

/* --- the fence --- */

static int do_write_in(void) { return error_of(touch(at("in/new"))); }
static int do_rename_in(void)
{
	return touch(at("in/sub/a")) ? errno : error_of(rename(at("in/sub/a"), at("in/b")));
}
static int do_unlink_in(void) { return touch(at("in/c")) ? errno : error_of(unlink(at("in/c"))); }
static int do_mkdir_in(void) { return error_of(mkdir(at("in/dir"), 0700)); }
static int do_unnamed_in(void) { return error_of(open(at("in"), O_TMPFILE | O_RDWR, 0600)); }
static int do_link_in(void) { return error_of(symlink("x", at("in/link"))); }
static int do_read_see(void) { return error_of(open(at("see/file"), O_RDONLY)); }
static int do_write_see(void) { return error_of(touch(at("see/new"))); }
static int do_change_see(void) { return error_of(open(at("see/file"), O_WRONLY)); }
static int do_read_out(void) { return error_of(open(at("out/file"), O_RDONLY)); }
static int do_list_out(void) { return error_of(open(at("out"), O_RDONLY | O_DIRECTORY)); }
static int do_write_out(void) { return error_of(touch(at("out/new"))); }
static int do_unlink_out(void) { return error_of(unlink(at("out/file"))); }
static int do_move_out(void) { return error_of(rename(at("in/a"), at("out/a"))); }
static int do_via_link(void) { return error_of(open(at("in/way_out"), O_RDONLY)); }
static int do_run(void) { return error_of(execl("/bin/true", "true", (char *)NULL)); }
static int do_hosts(void) { return error_of(open("/etc/hosts", O_RDONLY)); }
static int do_parent(void) { return error_of(kill(getppid(), 0)); }

static const struct {
	const char *name;
	int (*try)(void);
	int want_error;
} paths[] = {
	{ "write inside", do_write_in, 0 },
	{ "rename between directories inside", do_rename_in, 0 },
	{ "unlink inside", do_unlink_in, 0 },
	{ "mkdir inside", do_mkdir_in, 0 },
	{ "a file without a name inside", do_unnamed_in, 0 },
	{ "no symbolic links", do_link_in, EACCES },
	{ "read what may be read", do_read_see, 0 },
	{ "write what may be read", do_write_see, EACCES },
	{ "change what may be read", do_change_see, EACCES },
	{ "read outside", do_read_out, EACCES },
	{ "list outside", do_list_out, EACCES },
	{ "write outside", do_write_out, EACCES },
	{ "unlink outside", do_unlink_out, EACCES },
	{ "rename to outside", do_move_out, EACCES },
	{ "a link to outside", do_via_link, EACCES },
	{ "run a program", do_run, EACCES },
	{ "what libraries read", do_hosts, 0 },
};

static int (*trying)(void);

static int fenced(void)
{
	fence_allow(at("in"), FENCE_WRITE);
	fence_allow(at("see"), FENCE_READ);
	fence_allow_system();
	if (fence_close() != NULL)
		return 255;
	return trying();
}

static void only_what_is_allowed_is_reached(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		int got;

		trying = paths[i].try;
		got = in_child(fenced);
		if (got == 255)
			skip(); /* a kernel without Landlock */
		if (got != paths[i].want_error)
			print_error("%s: %s\n", paths[i].name, strerror(got));
		assert_int_equal(got, paths[i].want_error);
	}
}

static int knows(void)
{
	const struct {
		const char *path;
		enum fence_access access;
		bool want;
	} cases[] = {
		{ "in", FENCE_WRITE, true },	  { "in/fresh/er", FENCE_WRITE, true },
		{ "in", FENCE_READ, true },	  { "see/file", FENCE_READ, true },
		{ "see/file", FENCE_WRITE, false }, { "out/file", FENCE_READ, false },
		{ "in/way_out", FENCE_READ, false }, { "in/../out/new", FENCE_READ, false },
		{ "inside", FENCE_READ, false },  { "none", FENCE_READ, false },
	};

	fence_allow(at("in"), FENCE_WRITE);
	fence_allow(at("see"), FENCE_READ);
	if (!fence_has(at("out/file"), FENCE_WRITE)) /* not closed yet */
		return 1;
	if (fence_close() != NULL)
		return 255;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (fence_has(at(cases[i].path), cases[i].access) != cases[i].want)
			return 10 + (int)i;
	return 0;
}

static void the_fence_knows_what_is_inside(void **state)
{
	int got = in_child(knows);

	(void)state;
	if (got == 255)
		skip();
	assert_int_equal(got, 0);
}

static int signals(void)
{
	const char *wrong;

	fence_allow(at("in"), FENCE_WRITE);
	wrong = fence_close();
	return wrong != NULL ? 255 : kill(getpid(), 0) != 0 ? 1 : do_parent();
}

static void nobody_else_is_sent_signals(void **state)
{
	int got = in_child(signals);

	(void)state;
	if (got == 255 || got == 0)
		skip(); /* a kernel whose Landlock knows no signals */
	assert_int_equal(got, EPERM);
}

/* --- the filter --- */

static void *thread(void *arg) { return arg; }

static int do_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, thread, NULL) ? 1 : pthread_join(t, NULL);
}

static int do_map(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int do_data(void) { return do_map(PROT_READ | PROT_WRITE); }
static int do_code(void) { return do_map(PROT_READ | PROT_WRITE | PROT_EXEC); }

static int do_make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return error_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int do_fork(void) { return error_of(fork()); }
static int do_tcp(void) { return error_of(socket(AF_INET6, SOCK_STREAM, 0)); }
static int do_netlink(void) { return error_of(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int do_packet(void) { return error_of(socket(AF_PACKET, SOCK_RAW, 0)); }
static int do_trace(void) { return error_of((int)ptrace(PTRACE_TRACEME, 0, 0, 0)); }
static int do_abort_self(void) { return raise(0) ? errno : 0; }
static int do_root(void) { return error_of(chroot("/")); }
static int do_setuid(void) { return error_of(setuid(0)); }
static int do_undump(void) { return error_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }

static const struct {
	const char *name;
	int (*try)(void);
	int want; /* errno, or 128 and a signal */
} calls[] = {
	{ "a thread", do_thread, 0 },
	{ "memory", do_data, 0 },
	{ "memory to write and run", do_code, ENOSYS },
	{ "making written memory run", do_make_code, ENOSYS },
	{ "a process", do_fork, ENOSYS },
	{ "TCP", do_tcp, 0 },
	{ "netlink", do_netlink, ENOSYS },
	{ "raw packets", do_packet, ENOSYS },
	{ "a signal to ourselves", do_abort_self, 0 },
	{ "a signal to another", do_parent, ENOSYS },
	{ "another user", do_setuid, ENOSYS },
	{ "process attributes", do_undump, ENOSYS },
	{ "a program", do_run, 128 + SIGSYS },
	{ "a debugger", do_trace, 128 + SIGSYS },
	{ "another root", do_root, 128 + SIGSYS },
};

static int filtered(void)
{
	return filter_install() != NULL ? 255 : trying();
}

static void only_what_is_used_can_be_called(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < COUNT(calls); i++) {
		int got;

		trying = calls[i].try;
		got = in_child(filtered);
		if (got != calls[i].want)
			print_error("%s: %d\n", calls[i].name, got);
		assert_int_equal(got, calls[i].want);
	}
}

/* --- the user --- */

static void unknown_names_are_told(void **state)
{
	struct user user;

	(void)state;
	assert_string_equal(user_find("no-such-user", NULL, &user), "no-such-user");
	assert_string_equal(user_find("nobody", "no-such-group", &user), "no-such-group");
	assert_null(user_find("nobody", "daemon", &user));
	assert_string_equal(user.name, "nobody");
}

static int become_nobody(void)
{
	struct user user;

	if (user_find("nobody", NULL, &user) != NULL || user_become(&user) != NULL)
		return 1;
	if (getuid() != user.uid || geteuid() != user.uid || getegid() != user.gid)
		return 2;
	if (setuid(0) == 0 || access("/root", R_OK | X_OK) == 0)
		return 3;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 10 /* CAP_NET_BIND_SERVICE */, 0, 0) != 1)
		return 4;
	return prctl(PR_CAPBSET_READ, 10, 0, 0, 0) == 1 && prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0
		       ? 0
		       : 5;
}

static void root_becomes_a_user_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(become_nobody), 0);
}

static int become_root(void)
{
	struct user root_user = { "root", 0, 0 }, user;

	if (user_find("nobody", NULL, &user) != NULL || setuid(user.uid) != 0)
		return 1;
	return user_become(&user) == NULL && user_become(&root_user) != NULL ? 0 : 2;
}

static void others_stay_who_they_are(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(become_root), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/tidewaiter-guard-%d", (int)getpid());
	if (mkdir(root, 0755) || mkdir(at("in"), 0755) || mkdir(at("in/sub"), 0755) ||
	    mkdir(at("see"), 0755) || mkdir(at("out"), 0755) || touch(at("see/file")) ||
	    touch(at("out/file")) || touch(at("in/a")))
		return -1;
	return symlink("../out/file", at("in/way_out"));
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_allowed_is_reached),
		cmocka_unit_test(the_fence_knows_what_is_inside),
		cmocka_unit_test(nobody_else_is_sent_signals),
		cmocka_unit_test(only_what_is_used_can_be_called),
		cmocka_unit_test(unknown_names_are_told),
		cmocka_unit_test(root_becomes_a_user_for_good),
		cmocka_unit_test(others_stay_who_they_are),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
