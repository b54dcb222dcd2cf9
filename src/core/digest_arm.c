/* CRC32C with the instructions of ARMv8.1, when the build is for processors that have them. */
#include "core/digest_impl.h"

#if defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>
#include <string.h>

uint32_t
digest_arm_crc(uint32_t reg, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof word);
		reg = __crc32cd(reg, word);
	}
	for (; n > 0; n--, p++)
		reg = __crc32cb(reg, *p);
	return reg;
}

uint32_t
digest_arm_copy(uint32_t reg, uint8_t *dst, const uint8_t *src, size_t n)
{
	return digest_copy_in_pieces(reg, dst, src, n, digest_arm_crc);
}

#endif
