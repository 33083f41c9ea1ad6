// room: audit
/* Lines from another process: whatever they say, what was counted for it goes with it. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/elsewhere.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line, rest = { (const char *)data, size };
	struct audit *audit = audit_new();
	struct elsewhere *e = elsewhere_new(audit);
	uint64_t counted = 0;

	while (rest.len > 0) {
		uint64_t before = elsewhere_sessions(e);

		line = slice_cut(rest, '\n', &rest);
		if (elsewhere_hear(e, line) != NULL)
			assert(elsewhere_sessions(e) == before);
	}
	for (unsigned i = 0; audit_service_nth(audit, i) != NULL; i++) {
		struct audit_scope scope = { audit_service_find(audit, audit_service_nth(audit, i)),
					     NULL };

		counted += audit_total(scope);
	}
	assert(counted == elsewhere_sessions(e));
	elsewhere_free(e);
	audit_free(audit); /* checks that nobody is left */
	return 0;
}
