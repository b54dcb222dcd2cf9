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

static const struct lu_ops quiet;

static void
after_a_login_nothing_is_sent_before_the_unit_said_that_it_is_the_same(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	fake_path_down(&w.f, true);
	assert_int_equal(lu_state(w.u), LU_UNKNOWN);
	pair_write_block(&w);
	assert_int_equal(w.f.n, 0);
	fake_path_up(&w.f, true);
	while (lu_state(w.u) != LU_SAME) {
		assert_int_equal(lu_state(w.u), LU_ASKING);
		assert_int_equal(pair_writes_out(&w), 0);
		assert_true(fake_target_answer(&w.t, &w.f));
	}
	assert_int_equal(pair_writes_out(&w), 1);
	fake_target_run(&w.t, &w.f);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
another_unit_gets_no_io_and_its_io_fails_at_once(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	fake_path_down(&w.f, true);
	pair_write_block(&w);
	w.units[1].naa = ELSE;
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(w.last, LU_OTHER);
	assert_int_equal(pair_writes_out(&w), 0);
	assert_int_equal(w.q.r.result, -EIO);
	pair_write_block(&w);
	fake_path_turn(&w.f);
	assert_int_equal(w.q.r.result, -EIO);
	assert_int_equal(pair_writes_out(&w), 0);
	assert_non_null(strstr(lu_why(w.u)->message, "not the unit that it was"));
	pair_end(&w);
}

static void
the_right_unit_is_taken_back_by_itself(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].naa = ELSE;
	pair_relogin(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	w.units[1].naa = NAA;
	pair_pass(&w, 31 * SECOND);
	pair_write_block(&w);
	pair_expect_flows(&w);
	pair_end(&w);
}

/* Every question, every way to get no good answer. */
static const struct {
	uint8_t opcode;
	int page;
} questions[] = { { CDB_INQUIRY, -1 }, { CDB_INQUIRY, VPD_SUPPORTED }, { CDB_INQUIRY, VPD_SERIAL },
	{ CDB_INQUIRY, VPD_IDENTIFICATION } };
static const struct {
	uint8_t key, asc;
} checks[] = { { SENSE_KEY_HARDWARE_ERROR, 0x44 }, { SENSE_KEY_ILLEGAL_REQUEST, 0x24 },
	{ SENSE_KEY_ILLEGAL_REQUEST, 0x20 }, { SENSE_KEY_NOT_READY, 0x04 },
	{ SENSE_KEY_ABORTED_COMMAND, 0x00 }, { SENSE_KEY_MEDIUM_ERROR, 0x11 },
	{ SENSE_KEY_UNIT_ATTENTION, 0xc0 }, { SENSE_KEY_DATA_PROTECT, 0x27 } };

/* `is_swapped`: another unit stands there, which must never get anything. */
static void
one_bad_answer(
    unsigned question, enum fake_bad bad, unsigned check, unsigned times, bool is_swapped)
{
	struct pair w;

	pair_start_as(&w, NAA, "SERIAL");
	w.units[1].bad = bad;
	w.units[1].bad_opcode = questions[question].opcode;
	w.units[1].bad_page = questions[question].page;
	w.units[1].bad_key = checks[check].key;
	w.units[1].bad_asc = checks[check].asc;
	w.units[1].bad_times = times;
	if (is_swapped) {
		w.units[1].naa = ELSE;
		w.units[1].serial = "OTHER";
	}
	fake_path_down(&w.f, true);
	pair_write_block(&w);
	fake_path_up(&w.f, true);
	for (unsigned i = 0; w.units[1].bad_times > 0; i++) {
		assert_true(i < 20000);
		pair_pass(&w, 10000);
		if (w.units[1].bad_times > 0) {
			assert_int_equal(lu_state(w.u), LU_ASKING);
			assert_int_equal(w.q.done, 0);
			assert_int_equal(pair_writes_out(&w), 0);
		}
	}
	pair_pass(&w, 3 * SECOND);
	if (is_swapped) {
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(pair_writes_out(&w), 0);
		assert_int_equal(w.q.r.result, -EIO);
	} else {
		pair_expect_flows(&w);
	}
	pair_end(&w);
}

static void
a_question_without_a_good_answer_is_no_answer(void **state)
{
	(void)state;
	for (unsigned q = 0; q < sizeof questions / sizeof *questions; q++)
		for (enum fake_bad bad = FAKE_CHECK; bad < FAKE_BADS; bad++)
			for (unsigned c = 0; c < sizeof checks / sizeof *checks; c++) {
				if (bad != FAKE_CHECK && c > 0)
					continue;
				one_bad_answer(q, bad, c, 1, false);
				one_bad_answer(q, bad, c, 1, true);
				one_bad_answer(q, bad, c, 25, false);
				one_bad_answer(q, bad, c, 25, true);
			}
}

static void
a_lost_connection_while_asking_is_no_answer(void **state)
{
	struct pair w;

	(void)state;
	for (unsigned answered = 0; answered < 4; answered++) {
		pair_start(&w);
		fake_path_down(&w.f, true);
		pair_write_block(&w);
		fake_path_up(&w.f, true);
		for (unsigned i = 0; i < answered; i++)
			assert_true(fake_target_answer(&w.t, &w.f));
		fake_path_down(&w.f, true);
		assert_int_equal(lu_state(w.u), LU_UNKNOWN);
		assert_int_equal(w.q.done, 0);
		fake_path_up(&w.f, true);
		fake_target_run(&w.t, &w.f);
		pair_expect_flows(&w);
		pair_end(&w);
	}
}

static void
a_page_list_that_lost_a_page_is_no_answer(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, 0, "SERIAL");
	w.units[1].serial = NULL; /* page 80h is not listed now */
	pair_relogin(&w);
	pair_pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	w.units[1].serial = "SERIAL";
	pair_pass(&w, 3 * SECOND);
	pair_write_block(&w);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
a_serial_number_that_is_gone_is_no_matter_where_better_names_are(void **state)
{
	struct pair w;
	struct identity id;

	(void)state;
	pair_start_as(&w, NAA, "SERIAL");
	w.units[1].serial = NULL;
	pair_relogin(&w);
	pair_pass(&w, SECOND);
	pair_write_block(&w);
	pair_expect_flows(&w);
	/* It is not forgotten either. */
	identity_unpack(lu_info(w.u)->id, &id);
	assert_string_equal(id.serial, "SERIAL");
	pair_end(&w);
}

static void
a_unit_does_not_become_another_one_in_two_steps(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, NAA, "SERIAL");
	w.units[1].serial = NULL;
	pair_relogin(&w);
	pair_pass(&w, SECOND);
	w.units[1].serial = "OTHER";
	w.units[1].naa = ELSE;
	pair_relogin(&w);
	pair_write_block(&w);
	pair_pass(&w, SECOND);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(pair_writes_out(&w), 0);
	pair_end(&w);
}

