/* Message reading: what ends a line and what ends a message (RFC 5321 4.5.2), and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtp/data.h"

enum { LINE_MAX_HERE = 998 };

struct result {
	bool ended;
	size_t used;
	struct buf kept;
	struct data_reader r;
};

static void keep_part(void *arg, struct slice part)
{
	assert_true(part.len > 0);
	assert_true(buf_add_slice(arg, part));
}

/* Feeds in pieces: to, to + step, ... ; step 0: to, then the rest. */
static void feed(struct result *got, struct slice in, size_t to, size_t step, uint32_t line_max)
{
	size_t from = 0, used;

	*got = (struct result){ .ended = false };
	data_reader_init(&got->r, line_max);
	while (!got->ended && from < in.len) {
		size_t len = to - from;
		/* In its own memory, so that ASan sees a look past the end. */
		char *piece = malloc(len);

		assert_non_null(piece);
		memcpy(piece, in.at + from, len);
		got->ended = data_read(&got->r, (struct slice){ piece, len }, keep_part, &got->kept,
				       &used);
		assert_true(got->ended ? used <= len : used == len);
		free(piece);
		got->used += used;
		from = to;
		to = step == 0 || in.len - to < step ? in.len : to + step;
	}
}

static void assert_same(const struct result *a, const struct result *b, const char *name)
{
	if (a->ended != b->ended || a->used != b->used || a->r.fault != b->r.fault ||
	    a->r.size != b->r.size || a->r.is_8bit != b->r.is_8bit ||
	    a->r.received != b->r.received ||
	    !slice_equal(buf_slice(&a->kept), buf_slice(&b->kept)))
		fail_msg("%s: the result depends on the pieces", name);
}

