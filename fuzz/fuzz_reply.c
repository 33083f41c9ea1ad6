// room: smtp
/* What a next hop answers, line by line; what we make of it is one good reply of that code. */
#include <stdint.h>

#include "base/check.h"
#include "smtp/reply.h"
#include "smtp/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As strict as a client may be: CRLF only at the ends of lines, one code, no controls. */
static void check_written(const struct reply *want)
{
	struct buf wire = { 0 };
	struct reply_reader r;
	struct reply got = { 0 };
	struct slice rest, line;
	enum reply_step step = REPLY_MORE;

	CHECK(reply_write(&wire, want->code, want->text, want->code % 2));
	reply_reader_init(&r);
	for (rest = buf_slice(&wire); rest.len > 0;) {
		CHECK(step == REPLY_MORE);
		line = slice_cut(rest, '\n', &rest);
		CHECK(line.len >= 5 && line.len < SMTP_REPLY_LINE_MAX &&
		      line.at[line.len - 1] == '\r');
		line.len--;
		for (size_t i = 0; i < line.len; i++)
			CHECK((unsigned char)line.at[i] >= ' ');
		step = reply_read(&r, line, &got);
	}
	CHECK(step == REPLY_DONE && got.code == want->code);
	reply_free(&got);
	reply_reader_free(&r);
	buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size };
	struct reply_reader r;
	struct reply got = { 0 };

	reply_reader_init(&r);
	while (rest.len > 0) {
		switch (reply_read(&r, slice_cut(rest, '\n', &rest), &got)) {
		case REPLY_DONE:
			check_written(&got);
			break;
		case REPLY_MORE:
		case REPLY_BAD:
			break;
		}
	}
	reply_free(&got);
	reply_reader_free(&r);
	return 0;
}
