/*
 * The ways of computing a CRC32C that digest.c chooses from.  For digest.c,
 * its tests and its benchmark; everybody else includes digest.h.
 */
#ifndef CORE_DIGEST_IMPL_H
#define CORE_DIGEST_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* These work on the bare register: not inverted, neither on entry nor on return. */
struct digest_impl {
	const char *name;
	bool (*usable)(void); /* on this processor */
	uint32_t (*crc)(uint32_t reg, const uint8_t *p, size_t n);
	uint32_t (*copy)(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);
};

/* A copy is digested in pieces that are still in the first-level cache. */
#define DIGEST_PIECE_BYTES 4096

static inline uint32_t
digest_copy_in_pieces(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n,
    uint32_t (*crc)(uint32_t reg, const uint8_t *p, size_t n))
{
	while (n > 0) {
		size_t piece = n < DIGEST_PIECE_BYTES ? n : DIGEST_PIECE_BYTES;

		memcpy(dst, src, piece);
		reg = crc(reg, src, piece);
		dst += piece;
		src += piece;
		n -= piece;
	}
	return reg;
}

/* The i-th way, slowest first, or NULL after the last.  Only usable ones may be called. */
const struct digest_impl *digest_impl(size_t i);

uint32_t digest_soft_crc(uint32_t reg, const uint8_t *p, size_t n);
uint32_t digest_soft_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);

#if defined(__x86_64__)
bool digest_x86_has_sse42(void);
bool digest_x86_has_pclmul(void);
bool digest_x86_has_avx512(void);
uint32_t digest_x86_sse42_crc(uint32_t reg, const uint8_t *p, size_t n);
uint32_t digest_x86_sse42_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);
uint32_t digest_x86_pclmul_crc(uint32_t reg, const uint8_t *p, size_t n);
uint32_t digest_x86_pclmul_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);
uint32_t digest_x86_avx512_crc(uint32_t reg, const uint8_t *p, size_t n);
uint32_t digest_x86_avx512_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);
#endif

#if defined(__ARM_FEATURE_CRC32)
uint32_t digest_arm_crc(uint32_t reg, const uint8_t *p, size_t n);
uint32_t digest_arm_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n);
#endif

#endif
