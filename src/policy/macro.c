#include "policy/macro.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/log.h"

static const char *keep(struct policy_run *run, struct slice text, struct slice *out)
{
	return arena_copy(&run->arena, text, out) ? NULL : value_no_memory;
}

/* D14: a name that nobody knows must not stop a script. */
static const char *unknown(struct policy_run *run, struct slice name, struct slice *out)
{
	if (log_wants(LOG_DEBUG))
		log_event(LOG_DEBUG, "macro", run->facts->session, NULL, "no value for %%{%.*s}",
			  SLICE_ARGS(name));
	*out = SLICE("");
	return NULL;
}

/* An SPF macro (RFC 7208 7.1), as far as 1.4 has it. */
struct spf {
	char letter;
	bool reverse;
	unsigned keep;	     /* that many parts from the right; 0: all */
	struct slice delims; /* empty: "." */
};

enum { SPF_ROOM = 640, SPF_PARTS_MAX = 256 };

static bool spf_parse(struct slice name, struct spf *out)
{
	size_t i = 1;

	if (name.len == 0 || !slice_has(SLICE("slodicpvht"), name.at[0]))
		return false;
	*out = (struct spf){ .letter = name.at[0] };
	for (; i < name.len && ascii_is_digit(name.at[i]); i++) {
		out->keep = out->keep * 10 + (unsigned)(name.at[i] - '0');
		if (out->keep > SPF_PARTS_MAX)
			out->keep = SPF_PARTS_MAX;
	}
	if (i > 1 && out->keep == 0)
		return false;
	if (i < name.len && name.at[i] == 'r') {
		out->reverse = true;
		i++;
	}
	out->delims = (struct slice){ name.at + i, name.len - i };
	for (; i < name.len; i++) {
		if (!slice_has(SLICE(".-+,/_="), name.at[i]))
			return false;
	}
	return true;
}

static struct slice postmaster(char room[SPF_ROOM], struct slice domain)
{
	int len = snprintf(room, SPF_ROOM, "postmaster@%.*s", SLICE_ARGS(domain));

	return (struct slice){ room, len < SPF_ROOM ? (size_t)len : SPF_ROOM - 1 };
}

/* RFC 7208 2.4, 4.3: postmaster@HELO for the null sender, postmaster for a missing local part. */
static struct slice spf_sender(const struct facts *f, char room[SPF_ROOM])
{
	struct slice from = f->mail != NULL ? f->mail->from : SLICE("");

	if (from.len == 0 && f->helo.len == 0)
		return from;
	if (from.len == 0)
		return postmaster(room, f->helo);
	return from.at[0] == '@' ? postmaster(room, address_domain(from)) : from;
}

/* Nibbles with dots between them, for `ir` in a DNS name. */
static struct slice spf_nibbles(const struct addr *a, char room[SPF_ROOM])
{
	char *to = room;
	uint64_t word;

	for (unsigned shift = 128; shift > 0;) {
		shift -= 4;
		word = shift >= 64 ? a->hi : a->lo;
		*to++ = "0123456789abcdef"[word >> shift % 64 & 15];
		*to++ = '.';
	}
	return (struct slice){ room, (size_t)(to - room) - 1 };
}

static struct slice spf_address(const struct addr *a, char letter, char room[SPF_ROOM])
{
	if (a->family == ADDR_NONE)
		return SLICE("");
	if (letter == 'i' && a->family == ADDR_V6)
		return spf_nibbles(a, room);
	return slice_of(addr_print(a, room));
}

static struct slice spf_value(const struct facts *f, char letter, char room[SPF_ROOM])
{
	struct slice local;

	switch (letter) {
	case 's':
		return spf_sender(f, room);
	case 'l':
		local = address_local(spf_sender(f, room));
		return local.len > 0 ? local : SLICE("postmaster");
	case 'o':
	case 'd':
		return address_domain(spf_sender(f, room));
	case 'i':
	case 'c':
		return spf_address(&f->peer, letter, room);
	case 'p':
		return SLICE("unknown");
	case 'v':
		return f->peer.family == ADDR_V6 ? SLICE("ip6") : SLICE("in-addr");
	case 'h':
		return f->helo;
	}
	snprintf(room, SPF_ROOM, "%" PRIu64, clock_wall_ms() / 1000); /* t */
	return slice_of(room);
}

static unsigned split(struct slice text, struct slice delims, struct slice part[SPF_PARTS_MAX])
{
	unsigned n = 0;
	size_t start = 0;

	for (size_t i = 0; i < text.len && n < SPF_PARTS_MAX - 1; i++) {
		if (!slice_has(delims, text.at[i]))
			continue;
		part[n++] = (struct slice){ text.at + start, i - start };
		start = i + 1;
	}
	part[n++] = (struct slice){ text.at + start, text.len - start };
	return n;
}

