// room: app
/* Any text as a configuration: read, held against the table, and let go. */
#include <stdint.h>

#include "app/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaints complaints;
	struct conf *conf;

	complaints_init(&complaints);
	/* Where no include finds a file. */
	conf = conf_parse("/dev/fuzz.conf", (struct slice){ (const char *)data, size },
			  &complaints);
	options_check(conf, &complaints);
	options_forget(conf);
	conf_free(conf);
	complaints_free(&complaints);
	return 0;
}
