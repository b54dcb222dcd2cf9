#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "lu/fake_unit.h"
#include "lu/lu_impl.h"
#include "scsi/sense.h"

#define NAA  0x5000000000000001
#define ELSE 0x5000000000000002

#define SECOND 1000000ull

/* Two units of one target, 1 and 2. */
struct world {
	struct fake_path f;
	struct fake_unit units[3];
	struct fake_target t;
	struct lu *u, *v;
	unsigned moved;
	enum lu_state last;
	struct fake_req q;
};

static void
on_moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	struct world *w = user;

	(void)from;
	if (u != w->u)
		return;
	w->moved++;
	w->last = lu_state(u);
	if (w->last == LU_OTHER || w->last == LU_ABSENT)
		assert_true(why != NULL && why->is_set);
}

static const struct lu_ops ops = { .moved = on_moved };

static void
start_as(struct world *w, uint64_t naa, const char *serial)
{
	struct lu_info info = fake_info(1, naa), other = fake_info(2, ELSE + 1);

	*w = (struct world){ .units = { { .type = 0x0c },
				 { .naa = naa, .serial = serial, .blocks = FAKE_BLOCKS },
				 { .naa = ELSE + 1, .blocks = FAKE_BLOCKS } } };
	for (size_t i = 1; i < 3; i++) {
		w->units[i].has_mode = true;
		w->units[i].mode = info.mode;
	}
	if (serial != NULL)
		cut_copy(info.id.serial, sizeof info.id.serial, serial);
	w->t = (struct fake_target){ .units = w->units, .n = 3 };
	fake_path_init(&w->f, 9);
	w->u = lu_new(&w->f.path, &info, "c0t0d1", &ops, w);
	w->v = lu_new(&w->f.path, &other, "c0t0d2", &ops, w);
	fake_path_add(&w->f, w->u);
	fake_path_add(&w->f, w->v);
	assert_int_equal(lu_state(w->u), LU_SAME);
}

static void
start(struct world *w)
{
	start_as(w, NAA, NULL);
}

static void
end(struct world *w)
{
	assert_int_equal(w->u->strays, 0);
	assert_int_equal(w->v->strays, 0);
	lu_close(w->u, -ENXIO);
	lu_close(w->v, -ENXIO);
	while (w->f.n > 0)
		fake_path_good(&w->f, 0);
	fake_path_turn(&w->f);
	assert_true(lu_is_idle(w->u) && lu_is_idle(w->v));
	lu_free(w->u);
	lu_free(w->v);
	fake_path_fini(&w->f);
}

static void
write_block(struct world *w)
{
	fake_submit(w->u, &w->q, BLK_WRITE, 0, 512, false);
}

static unsigned
writes_out(const struct world *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->f.n; i++)
		n += w->f.out[i]->cdb[0] == CDB_WRITE_10;
	return n;
}

/* All that is written succeeds. */
static void
write_out(struct world *w)
{
	for (size_t i = 0; i < w->f.n;)
		if (fake_is_question(w->f.out[i]))
			i++;
		else
			fake_path_good(&w->f, i);
	fake_path_turn(&w->f);
}

static void
relogin(struct world *w)
{
	fake_path_down(&w->f, true);
	fake_path_up(&w->f, true);
}

/* Time passes, and questions are answered. */
static void
pass(struct world *w, uint64_t us)
{
	for (uint64_t t = 0; t < us; t += 10000) {
		fake_path_pass(&w->f, 10000);
		fake_target_run(&w->t, &w->f);
	}
}

static void
expect_flows(struct world *w)
{
	assert_int_equal(lu_state(w->u), LU_SAME);
	assert_false(lu_why(w->u)->is_set);
	write_out(w);
	assert_int_equal(w->q.done, 1);
	assert_int_equal(w->q.r.result, 0);
}

static void
after_a_login_nothing_is_sent_before_the_unit_said_that_it_is_the_same(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	fake_path_down(&w.f, true);
	assert_int_equal(lu_state(w.u), LU_UNKNOWN);
	write_block(&w);
	assert_int_equal(w.f.n, 0);
	fake_path_up(&w.f, true);
	while (lu_state(w.u) != LU_SAME) {
		assert_int_equal(lu_state(w.u), LU_ASKING);
		assert_int_equal(writes_out(&w), 0);
		assert_true(fake_target_answer(&w.t, &w.f));
	}
	assert_int_equal(writes_out(&w), 1);
	fake_target_run(&w.t, &w.f);
	expect_flows(&w);
	end(&w);
}