static void
io_waits_for_an_answer_no_longer_than_the_promise(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].bad = FAKE_BUSY;
	w.units[1].bad_opcode = CDB_INQUIRY;
	w.units[1].bad_page = -1;
	w.units[1].bad_times = 1000;
	pair_relogin(&w);
	pair_write_block(&w);
	pair_pass(&w, 119 * SECOND);
	assert_int_equal(w.q.done, 0);
	pair_pass(&w, 2 * SECOND);
	assert_int_equal(w.q.r.result, -EIO);
	/* The pauses grow: about one question in two seconds. */
	assert_true(w.units[1].commands < 2 * 100);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	pair_end(&w);
}

static void
a_unit_without_a_name_is_told_by_its_looks_and_that_is_said(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, 0, NULL);
	w.f.said = 0;
	pair_relogin(&w);
	fake_target_run(&w.t, &w.f);
	pair_write_block(&w);
	pair_expect_flows(&w);
	assert_non_null(strstr(w.f.last, "no name"));
	/* Another size is another unit. */
	w.units[1].blocks = FAKE_BLOCKS / 2;
	pair_relogin(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	pair_end(&w);
}

static void
a_unit_without_a_name_that_refuses_pages_is_the_same(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, 0, NULL);
	w.units[1].has_no_pages = true;
	pair_relogin(&w);
	fake_target_run(&w.t, &w.f);
	pair_write_block(&w);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
