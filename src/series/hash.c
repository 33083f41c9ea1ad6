#include "series/hash.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t turn(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void mix(struct state *s, unsigned rounds)
{
	while (rounds-- > 0) {
		s->v0 += s->v1, s->v1 = turn(s->v1, 13) ^ s->v0, s->v0 = turn(s->v0, 32);
		s->v2 += s->v3, s->v3 = turn(s->v3, 16) ^ s->v2;
		s->v0 += s->v3, s->v3 = turn(s->v3, 21) ^ s->v0;
		s->v2 += s->v1, s->v1 = turn(s->v1, 17) ^ s->v2, s->v2 = turn(s->v2, 32);
	}
}

static inline void eat(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s, 2);
	s->v0 ^= word;
}

uint64_t hash_with(struct hash_secret secret, struct slice text)
{
	struct state s = {
		secret.a ^ 0x736f6d6570736575,
		secret.b ^ 0x646f72616e646f6d,
		secret.a ^ 0x6c7967656e657261,
		secret.b ^ 0x7465646279746573,
	};
	uint64_t word, last = (uint64_t)text.len << 56;
	size_t at = 0;

	for (; text.len - at >= sizeof word; at += sizeof word) {
		memcpy(&word, text.at + at, sizeof word);
		eat(&s, le64toh(word));
	}
	for (unsigned i = 0; at + i < text.len; i++)
		last |= (uint64_t)(unsigned char)text.at[at + i] << 8 * i;
	eat(&s, last);
	s.v2 ^= 0xff;
	mix(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hash_secret of_this_process;

static void draw(void)
{
	CHECK(getrandom(&of_this_process, sizeof of_this_process, 0) == sizeof of_this_process);
}

uint64_t hash_text(struct slice text)
{
	pthread_once(&once, draw);
	return hash_with(of_this_process, text);
}
