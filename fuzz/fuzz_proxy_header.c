// room: net
/* Any octets as a PROXY header: no prefix of a whole one is judged, and what is read is written and
 * read again the same. */
#include <stdint.h>

#include "base/check.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct proxy_header *h)
{
	char bytes[PROXY_WRITTEN_MAX];
	struct slice written = { bytes, proxy_header_write(h, bytes) };
	struct proxy_header again;
	const char *why;

	CHECK(proxy_header_read(written, &again, &why) == PROXY_DONE && again.len == written.len);
	CHECK(again.is_own == h->is_own && addr_equal(&again.from, &h->from) &&
	      addr_equal(&again.to, &h->to));
	CHECK(again.from_port == h->from_port && again.to_port == h->to_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *why = NULL;
	struct proxy_header h, part;
	enum proxy_step step = proxy_header_read((struct slice){ text, size }, &h, &why);

	if (step == PROXY_BAD)
		CHECK(why != NULL);
	if (step != PROXY_DONE)
		return 0;
	CHECK(h.len <= size && h.len <= PROXY_HEADER_MAX);
	for (size_t len = 0; len < h.len; len++)
		CHECK(proxy_header_read((struct slice){ text, len }, &part, &why) == PROXY_MORE);
	check_again(&h);
	return 0;
}
