/*
 * tls_link - one end of one TLS connection, on a non-blocking socket that it borrows.
 *
 * For net/stream.c alone. Reading and writing are as recv and send: octets, 0 at the peer's FIN or
 * close_notify, or -1 with errno (EPROTO: tls_link_error tells). After EAGAIN, tls_link_may_read
 * and tls_link_wants_write tell what is missing.
 */
#ifndef NET_TLS_LINK_H
#define NET_TLS_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/tls.h"

struct tls_link;

/* A server's or a client's, as the context is; peer_name is whom a client wants, or NULL. */
struct tls_link *tls_link_new(struct tls_context *ctx, int fd, const char *peer_name);
void tls_link_free(struct tls_link *l); /* NULL is harmless */

ssize_t tls_link_shake(struct tls_link *l); /* 1: done; or -1 with errno, EAGAIN: not yet */
ssize_t tls_link_read(struct tls_link *l, void *to, size_t len);
ssize_t tls_link_peek(struct tls_link *l); /* as reading one octet, which stays */
ssize_t tls_link_write(struct tls_link *l, const void *from, size_t len);
void tls_link_bye(struct tls_link *l); /* close_notify, if it can leave now */

bool tls_link_may_read(const struct tls_link *l); /* the last call has not emptied the socket */
bool tls_link_wants_write(const struct tls_link *l);
bool tls_link_is_over(const struct tls_link *l); /* the peer has said close_notify, or FIN */
const char *tls_link_error(const struct tls_link *l);
/* All zero before the end of the handshake. */
const struct tls_info *tls_link_info(const struct tls_link *l);

#endif
