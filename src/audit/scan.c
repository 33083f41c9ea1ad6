#include "audit/scan.h"

#include "audit/seq.h"

/* Vectors are not loaded atomically, which TSan is right to mind: under it, only the plain way. */
#if defined(__x86_64__) && !defined(SEQ_TSAN)
#define SCAN_VECTORS 1
#include <immintrin.h>
#endif

#define PLAIN(name, type)                                                                          \
	static uint64_t name(const void *numbers, unsigned n, uint64_t want, uint64_t care)        \
	{                                                                                          \
		const type *at = numbers;                                                          \
		uint64_t found = 0;                                                                \
                                                                                                   \
		for (unsigned i = 0; i < n; i++)                                                   \
			found |= (uint64_t)(((LOOK(at + i) ^ (type)want) & (type)care) == 0) << i; \
		return found;                                                                      \
	}

PLAIN(plain_1, uint8_t)
PLAIN(plain_2, uint16_t)
PLAIN(plain_4, uint32_t)
PLAIN(plain_8, uint64_t)

#define PLAIN_SUM(name, type)                                                                      \
	static uint64_t name(const void *numbers, uint64_t chosen)                                 \
	{                                                                                          \
		const type *at = numbers;                                                          \
		uint64_t sum = 0;                                                                  \
                                                                                                   \
		for (; chosen != 0; chosen &= chosen - 1)                                          \
			sum += LOOK(at + __builtin_ctzll(chosen));                                 \
		return sum;                                                                        \
	}

PLAIN_SUM(plain_sum_1, uint8_t)
PLAIN_SUM(plain_sum_8, uint64_t)

#ifdef SCAN_VECTORS

#define FIRST(n) (((uint64_t)1 << (n)) - 1)

/* One bit for each lane of a comparison's answer, all ones or all zeros. */
#define BITS_1(same) (uint32_t)_mm256_movemask_epi8(same)
#define BITS_2(same)                                                                               \
	(uint16_t)_mm_movemask_epi8(                                                               \
		_mm_packs_epi16(_mm256_castsi256_si128(same), _mm256_extracti128_si256(same, 1)))
#define BITS_4(same) (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(same))
#define BITS_8(same) (uint8_t)_mm256_movemask_pd(_mm256_castsi256_pd(same))

#define AVX2(name, lanes, lane, type, set1, cmpeq, bits)                                           \
	__attribute__((target("avx2"))) static uint64_t name(const void *numbers, unsigned n,      \
							     uint64_t want, uint64_t care)         \
	{                                                                                          \
		const __m256i wanted = set1((lane)want), cared = set1((lane)care);                 \
		const type *at = numbers;                                                          \
		uint64_t found = 0;                                                                \
                                                                                                   \
		for (unsigned i = 0; i < n; i += lanes) {                                          \
			__m256i x = _mm256_loadu_si256((const void *)(at + i));                    \
			__m256i apart = _mm256_and_si256(_mm256_xor_si256(x, wanted), cared);      \
			__m256i same = cmpeq(apart, _mm256_setzero_si256());                       \
                                                                                                   \
			found |= (uint64_t)bits(same) << i;                                        \
		}                                                                                  \
		return found & FIRST(n);                                                           \
	}

AVX2(avx2_1, 32, char, uint8_t, _mm256_set1_epi8, _mm256_cmpeq_epi8, BITS_1)
AVX2(avx2_2, 16, short, uint16_t, _mm256_set1_epi16, _mm256_cmpeq_epi16, BITS_2)
AVX2(avx2_4, 8, int, uint32_t, _mm256_set1_epi32, _mm256_cmpeq_epi32, BITS_4)
AVX2(avx2_8, 4, long long, uint64_t, _mm256_set1_epi64x, _mm256_cmpeq_epi64, BITS_8)

