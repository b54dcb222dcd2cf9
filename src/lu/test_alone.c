/* What fails alone, and what waits for a fence. */
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

/* Connections that end whenever block `poison` is among what is sent, until `n` requests are done.
 */
static unsigned
play_poison(struct world *w, uint32_t poison, size_t n)
{
	unsigned losses = 0;

	for (;;) {
		size_t done = 0, bad = w->f.n;

		for (size_t i = 0; i < w->f.n; i++)
			if (!fake_is_question(w->f.out[i]) && lba(w, i) == poison)
				bad = i;
		if (bad < w->f.n) {
			losses++;
			relogin(w, false);
		} else if (w->f.n > 0) {
			fake_path_good(&w->f, 0);
		}
		fake_path_turn(&w->f);
		for (size_t i = 0; i < n; i++)
			done += w->q[i].done;
		if (done == n)
			return losses;
		assert_true(losses < 100);
	}
}

static void
a_command_that_ends_connections_fails_alone_after_five_tries(void **state)
{
	struct world w;

	(void)state;
	for (size_t poison = 0; poison < 3 * SLOTS; poison += 7) {
		start(&w, 3);
		for (size_t i = 0; i < 3 * SLOTS; i++)
			submit(&w, i % 3, i, BLK_WRITE);
		assert_int_equal(play_poison(&w, (uint32_t)poison, 3 * SLOTS), 5);
		for (size_t i = 0; i < 3 * SLOTS; i++)
			expect_end(&w, i, i == poison ? -EIO : 0);
		end(&w);
	}
}

static void
losses_that_are_silence_cost_no_try(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	for (unsigned i = 0; i < 50; i++) {
		relogin(&w, true);
		assert_int_equal(w.f.n, 1);
	}
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

static void
what_had_not_left_ended_no_connection(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	w.f.is_unsendable = true;
	for (unsigned i = 0; i < 2 * RETRY_TRIES; i++)
		relogin(&w, false);
	assert_int_equal(w.q[0].r.hold.tries, 0);
	w.f.is_unsendable = false;
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

static void
a_suspect_waits_until_all_others_are_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	submit(&w, 0, 0, BLK_WRITE);
	relogin(&w, false);
	fake_path_down(&w.f, false);
	fake_path_up(&w.f, true);
	/* The other unit is the first to be known. */
	w.units[0].bad = FAKE_BUSY;
	w.units[0].bad_opcode = CDB_INQUIRY;
	w.units[0].bad_page = -1;
	w.units[0].bad_times = 1;
	submit(&w, 1, 1, BLK_WRITE);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_ASKING);
	fake_path_pass(&w.f, SECOND / 4);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	submit(&w, 1, 2, BLK_WRITE); /* and nothing more is sent */
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.n, 1);
	assert_int_equal(lba(&w, 0), 1);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 1);
	assert_int_equal(lba(&w, 0), 0);
	fake_path_good(&w.f, 0);
	fake_path_pass(&w.f, SECOND);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lba(&w, 0), 2);
	end(&w);
}

static void
a_trial_that_is_called_off_lets_the_others_go(void **state)
{
	struct world w;

	(void)state;
	start(&w, 3);
	submit(&w, 0, 0, BLK_WRITE);
	relogin(&w, false);
	fake_path_down(&w.f, false);
	fake_path_up(&w.f, true);
	w.units[0].bad = FAKE_BUSY;
	w.units[0].bad_opcode = CDB_INQUIRY;
	w.units[0].bad_page = -1;
	w.units[0].bad_times = 1;
	fake_target_run(&w.t, &w.f);
	submit(&w, 2, 2, BLK_READ);
	fake_path_pass(&w.f, SECOND / 4);
	fake_target_run(&w.t, &w.f);
	assert_ptr_equal(w.f.path.on_trial, lu_first_path(w.u[0]));
	submit(&w, 1, 1, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	lunpath_doubt(lu_first_path(w.u[0]));
	assert_null(w.f.path.on_trial);
	assert_int_equal(w.f.n, 2); /* the read, and the write */
	assert_int_equal(lba(&w, 1), 1);
	fake_target_run(&w.t, &w.f);
	end(&w);
}

static void
a_suspect_flies_alone_in_the_whole_session(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	submit(&w, 0, 0, BLK_WRITE);
	submit(&w, 1, 1, BLK_WRITE);
	relogin(&w, false);
	assert_int_equal(w.f.n, 2);
	relogin(&w, false);
	/* Both are suspects now. */
	assert_int_equal(w.f.n, 1);
	assert_non_null(w.f.path.on_trial);
	submit(&w, 0, 2, BLK_WRITE);
	submit(&w, 1, 3, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 1);
	fake_path_good(&w.f, 0);
	assert_null(w.f.path.on_trial);
	assert_int_equal(w.f.n, 2);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	for (size_t i = 0; i < 4; i++)
		expect_end(&w, i, 0);
	end(&w);
}

/* Twice lost with a link that flaps, a slow command stops nobody for long. */
static void
a_suspect_that_takes_its_time_does_not_stop_others(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	submit(&w, 0, 0, BLK_WRITE);
	relogin(&w, false);
	relogin(&w, false);
	submit(&w, 1, 1, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	fake_path_pass(&w.f, SECOND + 20000);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.n, 2);
	fake_path_good(&w.f, 1);
	expect_end(&w, 1, 0);
	/* It has shown that it ends no connection: the next time it goes with others. */
	relogin(&w, false);
	submit(&w, 1, 2, BLK_WRITE);
	assert_int_equal(w.f.n, 2);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	expect_end(&w, 2, 0);
	end(&w);
}

static void
the_innocent_among_suspects_go_first(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 4; i++)
		submit(&w, 0, i, BLK_WRITE);
	relogin(&w, false);
	relogin(&w, false);
	/* The oldest flies, and ends the connection; then the others have their turn. */
	assert_int_equal(w.f.n, 1);
	assert_int_equal(lba(&w, 0), 0);
	w.f.path.no_trial_before_us = w.f.agenda.now_us;
	relogin(&w, false);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(w.f.n, 1);
		assert_int_equal(lba(&w, 0), i);
		fake_path_good(&w.f, 0);
		fake_target_run(&w.t, &w.f);
		expect_end(&w, i, 0);
	}
	fake_path_pass(&w.f, SECOND / 5);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.n, 1);
	assert_int_equal(lba(&w, 0), 0);
	fake_path_good(&w.f, 0);
	end(&w);
}

