#include "guard/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAPS_MAX = 64 };

const char *user_find(const char *name, const char *group, struct user *out)
{
	const struct passwd *pw = getpwnam(name);
	const struct group *gr;

	if (pw == NULL)
		return name;
	*out = (struct user){ name, pw->pw_uid, pw->pw_gid };
	if (group == NULL)
		return NULL;
	gr = getgrnam(group);
	if (gr == NULL)
		return group;
	out->gid = gr->gr_gid;
	return NULL;
}

/* What no exec and no set-user-ID file can give back either. */
static void shrink_bounds(void)
{
	for (int cap = 0; cap < CAPS_MAX; cap++)
		if (cap != CAP_NET_BIND_SERVICE)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* past the last one: EINVAL */
}

static bool keep_low_ports(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct has[2], keep[2] = { { 0 } };
	uint32_t bit = 1u << CAP_NET_BIND_SERVICE;

	if (syscall(SYS_capget, &head, has) != 0)
		return false;
	bit &= has[0].permitted; /* a container may have taken it */
	keep[0].permitted = keep[0].effective = keep[0].inheritable = bit;
	if (syscall(SYS_capset, &head, keep) != 0)
		return false;
	return bit == 0 ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

const char *user_become(const struct user *user)
{
	if (geteuid() == user->uid && geteuid() != 0)
		return NULL;
	if (geteuid() != 0)
		return "only root can become another user";
	shrink_bounds();
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || initgroups(user->name, user->gid) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return "the user could not be changed";
	if (!keep_low_ports())
		return "the capabilities could not be changed";
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (user->uid != 0 && setresuid(0, 0, 0) == 0)
		return "the way back to root is open";
	errno = 0;
	return NULL;
}
