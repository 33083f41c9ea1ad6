#include "app/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* For 421 to all, and for what is saved at the end. */
enum { LAST_WORK_MS = 15000 };

static int manager = -1;
static uint64_t watchdog_us;

/* A path, or with '@' a name in the abstract name space. */
static int connect_to(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd;

	if ((name[0] != '/' && name[0] != '@') || len >= sizeof sa.sun_path)
		return -1;
	memcpy(sa.sun_path, name, len);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 0: not ours to keep. */
static uint64_t watchdog_wanted(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (us == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

void notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");

	if (name != NULL)
		manager = connect_to(name);
	watchdog_us = manager >= 0 ? watchdog_wanted() : 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
	if (manager >= 0)
		close(manager);
	manager = -1;
	watchdog_us = 0;
}

/* A manager that does not read loses what it does not read. */
static void say(const char *text)
{
	if (manager >= 0 && send(manager, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

void notify_ready(const char *status)
{
	char text[256];

	snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", status);
	say(text);
}

void notify_reloading(void)
{
	struct timespec now;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	say(text);
}

void notify_stopping(uint32_t within_ms)
{
	char text[80];

	snprintf(text, sizeof text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
		 ((uint64_t)within_ms + LAST_WORK_MS) * 1000);
	say(text);
}

uint32_t notify_watchdog_ms(void)
{
	uint64_t ms = watchdog_us / 4000; /* a missed turn is made up for before the time is over */

	if (watchdog_us == 0)
		return 0;
	return ms == 0 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void notify_alive(void)
{
	say("WATCHDOG=1\n");
}
