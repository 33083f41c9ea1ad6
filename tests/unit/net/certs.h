/* certs - certificates for tests, made by the openssl command in a directory of their own. */
#ifndef TESTS_NET_CERTS_H
#define TESTS_NET_CERTS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char certs_script[] =
	"set -e; exec 2>/dev/null\n"
	"self() { openssl req -x509 -newkey $1 -nodes -keyout $2.key -out $2.pem -subj \"/CN=$3\" -days 30 $4; }\n"
	"EC='ec -pkeyopt ec_paramgen_curve:prime256v1'\n"
	"self \"$EC\" ca 'Test CA'\n"
	"self \"$EC\" mx mx.example.org '-addext subjectAltName=DNS:mx.example.org'\n"
	"self \"$EC\" other other.example.org\n"
	"self rsa:2048 rsa rsa.example.org\n"
	"self rsa:1024 weak weak.example.org\n"
	"openssl req -newkey $EC -nodes -keyout client.key -out client.csr -subj '/O=Probe/CN=probe.example'\n"
	"openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out client.pem\n"
	"openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -out old.pem\n"
	"openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -sha1 -out sha1.pem\n"
	"openssl pkcs8 -topk8 -in mx.key -out locked.key -passout pass:x\n"
	"cat mx.pem mx.key >both.pem\n"
	"echo nonsense >nonsense.pem\n"
	"mkdir dir\n";

/* The process goes there. */
static int certs_make(void **state)
{
	static char dir[] = "/tmp/test_tls.XXXXXX";

	*state = dir;
	return mkdtemp(dir) == NULL || chdir(dir) != 0 || system(certs_script) != 0;
}

static int certs_remove(void **state)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r %s", (const char *)*state);
	return system(command);
}

#endif
