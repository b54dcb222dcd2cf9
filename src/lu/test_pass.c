/* Commands that others wrote: sent once, to the right unit, and heard by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_pair.h"
#include "lu/fake_ways.h"
#include "lu/lu_impl.h"
#include "lu/pass.h"
#include "scsi/sense.h"

struct passing {
	struct pass pass;
	unsigned done;
};

static void
done(struct pass *p)
{
	LIST_ENTRY(p, struct passing, pass)->done++;
}

static void
prepare(struct passing *x, const uint8_t *cdb, size_t n)
{
	memset(x, 0, sizeof *x);
	memcpy(x->pass.req.cdb, cdb, n);
	x->pass.req.timeout_ms = 5000;
	x->pass.patience_us = 10 * SECOND;
	x->pass.done = done;
}

static const uint8_t format[] = { 0x04, 0, 0, 0, 0, 0 };
static const uint8_t inquiry[] = { 0x12, 0, 0, 0, 0, 0 };
static const uint8_t unmap[] = { 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t reserve[] = { 0x5f, 1, 0, 0, 0, 0, 0, 0, 24, 0 };

/* The place of the command that is out, or the number of those that are. */
static size_t
find(struct pair *w, const struct passing *x)
{
	for (size_t i = 0; i < w->f.n; i++)
		if (w->f.out[i] == &x->pass.req)
			return i;
	return w->f.n;
}

static bool
is_out(struct pair *w, const struct passing *x)
{
	return find(w, x) < w->f.n;
}

static void
begin(struct passing *x, struct pair *w, const uint8_t *cdb, size_t n)
{
	prepare(x, cdb, n);
	pass_start(&x->pass, w->u);
}

/* One that writes goes out, its path is lost, and another nexus is there. */
static void
lose(struct passing *x, struct pair *w)
{
	begin(x, w, unmap, sizeof unmap);
	fake_path_turn(&w->f);
	fake_path_down(&w->f, false);
	fake_path_turn(&w->f);
	fake_path_up(&w->f, false);
	fake_target_run(&w->t, &w->f);
}

static void
old_nexus_dies(struct pair *w)
{
	w->f.path.dead_nexus = w->f.path.nexus - 1;
	lunpath_fenced(lu_path_after(w->u, NULL));
	fake_path_turn(&w->f);
}

static void
a_command_is_sent_and_its_answer_comes_as_it_is(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	begin(&x, &w, reserve, sizeof reserve);
	assert_false(lu_is_idle(w.u));
	assert_int_equal(x.done, 0);
	fake_path_turn(&w.f);
	assert_memory_equal(x.pass.req.lun, lu_info(w.u)->wire, 8);
	fake_path_status(&w.f, find(&w, &x), SENSE_STATUS_RESERVATION_CONFLICT);
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.pass.req.status, SENSE_STATUS_RESERVATION_CONFLICT);
	assert_false(x.pass.why.is_set);
	assert_int_equal(lu_state(w.u), LU_SAME);
	assert_true(lu_is_idle(w.u));
	pair_end(&w);
}

/* BUSY, TASK SET FULL, a unit attention: whoever wrote it decides. */
static void
nothing_is_sent_a_second_time_by_itself(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	begin(&x, &w, inquiry, sizeof inquiry);
	fake_path_turn(&w.f);
	fake_path_status(&w.f, find(&w, &x), SENSE_STATUS_BUSY);
	fake_path_pass(&w.f, SECOND);
	assert_int_equal(x.done, 1);
	assert_false(is_out(&w, &x));
	pair_end(&w);
}

static void
one_that_is_lost_is_never_sent_again(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	begin(&x, &w, reserve, sizeof reserve);
	fake_path_turn(&w.f);
	assert_true(is_out(&w, &x));
	fake_path_down(&w.f, false);
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.pass.req.result, REQ_LOST);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	assert_false(is_out(&w, &x));
	assert_int_equal(x.done, 1);
	pair_end(&w);
}

