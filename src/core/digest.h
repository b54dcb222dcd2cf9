/*
 * The CRC32C digest of RFC 7143, section 13.1: polynomial 0x1edc6f41, bits
 * reflected, register and result inverted.
 *
 * A digest is a plain number that is begun with DIGEST_BEGIN and extended:
 *
 *	crc = digest_crc32c(DIGEST_BEGIN, bhs, 48);
 *	crc = digest_crc32c(crc, ahs, ahs_len);
 *	digest_put(wire, crc);
 *
 * Every intermediate value is the finished digest of the bytes so far; the
 * inversions are inside.  Padding bytes are digested like any others (section
 * 11.2.3: they are part of what the digest covers), which is the caller's
 * affair.  All functions may be used by any thread.
 */
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGEST_BEGIN 0u
/* A digest on the wire. */
#define DIGEST_BYTES 4
/* A basic header segment. */
#define DIGEST_BHS_BYTES 48

/* The digest of all the bytes of `crc` followed by these n; n may be 0. */
uint32_t digest_crc32c(uint32_t crc, const void *p, size_t n);

/* memcpy() and digest_crc32c() in one pass; the two areas do not overlap. */
uint32_t digest_copy_crc32c(void *dst, const void *src, size_t n, uint32_t crc);

/* Whether this machine has the crc32 instruction; set before main(). */
extern bool digest_has_crc32;

/* The digest of a basic header segment alone, inline because each PDU pays for it. */
static inline uint32_t
digest_bhs(const uint8_t bhs[DIGEST_BHS_BYTES])
{
#if defined(__x86_64__)
	if (digest_has_crc32) {
		uint64_t crc = 0xffffffffu, word;

		for (unsigned i = 0; i < DIGEST_BHS_BYTES; i += 8) {
			memcpy(&word, bhs + i, sizeof word);
			/* Not the intrinsic: that would need -msse4.2 in every caller. */
			__asm__("crc32q %1, %0" : "+r"(crc) : "r"(word));
		}
		return ~(uint32_t)crc;
	}
#endif
	return digest_crc32c(DIGEST_BEGIN, bhs, DIGEST_BHS_BYTES);
}

/*
 * To and from the wire.  The CRC's x^31 coefficient goes first (RFC 7143,
 * section 13.1), which in the reflected form is the least significant byte.
 */
static inline void
digest_put(uint8_t wire[DIGEST_BYTES], uint32_t crc)
{
	wire[0] = (uint8_t)crc;
	wire[1] = (uint8_t)(crc >> 8);
	wire[2] = (uint8_t)(crc >> 16);
	wire[3] = (uint8_t)(crc >> 24);
}

static inline uint32_t
digest_get(const uint8_t wire[DIGEST_BYTES])
{
	return (uint32_t)wire[0] | (uint32_t)wire[1] << 8 | (uint32_t)wire[2] << 16 |
	       (uint32_t)wire[3] << 24;
}

static inline bool
digest_matches(const uint8_t wire[DIGEST_BYTES], uint32_t crc)
{
	return digest_get(wire) == crc;
}

#endif
