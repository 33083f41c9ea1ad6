/*
 * stream - one byte stream with a peer, and its few news.
 *
 * Protocol code never sees EAGAIN, a partial line or an epoll flag. It pulls: when told INPUT it
 * takes lines or bytes until there are no more, and takes none while it is waiting for something
 * else (stream_pause): then what the peer sends stays in the socket, and back-pressure is free. A
 * paused stream still notices that its peer went away (T10).
 *
 * The stream owns the descriptor. It holds a buffer only while something is in it: reading goes
 * through one buffer a thread. A slice that it gave out dies with the next call on any stream.
 *
 * Callbacks come from the loop, never from inside a call on the stream. After stream_close no more
 * come; the struct may be freed at the end of the turn (loop_bury).
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "net/endpoint.h"
#include "net/loop.h"
#include "net/tls.h"

enum stream_news {
	STREAM_CONNECTED, /* stream_connect worked */
	STREAM_INPUT,	  /* take it */
	STREAM_DRAINED,	  /* all output has left, after some could not at once */
	STREAM_ENDED,	  /* the peer sent FIN, and nothing unread is left */
	STREAM_BROKEN,	  /* reset, or it could not connect: stream_error() tells */
	STREAM_SECURED,	  /* the handshake that stream_secure began is done */
};

typedef void stream_hear(void *owner, enum stream_news news);

struct stream {
	struct event event;
	struct loop *loop;
	stream_hear *hear;
	void *owner;
	struct slice view;	/* unread, in the thread's buffer or in `in` */
	struct buf in;		/* unread, kept between turns */
	struct buf out;		/* not yet sent */
	struct tls_link *tls;	/* NULL: in the clear */
	int fd;			/* -1: closed */
	int error;		/* errno of what broke it */
	uint32_t dropped;	/* octets, of a line that is too long or spoilt */
	bool connecting : 1;
	bool shaking : 1;	/* in the TLS handshake */
	bool readable : 1;	/* the socket may have more */
	bool unsure : 1;	/* it has no more, but a reset may be behind what was read */
	bool paused : 1;
	bool fin : 1;		/* the peer has sent FIN */
	bool drained_wanted : 1;
	bool skipping : 1;	/* inside a line that is too long */
	bool spoilt : 1;	/* behind a bare LF, before the CRLF */
};

/* Takes fd, non-blocking. First news: INPUT, when there is any. */
void stream_open(struct stream *s, struct loop *loop, int fd, stream_hear *hear, void *owner);
/* CONNECTED or BROKEN comes later. false: no socket could be made, stream_error() tells. */
bool stream_connect(struct stream *s, struct loop *loop, const struct endpoint *to,
		    stream_hear *hear, void *owner) __attribute__((warn_unused_result));
void stream_close(struct stream *s); /* what is not sent yet is lost; twice is harmless */
bool stream_is_broken(const struct stream *s);
/* What broke it, in words. */
const char *stream_error(const struct stream *s);

/*
 * From here on there is TLS on it. What was unread is forgotten: it came in the clear. All output
 * must have left. SECURED or BROKEN comes later, paused or not, and nothing before; how long to
 * wait for it is the owner's affair. Takes its own reference to ctx, which says whether we are the
 * server or the client; peer_name is whom a client wants to talk to, or NULL.
 */
void stream_secure(struct stream *s, struct tls_context *ctx, const char *peer_name);
/* NULL: in the clear, or in the handshake. Dies with the stream. */
const struct tls_info *stream_tls(const struct stream *s);

enum stream_got {
	STREAM_NOTHING, /* no whole line (or no byte) now; INPUT comes when there is more */
	STREAM_GOT,
	STREAM_BARE, /* a line with a bare CR or LF in it: told once, eaten up to its CRLF */
	STREAM_LONG, /* a line longer than max; it has been eaten whole */
	STREAM_OVER, /* the peer has sent FIN, or the stream is broken: no more will come */
};

/* A line without its CRLF, at most max octets with it. */
enum stream_got stream_line(struct stream *s, size_t max, struct slice *line_out);
/* The line that now comes is too long already; LONG will tell when it ends. */
bool stream_in_long_line(const struct stream *s);
/* Whatever is there; stream_eat says how much of it was taken. */
enum stream_got stream_bytes(struct stream *s, struct slice *bytes_out);
void stream_eat(struct stream *s, size_t len);
/* A look at what is in the socket, through room, before anything was taken from the stream: for
 * what must be taken to the octet, because TLS may follow. stream_drop_input takes it. */
enum stream_got stream_peek(struct stream *s, char *room, size_t max, struct slice *bytes_out);
/* Something unread is there: in the buffer or in the socket. If not, and the peer has reset it, the
 * stream is broken from now on. */
bool stream_has_input(struct stream *s);
/* What is unread is thrown away, up to max octets of the socket's: nobody will want more of a
 * stream with TLS after that. */
void stream_drop_input(struct stream *s, size_t max);
/* INPUT comes in a later turn although nothing new arrived: for who stops early to be fair. */
void stream_again(struct stream *s);

void stream_pause(struct stream *s);
void stream_resume(struct stream *s); /* INPUT comes from the loop if something may be there */

/* Queued; goes out with stream_flush, in one call. */
void stream_write(struct stream *s, struct slice bytes);
void stream_flush(struct stream *s);
/* The queue itself, for writers that build in place; stream_flush after. */
struct buf *stream_out(struct stream *s);
size_t stream_unsent(const struct stream *s);

#endif
