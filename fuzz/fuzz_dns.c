// room: net
/* A name server that answers each question with the input: a byte how many records, then they. */
#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dns.h"

enum { QUESTION_MAX = 300, ANSWER_MAX = 400 };

static struct loop *loop;
static int server;
static char where[32];
static const uint8_t *input;
static size_t input_len;
static unsigned said;

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	uint8_t text[QUESTION_MAX + ANSWER_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from;
	ssize_t len = recvfrom(fd, text, QUESTION_MAX, 0, (struct sockaddr *)&from, &from_len);
	ssize_t end = 12;

	(void)what, (void)arg;
	if (len < 12)
		return;
	while (end < len && text[end] != 0)
		end += text[end] + 1;
	end += 5;
	assert(end <= len);
	memcpy(text + 2, "\x81\x80\0\1\0\0\0\0\0\0", 10);
	text[7] = input[0];
	memcpy(text + end, input + 1, input_len - 1);
	sendto(fd, text, (size_t)end + input_len - 1, 0, (struct sockaddr *)&from, from_len);
}

static void set_up(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	loop = loop_new();
	dns_try_ms = 20;
	server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert(bind(server, (struct sockaddr *)&at, sizeof at) == 0);
	assert(getsockname(server, (struct sockaddr *)&at, &len) == 0);
	snprintf(where, sizeof where, "127.0.0.1:%u", ntohs(at.sin_port));
	event_add(event_new(loop_base(loop), server, EV_READ | EV_PERSIST, on_question, NULL),
		  NULL);
}

static void addrs_said(void *owner, enum dns_status status, const struct addr *addrs,
		       unsigned count)
{
	(void)owner, (void)addrs;
	assert(status == DNS_FOUND ? count >= 1 && count <= DNS_ADDRS_MAX : count == 0);
	said++;
}

static void mx_said(void *owner, enum dns_status status, const struct dns_mx *mx, unsigned count)
{
	(void)owner;
	assert(count <= DNS_MX_MAX && (status == DNS_FOUND || count == 0));
	for (unsigned i = 0; i < count; i++)
		assert(strlen(mx[i].name) > 0 && (i == 0 || mx[i - 1].pref <= mx[i].pref));
	said++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns *dns;

	if (loop == NULL)
		set_up();
	if (size == 0 || size > ANSWER_MAX)
		return 0;
	input = data;
	input_len = size;
	said = 0;
	dns = dns_new(loop, where);
	dns_mx(dns, "a.test", mx_said, NULL);
	dns_addrs(dns, "a.test", addrs_said, NULL);
	while (said < 2)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	dns_mx(dns, "a.test", mx_said, NULL);
	while (said < 3)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	dns_free(dns);
	return 0;
}
