#include "app/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/console.h"
#include "app/confine.h"
#include "app/handover.h"
#include "app/host.h"
#include "app/notify.h"
#include "app/site.h"
#include "archive/keeper.h"
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

#define SIGNAL_HANDED (SIGRTMIN + 1) /* another process listens now */
#define SIGNAL_DRAIN SIGRTMIN	     /* the console's `drain`: as SIGTERM, but without a deadline */

static const struct policy_engine *const engines[] = { &sieve_engine, &lua_engine, NULL };

struct daemon {
	char *file;
	struct audit *audit;
	struct budgets *budgets;
	struct ledger *ledger;
	struct series_all *series; /* of all configurations, one after the other */
	struct keeper *keeper;
	struct keeper_task hand_on; /* the series, to the heir */
	bool hands_on;
	_Atomic bool handed_on;
	struct jobs *jobs;
	struct host host;
	struct policy_host policy_host;
	struct site *site; /* under reload_lock */
	pthread_mutex_t reload_lock;
	struct crew *crew;
	struct console *console;
	struct confinement confinement;
	bool upgrade;
	struct handover *parent;
	struct handover *heir;	 /* under reload_lock, until it takes over */
	_Atomic bool heir_gone;	 /* before it took over */
	uint64_t handed_until_ms; /* 0: nobody took over */
};

static void log_complaints(const struct complaints *c)
{
	char line[1400];

	for (unsigned i = 0; i < c->count; i++) {
		struct complaint said = c->list[i];

		said.gravity = GRAVITY_ERROR; /* the line's level says that it is a warning */
		complaint_print(&said, line, sizeof line);
		if (c->list[i].gravity == GRAVITY_ERROR)
			log_error("%s", line);
		else
			log_warn("%s", line);
	}
}

/* false: complained, and the log goes on where it was. */
static bool point_log(const struct site *site, struct complaints *complaints)
{
	int fd = STDERR_FILENO;

	if (site->log_file != NULL)
		fd = open(site->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		complain(complaints, (struct place){ 0 }, "Log_File %s: %s", site->log_file,
			 strerror(errno));
		return false;
	}
	log_move(fd);
	return true;
}

static void world_open(struct daemon *d)
{
	d->audit = audit_new();
	d->budgets = budgets_new();
	d->ledger = ledger_new();
	d->series = series_all_new();
	d->host = (struct host){
		.audit = d->audit, .ledger = d->ledger, .series = d->series
	};
	host_fill(&d->policy_host, &d->host);
	pthread_mutex_init(&d->reload_lock, NULL);
}

static void world_close(struct daemon *d)
{
	site_free(d->site);
	series_all_free(d->series);
	ledger_free(d->ledger);
	budgets_free(d->budgets);
	audit_free(d->audit);
	pthread_mutex_destroy(&d->reload_lock);
}

static struct site *load(struct daemon *d, struct complaints *complaints)
{
	struct site_world world = {
		.audit = d->audit, .budgets = d->budgets, .host = &d->policy_host,
		.engines = engines, .running = d->site,
		.threads = d->crew != NULL ? crew_threads(d->crew) : 0,
	};

	return site_load(d->file, &world, complaints);
}

/* With the series that its scripts define. */
static bool load_first(struct daemon *d, struct complaints *complaints)
{
	d->site = load(d, complaints);
	return d->site != NULL && site_define_series(d->site, d->series, SERIES_ALL, complaints);
}

int daemon_check(const char *file)
{
	struct daemon d = { .file = (char *)file };
	struct complaints complaints;
	bool fine;

	complaints_init(&complaints);
	world_open(&d);
	fine = load_first(&d, &complaints);
	world_close(&d);
	complaints_print(&complaints, stderr);
	if (fine)
		printf("%s: configuration is fine%s\n", file,
		       complaints.warnings ? ", with warnings" : "");
	complaints_free(&complaints);
	return fine ? 0 : EXIT_CONFIG;
}

/* --- series -------------------------------------------------------------------------------- */

static struct keeper_rules keeping(const struct site *site)
{
	return (struct keeper_rules){
		.series_dir = site->series.serialize_dir, .journal_dir = site->series.log_dir,
		.save_ms = site->series.maintenance_ms, .journal_days = site->series.journal_days,
	};
}

