/*
 * body - the message: read strictly, held until it is judged, handed on, and forgotten. The answer
 * to its end is the next hop's.
 */
#include "session/inside.h"

#include <inttypes.h>
#include <time.h>

#include "base/clock.h"

enum {
	LINE_MAX_OCTETS = 65536, /* longer lines than RFC 5321's are common, endless ones are not */
	READS_A_TURN = 2,	 /* of 16 KiB; then the others' turn comes */
	OVERRUN_MAX = 64 << 20,	 /* thrown away beyond the size limit; then the session ends */
};

/* --- our header ---------------------------------------------------------------------------- */

static const char *date(char out[64])
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(out, 64, "%a, %d %b %Y %H:%M:%S %z", &tm);
	return out;
}

static const char *protocol(const struct session *s)
{
	bool secret = s->facts.tls != NULL;

	if (s->mail->mail.params.smtputf8)
		return secret ? "UTF8SMTPS" : "UTF8SMTP"; /* RFC 6531 4.3 */
	if (s->extended)
		return secret ? "ESMTPS" : "ESMTP"; /* RFC 3848 */
	return "SMTP";
}

static struct buf received_header(const struct session *s)
{
	const struct transaction *t = s->mail;
	const struct tls_info *tls = s->facts.tls;
	char when[64], peer[ADDR_TEXT_MAX];
	struct buf line;
	bool fits;

	addr_print(&s->facts.peer, peer);
	buf_init(&line, 0);
	fits = buf_printf(&line, "Received: from %.*s (%s [%s%s])\r\n\t",
			  s->facts.helo.len > 0 ? (int)s->facts.helo.len : 7,
			  s->facts.helo.len > 0 ? s->facts.helo.at : "unknown",
			  s->client_name != NULL ? s->client_name : "unknown",
			  s->facts.peer.family == ADDR_V6 ? "IPv6:" : "", peer);
	if (tls != NULL)
		fits = fits &&
		       buf_printf(&line, "(using %s with cipher %s (%d/%d bits))\r\n\t",
				  tls->version, tls->cipher, tls->used_bits, tls->cipher_bits);
	fits = fits && buf_printf(&line, "by %s (Tidewaiter) with %s id %016" PRIx64 ".%u",
				  s->settings->received_hostname, protocol(s), s->facts.session,
				  s->transactions);
	if (t->facts.rcpt_count == 1) /* more would tell each of the others */
		fits = fits && buf_printf(&line, "\r\n\tfor <%s>", t->first_rcpt);
	fits = fits && buf_printf(&line, "; %s\r\n", date(when));
	(void)fits; /* no limit was set */
	return line;
}

/* --- the end ------------------------------------------------------------------------------- */

static void message_accepted(struct session *s)
{
	struct transaction *t = s->mail;

	s->facts.message_count++;
	s->unproductive = 0;
	stat_add(&s->worker->stats.receptions, 1);
	stat_add(&s->worker->stats.octets, t->reader.size);
	for (uint32_t n = s->rules->recipients_are_receptions ? t->facts.rcpt_count : 1; n > 0; n--)
		session_record(s, EVENT_RECEPTION); /* D39 */
	session_log_delivery(s, &t->reply);
	session_reply_text(s, t->reply.code, t->reply.text != NULL ? t->reply.text : "2.0.0 Ok");
	mail_over(s);
}

static void relay_answered(struct session *s)
{
	const struct reply *reply = &s->mail->reply;

	session_enter(s, SESSION_READY);
	if (reply->code >= 200 && reply->code < 300)
		message_accepted(s);
	else
		mail_refuse_as_told(s, PHASE_DATA);
}

static void hand_on(struct session *s)
{
	if (relay_message(s->mail->relay, s->mail->message) == RELAY_WAIT)
		session_park(s, WAIT_RELAY, relay_answered);
	else
		relay_answered(s);
}

static void refuse_message(struct session *s, unsigned code, const char *text)
{
	session_enter(s, SESSION_READY);
	session_refuse(s, PHASE_DATA, code, text);
}

static void message_kept(struct session *s)
{
	struct transaction *t = s->mail;

	if (message_state(t->message) != MESSAGE_READY) {
		refuse_message(s, 452, "4.3.1 Insufficient system storage");
		return;
	}
	t->facts.size = t->reader.size;
	session_enter(s, SESSION_READY); /* what policy refuses, it refuses here */
	session_ask(s, PHASE_DATA, hand_on);
}

