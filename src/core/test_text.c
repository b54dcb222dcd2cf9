#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/text.h"

/* Feeds `parts` (each NUL-free here; '|' stands for NUL) and collects "key>value;" of each pair. */
static enum text_result
read_parts(struct text_reader *r, const char *const *parts, char *seen, size_t n)
{
	struct put w = put_over(seen, n);
	enum text_result got = TEXT_END;

	for (; *parts != NULL && got == TEXT_END; parts++) {
		size_t len = strlen(*parts);
		char *copy = malloc(len + 1);
		struct text_pair pair;

		for (size_t i = 0; i <= len; i++)
			copy[i] = (*parts)[i] == '|' ? '\0' : (*parts)[i];
		text_reader_feed(r, (uint8_t *)copy, len);
		while ((got = text_reader_next(r, &pair)) == TEXT_PAIR) {
			assert_int_equal(strlen(pair.value), pair.value_len);
			put_str(&w, pair.key);
			put_u8(&w, '>');
			put_str(&w, pair.value);
			put_u8(&w, ';');
		}
		free(copy);
	}
	put_u8(&w, 0);
	assert_false(w.overflow);
	return got == TEXT_END ? text_reader_finish(r) : got;
}

static void
text_is_split_into_pairs(void **state)
{
	static const struct {
		const char *parts[4], *seen;
		enum text_result result;
	} rows[] = {
		{ { "" }, "", TEXT_END },
		{ { "A=1|" }, "A>1;", TEXT_END },
		{ { "A=1|B=2|" }, "A>1;B>2;", TEXT_END },
		{ { "A=|" }, "A>;", TEXT_END },
		{ { "A=b=c=|" }, "A>b=c=;", TEXT_END },
		{ { "X#NodeArchitecture=a/b|" }, "X#NodeArchitecture>a/b;", TEXT_END },
		{ { "A=1|||B=2||" }, "A>1;B>2;", TEXT_END },
		{ { "A=1|B", "=2|" }, "A>1;B>2;", TEXT_END },
		{ { "Al", "pha=be", "ta|" }, "Alpha>beta;", TEXT_END },
		{ { "A=1", "|B=2|" }, "A>1;B>2;", TEXT_END },
		{ { "A=1|", "", "B=2|" }, "A>1;B>2;", TEXT_END },
		{ { "A|" }, "", TEXT_NO_EQUAL },
		{ { "A=1|B|C=3|" }, "A>1;", TEXT_NO_EQUAL },
		{ { "=1|" }, "", TEXT_BAD_KEY },
		{ { "A B=1|" }, "", TEXT_BAD_KEY },
		{ { "A,B=1|" }, "", TEXT_BAD_KEY },
		{ { "A=1|B=2" }, "A>1;", TEXT_NO_NUL },
		{ { "A" }, "", TEXT_NO_NUL },
		{ { "A=1|B=2", "" }, "A>1;", TEXT_INCOMPLETE },
		{ { "A=1|B=2", "34" }, "A>1;", TEXT_INCOMPLETE },
		{ { "A=1|B=2", "34|C" }, "A>1;B>234;", TEXT_NO_NUL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text_reader r;
		char seen[200];

		text_reader_init(&r, 1000);
		assert_int_equal(read_parts(&r, rows[i].parts, seen, sizeof seen), rows[i].result);
		assert_string_equal(seen, rows[i].seen);
		/* Errors stay. */
		if (rows[i].result != TEXT_END) {
			struct text_pair pair;

			text_reader_feed(&r, (const uint8_t *)"Z=1", 4);
			assert_int_equal(text_reader_next(&r, &pair), rows[i].result);
		}
	}
}

static void
every_way_to_cut_a_text_gives_the_same_pairs(void **state)
{
	static const char text[] = "HeaderDigest=None,CRC32C|MaxBurstLength=0x1000|A=|";
	size_t len = sizeof text - 1;

	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			char cut[3][64] = { { 0 } }, seen[200];
			const char *parts[] = { cut[0], cut[1], cut[2], NULL };
			struct text_reader r;

			memcpy(cut[0], text, a);
			memcpy(cut[1], text + a, b - a);
			memcpy(cut[2], text + b, len - b);
			text_reader_init(&r, len);
			assert_int_equal(read_parts(&r, parts, seen, sizeof seen), TEXT_END);
			assert_string_equal(
			    seen, "HeaderDigest>None,CRC32C;MaxBurstLength>0x1000;A>;");
		}
	}
}

