#include "archive/query.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { DAY = 86400, SAID_MAX = 60 };

struct parser {
	struct query *q;
	char *wrong;
	struct slice rest;
	struct slice word; /* the one that is looked at; empty: the end */
	bool is_name;	   /* it was in quotes */
	unsigned seen;	   /* kinds of parameters, as bits */
};

static bool go_wrong(struct parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool go_wrong(struct parser *p, const char *format, ...)
{
	char said[SAID_MAX + 1], text[QUERY_WRONG_MAX - SAID_MAX - 20];
	size_t len = p->word.len < SAID_MAX ? p->word.len : SAID_MAX;
	va_list args;

	for (size_t i = 0; i < len; i++)
		said[i] = isprint((unsigned char)p->word.at[i]) ? p->word.at[i] : '?';
	said[len] = '\0';
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len == 0 && !p->is_name)
		snprintf(p->wrong, QUERY_WRONG_MAX, "syntax near the end: %s", text);
	else
		snprintf(p->wrong, QUERY_WRONG_MAX, "syntax near \"%s\": %s", said, text);
	return false;
}

static bool is_punctuation(char c)
{
	return c == ',' || c == '(' || c == ')';
}

/* A word, something in quotes, or one sign; false: a quote is not closed. */
static bool advance(struct parser *p)
{
	struct slice r = p->rest;
	size_t len = 0;

	while (r.len > 0 && isspace((unsigned char)*r.at))
		r.at++, r.len--;
	p->is_name = r.len > 0 && *r.at == '"';
	if (p->is_name) {
		const char *end = memchr(++r.at, '"', --r.len);

		p->word = (struct slice){ r.at, end != NULL ? (size_t)(end - r.at) : r.len };
		if (end == NULL)
			return go_wrong(p, "the quote is not closed");
		len = p->word.len + 1;
	} else {
		while (len < r.len && !isspace((unsigned char)r.at[len]) && r.at[len] != '"' &&
		       !is_punctuation(r.at[len]))
			len++;
		len += len == 0 && r.len > 0;
		p->word = (struct slice){ r.at, len };
	}
	p->rest = (struct slice){ r.at + len, r.len - len };
	return true;
}

static bool at_word(const struct parser *p, const char *word)
{
	return !p->is_name && slice_equal_nocase(p->word, slice_of(word));
}

static bool at_end(const struct parser *p)
{
	return p->word.len == 0 && !p->is_name;
}

static bool expect(struct parser *p, const char *word)
{
	return at_word(p, word) ? advance(p) : go_wrong(p, "expected \"%s\"", word);
}

/* --- dates --------------------------------------------------------------------------------- */

static bool take_digits(struct slice *text, size_t len, int *out)
{
	uint64_t number;

	if (text->len < len || !slice_number((struct slice){ text->at, len }, UINT32_MAX, &number))
		return false;
	*out = (int)number;
	text->at += len;
	text->len -= len;
	return true;
}

