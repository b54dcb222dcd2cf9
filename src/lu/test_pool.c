/* Slots: charged to units, borrowed, given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_world.h"
#include "lu/lu_impl.h"
#include "scsi/sense.h"

static bool
is_of(struct world *w, size_t i, size_t unit)
{
	return fake_path_req(&w->f, i)->lun[1] == unit;
}

static void
a_stalled_unit_leaves_room_for_its_neighbours(void **state)
{
	struct world w;
	size_t stalled;

	(void)state;
	start(&w, 3);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	stalled = w.f.n;
	assert_true(stalled > SLOTS / 3 && stalled < SLOTS);
	/* It says nothing for 35 s; the others go on meanwhile. */
	for (size_t turn = 0; turn < 35; turn++) {
		for (size_t k = 1; k < 3; k++)
			submit(&w, k, 2 * SLOTS + k, BLK_READ);
		assert_int_equal(w.f.n, stalled + 2);
		assert_true(is_of(&w, stalled, 1) && is_of(&w, stalled + 1, 2));
		fake_path_good(&w.f, stalled);
		fake_path_good(&w.f, stalled);
		fake_path_pass(&w.f, SECOND);
	}
	/* There is always one more for a question. */
	lu_doubt(w.u[1]);
	assert_int_equal(w.f.n, stalled + 1);
	fake_target_run(&w.t, &w.f);
	end(&w);
}

static void
a_unit_alone_has_all_slots_but_one(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	assert_int_equal(w.f.n, SLOTS);
	pool_window(w.f.path.pool, 4);
	for (size_t i = 0; i < SLOTS - 3; i++)
		fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	pool_window(w.f.path.pool, 8);
	assert_int_equal(w.f.n, 7);
	end(&w);
}

static void
slots_are_shared_fairly_by_those_that_want_them(void **state)
{
	unsigned had[2] = { 0 };
	struct world w;

	(void)state;
	start(&w, 2);
	for (size_t i = 0; i < 32; i++)
		submit(&w, 0, i, BLK_WRITE);
	for (size_t i = 32; i < 64; i++)
		submit(&w, 1, i, BLK_WRITE);
	/* What was borrowed is given back as commands complete. */
	for (size_t i = 0; i < SLOTS; i++)
		fake_path_good(&w.f, 0);
	for (size_t i = 0; i < w.f.n; i++)
		had[fake_path_req(&w.f, i)->lun[1]]++;
	assert_int_equal(had[0] + had[1], SLOTS);
	assert_true(had[0] >= SLOTS / 2 - 2 && had[1] >= SLOTS / 2 - 2);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stalled_unit_leaves_room_for_its_neighbours),
		cmocka_unit_test(a_unit_alone_has_all_slots_but_one),
		cmocka_unit_test(slots_are_shared_fairly_by_those_that_want_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
