#include "policy/verdict.h"

#include <stdlib.h>

void verdict_clear(struct verdict *v)
{
	free(v->text);
	*v = (struct verdict){ 0 };
}