static bool read_date(struct slice text, uint64_t *out, bool *is_day)
{
	struct tm tm = { 0 }, again;
	time_t t;

	if (!take_digits(&text, 4, &tm.tm_year) || !take_digits(&text, 2, &tm.tm_mon) ||
	    !take_digits(&text, 2, &tm.tm_mday))
		return false;
	*is_day = text.len == 0;
	if (!*is_day) {
		if (*text.at != 'T' && *text.at != 't')
			return false;
		text.at++, text.len--;
		if (!take_digits(&text, 2, &tm.tm_hour) || !take_digits(&text, 2, &tm.tm_min) ||
		    !take_digits(&text, 2, &tm.tm_sec) ||
		    (text.len > 0 && !slice_equal_nocase(text, SLICE("Z"))))
			return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon--;
	again = tm;
	t = timegm(&again);
	if (t < 0 || again.tm_year != tm.tm_year || again.tm_mon != tm.tm_mon ||
	    again.tm_mday != tm.tm_mday || again.tm_hour != tm.tm_hour ||
	    again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return false;
	*out = (uint64_t)t;
	return true;
}

static bool take_date(struct parser *p, uint64_t *out, bool *is_day)
{
	if (!read_date(p->word, out, is_day))
		return go_wrong(p, "expected a date, YYYYMMDD or YYYYMMDDTHHMMSS");
	return true;
}

/* --- parameters ---------------------------------------------------------------------------- */

static bool take_number(struct parser *p, uint64_t least, uint64_t most, uint64_t *out)
{
	if (!slice_number(p->word, most, out) || *out < least)
		return go_wrong(p, "expected a number from %ju to %ju", (uintmax_t)least,
				(uintmax_t)most);
	return true;
}

static bool take_from(struct parser *p)
{
	bool is_day;

	if (!take_date(p, &p->q->from, &is_day) || !advance(p) || !expect(p, "to") ||
	    !take_date(p, &p->q->to, &is_day))
		return false;
	if (is_day)
		p->q->to += DAY;
	if (p->q->to <= p->q->from)
		return go_wrong(p, "the period ends before it begins");
	return advance(p);
}

static bool take_since(struct parser *p)
{
	bool is_day;

	return take_date(p, &p->q->from, &is_day) && advance(p);
}

static bool take_on(struct parser *p)
{
	bool is_day;

	if (!take_date(p, &p->q->from, &is_day))
		return false;
	p->q->from -= p->q->from % DAY; /* all of it, whatever time is said (D82) */
	p->q->to = p->q->from + DAY;
	return advance(p);
}

static bool take_size(struct parser *p)
{
	const struct cidr *block = &p->q->block;
	uint64_t first, last;

	if (!take_number(p, block->len, addr_bits(&block->addr), &first) || !advance(p))
		return false;
	last = first;
	if (at_word(p, "to") && (!advance(p) ||
				 !take_number(p, first, addr_bits(&block->addr), &last) ||
				 !advance(p)))
		return false;
	p->q->level_first = (uint8_t)first;
	p->q->level_last = (uint8_t)last;
	return true;
}

static bool take_order(struct parser *p)
{
	if (!expect(p, "by"))
		return false;
	p->q->by_count = at_word(p, "count");
	if (!p->q->by_count && !at_word(p, "cidr"))
		return go_wrong(p, "expected \"cidr\" or \"count\"");
	return advance(p);
}

static bool take_aggregate(struct parser *p)
{
	p->q->is_daily = at_word(p, "daily");
	return !p->q->is_daily || advance(p);
}

static bool take_limit(struct parser *p)
{
	return take_number(p, 1, 1000000000, &p->q->limit) && advance(p);
}

static bool take_threshold(struct parser *p)
{
	return take_number(p, 0, 999999999999999999, &p->q->threshold) && advance(p);
}

/* Rows of one kind exclude each other. */
enum { PERIOD, SIZE, ORDER, AGGREGATE, LIMIT, THRESHOLD };
static const struct {
	const char *word;
	unsigned kind;
	bool (*take)(struct parser *p);
} params[] = {
	{ "from", PERIOD, take_from },		 { "since", PERIOD, take_since },
	{ "on", PERIOD, take_on },		 { "cidrsize", SIZE, take_size },
	{ "order", ORDER, take_order },		 { "aggregate", AGGREGATE, take_aggregate },
	{ "limit", LIMIT, take_limit },		 { "threshold", THRESHOLD, take_threshold },
};

static bool take_param(struct parser *p)
{
	for (unsigned i = 0; i < sizeof params / sizeof *params; i++) {
		if (!at_word(p, params[i].word))
			continue;
		if (p->seen >> params[i].kind & 1)
			return go_wrong(p, "this was said before");
		p->seen |= 1u << params[i].kind;
		return advance(p) && params[i].take(p);
	}
	return go_wrong(p, "expected from, since, on, cidrsize, order by, aggregate, limit or "
			   "threshold");
}

/* --- the query ----------------------------------------------------------------------------- */

static bool take_series(struct parser *p)
{
	struct query *q = p->q;

	if (p->word.len == 0 || (!p->is_name && is_punctuation(*p->word.at)))
		return go_wrong(p, "expected the name of a series");
	if (p->word.len > SERIES_NAME_MAX || memchr(p->word.at, '\0', p->word.len) != NULL)
		return go_wrong(p, "no series has such a name");
	if (q->series_count == QUERY_SERIES_MAX)
		return go_wrong(p, "more than %d series", QUERY_SERIES_MAX);
	memcpy(q->series[q->series_count], p->word.at, p->word.len);
	q->series[q->series_count++][p->word.len] = '\0';
	return advance(p);
}

static bool take_list(struct parser *p)
{
	do {
		if (!take_series(p))
			return false;
	} while (at_word(p, ",") && advance(p));
	return p->wrong[0] == '\0';
}

/* A series may be called union; a parenthesis follows the word then, or not. */
static bool is_union(const struct parser *p)
{
	struct parser ahead = *p;
	char wrong[QUERY_WRONG_MAX];

	ahead.wrong = wrong;
	return at_word(p, "union") && advance(&ahead) && at_word(&ahead, "(");
}

static bool parse_count(struct parser *p)
{
	struct query *q = p->q;
	const char *why;

	if (!expect(p, "count") || !expect(p, "for"))
		return false;
	if (at_end(p))
		return go_wrong(p, "expected an address, or ADDRESS/LENGTH");
	why = cidr_parse(p->word, &q->block);
	if (why != NULL)
		return go_wrong(p, "%s", why);
	q->level_first = q->level_last = (uint8_t)addr_bits(&q->block.addr);
	if (!advance(p) || !expect(p, "in"))
		return false;
	q->is_union = is_union(p);
	if (q->is_union && (!advance(p) || !advance(p)))
		return false;
	if (!take_list(p) || (q->is_union && !expect(p, ")")))
		return false;
	while (!at_end(p))
		if (!take_param(p))
			return false;
	return true;
}

static bool parse_end(struct parser *p)
{
	return at_end(p) || go_wrong(p, "expected nothing more");
}

bool query_parse(struct slice text, struct query *out, char wrong[QUERY_WRONG_MAX])
{
	struct parser p = { .q = out, .wrong = wrong, .rest = text };

	*out = (struct query){ .to = UINT64_MAX };
	wrong[0] = '\0';
	if (!advance(&p))
		return false;
	if (at_word(&p, "cache")) {
		out->kind = QUERY_CACHE;
		return advance(&p) && expect(&p, "details") && parse_end(&p);
	}
	if (!at_word(&p, "show"))
		return go_wrong(&p, "expected \"show\" or \"cache details\"");
	if (!advance(&p))
		return false;
	if (at_word(&p, "available")) {
		out->kind = QUERY_AVAILABLE;
		return advance(&p) && parse_end(&p);
	}
	if (!at_word(&p, "count"))
		return go_wrong(&p, "expected \"available\" or \"count for\"");
	return parse_count(&p);
}
