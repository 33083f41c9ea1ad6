#include "policy/ledger.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"

enum counter_class { CLASS_5XX, CLASS_4XX, CLASS_INFORMATIONAL };

static const char *const class_names[] = {
	[CLASS_5XX] = "5xx",
	[CLASS_4XX] = "4xx",
	[CLASS_INFORMATIONAL] = "informational",
};

struct counter {
	struct counter_key {
		uint8_t class;
		uint8_t phase;
		char name[64]; /* zeroes to its end */
	} key;
	uint64_t n;
	UT_hash_handle hh;
};

struct ledger {
	pthread_mutex_t lock;
	uint64_t added; /* the next one is records[added % LEDGER_ENTRIES] */
	uint64_t since_ms;
	uint64_t uncounted;
	struct counter *counters;
	struct record *records[LEDGER_ENTRIES];
};

/*
 * An entry as it is kept: most of one is room that its texts do not use, and there is one for each
 * client that is held back. What is before the texts is kept as it is, they one after the other.
 */
struct record {
	char head[offsetof(struct ledger_entry, name)];
	char texts[];
};

static const struct {
	size_t at, size;
} texts[] = {
	{ offsetof(struct ledger_entry, name), sizeof ((struct ledger_entry *)0)->name },
	{ offsetof(struct ledger_entry, file), sizeof ((struct ledger_entry *)0)->file },
	{ offsetof(struct ledger_entry, text), sizeof ((struct ledger_entry *)0)->text },
	{ offsetof(struct ledger_entry, counter), sizeof ((struct ledger_entry *)0)->counter },
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static struct record *record_of(const struct ledger_entry *e)
{
	size_t len = 0;
	struct record *r;
	char *to;

	for (int i = 0; i < TEXTS; i++)
		len += strlen((const char *)e + texts[i].at) + 1;
	r = mem_new(sizeof *r + len);
	memcpy(r->head, e, sizeof r->head);
	to = r->texts;
	for (int i = 0; i < TEXTS; i++)
		to = stpcpy(to, (const char *)e + texts[i].at) + 1;
	return r;
}

static void texts_read(const struct record *r, struct ledger_entry *out)
{
	const char *from = r->texts;

	for (int i = 0; i < TEXTS; i++)
		from += snprintf((char *)out + texts[i].at, texts[i].size, "%s", from) + 1;
}

struct ledger *ledger_new(void)
{
	struct ledger *l = mem_new(sizeof *l);

	pthread_mutex_init(&l->lock, NULL);
	l->since_ms = clock_wall_ms();
	return l;
}

static void counters_free(struct ledger *l)
{
	struct counter *c, *next;

	HASH_ITER(hh, l->counters, c, next) {
		HASH_DEL(l->counters, c);
		free(c);
	}
}

void ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	counters_free(l);
	for (int i = 0; i < LEDGER_ENTRIES; i++)
		free(l->records[i]);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void copy_head(char *out, size_t size, struct slice s)
{
	size_t len = s.len < size ? s.len : size - 1;

	if (len > 0)
		memcpy(out, s.at, len);
	out[len] = '\0';
}

/* Of a path its end says more. */
static void copy_tail(char *out, size_t size, struct slice s)
{
	if (s.len >= size)
		s = (struct slice){ s.at + s.len - (size - 1), size - 1 };
	copy_head(out, size, s);
}

static enum counter_class class_of(const struct action *action)
{
	if (action->kind == ACTION_TARPIT || action->kind == ACTION_KEEP ||
	    action->kind == ACTION_COUNT)
		return CLASS_INFORMATIONAL; /* D103 */
	if (action->code >= 500)
		return CLASS_5XX;
	return action->code >= 400 ? CLASS_4XX : CLASS_INFORMATIONAL;
}

static void count(struct ledger *l, const struct counter_key *key)
{
	struct counter *c;

	HASH_FIND(hh, l->counters, key, sizeof *key, c);
	if (c == NULL && HASH_COUNT(l->counters) >= LEDGER_COUNTERS) {
		l->uncounted++;
		return;
	}
	if (c == NULL) {
		c = mem_new(sizeof *c);
		c->key = *key;
		HASH_ADD(hh, l->counters, key, sizeof *key, c);
	}
	c->n++;
}

void ledger_add(struct ledger *l, uint64_t session, const struct addr *peer,
		const struct action *action)
{
	struct counter_key key = { .class = (uint8_t)class_of(action),
				   .phase = (uint8_t)action->phase };
	struct record **at, *record, *oldest;
	struct ledger_entry entry = {
		.wall_ms = clock_wall_ms(),
		.session = session,
		.peer = *peer,
		.kind = action->kind,
		.phase = action->phase,
		.ms = action->ms,
		.line = action->line,
		.code = action->code,
		.observe = action->observe,
		.has_cause = action->cause != NULL,
	};
	char place[sizeof entry.file + 16];

	copy_head(entry.name, sizeof entry.name, slice_of(action->name));
	copy_tail(entry.file, sizeof entry.file, slice_of(action->file));
	snprintf(place, sizeof place, "%s:%u", entry.file, action->line);
	copy_head(entry.text, sizeof entry.text, action->text);
	if (action->counter.len > 0)
		copy_head(entry.counter, sizeof entry.counter, action->counter);
	else
		copy_tail(entry.counter, sizeof entry.counter, slice_of(place));
	snprintf(key.name, sizeof key.name, "%s", entry.counter);
	if (action->cause != NULL)
		entry.cause = *action->cause;

	record = record_of(&entry);
	pthread_mutex_lock(&l->lock);
	at = &l->records[l->added++ % LEDGER_ENTRIES];
	oldest = *at;
	*at = record;
	count(l, &key);
	pthread_mutex_unlock(&l->lock);
	free(oldest);
}

/* The newest entry on the block among those numbered below *number, which becomes its number. */
static bool entry_before(struct ledger *l, const struct cidr *block, uint64_t *number,
			 struct ledger_entry *out)
{
	bool found = false;

	pthread_mutex_lock(&l->lock);
	if (*number > l->added)
		*number = l->added;
	while (!found && *number > 0 && *number + LEDGER_ENTRIES > l->added) {
		const struct record *r = l->records[--*number % LEDGER_ENTRIES];

		memcpy(out, r->head, sizeof r->head);
		found = block == NULL || cidr_contains(block, &out->peer);
		if (found)
			texts_read(r, out);
	}
	pthread_mutex_unlock(&l->lock);
	return found;
}

void ledger_latest(struct ledger *l, const struct cidr *block, ledger_visit *visit, void *arg)
{
	struct ledger_entry entry;
	uint64_t number = UINT64_MAX;

	while (entry_before(l, block, &number, &entry) && visit(arg, &entry))
		continue;
}

/* As memory has it: class, phase, name. */
static int counter_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct counter_key));
}

