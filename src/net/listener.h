/*
 * listener - a listening socket on a loop: accepts until there is nothing left to accept, and
 * stops for a moment, instead of spinning, when descriptors run out.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>

#include "net/endpoint.h"
#include "net/loop.h"

/*
 * A bound and listening socket; -1: *why says why not (borrowed, static or errno's). shared: one of
 * several (SO_REUSEPORT). What it accepts has TCP_NODELAY from birth. A Unix socket gets the mode;
 * a socket file that nobody listens on is replaced.
 */
int listener_socket(const struct endpoint *at, int backlog, unsigned file_mode, bool shared,
		    const char **why);
/* The same socket, with another backlog and mode. false: errno. */
bool listener_adapt(int fd, const struct endpoint *at, int backlog, unsigned file_mode);

struct listener;

/* Takes fd, which is non-blocking. a Unix peer is 127.0.0.1 (D51). */
typedef void listener_accepted(void *owner, int fd, const struct addr *peer, uint16_t peer_port);
/* Accepting stopped for want of descriptors or memory, and will be tried again soon. */
typedef void listener_starved(void *owner, int error);

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted,
			      listener_starved *starved, void *owner);
/* Accept only while one in `share` of the process's descriptors is free: clients that are inside need
 * some for their next hops and files. Without this, up to the last one. */
void listener_leave(struct listener *l, unsigned share);
void listener_free(struct listener *l); /* closes; NULL is harmless */
int listener_fd(const struct listener *l); /* the listener's */

#endif
