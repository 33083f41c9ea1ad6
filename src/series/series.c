#include "series/series.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "series/inside.h"

const char *series_wrong(const char *format, ...)
{
	static _Thread_local char text[SERIES_NAME_MAX + 200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return text;
}

struct ring *series_enter(struct series *s, enum ring_kind kind, uint64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	if (s->ring != NULL && s->ring->kind == kind) {
		ring_advance(s->ring, now_ms);
		return s->ring;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void say_full(const struct series *s, size_t limit)
{
	char monitor[MONITOR_TEXT_MAX];

	monitor_print(shape_monitor(s->shape), monitor);
	if (s->type == SERIES_STRING)
		log_warn("series %s (%s) reached its %zu octets: the keys that were least recently "
			 "added to are dropped",
			 s->is.name, monitor, limit);
	else
		log_warn("series %s (%s) reached its %zu octets: addresses are folded into their "
			 "blocks",
			 s->is.name, monitor, limit);
}

static uint64_t losses(const struct ring *r)
{
	return r->folds + r->keys_dropped;
}

void series_leave(struct series *s, uint64_t now_ms)
{
	size_t limit = store_limit(s->ring->store);
	bool is_news = losses(s->ring) > s->losses && s->full_since_ms == 0;

	if (is_news)
		s->full_since_ms = now_ms;
	pthread_mutex_unlock(&s->lock);
	if (is_news)
		say_full(s, limit);
}

enum series_type series_type(const struct series *s)
{
	return (enum series_type)s->type;
}

bool series_is_builtin(const struct series *s)
{
	return s->event >= 0;
}

static bool keeps_family(enum series_type type, uint8_t family)
{
	static const bool keeps[][2] = {
		[SERIES_CIDR] = { true, false },
		[SERIES_CIDR_IPV6] = { false, true },
		[SERIES_ADDRESSES] = { true, true },
		[SERIES_STRING] = { false, false },
	};

	return keeps[type][family == ADDR_V6];
}

/* --- keys ---------------------------------------------------------------------------------- */

/* A key of which only what its series needs is left. */
struct what {
	enum ring_kind kind;
	bool is_kept; /* false: of another family (D62) */
	const struct cidr *block;
	struct keys_text text;
};

static const char *what_of(const struct series *s, const struct series_key *key, struct what *out)
{
	enum series_type type = series_type(s);

	*out = (struct what){ .kind = type_kind(type), .block = &key->block };
	if (out->kind == RING_ADDRESSES) {
		if (key->block.addr.family == ADDR_NONE)
			return series_wrong("series %s counts addresses, and the key is none",
					    s->is.name);
		out->is_kept = keeps_family(type, key->block.addr.family);
		return NULL;
	}
	if (key->text.at == NULL)
		return series_wrong("series %s counts texts, and there is no key", s->is.name);
	if (key->text.len > SERIES_KEY_MAX)
		return series_wrong("series %s: a key has %zu octets, more than %d", s->is.name,
				    key->text.len, SERIES_KEY_MAX);
	out->is_kept = true;
	out->text = keys_text(key->text);
	return NULL;
}

static const char *too_much(const struct series *s)
{
	return series_wrong("series %s: the sum of the window would pass %" PRIu64, s->is.name,
			    AMOUNT_MAX);
}

/* --- additions ----------------------------------------------------------------------------- */

/* Of the windows first..last, 0 the current one. */
static struct bounds ring_sum(const struct ring *r, const struct what *what, unsigned first,
			      unsigned last)
{
	const struct tally *tallies[64];
	struct bounds sum = { 0, 0 };
	unsigned n = 0;

	for (uint64_t i = first; i <= last && i <= r->newest; i++) {
		const struct window *w = ring_window(r, r->newest - i);

		if (w == NULL || window_is_empty(w))
			continue;
		if (r->kind == RING_TEXTS) {
			uint64_t amount = keys_amount(&w->keys, what->text);

			bounds_add(&sum, (struct bounds){ amount, amount });
			continue;
		}
		tallies[n++] = &w->tally;
		if (n == sizeof tallies / sizeof *tallies) {
			bounds_add(&sum, tally_sum_of(tallies, n, what->block));
			n = 0;
		}
	}
	if (n > 0)
		bounds_add(&sum, tally_sum_of(tallies, n, what->block));
	return sum;
}

/* false: the window's sum would pass AMOUNT_MAX. A text that finds no room is dropped at once,
 * which is told as the dropping of others is. */
static bool ring_put(struct ring *r, uint64_t number, const struct what *what, uint64_t amount)
{
	struct window *w = ring_window_made(r, number);
	bool fits;

	if (w == NULL)
		return true; /* too old (3.2) */
	if (r->kind == RING_TEXTS)
		return ring_add_text(r, w, what->text, amount) != KEYS_TOO_MUCH;
	fits = tally_add(&w->tally, &what->block->addr, amount);
	ring_shrink(r);
	return fits;
}

static void window_take(struct window *w, const struct what *what, uint64_t amount)
{
	switch (w->ring->kind) {
	case RING_ADDRESSES:
		tally_take(&w->tally, &what->block->addr, amount);
		break;
	case RING_TEXTS:
		keys_take(&w->keys, what->text, amount);
		break;
	}
}

static const char *change(struct series *s, struct ring *r, const struct what *what, int64_t amount)
{
	struct window *current = ring_window(r, r->newest);

	if (amount > 0) {
		if (!ring_put(r, r->newest, what, (uint64_t)amount))
			return too_much(s);
		s->events++;
	} else if (current != NULL) {
		window_take(current, what, -(uint64_t)amount);
	}
	return NULL;
}

/* Of add and remove: one address, whatever length the caller left in it. */
static struct cidr whole(const struct cidr *block)
{
	return cidr_of(&block->addr, addr_bits(&block->addr));
}

/* Entered, and not any more if true: another process counts it. amount 0: the key is removed. */
static bool is_told(struct series *s, const struct series_key *key, int64_t amount, uint64_t now_ms)
{
	struct series_tap *tap = s->tap;

	if (tap == NULL)
		return false;
	series_leave(s, now_ms);
	tap->told(tap, s, key, amount);
	return true;
}

void series_forward(struct series *s, struct series_tap *tap)
{
	pthread_mutex_lock(&s->lock);
	s->tap = tap;
	pthread_mutex_unlock(&s->lock);
}

const char *series_add(struct series *s, const struct series_key *key, int64_t amount,
		       struct bounds *now)
{
	uint64_t now_ms = clock_wall_ms(); /* not with the lock */
	struct cidr address = whole(&key->block);
	struct bounds unused;
	struct what what;
	const char *wrong = what_of(s, key, &what);
	struct ring *r;

	if (now == NULL)
		now = &unused;
	*now = (struct bounds){ 0, 0 };
	if (wrong != NULL || !what.is_kept)
		return wrong;
	what.block = &address;
	r = series_enter(s, what.kind, now_ms);
	if (r == NULL || (amount != 0 && is_told(s, key, amount, now_ms)))
		return NULL;
	wrong = change(s, r, &what, amount);
	if (now != &unused)
		*now = ring_sum(r, &what, 0, 0);
	series_leave(s, now_ms);
	return wrong;
}

void series_count(struct series *s, const struct addr *addr, uint64_t now_ms)
{
	struct cidr address = { *addr, (uint8_t)addr_bits(addr) };
	struct what what = { .kind = RING_ADDRESSES, .block = &address };
	struct ring *r = series_enter(s, what.kind, now_ms);

	if (r == NULL || is_told(s, &(struct series_key){ .block = address }, 1, now_ms))
		return;
	s->events += ring_put(r, r->newest, &what, 1);
	series_leave(s, now_ms);
}

const char *series_remove(struct series *s, const struct series_key *key, struct bounds *left)
{
	uint64_t now_ms = clock_wall_ms();
	struct cidr address = whole(&key->block);
	struct bounds unused;
	struct what what;
	const char *wrong = what_of(s, key, &what);
	struct ring *r;

	if (left == NULL)
		left = &unused;
	*left = (struct bounds){ 0, 0 };
	if (wrong != NULL || !what.is_kept)
		return wrong;
	what.block = &address;
	r = series_enter(s, what.kind, now_ms);
	if (r == NULL || is_told(s, key, 0, now_ms))
		return NULL;
	for (unsigned i = 0; i <= r->monitor.windows && i <= r->newest; i++) {
		struct window *w = ring_window(r, r->newest - i);

		/* what is known to be its own: more may be somebody else's of the same fold */
		if (w != NULL)
			window_take(w, &what, ring_sum(r, &what, i, i).low);
	}
	if (left != &unused)
		*left = ring_sum(r, &what, 0, r->monitor.windows);
	series_leave(s, now_ms);
	return NULL;
}

/* --- questions ----------------------------------------------------------------------------- */

static const char *check_windows(const struct series *s, unsigned first, unsigned last)
{
	unsigned windows = shape_monitor(s->shape).windows;
	unsigned most = s->event >= 0 ? windows : windows - 1; /* D44 */

	if (first > most || last > most)
		return series_wrong("window %u is not one of 0 to %u", first > most ? first : last,
				    most);
	if (last < first)
		return series_wrong("windows %u to %u: the end is before the start", first, last);
	return NULL;
}

const char *series_sum(struct series *s, const struct series_key *key, unsigned first,
		       unsigned last, struct bounds *out)
{
	uint64_t now_ms = clock_wall_ms();
	struct what what;
	const char *wrong = what_of(s, key, &what);
	struct ring *r;

	*out = (struct bounds){ 0, 0 };
	if (wrong == NULL)
		wrong = check_windows(s, first, last);
	if (wrong != NULL || !what.is_kept)
		return wrong;
	r = series_enter(s, what.kind, now_ms);
	if (r == NULL)
		return NULL;
	*out = ring_sum(r, &what, first, last);
	series_leave(s, now_ms);
	return NULL;
}

/* D46 */
static uint64_t weighted(uint64_t w0, uint64_t w1, double alpha)
{
	double value = (double)w0 + (1 - alpha) * (double)w1;

	return value < (double)AMOUNT_MAX ? (uint64_t)value : AMOUNT_MAX;
}

/* How much of the current window is over. While the clock is behind it, nothing is. */
static double ring_alpha(const struct ring *r, uint64_t now_ms)
{
	double length = (double)r->monitor.seconds * 1000;
	uint64_t left = r->newest_ends - now_ms;

	return left < length ? (length - (double)left) / length : 0;
}

const char *series_sliding(struct series *s, const struct series_key *key, struct bounds *out)
{
	uint64_t now_ms = clock_wall_ms();
	struct bounds w0, w1;
	double alpha;
	struct what what;
	const char *wrong = what_of(s, key, &what);
	struct ring *r;

	*out = (struct bounds){ 0, 0 };
	if (wrong != NULL || !what.is_kept)
		return wrong;
	r = series_enter(s, what.kind, now_ms);
	if (r == NULL)
		return NULL;
	w0 = ring_sum(r, &what, 0, 0);
	w1 = ring_sum(r, &what, 1, 1);
	alpha = ring_alpha(r, now_ms);
	series_leave(s, now_ms);
	out->low = weighted(w0.low, w1.low, alpha);
	out->high = weighted(w0.high, w1.high, alpha);
	return NULL;
}

static void describe_ring(const struct ring *r, struct series_info *out)
{
	out->is.max_bytes = store_limit(r->store);
	out->bytes = store_bytes(r->store);
	out->keys_dropped = r->keys_dropped;
	out->folds = r->folds;
	for (uint32_t i = 0; i < r->slots; i++) {
		const struct window *w = r->windows[i];

		if (w == NULL || window_is_empty(w))
			continue;
		out->windows_used++;
		out->windows_folded += r->kind == RING_ADDRESSES && w->tally.is_folded;
	}
	if (out->windows_used > 0 || out->events > 0)
		out->window = r->newest;
}

void series_identify(struct series *s, struct series_info *out)
{
	*out = (struct series_info){ .event = s->event };
	pthread_mutex_lock(&s->lock);
	out->is = s->is;
	out->is_defined = s->is_defined;
	pthread_mutex_unlock(&s->lock);
}

void series_describe(struct series *s, struct series_info *out)
{
	uint64_t now_ms = clock_wall_ms();

	series_identify(s, out);
	pthread_mutex_lock(&s->lock);
	out->events = s->events;
	out->folded_since_ms = s->full_since_ms;
	if (s->ring != NULL) {
		ring_advance(s->ring, now_ms);
		describe_ring(s->ring, out);
	}
	pthread_mutex_unlock(&s->lock);
}

/* --- loading, and what is left over -------------------------------------------------------- */

bool series_load(struct series *s, uint64_t window, const struct tally_entry *entry)
{
	uint64_t now_ms = clock_wall_ms();
	struct cidr block = cidr_of(&entry->block.addr, entry->block.len); /* nothing below len */
	struct series_key key = { .block = block };
	struct what what;
	struct window *w;
	struct ring *r;
	bool fits;

	if (what_of(s, &key, &what) != NULL || what.kind != RING_ADDRESSES)
		return false;
	if (!what.is_kept || entry->amount == 0)
		return true;
	r = series_enter(s, RING_ADDRESSES, now_ms);
	if (r == NULL)
		return false;
	w = ring_window_made(r, window);
	fits = w == NULL || tally_load(&w->tally, &(struct tally_entry){ block, entry->amount });
	ring_shrink(r);
	series_leave(s, now_ms);
	return fits;
}

bool series_load_text(struct series *s, uint64_t window, struct slice text, uint64_t amount)
{
	uint64_t now_ms = clock_wall_ms();
	struct series_key key = { .text = text };
	struct what what;
	struct ring *r;
	bool fits;

	if (what_of(s, &key, &what) != NULL || what.kind != RING_TEXTS)
		return false;
	if (amount == 0)
		return true;
	r = series_enter(s, RING_TEXTS, now_ms);
	if (r == NULL)
		return false;
	fits = ring_put(r, window, &what, amount);
	series_leave(s, now_ms);
	return fits;
}

/* Each is a call to the system, and meanwhile others wait. */
enum { TIDY_CHUNKS = 8 };

bool series_tidy(struct series *s)
{
	uint64_t now_ms = clock_wall_ms();
	bool more = false;

	pthread_mutex_lock(&s->lock);
	if (s->ring != NULL) {
		ring_advance(s->ring, now_ms);
		more = store_drop_some(s->ring->store, TIDY_CHUNKS) == TIDY_CHUNKS;
		if (store_bytes(s->ring->store) < store_limit(s->ring->store) / 2) {
			s->full_since_ms = 0; /* the next time is news again */
			s->losses = losses(s->ring);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return more;
}