static void
an_answer_against_the_protocol_is_tried_five_times(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_READ);
	for (unsigned i = 0; i < RETRY_TRIES; i++) {
		assert_int_equal(w.f.n, 1);
		fake_path_result(&w.f, 0, REQ_VIOLATION);
		fake_path_pass(&w.f, 3 * SECOND);
	}
	expect_end(&w, 0, -EIO);
	end(&w);
}

/* The old nexus is alive after this login. */
static void
move_elsewhere(struct world *w)
{
	fake_path_down(&w->f, true);
	fake_path_up(&w->f, false);
	fake_target_run(&w->t, &w->f);
}

static void
nothing_newer_lands_where_an_old_write_may(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	move_elsewhere(&w);
	assert_int_equal(w.f.n, 1); /* itself: at once */
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	fake_submit(w.u[0], &w.q[2], BLK_READ, 0, 512, false);
	fake_submit(w.u[0], &w.q[3], BLK_WRITE, 512, 512, false);
	fake_submit(w.u[0], &w.q[4], BLK_WRITE_ZEROES, 0, 4096, false);
	assert_int_equal(w.f.n, 2); /* the read, and the write beside */
	while (w.f.n > 0)
		fake_path_good(&w.f, 0);
	fake_path_pass(&w.f, 23 * SECOND);
	assert_int_equal(w.f.n, 0);
	w.f.path.dead_nexus = 1;
	lunpath_fenced(lu_first_path(w.u[0]));
	assert_int_equal(w.f.n, 2);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_WRITE_10);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	expect_end(&w, 1, 0);
	expect_end(&w, 4, 0);
	end(&w);
}

static void
the_shadow_stays_when_its_write_fails_by_its_deadline(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_down(&w.f, true);
	fake_path_pass(&w.f, PROMISE);
	expect_end(&w, 0, -EIO);
	fake_path_up(&w.f, false);
	fake_target_run(&w.t, &w.f);
	submit(&w, 0, 0, BLK_WRITE);
	assert_int_equal(w.f.n, 0);
	w.f.path.dead_nexus = 1;
	lunpath_fenced(lu_first_path(w.u[0]));
	assert_int_equal(w.f.n, 1);
	end(&w);
}

static void
a_login_that_ends_the_old_nexus_leaves_no_shadow(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	relogin(&w, true);
	assert_int_equal(w.f.n, 2);
	end(&w);
}

static void
a_command_that_the_target_no_longer_has_casts_no_shadow(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_result(&w.f, 0, REQ_TIMEOUT);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	assert_int_equal(w.f.n, 1);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_that_ends_connections_fails_alone_after_five_tries),
		cmocka_unit_test(losses_that_are_silence_cost_no_try),
		cmocka_unit_test(what_had_not_left_ended_no_connection),
		cmocka_unit_test(a_suspect_waits_until_all_others_are_back),
		cmocka_unit_test(a_trial_that_is_called_off_lets_the_others_go),
		cmocka_unit_test(a_suspect_flies_alone_in_the_whole_session),
		cmocka_unit_test(a_suspect_that_takes_its_time_does_not_stop_others),
		cmocka_unit_test(the_innocent_among_suspects_go_first),
		cmocka_unit_test(an_answer_against_the_protocol_is_tried_five_times),
		cmocka_unit_test(nothing_newer_lands_where_an_old_write_may),
		cmocka_unit_test(the_shadow_stays_when_its_write_fails_by_its_deadline),
		cmocka_unit_test(a_login_that_ends_the_old_nexus_leaves_no_shadow),
		cmocka_unit_test(a_command_that_the_target_no_longer_has_casts_no_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
