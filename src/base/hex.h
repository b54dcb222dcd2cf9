/* Bytes as hexadecimal digits, and back. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two lower-case digits a byte and a NUL: ret_text has 2 * n + 1 bytes. */
static inline void
hex_encode(char *ret_text, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * n] = '\0';
}

static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * At most `room` bytes, two digits each; nothing else may stand there.  False: that, or an odd
 * digit, or too many.
 */
static inline bool
hex_decode(const char *text, uint8_t *ret_bytes, size_t room, size_t *ret_n)
{
	size_t n = 0;

	for (; text[2 * n] != '\0'; n++) {
		int high = hex_digit(text[2 * n]);
		int low = high < 0 ? -1 : hex_digit(text[2 * n + 1]);

		if (low < 0 || n >= room)
			return false;
		ret_bytes[n] = (uint8_t)(high << 4 | low);
	}
	*ret_n = n;
	return true;
}

#endif
