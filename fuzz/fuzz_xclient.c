// room: smtp
/* The args of XCLIENT, and xtext: what is accepted is printable, and what xtext stands for is
 * written and read again the same. */
#include <stdint.h>

#include "base/check.h"
#include "smtp/xclient.h"
#include "smtp/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	CHECK(strlen(text) <= SMTP_DOMAIN_MAX && syntax_is_text(slice_of(text)));
}

static void check_xtext(struct slice text)
{
	struct buf octets, written, again;

	buf_init(&octets, 0);
	buf_init(&written, 0);
	buf_init(&again, 0);
	if (xtext_read(&octets, text)) {
		CHECK(xtext_write(&written, buf_slice(&octets)));
		CHECK(xtext_read(&again, buf_slice(&written)));
		CHECK(slice_equal(buf_slice(&octets), buf_slice(&again)));
	}
	buf_free(&octets);
	buf_free(&written);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice args = { (const char *)data,
			      size < SMTP_COMMAND_MAX ? size : SMTP_COMMAND_MAX };
	struct xclient x;
	syntax_fault fault = xclient_parse(args, &x);

	check_xtext(args);
	if (fault != NULL) {
		CHECK(strncmp(fault, "501 5.5.4 ", 10) == 0);
		return 0;
	}
	check_text(x.name);
	check_text(x.helo);
	check_text(x.login);
	return 0;
}
