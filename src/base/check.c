#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *truth, const char *file, int line)
{
	fprintf(stderr, "panic: %s:%d: %s does not hold\n", file, line, truth);
	abort();
}