#define CASE(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct {
	const char *name;
	struct slice in;
	bool want_end;
	enum data_fault want_fault;
	struct slice want_kept;
	struct slice want_left;
} cases[] = {
	{ "empty message", CASE(".\r\n"), true, DATA_FINE, CASE(""), CASE("") },
	{ "one line", CASE("a\r\n.\r\n"), true, DATA_FINE, CASE("a\r\n"), CASE("") },
	{ "empty lines", CASE("\r\n\r\n.\r\n"), true, DATA_FINE, CASE("\r\n\r\n"), CASE("") },
	{ "pipelined command stays", CASE("a\r\n.\r\nQUIT\r\n"), true, DATA_FINE, CASE("a\r\n"),
	  CASE("QUIT\r\n") },
	{ "stuffed dot", CASE("..a\r\n.\r\n"), true, DATA_FINE, CASE(".a\r\n"), CASE("") },
	{ "stuffed lone dot", CASE("a\r\n..\r\n.\r\n"), true, DATA_FINE, CASE("a\r\n.\r\n"),
	  CASE("") },
	{ "dot that was not stuffed", CASE(".a\r\n.\r\n"), true, DATA_FINE, CASE("a\r\n"),
	  CASE("") },
	{ "three dots", CASE("...\r\n.\r\n"), true, DATA_FINE, CASE("..\r\n"), CASE("") },
	{ "dot inside a line", CASE("a.\r\n.\r\n"), true, DATA_FINE, CASE("a.\r\n"), CASE("") },
	{ "tabs are text", CASE("a\tb\t\t\t\t\t\t\t\tc\r\n.\r\n"), true, DATA_FINE,
	  CASE("a\tb\t\t\t\t\t\t\t\tc\r\n"), CASE("") },
	{ "dot, blank", CASE("a\r\n. \r\n.\r\n"), true, DATA_FINE, CASE("a\r\n \r\n"), CASE("") },
	{ "no end yet", CASE("a\r\n"), false, DATA_FINE, CASE("a\r\n"), CASE("") },
	{ "no end yet, dot", CASE("a\r\n."), false, DATA_FINE, CASE("a\r\n"), CASE("") },
	{ "no end yet, dot CR", CASE("a\r\n.\r"), false, DATA_FINE, CASE("a\r\n"), CASE("") },

	{ "smuggling LF . LF", CASE("a\n.\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a"), CASE("") },
	{ "smuggling LF . CRLF", CASE("a\n.\r\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a"),
	  CASE("") },
	{ "smuggling CRLF . LF", CASE("a\r\n.\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a\r\n"),
	  CASE("") },
	{ "smuggling CR . CR", CASE("a\r.\rX\r\n.\r\n"), true, DATA_BARE_CR, CASE("a\r"),
	  CASE("") },
	{ "smuggling CR . CRLF", CASE("a\r.\r\nX\r\n.\r\n"), true, DATA_BARE_CR, CASE("a\r"),
	  CASE("") },
	{ "smuggling CR . LF", CASE("a\r.\nX\r\n.\r\n"), true, DATA_BARE_CR, CASE("a\r"),
	  CASE("") },
	{ "smuggling LF . CR", CASE("a\n.\rX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a"), CASE("") },
	{ "smuggling CRLF . CR", CASE("a\r\n.\rX\r\n.\r\n"), true, DATA_BARE_CR, CASE("a\r\n"),
	  CASE("") },
	{ "smuggling CRLF . CR CRLF", CASE("a\r\n.\r\r\nX\r\n.\r\n"), true, DATA_BARE_CR,
	  CASE("a\r\n"), CASE("") },
	{ "smuggling CR CRLF . CRLF is an end, and a fault", CASE("a\r\r\n.\r\nX"), true,
	  DATA_BARE_CR, CASE("a\r"), CASE("X") },
	{ "smuggling CR CR LF . CR CR LF", CASE("a\r\r\n.\r\r\nX\r\n.\r\n"), true, DATA_BARE_CR,
	  CASE("a\r"), CASE("") },
	{ "smuggling LF CR . CRLF", CASE("a\n\r.\r\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a"),
	  CASE("") },
	{ "smuggling LF LF", CASE("a\r\n\n.\r\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE("a\r\n"),
	  CASE("") },
	{ "smuggling CRLF NUL . CRLF", CASE("a\r\n\0.\r\nX\r\n.\r\n"), true, DATA_NUL,
	  CASE("a\r\n"), CASE("") },
	{ "smuggling CRLF . NUL CRLF", CASE("a\r\n.\0\r\nX\r\n.\r\n"), true, DATA_NUL,
	  CASE("a\r\n"), CASE("") },
	{ "smuggling CRLF . CR NUL LF", CASE("a\r\n.\r\0\nX\r\n.\r\n"), true, DATA_BARE_CR,
	  CASE("a\r\n"), CASE("") },
	{ "smuggling CR NUL LF . CRLF", CASE("a\r\0\n.\r\nX\r\n.\r\n"), true, DATA_BARE_CR,
	  CASE("a\r"), CASE("") },
	{ "smuggling stuffed LF .. CRLF", CASE("a\n..\r\nX\r\n.\r\n"), true, DATA_BARE_LF,
	  CASE("a"), CASE("") },
	{ "smuggling at the very start, LF", CASE(".\nX\r\n.\r\n"), true, DATA_BARE_LF, CASE(""),
	  CASE("") },
	{ "smuggling at the very start, CR", CASE(".\rX\r\n.\r\n"), true, DATA_BARE_CR, CASE(""),
	  CASE("") },
	{ "C1 NEL is not a line end", CASE("a\x85.\x85\r\n.\r\n"), true, DATA_FINE,
	  CASE("a\x85.\x85\r\n"), CASE("") },
	{ "vertical tab and form feed are text", CASE("a\v\f.\r\n.\r\n"), true, DATA_FINE,
	  CASE("a\v\f.\r\n"), CASE("") },
	{ "NUL in the text", CASE("abcdefgh\0ijk\r\n.\r\n"), true, DATA_NUL, CASE("abcdefgh"),
	  CASE("") },
	{ "the first fault is the one told", CASE("a\0b\nc\r.\r\n.\r\n"), true, DATA_NUL, CASE("a"),
	  CASE("") },
};

static void test_cases_in_one_piece_and_in_any_two(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct slice in = cases[i].in;
		struct result whole, split;

		feed(&whole, in, in.len, 0, LINE_MAX_HERE);
		if (whole.ended != cases[i].want_end || whole.r.fault != cases[i].want_fault ||
		    !slice_equal(buf_slice(&whole.kept), cases[i].want_kept) ||
		    in.len - whole.used != cases[i].want_left.len)
			fail_msg("%s: end %d fault %u kept \"%.*s\" left %zu", cases[i].name,
				 whole.ended, whole.r.fault, (int)whole.kept.len,
				 whole.kept.len ? whole.kept.at : "", in.len - whole.used);
		if (whole.r.fault == DATA_FINE)
			assert_int_equal(whole.r.size, whole.kept.len);
		for (size_t at = 1; at < in.len; at++) {
			feed(&split, in, at, 0, LINE_MAX_HERE);
			assert_same(&whole, &split, cases[i].name);
			buf_free(&split.kept);
		}
		feed(&split, in, 1, 1, LINE_MAX_HERE);
		assert_same(&whole, &split, cases[i].name);
		buf_free(&split.kept);
		buf_free(&whole.kept);
	}
}

