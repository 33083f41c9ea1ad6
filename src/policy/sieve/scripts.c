#include "policy/sieve/scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "policy/sieve/limits.h"

struct cached {
	char *key; /* the phase in front of the path: a script is checked for its phase */
	struct program *program;
	uint64_t read_ms;
	UT_hash_handle hh;
};

struct scripts {
	struct scripts_conf conf;
	struct symbols *symbols;
	pthread_mutex_t lock;
	struct cached *cache; /* the one not used for longest is first */
};

struct scripts *sieve_scripts_new(const struct scripts_conf *conf)
{
	struct scripts *scripts = mem_new(sizeof *scripts);

	scripts->conf = *conf;
	scripts->symbols = sieve_symbols_new();
	pthread_mutex_init(&scripts->lock, NULL);
	return scripts;
}

static void forget(struct scripts *scripts, struct cached *cached)
{
	HASH_DEL(scripts->cache, cached);
	sieve_program_unref(cached->program);
	free(cached->key);
	free(cached);
}

void sieve_scripts_free(struct scripts *scripts)
{
	while (scripts->cache != NULL)
		forget(scripts, scripts->cache);
	sieve_symbols_free(scripts->symbols);
	pthread_mutex_destroy(&scripts->lock);
	free(scripts);
}

struct symbols *sieve_scripts_symbols(struct scripts *scripts)
{
	return scripts->symbols;
}

/* A plain file of a bearable size. NULL, or what is wrong. Not waiting for the writer of a FIFO. */
static const char *read_source(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char chunk[8192];
	struct stat st;
	const char *wrong = NULL;
	ssize_t n = 0;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		wrong = "it is not a plain file";
	while (wrong == NULL && (n = read(fd, chunk, sizeof chunk)) > 0)
		if (!buf_add(out, chunk, (size_t)n))
			wrong = "it has more than 256 KiB";
	if (n < 0)
		wrong = strerror(errno);
	close(fd);
	return wrong;
}

struct program *sieve_scripts_read(struct scripts *scripts, const char *path, enum phase phase,
				   struct complaints *complaints)
{
	struct sieve_target target = scripts->conf.target;
	struct program *program = NULL;
	struct buf source;
	const char *wrong;

	target.phase = phase;
	buf_init(&source, SIEVE_SOURCE_MAX);
	wrong = read_source(path, &source);
	if (wrong != NULL)
		complain(complaints, (struct place){ .file = path }, "can't read this script: %s",
			 wrong);
	else
		program = sieve_program_new(path, buf_slice(&source), &target, scripts->symbols,
					    complaints);
	buf_free(&source);
	return program;
}

static char *key_of(const char *path, enum phase phase)
{
	return mem_printf("%s %s", phase_name(phase), path);
}

struct program *sieve_scripts_find(struct scripts *scripts, const char *path, enum phase phase,
				   bool stale_is_good)
{
	uint64_t now = clock_ms(), life_ms = scripts->conf.cache_life_s * UINT64_C(1000);
	struct program *program = NULL;
	char *key = key_of(path, phase);
	struct cached *cached;

	pthread_mutex_lock(&scripts->lock);
	HASH_FIND_STR(scripts->cache, key, cached);
	if (cached != NULL && (stale_is_good || now - cached->read_ms < life_ms)) {
		HASH_DEL(scripts->cache, cached); /* to the end of the queue */
		HASH_ADD_KEYPTR(hh, scripts->cache, cached->key, strlen(cached->key), cached);
		program = sieve_program_ref(cached->program);
	}
	pthread_mutex_unlock(&scripts->lock);
	free(key);
	return program;
}

static void remember(struct scripts *scripts, const char *path, enum phase phase,
		     struct program *program)
{
	struct cached *cached = mem_new(sizeof *cached), *old;

	cached->key = key_of(path, phase);
	cached->program = sieve_program_ref(program);
	cached->read_ms = clock_ms();
	pthread_mutex_lock(&scripts->lock);
	HASH_FIND_STR(scripts->cache, cached->key, old);
	if (old != NULL)
		forget(scripts, old);
	HASH_ADD_KEYPTR(hh, scripts->cache, cached->key, strlen(cached->key), cached);
	while (HASH_COUNT(scripts->cache) > scripts->conf.cache_size)
		forget(scripts, scripts->cache);
	pthread_mutex_unlock(&scripts->lock);
}

struct program *sieve_scripts_fetch(struct scripts *scripts, const char *path, enum phase phase,
				    struct complaints *complaints)
{
	struct program *program = sieve_scripts_find(scripts, path, phase, false);

	if (program != NULL)
		return program;
	program = sieve_scripts_read(scripts, path, phase, complaints);
	if (program != NULL)
		remember(scripts, path, phase, program);
	return program;
}

char *sieve_scripts_path(const struct program *from, struct slice path)
{
	const char *slash = strrchr(from->file, '/');
	int dir_len = slash != NULL ? (int)(slash - from->file) + 1 : 0;

	if (path.len == 0 || path.len >= PATH_MAX || slice_has(path, '\0'))
		return NULL;
	while (path.len > 2 && memcmp(path.at, "./", 2) == 0)
		path = (struct slice){ path.at + 2, path.len - 2 };
	if (path.at[0] == '/')
		dir_len = 0;
	if (dir_len + path.len >= PATH_MAX)
		return NULL;
	return mem_printf("%.*s%.*s", dir_len, from->file, SLICE_ARGS(path));
}
