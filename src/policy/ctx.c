#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/facts.h"

struct ctx_entry {
	struct ctx_entry *next;
	uint32_t key_len;
	uint32_t value_len;
	char bytes[]; /* key, value */
};

static struct ctx_entry **entry_find(const struct ctx *ctx, struct slice key)
{
	struct ctx_entry **at = (struct ctx_entry **)&ctx->first;

	while (*at != NULL && !slice_equal((struct slice){ (*at)->bytes, (*at)->key_len }, key))
		at = &(*at)->next;
	return at;
}

/* Small values pay for what surrounds them, else a script could fill the memory with keys. */
static size_t entry_size(size_t key_len, size_t value_len)
{
	return sizeof(struct ctx_entry) + key_len + value_len;
}

bool ctx_get(const struct ctx *ctx, struct slice key, struct slice *value_out)
{
	struct ctx_entry *e;

	if (ctx->first == NULL || (e = *entry_find(ctx, key)) == NULL)
		return false;
	*value_out = (struct slice){ e->bytes + e->key_len, e->value_len };
	return true;
}

const char *ctx_set(struct ctx *ctx, struct slice key, struct slice value)
{
	struct ctx_entry **at = entry_find(ctx, key), *old = *at, *e;
	size_t size = entry_size(key.len, value.len), freed = 0;

	if (key.len > CTX_KEY_MAX)
		return "a context key has at most 255 octets";
	if (old != NULL)
		freed = entry_size(old->key_len, old->value_len);
	if (value.len > CTX_BYTES_MAX || size > CTX_BYTES_MAX - (ctx->bytes - freed))
		return "the context is full";
	e = mem_resize(NULL, 1, size);
	*e = (struct ctx_entry){ .next = old != NULL ? old->next : NULL,
				 .key_len = (uint32_t)key.len,
				 .value_len = (uint32_t)value.len };
	if (key.len > 0)
		memcpy(e->bytes, key.at, key.len);
	if (value.len > 0) /* it may be the old one */
		memcpy(e->bytes + key.len, value.at, value.len);
	*at = e;
	free(old);
	ctx->bytes = (uint32_t)(ctx->bytes - freed + size);
	return NULL;
}

bool ctx_delete(struct ctx *ctx, struct slice key)
{
	struct ctx_entry **at = entry_find(ctx, key), *e = *at;

	if (e == NULL)
		return false;
	*at = e->next;
	ctx->bytes -= (uint32_t)entry_size(e->key_len, e->value_len);
	free(e);
	return true;
}

bool ctx_next(const struct ctx *ctx, const struct ctx_entry **at, struct slice *key_out,
	      struct slice *value_out)
{
	const struct ctx_entry *e = *at != NULL ? (*at)->next : ctx->first;

	*at = e;
	if (e == NULL)
		return false;
	*key_out = (struct slice){ e->bytes, e->key_len };
	*value_out = (struct slice){ e->bytes + e->key_len, e->value_len };
	return true;
}

void ctx_clear(struct ctx *ctx)
{
	struct ctx_entry *e, *next;

	for (e = ctx->first; e != NULL; e = next) {
		next = e->next;
		free(e);
	}
	*ctx = (struct ctx){ 0 };
}
