/*
 * data - the machine that reads a message after DATA (RFC 5321 4.5.2). Fed with whatever the
 * network gave; finds the end, takes the dot-stuffing away, and lets nothing through that the next
 * hop could read as another end: only CRLF ends a line, only CRLF.CRLF ends the message, a bare CR
 * or a bare LF is a fault.
 *
 * The machine goes on after a fault until the real end, so that the reply comes in its place.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum data_fault {
	DATA_FINE,
	DATA_BARE_CR,
	DATA_BARE_LF,
	DATA_LINE_TOO_LONG,
	DATA_NUL,
};

struct data_reader {
	uint8_t state;	  /* private */
	uint8_t fault;	  /* enum data_fault: the first one met */
	bool is_8bit;	  /* an octet above 127 was seen */
	uint32_t line_len;
	uint32_t line_max; /* octets of a line without its CRLF */
	uint64_t size;	   /* octets of the message so far, unstuffed, CRLFs counted (RFC 1870) */
	/* Hop count: Received: (and Delivered-To:) lines seen in the header. */
	bool in_header;
	uint16_t received;
	uint8_t name_len; /* private: the header name being read */
	char name[16];
};

void data_reader_init(struct data_reader *r, uint32_t line_max);

/*
 * Eats from in up to the end of the message at most; *used_out says how much. What belongs to the
 * message, unstuffed, goes to `out` as slices of `in` through keep (in order; nothing after a
 * fault). True: the end was met; what follows in `in` is the next command. Init before the next
 * message.
 */
typedef void data_keep(void *arg, struct slice part);
bool data_read(struct data_reader *r, struct slice in, data_keep *keep, void *arg,
	       size_t *used_out);

/* The other way: the message as it goes on the wire. Adds the dots; the caller ends with data_end.
 * False: out is full, the message is lost. */
struct data_writer {
	bool at_line_start; /* private */
};
void data_writer_init(struct data_writer *w);
/* Appends the stuffed form of part to out. The input is what data_read let through. */
bool data_write(struct data_writer *w, struct slice part, struct buf *out)
	__attribute__((warn_unused_result));
/* CRLF if the last line lacks it, then ".CRLF". */
bool data_end(struct data_writer *w, struct buf *out) __attribute__((warn_unused_result));

#endif
