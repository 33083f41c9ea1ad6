// room: net
/* TLS_Protocols: what is taken leaves a version, and is taken again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_context *ctx;
	char *text = mem_strndup((const char *)data, size);

	if (ctx == NULL)
		ctx = tls_server_new();
	if (tls_set_protocols(ctx, text) == NULL)
		CHECK(tls_set_protocols(ctx, text) == NULL);
	free(text);
	return 0;
}
