/*
 * pass - the crew's sockets and sessions on their way to another process, or from one.
 */
#include "front/inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listener.h"
#include "session/session.h"

struct gathering {
	struct crew_socket *list;
	unsigned count;
	bool lacks; /* a descriptor for one of them */
	pthread_mutex_t lock;
};

static void gather(struct hand *h, void *arg)
{
	struct gathering *g = arg;
	struct stand *stand;

	pthread_mutex_lock(&g->lock);
	LIST_FOREACH(stand, &h->stands, next) {
		int fd = fcntl(listener_fd(stand->listener), F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			g->lacks = true;
			break;
		}
		g->list = mem_resize(g->list, g->count + 1, sizeof *g->list);
		g->list[g->count++] = (struct crew_socket){ stand->door->where, fd };
	}
	pthread_mutex_unlock(&g->lock);
}

bool crew_gather(struct crew *crew, struct crew_socket **out, unsigned *count_out)
{
	struct gathering g = { .lock = PTHREAD_MUTEX_INITIALIZER };

	crew_order(crew, gather, &g);
	*out = g.list;
	*count_out = g.count;
	if (!g.lacks)
		return true;
	while (g.count > 0)
		close(g.list[--g.count].fd);
	free(g.list);
	*out = NULL;
	*count_out = 0;
	return false;
}

bool crew_sockets(struct crew *crew, struct crew_socket **out, unsigned *count_out)
{
	bool fine;

	pthread_mutex_lock(&crew->lock);
	fine = crew_gather(crew, out, count_out);
	pthread_mutex_unlock(&crew->lock);
	return fine;
}

void crew_inherit(struct crew *crew, const struct crew_socket *list, unsigned count)
{
	if (count == 0)
		return;
	crew->inherited = mem_array(count, sizeof *list);
	memcpy(crew->inherited, list, count * sizeof *list);
	crew->inherited_count = count;
}

static void retire(struct hand *h, void *arg)
{
	(void)arg;
	while (!LIST_EMPTY(&h->stands))
		crew_stand_close(LIST_FIRST(&h->stands));
}

void crew_retire(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->retired = true;
	crew_order(crew, retire, NULL);
	pthread_mutex_unlock(&crew->lock);
}

static void tell_all(struct hand *h, void *arg)
{
	struct audit_tap *tap = arg;

	audit_set_tap(tap);
	if (tap == NULL)
		return;
	for (struct session *s = LIST_FIRST(&h->worker->sessions); s != NULL; s = session_next(s)) {
		if (session_ticket(s)->endpoint != NULL)
			tap->told(tap, true, session_ticket(s));
	}
}

void crew_tap(struct crew *crew, struct audit_tap *tap)
{
	pthread_mutex_lock(&crew->lock);
	crew_order(crew, tell_all, tap);
	pthread_mutex_unlock(&crew->lock);
}
