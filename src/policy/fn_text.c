/* Strings taken apart and put together (behaviour 6.3). */
#include "policy/fn.h"

#include "base/ascii.h"

static enum fn_status full(struct fn_call *call)
{
	return fn_failed(call, "%s", value_no_memory);
}

/* Room for a text of that length, which becomes the result. */
static char *result_text(struct fn_call *call, size_t len)
{
	char *at = arena_take(&call->run->arena, len);

	call->result = VALUE_STR(((struct slice){ at, len }));
	return at;
}

static char *append(char *to, struct slice s)
{
	if (s.len > 0)
		memcpy(to, s.at, s.len);
	return to + s.len;
}

/* The part before the first delim; *text becomes what follows it. False: that was the last part. */
static bool next_part(struct slice *text, struct slice delim, struct slice *part)
{
	const char *found = NULL;

	if (delim.len > 0 && text->len > 0)
		found = memmem(text->at, text->len, delim.at, delim.len);
	*part = *text;
	if (found == NULL)
		return false;
	part->len = (size_t)(found - text->at);
	*text = (struct slice){ found + delim.len, text->len - part->len - delim.len };
	return true;
}

static uint32_t count_parts(struct slice text, struct slice delim)
{
	struct slice part;
	uint32_t n = 1;

	while (next_part(&text, delim, &part))
		n++;
	return n;
}

static enum fn_status split(struct fn_call *call)
{
	struct slice delim = call->args[0].string, text = call->args[1].string;
	uint32_t n = 0, count = count_parts(text, delim);
	struct value *list = arena_take(&call->run->arena, count * sizeof *list);

	if (list == NULL)
		return full(call);
	for (bool more = true; more; n++) { /* D87: empty ones are members too */
		struct slice part;

		more = next_part(&text, delim, &part);
		list[n] = VALUE_STR(part);
	}
	call->result = (struct value){ .type = VALUE_LIST, .count = count, .list = list };
	return FN_OK;
}

static enum fn_status join(struct fn_call *call)
{
	struct slice delim = call->args[0].string;
	const struct value *list = call->args[1].list;
	uint32_t count = call->args[1].count;
	struct slice *text = arena_take(&call->run->arena, count * sizeof *text);
	size_t len = 0;
	char *to;

	if (text == NULL)
		return full(call);
	for (uint32_t i = 0; i < count; i++) {
		const char *wrong = value_to_string(&call->run->arena, &list[i], &text[i]);

		if (wrong != NULL)
			return fn_failed(call, "%s", wrong);
		len += text[i].len + (i > 0 ? delim.len : 0);
	}
	to = result_text(call, len);
	if (to == NULL)
		return full(call);
	for (uint32_t i = 0; i < count; i++) {
		to = i > 0 ? append(to, delim) : to;
		to = append(to, text[i]);
	}
	return FN_OK;
}

static enum fn_status reverse_list(struct fn_call *call)
{
	const struct value *list = call->args[0].list;
	uint32_t count = call->args[0].count;
	struct value *reversed = arena_take(&call->run->arena, count * sizeof *reversed);

	if (reversed == NULL)
		return full(call);
	for (uint32_t i = 0; i < count; i++)
		reversed[i] = list[count - 1 - i];
	call->result = (struct value){ .type = VALUE_LIST, .count = count, .list = reversed };
	return FN_OK;
}

/* A list, or the characters of a text: bytes that continue a UTF-8 one stay behind its first. */
static enum fn_status reverse(struct fn_call *call)
{
	struct slice text;
	const char *wrong;
	char *to;

	if (call->args[0].type == VALUE_LIST)
		return reverse_list(call);
	wrong = value_to_string(&call->run->arena, &call->args[0], &text);
	if (wrong != NULL)
		return fn_failed(call, "%s", wrong);
	to = result_text(call, text.len);
	if (to == NULL)
		return full(call);
	while (text.len > 0) {
		size_t start = text.len - 1;

		while (start > 0 && text.len - start < 4 && (text.at[start] & 0xc0) == 0x80)
			start--;
		to = append(to, (struct slice){ text.at + start, text.len - start });
		text.len = start;
	}
	return FN_OK;
}

static enum fn_status reverse_delim(struct fn_call *call)
{
	struct slice delim = call->args[0].string, text = call->args[1].string;
	char *to = result_text(call, text.len);
	bool more = true;

	if (to == NULL)
		return full(call);
	for (to += text.len; more;) { /* written from the end */
		struct slice part;

		more = next_part(&text, delim, &part);
		append(to -= part.len, part);
		if (more)
			append(to -= delim.len, delim);
	}
	return FN_OK;
}

static enum fn_status tolower_ascii(struct fn_call *call)
{
	struct slice text = call->args[0].string;
	char *to = result_text(call, text.len);

	if (to == NULL)
		return full(call);
	for (size_t i = 0; i < text.len; i++)
		to[i] = ascii_lower(text.at[i]);
	return FN_OK;
}

#define VALUE (FN_SIEVE | FN_VALUE)

const struct policy_fn fn_text_rows[] = {
	{ "split", "ss", PHASES_ALL, VALUE, split, NULL },
	{ "ec_explode", "ss", PHASES_ALL, VALUE, split, NULL },
	{ "join", "sl", PHASES_ALL, VALUE, join, NULL },
	{ "reverse", "v", PHASES_ALL, VALUE, reverse, NULL },
	{ "reverse_delim", "ss", PHASES_ALL, VALUE, reverse_delim, NULL },
	{ "ec_tolower", "s", PHASES_ALL, VALUE, tolower_ascii, NULL },
	{ 0 },
};