static void
another_unit_gets_no_io_and_its_io_fails_at_once(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	fake_path_down(&w.f, true);
	write_block(&w);
	w.units[1].naa = ELSE;
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(w.last, LU_OTHER);
	assert_int_equal(writes_out(&w), 0);
	assert_int_equal(w.q.r.result, -EIO);
	write_block(&w);
	fake_path_turn(&w.f);
	assert_int_equal(w.q.r.result, -EIO);
	assert_int_equal(writes_out(&w), 0);
	assert_non_null(strstr(lu_why(w.u)->message, "not the unit that it was"));
	end(&w);
}

static void
the_right_unit_is_taken_back_by_itself(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].naa = ELSE;
	relogin(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	w.units[1].naa = NAA;
	pass(&w, 31 * SECOND);
	write_block(&w);
	expect_flows(&w);
	end(&w);
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
	struct world w;

	start_as(&w, NAA, "SERIAL");
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
	write_block(&w);
	fake_path_up(&w.f, true);
	for (unsigned i = 0; w.units[1].bad_times > 0; i++) {
		assert_true(i < 20000);
		pass(&w, 10000);
		if (w.units[1].bad_times > 0) {
			assert_int_equal(lu_state(w.u), LU_ASKING);
			assert_int_equal(w.q.done, 0);
			assert_int_equal(writes_out(&w), 0);
		}
	}
	pass(&w, 3 * SECOND);
	if (is_swapped) {
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(writes_out(&w), 0);
		assert_int_equal(w.q.r.result, -EIO);
	} else {
		expect_flows(&w);
	}
	end(&w);
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
	struct world w;

	(void)state;
	for (unsigned answered = 0; answered < 4; answered++) {
		start(&w);
		fake_path_down(&w.f, true);
		write_block(&w);
		fake_path_up(&w.f, true);
		for (unsigned i = 0; i < answered; i++)
			assert_true(fake_target_answer(&w.t, &w.f));
		fake_path_down(&w.f, true);
		assert_int_equal(lu_state(w.u), LU_UNKNOWN);
		assert_int_equal(w.q.done, 0);
		fake_path_up(&w.f, true);
		fake_target_run(&w.t, &w.f);
		expect_flows(&w);
		end(&w);
	}
}

static void
a_page_list_that_lost_a_page_is_no_answer(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, 0, "SERIAL");
	w.units[1].serial = NULL; /* page 80h is not listed now */
	relogin(&w);
	pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	w.units[1].serial = "SERIAL";
	pass(&w, 3 * SECOND);
	write_block(&w);
	expect_flows(&w);
	end(&w);
}

static void
a_serial_number_that_is_gone_is_no_matter_where_better_names_are(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, NAA, "SERIAL");
	w.units[1].serial = NULL;
	relogin(&w);
	pass(&w, SECOND);
	write_block(&w);
	expect_flows(&w);
	/* It is not forgotten either. */
	assert_string_equal(lu_info(w.u)->id.serial, "SERIAL");
	end(&w);
}

static void
a_unit_does_not_become_another_one_in_two_steps(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, NAA, "SERIAL");
	w.units[1].serial = NULL;
	relogin(&w);
	pass(&w, SECOND);
	w.units[1].serial = "OTHER";
	w.units[1].naa = ELSE;
	relogin(&w);
	write_block(&w);
	pass(&w, SECOND);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(writes_out(&w), 0);
	end(&w);
}

static void
io_waits_for_an_answer_no_longer_than_the_promise(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].bad = FAKE_BUSY;
	w.units[1].bad_opcode = CDB_INQUIRY;
	w.units[1].bad_page = -1;
	w.units[1].bad_times = 1000;
	relogin(&w);
	write_block(&w);
	pass(&w, 119 * SECOND);
	assert_int_equal(w.q.done, 0);
	pass(&w, 2 * SECOND);
	assert_int_equal(w.q.r.result, -EIO);
	/* The pauses grow: about one question in two seconds. */
	assert_true(w.units[1].commands < 2 * 100);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	end(&w);
}

static void
a_unit_without_a_name_is_told_by_its_looks_and_that_is_said(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, 0, NULL);
	w.f.said = 0;
	relogin(&w);
	fake_target_run(&w.t, &w.f);
	write_block(&w);
	expect_flows(&w);
	assert_non_null(strstr(w.f.last, "no name"));
	/* Another size is another unit. */
	w.units[1].blocks = FAKE_BLOCKS / 2;
	relogin(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	end(&w);
}

static void
a_unit_without_a_name_that_refuses_pages_is_the_same(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, 0, NULL);
	w.units[1].has_no_pages = true;
	relogin(&w);
	fake_target_run(&w.t, &w.f);
	write_block(&w);
	expect_flows(&w);
	end(&w);
}

static void
a_list_of_pages_without_the_one_that_names_the_unit_is_no_answer(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, NAA, "SERIAL");
	w.units[1].omits_name = true;
	relogin(&w);
	write_block(&w);
	pass(&w, 10 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(writes_out(&w), 0);
	w.units[1].omits_name = false;
	pass(&w, 10 * SECOND);
	expect_flows(&w);
	end(&w);
}