a_list_of_pages_without_the_one_that_names_the_unit_is_no_answer(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, NAA, "SERIAL");
	w.units[1].omits_name = true;
	pair_relogin(&w);
	pair_write_block(&w);
	pair_pass(&w, 10 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(pair_writes_out(&w), 0);
	w.units[1].omits_name = false;
	pair_pass(&w, 10 * SECOND);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
a_unit_that_lost_its_name_is_not_the_same(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].naa = 0;
	pair_relogin(&w);
	pair_write_block(&w);
	pair_pass(&w, 10 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(pair_writes_out(&w), 0);
	pair_end(&w);
}

static void
an_absent_unit_is_waited_for(void **state)
{
	struct pair w;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		pair_start(&w);
		w.units[1].is_gone = how == 0;
		w.units[1].is_absent = how == 1;
		pair_relogin(&w);
		pair_write_block(&w);
		pair_pass(&w, 45 * SECOND);
		assert_int_equal(lu_state(w.u), LU_ABSENT);
		assert_int_equal(lu_state(w.v), LU_SAME);
		assert_int_equal(w.q.done, 0);
		assert_int_equal(pair_writes_out(&w), 0);
		assert_non_null(strstr(lu_why(w.u)->message, "no LUN 1"));
		w.units[1].is_gone = w.units[1].is_absent = false;
		pair_pass(&w, 2 * SECOND); /* since I/O waits */
		pair_expect_flows(&w);
		pair_end(&w);
	}
}

/* Nothing waited, so the pauses had grown; then I/O comes. */
static void
io_has_a_unit_asked_soon(void **state)
{
	struct pair w;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		pair_start(&w);
		w.units[1].is_gone = how == 0;
		w.units[1].naa = how == 0 ? NAA : ELSE;
		pair_relogin(&w);
		pair_pass(&w, 100 * SECOND);
		assert_int_equal(lu_state(w.u), how == 0 ? LU_ABSENT : LU_OTHER);
		w.units[1].is_gone = false;
		w.units[1].naa = NAA;
		pair_write_block(&w);
		if (how == 1)
			assert_int_equal(w.q.r.result, -EIO);
		pair_pass(&w, 2 * SECOND);
		assert_int_equal(lu_state(w.u), LU_SAME);
		if (how == 0)
			pair_expect_flows(&w);
		pair_end(&w);
	}
}

static void
an_absent_unit_is_asked_at_once_when_something_changed(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].is_gone = true;
	pair_relogin(&w);
	pair_write_block(&w);
	pair_pass(&w, 40 * SECOND);
	w.units[1].is_gone = false;
	lunpath_doubt(lu_first_path(w.u));
	fake_target_run(&w.t, &w.f);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
other_units_are_not_held_while_one_is_asked(void **state)
{
	struct pair w;
	struct fake_req r;

	(void)state;
	pair_start(&w);
	w.units[1].bad = FAKE_BUSY;
	w.units[1].bad_opcode = CDB_INQUIRY;
	w.units[1].bad_page = -1;
	w.units[1].bad_times = 10;
	pair_relogin(&w);
	fake_target_run(&w.t, &w.f);
	fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(pair_writes_out(&w), 1);
	pair_write_out(&w);
	assert_int_equal(r.r.result, 0);
	pair_end(&w);
}

