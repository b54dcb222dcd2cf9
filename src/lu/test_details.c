/* What a unit is like: its size and flags, scans, and another unit that takes over. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_world.h"
#include "lu/lu_impl.h"
#include "scsi/cdb.h"
#include "scsi/sense.h"

static const struct lu_ops ops;

#define NAA  0x5000000000000001
#define ELSE 0x5000000000000099

/* Time passes, and questions are answered. */
static void
pass(struct world *w, uint64_t us)
{
	for (uint64_t t = 0; t < us; t += 10000) {
		fake_path_pass(&w->f, 10000);
		fake_target_run(&w->t, &w->f);
	}
}

/* Request 0 is out, and succeeds. */
static void
expect_flows(struct world *w)
{
	assert_int_equal(lu_state(w->u[0]), LU_SAME);
	assert_int_equal(w->f.n, 1);
	fake_path_good(&w->f, 0);
	expect_end(w, 0, 0);
}

static void
a_write_that_is_refused_as_protected_has_the_mode_read_again(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].mode.is_write_protected = true;
	fake_submit(w.u[0], &w.q[0], BLK_WRITE, 0, 512, false);
	fake_path_check(&w.f, 0, SENSE_KEY_DATA_PROTECT, 0x27, 0x00);
	expect_end(&w, 0, -EROFS);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 1);
	assert_true(lu_blk(w.u[0])->read_only);
	/* Lifted, and told with the same code. */
	w.units[0].mode.is_write_protected = false;
	fake_submit(w.u[0], &w.q[0], BLK_READ, 0, 512, false);
	fake_path_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x27, 0x00);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 2);
	assert_false(lu_blk(w.u[0])->read_only);
	expect_flows(&w);
	/* Blocks that are protected in a unit that is not: no question for each. */
	for (unsigned i = 0; i < 3; i++) {
		fake_submit(w.u[0], &w.q[0], BLK_WRITE, 0, 512, false);
		fake_path_check(&w.f, 0, SENSE_KEY_DATA_PROTECT, 0x27, 0x02);
		expect_end(&w, 0, -EROFS);
		assert_int_equal(lu_state(w.u[0]), LU_SAME);
	}
	end(&w);
}

static void
a_new_size_and_lifted_protection_are_told(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].mode.is_write_protected = true;
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 1);
	assert_true(lu_blk(w.u[0])->read_only);
	w.units[0].mode.is_write_protected = false;
	w.units[0].blocks = 2 * FAKE_BLOCKS;
	fake_submit(w.u[0], &w.q[0], BLK_READ, 0, 512, false);
	fake_path_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x2a, 0x09);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 2);
	assert_false(lu_blk(w.u[0])->read_only);
	assert_int_equal(lu_blk(w.u[0])->size_bytes, 2 * FAKE_BLOCKS * 512);
	expect_flows(&w);
	end(&w);
}

static void
a_new_size_alone_is_told(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].blocks = 2 * FAKE_BLOCKS;
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 1);
	assert_int_equal(lu_blk(w.u[0])->size_bytes, 2 * FAKE_BLOCKS * 512);
	end(&w);
}

static void
a_detail_without_an_answer_stays_as_it_was_and_is_asked_again(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].bad = FAKE_BUSY;
	w.units[0].bad_opcode = CDB_READ_CAPACITY_16;
	w.units[0].bad_times = 1;
	w.units[0].has_no_capacity_16 = false;
	w.units[0].blocks = 2 * FAKE_BLOCKS;
	lunpath_doubt(lu_first_path(w.u[0]));
	/* READ CAPACITY(10) has the answer. */
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_blk(w.u[0])->size_bytes, 2 * FAKE_BLOCKS * 512);
	w.units[0].bad_opcode = CDB_MODE_SENSE_10;
	w.units[0].bad_times = 1;
	w.units[0].mode.is_write_protected = true;
	lunpath_doubt(lu_first_path(w.u[0]));
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	assert_false(lu_blk(w.u[0])->read_only);
	pass(&w, 5 * SECOND);
	assert_true(lu_blk(w.u[0])->read_only);
	end(&w);
}

