#include "archive/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume_format.h"
#include "base/mem.h"

struct volume_writer {
	char *path, *temporary;
	FILE *out;
	uint64_t at; /* octets written */
	uint64_t saved_ms;
	struct buf directory;
	unsigned windows;
	size_t windows_at; /* where in the directory their number goes */
	uint64_t window;

	enum section_kind section;
	size_t section_at; /* its row in the directory */
	uint64_t sum, records;
	uint32_t blocks, rest_lengths;

	/* The block that grows: keys and sums so far of addresses, or texts as they will be. */
	struct key keys[BLOCK_RECORDS];
	uint64_t sums[BLOCK_RECORDS];
	struct buf texts;
	unsigned n;
	uint64_t before;

	char wrong[VOLUME_WHY_MAX];
};

static bool go_wrong(struct volume_writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool go_wrong(struct volume_writer *w, const char *format, ...)
{
	va_list args;
	int n;

	if (w->wrong[0] != '\0')
		return false;
	n = snprintf(w->wrong, sizeof w->wrong, "%.256s: ", w->path);
	va_start(args, format);
	vsnprintf(w->wrong + n, sizeof w->wrong - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool is_fine(const struct volume_writer *w)
{
	return w->wrong[0] == '\0';
}

static bool list(struct volume_writer *w, const void *octets, size_t len)
{
	if (!is_fine(w) || buf_add(&w->directory, octets, len))
		return is_fine(w);
	return go_wrong(w, "its directory would be larger than %u MiB", DIRECTORY_MAX >> 20);
}

static bool write_octets(struct volume_writer *w, const void *octets, size_t len)
{
	if (!is_fine(w))
		return false;
	if (fwrite(octets, 1, len, w->out) != len)
		return go_wrong(w, "%s", strerror(errno));
	w->at += len;
	return true;
}

static void write_header(struct volume_writer *w, uint64_t directory_at)
{
	unsigned char h[HEADER_OCTETS] = VOLUME_MAGIC;
	const unsigned char *directory = (const unsigned char *)w->directory.at;

	put32(h + 8, VOLUME_VERSION);
	put64(h + 16, w->at);
	put64(h + 24, directory_at);
	put64(h + 32, w->directory.len);
	put32(h + 40, octets_crc(directory, w->directory.len));
	put64(h + 44, w->saved_ms);
	put32(h + 12, header_crc(h));
	if (is_fine(w) && (fseek(w->out, 0, SEEK_SET) != 0 || fwrite(h, sizeof h, 1, w->out) != 1))
		go_wrong(w, "%s", strerror(errno));
}

static void list_about(struct volume_writer *w, const struct volume_about *about)
{
	const struct series_definition *d = &about->is;
	size_t name_len = strnlen(d->name, SERIES_NAME_MAX);
	unsigned char row[ABOUT_OCTETS] = { 0 };

	row[0] = (unsigned char)d->type;
	row[1] = (unsigned char)((d->serialize ? FLAG_SERIALIZE : 0) |
				 (d->persist ? FLAG_PERSIST : 0) |
				 (about->is_defined ? FLAG_DEFINED : 0));
	row[2] = (unsigned char)d->replicate;
	row[3] = (unsigned char)(about->event + 1);
	put32(row + 4, d->monitor.seconds);
	put32(row + 8, d->monitor.windows);
	put64(row + 12, d->max_bytes);
	put16(row + 20, (uint16_t)name_len);
	list(w, row, sizeof row);
	list(w, d->name, name_len);
	w->windows_at = w->directory.len;
	list(w, (unsigned char[4]){ 0 }, 4);
}

/*
 * Whoever writes the same file meanwhile, another process included, holds a lock on it; and a file
 * that was renamed while we waited to lock it is not the one any more.
 */
static FILE *open_alone(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat mine, there;
	FILE *out = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), error;

	if (fd < 0)
		return NULL;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 && fstat(fd, &mine) == 0 &&
	    stat(path, &there) == 0) {
		errno = EAGAIN;
		if (mine.st_ino == there.st_ino && mine.st_dev == there.st_dev &&
		    ftruncate(fd, 0) == 0)
			out = fdopen(fd, "w");
	}
	if (out != NULL)
		return out;
	error = errno;
	close(fd);
	errno = error;
	return NULL;
}

struct volume_writer *volume_create(const char *path, const struct volume_about *about,
				    char why[VOLUME_WHY_MAX])
{
	static const unsigned char nothing[HEADER_OCTETS];
	struct volume_writer *w = mem_new(sizeof *w);

	w->path = mem_strdup(path);
	w->temporary = mem_printf("%s.new", path);
	w->saved_ms = about->saved_ms;
	buf_init(&w->directory, DIRECTORY_MAX);
	buf_init(&w->texts, BLOCK_OCTETS_MAX);
	w->out = open_alone(w->temporary);
	if (w->out == NULL) {
		snprintf(why, VOLUME_WHY_MAX, "%.256s: %s", w->temporary,
			 errno == EAGAIN ? "somebody else is writing it" : strerror(errno));
		volume_abandon(w);
		return NULL;
	}
	list_about(w, about);
	write_octets(w, nothing, sizeof nothing);
	return w;
}

/* Sets the keys and sums of the block out; what stands for the texts is there already. */
static void lay_out(const struct volume_writer *w, unsigned char *at)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->section == SECTION_V4) {
			put32(at, (uint32_t)(w->keys[i].hi >> 32));
			at += 4;
		} else {
			put64(at, w->keys[i].hi);
			put64(at + 8, w->keys[i].lo);
			at += 16;
		}
	}
	for (unsigned i = 0; i < w->n; i++)
		*at++ = w->keys[i].len;
	for (unsigned i = 0; i < w->n; i++, at += 8)
		put64(at, w->sums[i]);
}

