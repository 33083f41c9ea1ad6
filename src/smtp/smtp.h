/*
 * smtp - names that the whole SMTP side shares: limits of the protocol and the shapes of its words.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

enum {
	SMTP_COMMAND_MAX = 2048, /* octets of a command line with its CRLF; RFC 5321 4.5.3.1.4 asks
				    for 512 and what extensions add */
	SMTP_PATH_MAX = 256,	 /* RFC 5321 4.5.3.1.3 */
	SMTP_LOCALPART_MAX = 64, /* 4.5.3.1.1, not enforced on others' local parts */
	SMTP_DOMAIN_MAX = 255,	 /* 4.5.3.1.2 */
	SMTP_TEXT_LINE_MAX = 1000, /* 4.5.3.1.6, with its CRLF: what we send */
	SMTP_REPLY_LINE_MAX = 512, /* 4.5.3.1.5 */
};

#endif