static void
what_waits_is_measured_by_the_unit_that_takes_over(void **state)
{
	struct lu_info info = fake_info(0, ELSE);
	struct world w;

	(void)state;
	start(&w, 1);
	fake_path_down(&w.f, true);
	fake_path_up(&w.f, true);
	fake_submit(w.u[0], &w.q[0], BLK_WRITE, (FAKE_BLOCKS - 1) * 512, 512, false);
	info.capacity.blocks /= 2;
	info.capacity.bytes /= 2;
	info.nexus = 2;
	info.doubts = w.f.path.doubts;
	lu_adopt(w.u[0], &info);
	fake_path_turn(&w.f);
	assert_int_equal(w.q[0].r.result, -ENOSPC);
	w.units[0].naa = ELSE;
	fake_target_run(&w.t, &w.f);
	end(&w);
}

static void
a_scan_that_finds_it_changed_has_it_asked(void **state)
{
	struct lu_info info = fake_info(0, ELSE);
	struct world w;

	(void)state;
	start(&w, 1);
	lunpath_learned(lu_first_path(w.u[0]), &info);
	assert_int_equal(lu_state(w.u[0]), LU_ASKING);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	info = fake_info(0, NAA);
	info.capacity.blocks *= 2;
	info.capacity.bytes *= 2;
	lunpath_learned(lu_first_path(w.u[0]), &info);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	assert_int_equal(lu_blk(w.u[0])->size_bytes, 2 * FAKE_BLOCKS * 512);
	end(&w);
}

/*
 * It was being asked when it was adopted, and one question had no answer.  Found by tests/sim, seed
 * 123210 (of an earlier simulator).
 */
static void
an_adopted_unit_has_nothing_of_the_one_before(void **state)
{
	struct lu_info info = fake_info(0, ELSE);
	struct world w;

	(void)state;
	start(&w, 1);
	w.u[0]->info.mode.is_write_cache_enabled = false;
	w.units[0].naa = ELSE;
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_OTHER);
	fake_path_pass(&w.f, 10 * SECOND);
	assert_int_equal(w.f.n, 1);
	info.nexus = w.f.path.nexus;
	info.doubts = w.f.path.doubts;
	lu_adopt(w.u[0], &info);
	w.units[0].bad = FAKE_BUSY;
	w.units[0].bad_opcode = CDB_MODE_SENSE_10;
	w.units[0].bad_times = 1;
	w.units[0].has_mode = false;
	fake_target_run(&w.t, &w.f);
	assert_true(lu_info(w.u[0])->mode.is_write_cache_enabled);
	end(&w);
}

/* The same, and the one before is back before it is asked for its name.  Found by tests/sim, seed
 * 77385. */
static void
an_adopted_unit_is_not_the_one_before(void **state)
{
	struct lu_info info = fake_info(0, ELSE);
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].naa = ELSE;
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	fake_path_pass(&w.f, 10 * SECOND);
	assert_int_equal(w.f.n, 1);
	info.nexus = w.f.path.nexus;
	info.doubts = w.f.path.doubts;
	lu_adopt(w.u[0], &info);
	w.units[0].naa = NAA;
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_OTHER);
	end(&w);
}

/* Else a cache that nobody could ask about would lose nothing.  Found by tests/sim, seed 4044967.
 */
static void
a_unit_has_no_mode_where_both_questions_are_refused(void **state)
{
	struct world w;

	(void)state;
	for (unsigned is_busy = 0; is_busy < 2; is_busy++) {
		struct lu_info info = fake_info(1, ELSE);

		start(&w, 1);
		info.is_incomplete = true;
		info.has_mode = false;
		w.units[1] = (struct fake_unit){ .naa = ELSE, .blocks = FAKE_BLOCKS };
		w.units[1].bad = FAKE_BUSY;
		w.units[1].bad_opcode = CDB_MODE_SENSE_10;
		w.units[1].bad_times = is_busy;
		w.t.n = 2;
		w.u[1] = lu_new(&w.f.path, &info, "c0t0d1", &(const struct lu_ops){ 0 }, NULL);
		fake_path_add(&w.f, w.u[1]);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u[1]), LU_SAME);
		assert_false(lu_info(w.u[1])->has_mode);
		assert_int_equal(lu_info(w.u[1])->is_mode_refused, !is_busy);
		end(&w);
	}
}

