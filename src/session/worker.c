#include "session/worker.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "relay/pool.h"

struct worker *worker_new(unsigned index, struct jobs *jobs, struct series_all *series)
{
	struct worker *w = mem_new(sizeof *w);

	w->index = index;
	w->loop = loop_new();
	w->relay.loop = w->loop;
	w->series = series;
	w->relay.jobs = jobs;
	w->relay.dns = dns_new(w->loop, getenv("TIDEWAITER_DNS"));
	w->relay.pool = pool_new(w->loop);
	w->next_session = clock_wall_ms() / 1000 << 32 | index;
	LIST_INIT(&w->sessions);
	TAILQ_INIT(&w->tarpit);
	timer_init(&w->thin_out, w->loop, worker_thin_out, w);
	return w;
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	CHECK(LIST_EMPTY(&w->sessions));
	timer_stop(&w->thin_out);
	pool_free(w->relay.pool);
	dns_free(w->relay.dns);
	loop_free(w->loop);
	free(w);
}
