// room: base
/* What is printed parses to the same; a block has no bits below its length and contains its
 * address. */
#include "base/addr.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	char printed[CIDR_TEXT_MAX];
	struct addr a, a2;
	struct cidr c, c2;

	if (addr_parse(text, &a) == NULL) {
		CHECK(addr_parse(slice_of(addr_print(&a, printed)), &a2) == NULL &&
		      addr_equal(&a, &a2));
		CHECK(cidr_parse(text, &c) == NULL && c.len == addr_bits(&a));
	}
	if (cidr_parse(text, &c) == NULL) {
		CHECK(cidr_contains(&c, &c.addr));
		CHECK(cidr_parse(slice_of(cidr_print(&c, printed)), &c2) == NULL &&
		      cidr_equal(&c, &c2));
	}
	return 0;
}
