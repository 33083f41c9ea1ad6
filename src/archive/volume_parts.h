/*
 * volume_parts - what the two halves of the reader share: volume_open.c reads the directory,
 * volume_read.c the blocks.
 */
#ifndef ARCHIVE_VOLUME_PARTS_H
#define ARCHIVE_VOLUME_PARTS_H

#include "archive/volume.h"
#include "archive/volume_format.h"

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

#define NO_BLOCK UINT32_MAX

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

/* Always false, for the caller to return. What went wrong first is what stays. */
bool volume_go_wrong(struct volume *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool volume_read_octets(struct volume *v, void *to, size_t len, uint64_t at);
/* Is it a block of an address, or of a rest, and none of another family? */
bool volume_key_is_fine(const struct key *k, enum section_kind s);

/* Octets that are taken one row after the other. Past the end there are zeros, and is_short, which
 * whoever takes looks at once. */
struct reader {
	const unsigned char *at;
	size_t left;
	bool is_short;
};

static inline const unsigned char *reader_take(struct reader *r, size_t len)
{
	static const unsigned char nothing[WINDOW_OCTETS];
	const unsigned char *at = r->at;

	if (len > r->left) {
		r->is_short = true;
		return nothing;
	}
	r->at += len;
	r->left -= len;
	return at;
}

#endif
