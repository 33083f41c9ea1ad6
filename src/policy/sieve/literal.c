#include "policy/sieve/literal.h"

#include "base/addr.h"
#include "policy/fn_blocks.h"
#include "series/monitor.h"

bool sieve_literal(const struct arg *arg, struct slice *out)
{
	return arg != NULL && arg->kind == ARG_STRING && sieve_text_is_constant(&arg->text, out);
}

static struct slice text_of(const struct value *v)
{
	return v->type == VALUE_STRING ? v->string : SLICE("");
}

static const char *mask_fault(const struct value *v)
{
	unsigned len;

	if (v->type == VALUE_NUMBER)
		return v->number >= 0 && v->number <= BLOCKS_MASK_MAX ? NULL : blocks_no_mask;
	return blocks_mask(text_of(v), &len);
}

static const char *block_fault(const struct value *v)
{
	struct slice text = slice_trim(text_of(v));
	struct cidr block;

	return text.len > 0 && text.at[0] == '/' ? mask_fault(v) : cidr_parse(text, &block);
}

static const char *monitor_fault(const struct value *v)
{
	struct monitor monitor;

	return monitor_parse(text_of(v), &monitor);
}

/* What is no number is the row's to complain about, here and below. */
static const char *delay_fault(const struct value *v)
{
	double seconds;

	return value_to_decimal(v, &seconds) == NULL && seconds < 0 ? "a delay cannot be negative"
								     : NULL;
}

static const char *code_fault(const struct value *v)
{
	int64_t code;

	return value_to_number(v, &code) == NULL ? verdict_code_fault(code) : NULL;
}

/* Arguments of which a wrong constant is found here, and not by the first client (3.3, D25). */
static const struct {
	const char *function;
	unsigned arg;
	const char *(*fault)(const struct value *v);
} narrow_args[] = {
	{ "audit_connections_on_listener", 0, block_fault },
	{ "audit_connections_on_service", 0, block_fault },
	{ "audit_service", 1, block_fault },
	{ "audit_series", 1, monitor_fault },
	{ "audit_series", 2, mask_fault },
	{ "audit_series_add", 1, monitor_fault },
	{ "ec_ip_connections", 1, mask_fault },
	{ "ec_ip_receptions", 1, mask_fault },
	{ "ec_ip_rejections", 1, mask_fault },
	{ "ec_ip_connections_cluster", 1, mask_fault },
	{ "ec_ip_receptions_cluster", 1, mask_fault },
	{ "ec_ip_rejections_cluster", 1, mask_fault },
	{ "ec_tarpit", 0, delay_fault },
	{ "ec_action", 0, code_fault },
	{ "ec_disconnect", 0, code_fault },
};

static const char *narrow_fault(const struct policy_fn *fn, unsigned n, const struct value *v)
{
	for (size_t i = 0; i < sizeof narrow_args / sizeof *narrow_args; i++)
		if (narrow_args[i].arg == n && strcmp(narrow_args[i].function, fn->name) == 0)
			return narrow_args[i].fault(v);
	return NULL;
}

const char *sieve_literal_fault(const struct policy_fn *fn, unsigned n,
				const struct arg *arg)
{
	const char kind = fn_arg_kind(fn, n);
	const char *wrong = NULL;
	struct slice text;
	struct value v;
	int64_t whole;
	double real;

	if (arg->kind == ARG_VARIABLE || arg->kind == ARG_SUBSCRIPT)
		return NULL;
	if (kind == 'h')
		return "it is not a hash, expected a variable that holds one";
	if (arg->kind == ARG_NUMBER)
		v = VALUE_NUM(arg->number);
	else if (sieve_literal(arg, &text))
		v = VALUE_STR(text);
	else
		return NULL;
	if (kind == 'n')
		wrong = value_to_number(&v, &whole);
	else if (kind == 'd')
		wrong = value_to_decimal(&v, &real);
	return wrong != NULL ? wrong : narrow_fault(fn, n, &v);
}
