/* Rooms that sessions of a thread share: an empty one each time, a few are kept, and who has no
 * spare has his own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/spare.h"

static void
a_room_that_is_put_back_is_the_next_one_and_empty(void **state)
{
	struct spare *s = spare_new();
	struct room *a = room_get(s), *b;

	(void)state;
	a->arena_used = a->iov_first = a->iov_end = 1;
	room_put(s, a);
	b = room_get(s);
	assert_ptr_equal(a, b);
	assert_int_equal(b->arena_used + b->iov_first + b->iov_end, 0);
	room_put(s, b);
	spare_free(s);
}

static void
as_many_as_are_needed_are_there_and_a_few_are_kept(void **state)
{
	struct spare *s = spare_new();
	struct room *r[20];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20; i++)
			for (unsigned k = 0, n = (r[i] = room_get(s)) != NULL ? i : 0; k < n; k++)
				assert_ptr_not_equal(r[i], r[k]);
		for (unsigned i = 0; i < 20; i++)
			room_put(s, r[i]);
	}
	spare_free(s);
}

static void
who_has_no_spare_has_his_own(void **state)
{
	struct room *r = room_get(NULL);

	(void)state;
	assert_non_null(r);
	room_put(NULL, r);
	room_put(NULL, NULL);
	spare_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_room_that_is_put_back_is_the_next_one_and_empty),
		cmocka_unit_test(as_many_as_are_needed_are_there_and_a_few_are_kept),
		cmocka_unit_test(who_has_no_spare_has_his_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
