#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/visible.h"

static size_t
encode(uint32_t c, char *out)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[n] | c);
	return n;
}

static const char *
shown(const char *text, size_t len)
{
	static char out[256];

	size_t n = visible_copy(text, len, out, sizeof out);

	assert_int_equal(n, strlen(out));
	assert_int_equal(visible_is_plain(text, len), strcmp(out, text) == 0);
	return out;
}

static void
every_character_is_shown_or_all_its_bytes_as_numbers(void **state)
{
	unsigned n_hidden = 0;

	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		char text[8] = "", numbers[20] = "";
		size_t n = encode(c, text);
		bool is_shown;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		assert_int_equal(visible_next(text, n, &is_shown), n);
		assert_int_equal(utf8_code(text, n), c);
		for (size_t i = 0; i < n; i++)
			(void)snprintf(numbers + 4 * i, 5, "\\x%02x", (unsigned char)text[i]);
		assert_string_equal(shown(text, n), is_shown ? text : numbers);
		n_hidden += !is_shown;
	}
	assert_in_range(n_hidden, 4200, 4400);
}

static void
what_turns_the_order_round_or_hides_is_not_shown(void **state)
{
	static const uint32_t bad[] = { '\n', '\r', '\t', 0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x61c,
		0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069,
		0xfeff, 0xe0041 };
	static const uint32_t good[] = { ' ', '\\', '~', 0xe4, 0x5d0, 0x627, 0x2010, 0x20ac, 0x4e2d,
		0xfe0f, 0x1f600 };
	char text[8];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(visible_is_plain(text, encode(bad[i], text)));
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(visible_is_plain(text, encode(good[i], text)));
}

static void
bytes_that_are_no_utf8_are_numbers(void **state)
{
	(void)state;
	assert_string_equal(shown("a\xff"
				  "b",
				3),
	    "a\\xffb");
	assert_string_equal(shown("cut \xe2\x82", 6), "cut \\xe2\\x82");
	assert_string_equal(shown("\xc0\xaf", 2), "\\xc0\\xaf");
	assert_string_equal(shown("\xed\xa0\x80", 3), "\\xed\\xa0\\x80");
	assert_string_equal(shown("", 0), "");
}

/* In any room: as much as fits, whole characters, and "..." where something is missing. */
static void
what_does_not_fit_is_cut_between_characters(void **state)
{
	static const char text[] = "ab\xe2\x82\xac\n\xff\xf0\x9f\x98\x80z";
	char whole[64], out[64];
	size_t full = visible_copy(text, sizeof text - 1, whole, sizeof whole);

	(void)state;
	for (size_t cap = 4; cap < sizeof out; cap++) {
		size_t n;

		memset(out, '#', sizeof out);
		n = visible_copy(text, sizeof text - 1, out, cap);
		assert_int_equal(n, strlen(out));
		assert_true(n < cap);
		assert_true(visible_is_plain(out, n));
		for (size_t i = cap; i < sizeof out; i++)
			assert_int_equal(out[i], '#');
		if (cap > full) {
			assert_string_equal(out, whole);
		} else {
			assert_memory_equal(out, whole, n - 3);
			assert_string_equal(out + n - 3, "...");
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_shown_or_all_its_bytes_as_numbers),
		cmocka_unit_test(what_turns_the_order_round_or_hides_is_not_shown),
		cmocka_unit_test(bytes_that_are_no_utf8_are_numbers),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
