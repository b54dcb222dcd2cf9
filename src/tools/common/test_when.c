#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/common/when.h"
#include "tools/common/wrap.h"

/* 2026-07-15, 12:00 UTC; 14:00 where summer time is two hours ahead. */
#define NOW 1784116800

static void
parses(const char *text, const char *utc)
{
	char got[WHEN_UTC_BYTES];

	if (!when_parse(text, NOW, got))
		fail_msg("%s is refused", text);
	assert_string_equal(got, utc);
}

static void
times_are_local_or_so_long_ago(void **state)
{
	(void)state;
	parses("90s", "2026-07-15T11:58:30.000Z");
	parses("30m", "2026-07-15T11:30:00.000Z");
	parses("2h", "2026-07-15T10:00:00.000Z");
	parses("1d", "2026-07-14T12:00:00.000Z");
	parses("999999999d", "1970-01-01T00:00:00.000Z");
	parses("13:30", "2026-07-15T11:30:00.000Z");
	parses("00:00:01", "2026-07-14T22:00:01.000Z");
	parses("2026-01-31", "2026-01-30T23:00:00.000Z");
	parses("2026-07-01T13:30", "2026-07-01T11:30:00.000Z");
	parses("2026-07-01 13:30:59", "2026-07-01T11:30:59.000Z");
	parses("2026-07-01T13:30Z", "2026-07-01T13:30:00.000Z");
	parses("2026-07-01Z", "2026-07-01T00:00:00.000Z");
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const rows[] = { "", "Z", "5", "m", "5 m", "5w", "-5m", "1h30m", "25:00",
		"yesterday", "2026-13-01", "2026-07-01T", "2026-07-01T13:30x", "13:30 ",
		"0000000000000000000000000000000000000000000d" };
	char got[WHEN_UTC_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (when_parse(rows[i], NOW, got))
			fail_msg("%s is taken", rows[i]);
}

static void
times_are_shown_where_one_lives(void **state)
{
	static const char *const rows[][2] = {
		{ "2026-07-15T12:00:00.123Z", "2026-07-15 14:00:00.123 +0200" },
		{ "2026-01-15T12:00:00Z", "2026-01-15 13:00:00 +0100" },
		{ "never", "never" },
		{ "", "" },
		{ "2026-07-15T12:00:00.12Z", "2026-07-15T12:00:00.12Z" },
	};
	char got[WHEN_LOCAL_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		when_local(rows[i][0], got);
		assert_string_equal(got, rows[i][1]);
	}
}

static void
wrapped(const char *text, size_t width, const char *expected)
{
	char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	assert_int_equal(wrap_width(f), 0);
	wrap_put(f, text, 0, 2, width);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(got, expected);
	free(got);
}

static void
lines_end_before_the_terminal_does(void **state)
{
	(void)state;
	wrapped("one two three", 0, "one two three\n");
	wrapped("one two three", 13, "one two three\n");
	wrapped("one two three", 12, "one two\n  three\n");
	wrapped("one two three", 1, "one\n  two\n  three\n");
	wrapped("one [two three] four", 9, "one\n  [two three]\n  four\n");
	wrapped("one ] two ] three", 7, "one ]\n  two ]\n  three\n");
	wrapped("\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9", 5, "\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\n");
	wrapped("", 10, "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_local_or_so_long_ago),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(times_are_shown_where_one_lives),
		cmocka_unit_test(lines_end_before_the_terminal_does),
	};

	/* No data base of zones is needed for it. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
