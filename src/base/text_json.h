/*
 * text_json - a text as a JSON value, whatever a peer made of it.
 */
#ifndef BASE_TEXT_JSON_H
#define BASE_TEXT_JSON_H

#include <jansson.h>

#include "base/buf.h"

/* What is no UTF-8 can't stand in JSON: it becomes '?'. The caller holds the reference. */
json_t *text_json(struct slice text);

#endif
