// room: policy
/* %{...} with whatever a script, or a peer through one, puts between the braces. */
#include <stdint.h>
#include <stdlib.h>

#include "policy/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice out, text = { (const char *)data, size };
	struct facts_mail mail = { .from = SLICE("strong-bad@email.example.com"),
				   .rcpt = SLICE("a+b@c") };
	struct facts facts = { .peer = { 0x20010db8ull << 32, 0xcb01, ADDR_V6 }, .mail = &mail };
	struct policy_run run = { .facts = &facts };

	facts.helo = (struct slice){ text.at, size < 500 ? size : 500 };
	if (ctx_set(&facts.conn, SLICE("k"), text) != NULL)
		facts.can_relay = true;
	arena_init(&run.arena, POLICY_RUN_MEMORY);
	if (macro_expand(&run, text, &out) == NULL && out.len > POLICY_RUN_MEMORY + size)
		abort();
	arena_free(&run.arena);
	ctx_clear(&facts.conn);
	return 0;
}
