#include "scsi/print.h"

static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

void
print_dec(struct put *w, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	put_bytes(w, digits + at, sizeof digits - at);
}

void
print_hex(struct put *w, uint64_t v, unsigned digits)
{
	while (digits < 16 && v >> 4 * digits != 0)
		digits++;
	for (unsigned i = digits; i > 0; i--)
		put_u8(w, (uint8_t)upper[v >> 4 * (i - 1) & 0xf]);
}

void
print_hex_bytes(struct put *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_u8(w, (uint8_t)lower[p[i] >> 4]);
		put_u8(w, (uint8_t)lower[p[i] & 0xf]);
	}
}

void
print_escaped(struct put *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '%') {
			put_u8(w, p[i]);
		} else {
			put_u8(w, '%');
			print_hex_bytes(w, p + i, 1);
		}
}

size_t
print_trimmed(const uint8_t *p, size_t n)
{
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\0'))
		n--;
	return n;
}
