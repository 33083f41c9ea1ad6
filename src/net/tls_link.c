/*
 * OpenSSL gets a BIO of ours rather than the socket: it tells whether a read has emptied the socket
 * (edge-triggered, as net/stream.c is, that must be known), and it never raises SIGPIPE.
 */
#include "net/tls_link.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/mem.h"

enum { NAME_TEXT_MAX = 512 };

struct tls_link {
	SSL *ssl; /* NULL: the client has said nothing yet */
	struct tls_context *ctx;
	int fd;
	int error;	      /* errno of the socket */
	const char *reason;   /* of EPROTO */
	bool emptied : 1;     /* the socket, by this call */
	bool more : 1;
	bool wants_write : 1;
	bool fin : 1;
	bool dead : 1;	      /* no further word is possible */
	struct tls_info info;
};

/* --- the socket, for OpenSSL --------------------------------------------------------------- */

static int wire_read(BIO *bio, char *to, int len)
{
	struct tls_link *l = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(l->fd, to, (size_t)len, 0);
	while (n < 0 && errno == EINTR);
	l->emptied = n < len;
	l->fin |= n == 0;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	else if (n < 0)
		l->error = errno;
	return (int)n;
}

static int wire_write(BIO *bio, const char *from, int len)
{
	struct tls_link *l = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(l->fd, from, (size_t)len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	else if (n < 0)
		l->error = errno;
	return (int)n;
}

static long wire_ctrl(BIO *bio, int what, long num, void *ptr)
{
	const struct tls_link *l = BIO_get_data(bio);

	(void)num, (void)ptr;
	if (what == BIO_CTRL_EOF)
		return l->fin;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire;
static pthread_once_t wire_once = PTHREAD_ONCE_INIT;

static void wire_make(void)
{
	wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	CHECK(wire != NULL);
	BIO_meth_set_read(wire, wire_read);
	BIO_meth_set_write(wire, wire_write);
	BIO_meth_set_ctrl(wire, wire_ctrl);
}

/* --- birth and death ----------------------------------------------------------------------- */

static void begin_ssl(struct tls_link *l, const char *peer_name)
{
	BIO *bio;

	pthread_once(&wire_once, wire_make);
	l->ssl = tls_begin(l->ctx, peer_name);
	bio = BIO_new(wire);
	CHECK(bio != NULL);
	BIO_set_data(bio, l);
	BIO_set_init(bio, 1);
	SSL_set_bio(l->ssl, bio, bio);
}

struct tls_link *tls_link_new(struct tls_context *ctx, int fd, const char *peer_name)
{
	struct tls_link *l = mem_new(sizeof *l);

	l->ctx = tls_ref(ctx);
	l->fd = fd;
	if (!tls_is_server(ctx))
		begin_ssl(l, peer_name);
	return l;
}

void tls_link_free(struct tls_link *l)
{
	if (l == NULL)
		return;
	SSL_free(l->ssl);
	tls_unref(l->ctx);
	free(l->info.subject);
	free(l->info.subject_cn);
	free(l->info.issuer);
	free(l->info.issuer_cn);
	free(l);
}

/* --- calls --------------------------------------------------------------------------------- */

static void begin(struct tls_link *l)
{
	ERR_clear_error(); /* the thread's, not the connection's */
	errno = 0;
	l->emptied = l->wants_write = false;
}

static const char *reason_of(const struct tls_link *l, unsigned long code)
{
	const char *text = ERR_reason_error_string(code);
	long verdict = SSL_get_verify_result(l->ssl);

	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	return text != NULL ? text : "closed by the peer";
}

static ssize_t failed(struct tls_link *l, int error)
{
	l->dead = true;
	errno = error;
	return -1;
}

/* Turns what a call gave into octets, 0 or -1 with errno. */
static ssize_t result(struct tls_link *l, int n)
{
	l->more = !l->emptied;
	if (n > 0) {
		l->more |= SSL_has_pending(l->ssl);
		return n;
	}
	switch (SSL_get_error(l->ssl, n)) {
	case SSL_ERROR_WANT_WRITE:
		l->wants_write = true;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (l->error != 0)
			return failed(l, l->error);
		break;
	}
	l->reason = reason_of(l, ERR_get_error());
	return failed(l, EPROTO);
}

static int at_most_int(size_t len)
{
	return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t tls_link_read(struct tls_link *l, void *to, size_t len)
{
	begin(l);
	return result(l, SSL_read(l->ssl, to, at_most_int(len)));
}

ssize_t tls_link_peek(struct tls_link *l)
{
	char one;

	begin(l);
	return result(l, SSL_peek(l->ssl, &one, 1));
}

ssize_t tls_link_write(struct tls_link *l, const void *from, size_t len)
{
	ssize_t n;

	begin(l);
	n = result(l, SSL_write(l->ssl, from, at_most_int(len)));
	return n != 0 ? n : failed(l, l->error != 0 ? l->error : EPIPE); /* behind a close_notify */
}

void tls_link_bye(struct tls_link *l)
{
	if (l->dead)
		return;
	begin(l);
	SSL_shutdown(l->ssl);
	ERR_clear_error();
}

/* --- what came of the handshake ------------------------------------------------------------ */

/* Controls and what is not ASCII are escaped. */
static char *name_text(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *at, *text;
	long len;

	CHECK(bio != NULL);
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(bio, &at);
	text = mem_strndup(at, len < NAME_TEXT_MAX ? (size_t)len : NAME_TEXT_MAX);
	BIO_free(bio);
	return text;
}

/* The last one, as UTF-8; a name with a NUL in it pretends to be a shorter one, and is none. */
static char *common_name(const X509_NAME *name)
{
	const X509_NAME_ENTRY *last = NULL;
	unsigned char *utf8 = NULL;
	int at = -1, len = 0;
	char *text;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		last = X509_NAME_get_entry(name, at);
	if (last != NULL)
		len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(last));
	if (len <= 0 || len > NAME_TEXT_MAX || memchr(utf8, '\0', (size_t)len) != NULL)
		len = 0;
	text = mem_strndup(len > 0 ? (const char *)utf8 : "", (size_t)len);
	OPENSSL_free(utf8);
	return text;
}

static void note_info(struct tls_link *l)
{
	const X509 *cert = SSL_get0_peer_certificate(l->ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(l->ssl);
	struct tls_info *info = &l->info;

	info->version = SSL_get_version(l->ssl);
	info->cipher = SSL_CIPHER_get_name(cipher);
	info->used_bits = SSL_CIPHER_get_bits(cipher, &info->cipher_bits);
	if (cert == NULL)
		return;
	info->subject = name_text(X509_get_subject_name(cert));
	info->subject_cn = common_name(X509_get_subject_name(cert));
	info->issuer = name_text(X509_get_issuer_name(cert));
	info->issuer_cn = common_name(X509_get_issuer_name(cert));
	info->verified = SSL_get_verify_result(l->ssl) == X509_V_OK;
	ERR_clear_error();
}

/*
 * Whether a client's first record is in the socket, or enough of it, or it is clear that it never
 * will be. OpenSSL takes 44 KiB for a handshake: who only connects and stalls shall not cost them.
 */
static bool hello_is_here(const struct tls_link *l)
{
	enum { HEADER = 5, HANDSHAKE = 22, RECORD_MAX = 16384, ENOUGH = 128 };
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };
	unsigned char head[HEADER];
	ssize_t n = recv(l->fd, head, sizeof head, MSG_PEEK);
	int unread = 0, len = 0; /* of what follows the header */

	if (n > 0 && head[0] != HANDSHAKE)
		return true;
	if (n == HEADER) /* on a Unix socket a look may show less than there is */
		len = head[3] << 8 | head[4];
	if (len > RECORD_MAX || ioctl(l->fd, FIONREAD, &unread) != 0)
		return true;
	if (unread >= ENOUGH || unread >= HEADER + len)
		return true;
	return poll(&p, 1, 0) > 0; /* it has left */
}

ssize_t tls_link_shake(struct tls_link *l)
{
	ssize_t n;

	if (l->ssl == NULL) {
		if (!hello_is_here(l)) {
			errno = EAGAIN;
			return -1;
		}
		begin_ssl(l, NULL);
	}
	begin(l);
	n = result(l, SSL_do_handshake(l->ssl));
	if (n > 0)
		note_info(l);
	if (n != 0)
		return n;
	l->reason = "closed by the peer";
	return failed(l, EPROTO);
}

/* --- questions ----------------------------------------------------------------------------- */

bool tls_link_may_read(const struct tls_link *l)
{
	return l->more;
}

bool tls_link_wants_write(const struct tls_link *l)
{
	return l->wants_write;
}

bool tls_link_is_over(const struct tls_link *l)
{
	return l->fin || (SSL_get_shutdown(l->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

const char *tls_link_error(const struct tls_link *l)
{
	return l->reason != NULL ? l->reason : "closed by the peer";
}

const struct tls_info *tls_link_info(const struct tls_link *l)
{
	return &l->info;
}
