#include "policy/fn_options.h"

#include <inttypes.h>

static enum fn_status hash_read(struct fn_call *call, struct value_hash *hash, struct options *o)
{
	const struct value *v;
	struct slice name;
	unsigned opt;

	for (uint32_t n = 0; (v = value_hash_nth(hash, n, &name)) != NULL; n++) {
		for (opt = 0; opt < OPTS; opt++)
			if (o->form->names[opt] != NULL &&
			    slice_equal(name, slice_of(o->form->names[opt])))
				break;
		if (opt == OPTS) /* D53 */
			return fn_failed(call, "%s has no option \"%.*s\"", call->fn->name,
					 SLICE_ARGS(name));
		o->at[opt] = *v;
	}
	return FN_OK;
}

enum fn_status options_of_sieve(struct fn_call *call, const struct form *form, struct options *out)
{
	*out = (struct options){ .form = form };
	if (call->args[0].type == VALUE_HASH && call->tag.len > 0)
		return fn_failed(call, ":%.*s does not go with a hash", SLICE_ARGS(call->tag));
	if (call->args[0].type == VALUE_HASH)
		return hash_read(call, call->args[0].hash, out);
	for (unsigned i = 0; i < call->argc; i++)
		out->at[form->order[i]] = call->args[i];
	if (call->tag_value != NULL)
		out->at[OPT_KEY] = *call->tag_value;
	return FN_OK;
}

enum fn_status options_of_lua(struct fn_call *call, const struct form *form,
			      const struct value *from, struct options *out)
{
	*out = (struct options){ .form = form };
	if (from->type == VALUE_HASH)
		return hash_read(call, from->hash, out);
	if (from->type != VALUE_LIST)
		out->at[OPT_KEY] = *from;
	else if (from->count > 0) /* {} is a list, too */
		return fn_failed(call, "the options of %s have names", call->fn->name);
	return FN_OK;
}

enum fn_status options_text(struct fn_call *call, const struct options *o, enum opt opt,
			    struct slice *out)
{
	const char *wrong;

	if (o->at[opt].type == VALUE_NONE)
		return fn_failed(call, "%s needs \"%s\"", call->fn->name, o->form->names[opt]);
	wrong = value_to_string(&call->run->arena, &o->at[opt], out);
	return wrong == NULL ? FN_OK
			     : fn_failed(call, "%s of %s: %s", o->form->names[opt], call->fn->name,
					 wrong);
}

enum fn_status options_number(struct fn_call *call, const struct options *o, enum opt opt,
			      int64_t otherwise, int64_t *out)
{
	const struct value *v = &o->at[opt];
	struct slice text;

	*out = otherwise;
	if (v->type == VALUE_NONE || value_to_number(v, out) == NULL)
		return FN_OK;
	if (options_text(call, o, opt, &text) != FN_OK)
		return FN_FAILED;
	return fn_failed(call, "%s of %s: \"%.*s\" is not a whole number", o->form->names[opt],
			 call->fn->name, SLICE_ARGS(text));
}

enum fn_status options_number_within(struct fn_call *call, const struct options *o, enum opt opt,
				     int64_t otherwise, int64_t low, int64_t high, int64_t *out)
{
	if (options_number(call, o, opt, otherwise, out) != FN_OK)
		return FN_FAILED;
	if (*out >= low && *out <= high)
		return FN_OK;
	return fn_failed(call, "%s of %s is %" PRId64 ", expected %" PRId64 " to %" PRId64,
			 o->form->names[opt], call->fn->name, *out, low, high);
}

enum fn_status options_span(struct fn_call *call, const struct options *o, unsigned most,
			    struct span *out)
{
	int64_t first, last;

	if (options_number_within(call, o, OPT_FIRST, 0, 0, most, &first) != FN_OK ||
	    options_number_within(call, o, OPT_LAST, first, 0, most, &last) != FN_OK)
		return FN_FAILED;
	if (last < first)
		return fn_failed(call, "%s of %s is %" PRId64 ", expected no less than %s",
				 o->form->names[OPT_LAST], call->fn->name, last,
				 o->form->names[OPT_FIRST]);
	*out = (struct span){ (unsigned)first, (unsigned)last };
	call->steps = out->last - out->first;
	return FN_OK;
}

enum fn_status options_address(struct fn_call *call, const struct options *o, struct addr *out)
{
	const char *wrong;
	struct slice text;

	*out = call->run->facts->peer;
	if (o->at[OPT_KEY].type == VALUE_NONE)
		return out->family != ADDR_NONE ? FN_OK : fn_failed(call, "%s", blocks_no_peer);
	if (options_text(call, o, OPT_KEY, &text) != FN_OK)
		return FN_FAILED;
	wrong = addr_parse(slice_trim(text), out);
	return wrong == NULL ? FN_OK : fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(text), wrong);
}

enum fn_status options_blocks(struct fn_call *call, const struct options *o, struct blocks *out)
{
	struct value key = { .type = VALUE_NONE };

	if (o->at[OPT_KEY].type != VALUE_NONE) {
		key.type = VALUE_STRING;
		if (options_text(call, o, OPT_KEY, &key.string) != FN_OK)
			return FN_FAILED;
	}
	return blocks_read(call, &key, out);
}

static enum fn_status mask_read(struct fn_call *call, const struct options *o, unsigned otherwise,
				unsigned *out)
{
	const char *wrong;
	struct slice text;

	*out = otherwise;
	if (o->at[OPT_MASK].type == VALUE_NONE)
		return FN_OK;
	if (options_text(call, o, OPT_MASK, &text) != FN_OK)
		return FN_FAILED;
	wrong = blocks_mask(text, out);
	return wrong == NULL ? FN_OK : fn_failed(call, "\"%.*s\": %s", SLICE_ARGS(text), wrong);
}

enum fn_status options_masked(struct fn_call *call, const struct options *o, struct blocks *out)
{
	struct addr addr;
	unsigned len;

	if (options_address(call, o, &addr) != FN_OK)
		return FN_FAILED;
	if (o->at[OPT_KEY].type == VALUE_NONE) {
		if (mask_read(call, o, BLOCKS_MASK_IMPLIED, &len) != FN_OK)
			return FN_FAILED;
		blocks_implied(call->run, len, out); /* there is a peer */
		return FN_OK;
	}
	if (mask_read(call, o, addr_bits(&addr), &len) != FN_OK)
		return FN_FAILED;
	if (len > addr_bits(&addr))
		return fn_failed(call, "/%u: the mask of an IPv4 block is 0 to 32", len);
	blocks_one(out, cidr_of(&addr, len));
	return FN_OK;
}
