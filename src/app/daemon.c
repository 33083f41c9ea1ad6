#include "app/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/console.h"
#include "app/host.h"
#include "app/site.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/lua/lua.h"
#include "policy/sieve/sieve.h"

enum {
	EXIT_CONFIG = 78, /* EX_CONFIG */
	DISK_THREADS = 4,
	STOP_LOOK_MS = 20,
};

#define SIGNAL_DRAIN SIGRTMIN /* the console's `drain`: as SIGTERM, but without a deadline */

static const struct policy_engine *const engines[] = { &sieve_engine, &lua_engine, NULL };

struct daemon {
	char *file;
	struct audit *audit;
	struct budgets *budgets;
	struct ledger *ledger;
	struct jobs *jobs;
	struct host host;
	struct policy_host policy_host;
	char hostname[256];
	struct site *site; /* under reload_lock */
	pthread_mutex_t reload_lock;
	struct crew *crew;
	struct console *console;
};

static void log_complaints(const struct complaints *c)
{
	char line[1400];

	for (unsigned i = 0; i < c->count; i++) {
		complaint_print(&c->list[i], line, sizeof line);
		if (c->list[i].gravity == GRAVITY_ERROR)
			log_error("%s", line);
		else
			log_warn("%s", line);
	}
}

static void world_open(struct daemon *d)
{
	d->audit = audit_new();
	d->budgets = budgets_new();
	d->ledger = ledger_new();
	d->host = (struct host){ .audit = d->audit, .ledger = d->ledger };
	if (gethostname(d->hostname, sizeof d->hostname - 1) != 0)
		snprintf(d->hostname, sizeof d->hostname, "localhost");
	host_fill(&d->policy_host, &d->host, d->hostname, d->jobs);
	pthread_mutex_init(&d->reload_lock, NULL);
}

static void world_close(struct daemon *d)
{
	site_free(d->site);
	ledger_free(d->ledger);
	budgets_free(d->budgets);
	audit_free(d->audit);
	pthread_mutex_destroy(&d->reload_lock);
}

static struct site *load(struct daemon *d, unsigned workers, struct complaints *complaints)
{
	struct site_world world = {
		.audit = d->audit, .budgets = d->budgets, .host = &d->policy_host,
		.engines = engines, .workers = workers,
	};

	return site_load(d->file, &world, complaints);
}

int daemon_check(const char *file)
{
	struct daemon d = { .file = (char *)file };
	struct complaints complaints;
	bool fine;

	complaints_init(&complaints);
	world_open(&d);
	d.site = load(&d, 0, &complaints);
	fine = d.site != NULL;
	world_close(&d);
	complaints_print(&complaints, stderr);
	if (fine)
		printf("%s: configuration is fine%s\n", file, complaints.warnings ? ", with warnings" : "");
	complaints_free(&complaints);
	return fine ? 0 : EXIT_CONFIG;
}

/* --- reload -------------------------------------------------------------------------------- */

/* Everything new is made beside the old, and swapped in only if all of it worked (T6). */
static bool reload(void *owner, struct complaints *complaints)
{
	struct daemon *d = owner;
	struct site *fresh;
	bool fine;

	pthread_mutex_lock(&d->reload_lock);
	fresh = load(d, d->site->workers, complaints);
	fine = fresh != NULL && crew_install(d->crew, fresh->rules, complaints);
	if (fine) {
		log_set_format(fresh->log_format);
		site_free(d->site);
		d->site = fresh;
	} else {
		site_free(fresh);
	}
	pthread_mutex_unlock(&d->reload_lock);
	log_complaints(complaints);
	if (fine)
		log_info("configuration reloaded from %s", d->file);
	else
		log_error("reload failed, the configuration in use stays");
	return fine;
}

static void reload_by_signal(struct daemon *d)
{
	struct complaints complaints;

	complaints_init(&complaints);
	reload(d, &complaints);
	complaints_free(&complaints);
}

/* --- stopping ------------------------------------------------------------------------------ */

static void ask_drain(void *owner)
{
	(void)owner;
	kill(getpid(), SIGNAL_DRAIN);
}

static void ask_stop(void *owner)
{
	(void)owner;
	kill(getpid(), SIGTERM);
}

static const char *file_of(void *owner)
{
	struct daemon *d = owner;

	return d->file;
}

static void signals_block(sigset_t *ours)
{
	sigemptyset(ours);
	sigaddset(ours, SIGTERM);
	sigaddset(ours, SIGINT);
	sigaddset(ours, SIGHUP);
	sigaddset(ours, SIGNAL_DRAIN);
	pthread_sigmask(SIG_BLOCK, ours, NULL); /* before the first thread, so that none gets them */
	signal(SIGPIPE, SIG_IGN);
}

static uint32_t drain_ms(struct daemon *d)
{
	uint32_t ms;

	pthread_mutex_lock(&d->reload_lock);
	ms = d->site->drain_ms;
	pthread_mutex_unlock(&d->reload_lock);
	return ms;
}