/* What is wrong with the message, whatever policy or next hop would say; NULL: nothing. */
static const char *fault_of(const struct session *s, unsigned *code_out)
{
	static const char *const faults[] = {
		[DATA_BARE_CR] = "5.6.0 Error: bare <CR> in message, lines end with <CR><LF>",
		[DATA_BARE_LF] = "5.6.0 Error: bare <LF> in message, lines end with <CR><LF>",
		[DATA_LINE_TOO_LONG] = "5.6.0 Error: line too long in message",
		[DATA_NUL] = "5.6.0 Error: NUL octet in message",
	};
	const struct transaction *t = s->mail;

	*code_out = 552;
	if (t->too_big)
		return "5.3.4 message size limit exceeded";
	*code_out = 550;
	if (t->reader.fault != DATA_FINE)
		return faults[t->reader.fault];
	*code_out = 554;
	if (t->reader.received > s->rules->hop_limit)
		return "5.4.6 Error: too many hops";
	*code_out = 452;
	if (t->broken)
		return "4.3.1 Insufficient system storage";
	return NULL;
}

static void message_ended(struct session *s)
{
	struct transaction *t = s->mail;
	unsigned code;
	const char *fault = fault_of(s, &code);

	if (fault != NULL) {
		refuse_message(s, code, fault);
		return;
	}
	if (message_finish(t->message) == MESSAGE_BUSY)
		session_park(s, WAIT_DISK, message_kept);
	else
		message_kept(s);
}

/* --- reading ------------------------------------------------------------------------------- */

static void disk_ready(void *owner)
{
	struct session *s = owner;

	if (s->wait == WAIT_DISK)
		session_wake(s);
}

static void keep(void *arg, struct slice part)
{
	struct session *s = arg;
	struct transaction *t = s->mail;
	uint64_t max = s->settings->max_message_size;

	if (max != 0 && t->reader.size > max)
		t->too_big = true;
	if (t->too_big || t->broken)
		return;
	if (message_add(t->message, part) == MESSAGE_BROKEN)
		t->broken = true;
}

/* A message that is refused already is read on to its end, for the answer's sake; not for ever. */
static bool overrun(struct session *s)
{
	uint64_t enough = s->settings->max_message_size + OVERRUN_MAX;
	unsigned code;
	const char *fault = fault_of(s, &code);

	if (fault == NULL || s->mail->reader.size < enough)
		return false;
	s->close_next = true;
	refuse_message(s, code, fault);
	return true;
}

void body_read(struct session *s)
{
	for (int reads = 0; s->wait == WAIT_NONE && !s->ended && s->state == SESSION_DATA;
	     reads++) {
		struct transaction *t = s->mail;
		struct slice bytes;
		size_t used;
		bool at_end;

		if (reads == READS_A_TURN) {
			stream_again(&s->client);
			return;
		}
		switch (stream_bytes(&s->client, &bytes)) {
		case STREAM_GOT:
			break;
		case STREAM_OVER:
			session_end(s, END_HANGUP);
			return;
		case STREAM_NOTHING:
		case STREAM_BARE:
		case STREAM_LONG:
			return;
		}
		at_end = data_read(&t->reader, bytes, keep, s, &used);
		stream_eat(&s->client, used);
		s->waiting_ms = clock_ms();
		if (at_end)
			message_ended(s);
		else if (!overrun(s) && message_state(t->message) == MESSAGE_BUSY)
			session_park(s, WAIT_DISK, NULL);
	}
	if (!s->ended && s->wait == WAIT_NONE && s->state != SESSION_DATA)
		stream_again(&s->client); /* the next command may be here already */
}

void body_begin(struct session *s)
{
	struct transaction *t = s->mail;
	struct buf header = received_header(s);

	t->message = message_new(s->worker->loop, s->worker->relay.jobs, s->rules->spool_dir,
				 s->settings->message_memory, disk_ready, s);
	data_reader_init(&t->reader, LINE_MAX_OCTETS);
	if (message_add(t->message, buf_slice(&header)) == MESSAGE_BROKEN)
		t->broken = true;
	buf_free(&header);
	session_enter(s, SESSION_DATA);
	session_reply(s, 354, "End data with <CR><LF>.<CR><LF>");
}
