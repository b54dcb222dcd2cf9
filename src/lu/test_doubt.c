/* What says that a unit may be another one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_pair.h"
#include "lu/lu_impl.h"
#include "scsi/sense.h"

/* What an answer to a write may say of the unit, and then it is asked first. */
static const struct {
	uint8_t key, asc, ascq;
} doubts[] = { { 6, 0x29, 0x00 }, { 6, 0x29, 0x07 }, { 6, 0x29, 0x42 }, { 6, 0x3f, 0x0e },
	{ 6, 0x3f, 0x03 }, { 6, 0x3f, 0x05 }, { 6, 0x2a, 0x01 }, { 6, 0x2a, 0x09 },
	{ 6, 0x2a, 0x06 }, { 6, 0x25, 0x00 }, { 5, 0x25, 0x00 }, { 5, 0x3f, 0x03 },
	{ 5, 0x3f, 0x0e }, { 2, 0x29, 0x00 } };

static void
whatever_says_that_the_unit_may_be_another_has_all_units_asked(void **state)
{
	struct pair w;
	struct fake_req r;

	(void)state;
	for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
		pair_start(&w);
		pair_write_block(&w);
		fake_path_check(&w.f, 0, doubts[i].key, doubts[i].asc, doubts[i].ascq);
		fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
		assert_int_equal(lu_state(w.u), LU_ASKING);
		assert_int_equal(lu_state(w.v), LU_ASKING);
		assert_int_equal(pair_writes_out(&w), 0);
		assert_int_equal(w.f.units_changed, 1);
		assert_int_equal(w.f.luns_changed, doubts[i].asc == 0x3f && doubts[i].ascq == 0x0e);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(pair_writes_out(&w), 2);
		pair_expect_flows(&w);
		pair_end(&w);
	}
}

/* Nothing said so, but one is found to be another: the others are asked, too. */
static void
where_one_unit_was_exchanged_the_others_are_asked(void **state)
{
	struct pair w;
	struct fake_req r;

	(void)state;
	pair_start(&w);
	w.units[1].naa = ELSE + 1;
	w.units[2].naa = NAA;
	lunpath_doubt(lu_first_path(w.u));
	while (lu_state(w.u) != LU_OTHER)
		assert_true(fake_target_answer(&w.t, &w.f));
	fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
	assert_int_equal(pair_writes_out(&w), 0);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.v), LU_OTHER);
	assert_int_equal(r.r.result, -EIO);
	pair_end(&w);
}

/* Where notices come in a flood, units are held at once but ask at a pace. */
static void
a_unit_in_doubt_waits_for_the_quiet_and_is_held(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.f.path.quiet_until_us = w.f.agenda.now_us + SECOND;
	w.units[1].naa = ELSE;
	lunpath_doubt(lu_first_path(w.u));
	pair_write_block(&w);
	pair_pass(&w, SECOND - 20000);
	assert_int_equal(w.units[1].commands, 0);
	assert_int_equal(pair_writes_out(&w), 0);
	pair_pass(&w, 40000);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(pair_writes_out(&w), 0);
	pair_end(&w);
}

static void
what_a_scan_asked_before_a_doubt_does_not_count(void **state)
{
	struct pair w;
	struct lu_info info;

	(void)state;
	pair_start(&w);
	lu_kept_get(lu_info(w.u), &info);
	w.f.path.doubts++;
	w.units[1].naa = ELSE;
	lunpath_learned(lu_first_path(w.u), &info);
	pair_write_block(&w);
	assert_int_equal(pair_writes_out(&w), 0);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	pair_end(&w);
}

static void
a_swap_behind_a_unit_attention_is_found(void **state)
{
	struct pair w;

	(void)state;
	for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
		pair_start(&w);
		pair_write_block(&w);
		w.units[1].naa = ELSE;
		fake_path_check(&w.f, 0, doubts[i].key, doubts[i].asc, doubts[i].ascq);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(pair_writes_out(&w), 0);
		pair_end(&w);
	}
}

static void
a_doubt_during_a_question_makes_it_ask_once_more(void **state)
{
	struct pair w;

	(void)state;
	/* Answers so far are of the right unit; then it is swapped, and the doubt comes. */
	for (unsigned answered = 0; answered < 8; answered++) {
		pair_start(&w);
		lu_close(w.v, -ENXIO);
		fake_path_down(&w.f, true);
		pair_write_block(&w);
		fake_path_up(&w.f, true);
		for (unsigned i = 0; i < answered; i++)
			if (!fake_target_answer(&w.t, &w.f))
				break;
		if (lu_state(w.u) == LU_SAME) {
			pair_write_out(&w);
			w.q.done = 0;
		}
		lunpath_doubt(lu_first_path(w.u));
		w.units[1].naa = ELSE;
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(pair_writes_out(&w), 0);
		pair_end(&w);
	}
}

static void
an_answer_that_may_be_older_than_the_doubt_does_not_count(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	lu_close(w.v, -ENXIO);
	fake_path_down(&w.f, true);
	pair_write_block(&w);
	fake_path_up(&w.f, true);
	/* TEST UNIT READY, INQUIRY, page 00h; then the names are asked for. */
	for (unsigned i = 0; i < 3; i++)
		assert_true(fake_target_answer(&w.t, &w.f));
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[2], VPD_IDENTIFICATION);
	lunpath_doubt(lu_first_path(w.u));
	assert_true(fake_target_answer(&w.t, &w.f)); /* by the unit of before */
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(pair_writes_out(&w), 0);
	w.units[1].naa = ELSE;
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	pair_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_says_that_the_unit_may_be_another_has_all_units_asked),
		cmocka_unit_test(where_one_unit_was_exchanged_the_others_are_asked),
		cmocka_unit_test(a_unit_in_doubt_waits_for_the_quiet_and_is_held),
		cmocka_unit_test(what_a_scan_asked_before_a_doubt_does_not_count),
		cmocka_unit_test(a_swap_behind_a_unit_attention_is_found),
		cmocka_unit_test(a_doubt_during_a_question_makes_it_ask_once_more),
		cmocka_unit_test(an_answer_that_may_be_older_than_the_doubt_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
