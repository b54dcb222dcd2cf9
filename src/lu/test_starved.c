/* No memory for a while: what is asked is asked later, what waits for a slot gets one, and nothing
 * fails for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_world.h"
#include "lu/lu_impl.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t bytes);

static bool has_no_memory;

void *
__wrap_malloc(size_t n)
{
	return has_no_memory ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
	return has_no_memory ? NULL : __real_calloc(n, bytes);
}

/* The unit is in doubt, and its requests are held meanwhile. */
static void
a_question_that_finds_no_memory_is_asked_later(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	fake_path_turn(&w.f); /* the questions' memory is given back */
	has_no_memory = true;
	lunpath_doubt(lu_first_path(w.u[0]));
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_pass(&w.f, SECOND);
	assert_int_equal(lu_state(w.u[0]), LU_ASKING);
	assert_int_equal(w.f.n, 0);
	has_no_memory = false;
	fake_path_pass(&w.f, SECOND);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

/* A login, and a unit that is closed, meanwhile. */
static void
a_question_that_waits_for_memory_ends_with_its_unit(void **state)
{
	struct world w;

	(void)state;
	for (unsigned is_lost = 0; is_lost < 2; is_lost++) {
		start(&w, 1);
		fake_path_turn(&w.f);
		has_no_memory = true;
		lunpath_doubt(lu_first_path(w.u[0]));
		if (is_lost) {
			fake_path_down(&w.f, false);
			fake_path_up(&w.f, true);
		}
		has_no_memory = false;
		end(&w);
	}
}

static void
who_finds_no_memory_for_a_slot_gets_one_that_comes_back(void **state)
{
	struct world w;
	size_t made;

	(void)state;
	start(&w, 1);
	has_no_memory = true;
	for (size_t i = 0; i < SLOTS; i++)
		submit(&w, 0, i, BLK_READ);
	made = w.f.n;
	assert_in_range(made, 1, SLOTS - 1);
	for (size_t i = 0; i < SLOTS; i++) {
		assert_true(w.f.n > 0 && w.f.n <= made);
		fake_path_good(&w.f, 0);
	}
	fake_path_turn(&w.f);
	for (size_t i = 0; i < SLOTS; i++)
		expect_end(&w, i, 0);
	assert_int_equal(
	    lu_latency(w.u[0])->reads.sum, 0); /* it is not counted, and nothing else */
	has_no_memory = false;
	end(&w);
}

static void
a_unit_that_is_named_without_memory_is_called_as_before(void **state)
{
	struct world w;
	struct lu_info info = fake_info(0, 0x5000000000000099);
	struct identity was, now;

	(void)state;
	start(&w, 1);
	identity_unpack(lu_info(w.u[0])->id, &was);
	lunpath_doubt(lu_first_path(w.u[0]));
	has_no_memory = true;
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	assert_false(lu_adopt(w.u[0], &info));
	has_no_memory = false;
	identity_unpack(lu_info(w.u[0])->id, &now);
	assert_memory_equal(&now, &was, sizeof was);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	assert_true(lu_adopt(w.u[0], &info));
	identity_unpack(lu_info(w.u[0])->id, &now);
	assert_int_equal(identity_compare(&now, &info.id), IDENTITY_SAME);
	end(&w);
}

static void
a_path_that_fails_without_memory_has_a_reason(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	has_no_memory = true;
	fake_path_down(&w.f, false);
	assert_true(lu_why(w.u[0])->is_set);
	has_no_memory = false;
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	assert_false(lu_why(w.u[0])->is_set);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_that_finds_no_memory_is_asked_later),
		cmocka_unit_test(a_question_that_waits_for_memory_ends_with_its_unit),
		cmocka_unit_test(a_unit_that_is_named_without_memory_is_called_as_before),
		cmocka_unit_test(a_path_that_fails_without_memory_has_a_reason),
		cmocka_unit_test(who_finds_no_memory_for_a_slot_gets_one_that_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
