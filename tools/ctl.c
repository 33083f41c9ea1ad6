/*
 * tidectl - asks a running tidewaiter (docs/console.md tells the protocol), or works without one
 * (`sieve eval`, `history`).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/commands.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "ctl_history.h"
#include "ctl_sieve.h"

#define SOCKET_DEFAULT "/run/tidewaiter/control.sock"

static const struct {
	const char *words, *usage, *help;
} commands[] = {
#define ROW(name, words_, right, min, max, options, usage_, help_) { words_, usage_, help_ },
	CONSOLE_COMMANDS(ROW)
#undef ROW
	{ "sieve eval", "[OPTION...] SCRIPT", "run a script over a message, without a daemon" },
	{ "history", "[--dir DIR] [--json] [QUERY...]", "ask journals, without a daemon" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

struct request {
	const char *socket;
	struct buf line;
	unsigned every_s; /* 0: once */
};

static void print_help(void)
{
	puts("usage: tidectl [-s SOCKET] [--json] COMMAND [ARGUMENT...]\n"
	     "\n"
	     "  -s SOCKET   the daemon's control socket (" SOCKET_DEFAULT ",\n"
	     "              or what TIDEWAITER_SOCKET names)\n"
	     "  --json      the answer as JSON\n"
	     "  --help      this\n"
	     "  --version   the version of tidectl\n"
	     "\n"
	     "commands:");
	for (unsigned i = 0; i < COMMANDS; i++)
		printf("  %s %s\n        %s\n", commands[i].words, commands[i].usage,
		       commands[i].help);
	puts("\n\"top\" takes --every SECONDS too."
	     " Exit: 0 done, 64 the command was wrong, 1 it failed.");
}

static int complain_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int complain_usage(const char *format, ...)
{
	va_list args;

	fputs("tidectl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n", stderr);
	return EXIT_OF_USAGE;
}

/* Only the first word: the daemon knows the rest, and may know more of it than we do. */
static int check_command(const char *word)
{
	struct nearest near;

	nearest_begin(&near, slice_of(word));
	for (unsigned i = 0; i < COMMANDS; i++) {
		struct slice rest, first = slice_cut(slice_of(commands[i].words), ' ', &rest);

		if (slice_equal(first, command_word(slice_of(word))))
			return 0;
		nearest_try_as(&near, first, commands[i].words);
	}
	if (near.name == NULL)
		return complain_usage("no command \"%s\"; \"tidectl --help\" lists them", word);
	return complain_usage("no command \"%s\"; did you mean \"%s\"?", word, near.name);
}

static bool add_word(struct buf *line, const char *word)
{
	bool fits = line->len == 0 || buf_add(line, " ", 1);

	if (*word != '\0' && word[strcspn(word, " \t\"")] == '\0')
		return fits && buf_add_slice(line, slice_of(word));
	fits = fits && buf_add(line, "\"", 1);
	for (; fits && *word != '\0'; word++)
		fits = ((*word != '"' && *word != '\\') || buf_add(line, "\\", 1)) &&
		       buf_add(line, word, 1);
	return fits && buf_add(line, "\"", 1);
}

/* --every is ours: it makes the same request again and again. */
static bool take_every(struct request *r, int *argc, char ***argv)
{
	char *end;
	unsigned long s;

	if (*argc < 2)
		return false;
	s = strtoul((*argv)[1], &end, 10);
	if (*end != '\0' || s < 1 || s > 86400)
		return false;
	r->every_s = (unsigned)s;
	++*argv;
	--*argc;
	return true;
}

static int build_line(struct request *r, bool json, int argc, char **argv)
{
	bool is_top = strcmp(argv[0], "top") == 0;

	for (; argc > 0; argv++, argc--) {
		if (strpbrk(*argv, "\r\n") != NULL)
			return complain_usage("an argument may not hold the end of a line");
		if (is_top && strcmp(*argv, "--every") == 0) {
			if (!take_every(r, &argc, &argv))
				return complain_usage("--every takes seconds, from 1 to 86400");
			continue;
		}
		if (!add_word(&r->line, *argv))
			return complain_usage("the command is too long");
	}
	if (!(json ? buf_add_slice(&r->line, SLICE(" --json\n")) : buf_add(&r->line, "\n", 1)))
		return complain_usage("the command is too long");
	return 0;
}

