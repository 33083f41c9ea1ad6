/*
 * What is written, read as its row's type says. Each reader answers NULL, or what was expected;
 * option_read puts that into a complaint.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "app/options.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/mem.h"
#include "series/series.h"

/* One reading under way. */
struct reading {
	struct conf *conf;
	const struct option_row *row;
	const struct conf_value *from;
	struct option_value *out;
	char expected[256]; /* for a reader that has to compose it */
};

static const char dir_gone[] = "expected an absolute path: the directory of this file is gone";

static const char *read_bool(struct reading *r)
{
	static const char *const words[][2] = {
		{ "off", "on" },
		{ "false", "true" },
		{ "disabled", "enabled" },
		{ "0", "1" },
	};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		r->out->truth = strcasecmp(r->from->text, words[i][1]) == 0;
		if (r->out->truth || strcasecmp(r->from->text, words[i][0]) == 0)
			return NULL;
	}
	return "expected on or off, true or false, enabled or disabled, 1 or 0";
}

/* Digits at *text, which is moved behind them. NULL, or what is wrong. */
static const char *digits(const char **text, unsigned base, uint64_t *out)
{
	const char *at = *text;
	uint64_t n = 0;

	if (!isdigit((unsigned char)*at))
		return "expected a whole number";
	if (base == 10 && at[0] == '0' && isdigit((unsigned char)at[1]))
		return "a number does not begin with 0";
	for (; *at >= '0' && *at < '0' + (int)base; at++) {
		if (n > (UINT64_MAX - 9) / base)
			return "the number is too large";
		n = n * base + (uint64_t)(*at - '0');
	}
	*text = at;
	*out = n;
	return NULL;
}

static const char *in_range(struct reading *r, uint64_t n, uint64_t unit, const char *unit_name)
{
	if (n >= r->row->least && (r->row->most == 0 || n <= r->row->most)) {
		r->out->number = n;
		return NULL;
	}
	if (r->row->most == 0)
		snprintf(r->expected, sizeof r->expected, "expected at least %ju%s",
			 (uintmax_t)(r->row->least / unit), unit_name);
	else
		snprintf(r->expected, sizeof r->expected, "expected %ju to %ju%s",
			 (uintmax_t)(r->row->least / unit), (uintmax_t)(r->row->most / unit),
			 unit_name);
	return r->expected;
}

static const char *read_integer(struct reading *r)
{
	const char *text = r->from->text, *wrong;
	uint64_t n;

	wrong = digits(&text, 10, &n);
	if (wrong == NULL && *text != '\0')
		wrong = "expected a whole number";
	return wrong ? wrong : in_range(r, n, 1, "");
}

static const char *read_mode(struct reading *r)
{
	const char *text = r->from->text, *wrong;
	uint64_t n;

	wrong = digits(&text, 8, &n);
	if (wrong != NULL || *text != '\0' || n > r->row->most)
		return "expected an octal number up to 0777";
	r->out->number = n;
	return NULL;
}

static const char *read_size(struct reading *r)
{
	const char *text = r->from->text, *wrong, *letter;
	unsigned shift = 0;
	uint64_t n;

	wrong = digits(&text, 10, &n);
	if (wrong != NULL)
		return wrong[0] == 'e' ? "expected a number, with K, M or G where wanted" : wrong;
	letter = *text ? strchr("KMG", toupper((unsigned char)*text)) : NULL;
	if (letter != NULL) {
		shift = 10 * (unsigned)(letter - "KMG" + 1);
		text++;
	}
	if (*text != '\0')
		return "expected a number, with K, M or G where wanted";
	if (n > (uint64_t)INT64_MAX >> shift)
		return "the number is too large";
	return in_range(r, n << shift, 1, " octets");
}

