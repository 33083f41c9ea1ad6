/*
 * tarpit - who is held back, and how many may be (Max_Tarpitted, T14): so that the tarpit is no
 * weapon against us. All workers count together; one that takes in a session too many lets its own
 * oldest go, in a later turn, when nobody up the stack has a session in his hands.
 */
#include "session/inside.h"

#include "base/clock.h"
#include "base/log.h"

enum { CROWDED_LOG_MS = 10000 };

void tarpit_enter(struct session *s)
{
	struct worker *w = s->worker;

	TAILQ_INSERT_TAIL(&w->tarpit, s, held);
	if (atomic_fetch_add(w->tarpitted, 1) < s->rules->max_tarpitted)
		return;
	w->too_many++;
	timer_set(&w->thin_out, 0);
}

void tarpit_leave(struct session *s)
{
	TAILQ_REMOVE(&s->worker->tarpit, s, held);
	atomic_fetch_sub(s->worker->tarpitted, 1);
}

static void warn(struct worker *w, uint32_t most)
{
	uint64_t now = clock_ms();

	if (w->crowded_log_ms != 0 && now - w->crowded_log_ms < CROWDED_LOG_MS)
		return;
	w->crowded_log_ms = now;
	log_warn("more than %u clients are held back: the oldest are let go", most);
}

void worker_thin_out(void *arg)
{
	struct worker *w = arg;

	for (; w->too_many > 0; w->too_many--) {
		struct session *oldest = TAILQ_FIRST(&w->tarpit);

		if (oldest == NULL || *w->tarpitted <= oldest->rules->max_tarpitted)
			continue; /* some have left meanwhile */
		warn(w, oldest->rules->max_tarpitted);
		stat_add(&w->stats.tarpits_cut, 1);
		session_dismiss(oldest, END_CROWDED,
				"4.3.2 Too many clients are waiting, try again later");
	}
}
