#include "smtp/syntax.h"

#include "base/addr.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include "smtp/smtp.h"

/* Postfix's words, where it has some: they are what people search for. */
static const char mail_usage[] = "501 5.5.4 Syntax: MAIL FROM:<address>";
static const char rcpt_usage[] = "501 5.5.4 Syntax: RCPT TO:<address>";
static const char bad_recipient[] = "501 5.1.3 Bad recipient address syntax";
static const char bad_size[] = "501 5.5.4 Bad message size syntax";
static const char undeclared_utf8[] = "553 5.6.7 Must declare SMTPUTF8 to send unicode address";
static const char unsupported[] = "555 5.5.4 Unsupported option";

struct command command_split(struct slice line)
{
	struct command c;

	/* Blanks at the end: RFC 5321 4.1.1 wants them tolerated. */
	c.verb = slice_cut(slice_trim(line), ' ', &c.args);
	c.args = slice_trim(c.args);
	return c;
}

static bool is_alnum(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c);
}

static bool is_8bit(char c)
{
	return (unsigned char)c > 127;
}

static bool has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_8bit(s.at[i]))
			return true;
	return false;
}

static bool eat(struct slice *s, char c)
{
	if (s->len == 0 || *s->at != c)
		return false;
	s->at++, s->len--;
	return true;
}

static struct slice take(struct slice *s, size_t len)
{
	struct slice head = { s->at, len };

	s->at += len, s->len -= len;
	return head;
}

/* Takes what stands before c and c itself; false: there is no c. */
static bool take_before(struct slice *s, char c, struct slice *out)
{
	*out = slice_cut(*s, c, s);
	return s->at > out->at + out->len;
}

/* At the start of a character: the controls of ASCII, and U+0080..U+009F. */
static bool is_control(struct slice s)
{
	return ascii_is_control(*s.at) ||
	       ((unsigned char)s.at[0] == 0xc2 && (unsigned char)s.at[1] < 0xa0);
}

bool syntax_is_text(struct slice s)
{
	while (s.len > 0) {
		size_t len = utf8_len(s);

		if (len == 0 || is_control(s))
			return false;
		take(&s, len);
	}
	return true;
}

/* Letters, digits, hyphens; underscores, which Windows hosts have and Postfix takes; U-labels. */
static bool is_label(struct slice s)
{
	size_t characters = 0;

	if (s.len == 0 || s.at[0] == '-' || s.at[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '_' && !is_8bit(s.at[i]))
			return false;
		characters += (s.at[i] & 0xc0) != 0x80;
	}
	/* The limit is one of the A-label, which is often shorter than the UTF-8. */
	return characters <= 63;
}

bool syntax_is_domain(struct slice text)
{
	struct slice label, rest = text;

	if (text.len == 0 || text.len > SMTP_DOMAIN_MAX || !syntax_is_text(text))
		return false;
	while (take_before(&rest, '.', &label))
		if (!is_label(label))
			return false;
	return is_label(label);
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3) */
static bool is_literal(struct slice s)
{
	static const struct slice tag = { "IPv6:", 5 };
	struct addr ignored;
	bool is_v6;

	if (!eat(&s, '[') || s.len == 0 || s.at[s.len - 1] != ']')
		return false;
	s.len--;
	is_v6 = s.len > tag.len && slice_equal_nocase((struct slice){ s.at, tag.len }, tag);
	if (is_v6)
		take(&s, tag.len);
	return is_v6 == slice_has(s, ':') && addr_parse_bare(s, &ignored) == NULL;
}

syntax_fault syntax_helo(struct slice args, struct slice *name_out)
{
	*name_out = args;
	if (args.len == 0)
		return "501 5.5.4 Syntax: EHLO hostname";
	/* Honest clients send odd names, and RFC 5321 4.1.4 forbids refusing mail for them: a
	 * policy may. Only what could not be logged or written into a header is refused. */
	if (args.len > SMTP_DOMAIN_MAX || !syntax_is_text(args))
		return "501 5.5.2 Helo command rejected: Invalid name";
	return NULL;
}

static bool is_atext(char c)
{
	return is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dots may stand anywhere: the grammar forbids `a..b` and `a.`, large providers hand them out. */
static size_t dot_string_len(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len && (is_atext(s.at[i]) || s.at[i] == '.'); i++)
		continue;
	return i;
}

/* Only where the quotes end: syntax_is_text() has looked at, or will look at, the octets. */
static size_t quoted_string_len(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '"')
			return i + 1;
		if (s.at[i] == '\\' && (++i == s.len || is_8bit(s.at[i])))
			return 0;
	}
	return 0;
}

static size_t local_part_len(struct slice s)
{
	return s.len > 0 && *s.at == '"' ? quoted_string_len(s) : dot_string_len(s);
}

/* "@one,@two:" before the mailbox. */
static bool skip_route(struct slice *s)
{
	struct slice route, hop;
	bool more;

	if (s->len == 0 || *s->at != '@')
		return true;
	if (!take_before(s, ':', &route))
		return false;
	do {
		more = take_before(&route, ',', &hop);
		if (!eat(&hop, '@') || !syntax_is_domain(hop))
			return false;
	} while (more);
	return s->len > 0 && *s->at != '>';
}

