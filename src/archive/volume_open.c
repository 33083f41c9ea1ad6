#include "archive/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume_parts.h"
#include "base/mem.h"

bool volume_go_wrong(struct volume *v, const char *format, ...)
{
	va_list args;
	int n;

	if (v->wrong[0] != '\0')
		return false;
	n = snprintf(v->wrong, sizeof v->wrong, "%.256s: ", v->file);
	va_start(args, format);
	vsnprintf(v->wrong + n, sizeof v->wrong - (size_t)n, format, args);
	va_end(args);
	return false;
}

const char *volume_wrong(const struct volume *v)
{
	return v->wrong[0] != '\0' ? v->wrong : NULL;
}

/* pread, not mmap: a file that shrinks while we look is an error then, and no SIGBUS. */
bool volume_read_octets(struct volume *v, void *to, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(v->fd, (char *)to + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return volume_go_wrong(v, "%s", strerror(errno));
		if (n == 0)
			return volume_go_wrong(v, "was cut short while it was read");
		got += (size_t)n;
	}
	return true;
}

static bool read_about(struct reader *r, struct volume_about *about)
{
	const unsigned char *row = reader_take(r, ABOUT_OCTETS), *name;
	struct series_definition *d = &about->is;
	size_t name_len = get16(row + 20);

	d->type = row[0];
	d->serialize = row[1] & FLAG_SERIALIZE;
	d->persist = row[1] & FLAG_PERSIST;
	about->is_defined = row[1] & FLAG_DEFINED;
	d->replicate = row[2];
	about->event = row[3] - 1;
	d->monitor = (struct monitor){ get32(row + 4), get32(row + 8) };
	d->max_bytes = get64(row + 12);
	if (name_len > SERIES_NAME_MAX || name_len > r->left)
		return false;
	name = reader_take(r, name_len);
	memcpy(d->name, name, name_len);
	return memchr(name, '\0', name_len) == NULL && row[0] <= SERIES_STRING &&
	       row[1] <= FLAGS && row[2] <= REPLICATE_MANAGER && row[3] <= EVENTS &&
	       d->monitor.seconds > 0 && d->monitor.seconds <= MONITOR_SECONDS_MAX &&
	       d->monitor.windows > 0 && d->monitor.windows <= MONITOR_WINDOWS_MAX;
}

bool volume_key_is_fine(const struct key *k, enum section_kind s)
{
	struct cidr block = key_block(k, s), cut = cidr_of(&block.addr, k->len);
	unsigned bits = section_bits(s);

	return k->len <= bits && (k->len == bits || k->len % 4 == 0) &&
	       (s != SECTION_V4 || (k->lo == 0 && (uint32_t)k->hi == 0)) &&
	       cidr_equal(&block, &cut);
}

/* One entry, the block before it in the same section or NULL; *end: where the one before ended. */
static bool read_entry(struct reader *r, enum section_kind s, struct block *b,
		       const struct block *last, uint64_t *end)
{
	const unsigned char *row = reader_take(r, BLOCK_ENTRY_OCTETS);

	*b = (struct block){
		.first = { get64(row), get64(row + 8), row[34] },
		.before = get64(row + 16),
		.at = *end,
		.octets = get32(row + 24),
		.crc = get32(row + 28),
		.records = get16(row + 32),
	};
	*end += b->octets;
	if (b->records == 0 || b->records > BLOCK_RECORDS || b->octets > BLOCK_OCTETS_MAX ||
	    (last == NULL ? b->before != 0 : b->before <= last->before))
		return false;
	if (s == SECTION_TEXT)
		return b->octets >= b->records * (unsigned)TEXT_HEAD_OCTETS;
	return b->octets == b->records * record_octets(s) && volume_key_is_fine(&b->first, s) &&
	       (last == NULL || key_compare(&last->first, &b->first) < 0);
}

static bool read_section(struct volume *v, struct reader *r, enum section_kind s,
			 const struct section *section, uint64_t *end)
{
	uint64_t records = 0;

	for (uint32_t i = 0; i < section->blocks; i++) {
		struct block *b = &v->blocks[section->first + i];

		if (!read_entry(r, s, b, i > 0 ? b - 1 : NULL, end))
			return false;
		records += b->records;
		if (b->before >= section->sum)
			return false;
	}
	return records == section->records && (section->blocks > 0 || section->sum == 0);
}

static bool read_window(struct volume *v, struct reader *r, unsigned nth, uint64_t *end)
{
	const unsigned char *row = reader_take(r, WINDOW_OCTETS);
	struct section *sections = v->sections[nth];
	struct volume_window *window = &v->windows[nth];
	bool is_text = v->about.is.type == SERIES_STRING;
	uint64_t blocks = 0;

	*window = (struct volume_window){ .number = get64(row) };
	for (unsigned s = 0; s < SECTIONS; s++) {
		const unsigned char *at = row + 8 + s * SECTION_OCTETS;

		sections[s] = (struct section){
			get64(at), get64(at + 8), v->block_count + (uint32_t)blocks,
			get32(at + 16), get32(at + 20),
		};
		blocks += sections[s].blocks;
		window->records += sections[s].records;
		if (sections[s].sum > AMOUNT_MAX ||
		    (sections[s].blocks > 0 && (s == SECTION_TEXT) != is_text))
			return false;
	}
	window->sums[0] = sections[SECTION_V4].sum;
	window->sums[1] = sections[SECTION_V6].sum;
	window->texts = sections[SECTION_TEXT].sum;
	if (r->is_short || blocks > r->left / BLOCK_ENTRY_OCTETS ||
	    (nth > 0 && window->number <= v->windows[nth - 1].number))
		return false;
	if (blocks > 0)
		v->blocks = mem_resize(v->blocks, v->block_count + blocks, sizeof *v->blocks);
	v->block_count += (uint32_t)blocks;
	for (unsigned s = 0; s < SECTIONS; s++)
		if (!read_section(v, r, s, &sections[s], end))
			return false;
	return true;
}

