/* For the tests here: bytes as a hostile target would send them. */
#ifndef SCSI_TEST_BYTES_H
#define SCSI_TEST_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Hand f() every beginning of p[n], each in memory of exactly its size, and then
 * n bytes with some changed: the sanitizer, or valgrind, sees the first byte read beyond.
 */
static inline void
test_hostile(const uint8_t *p, size_t n, void (*f)(const uint8_t *p, size_t n))
{
	uint32_t x = 12345;

	for (size_t len = 0; len <= n; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		assert_non_null(exact);
		memcpy(exact, p, len);
		/* With no byte at all even the first one of the allocation is out of bounds. */
		f(exact + (len == 0), len);
		for (int round = 0; round < 50 && len > 0; round++) {
			x = x * 1664525u + 1013904223u;
			exact[x % len] = round % 3 == 0 ? 0xff : (uint8_t)(x >> 24);
			f(exact, len);
		}
		free(exact);
	}
}

#endif
