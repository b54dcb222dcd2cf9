#include "core/text.h"

#include <string.h>

#include "base/utf8.h"

void
text_put(struct put *w, const char *key, const char *value)
{
	put_str(w, key);
	put_u8(w, '=');
	put_bytes(w, value, strlen(value) + 1);
}

void
text_put_number(struct put *w, const char *key, uint64_t value)
{
	put_str(w, key);
	put_u8(w, '=');
	text_put_decimal(w, value);
	put_u8(w, 0);
}

void
text_put_decimal(struct put *w, uint64_t value)
{
	uint8_t digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put_bytes(w, digits + at, sizeof digits - at);
}

void
text_put_printable(struct put *w, const char *s)
{
	for (; *s != '\0' && w->end - w->p > 1; s++)
		put_u8(w, *s >= 0x20 && *s < 0x7f ? (uint8_t)*s : '?');
}

void
text_put_hex(struct put *w, const uint8_t *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	put_str(w, "0x");
	for (size_t i = 0; i < n; i++) {
		put_u8(w, (uint8_t)digit[bytes[i] >> 4]);
		put_u8(w, (uint8_t)digit[bytes[i] & 15]);
	}
}

/* Reading. */

void
text_reader_init(struct text_reader *r, size_t max_bytes)
{
	r->p = r->end = NULL;
	r->left = max_bytes;
	r->error = TEXT_PAIR;
	r->carried = r->has_equal = r->is_whole = r->skipping = false;
	r->n = r->value_at = 0;
}

void
text_reader_feed(struct text_reader *r, const uint8_t *bytes, size_t n)
{
	if (r->error != TEXT_PAIR)
		return;
	if (n > r->left) {
		r->error = TEXT_TOO_LONG;
		return;
	}
	r->left -= n;
	r->p = bytes;
	r->end = n > 0 ? bytes + n : bytes;
	r->carried = r->n > 0 && !r->is_whole;
}

/* More bytes of the pair under way, without NUL among them. */
static enum text_result
append(struct text_reader *r, const uint8_t *bytes, size_t n)
{
	size_t name_len = r->value_at;

	if (!r->has_equal) {
		const uint8_t *equal = memchr(bytes, '=', n);

		name_len = r->n + (equal != NULL ? (size_t)(equal - bytes) : n);
		if (name_len > LIMIT_KEY_NAME_BYTES) {
			size_t part = LIMIT_KEY_NAME_BYTES - r->n;

			memcpy(r->pair + r->n, bytes, part);
			r->n += part;
			return TEXT_KEY_TOO_LONG;
		}
		r->has_equal = equal != NULL;
		r->value_at = name_len + 1;
	}
	if (r->has_equal && r->n + n - r->value_at > LIMIT_KEY_VALUE_BYTES)
		return TEXT_PAIR_TOO_LONG;
	memcpy(r->pair + r->n, bytes, n);
	r->n += n;
	return TEXT_PAIR;
}

/* 6.1's standard-label, but "X#" and "iSCSIProtocolLevel" are keys too. */
static bool
is_key_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c != '\0' && strchr(".-+@_#", c) != NULL)))
			return false;
	}
	return n > 0;
}

static enum text_result
complete(struct text_reader *r, struct text_pair *ret_pair)
{
	r->pair[r->n] = '\0';
	if (!r->has_equal)
		return TEXT_NO_EQUAL;
	if (!is_key_name(r->pair, r->value_at - 1))
		return TEXT_BAD_KEY;
	r->is_whole = true;
	r->pair[r->value_at - 1] = '\0';
	ret_pair->key = r->pair;
	ret_pair->value = r->pair + r->value_at;
	ret_pair->value_len = r->n - r->value_at;
	return TEXT_PAIR;
}

enum text_result
text_reader_next(struct text_reader *r, struct text_pair *ret_pair)
{
	while (r->error == TEXT_PAIR) {
		const uint8_t *nul;
		size_t n;

		if (r->is_whole) {
			r->n = 0;
			r->is_whole = r->has_equal = r->carried = false;
		}
		if (r->p == r->end)
			return TEXT_END;
		n = (size_t)(r->end - r->p);
		nul = memchr(r->p, 0, n);
		if (nul != NULL)
			n = (size_t)(nul - r->p);
		if (r->skipping) {
			r->skipping = nul == NULL;
			r->p += n + (nul != NULL);
			continue;
		}
		r->error = append(r, r->p, n);
		if (r->error != TEXT_PAIR)
			break;
		r->p += n;
		if (nul == NULL)
			continue;
		r->p++;
		/* A NUL more than needed, as padding that was counted, says nothing. */
		if (r->n == 0)
			continue;
		r->error = complete(r, ret_pair);
		if (r->error == TEXT_PAIR)
			return TEXT_PAIR;
	}
	return r->error;
}

