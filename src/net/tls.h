/*
 * tls - what is agreed upon before a handshake: certificates, keys, protocols, whom to believe.
 *
 * A context is filled in by one thread, is immutable from its first handshake on, and is counted by
 * references: streams hold one each. Only net/ knows that OpenSSL is behind it, whose own
 * configuration (openssl.cnf, its security level) is the floor of what can be agreed upon.
 *
 * Never: compression, renegotiation, early data (0-RTT can be replayed), a prompt for a password.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>

struct tls_context;

struct tls_context *tls_server_new(void);
/* For a next hop. verify_by NULL: any certificate will do; otherwise the peer's must be good for
 * its name, by this file of CAs or, if empty, by the system's. NULL: *why_out says why not. */
struct tls_context *tls_client_new(const char *verify_by, const char **why_out);
struct tls_context *tls_ref(struct tls_context *ctx);
void tls_unref(struct tls_context *ctx); /* NULL is harmless */

/*
 * Each answers NULL, or why not, as what follows "OPTION is \"..\", ": the context's text until the
 * next call on it. Files are read now, and never again.
 */
const char *tls_set_chain(struct tls_context *ctx, const char *path); /* PEM, the own one first */
const char *tls_set_key(struct tls_context *ctx, const char *path);   /* after its chain */
const char *tls_set_protocols(struct tls_context *ctx, const char *text); /* "+ALL:-TLSv1.0" */
const char *tls_set_ciphers(struct tls_context *ctx, const char *text);   /* up to TLSv1.2 */
/* Clients are asked for a certificate, and it is verified by these CAs. What comes of it is in
 * tls_info; it never ends the handshake. */
const char *tls_set_client_ca(struct tls_context *ctx, const char *path);
/*
 * What a client that asks for this name (SNI) is shown: chain and key are to be set on the result,
 * which lives in ctx. In lower case; "*.example.org" is for every name one label longer. Names
 * without a row get the context's own chain.
 */
struct tls_context *tls_host(struct tls_context *ctx, const char *name);

/* What came of a handshake. Names are RFC 4514 text, cut to a limit; NULL: no certificate. */
struct tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	int cipher_bits; /* of the algorithm */
	int used_bits;	 /* of those, secret */
	char *subject;
	char *subject_cn;
	char *issuer;
	char *issuer_cn;
	bool verified;
};

/* For net/tls_link.c. */
struct ssl_st;
bool tls_is_server(const struct tls_context *ctx);
struct ssl_st *tls_begin(const struct tls_context *ctx, const char *peer_name);

#endif