static void
a_unit_that_lost_its_name_is_not_the_same(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].naa = 0;
	relogin(&w);
	write_block(&w);
	pass(&w, 10 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(writes_out(&w), 0);
	end(&w);
}

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
	struct world w;
	struct fake_req r;

	(void)state;
	for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
		start(&w);
		write_block(&w);
		fake_path_check(&w.f, 0, doubts[i].key, doubts[i].asc, doubts[i].ascq);
		fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
		assert_int_equal(lu_state(w.u), LU_ASKING);
		assert_int_equal(lu_state(w.v), LU_ASKING);
		assert_int_equal(writes_out(&w), 0);
		assert_int_equal(w.f.units_changed, 1);
		assert_int_equal(w.f.luns_changed, doubts[i].asc == 0x3f && doubts[i].ascq == 0x0e);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(writes_out(&w), 2);
		expect_flows(&w);
		end(&w);
	}
}

/* Nothing said so, but one is found to be another: the others are asked, too. */
static void
where_one_unit_was_exchanged_the_others_are_asked(void **state)
{
	struct world w;
	struct fake_req r;

	(void)state;
	start(&w);
	w.units[1].naa = ELSE + 1;
	w.units[2].naa = NAA;
	lu_doubt(w.u);
	while (lu_state(w.u) != LU_OTHER)
		assert_true(fake_target_answer(&w.t, &w.f));
	fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
	assert_int_equal(writes_out(&w), 0);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.v), LU_OTHER);
	assert_int_equal(r.r.result, -EIO);
	end(&w);
}

/* Where notices come in a flood, units are held at once but ask at a pace. */
static void
a_unit_in_doubt_waits_for_the_quiet_and_is_held(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.f.path.quiet_until_us = w.f.agenda.now_us + SECOND;
	w.units[1].naa = ELSE;
	lu_doubt(w.u);
	write_block(&w);
	pass(&w, SECOND - 20000);
	assert_int_equal(w.units[1].commands, 0);
	assert_int_equal(writes_out(&w), 0);
	pass(&w, 40000);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	assert_int_equal(writes_out(&w), 0);
	end(&w);
}

static void
what_a_scan_asked_before_a_doubt_does_not_count(void **state)
{
	struct world w;
	struct lu_info info;

	(void)state;
	start(&w);
	info = *lu_info(w.u);
	w.f.path.doubts++;
	w.units[1].naa = ELSE;
	lu_learned(w.u, &info);
	write_block(&w);
	assert_int_equal(writes_out(&w), 0);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	end(&w);
}

static void
a_swap_behind_a_unit_attention_is_found(void **state)
{
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
		start(&w);
		write_block(&w);
		w.units[1].naa = ELSE;
		fake_path_check(&w.f, 0, doubts[i].key, doubts[i].asc, doubts[i].ascq);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(writes_out(&w), 0);
		end(&w);
	}
}

static void
a_doubt_during_a_question_makes_it_ask_once_more(void **state)
{
	struct world w;

	(void)state;
	/* Answers so far are of the right unit; then it is swapped, and the doubt comes. */
	for (unsigned answered = 0; answered < 8; answered++) {
		start(&w);
		lu_close(w.v, -ENXIO);
		fake_path_down(&w.f, true);
		write_block(&w);
		fake_path_up(&w.f, true);
		for (unsigned i = 0; i < answered; i++)
			if (!fake_target_answer(&w.t, &w.f))
				break;
		if (lu_state(w.u) == LU_SAME) {
			write_out(&w);
			w.q.done = 0;
		}
		lu_doubt(w.u);
		w.units[1].naa = ELSE;
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u), LU_OTHER);
		assert_int_equal(writes_out(&w), 0);
		end(&w);
	}
}

static void
an_answer_that_may_be_older_than_the_doubt_does_not_count(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	lu_close(w.v, -ENXIO);
	fake_path_down(&w.f, true);
	write_block(&w);
	fake_path_up(&w.f, true);
	/* TEST UNIT READY, INQUIRY, page 00h; then the names are asked for. */
	for (unsigned i = 0; i < 3; i++)
		assert_true(fake_target_answer(&w.t, &w.f));
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[2], VPD_IDENTIFICATION);
	lu_doubt(w.u);
	assert_true(fake_target_answer(&w.t, &w.f)); /* by the unit of before */
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(writes_out(&w), 0);
	w.units[1].naa = ELSE;
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	end(&w);
}

