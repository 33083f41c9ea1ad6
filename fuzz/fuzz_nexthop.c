// room: relay
/* A next hop that says the input, a part (up to a 0xff) after each thing that it hears. */
#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/stream.h"
#include "relay/pool.h"
#include "relay/relay.h"

static struct loop *loop;
static struct jobs *jobs;
static struct hop hop = { .kind = HOP_ADDR };
static const struct route route = { .hops = &hop,
				    .count = 1,
				    .manner = { .idle_ms = 1000, .xclient = true } };
static int listener;
static struct stream peer;
static struct slice script;
static bool told;

static void hear(void *owner, enum stream_news news)
{
	struct slice heard;

	(void)owner, (void)news;
	while (stream_bytes(&peer, &heard) == STREAM_GOT)
		stream_eat(&peer, heard.len);
	stream_write(&peer, slice_cut(script, '\xff', &script));
	stream_flush(&peer);
	if (script.len == 0)
		stream_close(&peer); /* what it has not said by now it never will */
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK);

	(void)what, (void)arg;
	if (accepted < 0)
		return;
	stream_close(&peer);
	stream_open(&peer, loop, accepted, hear, NULL);
	hear(NULL, STREAM_INPUT);
}

static void set_up(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	log_set_level(LOG_ERROR);
	loop = loop_new();
	jobs = jobs_new(1);
	peer.fd = -1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 8) == 0);
	assert(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	addr_from_sockaddr((struct sockaddr *)&at, &hop.addr, &hop.port);
	event_add(event_new(loop_base(loop), listener, EV_READ | EV_PERSIST, on_accept, NULL),
		  NULL);
	relay_timeouts = (struct relay_timeouts){ 50, 20, 20, 20, 20, 20, 20, 20, 20 };
}

static void said(void *owner)
{
	(void)owner;
	told = true;
}

static bool accepted(enum relay_step step, const struct reply *reply)
{
	while (step == RELAY_WAIT && !told)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	told = false;
	assert(reply->code >= 200 && reply->code < 600 && reply->code / 100 != 3);
	return reply->code / 100 == 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct relay_client client = { .helo = SLICE("client.example"), .extended = true };
	struct relay_world world = { loop, NULL, jobs, "edge.example", NULL };
	const struct mail_command mail = { .from.address = SLICE("a@b") };
	const struct path to = { .address = SLICE("c@d") };
	struct reply reply = { 0 };
	struct message *m;
	struct relay *r;

	if (loop == NULL) {
		set_up();
		return LLVMFuzzerTestOneInput(data, size);
	}
	script = (struct slice){ (const char *)data, size };
	m = message_new(loop, jobs, "/tmp", 1000, NULL, NULL);
	message_add(m, SLICE("Subject: x\r\n\r\n.\r\n"));
	message_finish(m);
	world.pool = pool_new(loop);
	/* The second goes on where the first was; so may the third. */
	for (uint16_t i = 0; i < 3; i++) {
		client.peer_port = i;
		r = relay_new(&world, &route, &client, i, &reply, said, NULL);
		if (accepted(relay_mail(r, &mail), &reply) &&
		    accepted(relay_rcpt(r, &to), &reply) && i != 1)
			accepted(relay_message(r, m), &reply);
		relay_free(r);
	}
	pool_free(world.pool);
	message_unref(m);
	stream_close(&peer);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	reply_free(&reply);
	return 0;
}