static const char *spf(struct policy_run *run, const struct spf *macro, struct slice *out)
{
	char room[SPF_ROOM];
	struct slice part[SPF_PARTS_MAX], value = spf_value(run->facts, macro->letter, room);
	bool as_it_is = macro->keep == 0 && !macro->reverse && macro->delims.len == 0;
	unsigned n, from;
	char *to;

	if (as_it_is || value.len == 0)
		return keep(run, value, out);
	n = split(value, macro->delims.len > 0 ? macro->delims : SLICE("."), part);
	to = arena_take(&run->arena, value.len);
	if (to == NULL)
		return value_no_memory;
	*out = (struct slice){ to, 0 };
	from = macro->keep > 0 && macro->keep < n ? n - macro->keep : 0;
	for (unsigned i = from; i < n; i++) {
		struct slice one = part[macro->reverse ? n - 1 - i : i];

		if (i > from)
			to[out->len++] = '.';
		if (one.len > 0)
			memcpy(to + out->len, one.at, one.len);
		out->len += one.len;
	}
	return NULL;
}

static const char *of_context(struct policy_run *run, enum ctx_kind kind, struct slice key,
			      struct slice *out)
{
	char room[FACTS_ROOM];
	struct slice value;

	if (!facts_get(run->facts, kind, key, room, &value))
		return unknown(run, key, out);
	return keep(run, value, out);
}

static const char *of_conn(struct policy_run *run, struct slice key, struct slice *out)
{
	return of_context(run, CTX_CONN, key, out);
}

static const char *of_mess(struct policy_run *run, struct slice key, struct slice *out)
{
	return of_context(run, CTX_MESS, key, out);
}

static const char *of_spf(struct policy_run *run, struct slice name, struct slice *out)
{
	struct spf macro;

	return spf_parse(name, &macro) ? spf(run, &macro, out) : unknown(run, name, out);
}

static const char *of_rfc822(struct policy_run *run, struct slice name, struct slice *out)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char text[48];
	struct tm tm;

	if (!slice_equal(name, SLICE("date")))
		return unknown(run, name, out);
	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return keep(run, slice_of(text), out);
}

/* The message's text is not at hand. */
static const char *of_rfc2822(struct policy_run *run, struct slice name, struct slice *out)
{
	return unknown(run, name, out);
}

static const struct {
	const char *prefix;
	const char *(*value)(struct policy_run *run, struct slice name, struct slice *out);
} prefixes[] = {
	{ "vctx_conn", of_conn }, { "vctx_mess", of_mess }, { "spfv1", of_spf },
	{ "rfc822", of_rfc822 }, { "rfc2822", of_rfc2822 },
};

/* D13: a name without a prefix is an SPF macro, or a key of the message, or of the connection. */
static const char *bare(struct policy_run *run, struct slice name, struct slice *out)
{
	char room[FACTS_ROOM];
	struct slice value;
	struct spf macro;

	if (spf_parse(name, &macro))
		return spf(run, &macro, out);
	if (facts_get(run->facts, CTX_MESS, name, room, &value))
		return keep(run, value, out);
	return of_conn(run, name, out);
}

const char *macro_value(struct policy_run *run, struct slice name, struct slice *out)
{
	struct slice rest, prefix = slice_cut(name, ':', &rest);

	if (prefix.len == name.len)
		return bare(run, name, out);
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (slice_equal(prefix, slice_of(prefixes[i].prefix)))
			return prefixes[i].value(run, rest, out);
	}
	return unknown(run, name, out);
}

/* Cuts the text at its first macro: what is before, its name, what follows. False: none. */
static bool next_macro(struct slice text, struct slice *before, struct slice *name,
		       struct slice *after)
{
	const char *open = text.len > 0 ? memmem(text.at, text.len, "%{", 2) : NULL;

	if (open == NULL)
		return false;
	*before = (struct slice){ text.at, (size_t)(open - text.at) };
	*name = slice_cut((struct slice){ open + 2, text.len - before->len - 2 }, '}', after);
	return name->at + name->len < text.at + text.len; /* it has an end */
}

const char *macro_expand(struct policy_run *run, struct slice text, struct slice *out)
{
	struct slice before, name, after, value;
	struct buf done;
	const char *wrong = NULL;

	if (!next_macro(text, &before, &name, &after)) {
		*out = text;
		return NULL;
	}
	buf_init(&done, POLICY_RUN_MEMORY);
	while (wrong == NULL && next_macro(text, &before, &name, &after)) {
		wrong = macro_value(run, name, &value);
		if (wrong == NULL && !(buf_add_slice(&done, before) && buf_add_slice(&done, value)))
			wrong = value_no_memory;
		text = after;
	}
	if (wrong == NULL && !buf_add_slice(&done, text))
		wrong = value_no_memory;
	if (wrong == NULL)
		wrong = keep(run, buf_slice(&done), out);
	buf_free(&done);
	return wrong;
}
