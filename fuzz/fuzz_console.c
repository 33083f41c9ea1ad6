// room: admin
/* A client of the console, at its real socket, with real parts behind it: whatever it sends, the
 * answer is whole lines of text, and its status lines can be told from the rest. */
#include <regex.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tests/unit/admin/fake_world.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 8192 }; /* all of it fits the socket's buffer: sent before any answer is read */

static struct fake_world *fake;
static struct console *console;
static struct sockaddr_storage sa;
static socklen_t sa_len;
static regex_t status;

static void stop(void)
{
	console_stop(console);
	fake_world_free(fake);
	regfree(&status);
}

static void start(void)
{
	struct console_door door = { .name = "x", .file_mode = 0600, .backlog = 5 };
	struct complaints complaints;

	log_set_level(LOG_ERROR + 1);
	fake = fake_world_new();
	fake_world_enter(fake, "192.0.2.1");
	fake_world_enter(fake, "2001:db8::1");
	door.endpoint = fake->control;
	snprintf(door.where.path, sizeof door.where.path, "/tmp/tidewaiter-fuzz-%d.sock",
		 (int)getpid());
	sa_len = endpoint_sockaddr(&door.where, &sa);
	complaints_init(&complaints);
	console = console_start(&fake->world, &door, 1, &complaints);
	if (console == NULL ||
	    regcomp(&status, "^\\. (0|(1|64) .+)$", REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	atexit(stop);
}

static void check(struct buf *answer)
{
	const char *text = buf_text(answer);
	char *line = answer->at, *end;

	if (strlen(text) != answer->len)
		abort();
	for (; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (line[0] == '.' && regexec(&status, line, 0, NULL, 0) != 0)
			abort();
	}
	if (line != NULL && *line != '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct buf answer;
	char bytes[65536];
	ssize_t n;

	if (console == NULL)
		start();
	if (connect(fd, (struct sockaddr *)&sa, sa_len) != 0)
		abort();
	buf_init(&answer, 0);
	n = send(fd, data, size < INPUT_MAX ? size : INPUT_MAX, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (n >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
		if (!buf_add(&answer, bytes, (size_t)n))
			abort();
	check(&answer);
	buf_free(&answer);
	close(fd);
	return 0;
}
