#include "smtp/data.h"

/*
 * One octet of context is enough: what stood before decides what the next one means. Text runs are
 * eaten whole; every other state looks at a single octet, and hands it on to AT_TEXT if it is not
 * the one it waited for.
 */
enum state {
	AT_LINE_START,
	AT_DOT,	   /* "." at the start of a line: dropped, stuffing or end */
	AT_DOT_CR, /* ".CR": dropped, an LF makes it the end */
	AT_TEXT,
	AT_TEXT_CR, /* its CR is kept already, an LF must follow */
};

#define EVERY_OCTET(value) (UINT64_C(0x0101010101010101) * (value))
#define TOP_BITS EVERY_OCTET(0x80)

/* Any octet of the word below limit (at most 128). Right as a whole, not octet by octet. */
static inline bool has_below(uint64_t word, unsigned limit)
{
	return ((word - EVERY_OCTET(limit)) & ~word & TOP_BITS) != 0;
}

static inline bool is_special(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/* Length of the text before the next CR, LF or NUL. The hot path: eight octets at a time. */
static size_t text_run(const char *at, size_t len, bool *is_8bit)
{
	uint64_t word, seen = 0;
	size_t i = 0;

	while (i < len) {
		if (len - i >= sizeof word) {
			memcpy(&word, at + i, sizeof word);
			if (!has_below(word, '\r' + 1)) {
				seen |= word;
				i += sizeof word;
				continue;
			}
		}
		/* The end of a line, of the chunk, or only a tab. */
		for (size_t stop = len - i < sizeof word ? len : i + sizeof word; i < stop; i++) {
			if (is_special(at[i]))
				goto found;
			seen |= (uint8_t)at[i];
		}
	}
found:
	*is_8bit |= (seen & TOP_BITS) != 0;
	return i;
}

void data_reader_init(struct data_reader *r, uint32_t line_max)
{
	*r = (struct data_reader){ .line_max = line_max, .in_header = true };
}

/* The chunk, and from where on it is not yet given away. */
struct run {
	const char *at;
	size_t from;
	data_keep *keep;
	void *arg;
};

static void run_flush(struct data_reader *r, struct run *run, size_t to)
{
	size_t len = to - run->from;

	r->size += len;
	if (len > 0 && r->fault == DATA_FINE)
		run->keep(run->arg, (struct slice){ run->at + run->from, len });
	run->from = to;
}

/* What stands before `to` is still good. */
static void run_fault(struct data_reader *r, struct run *run, size_t to, enum data_fault fault)
{
	if (r->fault != DATA_FINE)
		return;
	run_flush(r, run, to);
	r->fault = fault;
}

static void count_hop(struct data_reader *r)
{
	struct slice name = { r->name, r->name_len };

	/* Stops at the top: a count that wraps would let a loop go on. */
	if ((slice_equal_nocase(name, SLICE("Received")) ||
	     slice_equal_nocase(name, SLICE("Delivered-To"))) &&
	    r->received < UINT16_MAX)
		r->received++;
}

/* The next piece of a header line: only its first octets matter. */
static void read_name(struct data_reader *r, struct slice text)
{
	for (; text.len > 0 && r->name_len < sizeof r->name; text.at++, text.len--) {
		if (*text.at == ':') {
			count_hop(r);
			r->name_len = sizeof r->name;
			return;
		}
		r->name[r->name_len++] = *text.at;
	}
}

static size_t read_text(struct data_reader *r, struct run *run, size_t pos, size_t end)
{
	bool is_8bit = r->is_8bit;
	size_t len = text_run(run->at + pos, end - pos, &is_8bit);
	size_t room = r->line_max - r->line_len;

	r->is_8bit = is_8bit;
	if (r->in_header)
		read_name(r, (struct slice){ run->at + pos, len });
	if (len > room) {
		run_fault(r, run, pos + room, DATA_LINE_TOO_LONG);
		r->line_len = r->line_max;
	} else {
		r->line_len += (uint32_t)len;
	}
	return pos + len;
}

static void end_line(struct data_reader *r)
{
	if (r->line_len == 0)
		r->in_header = false;
	r->line_len = 0;
	r->name_len = 0;
	r->state = AT_LINE_START;
}

bool data_read(struct data_reader *r, struct slice in, data_keep *keep, void *arg, size_t *used_out)
{
	struct run run = { in.at, 0, keep, arg };
	size_t pos = 0;

	while (pos < in.len) {
		char c = in.at[pos];

		switch ((enum state)r->state) {
		case AT_LINE_START:
			r->state = AT_TEXT;
			if (c == '.') {
				run_flush(r, &run, pos);
				run.from = ++pos;
				r->state = AT_DOT;
			}
			break;
		case AT_DOT:
			r->state = AT_TEXT;
			if (c == '\r') {
				run.from = ++pos;
				r->state = AT_DOT_CR;
			}
			break;
		case AT_DOT_CR:
			if (c == '\n') {
				*used_out = pos + 1;
				return true;
			}
			run_fault(r, &run, pos, DATA_BARE_CR);
			r->state = AT_TEXT;
			break;
		case AT_TEXT:
			pos = read_text(r, &run, pos, in.len);
			if (pos == in.len)
				break;
			if (in.at[pos] == '\r')
				r->state = AT_TEXT_CR;
			else
				run_fault(r, &run, pos,
					  in.at[pos] == '\n' ? DATA_BARE_LF : DATA_NUL);
			pos++;
			break;
		case AT_TEXT_CR:
			if (c == '\n') {
				pos++;
				end_line(r);
				break;
			}
			run_fault(r, &run, pos, DATA_BARE_CR);
			r->state = AT_TEXT;
			break;
		}
	}
	run_flush(r, &run, pos);
	*used_out = pos;
	return false;
}

void data_writer_init(struct data_writer *w)
{
	*w = (struct data_writer){ .at_line_start = true };
}

bool data_write(struct data_writer *w, struct slice part, struct buf *out)
{
	while (part.len > 0) {
		const char *next = part.at, *end = part.at + part.len, *feed;

		if (w->at_line_start && *part.at == '.' && !buf_add(out, ".", 1))
			return false;
		/* To the next line that begins with a dot, or to the end. */
		do {
			feed = memchr(next, '\n', (size_t)(end - next));
			next = feed != NULL ? feed + 1 : end;
		} while (next < end && *next != '.');
		if (!buf_add(out, part.at, (size_t)(next - part.at)))
			return false;
		w->at_line_start = feed != NULL;
		part = (struct slice){ next, (size_t)(end - next) };
	}
	return true;
}

bool data_end(struct data_writer *w, struct buf *out)
{
	return w->at_line_start ? buf_add(out, ".\r\n", 3) : buf_add(out, "\r\n.\r\n", 5);
}