static void
one_that_has_not_left_is_sent_when_there_is_a_nexus_again(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	w.f.is_unsendable = true;
	begin(&x, &w, reserve, sizeof reserve);
	fake_path_turn(&w.f);
	fake_path_down(&w.f, false);
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 0);
	w.f.is_unsendable = false;
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	fake_path_turn(&w.f);
	assert_true(is_out(&w, &x));
	fake_path_good(&w.f, find(&w, &x));
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.pass.req.result, REQ_DONE);
	pair_end(&w);
}

/* Whoever stands there now may be another one: it waits as I/O does. */
static void
a_unit_in_doubt_gets_no_command_before_it_said_who_it_is(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	lunpath_doubt(lu_path_after(w.u, NULL));
	begin(&x, &w, format, sizeof format);
	fake_path_turn(&w.f);
	assert_false(is_out(&w, &x));
	fake_target_run(&w.t, &w.f);
	fake_path_turn(&w.f);
	assert_true(is_out(&w, &x));
	fake_path_good(&w.f, find(&w, &x));
	fake_target_run(&w.t, &w.f);
	assert_int_equal(x.done, 1);
	pair_end(&w);
}

static void
another_unit_at_its_place_gets_nothing(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	w.units[1].naa = ELSE;
	lunpath_doubt(lu_path_after(w.u, NULL));
	begin(&x, &w, format, sizeof format);
	while (lu_state(w.u) != LU_OTHER)
		assert_true(fake_target_answer(&w.t, &w.f));
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 1);
	assert_true(x.pass.why.is_set);
	assert_int_equal(x.pass.req.result, REQ_UNSENT);
	assert_false(is_out(&w, &x));
	pair_end(&w);
}

static void
one_that_waits_too_long_is_refused_and_was_not_sent(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	fake_path_down(&w.f, false);
	begin(&x, &w, format, sizeof format);
	fake_path_pass(&w.f, 9 * SECOND);
	assert_int_equal(x.done, 0);
	fake_path_pass(&w.f, 2 * SECOND);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.pass.why.code, FAULT_OFFLINE);
	assert_int_equal(w.f.n, 0);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	pair_end(&w);
}

/* What it changes may come late: nothing newer may go before the old nexus is dead. */
static void
a_lost_one_that_writes_lets_later_writes_wait(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	lose(&x, &w);
	assert_int_equal(lu_state(w.u), LU_SAME);
	pair_write_block(&w);
	fake_path_turn(&w.f);
	assert_int_equal(pair_writes_out(&w), 0);
	old_nexus_dies(&w);
	assert_int_equal(pair_writes_out(&w), 1);
	pair_expect_flows(&w);
	pair_end(&w);
}

static void
one_that_writes_waits_for_older_writes_of_unknown_fate(void **state)
{
	struct passing x, y;
	struct pair w;

	(void)state;
	pair_start(&w);
	lose(&x, &w);
	prepare(&x, unmap, sizeof unmap);
	prepare(&y, inquiry, sizeof inquiry);
	pass_start(&x.pass, w.u);
	pass_start(&y.pass, w.u);
	fake_path_turn(&w.f);
	assert_false(is_out(&w, &x));
	assert_true(is_out(&w, &y)); /* what only reads need not */
	fake_path_good(&w.f, find(&w, &y));
	old_nexus_dies(&w);
	assert_true(is_out(&w, &x));
	fake_path_good(&w.f, find(&w, &x));
	fake_path_turn(&w.f);
	assert_int_equal(x.done + y.done, 2);
	pair_end(&w);
}

/* The target tells it once, to whoever comes first. */
static void
a_unit_attention_that_it_meets_is_the_units_too(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	begin(&x, &w, inquiry, sizeof inquiry);
	fake_path_turn(&w.f);
	fake_path_check(&w.f, find(&w, &x), 6, 0x29, 0x00);
	assert_int_equal(lu_state(w.u), LU_ASKING);
	assert_int_equal(lu_state(w.v), LU_ASKING);
	assert_int_equal(x.done, 1);
	fake_target_run(&w.t, &w.f);
	pair_end(&w);
}

