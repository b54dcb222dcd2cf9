#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ini/backoff.h"

static void
first_try_is_at_once(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	assert_int_equal(backoff_next_us(&b, true, 0xffffffff), 0);
}

static void
steps_double_up_to_thirty_seconds(void **state)
{
	static const uint64_t want_s[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct backoff b = { 0 };

	(void)state;
	backoff_next_us(&b, false, 0);
	for (size_t i = 0; i < sizeof want_s / sizeof *want_s; i++) {
		struct backoff low = b, high = b;

		assert_int_equal(backoff_next_us(&low, false, 0), want_s[i] * 750000);
		assert_int_equal(backoff_next_us(&high, false, 0xffff), want_s[i] * 1250000);
		b = low;
	}
}

static void
a_very_long_outage_never_wraps(void **state)
{
	struct backoff b = { .tries = UINT32_MAX };

	(void)state;
	assert_int_equal(backoff_next_us(&b, false, 0), 22500000);
	assert_int_equal(b.tries, UINT32_MAX);
}

static void
reset_starts_over(void **state)
{
	struct backoff b = { .tries = 9 };

	(void)state;
	backoff_reset(&b);
	assert_int_equal(backoff_next_us(&b, false, 1), 0);
}

static void
while_io_waits_two_seconds_are_the_longest(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	backoff_seldom(&b);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(backoff_next_us(&b, true, i * 656) <= 2000000);
	assert_true(backoff_next_us(&b, false, 0) >= 22500000);
}

static void
what_would_be_refused_again_is_tried_seldom(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	backoff_seldom(&b);
	assert_int_equal(backoff_next_us(&b, false, 0), 22500000);
	b.tries = 40;
	backoff_seldom(&b);
	assert_int_equal(b.tries, 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_try_is_at_once),
		cmocka_unit_test(steps_double_up_to_thirty_seconds),
		cmocka_unit_test(a_very_long_outage_never_wraps),
		cmocka_unit_test(reset_starts_over),
		cmocka_unit_test(while_io_waits_two_seconds_are_the_longest),
		cmocka_unit_test(what_would_be_refused_again_is_tried_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
