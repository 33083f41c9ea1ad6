// room: archive
/* Any line as a question about journals. */
#include <stdint.h>
#include <stdlib.h>

#include "archive/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char wrong[QUERY_WRONG_MAX] = "";
	struct query q;
	bool fine = query_parse((struct slice){ (const char *)data, size }, &q, wrong);

	if (fine != (wrong[0] == '\0'))
		abort();
	if (fine && q.kind == QUERY_COUNT &&
	    (q.series_count == 0 || q.level_first < q.block.len || q.level_last < q.level_first ||
	     q.level_last > addr_bits(&q.block.addr) || q.to <= q.from))
		abort();
	return 0;
}
