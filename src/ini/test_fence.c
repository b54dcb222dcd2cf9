#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ini/fence.h"

#define SECOND 1000000ull

static void
a_login_in_the_same_portal_group_ends_the_older_ones(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	assert_int_equal(fence_dead(&f, 0), 0);
	fence_lost(&f, 0, 2, 20);
	assert_int_equal(fence_dead(&f, 0), 0);
	fence_login(&f, 2, 7, 1);
	assert_int_equal(fence_dead(&f, 0), 1);
	assert_int_equal(fence_next_us(&f), UINT64_MAX);
}

static void
another_portal_group_lives_until_its_time_and_its_grace_are_over(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	fence_lost(&f, 5 * SECOND, 2, 20);
	fence_login(&f, 2, 8, 1);
	assert_int_equal(fence_next_us(&f), 28 * SECOND);
	assert_int_equal(fence_dead(&f, 28 * SECOND - 1), 0);
	assert_int_equal(fence_dead(&f, 28 * SECOND), 1);
}

static void
another_name_reinstates_nothing(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	fence_lost(&f, 0, 0, 0);
	fence_login(&f, 2, 7, 2);
	assert_int_equal(fence_dead(&f, 0), 0);
	assert_int_equal(fence_dead(&f, SECOND), 1);
}

static void
an_unknown_portal_group_reinstates_nothing(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, -1, 1);
	fence_lost(&f, 0, 0, 0);
	fence_login(&f, 2, -1, 1);
	assert_int_equal(fence_dead(&f, 0), 0);
}

static void
a_logout_response_ends_it_at_once(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	fence_logged_out(&f);
	fence_lost(&f, 0, 9, 9);
	assert_int_equal(fence_dead(&f, 0), 1);
	assert_int_equal(fence_next_us(&f), UINT64_MAX);
}

/* 7, 8, 7: the oldest is dead, the middle one not; what is told is a prefix. */
static void
the_way_back_ends_what_it_left_but_not_what_lies_between(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	fence_lost(&f, 0, 0, 100);
	fence_login(&f, 2, 8, 1);
	fence_lost(&f, 0, 0, 50);
	fence_login(&f, 3, 7, 1);
	assert_int_equal(fence_dead(&f, 0), 1);
	assert_int_equal(fence_dead(&f, 51 * SECOND), 2);
}

static void
a_young_dead_one_does_not_hide_an_old_living_one(void **state)
{
	struct fence f = { 0 };

	(void)state;
	fence_login(&f, 1, 7, 1);
	fence_lost(&f, 0, 0, 100);
	fence_login(&f, 2, 8, 1);
	fence_lost(&f, 0, 0, 0);
	fence_login(&f, 3, 8, 1);
	assert_int_equal(fence_dead(&f, SECOND), 0);
}

static void
more_groups_than_rows_are_counted_as_one_that_dies_last(void **state)
{
	struct fence f = { 0 };

	(void)state;
	for (uint64_t n = 1; n <= 40; n++) {
		fence_login(&f, n, (int32_t)n, 1);
		fence_lost(&f, 0, 0, (uint16_t)(100 - n));
		assert_true(f.n <= FENCE_ROWS);
	}
	fence_login(&f, 41, 1, 1);
	assert_int_equal(fence_dead(&f, 0), 0);
	assert_int_equal(fence_dead(&f, 99 * SECOND), 0);
	assert_int_equal(fence_dead(&f, 100 * SECOND), 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_in_the_same_portal_group_ends_the_older_ones),
		cmocka_unit_test(another_portal_group_lives_until_its_time_and_its_grace_are_over),
		cmocka_unit_test(another_name_reinstates_nothing),
		cmocka_unit_test(an_unknown_portal_group_reinstates_nothing),
		cmocka_unit_test(a_logout_response_ends_it_at_once),
		cmocka_unit_test(the_way_back_ends_what_it_left_but_not_what_lies_between),
		cmocka_unit_test(a_young_dead_one_does_not_hide_an_old_living_one),
		cmocka_unit_test(more_groups_than_rows_are_counted_as_one_that_dies_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
