#include "smtp/xclient.h"

#include "smtp/xtext.h"

static const char not_a_pair[] = "501 5.5.4 Error: attribute=value expected";

syntax_fault attribute_take(struct slice *args, struct slice *name_out, struct buf *value_out)
{
	struct slice text, word = slice_cut(*args, ' ', args);

	*args = slice_trim(*args);
	*name_out = slice_cut(word, '=', &text);
	if (name_out->len == 0 || text.len == 0)
		return not_a_pair;
	buf_clear(value_out);
	return xtext_read(value_out, text) ? NULL : "501 5.5.4 Bad attribute value syntax";
}

bool xclient_addr(struct slice text, struct addr *out)
{
	static const struct slice tag = { "IPV6:", 5 };
	bool is_v6 = text.len > tag.len &&
		     slice_equal_nocase((struct slice){ text.at, tag.len }, tag);

	if (is_v6)
		text = (struct slice){ text.at + tag.len, text.len - tag.len };
	if (is_v6 && !slice_has(text, ':'))
		return false;
	return addr_parse_bare(text, out) == NULL;
}

static bool read_port(struct slice text, uint16_t *out)
{
	uint64_t port;

	if (text.len > 5 || !slice_number(text, UINT16_MAX, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

static void keep(char to[SMTP_DOMAIN_MAX + 1], struct slice text)
{
	memcpy(to, text.at, text.len);
	to[text.len] = '\0';
}

/* Of each: empty is what is not known. */
static bool set_name(struct xclient *x, struct slice value)
{
	struct addr ignored;

	if (value.len > 0 && (!syntax_is_domain(value) || xclient_addr(value, &ignored)))
		return false;
	keep(x->name, value);
	return true;
}

static bool set_helo(struct xclient *x, struct slice value)
{
	struct slice name;

	if (value.len > 0 && syntax_helo(value, &name) != NULL)
		return false;
	keep(x->helo, value);
	return true;
}

static bool set_login(struct xclient *x, struct slice value)
{
	if (value.len > SMTP_DOMAIN_MAX || !syntax_is_text(value))
		return false;
	keep(x->login, value);
	return true;
}

static bool set_proto(struct xclient *x, struct slice value)
{
	x->is_esmtp = slice_equal_nocase(value, SLICE("ESMTP"));
	return x->is_esmtp || slice_equal_nocase(value, SLICE("SMTP"));
}

static bool set_addr(struct xclient *x, struct slice value)
{
	x->addr = (struct addr){ 0 };
	return value.len == 0 || xclient_addr(value, &x->addr);
}

static bool set_dest_addr(struct xclient *x, struct slice value)
{
	x->dest_addr = (struct addr){ 0 };
	return value.len == 0 || xclient_addr(value, &x->dest_addr);
}

static bool set_port(struct xclient *x, struct slice value)
{
	x->port = 0;
	return value.len == 0 || read_port(value, &x->port);
}

static bool set_dest_port(struct xclient *x, struct slice value)
{
	x->dest_port = 0;
	return value.len == 0 || read_port(value, &x->dest_port);
}

static const struct {
	const char *name;
	bool (*set)(struct xclient *x, struct slice value);
	syntax_fault fault;
} attributes[] = {
	{ "NAME", set_name, "501 5.5.4 Bad NAME syntax" },
	{ "ADDR", set_addr, "501 5.5.4 Bad ADDR syntax" },
	{ "PORT", set_port, "501 5.5.4 Bad PORT syntax" },
	{ "PROTO", set_proto, "501 5.5.4 Bad PROTO syntax" },
	{ "HELO", set_helo, "501 5.5.4 Bad HELO syntax" },
	{ "LOGIN", set_login, "501 5.5.4 Bad LOGIN syntax" },
	{ "DESTADDR", set_dest_addr, "501 5.5.4 Bad DESTADDR syntax" },
	{ "DESTPORT", set_dest_port, "501 5.5.4 Bad DESTPORT syntax" },
};

static bool is_unknown(struct slice value)
{
	return slice_equal_nocase(value, SLICE("[UNAVAILABLE]")) ||
	       slice_equal_nocase(value, SLICE("[TEMPUNAVAIL]"));
}

static syntax_fault set(struct xclient *x, struct slice name, struct slice value)
{
	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
		if (!slice_equal_nocase(name, slice_of(attributes[i].name)))
			continue;
		if (is_unknown(value))
			value.len = 0;
		return attributes[i].set(x, value) ? NULL : attributes[i].fault;
	}
	return "501 5.5.4 Bad XCLIENT attribute name";
}

syntax_fault xclient_parse(struct slice args, struct xclient *out)
{
	struct slice name;
	struct buf value;
	syntax_fault fault;

	*out = (struct xclient){ 0 };
	if (args.len == 0)
		return "501 5.5.4 Syntax: XCLIENT attribute=value...";
	buf_init(&value, SMTP_COMMAND_MAX);
	do {
		fault = attribute_take(&args, &name, &value);
		if (fault == NULL)
			fault = set(out, name, buf_slice(&value));
	} while (fault == NULL && args.len > 0);
	buf_free(&value);
	return fault;
}