void ledger_counters(struct ledger *l, ledger_counter_visit *visit, void *arg)
{
	struct {
		struct counter_key key;
		uint64_t n;
	} *copy;
	struct counter *c;
	unsigned count = 0;

	pthread_mutex_lock(&l->lock);
	copy = mem_array(HASH_COUNT(l->counters), sizeof *copy);
	for (c = l->counters; c != NULL; c = c->hh.next, count++) {
		copy[count].key = c->key;
		copy[count].n = c->n;
	}
	pthread_mutex_unlock(&l->lock);
	qsort(copy, count, sizeof *copy, counter_compare);
	for (unsigned i = 0; i < count; i++) {
		const struct counter_key *key = &copy[i].key;

		if (!visit(arg, phase_name((enum phase)key->phase), key->name,
			   class_names[key->class], copy[i].n))
			break;
	}
	free(copy);
}

uint64_t ledger_uncounted(struct ledger *l)
{
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	n = l->uncounted;
	pthread_mutex_unlock(&l->lock);
	return n;
}

uint64_t ledger_since_ms(struct ledger *l)
{
	uint64_t since_ms;

	pthread_mutex_lock(&l->lock);
	since_ms = l->since_ms;
	pthread_mutex_unlock(&l->lock);
	return since_ms;
}

void ledger_reset(struct ledger *l)
{
	pthread_mutex_lock(&l->lock);
	counters_free(l);
	l->uncounted = 0;
	l->since_ms = clock_wall_ms();
	pthread_mutex_unlock(&l->lock);
}
