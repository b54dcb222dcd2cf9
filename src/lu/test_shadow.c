#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/shadow.h"

static void
a_shadow_has_the_blocks_of_its_write_and_no_other(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	assert_false(shadow_is_any(&s));
	shadow_cast(&s, 7, 1024, 1024, 3);
	assert_true(shadow_is_any(&s));
	assert_false(shadow_covers(&s, 8, 512, 512));
	assert_true(shadow_covers(&s, 8, 512, 513));
	assert_true(shadow_covers(&s, 8, 1024, 512));
	assert_true(shadow_covers(&s, 8, 1536, 512));
	assert_true(shadow_covers(&s, 8, 0, 8192));
	assert_true(shadow_covers(&s, 8, 2047, 1));
	assert_false(shadow_covers(&s, 8, 2048, 512));
	/* Its own write may go out again. */
	assert_false(shadow_covers(&s, 7, 1024, 1024));
}

static void
it_lasts_until_the_last_nexus_of_its_write_is_dead(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	shadow_cast(&s, 7, 0, 512, 3);
	shadow_cast(&s, 8, 512, 512, 4);
	shadow_cast(&s, 7, 0, 512, 5);
	assert_false(shadow_lift(&s, 2));
	assert_false(shadow_lift(&s, 3));
	assert_true(shadow_lift(&s, 4));
	assert_false(shadow_covers(&s, 9, 512, 512));
	assert_true(shadow_covers(&s, 9, 0, 512));
	assert_true(shadow_lift(&s, 5));
	assert_false(shadow_is_any(&s));
}

static void
too_many_shadows_are_night(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	for (unsigned i = 0; i < SHADOW_MAX; i++)
		shadow_cast(&s, i, 1024ull * i, 512, 1);
	assert_false(shadow_covers(&s, 1000, 512, 512));
	shadow_cast(&s, 999, 1 << 30, 512, 2);
	assert_true(shadow_covers(&s, 1000, 512, 512));
	assert_true(shadow_lift(&s, 1));
	assert_true(shadow_covers(&s, 1000, 512, 512));
	assert_true(shadow_lift(&s, 2));
	assert_false(shadow_is_any(&s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shadow_has_the_blocks_of_its_write_and_no_other),
		cmocka_unit_test(it_lasts_until_the_last_nexus_of_its_write_is_dead),
		cmocka_unit_test(too_many_shadows_are_night),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
