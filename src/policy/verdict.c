#include "policy/verdict.h"

#include <stdlib.h>

void verdict_clear(struct verdict *v)
{
	free(v->text);
	*v = (struct verdict){ 0 };
}

const char *verdict_code_fault(int64_t code)
{
	return (code >= 200 && code <= 299) || (code >= 400 && code <= 599)
		       ? NULL
		       : "a reply code is 200 to 299 or 400 to 599";
}