/* What RFC 5321 4.5.2 says, an octet at a time, with nothing clever: the oracle. */
static size_t end_by_the_book(struct slice in)
{
	if (in.len >= 3 && memcmp(in.at, ".\r\n", 3) == 0)
		return 3;
	for (size_t i = 0; i + 5 <= in.len; i++)
		if (memcmp(in.at + i, "\r\n.\r\n", 5) == 0)
			return i + 5;
	return 0;
}

static void test_random_octets_in_random_pieces(void **state)
{
	static const char octets[] = "\r\r\n\n..ab:\t\x80"; /* and its NUL */
	uint32_t seed = 1;
	char text[96];

	(void)state;
#define RANDOM(n) ((seed = seed * 1664525 + 1013904223) >> 8) % (n)
	for (int round = 0; round < 20000; round++) {
		struct slice in = { text, 1 + RANDOM(sizeof text) };
		uint32_t line_max = 1 + RANDOM(40);
		struct result whole, split;
		size_t step = 1 + RANDOM(12), end;

		for (size_t i = 0; i < in.len; i++) {
			/* CRLF often enough that lines and ends do happen */
			if (RANDOM(4) == 0 && i + 1 < in.len) {
				text[i++] = '\r';
				text[i] = '\n';
			} else {
				text[i] = octets[RANDOM(sizeof octets)];
			}
		}
		feed(&whole, in, in.len, 0, line_max);
		feed(&split, in, in.len < step ? in.len : step, step, line_max);
		assert_same(&whole, &split, "random");
		end = end_by_the_book(in);
		assert_int_equal(whole.ended, end > 0);
		assert_int_equal(whole.used, end > 0 ? end : in.len);
		buf_free(&whole.kept);
		buf_free(&split.kept);
	}
}

