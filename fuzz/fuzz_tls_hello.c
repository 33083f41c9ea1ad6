// room: net
/* What a client may send instead of, or as, the beginning of its handshake, and then FIN. There is
 * no certificate: it always ends as broken, once, and with a reason. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;

static void hear(void *owner, enum stream_news news)
{
	struct stream *s = owner;

	CHECK(news == STREAM_BROKEN && strlen(stream_error(s)) > 0);
	stream_close(s);
	loop_stop(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_context *ctx = tls_server_new();
	struct stream s;
	int fds[2];

	loop = loop_new();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 &&
	      fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	stream_open(&s, loop, fds[0], hear, &s);
	stream_secure(&s, ctx, NULL);
	for (size_t sent = 0; sent < size && sent < 100000;) {
		ssize_t n = send(fds[1], data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	shutdown(fds[1], SHUT_WR);
	loop_run(loop);
	close(fds[1]);
	tls_unref(ctx);
	loop_free(loop);
	return 0;
}
