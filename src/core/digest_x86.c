/*
 * CRC32C on x86-64, three ways.
 *
 * The crc32 instruction takes 8 bytes a cycle, but its result comes after
 * three: one chain of it runs at a third of its speed ("sse42").  Three chains
 * over three neighbouring stretches run at full speed ("pclmul"); then their
 * registers are joined.  A register followed by L more bytes is the register
 * times x^(8L) modulo the polynomial.  Carry-less multiplication by a 32-bit
 * constant does that: the 64-bit product, taken as data by one more crc32, is
 * reduced and multiplied by x^32, and because both factors are bit-reflected
 * the product stands one bit off; so the constant for L bytes is x^(8L-33).
 *
 * Where vectors of 512 bits can be multiplied ("avx512"), no chain is needed:
 * 128 bits of message may be replaced by
 *
 *	low 64 bits * x^(D+31)  +  high 64 bits * x^(D-33)
 *
 * added to the 128 bits that stand D bits further on.  (Low comes first in the
 * message, hence 64 more; the bit of reflection and the constant's place in
 * its 64 bits make up the 33.)  Four vectors of 64 bytes move on at a time,
 * then become one, then its four lanes become one, which two crc32 reduce.
 *
 * Refused: tables of shifts for joining the chains (two KiB of cache for each
 * distance, and slower), and non-temporal stores when copying (what is copied
 * here is used next).
 */
#include "core/digest_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

/* Each chain's stretch: 3 * 1360 is just under a 4 KiB block, 3 * 168 under 512 bytes. */
#define LONG_BYTES  1360
#define SHORT_BYTES 168
/* x^(8L-33) modulo the polynomial, reflected, for L = one and two stretches. */
#define LONG_K1  0x3f70cc6fu
#define LONG_K2  0x5aa1f3cfu
#define SHORT_K1 0x1b3d8f29u
#define SHORT_K2 0xa60ce07bu

/* x^(D+31), x^(D-33), reflected, for a distance of D bits. */
#define FOLD_2048 0xdcb17aa4, 0xb9e02b86
#define FOLD_1024 0x6992cea2, 0x0d3b6092
#define FOLD_512  0x740eef02, 0x9e4addf8
#define FOLD_384  0x1c291d04, 0xddc0152b
#define FOLD_256  0x3da6d0cb, 0xba4fc28e
#define FOLD_128  0xf20c0dfe, 0x493c7d27

/* From here on folding is faster than one chain. */
#define FOLD_MIN_BYTES 128

#define INLINE        static inline __attribute__((always_inline))
#define TARGET_SSE42  __attribute__((target("sse4.2")))
#define TARGET_PCLMUL __attribute__((target("sse4.2,pclmul")))
#define TARGET_AVX512 __attribute__((target("sse4.2,pclmul,avx512f,avx512vl,avx512dq,vpclmulqdq")))

bool
digest_x86_has_sse42(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2") != 0;
}

bool
digest_x86_has_pclmul(void)
{
	return digest_x86_has_sse42() && __builtin_cpu_supports("pclmul") != 0;
}

bool
digest_x86_has_avx512(void)
{
	return digest_x86_has_pclmul() && __builtin_cpu_supports("avx512f") != 0 &&
	       __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
	       __builtin_cpu_supports("vpclmulqdq") != 0;
}

INLINE uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

TARGET_SSE42 uint32_t
digest_x86_sse42_crc(uint32_t reg, const uint8_t *p, size_t n)
{
	uint64_t r = reg;

	for (; n >= 8; n -= 8, p += 8)
		r = _mm_crc32_u64(r, load64(p));
	if ((n & 4) != 0) {
		uint32_t word;

		memcpy(&word, p, sizeof word);
		r = _mm_crc32_u32((uint32_t)r, word);
		p += 4;
	}
	for (n &= 3; n > 0; n--, p++)
		r = _mm_crc32_u8((uint32_t)r, *p);
	return (uint32_t)r;
}

TARGET_PCLMUL INLINE uint64_t
times(uint32_t reg, uint32_t k)
{
	return (uint64_t)_mm_cvtsi128_si64(
	    _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)reg), _mm_cvtsi32_si128((int)k), 0));
}

/* 3 * len bytes from p; the registers of the first two stretches join the last word's. */
TARGET_PCLMUL INLINE uint32_t
three_chains(uint32_t reg, const uint8_t *p, size_t len, uint32_t k1, uint32_t k2)
{
	uint64_t a = reg, b = 0, c = 0, last;
	const uint8_t *end = p + len - 8;

	for (; p < end; p += 8) {
		a = _mm_crc32_u64(a, load64(p));
		b = _mm_crc32_u64(b, load64(p + len));
		c = _mm_crc32_u64(c, load64(p + 2 * len));
	}
	a = _mm_crc32_u64(a, load64(p));
	b = _mm_crc32_u64(b, load64(p + len));
	last = load64(p + 2 * len) ^ times((uint32_t)a, k2) ^ times((uint32_t)b, k1);
	return (uint32_t)_mm_crc32_u64(c, last);
}

