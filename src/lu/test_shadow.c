#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/shadow.h"

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

static bool has_no_memory;

void *
__wrap_malloc(size_t n)
{
	return has_no_memory ? NULL : __real_malloc(n);
}

static void
a_shadow_has_the_blocks_of_its_write_and_no_other(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	assert_false(shadow_is_any(&s));
	shadow_cast(&s, 7, 1024, 1024, 0, 3);
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
	shadow_free(&s);
}

static void
it_lasts_until_the_last_nexus_of_its_write_is_dead(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	shadow_cast(&s, 7, 0, 512, 0, 3);
	shadow_cast(&s, 8, 512, 512, 0, 4);
	shadow_cast(&s, 7, 0, 512, 0, 5);
	assert_false(shadow_lift(&s, 0, 2));
	assert_false(shadow_lift(&s, 0, 3));
	assert_true(shadow_lift(&s, 0, 4));
	assert_false(shadow_covers(&s, 9, 512, 512));
	assert_true(shadow_covers(&s, 9, 0, 512));
	assert_true(shadow_lift(&s, 0, 5));
	assert_false(shadow_is_any(&s));
	shadow_free(&s);
}

static void
too_many_shadows_are_night(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	for (unsigned i = 0; i < SHADOW_MAX; i++)
		shadow_cast(&s, i, 1024ull * i, 512, 0, 1);
	assert_false(shadow_covers(&s, 1000, 512, 512));
	shadow_cast(&s, 999, 1 << 30, 512, 0, 2);
	assert_true(shadow_covers(&s, 1000, 512, 512));
	assert_true(shadow_lift(&s, 0, 1));
	assert_true(shadow_covers(&s, 1000, 512, 512));
	assert_true(shadow_lift(&s, 0, 2));
	assert_false(shadow_is_any(&s));
	shadow_free(&s);
}

static void
a_shadow_that_finds_no_memory_is_night(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	has_no_memory = true;
	shadow_cast(&s, 1, 0, 512, 0, 1);
	has_no_memory = false;
	assert_true(shadow_covers(&s, 2, 1 << 20, 512));
	shadow_cast(&s, 2, 0, 512, 0, 2);
	assert_true(shadow_lift(&s, 0, 1));
	assert_false(shadow_covers(&s, 3, 1 << 20, 512));
	assert_true(shadow_covers(&s, 3, 0, 512));
	shadow_free(&s);
}

/* What was lost over one path is not dead when another one's nexuses are. */
static void
each_path_has_its_nexuses(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	shadow_cast(&s, 7, 0, 512, 0, 3);
	shadow_cast(&s, 7, 0, 512, 1, 9);
	shadow_cast(&s, 8, 512, 512, 1, 2);
	assert_true(shadow_lift(&s, 1, 2));
	assert_false(shadow_covers(&s, 9, 512, 512));
	assert_true(shadow_lift(&s, 1, 9));
	assert_true(shadow_covers(&s, 9, 0, 512));
	assert_false(shadow_covers(&s, 7, 0, 512));
	assert_false(shadow_lift(&s, 1, 20));
	assert_true(shadow_lift(&s, 0, 3));
	assert_false(shadow_is_any(&s));
	/* All of one path, then all of another. */
	shadow_cast_all(&s, 2, 4);
	shadow_cast_all(&s, 3, 1);
	assert_true(shadow_lift(&s, 2, 4));
	assert_true(shadow_covers(&s, 1, 0, 512));
	assert_true(shadow_lift(&s, 3, 1));
	assert_false(shadow_is_any(&s));
	shadow_free(&s);
}

/* What a path that is gone had sent is dead when its time is over. */
static void
a_path_that_leaves_leaves_its_shadow(void **state)
{
	struct shadow s = { 0 };

	(void)state;
	shadow_leave(&s, 1, 5000); /* it had none */
	assert_false(shadow_is_any(&s));
	shadow_cast(&s, 7, 0, 512, 1, 3);
	shadow_leave(&s, 1, 5000);
	assert_true(shadow_covers(&s, 7, 8192, 512));
	/* Another one by its index is not meant. */
	assert_false(shadow_lift(&s, 1, 100));
	shadow_cast_all(&s, 2, 1);
	shadow_leave(&s, 2, 4000);
	assert_false(shadow_pass(&s, 4999));
	assert_true(shadow_covers(&s, 9, 0, 512));
	assert_true(shadow_pass(&s, 5000));
	assert_false(shadow_pass(&s, 6000));
	assert_false(shadow_is_any(&s));
	/* One whose nexuses are dead leaves nothing. */
	shadow_cast(&s, 7, 0, 512, 1, 3);
	shadow_leave(&s, 1, 0);
	assert_false(shadow_is_any(&s));
	shadow_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shadow_has_the_blocks_of_its_write_and_no_other),
		cmocka_unit_test(it_lasts_until_the_last_nexus_of_its_write_is_dead),
		cmocka_unit_test(too_many_shadows_are_night),
		cmocka_unit_test(a_shadow_that_finds_no_memory_is_night),
		cmocka_unit_test(each_path_has_its_nexuses),
		cmocka_unit_test(a_path_that_leaves_leaves_its_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
