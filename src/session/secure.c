/*
 * secure - a session's way into TLS: by STARTTLS (RFC 3207), or before everything else (Use_SSL).
 *
 * Nothing that arrived in the clear may be acted on afterwards: 220 is said when there is nothing
 * unread, the handshake begins when it has left, and what is said in the clear until then is for
 * the handshake to choke on.
 */
#include "session/inside.h"

#include <stdlib.h>

enum { IGNORED_MAX = 256 << 10 }; /* of what came behind STARTTLS */

void session_secure(struct session *s, void (*after)(struct session *s))
{
	stream_secure(&s->client, s->settings->tls, NULL);
	session_park(s, WAIT_TLS, after);
	session_be_patient(s);
}

void secure_done(struct session *s)
{
	const struct tls_info *tls = stream_tls(&s->client);

	s->facts.tls = tls;
	s->facts.can_relay |= tls->verified && s->settings->verified_may_relay;
	stat_add(&s->worker->stats.tls_sessions, 1);
	session_log_tls(s);
	session_wake(s);
}

void secure_failed(struct session *s, enum ending how, const char *why)
{
	stat_add(&s->worker->stats.tls_failures, 1);
	session_log_tls_failure(s, why);
	session_end(s, how);
}

/* RFC 3207 4.2: as if nothing had been said yet. */
static void begin_anew(struct session *s)
{
	free(s->helo_line);
	free(s->login);
	s->helo_line = s->login = NULL;
	s->facts.helo = s->facts.helo_line = s->facts.auth_user = (struct slice){ 0 };
	s->extended = false;
	session_enter(s, SESSION_HELO);
}

static void ready_has_left(struct session *s)
{
	session_secure(s, begin_anew);
}

static void refuse_injection(struct session *s)
{
	static const char text[] = "5.5.1 Error: nothing may follow STARTTLS before its answer";

	session_log_injection(s, 503, text);
	s->close_next = true;
	session_reply_text(s, 503, text);
}

void secure_on_request(struct session *s)
{
	if (stream_has_input(&s->client)) {
		stat_add(&s->worker->stats.tls_injections, 1);
		if (!s->settings->forgive_injection) {
			refuse_injection(s);
			return;
		}
		stream_drop_input(&s->client, IGNORED_MAX);
	}
	session_reply(s, 220, "2.0.0 Ready to start TLS");
	stream_flush(&s->client);
	if (stream_unsent(&s->client) > 0)
		session_park(s, WAIT_OUTPUT, ready_has_left);
	else
		ready_has_left(s);
}
