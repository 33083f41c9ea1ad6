/*
 * volume_format - how a volume (volume.h) lies on the disk; for its writer and its reader alone.
 *
 *	header: 64 octets	magic 8, version 4, CRC-32 of what follows 4, octets of the file 8,
 *				directory: where 8, octets 8, CRC-32 4; saved at 8 (ms); zeros
 *	directory		type 1, flags 1, replicate 1, event + 1 1, monitor 4 4, max_bytes 8,
 *				name: octets 2, name; windows: how many 4, and each of them:
 *	  window		number 8, three sections, their blocks
 *	    section: 24 octets	sum 8, records 8, blocks 4, lengths of rests as bits 4
 *	    block: 36 octets	first key hi 8 lo 8, sum of those before 8, octets 4, CRC-32 4,
 *				records 2, first key's length 1, a zero
 *
 * Blocks follow the header without gaps, in the directory's order, and the directory follows them.
 * One of addresses holds all keys (4 octets, or 16), all lengths, and for each the sum of the block
 * up to it (8). One of texts holds octets 2, amount 8 and the text, of each.
 */
#ifndef ARCHIVE_VOLUME_FORMAT_H
#define ARCHIVE_VOLUME_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/addr.h"
#include "series/series.h"

/* Not a text, and not the same after a transfer as one. */
#define VOLUME_MAGIC "\211TWS\r\n\032\n"

enum {
	HEADER_OCTETS = 64,
	HEADER_CHECKED_FROM = 16,
	ABOUT_OCTETS = 22, /* then the name */
	SECTION_OCTETS = 24,
	BLOCK_ENTRY_OCTETS = 36,
	BLOCK_RECORDS = 256,
	TEXT_BLOCK_OCTETS = 16 << 10, /* full when it reaches this */
	TEXT_HEAD_OCTETS = 10,
	BLOCK_OCTETS_MAX = TEXT_BLOCK_OCTETS + TEXT_HEAD_OCTETS + SERIES_KEY_MAX,
	DIRECTORY_MAX = 64 << 20,
};

enum section_kind { SECTION_V4, SECTION_V6, SECTION_TEXT, SECTIONS };

enum { WINDOW_OCTETS = 8 + SECTIONS * SECTION_OCTETS };

enum volume_flag { FLAG_SERIALIZE = 1, FLAG_PERSIST = 2, FLAG_DEFINED = 4, FLAGS = 7 };

/* In the order of a walk: a rest before what is in its block. */
struct key {
	uint64_t hi, lo;
	uint8_t len;
};

static inline int key_compare(const struct key *a, const struct key *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->len - b->len;
}

static inline struct key key_of(const struct cidr *c)
{
	return (struct key){ c->addr.hi, c->addr.lo, c->len };
}

static inline struct cidr key_block(const struct key *k, enum section_kind s)
{
	uint8_t family = s == SECTION_V4 ? ADDR_V4 : ADDR_V6;

	return (struct cidr){ { k->hi, k->lo, family }, k->len };
}

static inline enum section_kind section_of(uint8_t family)
{
	return family == ADDR_V4 ? SECTION_V4 : SECTION_V6;
}

static inline unsigned section_bits(enum section_kind s)
{
	return s == SECTION_V4 ? 32 : 128;
}

static inline unsigned key_octets(enum section_kind s)
{
	return section_bits(s) / 8;
}

/* Of one record of addresses: key, length, sum. */
static inline unsigned record_octets(enum section_kind s)
{
	return key_octets(s) + 1 + 8;
}

enum { RECORD_OCTETS_MAX = 16 + 1 + 8 };

static inline uint32_t octets_crc(const void *at, size_t len)
{
	return (uint32_t)crc32_z(0, at, len);
}

static inline uint32_t header_crc(const unsigned char header[HEADER_OCTETS])
{
	return octets_crc(header + HEADER_CHECKED_FROM, HEADER_OCTETS - HEADER_CHECKED_FROM);
}

static inline uint16_t get16(const void *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof v);
	return le16toh(v);
}

static inline uint32_t get32(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return le32toh(v);
}

static inline uint64_t get64(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return le64toh(v);
}

static inline void put16(void *at, uint16_t v)
{
	v = htole16(v);
	memcpy(at, &v, sizeof v);
}

static inline void put32(void *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof v);
}

static inline void put64(void *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof v);
}

#endif
