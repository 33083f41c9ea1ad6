/* Arithmetic: doubles in, six decimals out (behaviour 6.3, D89). */
#include "policy/fn.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static enum fn_status give(struct fn_call *call, double n)
{
	char text[DBL_MAX_10_EXP + 16];

	if (!isfinite(n))
		return fn_failed(call, "the result is not a number");
	if (n == 0)
		n = 0; /* not "-0.000000" */
	snprintf(text, sizeof text, "%.6f", n);
	if (!arena_copy(&call->run->arena, slice_of(text), &call->result.string))
		return fn_failed(call, "%s", value_no_memory);
	return FN_OK;
}

static double at(const struct fn_call *call, unsigned n)
{
	double number = 0;
	const char *wrong = value_to_decimal(&call->args[n], &number);

	return wrong == NULL ? number : 0; /* fn_call has looked */
}

static enum fn_status add(struct fn_call *call)
{
	return give(call, at(call, 0) + at(call, 1));
}

static enum fn_status sub(struct fn_call *call)
{
	return give(call, at(call, 0) - at(call, 1));
}

static enum fn_status mul(struct fn_call *call)
{
	return give(call, at(call, 0) * at(call, 1));
}

static enum fn_status divide(struct fn_call *call)
{
	if (at(call, 1) == 0)
		return fn_failed(call, "division by zero");
	return give(call, at(call, 0) / at(call, 1));
}

static enum fn_status mod(struct fn_call *call)
{
	int64_t a = call->args[0].number, b = call->args[1].number;

	if (b == 0)
		return fn_failed(call, "division by zero");
	call->result = VALUE_NUM(b == -1 ? 0 : a % b); /* INT64_MIN % -1 traps */
	return FN_OK;
}

static enum fn_status ceil_of(struct fn_call *call)
{
	return give(call, ceil(at(call, 0)));
}

static enum fn_status floor_of(struct fn_call *call)
{
	return give(call, floor(at(call, 0)));
}

static enum fn_status trunc_of(struct fn_call *call)
{
	return give(call, trunc(at(call, 0)));
}

static enum fn_status nearbyint_of(struct fn_call *call)
{
	return give(call, nearbyint(at(call, 0)));
}

/* D90: away from zero. */
static enum fn_status round_of(struct fn_call *call)
{
	double n = at(call, 0);

	return give(call, n < 0 ? floor(n) : ceil(n));
}

#define VALUE (FN_SIEVE | FN_VALUE)

const struct policy_fn fn_number_rows[] = {
	{ "ec_add", "dd", PHASES_ALL, VALUE, add, NULL },
	{ "ec_sub", "dd", PHASES_ALL, VALUE, sub, NULL },
	{ "ec_mul", "dd", PHASES_ALL, VALUE, mul, NULL },
	{ "ec_div", "dd", PHASES_ALL, VALUE, divide, NULL },
	{ "ec_mod", "nn", PHASES_ALL, VALUE, mod, NULL },
	{ "ec_ceil", "d", PHASES_ALL, VALUE, ceil_of, NULL },
	{ "ec_floor", "d", PHASES_ALL, VALUE, floor_of, NULL },
	{ "ec_trunc", "d", PHASES_ALL, VALUE, trunc_of, NULL },
	{ "ec_nearbyint", "d", PHASES_ALL, VALUE, nearbyint_of, NULL },
	{ "ec_round", "d", PHASES_ALL, VALUE, round_of, NULL },
	{ 0 },
};
