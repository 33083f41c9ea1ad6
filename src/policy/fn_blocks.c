#include "policy/fn_blocks.h"

const char blocks_no_peer[] = "there is no current peer, and no address was given";
const char blocks_no_mask[] = "a mask is /0 to /128";

void blocks_one(struct blocks *out, struct cidr block)
{
	out->block[0] = block;
	out->count = 1;
}

const char *blocks_implied(const struct policy_run *run, unsigned len, struct blocks *out)
{
	static const struct addr v4 = { .family = ADDR_V4 }, v6 = { .family = ADDR_V6 };
	const struct policy_conf *conf = policy_set_conf(run->set);
	const struct addr *peer = &run->facts->peer;
	bool mapped = false;

	if (peer->family == ADDR_NONE)
		return blocks_no_peer;
	for (unsigned i = 0; peer->family == ADDR_V6 && i < conf->mask_map_count && !mapped; i++) {
		mapped = conf->mask_map[i].from == len;
		if (mapped)
			len = conf->mask_map[i].to;
	}
	if (len == 0) {
		*out = (struct blocks){ { cidr_of(&v4, 0), cidr_of(&v6, 0) }, 2 };
		return NULL;
	}
	if (len == BLOCKS_MASK_IMPLIED && !mapped)
		len = addr_bits(peer);
	blocks_one(out, cidr_of(peer, len)); /* which cuts what is too long for IPv4 */
	return NULL;
}

/* The digits of one. */
static const char *mask_parse(struct slice digits, unsigned *len_out)
{
	uint64_t len;

	if (digits.len > 3 || !slice_number(digits, BLOCKS_MASK_MAX, &len))
		return blocks_no_mask;
	*len_out = (unsigned)len;
	return NULL;
}

static bool has_slash(struct slice text)
{
	return text.len > 0 && text.at[0] == '/';
}

static struct slice behind_slash(struct slice text)
{
	return (struct slice){ text.at + 1, text.len - 1 };
}

const char *blocks_mask(struct slice text, unsigned *len_out)
{
	text = slice_trim(text);
	return mask_parse(has_slash(text) ? behind_slash(text) : text, len_out);
}

static const char *blocks_of(const struct policy_run *run, const struct value *arg,
			     struct blocks *out)
{
	struct slice text;
	struct cidr block;
	const char *wrong;
	unsigned len;

	if (arg->type == VALUE_NONE)
		return blocks_implied(run, BLOCKS_MASK_IMPLIED, out);
	text = slice_trim(arg->string);
	if (has_slash(text)) {
		wrong = mask_parse(behind_slash(text), &len);
		return wrong == NULL ? blocks_implied(run, len, out) : wrong;
	}
	wrong = cidr_parse(text, &block);
	if (wrong == NULL)
		blocks_one(out, block);
	return wrong;
}

enum fn_status blocks_read(struct fn_call *call, const struct value *arg, struct blocks *out)
{
	const char *wrong = blocks_of(call->run, arg, out);

	if (wrong == NULL)
		return FN_OK;
	return arg->type == VALUE_STRING
		       ? fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(arg->string), wrong)
		       : fn_failed(call, "%s", wrong);
}
