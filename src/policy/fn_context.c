/* The contexts of a session, and what was said in its dialogue (behaviour 2.5, 6.2, 7.2). */
#include "policy/fn.h"

#include "base/clock.h"
#include "policy/macro.h"

static enum fn_status give_text(struct fn_call *call, struct slice text)
{
	call->result.type = VALUE_STRING;
	if (!arena_copy(&call->run->arena, text, &call->result.string))
		return fn_failed(call, "%s", value_no_memory);
	return FN_OK;
}

static enum fn_status get(struct fn_call *call, enum ctx_kind kind, struct slice key)
{
	char room[FACTS_ROOM];
	struct slice value;

	if (!facts_get(call->run->facts, kind, key, room, &value))
		return FN_OK; /* "" */
	return give_text(call, value);
}

static enum fn_status changed(struct fn_call *call, const char *wrong)
{
	return wrong == NULL ? FN_OK : fn_failed(call, "%s", wrong);
}

static enum fn_status set(struct fn_call *call, enum ctx_kind kind, const struct value *key)
{
	return changed(call, facts_set(call->run->facts, kind, key[0].string, key[1].string));
}

static enum fn_status conn_get(struct fn_call *call)
{
	return get(call, CTX_CONN, call->args[0].string);
}

static enum fn_status mess_get(struct fn_call *call)
{
	return get(call, CTX_MESS, call->args[0].string);
}

static enum fn_status conn_set(struct fn_call *call)
{
	return set(call, CTX_CONN, &call->args[0]);
}

static enum fn_status mess_set(struct fn_call *call)
{
	return set(call, CTX_MESS, &call->args[0]);
}

static enum fn_status conn_delete(struct fn_call *call)
{
	return changed(call, facts_delete(call->run->facts, CTX_CONN, call->args[0].string));
}

static enum fn_status mess_delete(struct fn_call *call)
{
	return changed(call, facts_delete(call->run->facts, CTX_MESS, call->args[0].string));
}

/* The values of those keys that are there, looked for in `kinds` in this order. */
static enum fn_status present(struct fn_call *call, const enum ctx_kind *kinds, unsigned kind_count)
{
	struct arena *a = &call->run->arena;
	const struct value *keys = call->args[0].list;
	uint32_t key_count = call->args[0].count, found = 0;
	struct value *list = arena_take(a, key_count * sizeof *list);
	char room[FACTS_ROOM];
	struct slice key, value;

	if (list == NULL)
		return fn_failed(call, "%s", value_no_memory);
	for (uint32_t i = 0; i < key_count; i++) {
		const char *wrong = value_to_string(a, &keys[i], &key);

		if (wrong != NULL)
			return fn_failed(call, "%s", wrong);
		for (unsigned k = 0; k < kind_count; k++) {
			if (!facts_get(call->run->facts, kinds[k], key, room, &value))
				continue;
			list[found].type = VALUE_STRING;
			if (!arena_copy(a, value, &list[found++].string))
				return fn_failed(call, "%s", value_no_memory);
			break;
		}
	}
	call->result = (struct value){ .type = VALUE_LIST, .count = found, .list = list };
	return FN_OK;
}

static enum fn_status either(struct fn_call *call)
{
	static const enum ctx_kind kinds[] = { CTX_MESS, CTX_CONN }; /* D19 */

	return present(call, kinds, 2);
}

static enum fn_status of_conn(struct fn_call *call)
{
	static const enum ctx_kind kinds[] = { CTX_CONN };

	return present(call, kinds, 1);
}

static enum fn_status of_mess(struct fn_call *call)
{
	static const enum ctx_kind kinds[] = { CTX_MESS };

	return present(call, kinds, 1);
}

static struct slice whole(struct slice address)
{
	return address;
}

static const struct {
	const char *tag;
	struct slice (*part)(struct slice address);
} parts[] = {
	{ "", whole },
	{ "all", whole },
	{ "localpart", address_local },
	{ "domain", address_domain },
	{ "user", address_user },
	{ "detail", address_detail },
};