static bool read_directory(struct volume *v, struct reader *r, uint64_t directory_at)
{
	uint64_t end = HEADER_OCTETS;

	if (!read_about(r, &v->about))
		return false;
	v->window_count = get32(reader_take(r, 4));
	if (v->window_count > VOLUME_WINDOWS_MAX ||
	    v->window_count > r->left / WINDOW_OCTETS)
		return false;
	v->windows = mem_array(v->window_count + 1, sizeof *v->windows);
	v->sections = mem_array(v->window_count + 1, sizeof *v->sections);
	for (unsigned i = 0; i < v->window_count; i++)
		if (!read_window(v, r, i, &end))
			return false;
	return !r->is_short && r->left == 0 && end == directory_at;
}

static bool check_header(struct volume *v, const unsigned char *h, size_t got, uint64_t size)
{
	static const unsigned char magic[8] = VOLUME_MAGIC;

	if (memcmp(h, magic, got < 8 ? got : 8) != 0 || got == 0)
		return volume_go_wrong(v, "is no file of a series");
	if (got >= 12 && get32(h + 8) > VOLUME_VERSION)
		return volume_go_wrong(v, "written by a newer version (%u; this one reads up to "
				       "%u)", get32(h + 8), VOLUME_VERSION);
	if (got < HEADER_OCTETS)
		return volume_go_wrong(v, "is cut short: %zu octets of its header's %u", got,
				       HEADER_OCTETS);
	if (get32(h + 8) == 0 || get32(h + 12) != header_crc(h))
		return volume_go_wrong(v, "is damaged: its header has a wrong checksum");
	if (size < get64(h + 16))
		return volume_go_wrong(v, "is cut short: %ju of %ju octets", (uintmax_t)size,
				       (uintmax_t)get64(h + 16));
	if (size > get64(h + 16))
		return volume_go_wrong(v, "is damaged: %ju octets follow its end",
				       (uintmax_t)(size - get64(h + 16)));
	if (get64(h + 24) < HEADER_OCTETS || get64(h + 24) > size ||
	    get64(h + 32) != size - get64(h + 24) || get64(h + 32) > DIRECTORY_MAX)
		return volume_go_wrong(v, "is damaged: its header makes no sense");
	return true;
}

static bool read_head(struct volume *v)
{
	unsigned char header[HEADER_OCTETS] = { 0 }, *directory;
	struct reader r = { 0 };
	struct stat st;
	size_t got;
	bool fine;

	if (fstat(v->fd, &st) != 0)
		return volume_go_wrong(v, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return volume_go_wrong(v, "is no file of a series");
	got = st.st_size < HEADER_OCTETS ? (size_t)st.st_size : HEADER_OCTETS;
	if (!volume_read_octets(v, header, got, 0) ||
	    !check_header(v, header, got, (uint64_t)st.st_size))
		return false;
	r.left = get64(header + 32);
	v->about.saved_ms = get64(header + 44);
	r.at = directory = mem_array(r.left + 1, 1);
	fine = volume_read_octets(v, directory, r.left, get64(header + 24));
	if (fine && octets_crc(directory, r.left) != get32(header + 40))
		fine = volume_go_wrong(v, "is damaged: its directory has a wrong checksum");
	if (fine && !read_directory(v, &r, get64(header + 24)))
		fine = volume_go_wrong(v, "is damaged: its directory makes no sense");
	free(directory);
	return fine;
}

struct volume *volume_open_at(int dir, const char *file, char why[VOLUME_WHY_MAX])
{
	struct volume *v = mem_new(sizeof *v);

	v->file = mem_strdup(file);
	v->loaded = NO_BLOCK;
	v->fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (v->fd < 0)
		volume_go_wrong(v, "%s", strerror(errno));
	else if (read_head(v))
		return v;
	snprintf(why, VOLUME_WHY_MAX, "%s", v->wrong);
	volume_close(v);
	return NULL;
}

struct volume *volume_open(const char *path, char why[VOLUME_WHY_MAX])
{
	return volume_open_at(AT_FDCWD, path, why);
}

void volume_close(struct volume *v)
{
	if (v == NULL)
		return;
	if (v->fd >= 0)
		close(v->fd);
	free(v->blocks);
	free(v->sections);
	free(v->windows);
	free(v->file);
	free(v);
}

const struct volume_about *volume_about(const struct volume *v)
{
	return &v->about;
}

unsigned volume_windows(const struct volume *v)
{
	return v->window_count;
}

const struct volume_window *volume_window(const struct volume *v, unsigned nth)
{
	return nth < v->window_count ? &v->windows[nth] : NULL;
}
