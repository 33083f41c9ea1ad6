#include "admin/gate.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/commands.h"
#include "net/listener.h"

enum { DIR_MODE = 0750, GROUPS_MAX = 256 };

static bool make_dirs(struct endpoint copy)
{
	for (char *slash = copy.path + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		if (mkdir(copy.path, DIR_MODE) != 0 && errno != EEXIST)
			return false;
	}
	return true;
}

int gate_open(const struct console_door *door, struct complaints *complaints)
{
	const char *path = door->where.path, *why;
	int fd = -1;

	if (make_dirs(door->where))
		fd = listener_socket(&door->where, door->backlog, door->file_mode, false, &why);
	else
		why = strerror(errno);
	if (fd < 0)
		complain(complaints, (struct place){ 0 }, "control socket %s: %s", path, why);
	return fd;
}

static bool in_group(int fd, gid_t own, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof groups;

	if (own == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof *groups; i++)
		if (groups[i] == group)
			return true;
	return false;
}

unsigned gate_rights(const struct console_door *door, int fd, unsigned *uid_out)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	struct stat st;

	*uid_out = UINT32_MAX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return 0;
	*uid_out = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return RIGHT_LOOK | RIGHT_CHANGE;
	if (stat(door->where.path, &st) == 0 && in_group(fd, peer.gid, st.st_gid))
		return RIGHT_LOOK | RIGHT_CHANGE;
	return 0;
}
