// room: smtp
/* A command line: what is accepted holds no control, lies in the line, and reads the same again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "smtp/smtp.h"
#include "smtp/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct path p)
{
	struct path again;
	char *line;

	CHECK(p.address.len + 2 <= SMTP_PATH_MAX && p.domain.len <= SMTP_DOMAIN_MAX);
	for (size_t i = 0; i < p.address.len; i++)
		CHECK((unsigned char)p.address.at[i] >= ' ' && p.address.at[i] != 0x7f);
	if (p.address.len == 0)
		return;
	line = mem_printf("TO:<%.*s>", SLICE_ARGS(p.address));
	CHECK(syntax_rcpt(slice_of(line), &again) == NULL);
	CHECK(slice_equal(again.local, p.local) && slice_equal(again.domain, p.domain));
	CHECK(again.is_utf8 == p.is_utf8 && again.is_literal == p.is_literal);
	free(line);
}

static void check_fault(syntax_fault fault)
{
	CHECK(fault[0] == '5' && fault[3] == ' ' && fault[4] == '5' && fault[5] == '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command c = command_split((struct slice){ (const char *)data, size });
	struct mail_command mail;
	struct slice name;
	struct path rcpt;
	syntax_fault fault;

	if ((fault = syntax_mail(c.args, &mail)) == NULL)
		check_path(mail.from);
	else
		check_fault(fault);
	if ((fault = syntax_rcpt(c.args, &rcpt)) == NULL)
		check_path(rcpt);
	else
		check_fault(fault);
	if ((fault = syntax_helo(c.args, &name)) != NULL)
		check_fault(fault);
	return 0;
}