/* Until the crew is gone. The first stop drains, the second is at once (T7). */
static void serve(struct daemon *d, const sigset_t *ours)
{
	const struct timespec soon = { 0, STOP_LOOK_MS * 1000000L };
	bool stopping = false;

	for (;;) {
		bool draining = crew_is_draining(d->crew);
		int sig = draining ? sigtimedwait(ours, NULL, &soon) : sigwaitinfo(ours, NULL);

		if (sig == SIGHUP && !draining) {
			reload_by_signal(d);
		} else if (sig == SIGNAL_DRAIN && !draining) {
			log_info("draining: no new connections, %llu sessions to finish",
				 (unsigned long long)crew_sessions(d->crew));
			crew_drain(d->crew, UINT32_MAX);
		} else if (sig == SIGTERM || sig == SIGINT) {
			log_info(stopping ? "stopping at once" : "stopping: %llu sessions to finish",
				 (unsigned long long)crew_sessions(d->crew));
			crew_drain(d->crew, stopping ? 0 : drain_ms(d));
			stopping = true;
		}
		if (crew_is_draining(d->crew) && crew_is_empty(d->crew))
			return;
	}
}

/* --- birth and death ----------------------------------------------------------------------- */

static bool make_dir(const char *path)
{
	char *copy = mem_strdup(path);
	bool fine = true;

	for (char *slash = copy + 1; fine; *slash++ = '/') {
		slash = strchrnul(slash, '/');
		bool last = *slash == '\0';
		*slash = '\0';
		fine = mkdir(copy, 0750) == 0 || errno == EEXIST;
		if (last)
			break;
	}
	free(copy);
	return fine;
}

/* As many descriptors as we may have: a held client is one. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static struct console *open_console(struct daemon *d, struct complaints *complaints)
{
	const struct site *site = d->site;
	struct console_door *doors = mem_array(site->control_count, sizeof *doors);
	struct console_world world = {
		.audit = d->audit, .crew = d->crew, .ledger = d->ledger, .version = VERSION, .owner = d,
		.reload = reload, .drain = ask_drain, .stop = ask_stop, .file = file_of,
		.started_wall_ms = clock_wall_ms(),
	};
	struct console *console;

	for (unsigned i = 0; i < site->control_count; i++) {
		const struct control_door *from = &site->controls[i];

		doors[i] = (struct console_door){
			.name = from->name, .where = from->where, .file_mode = from->file_mode,
			.backlog = from->backlog, .timeout_ms = from->timeout_ms, .endpoint = from->endpoint,
		};
	}
	console = console_start(&world, doors, site->control_count, complaints);
	free(doors);
	return console;
}

static void say_open(const struct site *site)
{
	for (unsigned i = 0; i < site->rules->door_count; i++)
		log_info("listening on %s for SMTP", site->rules->doors[i].name);
	for (unsigned i = 0; i < site->control_count; i++)
		log_info("listening on %s for the console", site->controls[i].name);
	log_info("tidewaiter %s is ready: %u workers", VERSION, site->workers);
}

/* 0: open. Otherwise the exit code; complaints say why. */
static int open_all(struct daemon *d, struct complaints *complaints)
{
	d->site = load(d, 0, complaints);
	if (d->site == NULL)
		return EXIT_CONFIG;
	log_set_format(d->site->log_format);
	snprintf(d->hostname, sizeof d->hostname, "%s", d->site->hostname);
	if (!make_dir(d->site->state_dir)) {
		complain(complaints, (struct place){ 0 }, "State_Dir %s: %s", d->site->state_dir, strerror(errno));
		return 1;
	}
	d->crew = d->host.crew = crew_new(d->site->workers, d->jobs, d->hostname);
	d->console = open_console(d, complaints);
	if (d->console == NULL || !crew_install(d->crew, d->site->rules, complaints))
		return 1;
	return 0;
}

int daemon_run(const char *file)
{
	struct daemon d = { .file = mem_strdup(file) };
	struct complaints complaints;
	sigset_t ours;
	int code;

	signals_block(&ours);
	raise_descriptors();
	log_open(STDERR_FILENO, "tidewaiter");
	complaints_init(&complaints);
	d.jobs = jobs_new(DISK_THREADS);
	world_open(&d);
	code = open_all(&d, &complaints);
	log_complaints(&complaints);
	complaints_free(&complaints);
	if (code == 0) {
		say_open(d.site);
		serve(&d, &ours);
	}

	if (d.console != NULL)
		console_stop(d.console);
	if (d.crew != NULL)
		crew_join(d.crew);
	jobs_free(d.jobs); /* what it still has to say is heard when the workers' loops are freed */
	crew_free(d.crew);
	world_close(&d);
	log_info(code == 0 ? "stopped" : "not started");
	log_close();
	free(d.file);
	return code;
}
