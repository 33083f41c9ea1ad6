#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "net/certs.h"
#include "net/tls.h"

#define WEAK "which is too weak, expected RSA of 2048 bits or EC of 224 at least"
#define VERSIONS "expected as in +ALL:-TLSv1.0, of SSLv3, TLSv1.0 to TLSv1.3"

static const char *chain_alone(struct tls_context *ctx, const char *path)
{
	return tls_set_chain(ctx, path);
}

static const char *key_of_mx(struct tls_context *ctx, const char *path)
{
	assert_null(tls_set_chain(ctx, "mx.pem"));
	return tls_set_key(ctx, path);
}

static const struct {
	const char *name;
	const char *(*set)(struct tls_context *ctx, const char *value);
	const char *value, *want; /* how it begins; NULL: fine */
} cases[] = {
	{ "a certificate", chain_alone, "mx.pem", NULL },
	{ "a certificate with its key", chain_alone, "both.pem", NULL },
	{ "no file", chain_alone, "none.pem", "which cannot be read: No such file or directory" },
	{ "no file but a directory", chain_alone, "dir", "expected a file" },
	{ "no certificate", chain_alone, "nonsense.pem", "expected certificates in PEM" },
	{ "a key instead", chain_alone, "mx.key", "expected certificates in PEM" },
	{ "too weak", chain_alone, "weak.pem", WEAK },
	{ "signed by SHA-1", chain_alone, "sha1.pem",
	  "which is signed by a weak hash, expected SHA-256 or better" },
	{ "expired", chain_alone, "old.pem", "which expired at 2" },
	{ "its key", key_of_mx, "mx.key", NULL },
	{ "its key, in the same file", key_of_mx, "both.pem", NULL },
	{ "another's key", key_of_mx, "other.key", "which is not the key of the certificate" },
	{ "a key of another kind", key_of_mx, "rsa.key",
	  "which is not the key of the certificate" },
	{ "no key", key_of_mx, "mx.pem", "expected a private key in PEM, without a password" },
	{ "a key with a password", key_of_mx, "locked.key",
	  "expected a private key in PEM, without a password" },
	{ "no key file", key_of_mx, "none.key", "which cannot be read: No such file or directory" },
	{ "CAs", tls_set_client_ca, "ca.pem", NULL },
	{ "no CAs", tls_set_client_ca, "nonsense.pem", "expected CA certificates in PEM" },
	{ "no CA file", tls_set_client_ca, "none.pem",
	  "which cannot be read: No such file or directory" },
	{ "ciphers", tls_set_ciphers, "ECDHE+AESGCM:!aNULL", NULL },
	{ "no ciphers", tls_set_ciphers, "NONSENSE",
	  "expected an OpenSSL cipher list that names at least one cipher" },
	{ "all protocols", tls_set_protocols, "+ALL", NULL },
	{ "all but old ones", tls_set_protocols, "+ALL:-TLSv1.0:-TLSv1.1", NULL },
	{ "without signs, in any case", tls_set_protocols, "tlsv1.2:TLSV1.3", NULL },
	{ "all but one", tls_set_protocols, "-TLSv1.3", NULL },
	{ "nothing left", tls_set_protocols, "+ALL:-ALL", "which leaves no version" },
	{ "only what is no more", tls_set_protocols, "+SSLv2", "which leaves no version" },
	{ "no protocols", tls_set_protocols, "", VERSIONS },
	{ "an empty item", tls_set_protocols, "+ALL:", VERSIONS },
	{ "a sign alone", tls_set_protocols, "+", VERSIONS },
	{ "an unknown one", tls_set_protocols, "+ALL:-TLSv1.4", VERSIONS },
	{ "the beginning of one", tls_set_protocols, "+TLS", VERSIONS },
};

static void what_cannot_be_used_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_context *ctx = tls_server_new();
		const char *got = cases[i].set(ctx, cases[i].value), *want = cases[i].want;

		if ((got == NULL) != (want == NULL) ||
		    (want && strncmp(got, want, strlen(want)) != 0))
			fail_msg("%s: %s", cases[i].name, got != NULL ? got : "fine");
		tls_unref(ctx);
	}
}

static void clients_believe_some_CAs_or_none(void **state)
{
	const char *why = NULL;

	(void)state;
	tls_unref(tls_client_new(NULL, &why));
	tls_unref(tls_client_new("", &why));
	tls_unref(tls_client_new("ca.pem", &why));
	assert_null(why);
	assert_null(tls_client_new("nonsense.pem", &why));
	assert_string_equal(why, "expected a file of CA certificates in PEM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_used_is_told),
		cmocka_unit_test(clients_believe_some_CAs_or_none),
	};

	return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