/* Else a unit would forget that its write cache is on.  Found by tests/sim, seed 7307. */
static void
what_a_scan_had_no_answer_to_is_not_forgotten(void **state)
{
	struct world w;

	(void)state;
	/* There was none, or the port does not serve, so that nobody asked. */
	for (unsigned is_partial = 0; is_partial < 2; is_partial++) {
		struct lu_info info = fake_info(0, NAA);

		start(&w, 1);
		assert_true(lu_info(w.u[0])->has_mode);
		info.is_incomplete = !is_partial;
		info.is_partial = is_partial;
		info.has_mode = false;
		lunpath_learned(lu_first_path(w.u[0]), &info);
		assert_true(lu_info(w.u[0])->has_mode);
		assert_int_equal(lu_state(w.u[0]), LU_ASKING);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u[0]), LU_SAME);
		assert_true(lu_info(w.u[0])->has_mode);
		end(&w);
	}
}

static void
a_unit_that_was_not_learned_completely_asks_first(void **state)
{
	struct lu_info info = fake_info(1, 0x5000000000000002);
	struct world w;

	(void)state;
	start(&w, 1);
	info.is_incomplete = true;
	info.has_mode = false;
	w.units[1] = w.units[0];
	w.units[1].naa = 0x5000000000000002;
	w.t.n = 2;
	w.u[1] = lu_new(&w.f.path, &info, "c0t0d1", &(const struct lu_ops){ 0 }, NULL);
	fake_path_add(&w.f, w.u[1]);
	assert_int_equal(lu_state(w.u[1]), LU_ASKING);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[1]), LU_SAME);
	assert_true(lu_info(w.u[1])->has_mode);
	end(&w);
}

static void
an_adopted_unit_is_the_right_one_from_then_on(void **state)
{
	struct lu_info info = fake_info(0, ELSE);
	struct world w;

	(void)state;
	start(&w, 1);
	w.units[0].naa = ELSE;
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_OTHER);
	info.nexus = 2;
	info.doubts = w.f.path.doubts;
	lu_adopt(w.u[0], &info);
	submit(&w, 0, 0, BLK_WRITE);
	expect_flows(&w);
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	submit(&w, 0, 0, BLK_WRITE);
	expect_flows(&w);
	end(&w);
}

static void
a_unit_learned_under_an_older_nexus_asks_first(void **state)
{
	struct lu_info info = fake_info(0, NAA);
	struct world w;
	struct lu *late;

	(void)state;
	start(&w, 1);
	relogin(&w, true);
	fake_target_run(&w.t, &w.f);
	late = lu_new(&w.f.path, &info, "c0t0d9", &ops, &w);
	assert_int_equal(lu_state(late), LU_ASKING);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(late), LU_SAME);
	lu_close(late, -ENXIO);
	fake_path_turn(&w.f);
	lu_free(late);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_that_is_refused_as_protected_has_the_mode_read_again),
		cmocka_unit_test(a_new_size_and_lifted_protection_are_told),
		cmocka_unit_test(a_new_size_alone_is_told),
		cmocka_unit_test(a_detail_without_an_answer_stays_as_it_was_and_is_asked_again),
		cmocka_unit_test(what_waits_is_measured_by_the_unit_that_takes_over),
		cmocka_unit_test(a_scan_that_finds_it_changed_has_it_asked),
		cmocka_unit_test(an_adopted_unit_is_the_right_one_from_then_on),
		cmocka_unit_test(a_unit_learned_under_an_older_nexus_asks_first),
		cmocka_unit_test(an_adopted_unit_has_nothing_of_the_one_before),
		cmocka_unit_test(an_adopted_unit_is_not_the_one_before),
		cmocka_unit_test(a_unit_has_no_mode_where_both_questions_are_refused),
		cmocka_unit_test(what_a_scan_had_no_answer_to_is_not_forgotten),
		cmocka_unit_test(a_unit_that_was_not_learned_completely_asks_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