TARGET_PCLMUL uint32_t
digest_x86_pclmul_crc(uint32_t reg, const uint8_t *p, size_t n)
{
	for (; n >= 3 * LONG_BYTES; n -= 3 * LONG_BYTES, p += 3 * LONG_BYTES)
		reg = three_chains(reg, p, LONG_BYTES, LONG_K1, LONG_K2);
	for (; n >= 3 * SHORT_BYTES; n -= 3 * SHORT_BYTES, p += 3 * SHORT_BYTES)
		reg = three_chains(reg, p, SHORT_BYTES, SHORT_K1, SHORT_K2);
	return digest_x86_sse42_crc(reg, p, n);
}

uint32_t
digest_x86_sse42_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n)
{
	return digest_copy_in_pieces(reg, dst, src, n, digest_x86_sse42_crc);
}

uint32_t
digest_x86_pclmul_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n)
{
	return digest_copy_in_pieces(reg, dst, src, n, digest_x86_pclmul_crc);
}

TARGET_AVX512 INLINE __m512i
constant(uint32_t low, uint32_t high)
{
	return _mm512_broadcast_i32x4(_mm_setr_epi32((int)low, 0, (int)high, 0));
}

/* x moved on by k's distance, and added to y. */
TARGET_AVX512 INLINE __m512i
fold(__m512i x, __m512i k, __m512i y)
{
	__m512i low = _mm512_clmulepi64_epi128(x, k, 0x00);
	__m512i high = _mm512_clmulepi64_epi128(x, k, 0x11);

	/* 0x96: the exclusive or of all three. */
	return _mm512_ternarylogic_epi64(low, high, y, 0x96);
}

/* 64 bytes of message, which go to dst too unless it is NULL. */
TARGET_AVX512 INLINE __m512i
take(uint8_t *dst, const uint8_t *p)
{
	__m512i x = _mm512_loadu_si512(p);

	if (dst != NULL)
		_mm512_storeu_si512(dst, x);
	return x;
}

/* The register after the 64 bytes of message x. */
TARGET_AVX512 INLINE uint32_t
reduce(__m512i x)
{
	const __m512i k = { FOLD_384, FOLD_256, FOLD_128, 0, 0 };
	__m512i moved = fold(x, k, _mm512_maskz_mov_epi64(0xc0, x));
	__m256i half =
	    _mm256_xor_si256(_mm512_castsi512_si256(moved), _mm512_extracti64x4_epi64(moved, 1));
	__m128i sum =
	    _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
	uint64_t r = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));

	return (uint32_t)_mm_crc32_u64(r, (uint64_t)_mm_extract_epi64(sum, 1));
}

/* n >= FOLD_MIN_BYTES; all whole 64 bytes of it. */
TARGET_AVX512 INLINE uint32_t
fold_all(uint32_t reg, uint8_t *dst, const uint8_t *p, size_t n)
{
	const __m512i k512 = constant(FOLD_512);
	__m512i x = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)reg));
	size_t at = 0;

	x = _mm512_xor_si512(x, take(dst, p));
	if (n >= 512) {
		const __m512i k2048 = constant(FOLD_2048), k1024 = constant(FOLD_1024);
		__m512i y[3];

		for (size_t i = 0; i < 3; i++)
			y[i] = take(dst != NULL ? dst + 64 + 64 * i : NULL, p + 64 + 64 * i);
		for (at = 256; at + 256 <= n; at += 256) {
			uint8_t *to = dst != NULL ? dst + at : NULL;

			x = fold(x, k2048, take(to, p + at));
			for (size_t i = 0; i < 3; i++)
				y[i] = fold(y[i], k2048,
				    take(to != NULL ? to + 64 + 64 * i : NULL,
					p + at + 64 + 64 * i));
		}
		x = fold(fold(x, k1024, y[1]), k512, fold(y[0], k1024, y[2]));
		at -= 64;
	}
	for (at += 64; at + 64 <= n; at += 64)
		x = fold(x, k512, take(dst != NULL ? dst + at : NULL, p + at));
	return reduce(x);
}

TARGET_AVX512 uint32_t
digest_x86_avx512_crc(uint32_t reg, const uint8_t *p, size_t n)
{
	size_t whole = n & ~(size_t)63;

	if (n < FOLD_MIN_BYTES)
		return digest_x86_sse42_crc(reg, p, n);
	reg = fold_all(reg, NULL, p, n);
	return digest_x86_sse42_crc(reg, p + whole, n - whole);
}

TARGET_AVX512 uint32_t
digest_x86_avx512_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n)
{
	size_t whole = n & ~(size_t)63;

	if (n < FOLD_MIN_BYTES)
		return digest_copy_in_pieces(reg, dst, src, n, digest_x86_sse42_crc);
	reg = fold_all(reg, dst, src, n);
	return digest_copy_in_pieces(
	    reg, dst + whole, src + whole, n - whole, digest_x86_sse42_crc);
}

#endif