static const char *read_seconds(struct reading *r)
{
	static const char expected[] = "expected seconds, or a number with s, m, h or d";
	static const struct {
		char letter;
		unsigned seconds;
	} units[] = {
		{ '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	const char *text = r->from->text, *wrong;
	uint64_t n, thousandths = 0;

	wrong = digits(&text, 10, &n);
	if (wrong != NULL)
		return wrong[0] == 'e' ? expected : wrong;
	if (*text == '.') {
		text++;
		if (!isdigit((unsigned char)*text))
			return expected;
		for (unsigned place = 100; isdigit((unsigned char)*text); text++, place /= 10)
			thousandths += place * (unsigned)(*text - '0');
	}
	for (unsigned i = 0; i < sizeof units / sizeof *units; i++) {
		if (tolower((unsigned char)*text) != units[i].letter || (*text && text[1]))
			continue;
		if (n > UINT32_MAX || (n * 1000 + thousandths) * units[i].seconds > UINT32_MAX)
			return "expected at most 49 days"; /* 32 bits of milliseconds */
		return in_range(r, (n * 1000 + thousandths) * units[i].seconds, 1000, " seconds");
	}
	return expected;
}

static const char *read_choice(struct reading *r)
{
	const char *const *choices = r->row->choices;
	size_t len = 0;

	for (unsigned i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(r->from->text, choices[i]) == 0) {
			r->out->number = i;
			return NULL;
		}
		len += (size_t)snprintf(r->expected + len, sizeof r->expected - len, "%s%s",
					i == 0 ? "expected " : " or ", choices[i]);
	}
	return r->expected;
}

static const char *read_string(struct reading *r)
{
	r->out->text = r->from->text;
	if (r->row == &option_rows[OPT_STATIC_BANNER] && strncmp(r->from->text, "220", 3) != 0)
		return "expected a banner that begins with 220";
	return NULL;
}

static const char *read_path(struct reading *r)
{
	if (r->from->text[0] == '\0')
		return "expected a path";
	r->out->text = conf_path(r->conf, r->from->at, r->from->text);
	return r->out->text ? NULL : dir_gone;
}

/* Letters, digits, '-' and '_' in labels between dots; octets of UTF-8 pass. */
static bool is_domain(const char *text)
{
	const char *at = text;

	if (*text == '\0' || strlen(text) > 253)
		return false;
	for (; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if (c == '.' ? at == text || at[-1] == '.' || at[1] == '\0'
			     : !isalnum(c) && c != '-' && c != '_' && c < 0x80)
			return false;
	}
	return true;
}

static const char *read_hostname(struct reading *r)
{
	r->out->text = r->from->text;
	return is_domain(r->from->text) ? NULL : "expected a host name";
}

/* A copy in lower case; NULL: neither a domain nor "*.domain". */
char *option_domain(struct conf *conf, const char *text)
{
	char *folded;

	if (!is_domain(strncmp(text, "*.", 2) == 0 ? text + 2 : text))
		return NULL;
	folded = conf_copy(conf, slice_of(text));
	for (char *at = folded; *at; at++)
		*at = ascii_lower(*at);
	return folded;
}

static const char *read_domain(struct reading *r, const struct conf_value *item)
{
	struct domain_list *list = &r->out->domains;
	char *folded = option_domain(r->conf, item->text);

	if (folded == NULL)
		return "expected a domain, or *. and a domain";
	if (list->patterns == NULL)
		list->patterns = conf_array(r->conf, r->from->count, sizeof *list->patterns);
	list->patterns[list->count++] = folded;
	return NULL;
}

static const char *read_block(struct reading *r, const struct conf_value *item)
{
	struct cidr_list *list = &r->out->blocks;
	struct cidr block;
	const char *wrong = cidr_parse(slice_of(item->text), &block);

	if (wrong != NULL)
		return wrong;
	if (list->blocks == NULL)
		list->blocks = conf_array(r->conf, r->from->count, sizeof *list->blocks);
	list->blocks[list->count++] = block;
	return NULL;
}

static const char *read_pair(struct reading *r, const struct conf_value *item)
{
	struct slice value, key = slice_of(item->key);

	if (ctx_get(&r->out->context, key, &value))
		return "the key is there already";
	return ctx_set(&r->out->context, key, slice_of(item->text));
}

static const char *read_hop(struct reading *r, const struct conf_value *item)
{
	const char *path, *wrong;
	struct hop hop;

	wrong = hop_parse(slice_of(item->text), &hop);
	if (wrong != NULL)
		return wrong;
	if (r->out->hops == NULL)
		r->out->hops =
			mem_array(r->from->kind == CONF_LIST ? r->from->count : 1, sizeof hop);
	r->out->hops[r->out->count++] = hop;
	if (hop.kind != HOP_MAILDIR)
		return NULL;
	path = conf_path(r->conf, item->at, hop.name);
	if (path == NULL)
		return dir_gone;
	free(hop.name);
	r->out->hops[r->out->count - 1].name = mem_strdup(path);
	return NULL;
}

static const char *read_two(const char *text, char between, uint64_t *a, uint64_t *b)
{
	const char *wrong = digits(&text, 10, a);

	text += strspn(text, " ");
	if (wrong != NULL || *text != between)
		return "expected two numbers";
	text += 1 + strspn(text + 1, " ");
	wrong = digits(&text, 10, b);
	return wrong == NULL && *text == '\0' ? NULL : "expected two numbers";
}

static const char *read_mask(struct reading *r, const struct conf_value *item)
{
	uint64_t from, to;

	if (read_two(item->text, '=', &from, &to) != NULL || from > 32 || to > 128)
		return "expected FROM=TO with FROM up to 32 and TO up to 128";
	for (unsigned i = 0; i < r->out->count; i++)
		if (r->out->masks[i].from == from)
			return "expected each FROM once";
	if (r->out->masks == NULL)
		r->out->masks = conf_array(r->conf, r->from->count, sizeof *r->out->masks);
	r->out->masks[r->out->count++] = (struct policy_mask_map){ (uint8_t)from, (uint8_t)to };
	return NULL;
}

/* The item before `last` that says the same, blanks aside; NULL: none does. */
static const struct conf_value *same_monitor(const struct reading *r, const struct conf_value *last,
					     struct monitor m)
{
	const struct conf_value *item;
	struct monitor other;

	STAILQ_FOREACH (item, &r->from->items, next) {
		if (item == last)
			break;
		if (monitor_parse(slice_of(item->text), &other) == NULL && monitor_equal(m, other))
			return item;
	}
	return NULL;
}

static bool begins_with_0(const char *number)
{
	return number[strspn(number, " \t")] == '0';
}

static const char *read_monitor(struct reading *r, const struct conf_value *item)
{
	const struct conf_value *twin;
	const char *wrong;
	struct monitor m;

	wrong = monitor_parse(slice_of(item->text), &m);
	if (wrong != NULL)
		return wrong;
	if (begins_with_0(item->text) || begins_with_0(strchr(item->text, ',') + 1))
		return "a number does not begin with 0";
	twin = same_monitor(r, item, m);
	if (twin != NULL) {
		snprintf(r->expected, sizeof r->expected,
			 "which is \"%.30s\" at %s:%u:%u again, expected it once", twin->text,
			 twin->at.file, twin->at.line, twin->at.col);
		return r->expected;
	}
	if (r->out->count == MONITORS_MAX) {
		snprintf(r->expected, sizeof r->expected, "expected at most %d monitors",
			 MONITORS_MAX);
		return r->expected;
	}
	if (r->out->monitors == NULL)
		r->out->monitors = conf_array(r->conf, MONITORS_MAX, sizeof *r->out->monitors);
	r->out->monitors[r->out->count++] = m;
	return NULL;
}

static const char *read_extension(struct reading *r, const struct conf_value *item)
{
	static const struct {
		const char *name;
		unsigned bit; /* 0: always offered */
	} extensions[] = {
		{ "ENHANCEDSTATUSCODES", 0 },
		{ "XCLIENT", EXTENSION_XCLIENT },
		{ "XREMOTEIP", EXTENSION_XREMOTEIP },
		{ "XSETCONTEXT", EXTENSION_XSETCONTEXT },
		{ "XDUMPCONTEXT", EXTENSION_XDUMPCONTEXT },
	};

	for (unsigned i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		if (strcasecmp(item->text, extensions[i].name) != 0)
			continue;
		r->out->number |= extensions[i].bit;
		return NULL;
	}
	if (strncasecmp(item->text, "AUTH", 4) == 0)
		return "AUTH is not available yet";
	return "expected XCLIENT, XREMOTEIP, XSETCONTEXT or XDUMPCONTEXT";
}

static const char *read_one_hop(struct reading *r)
{
	return read_hop(r, r->from);
}

/* How each type is written, and read: as a whole, or item by item. */
static const struct {
	enum conf_kind kind;
	const char *(*whole)(struct reading *r);
	const char *(*item)(struct reading *r, const struct conf_value *item);
} types[] = {
	[OPTION_BOOL] = { CONF_TEXT, read_bool, NULL },
	[OPTION_INTEGER] = { CONF_TEXT, read_integer, NULL },
	[OPTION_SIZE] = { CONF_TEXT, read_size, NULL },
	[OPTION_SECONDS] = { CONF_TEXT, read_seconds, NULL },
	[OPTION_MODE] = { CONF_TEXT, read_mode, NULL },
	[OPTION_CHOICE] = { CONF_TEXT, read_choice, NULL },
	[OPTION_STRING] = { CONF_TEXT, read_string, NULL },
	[OPTION_HOSTNAME] = { CONF_TEXT, read_hostname, NULL },
	[OPTION_PATH] = { CONF_TEXT, read_path, NULL },
	[OPTION_HOP] = { CONF_TEXT, read_one_hop, NULL },
	[OPTION_BLOCKS] = { CONF_LIST, NULL, read_block },
	[OPTION_DOMAINS] = { CONF_LIST, NULL, read_domain },
	[OPTION_HOPS] = { CONF_LIST, NULL, read_hop },
	[OPTION_MASKS] = { CONF_LIST, NULL, read_mask },
	[OPTION_MONITORS] = { CONF_LIST, NULL, read_monitor },
	[OPTION_EXTENSIONS] = { CONF_LIST, NULL, read_extension },
	[OPTION_CONTEXT] = { CONF_DICT, NULL, read_pair },
};

static bool has_kind(const struct reading *r, struct complaints *complaints)
{
	static const struct {
		const char *is, *expected;
	} kinds[] = {
		[CONF_TEXT] = { "a single value", NULL },
		[CONF_LIST] = { "a list", "( \"..\" \"..\" )" },
		[CONF_DICT] = { "a dictionary", "[ key = \"..\" ]" },
	};
	enum conf_kind want = types[r->row->type].kind;

	if (r->from->kind == want)
		return true;
	complain(complaints, r->from->at, "%s is %s, expected a %s%s%s", r->row->name,
		 kinds[r->from->kind].is, option_type_name(r->row->type),
		 kinds[want].expected ? ": " : "",
		 kinds[want].expected ? kinds[want].expected : "");
	return false;
}

static bool read_items(struct reading *r, struct complaints *complaints)
{
	const struct conf_value *item;
	const char *wrong;
	bool fine = true;

	STAILQ_FOREACH (item, &r->from->items, next) {
		wrong = types[r->row->type].item(r, item);
		if (wrong == NULL)
			continue;
		complain(complaints, item->at, "%s holds \"%.60s\", %s", r->row->name,
			 item->key ? item->key : item->text, wrong);
		fine = false;
	}
	return fine;
}

/* What of a value is not the arena's. */
void option_value_fini(const struct option_row *row, struct option_value *value)
{
	if (row->type == OPTION_CONTEXT)
		ctx_clear(&value->context);
	else if (row->type == OPTION_HOP || row->type == OPTION_HOPS)
		hops_free(value->hops, value->count);
}

struct option_value *option_read(struct conf *conf, const struct option_row *row,
				 const struct conf_value *from, struct complaints *complaints)
{
	struct option_value *out = conf_take(conf, sizeof *out);
	struct reading r = { conf, row, from, out, "" };
	const char *wrong = NULL;
	bool fine;

	if (!has_kind(&r, complaints))
		return NULL;
	if (types[row->type].item != NULL) {
		fine = read_items(&r, complaints);
	} else {
		wrong = types[row->type].whole(&r);
		fine = wrong == NULL;
	}
	if (wrong != NULL)
		complain(complaints, from->at, "%s is \"%.60s\", %s", row->name, from->text, wrong);
	if (fine)
		return out;
	option_value_fini(row, out);
	return NULL;
}

struct option_value option_standard(enum option_id id)
{
	const struct option_row *row = &option_rows[id];
	struct conf_value from = { .text = row->standard };
	struct option_value out = { 0 };
	struct reading r = { NULL, row, &from, &out, "" };

	CHECK(row->standard != NULL && types[row->type].whole(&r) == NULL);
	return out;
}