static void
after_one_that_alters_the_unit_it_is_asked_what_it_is_like(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	begin(&x, &w, format, sizeof format);
	fake_path_turn(&w.f);
	w.units[1].blocks = FAKE_BLOCKS / 2;
	fake_path_good(&w.f, find(&w, &x));
	assert_int_equal(lu_state(w.u), LU_ASKING);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u), LU_SAME);
	assert_int_equal(lu_blk(w.u)->size_bytes, FAKE_BLOCKS / 2 * 512);
	pair_end(&w);
}

static void
a_unit_that_is_closed_refuses_what_waits(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	lunpath_doubt(lu_path_after(w.u, NULL));
	begin(&x, &w, format, sizeof format);
	lu_close(w.u, -5);
	fake_path_turn(&w.f);
	assert_int_equal(x.done, 1);
	assert_true(x.pass.why.is_set);
	fake_target_run(&w.t, &w.f);
	pair_end(&w);
}

static void
a_lun_without_a_unit_is_reached_while_the_session_is_online_only(void **state)
{
	struct passing x;
	struct pair w;

	(void)state;
	pair_start(&w);
	prepare(&x, inquiry, sizeof inquiry);
	x.pass.req.lun[1] = 9;
	pass_start_raw(&x.pass, &w.f.path);
	fake_path_turn(&w.f);
	assert_int_equal(x.pass.req.lun[1], 9);
	fake_path_check(&w.f, find(&w, &x), 6, 0x29, 0x00);
	assert_int_equal(w.f.units_changed, 1);
	fake_target_run(&w.t, &w.f);
	fake_path_down(&w.f, false);
	prepare(&x, inquiry, sizeof inquiry);
	pass_start_raw(&x.pass, &w.f.path);
	fake_path_turn(&w.f);
	assert_true(x.done == 1 && x.pass.why.code == FAULT_OFFLINE);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	pair_end(&w);
}

/* Whichever of them has the requests. */
static void
one_that_is_for_one_path_goes_over_that_alone(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct fake_path *f;
		struct passing x;
		struct ways w;

		(void)state;
		ways_start(&w, 2, 0);
		f = &w.f[i % 2];
		ways_submit(&w, 0, BLK_READ, 0);
		if (i >= 2)
			fake_path_down(f, false);
		prepare(&x, reserve, sizeof reserve);
		x.pass.only = &f->path;
		pass_start(&x.pass, w.u);
		ways_pass(&w, 11 * SECOND);
		if (i >= 2) {
			assert_true(x.done == 1 && x.pass.why.code == FAULT_OFFLINE);
		} else {
			assert_int_equal(x.done, 0);
			assert_ptr_equal(x.pass.path, &f->path);
			fake_path_good(f, f->n - 1);
			assert_int_equal(x.done, 1);
		}
		ways_end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_sent_and_its_answer_comes_as_it_is),
		cmocka_unit_test(nothing_is_sent_a_second_time_by_itself),
		cmocka_unit_test(one_that_is_lost_is_never_sent_again),
		cmocka_unit_test(one_that_has_not_left_is_sent_when_there_is_a_nexus_again),
		cmocka_unit_test(a_unit_in_doubt_gets_no_command_before_it_said_who_it_is),
		cmocka_unit_test(another_unit_at_its_place_gets_nothing),
		cmocka_unit_test(one_that_waits_too_long_is_refused_and_was_not_sent),
		cmocka_unit_test(a_lost_one_that_writes_lets_later_writes_wait),
		cmocka_unit_test(one_that_writes_waits_for_older_writes_of_unknown_fate),
		cmocka_unit_test(a_unit_attention_that_it_meets_is_the_units_too),
		cmocka_unit_test(after_one_that_alters_the_unit_it_is_asked_what_it_is_like),
		cmocka_unit_test(a_unit_that_is_closed_refuses_what_waits),
		cmocka_unit_test(one_that_is_for_one_path_goes_over_that_alone),
		cmocka_unit_test(a_lun_without_a_unit_is_reached_while_the_session_is_online_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
