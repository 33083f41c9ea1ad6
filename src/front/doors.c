/*
 * doors - where the workers listen. A stand is one listener of one worker, with the rules that its
 * new sessions begin with. A configuration is put into use in two steps: everything that can fail
 * is done first, on sockets that nobody listens on yet; then every worker is told.
 */
#include "front/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "session/session.h"

enum {
	STARVED_LOG_MS = 10000,
	DESCRIPTORS_LEFT = 8, /* one in so many is not for clients */
};

static void accepted(void *owner, int fd, const struct addr *peer, uint16_t peer_port)
{
	struct stand *stand = owner;

	session_begin(stand->hand->worker, stand->rules, stand->door, fd, peer, peer_port);
}

static void starved(void *owner, int error)
{
	struct stand *stand = owner;
	struct hand *h = stand->hand;
	uint64_t now = clock_ms();

	stat_add(&h->worker->stats.accept_pauses, 1);
	if (h->starved_log_ms != 0 && now - h->starved_log_ms < STARVED_LOG_MS)
		return;
	h->starved_log_ms = now;
	log_warn("accepting on %s pauses: %s", stand->door->name, strerror(error));
}

void crew_stand_close(struct stand *stand)
{
	LIST_REMOVE(stand, next);
	listener_free(stand->listener);
	rules_unref(stand->rules);
	free(stand);
}

void crew_stand_end(struct stand *stand)
{
	if (endpoint_is_unix(&stand->door->where))
		unlink(stand->door->where.path);
	crew_stand_close(stand);
}

static const struct door *door_at(const struct rules *rules, const struct endpoint *where)
{
	for (unsigned i = 0; rules != NULL && i < rules->door_count; i++) {
		if (endpoint_equal(&rules->doors[i].where, where))
			return &rules->doors[i];
	}
	return NULL;
}

struct opening {
	const struct door *door;
	unsigned worker;
	int fd;
};

struct installation {
	struct rules *rules;
	struct opening *list;
	unsigned count;
	bool anew; /* another number of workers: every door, not only what is new */
};

static void stand_open(struct hand *h, struct rules *rules, const struct door *door, int fd)
{
	struct stand *stand = mem_new(sizeof *stand);

	stand->hand = h;
	stand->rules = rules_ref(rules);
	stand->door = door;
	stand->listener = listener_new(h->worker->loop, fd, accepted, starved, stand);
	listener_leave(stand->listener, DESCRIPTORS_LEFT);
	LIST_INSERT_HEAD(&h->stands, stand, next);
}

/* Before the doors are opened anew on copies of their sockets. */
static void leave_doors(struct hand *h, void *arg)
{
	const struct rules *rules = arg;

	while (!LIST_EMPTY(&h->stands)) {
		struct stand *stand = LIST_FIRST(&h->stands);

		if (door_at(rules, &stand->door->where) != NULL)
			crew_stand_close(stand);
		else
			crew_stand_end(stand);
	}
}

static void adapt(int fd, const struct door *door)
{
	if (!listener_adapt(fd, &door->where, door->backlog, door->file_mode))
		log_warn("%s keeps its Listen_Backlog or File_Mode: %s", door->name,
			 strerror(errno));
}

static void install(struct hand *h, void *arg)
{
	struct installation *in = arg;
	struct stand *stand = LIST_FIRST(&h->stands);

	h->worker->relay.hostname = in->rules->hostname; /* the crew holds the latest rules */
	while (stand != NULL) {
		struct stand *following = LIST_NEXT(stand, next);
		const struct door *door = door_at(in->rules, &stand->door->where);

		if (door == NULL) {
			crew_stand_end(stand);
		} else {
			adapt(listener_fd(stand->listener), door);
			rules_unref(stand->rules);
			stand->rules = rules_ref(in->rules);
			stand->door = door;
		}
		stand = following;
	}
	for (unsigned i = 0; i < in->count; i++) {
		if (in->list[i].worker == h->worker->index)
			stand_open(h, in->rules, in->list[i].door, in->list[i].fd);
	}
}

