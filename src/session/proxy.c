/*
 * proxy - a session behind a balancer, before it is known whose it is. It holds slots of the caps
 * that are of no Peer, and is in no count (D76): the balancer's address is not the client's.
 */
#include "session/inside.h"

#include "base/clock.h"
#include "net/proxy_header.h"

void proxy_await(struct session *s)
{
	if (!cidr_list_has(&s->door->proxy_hosts, &s->facts.peer)) {
		session_log_unproxied(s, "it is none of Proxy_Hosts");
		session_end(s, END_REFUSED);
		return;
	}
	if (!session_take_outer_caps(s))
		return;
	s->wait = WAIT_PROXY; /* not parked: it reads, if only this */
	session_be_patient(s);
}

static void proxied(struct session *s, const struct proxy_header *header)
{
	struct addr peer = header->is_own ? s->facts.peer : header->from;
	uint16_t port = header->is_own ? s->facts.peer_port : header->from_port;

	if (!header->is_own) {
		s->facts.local = header->to;
		s->facts.local_port = header->to_port;
	}
	session_unpark(s);
	s->heard_ms = s->waiting_ms = clock_ms();
	session_be_patient(s);
	session_arrive(s, &peer, port);
}

void proxy_read(struct session *s)
{
	char room[PROXY_HEADER_MAX];
	struct proxy_header header;
	struct slice bytes;
	const char *why;

	switch (stream_peek(&s->client, room, sizeof room, &bytes)) {
	case STREAM_GOT:
		break;
	case STREAM_OVER:
		session_end(s, END_HANGUP);
		return;
	case STREAM_NOTHING:
	case STREAM_BARE:
	case STREAM_LONG:
		return;
	}
	switch (proxy_header_read(bytes, &header, &why)) {
	case PROXY_MORE:
		if (s->client.fin)
			session_end(s, END_HANGUP);
		return;
	case PROXY_BAD:
		session_log_unproxied(s, why);
		session_end(s, END_REFUSED);
		return;
	case PROXY_DONE:
		stream_drop_input(&s->client, header.len);
		proxied(s, &header);
		session_settle(s);
		if (!s->ended && s->wait == WAIT_NONE)
			stream_again(&s->client); /* what came with the header is no news now */
		return;
	}
}
