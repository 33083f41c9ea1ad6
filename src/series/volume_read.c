#include "series/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "series/volume_format.h"

struct section {
	uint64_t sum, records;
	uint32_t first, blocks; /* in the volume's list */
	uint32_t rest_lengths;
};

struct block {
	struct key first;
	uint64_t before, at;
	uint32_t octets, crc;
	uint16_t records;
};

enum { NO_BLOCK = UINT32_MAX };

struct volume {
	int fd;
	char *file;
	struct volume_about about;
	struct volume_window *windows;
	struct section (*sections)[SECTIONS]; /* of each window */
	unsigned window_count;
	struct block *blocks;
	uint32_t block_count;

	/* The block that was read last. */
	uint32_t loaded;
	struct key keys[BLOCK_RECORDS];
	uint64_t sums[BLOCK_RECORDS];
	unsigned char octets[BLOCK_OCTETS_MAX];

	char wrong[VOLUME_WHY_MAX];
};

static bool go_wrong(struct volume *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool go_wrong(struct volume *v, const char *format, ...)
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
static bool read_octets(struct volume *v, void *to, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(v->fd, (char *)to + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return go_wrong(v, "%s", strerror(errno));
		if (n == 0) {
			errno = EBADMSG;
			return go_wrong(v, "was cut short while it was read");
		}
		got += (size_t)n;
	}
	return true;
}

/* --- the directory ------------------------------------------------------------------------- */

/* What is left of it. Past the end there are zeros, and it is told once, by whoever asks. */
struct reader {
	const unsigned char *at;
	size_t left;
	bool is_short;
};

static const unsigned char *take(struct reader *r, size_t len)
{
	static const unsigned char nothing[64];
	const unsigned char *at = r->at;

	if (len > r->left) {
		r->is_short = true;
		return nothing;
	}
	r->at += len;
	r->left -= len;
	return at;
}

static bool read_about(struct reader *r, struct volume_about *about)
{
	const unsigned char *row = take(r, 22), *name;
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
	name = take(r, name_len);
	memcpy(d->name, name, name_len);
	return memchr(name, '\0', name_len) == NULL && row[0] <= SERIES_STRING &&
	       row[1] <= FLAGS && row[2] <= REPLICATE_MANAGER && row[3] <= EVENTS &&
	       d->monitor.seconds > 0 && d->monitor.seconds <= MONITOR_SECONDS_MAX &&
	       d->monitor.windows > 0 && d->monitor.windows <= MONITOR_WINDOWS_MAX;
}

static bool key_is_fine(const struct key *k, enum section_kind s)
{
	struct cidr block = key_block(k, s), cut = cidr_of(&block.addr, k->len);
	unsigned bits = section_bits(s);

	return k->len <= bits && (k->len == bits || k->len % 4 == 0) &&
	       (s != SECTION_V4 || (k->lo == 0 && (uint32_t)k->hi == 0)) && cidr_equal(&block, &cut);
}

/* One entry, the block before it in the same section or NULL; *end: where the one before ended. */
static bool read_entry(struct reader *r, enum section_kind s, struct block *b,
		       const struct block *last, uint64_t *end)
{
	const unsigned char *row = take(r, BLOCK_ENTRY_OCTETS);

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
		return b->octets >= b->records * (TEXT_HEAD_OCTETS + 1u);
	return b->octets == b->records * record_octets(s) && key_is_fine(&b->first, s) &&
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
	const unsigned char *row = take(r, 8 + SECTIONS * SECTION_OCTETS);
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
	v->window_count = get32(take(r, 4));
	if (v->window_count > VOLUME_WINDOWS_MAX ||
	    v->window_count > r->left / (8 + SECTIONS * SECTION_OCTETS))
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
		return go_wrong(v, "is no file of a series");
	if (got >= 12 && get32(h + 8) > VOLUME_VERSION)
		return go_wrong(v, "written by a newer version (%u; this one reads up to %u)",
				get32(h + 8), VOLUME_VERSION);
	if (got < HEADER_OCTETS)
		return go_wrong(v, "is cut short: %zu octets of its header's %u", got,
				HEADER_OCTETS);
	if (get32(h + 8) == 0 || get32(h + 12) != header_crc(h))
		return go_wrong(v, "is damaged: its header has a wrong checksum");
	if (size < get64(h + 16))
		return go_wrong(v, "is cut short: %ju of %ju octets", (uintmax_t)size,
				(uintmax_t)get64(h + 16));
	if (size > get64(h + 16))
		return go_wrong(v, "is damaged: %ju octets follow its end",
				(uintmax_t)(size - get64(h + 16)));
	if (get64(h + 24) < HEADER_OCTETS || get64(h + 24) > size ||
	    get64(h + 32) != size - get64(h + 24) || get64(h + 32) > DIRECTORY_MAX)
		return go_wrong(v, "is damaged: its header makes no sense");
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
		return go_wrong(v, "%s", strerror(errno));
	errno = EBADMSG;
	if (!S_ISREG(st.st_mode))
		return go_wrong(v, "is no file of a series");
	got = st.st_size < HEADER_OCTETS ? (size_t)st.st_size : HEADER_OCTETS;
	if (!read_octets(v, header, got, 0))
		return false;
	errno = EBADMSG;
	if (!check_header(v, header, got, (uint64_t)st.st_size))
		return false;
	r.left = get64(header + 32);
	v->about.saved_ms = get64(header + 44);
	r.at = directory = mem_array(r.left + 1, 1);
	fine = read_octets(v, directory, r.left, get64(header + 24));
	if (fine) {
		errno = EBADMSG;
		if (octets_crc(directory, r.left) != get32(header + 40))
			fine = go_wrong(v, "is damaged: its directory has a wrong checksum");
		else if (!read_directory(v, &r, get64(header + 24)))
			fine = go_wrong(v, "is damaged: its directory makes no sense");
	}
	free(directory);
	return fine;
}

struct volume *volume_open_at(int dir, const char *file, char why[VOLUME_WHY_MAX])
{
	struct volume *v = mem_new(sizeof *v);
	int error;

	v->file = mem_strdup(file);
	v->loaded = NO_BLOCK;
	v->fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (v->fd < 0)
		go_wrong(v, "%s", strerror(errno));
	else if (read_head(v))
		return v;
	error = errno;
	snprintf(why, VOLUME_WHY_MAX, "%s", v->wrong);
	volume_close(v);
	errno = error;
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

/* --- blocks -------------------------------------------------------------------------------- */

static uint64_t block_sum(const struct volume *v, const struct section *s, uint32_t i)
{
	const struct block *b = &v->blocks[s->first + i];

	return (i + 1 < s->blocks ? b[1].before : s->sum) - b->before;
}

static bool decode_addresses(struct volume *v, const struct section *s, enum section_kind kind,
			     uint32_t i)
{
	const struct block *b = &v->blocks[s->first + i];
	unsigned n = b->records, width = record_octets(kind) - 9;
	const unsigned char *key = v->octets, *len = key + n * width, *sum = len + n;

	for (unsigned r = 0; r < n; r++, key += width) {
		struct key *k = &v->keys[r];

		k->hi = kind == SECTION_V4 ? (uint64_t)get32(key) << 32 : get64(key);
		k->lo = kind == SECTION_V4 ? 0 : get64(key + 8);
		k->len = len[r];
		v->sums[r] = get64(sum + 8 * r);
		if (!key_is_fine(k, kind) ||
		    (k->len < section_bits(kind) && (s->rest_lengths >> k->len / 4 & 1) == 0) ||
		    v->sums[r] <= (r > 0 ? v->sums[r - 1] : 0) ||
		    (r > 0 && key_compare(k - 1, k) >= 0))
			return false;
	}
	return key_compare(&v->keys[0], &b->first) == 0 && v->sums[n - 1] == block_sum(v, s, i) &&
	       (i + 1 == s->blocks || key_compare(&v->keys[n - 1], &b[1].first) < 0);
}

static struct series_text read_text(struct reader *r)
{
	const unsigned char *head = take(r, TEXT_HEAD_OCTETS);
	struct slice key = { NULL, get16(head) };

	if (key.len > SERIES_KEY_MAX || key.len > r->left)
		r->is_short = true;
	else
		key.at = (const char *)take(r, key.len);
	return (struct series_text){ key, get64(head + 2) };
}

static bool check_texts(struct volume *v, const struct section *s, uint32_t i)
{
	const struct block *b = &v->blocks[s->first + i];
	struct reader r = { v->octets, b->octets, false };
	uint64_t left = block_sum(v, s, i);

	for (unsigned n = 0; n < b->records; n++) {
		struct series_text text = read_text(&r);

		if (r.is_short || text.key.len == 0 || text.amount == 0 || text.amount > left)
			return false;
		left -= text.amount;
	}
	return r.left == 0 && left == 0;
}

/* The ith block of a section, into keys and sums, or, of texts, into octets. */
static bool load(struct volume *v, const struct section *s, enum section_kind kind, uint32_t i)
{
	const struct block *b = &v->blocks[s->first + i];

	if (v->loaded == s->first + i)
		return true;
	v->loaded = NO_BLOCK;
	if (v->wrong[0] != '\0' || !read_octets(v, v->octets, b->octets, b->at))
		return false;
	if (octets_crc(v->octets, b->octets) != b->crc)
		return go_wrong(v, "is damaged: the block at octet %ju has a wrong checksum",
				(uintmax_t)b->at);
	if (!(kind == SECTION_TEXT ? check_texts(v, s, i) : decode_addresses(v, s, kind, i)))
		return go_wrong(v, "is damaged: the block at octet %ju makes no sense",
				(uintmax_t)b->at);
	v->loaded = s->first + i;
	return true;
}

bool volume_check(struct volume *v)
{
	for (unsigned n = 0; n < v->window_count; n++)
		for (unsigned kind = 0; kind < SECTIONS; kind++)
			for (uint32_t i = 0; i < v->sections[n][kind].blocks; i++)
				if (!load(v, &v->sections[n][kind], kind, i))
					return false;
	return v->wrong[0] == '\0';
}

/* --- sums ---------------------------------------------------------------------------------- */

/* How many of the section's blocks begin before the key. */
static uint32_t blocks_before(const struct volume *v, const struct section *s, const struct key *k)
{
	uint32_t low = 0, high = s->blocks;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (key_compare(&v->blocks[s->first + middle].first, k) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many records of the loaded block, of n, come before the key. */
static unsigned records_before(const struct volume *v, unsigned n, const struct key *k)
{
	unsigned low = 0, high = n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (key_compare(&v->keys[middle], k) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The sum of all records that come before the key. */
static bool sum_before(struct volume *v, const struct section *s, enum section_kind kind,
		       const struct key *k, uint64_t *out)
{
	uint32_t blocks = blocks_before(v, s, k);
	const struct block *b;
	unsigned n;

	*out = 0;
	if (blocks == 0)
		return true;
	b = &v->blocks[s->first + blocks - 1];
	if (!load(v, s, kind, blocks - 1))
		return false;
	n = records_before(v, b->records, k);
	*out = b->before + (n > 0 ? v->sums[n - 1] : 0);
	return true;
}

/* first included, last not. */
static bool sum_between(struct volume *v, const struct section *s, enum section_kind kind,
			const struct key *first, const struct key *last, uint64_t *out)
{
	uint64_t before, to;

	if (!sum_before(v, s, kind, first, &before) || !sum_before(v, s, kind, last, &to))
		return false;
	*out = to - before;
	return true;
}

static struct key last_key(const struct cidr *block)
{
	uint64_t hi = block->len < 64 ? UINT64_MAX >> block->len : 0;
	uint64_t lo = block->len <= 64 ? UINT64_MAX : block->len < 128 ? UINT64_MAX >> (block->len - 64) : 0;

	return (struct key){ block->addr.hi | hi, block->addr.lo | lo, UINT8_MAX };
}

bool volume_sum(struct volume *v, unsigned nth, const struct cidr *block, struct bounds *out)
{
	enum section_kind kind = section_of(block->addr.family);
	struct key first = key_of(block), last = last_key(block);
	const struct section *s;

	*out = (struct bounds){ 0, 0 };
	if (nth >= v->window_count)
		return true;
	s = &v->sections[nth][kind];
	if (!sum_between(v, s, kind, &first, &last, &out->low))
		return false;
	out->high = out->low;
	/* What the folds around it hold may be its, too. */
	for (unsigned len = 0; len < block->len && s->rest_lengths >> len / 4 != 0; len += 4) {
		struct cidr around = cidr_of(&block->addr, len);
		struct key rest = key_of(&around), next = { rest.hi, rest.lo, rest.len + 1 };
		uint64_t amount;

		if ((s->rest_lengths >> len / 4 & 1) == 0)
			continue;
		if (!sum_between(v, s, kind, &rest, &next, &amount))
			return false;
		out->high = amount_plus(out->high, amount);
	}
	return true;
}

/* --- walks --------------------------------------------------------------------------------- */

static void begin_walk(const struct volume *v, struct volume_walk *w)
{
	struct key first = { w->first.hi, w->first.lo, 0 };
	uint32_t blocks;

	w->begun = true;
	w->block = w->record = 0;
	w->section = SECTION_V4;
	if (w->first.family == ADDR_NONE || w->nth >= v->window_count)
		return;
	w->section = section_of(w->first.family);
	blocks = blocks_before(v, &v->sections[w->nth][w->section], &first);
	w->block = blocks > 0 ? blocks - 1 : 0;
}

static bool is_before(const struct volume_walk *w, const struct key *k)
{
	return w->first.family != ADDR_NONE &&
	       (k->hi < w->first.hi || (k->hi == w->first.hi && k->lo < w->first.lo));
}

static bool is_behind(const struct volume_walk *w, const struct key *k)
{
	return w->first.family != ADDR_NONE &&
	       (k->hi > w->last.hi || (k->hi == w->last.hi && k->lo > w->last.lo));
}

/* The next section, or, where a range was asked for, the end. */
static void leave_section(struct volume_walk *w)
{
	w->section = w->first.family == ADDR_NONE ? w->section + 1 : SECTION_TEXT;
	w->block = w->record = 0;
}

static struct cidr cut(const struct volume_walk *w, const struct key *k)
{
	struct cidr block = key_block(k, w->section);

	return w->level != 0 && k->len > w->level ? cidr_of(&block.addr, w->level) : block;
}

/* false: there is no room. */
static bool put(struct tally_entry out[TALLY_TURN], unsigned *n, const struct cidr *block,
		uint64_t amount)
{
	if (*n > 0 && cidr_equal(&out[*n - 1].block, block)) {
		out[*n - 1].amount += amount;
		return true;
	}
	if (*n == TALLY_TURN)
		return false;
	out[(*n)++] = (struct tally_entry){ *block, amount };
	return true;
}

/*
 * Does all of it fall into one block of the level? Then what the directory says is enough. A rest
 * that is shorter than the level could only come first, as it comes before all that is in it.
 */
static bool is_one(const struct volume *v, const struct volume_walk *w, const struct section *s)
{
	const struct block *b = &v->blocks[s->first + w->block];
	struct cidr here, next;

	if (w->level == 0 || w->record > 0 || w->block + 1 >= s->blocks || b->first.len < w->level)
		return false;
	here = cut(w, &b->first);
	next = key_block(&b[1].first, w->section);
	return cidr_contains(&here, &next.addr) && !is_before(w, &b->first) &&
	       !is_behind(w, &b[1].first);
}

/* The records of one block; false: there is no room for more, or it is damaged. */
static bool walk_block(struct volume *v, struct volume_walk *w, const struct section *s,
		       struct tally_entry out[TALLY_TURN], unsigned *n)
{
	const struct block *b = &v->blocks[s->first + w->block];

	if (!load(v, s, w->section, w->block))
		return false;
	for (; w->record < b->records; w->record++) {
		const struct key *k = &v->keys[w->record];
		uint64_t before = w->record > 0 ? v->sums[w->record - 1] : 0;
		struct cidr block = cut(w, k);

		if (!is_before(w, k) && !is_behind(w, k) &&
		    !put(out, n, &block, v->sums[w->record] - before))
			return false;
	}
	w->block++;
	w->record = 0;
	return true;
}

unsigned volume_next(struct volume *v, struct volume_walk *w, struct tally_entry out[TALLY_TURN])
{
	unsigned n = 0;

	if (!w->begun)
		begin_walk(v, w);
	while (w->nth < v->window_count && w->section < SECTION_TEXT) {
		const struct section *s = &v->sections[w->nth][w->section];
		const struct block *b = v->blocks + s->first + w->block;

		if (w->block >= s->blocks || is_behind(w, &b->first)) {
			leave_section(w);
		} else if (is_one(v, w, s)) {
			struct cidr block = cut(w, &b->first);

			if (!put(out, &n, &block, block_sum(v, s, w->block)))
				break;
			w->block++;
		} else if (!walk_block(v, w, s, out, &n)) {
			break;
		}
	}
	return v->wrong[0] == '\0' ? n : 0;
}

unsigned volume_next_text(struct volume *v, struct volume_walk *w,
			  struct series_text out[TALLY_TURN])
{
	const struct section *s;
	const struct block *b;
	struct reader r;
	unsigned n = 0;

	if (!w->begun)
		*w = (struct volume_walk){ .nth = w->nth, .section = SECTION_TEXT, .begun = true };
	if (w->nth >= v->window_count || w->block >= v->sections[w->nth][SECTION_TEXT].blocks)
		return 0;
	s = &v->sections[w->nth][SECTION_TEXT];
	if (!load(v, s, SECTION_TEXT, w->block))
		return 0;
	b = &v->blocks[s->first + w->block];
	r = (struct reader){ v->octets, b->octets, false };
	for (unsigned skip = 0; skip < w->record; skip++)
		read_text(&r);
	while (n < TALLY_TURN && w->record < b->records) {
		out[n++] = read_text(&r);
		w->record++;
	}
	if (w->record == b->records) {
		w->block++;
		w->record = 0;
	}
	return n;
}
