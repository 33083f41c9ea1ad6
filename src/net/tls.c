#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/mem.h"

enum {
	SECURITY_BITS = 112,	 /* RSA of 2048 bits, EC of 224 */
	CERT_LIST_MAX = 65536,	 /* octets that a peer may send of certificates */
};

struct tls_context {
	_Atomic unsigned refs;
	SSL_CTX *ssl;
	bool is_server;
	bool verify_name; /* a client's: the peer must be who we wanted */
	char *name;	  /* of tls_host */
	struct tls_context *hosts, *next;
	char why[512];
};

/* --- birth and death ----------------------------------------------------------------------- */

/* Otherwise OpenSSL asks the terminal. */
static int no_password(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

static struct tls_context *context_new(const SSL_METHOD *method)
{
	struct tls_context *ctx = mem_new(sizeof *ctx);

	atomic_init(&ctx->refs, 1);
	ctx->ssl = SSL_CTX_new(method);
	CHECK(ctx->ssl != NULL);
	/* SMTP has its own ends (CRLF.CRLF): a FIN without close_notify can cut nothing short. */
	SSL_CTX_set_options(ctx->ssl,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx->ssl,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				 SSL_MODE_RELEASE_BUFFERS);
	/* Who sends records without data has no turn without end. */
	SSL_CTX_clear_mode(ctx->ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx->ssl, 1);
	SSL_CTX_set_max_cert_list(ctx->ssl, CERT_LIST_MAX);
	SSL_CTX_set_default_passwd_cb(ctx->ssl, no_password);
	return ctx;
}

struct tls_context *tls_ref(struct tls_context *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void tls_unref(struct tls_context *ctx)
{
	if (ctx == NULL || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	while (ctx->hosts != NULL) {
		struct tls_context *host = ctx->hosts;

		ctx->hosts = host->next;
		tls_unref(host);
	}
	SSL_CTX_free(ctx->ssl);
	free(ctx->name);
	free(ctx);
}

/* --- SNI ----------------------------------------------------------------------------------- */

static bool is_for(const char *pattern, const char *name)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	dot = strchr(name, '.');
	return dot != NULL && dot != name && strcasecmp(pattern + 1, dot) == 0;
}

/* Only these: what is agreed upon otherwise stays, and so do the CAs of clients. */
static bool show(SSL *ssl, SSL_CTX *host)
{
	STACK_OF(X509) *chain = NULL;
	X509 *cert = SSL_CTX_get0_certificate(host);

	SSL_CTX_get0_chain_certs(host, &chain);
	SSL_certs_clear(ssl);
	return SSL_use_cert_and_key(ssl, cert, SSL_CTX_get0_privatekey(host), chain, 1) == 1;
}

/* Called in the handshake. Nobody is turned away for asking for a name that we do not know. */
static int name_asked_for(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_context *best = NULL;

	(void)alert;
	for (const struct tls_context *h = ctx->hosts; name != NULL && h != NULL; h = h->next) {
		if (is_for(h->name, name) && (best == NULL || best->name[0] == '*'))
			best = h;
	}
	if (best == NULL || show(ssl, best->ssl))
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct tls_context *tls_host(struct tls_context *ctx, const char *name)
{
	struct tls_context *host = context_new(TLS_server_method());

	host->name = mem_strdup(name);
	host->next = ctx->hosts;
	ctx->hosts = host;
	return host;
}

/* --- servers and clients ------------------------------------------------------------------- */

struct tls_context *tls_server_new(void)
{
	static const unsigned char any_session[] = "tidewaiter";
	struct tls_context *ctx = context_new(TLS_server_method());

	ctx->is_server = true;
	SSL_CTX_set_dh_auto(ctx->ssl, 1);
	/* Sessions are resumed from tickets, so we keep nothing for who has left. */
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx->ssl, 1);
	SSL_CTX_set_session_id_context(ctx->ssl, any_session, sizeof any_session - 1);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, name_asked_for);
	SSL_CTX_set_tlsext_servername_arg(ctx->ssl, ctx);
	return ctx;
}

struct tls_context *tls_client_new(const char *verify_by, const char **why_out)
{
	struct tls_context *ctx = context_new(TLS_client_method());
	bool fine = true;

	if (verify_by != NULL) {
		ctx->verify_name = true;
		SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
		fine = verify_by[0] != '\0' ? SSL_CTX_load_verify_file(ctx->ssl, verify_by) == 1
					    : SSL_CTX_set_default_verify_paths(ctx->ssl) == 1;
	}
	ERR_clear_error();
	if (fine)
		return ctx;
	*why_out = "expected a file of CA certificates in PEM";
	tls_unref(ctx);
	return NULL;
}

bool tls_is_server(const struct tls_context *ctx)
{
	return ctx->is_server;
}

struct ssl_st *tls_begin(const struct tls_context *ctx, const char *peer_name)
{
	SSL *ssl = SSL_new(ctx->ssl);

	CHECK(ssl != NULL);
	if (ctx->is_server) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_set_connect_state(ssl);
	if (peer_name != NULL)
		SSL_set_tlsext_host_name(ssl, peer_name);
	if (ctx->verify_name) /* without a name nobody is the right one */
		CHECK(SSL_set1_host(ssl, peer_name != NULL ? peer_name : "invalid.") == 1);
	return ssl;
}

/* --- what a server shows ------------------------------------------------------------------- */

static const char *expected(struct tls_context *ctx, const char *what)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (reason == NULL)
		return what;
	snprintf(ctx->why, sizeof ctx->why, "%s (%s)", what, reason);
	return ctx->why;
}