/* Lanes past n are not even loaded, so no cache line is touched for nothing. */
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX512(name, lanes, lane, type, set1, load, testn, mask)                                   \
	TARGET_AVX512 static uint64_t name(const void *numbers, unsigned n, uint64_t want,         \
					   uint64_t care)                                          \
	{                                                                                          \
		const __m512i wanted = set1((lane)want), cared = set1((lane)care);                 \
		const type *at = numbers;                                                          \
		uint64_t all = FIRST(n), found = 0;                                                \
                                                                                                   \
		for (unsigned i = 0; i < n; i += lanes) {                                          \
			mask some = (mask)(all >> i);                                              \
			__m512i x = _mm512_xor_si512(load(some, at + i), wanted);                  \
                                                                                                   \
			found |= (uint64_t)testn(some, x, cared) << i;                             \
		}                                                                                  \
		return found;                                                                      \
	}

AVX512(avx512_1, 64, char, uint8_t, _mm512_set1_epi8, _mm512_maskz_loadu_epi8,
       _mm512_mask_testn_epi8_mask, __mmask64)
AVX512(avx512_2, 32, short, uint16_t, _mm512_set1_epi16, _mm512_maskz_loadu_epi16,
       _mm512_mask_testn_epi16_mask, __mmask32)
AVX512(avx512_4, 16, int, uint32_t, _mm512_set1_epi32, _mm512_maskz_loadu_epi32,
       _mm512_mask_testn_epi32_mask, __mmask16)
TARGET_AVX512 static inline uint64_t eight(const uint64_t *at, unsigned i, uint64_t all,
					   __m512i wanted, __m512i cared)
{
	__mmask8 some = (__mmask8)(all >> i);
	__m512i x = _mm512_xor_si512(_mm512_maskz_loadu_epi64(some, at + i), wanted);

	return (uint64_t)_mm512_mask_testn_epi64_mask(some, x, cared) << i;
}

/* By 32 a turn: that spends a few instructions on none, and saves a jump that nobody
 * can foretell. */
TARGET_AVX512 static uint64_t avx512_8(const void *numbers, unsigned n, uint64_t want,
				       uint64_t care)
{
	const __m512i wanted = _mm512_set1_epi64((long long)want),
		      cared = _mm512_set1_epi64((long long)care);
	const uint64_t *at = numbers;
	uint64_t all = FIRST(n), found = 0;

	for (unsigned i = 0; i < n; i += 32)
		found |= eight(at, i, all, wanted, cared) | eight(at, i + 8, all, wanted, cared) |
			 eight(at, i + 16, all, wanted, cared) |
			 eight(at, i + 24, all, wanted, cared);
	return found;
}

/* _mm512_reduce_add_epi64 adds signed: what a reader sees while it changes may be too large for
 * that. */
TARGET_AVX512 static inline uint64_t add_up(__m512i x)
{
	__m256i four = _mm256_add_epi64(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
	__m128i two =
		_mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));

	return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
}

TARGET_AVX512 static uint64_t avx512_sum_1(const void *numbers, uint64_t chosen)
{
	__m512i x = _mm512_maskz_loadu_epi8(chosen, numbers);

	return add_up(_mm512_sad_epu8(x, _mm512_setzero_si512()));
}

TARGET_AVX512 static uint64_t avx512_sum_8(const void *numbers, uint64_t chosen)
{
	__m512i sum = _mm512_setzero_si512();

	for (const uint64_t *at = numbers; chosen != 0; chosen >>= 8, at += 8)
		sum = _mm512_add_epi64(sum, _mm512_maskz_loadu_epi64((__mmask8)chosen, at));
	return add_up(sum);
}

#endif

static const struct scan ways[] = {
	{ "plain", { plain_1, plain_2, plain_4, plain_8 }, plain_sum_1, plain_sum_8 },
#ifdef SCAN_VECTORS
	{ "avx2", { avx2_1, avx2_2, avx2_4, avx2_8 }, plain_sum_1, plain_sum_8 },
	{ "avx512", { avx512_1, avx512_2, avx512_4, avx512_8 }, avx512_sum_1, avx512_sum_8 },
#endif
};

static unsigned ways_here(void)
{
#ifdef SCAN_VECTORS
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		return 3;
	if (__builtin_cpu_supports("avx2"))
		return 2;
#endif
	return 1;
}

const struct scan *scan_nth(unsigned nth)
{
	return nth < ways_here() ? &ways[nth] : NULL;
}

const struct scan *scan_best(void)
{
	return &ways[ways_here() - 1];
}
