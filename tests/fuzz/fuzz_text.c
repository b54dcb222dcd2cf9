/*
 * key=value text of Login and Text PDUs, and the forms of values.
 *
 * Text means the same in whatever parts it comes; what is read and written again is read as the
 * same.
 *
 * Covers: src/core/text.c src/base/utf8.h
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "fuzz.h"

#define TEXT_BYTES 20000

/* The pairs and how it ended, in parts of `part` bytes, and what the pairs are when they are
 * written. */
static uint64_t
read_text(const uint8_t *p, size_t n, size_t part, struct put *again)
{
	static struct text_reader r;
	enum text_result result = TEXT_END;
	struct text_pair pair;
	uint64_t hash = 0;

	text_reader_init(&r, LIMIT_LOGIN_TEXT_BYTES);
	for (size_t at = 0; at < n && result == TEXT_END; at += part) {
		text_reader_feed(&r, p + at, n - at < part ? n - at : part);
		while ((result = text_reader_next(&r, &pair)) == TEXT_PAIR) {
			FUZZ_CHECK(strlen(pair.key) <= LIMIT_KEY_NAME_BYTES && pair.key[0] != '\0');
			FUZZ_CHECK(pair.value_len <= LIMIT_KEY_VALUE_BYTES);
			FUZZ_CHECK(strlen(pair.value) == pair.value_len);
			hash = fuzz_hash(hash, pair.key, strlen(pair.key));
			hash = fuzz_hash(hash, pair.value, pair.value_len);
			text_put(again, pair.key, pair.value);
		}
	}
	if (result == TEXT_END)
		result = text_reader_finish(&r);
	FUZZ_CHECK(strlen(text_reader_rest(&r)) < sizeof r.pair);
	if (result == TEXT_INCOMPLETE)
		result = TEXT_NO_NUL; /* two words for one thing */
	if (result == TEXT_TOO_LONG)
		return 0; /* of a part that does not fit nothing is read */
	return fuzz_hash(hash, &result, sizeof result);
}

static void
skip_all(const uint8_t *p, size_t n)
{
	static struct text_reader r;
	struct text_pair pair;
	enum text_result result;
	size_t steps = 0;

	text_reader_init(&r, LIMIT_LOGIN_TEXT_BYTES);
	text_reader_feed(&r, p, n);
	while ((result = text_reader_next(&r, &pair)) != TEXT_END && result != TEXT_TOO_LONG) {
		FUZZ_CHECK(steps++ <= n + 1); /* each step takes at least a byte */
		if (result != TEXT_PAIR)
			text_reader_skip(&r);
	}
}

static void
check_number(const char *s, uint64_t lo, uint64_t hi)
{
	char text[32];
	struct put w = put_over(text, sizeof text - 1);
	uint64_t v, again;

	if (text_number(s, lo, hi, &v) != TEXT_NUMBER_OK)
		return;
	FUZZ_CHECK(v >= lo && v <= hi);
	text_put_decimal(&w, v);
	text[put_len(&w)] = '\0';
	FUZZ_CHECK(text_number(text, 0, UINT64_MAX, &again) == TEXT_NUMBER_OK && again == v);
}

static void
check_binary(const char *s)
{
	uint8_t bytes[1024], again[1024];
	char text[4096];
	struct put w = put_over(text, sizeof text - 1);
	size_t n, n_again;

	if (!text_binary(s, bytes, sizeof bytes, &n))
		return;
	FUZZ_CHECK(n > 0 && n <= sizeof bytes);
	text_put_hex(&w, bytes, n);
	FUZZ_CHECK(!w.overflow);
	text[put_len(&w)] = '\0';
	FUZZ_CHECK(text_binary(text, again, sizeof again, &n_again));
	FUZZ_CHECK(n_again == n && memcmp(again, bytes, n) == 0);
}

static void
check_words(const char *s)
{
	const char *rest = s, *item;
	size_t n, sum = 0, items = 0;
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
	bool yes, is_utf8 = true;
	uint32_t c;

	while (text_list_next(&rest, &item, &n)) {
		FUZZ_CHECK(item >= s && memchr(item, ',', n) == NULL);
		sum += n;
		items++;
	}
	FUZZ_CHECK(items == 0 ? s[0] == '\0' : sum + items - 1 == strlen(s));
	if (text_boolean(s, &yes))
		FUZZ_CHECK(strcmp(s, yes ? "Yes" : "No") == 0);
	while (p < end && is_utf8) {
		const uint8_t *before = p;

		is_utf8 = text_utf8_next(&p, end, &c);
		FUZZ_CHECK(!is_utf8 || (p > before && p <= end && c <= 0x10ffff));
		is_utf8 = is_utf8 && (c >= 0x20 && c != 0x7f);
	}
	FUZZ_CHECK(is_utf8 || !text_is_utf8(s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[TEXT_BYTES], out2[TEXT_BYTES];
	struct cursor in = cursor_over(data, size);
	size_t part = cursor_u8(&in) + 1u, n;
	struct put w = put_over(out, sizeof out), w2 = put_over(out2, sizeof out2);
	uint8_t *bytes;
	uint64_t whole, again;
	char *word;

	bytes = fuzz_rest(&in, &n);
	whole = read_text(bytes, n, n > 0 ? n : 1, &w);
	again = read_text(bytes, n, part, &w2);
	FUZZ_CHECK(n > LIMIT_LOGIN_TEXT_BYTES || whole == again);
	FUZZ_CHECK(!w.overflow);
	w2 = put_over(out2, sizeof out2);
	(void)read_text((uint8_t *)out, put_len(&w), TEXT_BYTES, &w2); /* its bytes are compared */
	FUZZ_CHECK(put_len(&w2) == put_len(&w) && memcmp(out, out2, put_len(&w)) == 0);
	skip_all(bytes, n);
	free(bytes);

	in = cursor_over(data, size);
	(void)cursor_u8(&in); /* the part */
	word = fuzz_string(&in, '\0');
	check_number(word, 0, UINT64_MAX);
	check_number(word, 512, 16777215);
	check_binary(word);
	check_words(word);
	free(word);
	return 0;
}