static enum fn_status envelope(struct fn_call *call)
{
	const struct facts_mail *mail = call->run->facts->mail;
	bool is_from = slice_equal_nocase(call->args[0].string, SLICE("from"));

	if (!is_from && !slice_equal_nocase(call->args[0].string, SLICE("to")))
		return fn_failed(call, "the envelope has \"from\" and \"to\"");
	if (mail == NULL)
		return FN_OK; /* "" */
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (slice_equal_nocase(call->tag, slice_of(parts[i].tag)))
			return give_text(call, parts[i].part(is_from ? mail->from : mail->rcpt));
	}
	return fn_failed(call, "the envelope has no part :%.*s", SLICE_ARGS(call->tag));
}

/* vctx:get and its kin name the dictionary by number. */
static bool kind_at(struct fn_call *call, enum ctx_kind *out)
{
	int64_t kind = call->args[0].number;

	*out = (enum ctx_kind)kind;
	if (kind == CTX_CONN || kind == CTX_MESS)
		return true;
	fn_failed(call, "the context is VCTX_CONN or VCTX_MESS");
	return false;
}

static enum fn_status vctx_get(struct fn_call *call)
{
	enum ctx_kind kind;

	return kind_at(call, &kind) ? get(call, kind, call->args[1].string) : FN_FAILED;
}

static enum fn_status vctx_set(struct fn_call *call)
{
	enum ctx_kind kind;

	return kind_at(call, &kind) ? set(call, kind, &call->args[1]) : FN_FAILED;
}

static enum fn_status vctx_exists(struct fn_call *call)
{
	char room[FACTS_ROOM];
	struct slice value;
	enum ctx_kind kind;
	bool there;

	if (!kind_at(call, &kind))
		return FN_FAILED;
	there = facts_get(call->run->facts, kind, call->args[1].string, room, &value);
	call->result = VALUE_NUM(there);
	return FN_OK;
}

static enum fn_status expand(struct fn_call *call)
{
	return changed(call, macro_expand(call->run, call->args[0].string, &call->result.string));
}

static enum fn_status now(struct fn_call *call)
{
	call->result = VALUE_NUM((int64_t)(clock_wall_ms() / 1000));
	return FN_OK;
}

#define VALUE (FN_SIEVE | FN_VALUE)
#define LUA (FN_LUA | FN_VALUE)

const struct policy_fn fn_context_rows[] = {
	{ "vctx_conn_get", "s", PHASES_ALL, VALUE, conn_get, NULL },
	{ "vctx_conn_set", "ss", PHASES_ALL, FN_SIEVE, conn_set, NULL },
	{ "vctx_conn_delete", "s", PHASES_ALL, FN_SIEVE, conn_delete, NULL },
	{ "vctx_mess_get", "s", PHASES_ALL, VALUE, mess_get, NULL },
	{ "vctx_mess_set", "ss", PHASES_ALL, FN_SIEVE, mess_set, NULL },
	{ "vctx_mess_delete", "s", PHASES_ALL, FN_SIEVE, mess_delete, NULL },
	{ "vctx", "l", PHASES_ALL, VALUE, either, NULL },
	{ "vctx_conn", "l", PHASES_ALL, VALUE, of_conn, NULL },
	{ "vctx_mess", "l", PHASES_ALL, VALUE, of_mess, NULL },
	{ "envelope", "s", PHASES_ALL, VALUE, envelope, "all localpart domain user detail" },
	{ "vctx:get", "ns", PHASES_ALL, LUA, vctx_get, NULL },
	{ "vctx:set", "nss", PHASES_ALL, FN_LUA, vctx_set, NULL },
	{ "vctx:exists", "ns", PHASES_ALL, LUA, vctx_exists, NULL },
	{ "msys.expandMacro", "s", PHASES_ALL, LUA, expand, NULL },
	{ "msys.core.get_now_ts", "", PHASES_ALL, LUA, now, NULL },
	{ 0 },
};
