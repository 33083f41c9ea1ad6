// room: smtp
/*
 * A message in one piece and in many: the same result. What was let through is the same again after
 * the writer and the reader. First octets: line limit, sizes of three pieces that take turns.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct data_reader r;
	struct buf kept;
	size_t used;
	bool ended;
};

static void keep_part(void *arg, struct slice part)
{
	CHECK(buf_add_slice(arg, part));
}

static struct result feed(struct slice in, const uint8_t sizes[3], uint32_t line_max)
{
	struct result got = { .ended = false };

	data_reader_init(&got.r, line_max);
	for (unsigned turn = 0; !got.ended && got.used < in.len; turn++) {
		size_t left = in.len - got.used, len = sizes ? 1u + sizes[turn % 3] % 32 : left,
		       used;
		struct slice piece = { in.at + got.used, len < left ? len : left };

		got.ended = data_read(&got.r, piece, keep_part, &got.kept, &used);
		CHECK(got.ended ? used <= piece.len : used == piece.len);
		got.used += used;
	}
	return got;
}

static void check_round_trip(struct slice message, const uint8_t sizes[3])
{
	struct buf wire = { 0 };
	struct data_writer w;
	struct result back;
	size_t half = message.len > 0 ? sizes[0] % message.len : 0;

	data_writer_init(&w);
	CHECK(data_write(&w, (struct slice){ message.at, half }, &wire));
	if (message.len > 0)
		CHECK(data_write(&w, (struct slice){ message.at + half, message.len - half },
				 &wire));
	CHECK(data_end(&w, &wire));
	back = feed(buf_slice(&wire), NULL, UINT32_MAX);
	CHECK(back.ended && back.used == wire.len && back.r.fault == DATA_FINE);
	CHECK(slice_equal(buf_slice(&back.kept), message));
	buf_free(&back.kept);
	buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, pieces;
	struct slice in;

	if (size < 4)
		return 0;
	in = (struct slice){ (const char *)data + 4, size - 4 };
	whole = feed(in, NULL, data[0]);
	pieces = feed(in, data + 1, data[0]);
	CHECK(whole.ended == pieces.ended && whole.used == pieces.used);
	CHECK(whole.r.fault == pieces.r.fault && whole.r.size == pieces.r.size);
	CHECK(whole.r.is_8bit == pieces.r.is_8bit && whole.r.received == pieces.r.received);
	CHECK(slice_equal(buf_slice(&whole.kept), buf_slice(&pieces.kept)));
	if (whole.ended && whole.r.fault == DATA_FINE)
		check_round_trip(buf_slice(&whole.kept), data + 1);
	buf_free(&whole.kept);
	buf_free(&pieces.kept);
	return 0;
}
