#include <stdlib.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "relay/route.h"

enum { SMTP_PORT = 25, HOST_MAX = 253 };

static const char expected[] =
	"expected HOST, HOST:PORT, [IPV6]:PORT, smtp://HOST?pref=N or maildir:PATH";

static bool starts_with(struct slice *text, struct slice word)
{
	if (text->len < word.len || !slice_equal_nocase((struct slice){ text->at, word.len }, word))
		return false;
	text->at += word.len;
	text->len -= word.len;
	return true;
}

/* No sign, no leading zero. */
static bool number_parse(struct slice text, uint64_t max, uint64_t *out)
{
	return slice_number(text, max, out) && (text.len == 1 || text.at[0] != '0');
}

static const char *port_parse(struct slice text, struct hop *out)
{
	uint64_t port;

	if (!number_parse(text, UINT16_MAX, &port) || port == 0)
		return "not a port, expected 1 to 65535";
	out->port = (uint16_t)port;
	return NULL;
}

static bool is_label(struct slice label)
{
	if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.at[i];

		if (!ascii_is_letter(c) && !ascii_is_digit(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* RFC 1123 2.1, with underscores: a name that ends in a number is an address that is none. */
static bool is_host(struct slice host)
{
	struct slice label = host, rest = host;
	uint64_t number;

	if (host.len == 0 || host.len > HOST_MAX || host.at[host.len - 1] == '.')
		return false;
	while (rest.len > 0) {
		label = slice_cut(rest, '.', &rest);
		if (!is_label(label))
			return false;
	}
	return !slice_number(label, UINT64_MAX, &number);
}

static const char *host_parse(struct slice host, struct hop *out)
{
	bool bracketed = host.len > 0 && host.at[0] == '[';
	struct addr addr;

	/* localhost is a name here: it may have addresses of either family. */
	if (addr_parse(host, &addr) == NULL && !slice_equal_nocase(host, SLICE("localhost"))) {
		if (bracketed && memchr(host.at, ':', host.len) == NULL)
			return "an IPv4 address in [..], expected ADDRESS:PORT";
		out->kind = HOP_ADDR;
		out->addr = addr;
	} else if (!bracketed && is_host(host)) {
		out->kind = HOP_HOST;
	} else {
		return expected;
	}
	out->name = mem_strndup(host.at, host.len);
	return NULL;
}

static const char *host_port_parse(struct slice text, struct hop *out)
{
	const char *end = text.at + text.len, *close = memchr(text.at, ']', text.len);
	const char *from = text.len > 0 && text.at[0] == '[' && close != NULL ? close : text.at;
	const char *colon = memchr(from, ':', (size_t)(end - from));
	const char *wrong = NULL;

	if (colon == NULL)
		return host_parse(text, out);
	if (memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
		return "an IPv6 address without brackets, expected [ADDRESS] or [ADDRESS]:PORT";
	wrong = port_parse((struct slice){ colon + 1, (size_t)(end - colon - 1) }, out);
	return wrong ? wrong
		     : host_parse((struct slice){ text.at, (size_t)(colon - text.at) }, out);
}

static const char *parameter_parse(struct slice one, struct hop *out)
{
	struct slice value, key = slice_cut(one, '=', &value);
	uint64_t n;

	if (slice_equal(key, SLICE("port")))
		return port_parse(value, out);
	if (slice_equal(key, SLICE("type"))) {
		out->by_mx = slice_equal_nocase(value, SLICE("mx"));
		return out->by_mx || slice_equal_nocase(value, SLICE("a"))
			       ? NULL
			       : "not a type, expected mx or a";
	}
	if (!slice_equal(key, SLICE("pref")) && !slice_equal(key, SLICE("ttl")))
		return "unknown parameter, expected pref, ttl, port or type";
	if (!number_parse(value, key.at[0] == 'p' ? UINT16_MAX : UINT32_MAX, &n))
		return "not a number after pref= or ttl=";
	if (key.at[0] == 'p')
		out->pref = (uint16_t)n;
	return NULL;
}

static const char *url_parse(struct slice text, struct hop *out)
{
	struct slice parameters, one, host = slice_cut(text, '?', &parameters);
	const char *wrong;

	if (host.len > 0 && host.at[host.len - 1] == '/')
		host.len--;
	wrong = host_port_parse(host, out);
	while (wrong == NULL && parameters.len > 0) {
		one = slice_cut(parameters, '&', &parameters);
		wrong = parameter_parse(one, out);
	}
	if (wrong == NULL && out->by_mx && out->kind != HOP_HOST)
		wrong = "type=mx of an address, expected a host name";
	return wrong;
}

const char *hop_parse(struct slice text, struct hop *out)
{
	const char *wrong;

	*out = (struct hop){ .port = SMTP_PORT };
	if (text.len == 0 || memchr(text.at, '\0', text.len) != NULL)
		return expected;
	if (slice_equal_nocase(text, SLICE("__mx__")))
		return "__mx__ is not available, expected a host";
	if (starts_with(&text, SLICE("maildir:"))) {
		if (text.len == 0)
			return "no path, expected maildir:PATH";
		out->kind = HOP_MAILDIR;
		out->name = mem_strndup(text.at, text.len);
		return NULL;
	}
	wrong = starts_with(&text, SLICE("smtp://")) ? url_parse(text, out)
						     : host_port_parse(text, out);
	if (wrong != NULL) {
		free(out->name);
		*out = (struct hop){ 0 };
	}
	return wrong;
}
