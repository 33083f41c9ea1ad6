#include "app/conf_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "guard/fence.h"

/* dir "" is where we are. */
static char *join(struct conf *conf, struct slice dir, struct slice below)
{
	char *path = conf_take(conf, dir.len + below.len + 2);

	memcpy(path, dir.at, dir.len);
	if (dir.len > 0 && dir.at[dir.len - 1] != '/')
		path[dir.len++] = '/';
	memcpy(path + dir.len, below.at, below.len);
	return path;
}

static struct slice dir_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (slash == NULL)
		return SLICE("");
	return (struct slice){ name, slash == name ? 1 : (size_t)(slash - name) };
}

struct conf_file *conf_file_new(struct conf *conf, struct conf_file *includer, struct place at,
				const char *name)
{
	struct conf_file *file = conf_take(conf, sizeof *file);

	file->name = conf_copy(conf, slice_of(name));
	file->includer = includer;
	file->included_at = at;
	file->older = conf->files;
	conf->files = file;
	conf->file_count++;
	return file;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* alphasort would go by the locale. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static struct conf_file *list_directory(struct conf *conf, struct conf_file *includer,
					struct place at, const char *path,
					struct complaints *complaints)
{
	struct conf_file *first = NULL, **tail = &first;
	struct dirent **entries;
	struct stat st;
	const char *name;
	int count = scandir(path, &entries, is_visible, by_octets);

	if (count < 0 && errno == EACCES && !fence_has(path, FENCE_READ)) {
		complain(complaints, at, "needs a restart: %s", path);
		return NULL;
	}
	if (count < 0) {
		complain(complaints, at, "cannot read the directory %s: %s", path, strerror(errno));
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		name = join(conf, slice_of(path), slice_of(entries[i]->d_name));
		free(entries[i]);
		if (stat(name, &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		*tail = conf_file_new(conf, includer, at, name);
		tail = &(*tail)->sibling;
	}
	free(entries);
	return first;
}

struct conf_file *conf_file_list(struct conf *conf, struct conf_file *includer, struct place at,
				 const char *path, struct complaints *complaints)
{
	struct slice dir = path[0] == '/' ? SLICE("") : dir_of(includer->name);
	struct stat st;

	path = join(conf, dir, slice_of(path));
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return list_directory(conf, includer, at, path, complaints);
	return conf_file_new(conf, includer, at, path);
}

/* NULL, or why the file must not be read here. */
static const char *find_fault(const struct conf *conf, struct conf_file *file,
			      const struct stat *st)
{
	unsigned depth = 0;

	if (!S_ISREG(st->st_mode))
		return "it is not a file";
	file->device = st->st_dev;
	file->inode = st->st_ino;
	for (const struct conf_file *f = file->includer; f != NULL; f = f->includer, depth++)
		if (f->device == file->device && f->inode == file->inode)
			return "it includes itself";
	if (depth > CONF_INCLUDES_MAX)
		return "too many files including files";
	if (conf->file_count > CONF_FILES_MAX)
		return "too many files";
	if (st->st_size > CONF_BYTES_MAX || conf->bytes > CONF_BYTES_MAX - (size_t)st->st_size)
		return "the configuration is too large";
	return NULL;
}

static bool read_all(int fd, size_t size, struct slice *out)
{
	char *text = mem_array(size, 1);
	size_t have = 0;
	ssize_t got = 1;

	while (have < size && (got = read(fd, text + have, size - have)) > 0)
		have += (size_t)got;
	if (got < 0) {
		free(text);
		return false;
	}
	*out = (struct slice){ text, have };
	return true;
}

bool conf_file_read(struct conf *conf, struct conf_file *file, struct complaints *complaints,
		    struct slice *text_out)
{
	struct stat st;
	const char *fault = NULL;
	int fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool fine = fd >= 0 && fstat(fd, &st) == 0 &&
		    (fault = find_fault(conf, file, &st)) == NULL &&
		    read_all(fd, (size_t)st.st_size, text_out);

	if (fd < 0 && errno == EACCES && !fence_has(file->name, FENCE_READ))
		complain(complaints, file->included_at, "needs a restart: %s", file->name);
	else if (!fine)
		complain(complaints, file->included_at, "cannot read %s: %s", file->name,
			 fault ? fault : strerror(errno));
	else
		conf->bytes += text_out->len;
	if (fd >= 0)
		close(fd);
	return fine;
}

static struct conf_file *file_at(const struct conf *conf, struct place at)
{
	struct conf_file *file = conf->files;

	while (file != NULL && file->name != at.file)
		file = file->older;
	return file;
}

const char *conf_path(struct conf *conf, struct place at, const char *path)
{
	struct conf_file *file = file_at(conf, at);
	struct slice dir;
	char real[PATH_MAX];

	if (path[0] == '/')
		return conf_copy(conf, slice_of(path));
	if (file == NULL)
		return NULL;
	if (file->dir == NULL) {
		dir = dir_of(file->name);
		if (realpath(dir.len > 0 ? conf_copy(conf, dir) : ".", real) == NULL)
			return NULL;
		file->dir = conf_copy(conf, slice_of(real));
	}
	/* The directory has no links in it, so going up from it is a matter of text. */
	dir = slice_of(file->dir);
	for (; path[0] == '.'; path += strspn(path, "/")) {
		if (path[1] == '/' || path[1] == '\0')
			path += 1;
		else if (path[1] == '.' && (path[2] == '/' || path[2] == '\0')) {
			while (dir.len > 1 && dir.at[--dir.len] != '/')
				;
			path += 2;
		} else
			break;
	}
	return join(conf, dir.len > 0 ? dir : SLICE("/"), slice_of(path));
}
