#include "net/endpoint.h"

#include <stddef.h>
#include <stdio.h>

static const char expected[] =
	"expected ADDRESS:PORT, *:PORT, [*]:PORT, [IPV6]:PORT or a path with '/'";

/* 1..65535, no sign, no leading zero */
static bool port_parse(struct slice text, uint16_t *out)
{
	uint64_t port;

	if (!slice_number(text, UINT16_MAX, &port) || text.at[0] == '0')
		return false;
	*out = (uint16_t)port;
	return true;
}

static const char *unix_parse(struct slice text, struct endpoint *out)
{
	if (text.len >= sizeof out->path)
		return "the path is too long for a socket, expected at most 107 octets";
	memcpy(out->path, text.at, text.len);
	return NULL;
}

/* Where the port's ':' stands; NULL: there is none. */
static const char *port_colon(struct slice text)
{
	const char *end =
		text.len > 0 && text.at[0] == '[' ? memchr(text.at, ']', text.len) : text.at;

	return end == NULL ? NULL : memchr(end, ':', text.len - (size_t)(end - text.at));
}

static const char *host_parse(struct slice host, struct addr *out)
{
	bool bracketed = host.len > 0 && host.at[0] == '[';

	if (host.len == 0 || slice_equal(host, SLICE("*"))) { /* T9 */
		*out = (struct addr){ .family = ADDR_V4 };
		return NULL;
	}
	if (slice_equal(host, SLICE("[*]"))) {
		*out = (struct addr){ .family = ADDR_V6 };
		return NULL;
	}
	if (addr_parse(host, out) != NULL)
		return expected;
	if (bracketed && memchr(host.at, ':', host.len) == NULL)
		return "an IPv4 address in [..], expected ADDRESS:PORT";
	return NULL;
}

const char *endpoint_parse(struct slice text, struct endpoint *out)
{
	const char *colon = port_colon(text);
	struct slice host;
	struct addr bare;

	*out = (struct endpoint){ 0 };
	if (text.len == 0 || memchr(text.at, '\0', text.len) != NULL)
		return expected;
	if (memchr(text.at, '/', text.len) != NULL)
		return unix_parse(text, out);
	if (colon != NULL && text.at[0] != '[' &&
	    memchr(colon + 1, ':', (size_t)(text.at + text.len - colon - 1)) != NULL)
		return "an IPv6 address without brackets, expected [ADDRESS]:PORT";
	if (colon == NULL)
		return addr_parse(text, &bare) == NULL ? "no port, expected ADDRESS:PORT"
						       : expected;
	host = (struct slice){ text.at, (size_t)(colon - text.at) };
	if (host.len > 0 && host.at[0] == '[' && host.at[host.len - 1] != ']')
		return expected;
	if (!port_parse((struct slice){ colon + 1, text.len - host.len - 1 }, &out->port))
		return "not a port, expected 1 to 65535";
	return host_parse(host, &out->addr);
}

bool endpoint_is_unix(const struct endpoint *e)
{
	return e->addr.family == ADDR_NONE;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port &&
	       strcmp(a->path, b->path) == 0;
}

socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	struct sockaddr_un *un = (void *)out;

	if (!endpoint_is_unix(e))
		return addr_to_sockaddr(&e->addr, e->port, out);
	memset(out, 0, sizeof *out);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, e->path, sizeof un->sun_path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(e->path) + 1);
}

const char *endpoint_print(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	bool any = e->addr.hi == 0 && e->addr.lo == 0;

	if (endpoint_is_unix(e))
		snprintf(out, ENDPOINT_TEXT_MAX, "%s", e->path);
	else if (any)
		snprintf(out, ENDPOINT_TEXT_MAX, e->addr.family == ADDR_V4 ? "*:%u" : "[*]:%u",
			 e->port);
	else
		addr_port_print(&e->addr, e->port, out);
	return out;
}
