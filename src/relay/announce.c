#include "relay/announce.h"

#include "base/check.h"
#include "smtp/xtext.h"

/* A value that gets longer is not told: no name that means anything does. */
enum { VALUE_MAX = 255 };

struct attribute {
	struct slice name;
	bool (*write)(const struct relay_client *c, struct buf *out); /* false: unknown */
};

static bool write_text(struct slice text, struct buf *out)
{
	return text.len > 0 && xtext_write(out, text);
}

static bool write_name(const struct relay_client *c, struct buf *out)
{
	return write_text(c->name, out);
}

static bool write_addr(const struct addr *a, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	return a->family != ADDR_NONE &&
	       buf_printf(out, "%s%s", a->family == ADDR_V6 ? "IPV6:" : "", addr_print(a, text));
}

static bool write_peer(const struct relay_client *c, struct buf *out)
{
	return write_addr(&c->peer, out);
}

static bool write_peer_port(const struct relay_client *c, struct buf *out)
{
	return c->peer_port != 0 && buf_printf(out, "%u", c->peer_port);
}

static bool write_proto(const struct relay_client *c, struct buf *out)
{
	return buf_printf(out, "%s", c->extended ? "ESMTP" : "SMTP");
}

static bool write_helo(const struct relay_client *c, struct buf *out)
{
	return write_text(c->helo, out);
}

static bool write_login(const struct relay_client *c, struct buf *out)
{
	return write_text(c->login, out);
}

static bool write_local(const struct relay_client *c, struct buf *out)
{
	return write_addr(&c->local, out);
}

static bool write_local_port(const struct relay_client *c, struct buf *out)
{
	return c->local_port != 0 && buf_printf(out, "%u", c->local_port);
}

static const struct attribute attributes[] = {
	{ { "NAME", 4 }, write_name },	   { { "ADDR", 4 }, write_peer },
	{ { "PORT", 4 }, write_peer_port }, { { "PROTO", 5 }, write_proto },
	{ { "HELO", 4 }, write_helo },	   { { "LOGIN", 5 }, write_login },
	{ { "DESTADDR", 8 }, write_local }, { { "DESTPORT", 8 }, write_local_port },
	{ { "REVERSE_NAME", 12 }, write_name }, /* Postfix's own: else it stays our own */
};
enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

unsigned announce_attributes(struct slice words)
{
	unsigned found = 0;

	while (words.len > 0) {
		struct slice word = slice_cut(words, ' ', &words);

		for (unsigned i = 0; i < ATTRIBUTES; i++) {
			if (slice_equal_nocase(word, attributes[i].name))
				found |= 1u << i;
		}
	}
	return found;
}

static void write_attribute(const struct attribute *a, const struct relay_client *c,
			    struct buf *out)
{
	struct buf value;

	buf_init(&value, VALUE_MAX);
	CHECK(buf_printf(out, " %s=", a->name.at));
	if (a->write(c, &value))
		CHECK(buf_add_slice(out, buf_slice(&value)));
	else
		CHECK(buf_printf(out, "[UNAVAILABLE]"));
	buf_free(&value);
}

char *announce_xclient(const struct relay_client *client, unsigned wanted)
{
	struct buf line;

	buf_init(&line, 0);
	CHECK(buf_printf(&line, "XCLIENT"));
	for (unsigned i = 0; i < ATTRIBUTES; i++) {
		if (wanted & 1u << i)
			write_attribute(&attributes[i], client, &line);
	}
	buf_text(&line);
	return line.at; /* zero-terminated by buf_text */
}

struct slice announce_helo(const struct relay_client *client, const char *hostname)
{
	return client->helo.len > 0 ? client->helo : slice_of(hostname);
}