/* What OpenSSL says of it is about its own functions. */
static const char *unreadable(struct tls_context *ctx, const char *path)
{
	struct stat st;
	FILE *f;

	ERR_clear_error();
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return "expected a file";
	f = fopen(path, "re");
	if (f != NULL) {
		fclose(f);
		return NULL;
	}
	snprintf(ctx->why, sizeof ctx->why, "which cannot be read: %s", strerror(errno));
	return ctx->why;
}

static const char too_weak[] = "which is too weak, expected RSA of 2048 bits or EC of 224 at least";
static const char weak_hash[] = "which is signed by a weak hash, expected SHA-256 or better";

static const char *untimely(struct tls_context *ctx, const X509 *cert)
{
	const ASN1_TIME *from = X509_get0_notBefore(cert), *until = X509_get0_notAfter(cert);
	bool early = X509_cmp_current_time(from) > 0;
	struct tm tm;

	if (!early && X509_cmp_current_time(until) > 0)
		return NULL;
	if (ASN1_TIME_to_tm(early ? from : until, &tm) != 1)
		return "expected a certificate with dates";
	if (early)
		strftime(ctx->why, sizeof ctx->why, "which is not valid before %F %TZ", &tm);
	else
		strftime(ctx->why, sizeof ctx->why, "which expired at %F %TZ", &tm);
	return ctx->why;
}

/* What it was that OpenSSL would not take. */
static const char *unfit(struct tls_context *ctx)
{
	switch (ERR_GET_REASON(ERR_peek_error())) {
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
		ERR_clear_error();
		return too_weak;
	case SSL_R_CA_MD_TOO_WEAK:
		ERR_clear_error();
		return weak_hash;
	}
	return expected(ctx, "expected certificates in PEM");
}

const char *tls_set_chain(struct tls_context *ctx, const char *path)
{
	const char *why = unreadable(ctx, path);
	const EVP_PKEY *key;
	const X509 *cert;

	if (why != NULL)
		return why;
	if (SSL_CTX_use_certificate_chain_file(ctx->ssl, path) != 1)
		return unfit(ctx);
	cert = SSL_CTX_get0_certificate(ctx->ssl);
	key = X509_get0_pubkey(cert);
	if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
		return too_weak;
	return untimely(ctx, cert);
}

const char *tls_set_key(struct tls_context *ctx, const char *path)
{
	const char *why = unreadable(ctx, path);
	int fine;

	if (why != NULL)
		return why;
	fine = SSL_CTX_use_PrivateKey_file(ctx->ssl, path, SSL_FILETYPE_PEM);
	if (fine != 1 && ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_X509)
		return expected(ctx, "expected a private key in PEM, without a password");
	fine = fine == 1 && SSL_CTX_check_private_key(ctx->ssl) == 1;
	ERR_clear_error();
	return fine ? NULL : "which is not the key of the certificate";
}

/* --- what a server agrees to --------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t off;
} versions[] = {
	{ "SSLv2", 0 }, /* OpenSSL has it no more */
	{ "SSLv3", SSL_OP_NO_SSLv3 },
	{ "TLSv1", SSL_OP_NO_TLSv1 },
	{ "TLSv1.0", SSL_OP_NO_TLSv1 },
	{ "TLSv1.1", SSL_OP_NO_TLSv1_1 },
	{ "TLSv1.2", SSL_OP_NO_TLSv1_2 },
	{ "TLSv1.3", SSL_OP_NO_TLSv1_3 },
	{ "ALL", SSL_OP_NO_SSL_MASK },
};

static bool version_bits(const char *name, size_t len, uint64_t *bits_out)
{
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		const char *this = versions[i].name;

		if (strlen(this) == len && strncasecmp(this, name, len) == 0) {
			*bits_out = versions[i].off;
			return true;
		}
	}
	return false;
}

const char *tls_set_protocols(struct tls_context *ctx, const char *text)
{
	/* "-TLSv1.0" alone leaves out, "+TLSv1.3" alone picks. */
	uint64_t off = text[0] == '-' ? 0 : SSL_OP_NO_SSL_MASK, bits;

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ":"), sign = *at == '+' || *at == '-';

		if (!version_bits(at + sign, len - sign, &bits))
			return "expected as in +ALL:-TLSv1.0, of SSLv3, TLSv1.0 to TLSv1.3";
		off = *at == '-' ? off | bits : off & ~bits;
		at += len;
		if (*at == '\0')
			break;
	}
	if ((off & SSL_OP_NO_SSL_MASK) == SSL_OP_NO_SSL_MASK)
		return "which leaves no version";
	SSL_CTX_clear_options(ctx->ssl, SSL_OP_NO_SSL_MASK);
	SSL_CTX_set_options(ctx->ssl, off);
	return NULL;
}

const char *tls_set_ciphers(struct tls_context *ctx, const char *text)
{
	ERR_clear_error();
	if (SSL_CTX_set_cipher_list(ctx->ssl, text) == 1)
		return NULL;
	ERR_clear_error();
	return "expected an OpenSSL cipher list that names at least one cipher";
}

static int whatever_it_is(int fine, X509_STORE_CTX *store)
{
	(void)fine, (void)store;
	return 1;
}

const char *tls_set_client_ca(struct tls_context *ctx, const char *path)
{
	const char *why = unreadable(ctx, path);
	STACK_OF(X509_NAME) * names;

	if (why != NULL)
		return why;
	names = SSL_load_client_CA_file(path);
	if (names == NULL || SSL_CTX_load_verify_file(ctx->ssl, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return expected(ctx, "expected CA certificates in PEM");
	}
	SSL_CTX_set_client_CA_list(ctx->ssl, names);
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, whatever_it_is);
	return NULL;
}