static void
an_absent_unit_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		start(&w);
		w.units[1].is_gone = how == 0;
		w.units[1].is_absent = how == 1;
		relogin(&w);
		write_block(&w);
		pass(&w, 45 * SECOND);
		assert_int_equal(lu_state(w.u), LU_ABSENT);
		assert_int_equal(lu_state(w.v), LU_SAME);
		assert_int_equal(w.q.done, 0);
		assert_int_equal(writes_out(&w), 0);
		assert_non_null(strstr(lu_why(w.u)->message, "no LUN 1"));
		w.units[1].is_gone = w.units[1].is_absent = false;
		pass(&w, 2 * SECOND); /* since I/O waits */
		expect_flows(&w);
		end(&w);
	}
}

/* Nothing waited, so the pauses had grown; then I/O comes. */
static void
io_has_a_unit_asked_soon(void **state)
{
	struct world w;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		start(&w);
		w.units[1].is_gone = how == 0;
		w.units[1].naa = how == 0 ? NAA : ELSE;
		relogin(&w);
		pass(&w, 100 * SECOND);
		assert_int_equal(lu_state(w.u), how == 0 ? LU_ABSENT : LU_OTHER);
		w.units[1].is_gone = false;
		w.units[1].naa = NAA;
		write_block(&w);
		if (how == 1)
			assert_int_equal(w.q.r.result, -EIO);
		pass(&w, 2 * SECOND);
		assert_int_equal(lu_state(w.u), LU_SAME);
		if (how == 0)
			expect_flows(&w);
		end(&w);
	}
}

static void
an_absent_unit_is_asked_at_once_when_something_changed(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].is_gone = true;
	relogin(&w);
	write_block(&w);
	pass(&w, 40 * SECOND);
	w.units[1].is_gone = false;
	lu_doubt(w.u);
	fake_target_run(&w.t, &w.f);
	expect_flows(&w);
	end(&w);
}

static void
other_units_are_not_held_while_one_is_asked(void **state)
{
	struct world w;
	struct fake_req r;

	(void)state;
	start(&w);
	w.units[1].bad = FAKE_BUSY;
	w.units[1].bad_opcode = CDB_INQUIRY;
	w.units[1].bad_page = -1;
	w.units[1].bad_times = 10;
	relogin(&w);
	fake_target_run(&w.t, &w.f);
	fake_submit(w.v, &r, BLK_WRITE, 0, 512, false);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(writes_out(&w), 1);
	write_out(&w);
	assert_int_equal(r.r.result, 0);
	end(&w);
}

static void
names_of_other_kinds_say_nothing(void **state)
{
	struct lu_info info = fake_info(1, 0);
	struct world w;
	struct lu *u;

	(void)state;
	start(&w);
	(void)identity_add(&info.id, "t10.FAKE    A");
	u = lu_new(&w.f.path, &info, "c0t0d9", &ops, &w);
	lu_doubt(u);
	pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(u), LU_ASKING);
	assert_non_null(strstr(lu_why(u)->message, "does not say who it is"));
	lu_close(u, -ENXIO);
	pass(&w, SECOND);
	lu_free(u);
	end(&w);
}

static void
an_empty_page_is_no_answer_of_a_unit_that_had_names_there(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, NAA, "SERIAL");
	w.units[1].naa = 0; /* its serial number is what it was */
	relogin(&w);
	pass(&w, 5 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	end(&w);
}

static void
unit_attentions_are_taken_away_by_the_first_question(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].attentions = 3;
	relogin(&w);
	write_block(&w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.units[1].attentions, 0);
	expect_flows(&w);
	end(&w);
}

static void
endless_unit_attentions_are_asked_with_pauses(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	lu_close(w.v, -ENXIO);
	w.units[1].attentions = 1000000;
	relogin(&w);
	pass(&w, 60 * SECOND);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_true(w.units[1].commands < 3000);
	end(&w);
}

static void
every_row_of_the_machine_is_kept_to(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	/* An event that cannot be is counted and named, and moves nothing. */
	fake_path_down(&w.f, true);
	lu_go(w.u, LU_EV_IS_SAME, NULL);
	assert_int_equal(lu_state(w.u), LU_UNKNOWN);
	assert_int_equal(w.u->strays, 1);
	assert_non_null(strstr(w.f.last, "it said that it is the same"));
	w.u->strays = 0;
	for (enum lu_state s = 0; s < LU_STATES; s++)
		assert_true(strlen(lu_state_name(s)) > 0);
	end(&w);
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
		cmocka_unit_test(whatever_says_that_the_unit_may_be_another_has_all_units_asked),
		cmocka_unit_test(where_one_unit_was_exchanged_the_others_are_asked),
		cmocka_unit_test(a_unit_in_doubt_waits_for_the_quiet_and_is_held),
		cmocka_unit_test(what_a_scan_asked_before_a_doubt_does_not_count),
		cmocka_unit_test(a_swap_behind_a_unit_attention_is_found),
		cmocka_unit_test(a_doubt_during_a_question_makes_it_ask_once_more),
		cmocka_unit_test(an_answer_that_may_be_older_than_the_doubt_does_not_count),
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