enum text_result
text_reader_finish(struct text_reader *r)
{
	if (r->error != TEXT_PAIR)
		return r->error;
	if (r->n == 0 || r->is_whole)
		return TEXT_END;
	r->error = r->carried ? TEXT_INCOMPLETE : TEXT_NO_NUL;
	return r->error;
}

void
text_reader_skip(struct text_reader *r)
{
	if (r->error == TEXT_TOO_LONG || r->error == TEXT_PAIR)
		return;
	/* These two were found at the NUL, the others before it. */
	r->skipping = r->error != TEXT_NO_EQUAL && r->error != TEXT_BAD_KEY;
	r->error = TEXT_PAIR;
	r->n = 0;
	r->has_equal = r->carried = false;
}

const char *
text_reader_rest(struct text_reader *r)
{
	r->pair[r->n] = '\0';
	return r->pair;
}

/* Values. */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum text_number
text_number(const char *s, uint64_t lo, uint64_t hi, uint64_t *ret_value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	} else if (s[0] == '0' && s[1] != '\0') {
		/* 6.1: "the digit 0 or a string of one or more digits that starts with a non-zero
		 * digit" */
		return TEXT_NUMBER_BAD;
	}
	if (*s == '\0')
		return TEXT_NUMBER_BAD;
	for (bool fits = true;; s++) {
		int d = hex_digit(*s);

		if (*s == '\0') {
			if (!fits || v < lo || v > hi)
				return TEXT_NUMBER_RANGE;
			*ret_value = v;
			return TEXT_NUMBER_OK;
		}
		if (d < 0 || (unsigned)d >= base)
			return TEXT_NUMBER_BAD;
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			fits = false;
	}
}

bool
text_boolean(const char *s, bool *ret_value)
{
	bool yes = strcmp(s, "Yes") == 0;

	if (!yes && strcmp(s, "No") != 0)
		return false;
	*ret_value = yes;
	return true;
}

bool
text_list_next(const char **s, const char **ret_item, size_t *ret_len)
{
	const char *item = *s;
	size_t n;

	if (item == NULL)
		return false;
	n = strcspn(item, ",");
	*ret_item = item;
	*ret_len = n;
	*s = item[n] == ',' ? item + n + 1 : NULL;
	return true;
}

static bool
binary_hex(const char *s, uint8_t *buf, size_t max, size_t *ret_len)
{
	size_t n = strlen(s), bytes = (n + 1) / 2;

	if (n == 0 || bytes > max)
		return false;
	/* An odd number of digits is a number whose first byte has one digit (6.1). */
	for (size_t i = 0, at = n % 2; i < n; i++, at++) {
		int d = hex_digit(s[i]);

		if (d < 0)
			return false;
		buf[at / 2] = (uint8_t)(at % 2 == 0 || i == 0 ? d : buf[at / 2] << 4 | d);
	}
	*ret_len = bytes;
	return true;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool
binary_base64(const char *s, uint8_t *buf, size_t max, size_t *ret_len)
{
	size_t n = strlen(s), bytes = 0, padding = 0;

	if (n == 0 || n % 4 != 0)
		return false;
	while (padding < 2 && s[n - 1 - padding] == '=')
		padding++;
	if (n / 4 * 3 - padding > max)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		size_t have = i + 4 == n ? 3 - padding : 3;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = j <= have ? base64_value(s[i + j]) : 0;

			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		/* RFC 4648, 3.5: the spare bits of the last character are zero. */
		if ((v & ((1u << (8 * (3 - have))) - 1)) != 0)
			return false;
		for (size_t j = 0; j < have; j++)
			buf[bytes++] = (uint8_t)(v >> (16 - 8 * j));
	}
	*ret_len = bytes;
	return true;
}

bool
text_binary(const char *s, uint8_t *buf, size_t max, size_t *ret_len)
{
	if (s[0] != '0')
		return false;
	if (s[1] == 'x' || s[1] == 'X')
		return binary_hex(s + 2, buf, max, ret_len);
	if (s[1] == 'b' || s[1] == 'B')
		return binary_base64(s + 2, buf, max, ret_len);
	return false;
}

bool
text_utf8_next(const uint8_t **p, const uint8_t *end, uint32_t *ret_char)
{
	size_t n = utf8_length((const char *)*p, (size_t)(end - *p));

	if (n == 0)
		return false;
	*ret_char = utf8_code((const char *)*p, n);
	*p += n;
	return true;
}

bool
text_is_utf8(const char *s)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);

	while (p < end) {
		uint32_t c;

		if (!text_utf8_next(&p, end, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}