static void end_block(struct volume_writer *w)
{
	unsigned char laid[BLOCK_RECORDS * RECORD_OCTETS_MAX], entry[BLOCK_ENTRY_OCTETS] = { 0 };
	const unsigned char *block = laid;
	size_t len;

	if (w->n == 0)
		return;
	if (w->section == SECTION_TEXT) {
		block = (const unsigned char *)w->texts.at;
		len = w->texts.len;
	} else {
		lay_out(w, laid);
		len = w->n * record_octets(w->section);
		put64(entry, w->keys[0].hi);
		put64(entry + 8, w->keys[0].lo);
		entry[34] = w->keys[0].len;
	}
	put64(entry + 16, w->before);
	put32(entry + 24, (uint32_t)len);
	put32(entry + 28, octets_crc(block, len));
	put16(entry + 32, (uint16_t)w->n);
	list(w, entry, sizeof entry);
	write_octets(w, block, len);
	w->before = w->sum;
	w->blocks++;
	w->n = 0;
	buf_clear(&w->texts);
}

static void begin_section(struct volume_writer *w, enum section_kind s)
{
	w->section = s;
	w->sum = w->records = w->before = 0;
	w->blocks = w->rest_lengths = 0;
}

static void end_section(struct volume_writer *w)
{
	unsigned char *row;

	end_block(w);
	if (!is_fine(w))
		return;
	row = (unsigned char *)w->directory.at + w->section_at + w->section * SECTION_OCTETS;
	put64(row, w->sum);
	put64(row + 8, w->records);
	put32(row + 16, w->blocks);
	put32(row + 20, w->rest_lengths);
}

bool volume_begin_window(struct volume_writer *w, uint64_t number)
{
	unsigned char row[WINDOW_OCTETS] = { 0 };

	if (w->windows > 0) {
		end_section(w);
		if (number <= w->window)
			return go_wrong(w, "window %ju after %ju", (uintmax_t)number,
					(uintmax_t)w->window);
	}
	if (w->windows == VOLUME_WINDOWS_MAX)
		return go_wrong(w, "more than %d windows", VOLUME_WINDOWS_MAX);
	w->windows++;
	w->window = number;
	begin_section(w, SECTION_V4);
	put64(row, number);
	w->section_at = w->directory.len + 8;
	return list(w, row, sizeof row);
}

