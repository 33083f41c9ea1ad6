// room: archive
/*
 * Any file as a volume: as it is, and with its checksums made right, as who means ill would. What
 * is accepted must add up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/volume.h"
#include "archive/volume_format.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_walk(struct volume *v, unsigned nth)
{
	const struct volume_window *window = volume_window(v, nth);
	uint64_t sums[TALLY_FAMILIES] = { 0 }, records = 0, texts = 0;
	struct volume_walk walk = { .nth = nth }, text_walk = walk;
	struct tally_entry turn[TALLY_TURN];
	struct series_text text[TALLY_TURN];
	unsigned n;

	while ((n = volume_next(v, &walk, turn)) > 0) {
		for (unsigned i = 0; i < n; i++, records++) {
			struct bounds sum;

			sums[turn[i].block.addr.family == ADDR_V6] += turn[i].amount;
			if (!volume_sum(v, nth, &turn[i].block, &sum) || sum.low < turn[i].amount)
				abort();
		}
	}
	while ((n = volume_next_text(v, &text_walk, text)) > 0)
		for (unsigned i = 0; i < n; i++, records++)
			texts += text[i].amount;
	if (sums[0] != window->sums[0] || sums[1] != window->sums[1] || texts != window->texts ||
	    records != window->records)
		abort();
}

static void try_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("volume", 0);
	char path[64], why[VOLUME_WHY_MAX];
	struct volume *v;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	v = volume_open(path, why);
	if (v != NULL && volume_check(v))
		for (unsigned i = 0; i < volume_windows(v); i++)
			check_walk(v, i);
	volume_close(v);
	close(fd);
}

/* The directory's windows one after the other, the blocks they tell of in the same order. */
static void mend_blocks(uint8_t *at, uint8_t *end, uint8_t *block, const uint8_t *blocks_end)
{
	if (end - at < 22 || end - at < 22 + get16(at + 20) + 4)
		return;
	at += 22 + get16(at + 20) + 4;
	while (end - at >= 8 + SECTIONS * SECTION_OCTETS) {
		uint64_t blocks = 0;

		for (unsigned s = 0; s < SECTIONS; s++)
			blocks += get32(at + 8 + s * SECTION_OCTETS + 16);
		at += 8 + SECTIONS * SECTION_OCTETS;
		for (; blocks > 0 && end - at >= BLOCK_ENTRY_OCTETS; blocks--) {
			uint32_t octets = get32(at + 24);

			if (octets > blocks_end - block)
				return;
			put32(at + 28, octets_crc(block, octets));
			block += octets;
			at += BLOCK_ENTRY_OCTETS;
		}
	}
}

static void mend(uint8_t *file, size_t size)
{
	uint64_t directory = get64(file + 24);

	memcpy(file, VOLUME_MAGIC, 8);
	put32(file + 8, VOLUME_VERSION);
	put64(file + 16, size);
	if (directory >= HEADER_OCTETS && directory <= size) {
		put64(file + 32, size - directory);
		mend_blocks(file + directory, file + size, file + HEADER_OCTETS, file + directory);
		put32(file + 40, octets_crc(file + directory, size - directory));
	}
	put32(file + 12, header_crc(file));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *mended;

	if (size > 1 << 20)
		return 0;
	try_file(data, size);
	if (size < HEADER_OCTETS)
		return 0;
	mended = mem_array(size, 1);
	memcpy(mended, data, size);
	mend(mended, size);
	try_file(mended, size);
	free(mended);
	return 0;
}