static void opening_add(struct installation *in, const struct door *door, unsigned worker, int fd)
{
	in->list = mem_resize(in->list, in->count + 1, sizeof *in->list);
	in->list[in->count++] = (struct opening){ door, worker, fd };
}

static unsigned open_inherited(struct crew *crew, const struct door *door, struct installation *in)
{
	unsigned found = 0;

	for (unsigned i = 0; i < crew->inherited_count; i++) {
		struct crew_socket *s = &crew->inherited[i];

		if (s->fd < 0 || !endpoint_equal(&s->where, &door->where))
			continue;
		adapt(s->fd, door);
		opening_add(in, door, found++ % crew->active, s->fd);
		s->fd = -1;
	}
	return found;
}

/* A TCP door has a socket a worker; a Unix door one, the first worker's. */
static bool open_door(struct crew *crew, const struct door *door, struct installation *in,
		      struct complaints *complaints)
{
	unsigned sockets = endpoint_is_unix(&door->where) ? 1 : crew->active;
	unsigned inherited = open_inherited(crew, door, in);
	const char *why;

	for (unsigned i = inherited; i < sockets; i++) {
		int fd = listener_socket(&door->where, door->backlog, door->file_mode, sockets > 1,
					 &why);

		if (fd < 0 && inherited > 0)
			return true; /* what there was cannot be shared by more */
		if (fd < 0) {
			complain(complaints, (struct place){ 0 }, "cannot listen on %s: %s",
				 door->name, why);
			return false;
		}
		opening_add(in, door, i, fd);
	}
	return true;
}

void crew_forget_inherited(struct crew *crew)
{
	for (unsigned i = 0; i < crew->inherited_count; i++) {
		if (crew->inherited[i].fd >= 0)
			close(crew->inherited[i].fd);
	}
	free(crew->inherited);
	crew->inherited = NULL;
	crew->inherited_count = 0;
}

/* With another number of workers the sockets go round anew: none is closed on the way. */
static bool go_round(struct crew *crew, struct installation *in, struct complaints *complaints)
{
	in->anew = crew->rules != NULL && in->rules->workers != crew->active;
	if (!in->anew)
		return true;
	if (!crew_gather(crew, &crew->inherited, &crew->inherited_count)) {
		complain(complaints, (struct place){ 0 },
			 "Workers cannot change: too few descriptors");
		return false;
	}
	crew_hire(crew, in->rules->workers);
	crew->active = in->rules->workers;
	return true;
}

/* false: complained, and all is as it was. */
static bool open_doors(struct crew *crew, struct installation *in, struct complaints *complaints)
{
	const struct rules *rules = in->rules;
	unsigned before = crew->active;
	bool fine = go_round(crew, in, complaints);

	for (unsigned i = 0; fine && i < rules->door_count; i++) {
		if (in->anew || door_at(crew->rules, &rules->doors[i].where) == NULL)
			fine = open_door(crew, &rules->doors[i], in, complaints);
	}
	if (fine)
		return true;
	for (unsigned i = 0; i < in->count; i++)
		close(in->list[i].fd);
	if (in->anew)
		crew_forget_inherited(crew); /* copies */
	crew->active = before;
	return false;
}

static void use(struct crew *crew, struct installation *in)
{
	if (in->anew)
		crew_order(crew, leave_doors, in->rules);
	crew_order(crew, install, in);
	rules_unref(crew->rules);
	crew->rules = rules_ref(in->rules);
	crew_forget_inherited(crew); /* those of doors that are no more */
}

static bool may_install(const struct crew *crew, struct complaints *complaints)
{
	if (!crew->draining && !crew->retired)
		return true;
	complain(complaints, (struct place){ 0 }, "%s: nothing new can be opened",
		 crew->retired ? "handed over" : "draining");
	return false;
}

bool crew_install(struct crew *crew, struct rules *rules, struct complaints *complaints)
{
	struct installation in = { .rules = rules };
	bool fine;

	pthread_mutex_lock(&crew->lock);
	fine = may_install(crew, complaints) && open_doors(crew, &in, complaints);
	if (fine)
		use(crew, &in);
	pthread_mutex_unlock(&crew->lock);
	free(in.list);
	return fine;
}