/* One more record of so much; false: it went wrong, or there is nothing to write. */
static bool begin_record(struct volume_writer *w, enum section_kind s, uint64_t amount)
{
	if (!is_fine(w))
		return false;
	if (w->windows == 0 || s < w->section)
		return go_wrong(w, "records are out of order");
	while (w->section < s) {
		end_section(w);
		begin_section(w, w->section + 1);
	}
	if (amount > AMOUNT_MAX - w->sum)
		return go_wrong(w, "a window holds too much");
	if (w->n == BLOCK_RECORDS || w->texts.len >= TEXT_BLOCK_OCTETS)
		end_block(w);
	w->sum += amount;
	w->records++;
	return is_fine(w);
}

bool volume_add(struct volume_writer *w, const struct tally_entry *entry)
{
	enum section_kind s = section_of(entry->block.addr.family);
	unsigned bits = section_bits(s);
	struct key key = key_of(&entry->block);
	bool is_first = w->n == 0 || s != w->section;

	if (entry->amount == 0)
		return is_fine(w);
	if (key.len > bits || (key.len < bits && key.len % 4 != 0) ||
	    (!is_first && key_compare(&w->keys[w->n - 1], &key) >= 0))
		return go_wrong(w, "records are out of order");
	if (!begin_record(w, s, entry->amount))
		return false;
	if (key.len < bits)
		w->rest_lengths |= 1u << key.len / 4;
	w->keys[w->n] = key;
	w->sums[w->n++] = w->sum - w->before;
	return true;
}

bool volume_add_text(struct volume_writer *w, struct slice key, uint64_t amount)
{
	unsigned char head[TEXT_HEAD_OCTETS];

	if (amount == 0)
		return is_fine(w);
	if (key.len > SERIES_KEY_MAX)
		return go_wrong(w, "a text of %zu octets", key.len);
	if (!begin_record(w, SECTION_TEXT, amount))
		return false;
	put16(head, (uint16_t)key.len);
	put64(head + 2, amount);
	if (!buf_add(&w->texts, head, sizeof head) || !buf_add_slice(&w->texts, key))
		return go_wrong(w, "a block is too large");
	w->n++;
	return true;
}

uint64_t volume_written(const struct volume_writer *w)
{
	return w->at;
}

/* The rename itself must last, too. */
static bool sync_directory(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return synced;
}

bool volume_commit(struct volume_writer *w, char why[VOLUME_WHY_MAX])
{
	uint64_t directory_at;
	bool done;

	if (w->windows > 0)
		end_section(w);
	if (is_fine(w))
		put32(w->directory.at + w->windows_at, w->windows);
	directory_at = w->at;
	write_octets(w, w->directory.at, w->directory.len);
	write_header(w, directory_at);
	if (is_fine(w) && (fflush(w->out) != 0 || fsync(fileno(w->out)) != 0 ||
			   rename(w->temporary, w->path) != 0))
		go_wrong(w, "%s", strerror(errno));
	done = is_fine(w);
	if (done) {
		w->temporary[0] = '\0';
		if (!sync_directory(w->path))
			done = go_wrong(w, "its directory: %s", strerror(errno));
	}
	snprintf(why, VOLUME_WHY_MAX, "%s", w->wrong);
	volume_abandon(w);
	return done;
}

void volume_abandon(struct volume_writer *w)
{
	if (w == NULL)
		return;
	if (w->out != NULL) {
		if (w->temporary[0] != '\0')
			unlink(w->temporary);
		fclose(w->out);
	}
	buf_free(&w->directory);
	buf_free(&w->texts);
	free(w->temporary);
	free(w->path);
	free(w);
}
