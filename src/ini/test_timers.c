#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ini/timers.h"

static void
seconds_have_decimals(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} good[] = { { "5", 5000 }, { "0.5", 500 }, { "0.1", 100 }, { "1.25", 1250 },
		{ "2.005", 2005 }, { "600", 600000 } };
	char text[TIMERS_TEXT_BYTES];
	uint32_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(timers_parse(TIMER_login, good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
		timers_print(ms, text);
		assert_string_equal(text, good[i].text);
	}
	assert_true(timers_parse(TIMER_login, "0.500", &ms));
	assert_int_equal(ms, 500);
}

static void
what_is_no_time_within_the_range_is_refused(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "+1", "1s", "1.", ".5", "0", "0.05",
		"1.0001", "600.001", "601", "99999999999999999999", "1,5", " 1" };
	uint32_t ms = 42;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(timers_parse(TIMER_login, bad[i], &ms));
	assert_int_equal(ms, 42);
	assert_true(timers_parse(TIMER_replacement, "0", &ms));
}

static void
every_time_is_read_back_as_it_is_printed(void **state)
{
	char text[TIMERS_TEXT_BYTES];
	uint32_t ms, x = 1;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint32_t want = x % 86400001;

		x = x * 1103515245 + 12345;
		timers_print(want, text);
		assert_true(timers_parse(TIMER_replacement, text, &ms));
		assert_int_equal(ms, want);
	}
}

static void
the_defaults_fit_each_other(void **state)
{
	struct fault f = { 0 };
	struct timers t;

	(void)state;
	timers_default(&t);
	assert_true(timers_check(&t, &f));
	assert_false(f.is_set);
	/* A dead link is noticed in ten seconds. */
	assert_true(t.ms[TIMER_nop_interval] + t.ms[TIMER_nop] <= 10000);
}

static void
what_does_not_fit_is_named(void **state)
{
	struct fault f = { 0 };
	struct timers t;

	(void)state;
	timers_default(&t);
	t.ms[TIMER_command] = 9999;
	assert_false(timers_check(&t, &f));
	assert_non_null(strstr(f.message, "CommandTimeout is 9.999 seconds"));
	assert_non_null(strstr(f.message, "NOPInterval and NOPTimeout (10 seconds)"));
	t.ms[TIMER_nop_interval] = 0; /* never pinged: nothing to compare */
	assert_true(timers_check(&t, &f));
	timers_default(&t);
	t.ms[TIMER_replacement] = 74999;
	assert_false(timers_check(&t, &f));
	assert_non_null(strstr(f.message, "ReplacementTimeout is 74.999 seconds"));
	t.ms[TIMER_replacement] = 0; /* for ever */
	assert_true(timers_check(&t, &f));
	timers_default(&t);
	t.ms[TIMER_login] = 120001;
	assert_false(timers_check(&t, &f));
	assert_non_null(strstr(f.message, "LoginTimeout"));
}

static void
names_are_found_in_any_case(void **state)
{
	enum timer_id id;

	(void)state;
	assert_true(timers_find("noptimeout", &id));
	assert_int_equal(id, TIMER_nop);
	assert_false(timers_find("nop", &id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_have_decimals),
		cmocka_unit_test(what_is_no_time_within_the_range_is_refused),
		cmocka_unit_test(every_time_is_read_back_as_it_is_printed),
		cmocka_unit_test(the_defaults_fit_each_other),
		cmocka_unit_test(what_does_not_fit_is_named),
		cmocka_unit_test(names_are_found_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