static void series_handed_on(struct keeper_task *task)
{
	struct daemon *d = (struct daemon *)((char *)task - offsetof(struct daemon, hand_on));

	if (task->wrong[0] != '\0')
		log_error("upgrade: series stay behind: %s", task->wrong);
	handover_saved(d->heir);
	d->handed_on = true;
}

/* The heir loads what is saved now, and counts it from then on. */
static void hand_series_on(struct daemon *d)
{
	if (d->hands_on)
		return;
	d->hands_on = true;
	d->hand_on = (struct keeper_task){ .work = KEEPER_RETIRE, .done = series_handed_on,
					  .tap = handover_series(d->heir) };
	keeper_ask(d->keeper, &d->hand_on);
}

/* At the end: also where the heir takes over only then. */
static void wait_for_series(struct daemon *d)
{
	hand_series_on(d);
	while (!d->handed_on)
		usleep(STOP_LOOK_MS * 1000);
}

static void inherit_series(void *owner)
{
	struct daemon *d = owner;

	keeper_inherit(d->keeper);
}

/* --- reload -------------------------------------------------------------------------------- */

/* Everything new is made beside the old, and swapped in only if all of it worked (T6). */
static bool reload(void *owner, struct complaints *complaints)
{
	struct daemon *d = owner;
	struct keeper_rules rules;
	struct site *fresh;
	bool fine;

	pthread_mutex_lock(&d->reload_lock);
	notify_reloading();
	if (d->heir != NULL && !d->heir_gone) /* it would lack the doors that are opened now */
		complain(complaints, (struct place){ 0 },
			 "handing over: the new one reads its own configuration");
	fresh = complaints->errors == 0 ? load(d, complaints) : NULL;
	if (fresh != NULL) /* its scripts may run at once, and those of before still do */
		site_use_monitors(fresh, d->series, d->site);
	fine = fresh != NULL && confine_dirs(fresh, complaints) && point_log(fresh, complaints) &&
	       site_define_series(fresh, d->series, SERIES_NEW, complaints) &&
	       crew_install(d->crew, fresh->rules, complaints);
	if (fine) {
		site_define_series(fresh, d->series, SERIES_ALL, complaints);
		log_set_format(fresh->log_format);
		log_set_level(fresh->log_level);
		site_free(d->site);
		d->site = fresh;
		rules = keeping(fresh);
		keeper_rule(d->keeper, &rules);
	} else {
		site_free(fresh);
	}
	site_use_monitors(d->site, d->series, NULL);
	notify_ready("running");
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
	sigaddset(ours, SIGUSR1);
	sigaddset(ours, SIGNAL_DRAIN);
	sigaddset(ours, SIGNAL_HANDED);
	/* Before the first thread, so that none gets them. */
	pthread_sigmask(SIG_BLOCK, ours, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file too big is an error of write() */
}

static uint32_t drain_ms(struct daemon *d)
{
	uint32_t ms;

	pthread_mutex_lock(&d->reload_lock);
	ms = d->site->drain_ms;
	pthread_mutex_unlock(&d->reload_lock);
	return ms;
}

/* --- upgrade ------------------------------------------------------------------------------- */

static void handed(void *owner)
{
	(void)owner;
	kill(getpid(), SIGNAL_HANDED);
}

static void heir_has_gone(void *owner)
{
	struct daemon *d = owner;

	d->heir_gone = true;
	log_error("upgrade: the other one has gone, this one goes on");
}

static struct handover_world handover_world(struct daemon *d)
{
	return (struct handover_world){ .audit = d->audit, .budgets = d->budgets,
					.crew = d->crew, .series = d->series, .owner = d,
					.handed = handed, .given_up = heir_has_gone,
					.saved = inherit_series };
}

/* The console's thread. Its answer has been given, so a refusal is an end without a word. */
static void hand_over(void *owner, int fd)
{
	struct daemon *d = owner;
	struct handover_world world = handover_world(d);
	bool refused;

	pthread_mutex_lock(&d->reload_lock);
	if (d->heir != NULL && d->heir_gone) {
		handover_end(d->heir);
		d->heir = NULL;
		d->heir_gone = false;
	}
	refused = d->heir != NULL || (d->parent != NULL && !handover_is_over(d->parent));
	if (!refused)
		d->heir = handover_give(&world, d->console, fd);
	pthread_mutex_unlock(&d->reload_lock);
	if (refused) {
		log_error("upgrade: refused, there is another under way");
		close(fd);
	} else {
		log_info("upgrade: handing over");
	}
}

/* Sessions go on as if nothing had happened; who is still there after Drain_Timeout is drained. */
static void begin_to_end(struct daemon *d)
{
	notify_stopping(2 * drain_ms(d)); /* as if nothing had happened, and then draining */
	log_info("upgrade: handed over, %llu sessions to finish",
		 (unsigned long long)crew_sessions(d->crew));
	d->handed_until_ms = clock_ms() + drain_ms(d);
	hand_series_on(d);
}

static bool should_drain(struct daemon *d)
{
	return d->handed_until_ms != 0 && !crew_is_draining(d->crew) &&
	       (crew_sessions(d->crew) == 0 || clock_ms() >= d->handed_until_ms);
}

/* --- serving ------------------------------------------------------------------------------- */

static void reopen_log(struct daemon *d)
{
	struct complaints complaints;

	complaints_init(&complaints);
	pthread_mutex_lock(&d->reload_lock);
	point_log(d->site, &complaints);
	pthread_mutex_unlock(&d->reload_lock);
	log_complaints(&complaints);
	complaints_free(&complaints);
}

/* The next signal; 0: none within the time that this turn has. */
static int next_signal(struct daemon *d, const sigset_t *ours)
{
	bool ending = crew_is_draining(d->crew) || d->handed_until_ms != 0;
	uint32_t ms = ending ? STOP_LOOK_MS : notify_watchdog_ms();
	const struct timespec soon = { ms / 1000, ms % 1000 * 1000000L };
	int sig = ms == 0 ? sigwaitinfo(ours, NULL) : sigtimedwait(ours, NULL, &soon);

	return sig > 0 ? sig : 0;
}

/* Until the crew is gone. The first stop drains, the second is at once (T7). */
static void serve(struct daemon *d, const sigset_t *ours)
{
	bool stopping = false;

	while (!crew_is_draining(d->crew) || !crew_is_empty(d->crew)) {
		int sig = next_signal(d, ours);

		if (notify_watchdog_ms() > 0 && crew_turns(d->crew))
			notify_alive();
		if (sig == SIGNAL_HANDED)
			begin_to_end(d);
		if (should_drain(d))
			crew_drain(d->crew, drain_ms(d));
		if (sig == SIGUSR1) {
			reopen_log(d);
		} else if (sig == SIGHUP && !crew_is_draining(d->crew)) {
			reload_by_signal(d);
		} else if (sig == SIGNAL_DRAIN && !crew_is_draining(d->crew)) {
			notify_stopping(UINT32_MAX);
			log_info("draining: no new connections, %llu sessions to finish",
				 (unsigned long long)crew_sessions(d->crew));
			crew_drain(d->crew, UINT32_MAX);
		} else if (sig == SIGTERM || sig == SIGINT) {
			notify_stopping(stopping ? 0 : drain_ms(d));
			log_info(stopping ? "stopping at once"
					  : "stopping: %llu sessions to finish",
				 (unsigned long long)crew_sessions(d->crew));
			crew_drain(d->crew, stopping ? 0 : drain_ms(d));
			stopping = true;
		}
	}
}

/* --- birth and death ----------------------------------------------------------------------- */

/* As many descriptors as we may have: a held client is one. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* -1: this one was not handed over. */
static int inherited_console(const struct inheritance *from, const struct endpoint *where)
{
	for (unsigned i = 0; i < from->console_count; i++)
		if (endpoint_equal(&from->consoles[i].where, where))
			return from->consoles[i].fd;
	return -1;
}

static struct console *open_console(struct daemon *d, const struct inheritance *from,
				    struct complaints *complaints)
{
	const struct site *site = d->site;
	struct console_door *doors = mem_array(site->control_count, sizeof *doors);
	struct console_world world = {
		.audit = d->audit, .crew = d->crew, .ledger = d->ledger, .series = d->series,
		.keeper = d->keeper, .version = VERSION, .started_wall_ms = clock_wall_ms(),
		.user = d->confinement.user, .landlock = d->confinement.landlock,
		.seccomp = d->confinement.seccomp,
		.owner = d, .hand_over = hand_over, .reload = reload, .drain = ask_drain,
		.stop = ask_stop, .file = file_of,
	};
	struct console *console;

	for (unsigned i = 0; i < site->control_count; i++) {
		doors[i] = site->controls[i];
		doors[i].fd = inherited_console(from, &doors[i].where);
		doors[i].inherited = doors[i].fd >= 0;
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

/* From the daemon that runs, if that is wanted and one does. false: complained. */
static bool inherit(struct daemon *d, struct inheritance *out, struct complaints *complaints)
{
	struct handover_world world = handover_world(d);
	unsigned errors = complaints->errors;

	if (!d->upgrade || d->site->control_count == 0)
		return true;
	d->parent = handover_ask(&world, &d->site->controls[0].where, out, complaints);
	if (d->parent != NULL)
		log_info("upgrade: %u sockets and %llu sessions of the old one", out->door_count,
			 (unsigned long long)handover_sessions(d->parent));
	crew_inherit(d->crew, out->doors, out->door_count);
	free(out->doors);
	return complaints->errors == errors;
}

/* Threads come last: what the process gives up, they inherit. */
static int open_all(struct daemon *d, struct complaints *complaints)
{
	struct inheritance from = { 0 };
	struct keeper_rules rules;

	if (!load_first(d, complaints))
		return EXIT_CONFIG;
	log_set_format(d->site->log_format);
	log_set_level(d->site->log_level);
	if (!confine(d->site, &d->confinement, complaints))
		return 1;
	site_use_monitors(d->site, d->series, NULL);
	log_open(STDERR_FILENO, "tidewaiter");
	d->jobs = d->policy_host.jobs = jobs_new(DISK_THREADS);
	d->crew = d->host.crew = crew_new(d->site->workers, d->jobs, d->series);
	rules = keeping(d->site);
	d->keeper = keeper_new(d->series, &rules);
	keeper_start(d->keeper);
	if (!inherit(d, &from, complaints))
		return 1;
	d->console = open_console(d, &from, complaints); /* it finds out whether another one runs */
	free(from.consoles);
	if (d->console == NULL || !point_log(d->site, complaints))
		return 1;
	if (d->parent == NULL) {
		keeper_inherit(d->keeper);
		keeper_wait(d->keeper);
	}
	if (!crew_install(d->crew, d->site->rules, complaints))
		return 1;
	if (d->parent != NULL)
		handover_taken(d->parent);
	return 0;
}

static void close_all(struct daemon *d)
{
	if (d->console != NULL)
		console_stop(d->console);
	if (d->heir != NULL && !d->heir_gone)
		wait_for_series(d);
	handover_end(d->heir); /* the workers' loops still turn */
	handover_end(d->parent);
	if (d->crew != NULL)
		crew_join(d->crew);
	keeper_stop(d->keeper); /* nobody adds to a series any more */
	if (d->jobs != NULL)
		jobs_free(d->jobs); /* its last news are heard when the workers' loops are freed */
	crew_free(d->crew);
	world_close(d);
}

int daemon_run(const char *file, bool upgrade)
{
	struct daemon d = { .file = mem_strdup(file), .upgrade = upgrade };
	struct complaints complaints;
	sigset_t ours;
	int code;

	signals_block(&ours);
	raise_descriptors();
	notify_open();
	complaints_init(&complaints);
	world_open(&d);
	code = open_all(&d, &complaints); /* 0, or the exit code, and complaints tell */
	log_complaints(&complaints);
	complaints_free(&complaints);
	if (code == 0) {
		say_open(d.site);
		notify_ready("running");
		serve(&d, &ours);
	}
	close_all(&d);
	log_info(code == 0 ? "stopped" : "not started");
	log_close();
	notify_close();
	free(d.file);
	return code;
}