/* One text of a key and a value of these lengths, in pieces of `piece` bytes. */
static enum text_result
read_long(size_t key_len, size_t value_len, size_t piece, size_t limit)
{
	size_t n = key_len + 1 + value_len + 1, got_value = 0;
	uint8_t *t = malloc(n);
	struct text_reader r;
	enum text_result got = TEXT_END;

	memset(t, 'K', key_len);
	t[key_len] = '=';
	memset(t + key_len + 1, 'v', value_len);
	t[n - 1] = 0;
	text_reader_init(&r, limit);
	for (size_t at = 0; at < n && got == TEXT_END; at += piece) {
		struct text_pair pair;

		text_reader_feed(&r, t + at, n - at < piece ? n - at : piece);
		while ((got = text_reader_next(&r, &pair)) == TEXT_PAIR)
			got_value = pair.value_len;
	}
	if (got == TEXT_END)
		assert_int_equal(got_value, value_len);
	else
		assert_true(strlen(text_reader_rest(&r)) <= n);
	free(t);
	return got;
}

static void
limits_are_exact_however_the_text_is_cut(void **state)
{
	static const size_t pieces[] = { 1, 7, 64, 8192, 100000 };

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		size_t p = pieces[i];

		assert_int_equal(read_long(63, 8192, p, 100000), TEXT_END);
		assert_int_equal(read_long(64, 1, p, 100000), TEXT_KEY_TOO_LONG);
		assert_int_equal(read_long(1, 8193, p, 100000), TEXT_PAIR_TOO_LONG);
		assert_int_equal(read_long(63, 8193, p, 100000), TEXT_PAIR_TOO_LONG);
		assert_int_equal(read_long(10, 10, p, 22), TEXT_END);
		assert_int_equal(read_long(10, 10, p, 21), TEXT_TOO_LONG);
	}
}

static void
numbers_are_decimal_or_hexadecimal_and_in_range(void **state)
{
	static const struct {
		const char *s;
		enum text_number result;
		uint64_t v;
	} rows[] = {
		{ "0", TEXT_NUMBER_OK, 0 },
		{ "1", TEXT_NUMBER_OK, 1 },
		{ "0x1F", TEXT_NUMBER_OK, 31 },
		{ "0X1f", TEXT_NUMBER_OK, 31 },
		{ "0x0001", TEXT_NUMBER_OK, 1 },
		{ "18446744073709551615", TEXT_NUMBER_OK, UINT64_MAX },
		{ "0xffffffffffffffff", TEXT_NUMBER_OK, UINT64_MAX },
		{ "18446744073709551616", TEXT_NUMBER_RANGE, 0 },
		{ "0x10000000000000000", TEXT_NUMBER_RANGE, 0 },
		{ "99999999999999999999999999", TEXT_NUMBER_RANGE, 0 },
		{ "99999999999999999999999999x", TEXT_NUMBER_BAD, 0 },
		{ "", TEXT_NUMBER_BAD, 0 },
		{ "0x", TEXT_NUMBER_BAD, 0 },
		{ "01", TEXT_NUMBER_BAD, 0 },
		{ "-1", TEXT_NUMBER_BAD, 0 },
		{ "+1", TEXT_NUMBER_BAD, 0 },
		{ " 1", TEXT_NUMBER_BAD, 0 },
		{ "1 ", TEXT_NUMBER_BAD, 0 },
		{ "1f", TEXT_NUMBER_BAD, 0 },
		{ "0xg", TEXT_NUMBER_BAD, 0 },
		{ "1~2", TEXT_NUMBER_BAD, 0 },
	};
	uint64_t v = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(text_number(rows[i].s, 0, UINT64_MAX, &v), rows[i].result);
		if (rows[i].result == TEXT_NUMBER_OK)
			assert_true(v == rows[i].v);
	}
	assert_int_equal(text_number("511", 512, 1024, &v), TEXT_NUMBER_RANGE);
	assert_int_equal(text_number("512", 512, 1024, &v), TEXT_NUMBER_OK);
	assert_int_equal(text_number("1024", 512, 1024, &v), TEXT_NUMBER_OK);
	assert_int_equal(text_number("1025", 512, 1024, &v), TEXT_NUMBER_RANGE);
}

static void
booleans_are_yes_or_no_and_nothing_else(void **state)
{
	static const char *const bad[] = { "", "yes", "NO", "Y", "Yes ", "True", "1" };
	bool b = false;

	assert_true(text_boolean("Yes", &b) && b);
	assert_true(text_boolean("No", &b) && !b);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_boolean(bad[i], &b));
}

