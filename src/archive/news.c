#include "archive/news.h"

#include <inttypes.h>

bool news_say(struct buf *out, struct series *s, const struct series_key *key, int64_t amount)
{
	char file[SHELF_NAME_MAX], address[ADDR_TEXT_MAX];
	struct series_info info;

	series_identify(s, &info);
	if (!shelf_saved(file, &info) || !buf_printf(out, "%s %" PRId64 " ", file, amount))
		return false;
	if (info.is.type == SERIES_STRING)
		return shelf_encode(out, key->text);
	return buf_printf(out, "%s", addr_print(&key->block.addr, address));
}

static bool read_amount(struct slice text, int64_t *out)
{
	bool is_minus = text.len > 0 && text.at[0] == '-';
	uint64_t amount;

	text.at += is_minus;
	text.len -= is_minus;
	if (!slice_number(text, AMOUNT_MAX, &amount))
		return false;
	*out = is_minus ? -(int64_t)amount : (int64_t)amount;
	return true;
}

/* text: room for a decoded one. */
static bool read_key(enum series_type type, struct slice from, struct series_key *key,
		     char text[SERIES_KEY_MAX])
{
	if (type != SERIES_STRING)
		return cidr_parse(from, &key->block) == NULL;
	return shelf_decode(from, text, SERIES_KEY_MAX, &key->text);
}

const char *news_hear(struct series_all *all, struct slice line)
{
	struct slice rest, last, name = slice_cut(line, ' ', &rest);
	struct slice number = slice_cut(rest, ' ', &last);
	char file[SHELF_NAME_MAX], text[SERIES_KEY_MAX];
	struct series_key key = { 0 };
	struct series *s;
	int64_t amount;

	if (name.len >= sizeof file || !read_amount(number, &amount))
		return "no news of a series";
	memcpy(file, name.at, name.len);
	file[name.len] = '\0';
	if (!shelf_is_saved(file))
		return "no name of a series";
	s = shelf_series(all, file);
	if (s == NULL)
		return NULL;
	if (!read_key(series_type(s), last, &key, text))
		return "no key of that series";
	return amount != 0 ? series_add(s, &key, amount, NULL) : series_remove(s, &key, NULL);
}
