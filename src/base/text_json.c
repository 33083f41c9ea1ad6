#include "base/text_json.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

json_t *text_json(struct slice text)
{
	json_t *value = json_stringn(text.len > 0 ? text.at : "", text.len);
	char *copy;

	if (value != NULL)
		return value;
	copy = mem_strndup(text.at, text.len);
	utf8_mend(copy, text.len);
	value = json_stringn(copy, text.len);
	free(copy);
	return value;
}