static int failed(const char *socket_path, const char *why)
{
	fprintf(stderr, "tidectl: %s: %s\n", socket_path, why);
	return EXIT_OF_FAILURE;
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof sa.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool send_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes.at += n;
		bytes.len -= (size_t)n;
	}
	return true;
}

/* One line of the answer. true: it was the status line, and the exit code is known. */
static bool take_line(struct slice line, int *code_out)
{
	char *text;

	if (line.len >= 2 && memcmp(line.at, "! ", 2) == 0) {
		fprintf(stderr, "%.*s\n", (int)line.len - 2, line.at + 2);
		return false;
	}
	if (line.len < 3 || memcmp(line.at, ". ", 2) != 0) {
		fwrite(line.at, 1, line.len, stdout);
		putchar('\n');
		return false;
	}
	*code_out = (int)strtol(line.at + 2, &text, 10);
	line.len -= (size_t)(text - line.at);
	if (line.len > 1)
		fprintf(stderr, "tidectl: %.*s\n", (int)line.len - 1, text + 1);
	return true;
}

static int read_answer(int fd, const char *path)
{
	struct buf in;
	int code = EXIT_OF_FAILURE;

	for (buf_init(&in, 1 << 20);;) {
		char bytes[16384];
		const char *lf;
		size_t taken = 0;
		ssize_t n = read(fd, bytes, sizeof bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !buf_add(&in, bytes, (size_t)n)) {
			buf_free(&in);
			return failed(path, n < 0 ? strerror(errno) : "the answer broke off");
		}
		while ((lf = memchr(in.at + taken, '\n', in.len - taken)) != NULL) {
			struct slice line = { in.at + taken, (size_t)(lf - in.at) - taken };

			if (take_line(line, &code)) {
				buf_free(&in);
				return code;
			}
			taken += line.len + 1;
		}
		buf_eat(&in, taken);
	}
}

static int ask(const struct request *r)
{
	int fd = dial(r->socket), code;

	if (fd < 0)
		return failed(r->socket, strerror(errno));
	/* Who is refused may find the door closed, and an answer all the same. */
	if (!send_all(fd, buf_slice(&r->line)) && errno != EPIPE && errno != ECONNRESET)
		code = failed(r->socket, strerror(errno));
	else
		code = read_answer(fd, r->socket);
	close(fd);
	if (fflush(stdout) != 0 || ferror(stdout))
		return failed("standard output", strerror(errno));
	return code;
}

static int ask_again_and_again(const struct request *r)
{
	int code;

	for (;;) {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		code = ask(r);
		if (code != 0)
			return code;
		sleep(r->every_s);
	}
}

int main(int argc, char **argv)
{
	struct request r = { .socket = getenv("TIDEWAITER_SOCKET") };
	bool json = false;
	int code;

	if (r.socket == NULL || *r.socket == '\0')
		r.socket = SOCKET_DEFAULT;
	for (argc--, argv++; argc > 0 && argv[0][0] == '-'; argc--, argv++) {
		if (strcmp(argv[0], "--help") == 0) {
			print_help();
			return 0;
		} else if (strcmp(argv[0], "--version") == 0) {
			puts("tidectl " VERSION);
			return 0;
		} else if (strcmp(argv[0], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[0], "-s") == 0 && argc > 1) {
			r.socket = *++argv;
			argc--;
		} else {
			return complain_usage("no option \"%s\", or it lacks its value", argv[0]);
		}
	}
	if (argc == 0)
		return complain_usage("no command; \"tidectl --help\" lists them");
	if (strcmp(argv[0], "sieve") == 0) {
		if (argc >= 2 && strcmp(argv[1], "eval") == 0)
			return ctl_sieve_eval(argc - 1, argv + 1);
		return complain_usage("no command \"sieve\"; did you mean \"sieve eval\"?");
	}
	if (strcmp(argv[0], "history") == 0)
		return ctl_history(argc, argv, json);
	code = check_command(argv[0]);
	if (code != 0)
		return code;
	buf_init(&r.line, COMMAND_LINE_MAX);
	code = build_line(&r, json, argc, argv);
	if (code == 0)
		code = r.every_s > 0 ? ask_again_and_again(&r) : ask(&r);
	buf_free(&r.line);
	return code;
}