static void
lists_are_walked_item_by_item(void **state)
{
	const char *s = "None,,CRC32C", *item;
	size_t n;

	assert_true(text_list_next(&s, &item, &n) && n == 4 && memcmp(item, "None", 4) == 0);
	assert_true(text_list_next(&s, &item, &n) && n == 0);
	assert_true(text_list_next(&s, &item, &n) && n == 6);
	assert_false(text_list_next(&s, &item, &n));
}

static void
put_base64(struct put *w, const uint8_t *bytes, size_t n)
{
	static const char base64_digit[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	put_str(w, "0b");
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)bytes[i] << 16;

		if (have > 1)
			v |= (uint32_t)bytes[i + 1] << 8;
		if (have > 2)
			v |= bytes[i + 2];
		put_u8(w, (uint8_t)base64_digit[v >> 18]);
		put_u8(w, (uint8_t)base64_digit[v >> 12 & 63]);
		put_u8(w, have > 1 ? (uint8_t)base64_digit[v >> 6 & 63] : '=');
		put_u8(w, have > 2 ? (uint8_t)base64_digit[v & 63] : '=');
	}
}

static void
binary_values_survive_both_encodings(void **state)
{
	uint8_t in[70], out[70];
	char text[200];
	size_t n;

	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 37 + 200);
	for (size_t len = 1; len <= sizeof in; len++) {
		struct put w = put_over(text, sizeof text);

		text_put_hex(&w, in, len);
		put_u8(&w, 0);
		assert_true(text_binary(text, out, len, &n) && n == len);
		assert_memory_equal(in, out, len);
		assert_false(text_binary(text, out, len - 1, &n));
		w = put_over(text, sizeof text);
		put_base64(&w, in, len);
		put_u8(&w, 0);
		memset(out, 0, sizeof out);
		assert_true(text_binary(text, out, len, &n) && n == len);
		assert_memory_equal(in, out, len);
		assert_false(text_binary(text, out, len - 1, &n));
	}
}

static void
malformed_binary_values_are_refused(void **state)
{
	static const char *const bad[] = { "", "0", "0x", "0b", "12", "x12", "0xg0", "0x1 ", "0bQQ",
		"0bQQ=", "0bQQ==QQ==", "0bQR==", "0bQUJ=", "0bQQ===", "0b====", "0bQ===", "0bQUI",
		"0bQ-I=", "0bQUI=\n", "0b=QUI" };
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_binary(bad[i], out, sizeof out, &n));
	assert_true(text_binary("0x123", out, sizeof out, &n));
	assert_int_equal(n, 2);
	assert_int_equal(out[0], 0x01);
	assert_int_equal(out[1], 0x23);
	assert_true(text_binary("0BQUI=", out, sizeof out, &n));
	assert_int_equal(n, 2);
	assert_memory_equal(out, "AB", 2);
}

static void
numbers_and_pairs_are_written_as_text(void **state)
{
	static const char want[] = "A=b\0N=0\0M=18446744073709551615";
	char buf[64];
	struct put w = put_over(buf, sizeof buf);

	text_put(&w, "A", "b");
	text_put_number(&w, "N", 0);
	text_put_number(&w, "M", UINT64_MAX);
	assert_int_equal(put_len(&w), sizeof want);
	assert_memory_equal(buf, want, sizeof want);
	w = put_over(buf, 3);
	text_put(&w, "A", "b");
	assert_true(w.overflow);
}

static void
local_names_are_valid_utf8(void **state)
{
	static const char *const good[] = { "", "Bob-s Disk", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x92\xbe", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x01", "a\x7f", "\x80", "\xc0\x80", "\xc1\xbf", "\xc3",
		"\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80",
		"\xff", "\xc3(", "\xe2\x82", "\xc2\x85" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(text_is_utf8(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_is_utf8(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_split_into_pairs),
		cmocka_unit_test(every_way_to_cut_a_text_gives_the_same_pairs),
		cmocka_unit_test(limits_are_exact_however_the_text_is_cut),
		cmocka_unit_test(numbers_are_decimal_or_hexadecimal_and_in_range),
		cmocka_unit_test(booleans_are_yes_or_no_and_nothing_else),
		cmocka_unit_test(lists_are_walked_item_by_item),
		cmocka_unit_test(binary_values_survive_both_encodings),
		cmocka_unit_test(malformed_binary_values_are_refused),
		cmocka_unit_test(numbers_and_pairs_are_written_as_text),
		cmocka_unit_test(local_names_are_valid_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