/* Takes "<...>" from the front of s. An empty one, or no domain: the caller knows what is legal. */
static bool take_path(struct slice *s, struct path *out)
{
	const char *start;

	if (!eat(s, '<') || !skip_route(s))
		return false;
	start = s->at;
	if (eat(s, '>')) {
		out->address = (struct slice){ start, 0 };
		return true;
	}
	out->local = take(s, local_part_len(*s));
	if (out->local.len == 0 || !syntax_is_text(out->local))
		return false;
	if (eat(s, '@')) {
		if (!take_before(s, '>', &out->domain))
			return false;
		out->is_literal = is_literal(out->domain);
		if (!out->is_literal && !syntax_is_domain(out->domain))
			return false;
	} else if (!eat(s, '>')) {
		return false;
	}
	out->address = (struct slice){ start, (size_t)(s->at - 1 - start) };
	out->is_utf8 = has_8bit(out->address);
	return true;
}

static bool is_too_long(const struct path *p)
{
	return p->address.len + 2 > SMTP_PATH_MAX; /* the limit counts the brackets */
}

/* "FROM:" and the one blank that many clients put after it. */
static bool take_label(struct slice *s, struct slice label)
{
	if (s->len < label.len || !slice_equal_nocase((struct slice){ s->at, label.len }, label))
		return false;
	take(s, label.len);
	eat(s, ' ');
	return s->len > 0;
}

static syntax_fault set_size(struct mail_params *p, struct slice value, bool has_value)
{
	uint64_t size = 0;

	if (!has_value || value.len == 0 || value.len > 20) /* RFC 1870: 1*20DIGIT */
		return bad_size;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < '0' || value.at[i] > '9')
			return bad_size;
	for (size_t i = 0; i < value.len; i++)
		if (__builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, (uint64_t)(value.at[i] - '0'), &size))
			return "552 5.3.4 Message size exceeds fixed limit";
	p->has_size = true;
	p->size = size;
	return NULL;
}

static syntax_fault set_body(struct mail_params *p, struct slice value, bool has_value)
{
	if (!has_value || value.len == 0)
		return "501 5.5.4 Bad BODY parameter syntax";
	if (slice_equal_nocase(value, SLICE("7BIT")))
		p->body = BODY_7BIT;
	else if (slice_equal_nocase(value, SLICE("8BITMIME")))
		p->body = BODY_8BITMIME;
	else
		return "555 5.5.4 Unsupported option: BODY"; /* BINARYMIME (RFC 3030) */
	return NULL;
}

static syntax_fault set_smtputf8(struct mail_params *p, struct slice value, bool has_value)
{
	(void)value;
	if (has_value)
		return "501 5.5.4 SMTPUTF8 takes no value";
	p->smtputf8 = true;
	return NULL;
}

static const struct {
	struct slice keyword;
	syntax_fault (*set)(struct mail_params *p, struct slice value, bool has_value);
} mail_params[] = {
	{ { "SIZE", 4 }, set_size },
	{ { "BODY", 4 }, set_body },
	{ { "SMTPUTF8", 8 }, set_smtputf8 },
};

enum { MAIL_PARAMS = sizeof mail_params / sizeof *mail_params };

static syntax_fault read_param(struct slice word, struct mail_params *p, unsigned *seen)
{
	struct slice keyword, value = word;
	bool has_value = take_before(&value, '=', &keyword);

	for (unsigned i = 0; i < MAIL_PARAMS; i++) {
		if (!slice_equal_nocase(keyword, mail_params[i].keyword))
			continue;
		if (*seen & 1U << i)
			return "501 5.5.4 Parameter given twice";
		*seen |= 1U << i;
		return mail_params[i].set(p, value, has_value);
	}
	return unsupported;
}

static syntax_fault read_params(struct slice args, struct mail_params *p)
{
	unsigned seen = 0;

	while (args.len > 0) {
		struct slice word = slice_cut(args, ' ', &args);
		syntax_fault fault = word.len > 0 ? read_param(word, p, &seen) : NULL;

		if (fault != NULL)
			return fault;
	}
	return NULL;
}

syntax_fault syntax_mail(struct slice args, struct mail_command *out)
{
	syntax_fault fault;

	*out = (struct mail_command){ 0 };
	if (!take_label(&args, SLICE("FROM:")))
		return mail_usage;
	if (!take_path(&args, &out->from) || (out->from.local.len > 0 && out->from.domain.len == 0))
		return "501 5.1.7 Bad sender address syntax";
	if (is_too_long(&out->from))
		return "501 5.1.7 Path too long";
	if (args.len > 0 && *args.at != ' ')
		return mail_usage;
	fault = read_params(args, &out->params);
	if (fault == NULL && out->from.is_utf8 && !out->params.smtputf8)
		fault = undeclared_utf8;
	return fault;
}

syntax_fault syntax_rcpt(struct slice args, struct path *out)
{
	*out = (struct path){ 0 };
	if (!take_label(&args, SLICE("TO:")))
		return rcpt_usage;
	if (!take_path(&args, out) || out->local.len == 0)
		return bad_recipient;
	/* RFC 5321 4.5.1: the one local part that needs no domain */
	if (out->domain.len == 0 && !slice_equal_nocase(out->address, SLICE("postmaster")))
		return bad_recipient;
	if (is_too_long(out))
		return "501 5.1.3 Path too long";
	if (args.len == 0)
		return NULL;
	return *args.at == ' ' ? unsupported : rcpt_usage;
}
