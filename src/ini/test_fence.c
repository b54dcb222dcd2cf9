#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cut.h"
#include "ini/fence.h"

#define SECOND 1000000ull

/* A login of this name in this portal group. */
static void
login_as(struct fence *f, uint64_t nexus, int32_t tpgt, const char *name)
{
	struct fence_place at = { .tpgt = tpgt, .retain_s = 22 };

	cut_copy(at.name, sizeof at.name, name);
	fence_login(f, nexus, &at);
}

static void
login(struct fence *f, uint64_t nexus, int32_t tpgt)
{
	login_as(f, nexus, tpgt, "iqn.a");
}

static void
a_login_in_the_same_portal_group_ends_the_older_ones(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
	assert_int_equal(fence_dead(&f, 0), 0);
	fence_lost(&f, 0, 2, 20);
	assert_int_equal(fence_dead(&f, 0), 0);
	login(&f, 2, 7);
	assert_int_equal(fence_dead(&f, 0), 1);
	assert_int_equal(fence_next_us(&f), UINT64_MAX);
}

static void
another_portal_group_lives_until_its_time_and_its_grace_are_over(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
	fence_lost(&f, 5 * SECOND, 2, 20);
	login(&f, 2, 8);
	assert_int_equal(fence_next_us(&f), 28 * SECOND);
	assert_int_equal(fence_dead(&f, 28 * SECOND - 1), 0);
	assert_int_equal(fence_dead(&f, 28 * SECOND), 1);
}

static void
another_name_reinstates_nothing(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
	fence_lost(&f, 0, 0, 0);
	login_as(&f, 2, 7, "iqn.b");
	assert_int_equal(fence_dead(&f, 0), 0);
	assert_int_equal(fence_dead(&f, SECOND), 1);
}

static void
an_unknown_portal_group_reinstates_nothing(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, -1);
	fence_lost(&f, 0, 0, 0);
	login(&f, 2, -1);
	assert_int_equal(fence_dead(&f, 0), 0);
}

static void
a_logout_response_ends_it_at_once(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
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
	login(&f, 1, 7);
	fence_lost(&f, 0, 0, 100);
	login(&f, 2, 8);
	fence_lost(&f, 0, 0, 50);
	login(&f, 3, 7);
	assert_int_equal(fence_dead(&f, 0), 1);
	assert_int_equal(fence_dead(&f, 51 * SECOND), 2);
}

static void
a_young_dead_one_does_not_hide_an_old_living_one(void **state)
{
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
	fence_lost(&f, 0, 0, 100);
	login(&f, 2, 8);
	fence_lost(&f, 0, 0, 0);
	login(&f, 3, 8);
	assert_int_equal(fence_dead(&f, SECOND), 0);
}

static void
more_groups_than_rows_are_counted_as_one_that_dies_last(void **state)
{
	struct fence f = { 0 };

	(void)state;
	for (uint64_t n = 1; n <= 40; n++) {
		login(&f, n, (int32_t)n);
		fence_lost(&f, 0, 0, (uint16_t)(100 - n));
		assert_true(f.n <= FENCE_ROWS);
	}
	login(&f, 41, 1);
	assert_int_equal(fence_dead(&f, 0), 0);
	assert_int_equal(fence_dead(&f, 99 * SECOND), 0);
	assert_int_equal(fence_dead(&f, 100 * SECOND), 40);
}

static void
what_lives_is_told_each_place_once_with_the_longest_time(void **state)
{
	struct fence_place list[FENCE_ROWS];
	struct fence f = { 0 };

	(void)state;
	login(&f, 1, 7);
	fence_lost(&f, 0, 2, 50);
	login(&f, 2, -1);
	fence_lost(&f, 0, 0, 9);
	login(&f, 3, -1);
	assert_int_equal(fence_living(&f, list), 2);
	assert_int_equal(list[0].tpgt, 7);
	assert_int_equal(list[0].retain_s, 52);
	assert_int_equal(list[1].tpgt, -1);
	assert_int_equal(list[1].retain_s, 22);
	assert_true(fence_covers(list, 2, &list[1]));
	list[1].retain_s++;
	assert_false(fence_covers(list, 1, &list[1]));
}

/* What a life before left: its login may come back, else its time counts from now. */
static void
the_past_is_reinstated_or_waited_for(void **state)
{
	static const struct fence_place there = { "iqn.a", 7, 22 };
	static const struct {
		int32_t tpgt;
		const char *name;
		uint64_t dead;
	} logins[] = { { 7, "iqn.a", 1 }, { 8, "iqn.a", 0 }, { 7, "iqn.b", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
		struct fence f = { 0 };

		fence_past(&f, 1, &there, 5 * SECOND);
		assert_int_equal(fence_dead(&f, 5 * SECOND), 0);
		login_as(&f, 2, logins[i].tpgt, logins[i].name);
		assert_int_equal(fence_dead(&f, 28 * SECOND - 1), logins[i].dead);
		assert_int_equal(fence_dead(&f, 28 * SECOND), 1);
	}
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
		cmocka_unit_test(what_lives_is_told_each_place_once_with_the_longest_time),
		cmocka_unit_test(the_past_is_reinstated_or_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