static void test_line_length(void **state)
{
	static const struct {
		const char *name;
		struct slice in;
		enum data_fault want_fault;
		struct slice want_kept;
	} lines[] = {
		{ "just fits", CASE("0123456789\r\n.\r\n"), DATA_FINE, CASE("0123456789\r\n") },
		{ "one more", CASE("0123456789a\r\n.\r\n"), DATA_LINE_TOO_LONG,
		  CASE("0123456789") },
		{ "the stuffed dot does not count", CASE("..123456789\r\n.\r\n"), DATA_FINE,
		  CASE(".123456789\r\n") },
		{ "each line for itself", CASE("012345678\r\n012345678\r\n.\r\n"), DATA_FINE,
		  CASE("012345678\r\n012345678\r\n") },
		{ "many more", CASE("a\r\n0123456789abcdefghijklmnop\r\n.\r\n"), DATA_LINE_TOO_LONG,
		  CASE("a\r\n0123456789") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		for (size_t at = 1; at <= lines[i].in.len; at++) {
			struct result got;

			feed(&got, lines[i].in, at, 0, 10);
			if (!got.ended || got.r.fault != lines[i].want_fault ||
			    !slice_equal(buf_slice(&got.kept), lines[i].want_kept))
				fail_msg("%s, split at %zu: fault %u", lines[i].name, at,
					 got.r.fault);
			buf_free(&got.kept);
		}
	}
}

static void test_hops_are_counted_in_the_header_only(void **state)
{
	static const struct {
		const char *name;
		struct slice in;
		unsigned want_received;
	} hops[] = {
		{ "none", CASE("Subject: Received: x\r\n\r\n.\r\n"), 0 },
		{ "both names, any case",
		  CASE("Received: a\r\nRECEIVED:b\r\ndelivered-to: c\r\nSubject: d\r\n\r\n.\r\n"),
		  3 },
		{ "not in the body", CASE("Received: a\r\n\r\nReceived: b\r\n.\r\n"), 1 },
		{ "not in a folded line", CASE("Subject: a\r\n Received: b\r\n\r\n.\r\n"), 0 },
		{ "not a part of a name",
		  CASE("Receive: a\r\nReceivedX: b\r\nX-Received: c\r\n.\r\n"), 0 },
		{ "a long name", CASE("Received-But-Not-Really-So: a\r\nReceived: b\r\n.\r\n"), 1 },
		{ "a line of one dot does not end it", CASE("..\r\nReceived: b\r\n.\r\n"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
		for (size_t at = 1; at <= hops[i].in.len; at++) {
			struct result got;

			feed(&got, hops[i].in, at, 0, LINE_MAX_HERE);
			if (!got.ended || got.r.received != hops[i].want_received)
				fail_msg("%s, split at %zu: %u", hops[i].name, at, got.r.received);
			buf_free(&got.kept);
		}
	}
}

static void test_hop_count_does_not_wrap(void **state)
{
	struct data_reader r;
	struct buf kept = { 0 };
	size_t used;

	(void)state;
	data_reader_init(&r, LINE_MAX_HERE);
	for (int i = 0; i < UINT16_MAX + 10; i++) {
		data_read(&r, SLICE("Received:\r\n"), keep_part, &kept, &used);
		buf_clear(&kept);
	}
	assert_int_equal(r.received, UINT16_MAX);
	buf_free(&kept);
}

static void test_8bit_is_seen_anywhere(void **state)
{
	char text[40];

	(void)state;
	for (size_t at = 0; at < sizeof text - 5; at++) {
		struct result got;

		memset(text, 'a', sizeof text);
		memcpy(text + sizeof text - 5, "\r\n.\r\n", 5);
		feed(&got, (struct slice){ text, sizeof text }, sizeof text, 0, LINE_MAX_HERE);
		assert_false(got.r.is_8bit);
		buf_free(&got.kept);
		text[at] = (char)0xe4;
		feed(&got, (struct slice){ text, sizeof text }, sizeof text, 0, LINE_MAX_HERE);
		assert_true(got.r.is_8bit);
		buf_free(&got.kept);
	}
	/* What follows the end is not the message's. */
	struct result got;
	feed(&got, SLICE(".\r\n\xff\xff\xff\xff\xff\xff\xff\xff"), 11, 0, LINE_MAX_HERE);
	assert_true(got.ended && !got.r.is_8bit);
}

static const struct {
	const char *name;
	struct slice message;
	struct slice want_wire;
} writes[] = {
	{ "empty", CASE(""), CASE(".\r\n") },
	{ "one line", CASE("a\r\n"), CASE("a\r\n.\r\n") },
	{ "last CRLF missing", CASE("a"), CASE("a\r\n.\r\n") },
	{ "dot line", CASE(".\r\n"), CASE("..\r\n.\r\n") },
	{ "dots", CASE(".a\r\n..b\r\nc.\r\n.d"), CASE("..a\r\n...b\r\nc.\r\n..d\r\n.\r\n") },
	{ "dots on lines that follow each other", CASE(".\r\n.\r\n\r\n.\r\n"),
	  CASE("..\r\n..\r\n\r\n..\r\n.\r\n") },
};

static void test_writer_stuffs_and_reader_takes_it_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		struct slice message = writes[i].message;

		for (size_t at = 0; at <= message.len; at++) {
			struct buf wire = { 0 };
			struct data_writer w;
			struct result back;

			data_writer_init(&w);
			assert_true(data_write(&w, (struct slice){ message.at, at }, &wire));
			assert_true(data_write(
				&w, (struct slice){ message.at + at, message.len - at }, &wire));
			assert_true(data_end(&w, &wire));
			if (!slice_equal(buf_slice(&wire), writes[i].want_wire))
				fail_msg("%s, split at %zu: \"%s\"", writes[i].name, at,
					 buf_text(&wire));
			feed(&back, buf_slice(&wire), wire.len, 0, LINE_MAX_HERE);
			assert_true(back.ended && back.r.fault == DATA_FINE);
			assert_true(back.kept.len >= message.len);
			assert_true(message.len == 0 ||
				    memcmp(back.kept.at, message.at, message.len) == 0);
			buf_free(&back.kept);
			buf_free(&wire);
		}
	}
}

static void test_writer_says_when_the_buffer_is_full(void **state)
{
	struct data_writer w;
	struct buf wire;

	(void)state;
	buf_init(&wire, 8);
	data_writer_init(&w);
	assert_false(data_write(&w, SLICE("0123456789\r\n"), &wire));
	data_writer_init(&w);
	assert_true(data_write(&w, SLICE("0123\r\n"), &wire));
	assert_false(data_end(&w, &wire));
	buf_free(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_in_one_piece_and_in_any_two),
		cmocka_unit_test(test_random_octets_in_random_pieces),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_hops_are_counted_in_the_header_only),
		cmocka_unit_test(test_hop_count_does_not_wrap),
		cmocka_unit_test(test_8bit_is_seen_anywhere),
		cmocka_unit_test(test_writer_stuffs_and_reader_takes_it_away),
		cmocka_unit_test(test_writer_says_when_the_buffer_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
