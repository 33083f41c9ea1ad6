#include "archive/volume.h"

#include "archive/volume_parts.h"

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
	unsigned n = b->records, width = key_octets(kind);
	const unsigned char *key = v->octets, *len = key + n * width, *sum = len + n;

	for (unsigned r = 0; r < n; r++, key += width) {
		struct key *k = &v->keys[r];

		k->hi = kind == SECTION_V4 ? (uint64_t)get32(key) << 32 : get64(key);
		k->lo = kind == SECTION_V4 ? 0 : get64(key + 8);
		k->len = len[r];
		v->sums[r] = get64(sum + 8 * r);
		if (!volume_key_is_fine(k, kind) ||
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
	const unsigned char *head = reader_take(r, TEXT_HEAD_OCTETS);
	struct slice key = { NULL, get16(head) };

	if (key.len > SERIES_KEY_MAX || key.len > r->left)
		r->is_short = true;
	else
		key.at = (const char *)reader_take(r, key.len);
	return (struct series_text){ key, get64(head + 2) };
}

static bool check_texts(struct volume *v, const struct section *s, uint32_t i)
{
	const struct block *b = &v->blocks[s->first + i];
	struct reader r = { v->octets, b->octets, false };
	uint64_t left = block_sum(v, s, i);

	for (unsigned n = 0; n < b->records; n++) {
		struct series_text text = read_text(&r);

		if (r.is_short || text.amount == 0 || text.amount > left)
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
	if (v->wrong[0] != '\0' || !volume_read_octets(v, v->octets, b->octets, b->at))
		return false;
	if (octets_crc(v->octets, b->octets) != b->crc)
		return volume_go_wrong(v, "is damaged: the block at octet %ju has a wrong checksum",
				       (uintmax_t)b->at);
	if (!(kind == SECTION_TEXT ? check_texts(v, s, i) : decode_addresses(v, s, kind, i)))
		return volume_go_wrong(v, "is damaged: the block at octet %ju makes no sense",
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

bool volume_sum(struct volume *v, unsigned nth, const struct cidr *block, struct bounds *out)
{
	enum section_kind kind = section_of(block->addr.family);
	struct addr end = cidr_last(block);
	struct key first = key_of(block), last = { end.hi, end.lo, UINT8_MAX };
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