static void
names_of_other_kinds_say_nothing(void **state)
{
	struct lu_info info = fake_info(1, 0);
	struct pair w;
	struct lu *u;

	(void)state;
	pair_start(&w);
	(void)identity_add(&info.id, "t10.FAKE    A");
	u = lu_new(&w.f.path, &info, "c0t0d9", &quiet, &w);
	lunpath_doubt(lu_first_path(u));
	pair_pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(u), LU_ASKING);
	assert_non_null(strstr(lu_why(u)->message, "does not say who it is"));
	lu_close(u, -ENXIO);
	pair_pass(&w, SECOND);
	lu_free(u);
	pair_end(&w);
}

static void
an_empty_page_is_no_answer_of_a_unit_that_had_names_there(void **state)
{
	struct pair w;

	(void)state;
	pair_start_as(&w, NAA, "SERIAL");
	w.units[1].naa = 0; /* its serial number is what it was */
	pair_relogin(&w);
	pair_pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	pair_end(&w);
}

static void
unit_attentions_are_taken_away_by_the_first_question(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].attentions = 3;
	pair_relogin(&w);
	pair_write_block(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.units[1].attentions, 0);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
endless_unit_attentions_are_asked_with_pauses(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	lu_close(w.v, -ENXIO);
	w.units[1].attentions = 1000000;
	pair_relogin(&w);
	pair_pass(&w, 60 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_true(w.units[1].commands < 3000);
	pair_end(&w);
}

static void
every_row_of_the_machine_is_kept_to(void **state)
{
	struct pair w;

	(void)state;
	pair_start(&w);
	/* An event that cannot be is counted and named, and moves nothing. */
	fake_path_down(&w.f, true);
	lunpath_go(lu_first_path(w.u), LU_EV_IS_SAME, NULL);
	assert_int_equal(lu_state(w.u), LU_UNKNOWN);
	assert_int_equal(w.u->strays, 1);
	assert_non_null(
	    strstr(w.f.last, "\"it said that it is the same\" came while the way to it is gone"));
	w.u->strays = 0;
	pair_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    after_a_login_nothing_is_sent_before_the_unit_said_that_it_is_the_same),
		cmocka_unit_test(another_unit_gets_no_io_and_its_io_fails_at_once),
		cmocka_unit_test(the_right_unit_is_taken_back_by_itself),
		cmocka_unit_test(a_question_without_a_good_answer_is_no_answer),
		cmocka_unit_test(a_lost_connection_while_asking_is_no_answer),
		cmocka_unit_test(a_page_list_that_lost_a_page_is_no_answer),
		cmocka_unit_test(a_serial_number_that_is_gone_is_no_matter_where_better_names_are),
		cmocka_unit_test(a_unit_does_not_become_another_one_in_two_steps),
		cmocka_unit_test(io_waits_for_an_answer_no_longer_than_the_promise),
		cmocka_unit_test(a_unit_without_a_name_is_told_by_its_looks_and_that_is_said),
		cmocka_unit_test(a_unit_without_a_name_that_refuses_pages_is_the_same),
		cmocka_unit_test(a_list_of_pages_without_the_one_that_names_the_unit_is_no_answer),
		cmocka_unit_test(a_unit_that_lost_its_name_is_not_the_same),
		cmocka_unit_test(an_absent_unit_is_waited_for),
		cmocka_unit_test(io_has_a_unit_asked_soon),
		cmocka_unit_test(an_absent_unit_is_asked_at_once_when_something_changed),
		cmocka_unit_test(other_units_are_not_held_while_one_is_asked),
		cmocka_unit_test(names_of_other_kinds_say_nothing),
		cmocka_unit_test(an_empty_page_is_no_answer_of_a_unit_that_had_names_there),
		cmocka_unit_test(unit_attentions_are_taken_away_by_the_first_question),
		cmocka_unit_test(endless_unit_attentions_are_asked_with_pauses),
		cmocka_unit_test(every_row_of_the_machine_is_kept_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
