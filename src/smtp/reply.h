/*
 * reply - what a server answers (RFC 5321 4.2): read from the next hop, built for the client.
 *
 * A reply's text never carries an octet below 32 but the CRLFs between its lines, whatever a script
 * or a next hop put there: one writer, which replaces them.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A reply as a value; owns its text. Zeroed: none. */
struct reply {
	uint16_t code;
	char *text; /* without code and CRLFs, lines divided by '\n'; enhanced code first if any */
};

void reply_free(struct reply *r);
struct reply reply_take(struct reply *from); /* what it held, which it holds no more */
/* The text that was there is given back; format's arguments may point into it. */
void reply_set(struct reply *r, unsigned code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * "550-5.7.1 one CRLF550 5.7.1 two CRLF": every line gets the code, and the enhanced code of the
 * first line where it has one. Lines past SMTP_REPLY_LINE_MAX are cut, those after REPLY_LINES_MAX
 * left out; a code outside 200..599 is sent as 451. `text` as in struct reply, NULL is empty. One
 * without an enhanced code gets a fitting one (RFC 2034) when `enhanced`: 4.0.0, 5.0.0, 2.0.0; a
 * 3xx has none. False: out is full, and as it was.
 */
bool reply_write(struct buf *out, unsigned code, const char *text, bool enhanced)
	__attribute__((warn_unused_result));

/* Reads a reply a line at a time. */
struct reply_reader {
	uint16_t code; /* of the lines so far, 0: none yet */
	unsigned lines;
	struct buf text;
};

enum reply_step { REPLY_MORE, REPLY_DONE, REPLY_BAD };

enum { REPLY_LINES_MAX = 128, REPLY_TEXT_MAX = 16384 };

void reply_reader_init(struct reply_reader *r);
void reply_reader_free(struct reply_reader *r);
/*
 * line comes without its CRLF. DONE: *out is filled (what it held is given back), controls are
 * blanks in it, and the reader is ready for the next reply. BAD: not a reply, or past a limit: what
 * follows cannot be trusted.
 */
enum reply_step reply_read(struct reply_reader *r, struct slice line, struct reply *out);

/* Length of the enhanced status code (RFC 3463) of that class at the start of text, 0: none. */
size_t reply_enhanced_len(struct slice text, unsigned code);

#endif
