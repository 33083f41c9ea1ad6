#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/daemon.h"
#include "app/options.h"

enum { EXIT_USAGE = 64 }; /* EX_USAGE */

static const char default_file[] = "/etc/tidewaiter/tidewaiter.conf";

static const char usage[] =
	"usage: tidewaiter [-c FILE] [-fu]     run; the log goes to stderr\n"
	"       tidewaiter [-c FILE] -t        check the configuration and the scripts, and exit\n"
	"       tidewaiter --options FORM      print all options, FORM being md, mdoc or sample\n"
	"       tidewaiter --version | --help\n"
	"\n"
	"  -c FILE   the configuration, instead of /etc/tidewaiter/tidewaiter.conf\n"
	"  -f        stay in the foreground (it always does: a service manager supervises it)\n"
	"  -u        upgrade: take sockets and counts over from the daemon that runs, if one does\n"
	"  -t        exit 0 if all is well, 78 if not, with every fault as FILE:LINE:COL\n"
	"\n"
	"SIGHUP reloads, SIGTERM and SIGINT drain and stop, a second one stops at once.\n"
	"SIGUSR1 opens Log_File anew.\n";

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum { OPT_VERSION = 256, OPT_HELP, OPT_OPTIONS };
	static const struct option longs[] = {
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "options", required_argument, NULL, OPT_OPTIONS },
		{ 0 },
	};
	const char *file = default_file;
	bool check = false, upgrade = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:ftu", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'f':
			break; /* as without it (T5) */
		case 'u':
			upgrade = true;
			break;
		case 't':
			check = true;
			break;
		case OPT_VERSION:
			printf("tidewaiter %s\n", VERSION);
			return 0;
		case OPT_HELP:
			fputs(usage, stdout);
			return 0;
		case OPT_OPTIONS:
			return options_print(optarg, stdout) == 0 ? 0 : wrong_usage();
		default:
			return wrong_usage();
		}
	}
	if (optind != argc) {
		fprintf(stderr, "tidewaiter: '%s' is not expected here\n", argv[optind]);
		return wrong_usage();
	}
	return check ? daemon_check(file) : daemon_run(file, upgrade);
}
