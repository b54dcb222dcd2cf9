#include "core/digest.h"

#include "core/digest_impl.h"

/* The generator polynomial 0x1edc6f41 with its bits reflected. */
#define POLY 0x82f63b78u

/* slice[k][b]: the register after byte b and k zero bytes; filled before main(). */
static uint32_t slice[8][256];

bool digest_has_crc32;

static bool
soft_usable(void)
{
	return true;
}

static const struct digest_impl impls[] = {
	{ "slice-by-8", soft_usable, digest_soft_crc, digest_soft_copy },
#if defined(__ARM_FEATURE_CRC32)
	{ "armv8", soft_usable, digest_arm_crc, digest_arm_copy },
#endif
#if defined(__x86_64__)
	{ "sse4.2", digest_x86_has_sse42, digest_x86_sse42_crc, digest_x86_sse42_copy },
	{ "sse4.2+pclmul", digest_x86_has_pclmul, digest_x86_pclmul_crc, digest_x86_pclmul_copy },
	{ "avx512+vpclmul", digest_x86_has_avx512, digest_x86_avx512_crc, digest_x86_avx512_copy },
#endif
};

static const struct digest_impl *best = &impls[0];

static void
fill_slices(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t reg = b;

		for (int bit = 0; bit < 8; bit++)
			reg = (reg >> 1) ^ ((reg & 1) != 0 ? POLY : 0);
		slice[0][b] = reg;
	}
	for (size_t k = 1; k < 8; k++)
		for (size_t b = 0; b < 256; b++)
			slice[k][b] = (slice[k - 1][b] >> 8) ^ slice[0][slice[k - 1][b] & 0xff];
}

/*
 * Before main(), while there is one thread: so the data path needs neither a
 * lock nor a test whether the tables are there.
 */
__attribute__((constructor)) static void
choose(void)
{
	fill_slices();
	for (size_t i = 0; i < sizeof impls / sizeof impls[0]; i++)
		if (impls[i].usable())
			best = &impls[i];
#if defined(__x86_64__)
	digest_has_crc32 = digest_x86_has_sse42();
#endif
}

const struct digest_impl *
digest_impl(size_t i)
{
	return i < sizeof impls / sizeof impls[0] ? &impls[i] : NULL;
}

uint32_t
digest_crc32c(uint32_t crc, const void *p, size_t n)
{
	return ~best->crc(~crc, p, n);
}

uint32_t
digest_copy_crc32c(void *dst, const void *src, size_t n, uint32_t crc)
{
	return ~best->copy(~crc, dst, src, n);
}

uint32_t
digest_soft_crc(uint32_t reg, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof word);
		word ^= reg;
		reg = slice[7][word & 0xff] ^ slice[6][word >> 8 & 0xff] ^
		      slice[5][word >> 16 & 0xff] ^ slice[4][word >> 24 & 0xff] ^
		      slice[3][word >> 32 & 0xff] ^ slice[2][word >> 40 & 0xff] ^
		      slice[1][word >> 48 & 0xff] ^ slice[0][word >> 56];
	}
	for (; n > 0; n--, p++)
		reg = (reg >> 8) ^ slice[0][(reg ^ *p) & 0xff];
	return reg;
}

uint32_t
digest_soft_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n)
{
	return digest_copy_in_pieces(reg, dst, src, n, digest_soft_crc);
}
