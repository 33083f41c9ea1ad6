#include "app/confine.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "guard/fence.h"
#include "guard/filter.h"

/* --- directories --------------------------------------------------------------------------- */

/* The directory that matters: the path, or what it lies in. From the heap. */
static char *dir_of(const struct site_path *p)
{
	char *dir = mem_strdup(p->path), *slash = strrchr(dir, '/');

	if (p->access == SITE_FILLS)
		return dir;
	if (slash == NULL) {
		free(dir);
		return mem_strdup(".");
	}
	slash[slash == dir] = '\0';
	return dir;
}

static bool make_one(const char *path, const struct user *user)
{
	if (mkdir(path, 0750) != 0)
		return errno == EEXIST;
	return user->name == NULL || geteuid() != 0 || chown(path, user->uid, user->gid) == 0;
}

/* With those above it; the ones that are made here are the user's. */
static bool make_dir(char *path, const struct user *user)
{
	bool fine = true;

	for (char *slash = path; fine && slash != NULL;) {
		slash = strchr(slash + 1, '/');
		if (slash != NULL)
			*slash = '\0';
		fine = make_one(path, user);
		if (slash != NULL)
			*slash = '/';
	}
	return fine;
}

static void make_dirs(const struct site *site)
{
	for (unsigned i = 0; i < site->paths.count; i++) {
		const struct site_path *p = &site->paths.list[i];
		char *dir = dir_of(p);

		if (p->access != SITE_READS && dir[0] == '/')
			(void)make_dir(dir, &site->user); /* can_use tells, as who will use it */
		free(dir);
	}
}

/* As the user, so that it does not come out at a reload or with the first message. */
static bool can_use(const struct site *site, struct complaints *complaints)
{
	static const char *const wants[] = {
		[SITE_READS] = "read", [SITE_MAKES] = "write", [SITE_FILLS] = "write",
	};
	bool fine = true;

	for (unsigned i = 0; i < site->paths.count; i++) {
		const struct site_path *p = &site->paths.list[i];
		char *dir = dir_of(p);
		bool may = p->access == SITE_READS ? access(p->path, R_OK) == 0 || errno == ENOENT
						   : access(dir, W_OK | X_OK) == 0;

		if (!may && strcmp(p->path, site->state_dir) == 0) {
			complain(complaints, p->at, "State_Dir %s: %s", p->path, strerror(errno));
			fine = false;
		} else if (!may) {
			complain_warn(complaints, p->at, "this user cannot %s %s: %s",
				      wants[p->access], p->access == SITE_READS ? p->path : dir,
				      strerror(errno));
		}
		free(dir);
	}
	return fine;
}

bool confine_dirs(const struct site *site, struct complaints *complaints)
{
	make_dirs(site);
	return can_use(site, complaints);
}

/* --- user, fence, filter ------------------------------------------------------------------- */

static void name_user(const struct site *site, struct confinement *out)
{
	const struct passwd *pw = site->user.name == NULL ? getpwuid(geteuid()) : NULL;

	if (site->user.name != NULL || pw != NULL)
		snprintf(out->user, sizeof out->user, "%s", pw ? pw->pw_name : site->user.name);
	else
		snprintf(out->user, sizeof out->user, "%u", (unsigned)geteuid());
}

static void fence_paths(const struct site *site)
{
	for (unsigned i = 0; i < site->paths.count; i++) {
		const struct site_path *p = &site->paths.list[i];
		char *dir = dir_of(p), *real = realpath(p->path, NULL);

		fence_allow(dir, p->access == SITE_READS ? FENCE_READ : FENCE_WRITE);
		if (p->access == SITE_READS && real != NULL) { /* where a link leads */
			*strrchr(real, '/') = '\0';
			fence_allow(real[0] ? real : "/", FENCE_READ);
		}
		free(dir);
		free(real);
	}
	fence_allow_system();
}

static void say_state(char *out, size_t size, const char *what, bool wanted, const char *wrong,
		      struct complaints *complaints)
{
	if (!wanted)
		wrong = "by option";
	else if (wrong != NULL)
		complain_warn(complaints, (struct place){ 0 }, "%s is off: %s", what, wrong);
	snprintf(out, size, wrong ? "off: %s" : "on", wrong);
}

bool confine(const struct site *site, struct confinement *out, struct complaints *complaints)
{
	const char *wrong = NULL;

	make_dirs(site);
	if (site->user.name != NULL)
		wrong = user_become(&site->user);
	if (wrong == NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		wrong = "no_new_privs could not be set";
	if (wrong != NULL) {
		complain(complaints, (struct place){ 0 }, "User %s: %s",
			 site->user.name ? site->user.name : "", wrong);
		return false;
	}
	name_user(site, out);
	if (!can_use(site, complaints))
		return false;
	if (site->landlock) {
		fence_paths(site);
		wrong = fence_close();
	}
	say_state(out->landlock, sizeof out->landlock, "Landlock", site->landlock, wrong,
		  complaints);
	wrong = site->seccomp ? filter_install() : NULL;
	say_state(out->seccomp, sizeof out->seccomp, "Seccomp", site->seccomp, wrong, complaints);
	return true;
}
