/* Who ends connections, however late, and who is beside it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_world.h"
#include "lu/lu_impl.h"

/* Who only waits for a trial of others to end goes before the next one. */
static void
others_go_between_two_trials(void **state)
{
	struct world w;

	(void)state;
	start(&w, 3);
	submit(&w, 0, 0, BLK_WRITE);
	submit(&w, 1, 1, BLK_WRITE);
	relogin(&w, false);
	relogin(&w, false);
	assert_int_equal(w.f.n, 1);
	assert_int_equal(lba(&w, 0), 0);
	submit(&w, 2, 2, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	fake_path_pass(&w.f, SECOND + 20000);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.n, 2);
	assert_int_equal(lba(&w, 1), 2);
	fake_path_good(&w.f, 1);
	fake_path_pass(&w.f, SECOND);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.n, 2);
	assert_int_equal(lba(&w, 1), 1);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	for (size_t i = 0; i < 3; i++)
		expect_end(&w, i, 0);
	end(&w);
}

/* A command that takes longer to end the connection than others wait for is found, too. */
static void
a_slow_poison_has_five_tries(void **state)
{
	struct world w;
	unsigned sent = 0;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	while (w.q[0].done == 0) {
		assert_true(++sent <= RETRY_TRIES);
		fake_path_pass(&w.f, 10 * SECOND);
		fake_target_run(&w.t, &w.f);
		relogin(&w, false);
	}
	assert_int_equal(sent, RETRY_TRIES);
	expect_end(&w, 0, -EIO);
	end(&w);
}

/* A neighbour's command does not come back: others wait for half a second, then it flies. */
static void
a_suspect_flies_beside_what_does_not_come_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, 3);
	submit(&w, 0, 0, BLK_WRITE);
	relogin(&w, false);
	fake_path_down(&w.f, false);
	fake_path_up(&w.f, true);
	submit(&w, 1, 1, BLK_WRITE);
	w.units[0].bad = FAKE_BUSY;
	w.units[0].bad_opcode = CDB_INQUIRY;
	w.units[0].bad_page = -1;
	w.units[0].bad_times = 1;
	fake_target_run(&w.t, &w.f);
	fake_path_pass(&w.f, SECOND / 4);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	/* Unit 1's stays with the target. */
	submit(&w, 2, 2, BLK_WRITE);
	submit(&w, 0, 3, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	fake_path_pass(&w.f, SECOND / 2);
	assert_int_equal(w.f.n, 2);
	assert_int_equal(lba(&w, 1), 0);
	fake_path_good(&w.f, 1);
	assert_null(w.f.path.on_trial);
	assert_int_equal(w.f.n, 3);
	for (unsigned i = 0; i < 3; i++)
		fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	for (size_t i = 0; i < 4; i++)
		expect_end(&w, i, 0);
	end(&w);
}

/* Answer what unit 2 has out, and keep it busy: its request is done in a step, and so is the next.
 */
static void
keep_busy(struct world *w)
{
	for (size_t i = 0; i < w->f.n; i++)
		if (!fake_is_question(w->f.out[i]) && lba(w, i) == 5) {
			fake_path_good(&w->f, i);
			break;
		}
	fake_path_turn(&w->f);
	if (w->q[5].done == 1) {
		expect_end(w, 5, 0);
		submit(w, 2, 5, BLK_WRITE);
	}
}

/*
 * The commands of a unit do not come back, another one is busy, and unit 0 has a request that ends
 * the connection a while after it was sent.  Returns how often it was.
 */
static unsigned
play_beside(struct world *w, size_t stalled, uint64_t ends_after_us)
{
	unsigned losses = 0;
	uint64_t busy_us;

	start(w, 3);
	for (size_t i = 1; i < 3; i++)
		submit(w, stalled, i, BLK_WRITE);
	submit(w, 0, 0, BLK_WRITE);
	for (size_t i = 3; i < 5; i++)
		submit(w, stalled, i, BLK_WRITE);
	submit(w, 2, 5, BLK_WRITE);
	busy_us = w->f.agenda.now_us;
	while (w->q[0].done == 0) {
		bool is_over = false;

		for (size_t i = 0; i < w->f.n; i++)
			is_over |= !fake_is_question(w->f.out[i]) && lba(w, i) == 0 &&
				   w->f.agenda.now_us - w->f.out[i]->submit_us >= ends_after_us;
		if (is_over) {
			losses++;
			w->f.path.no_trial_before_us = w->f.agenda.now_us + SECOND / 10;
			relogin(w, false);
		}
		if (w->q[5].r.hold.since_us > busy_us)
			busy_us = w->q[5].r.hold.since_us;
		/* A wait and a flight, and the step that this takes. */
		assert_true(w->f.agenda.now_us - busy_us < 7 * SECOND);
		keep_busy(w);
		fake_path_pass(&w->f, SECOND / 10);
		fake_target_run(&w->t, &w->f);
	}
	expect_end(w, 0, -EIO);
	return losses;
}

static void
finish_beside(struct world *w)
{
	for (unsigned i = 0; i < 400; i++) {
		fake_path_pass(&w->f, SECOND / 10);
		keep_busy(w);
	}
	for (size_t i = 0; i < 5; i++)
		fake_path_good(&w->f, 0);
	fake_path_turn(&w->f);
	for (size_t i = 1; i < 6; i++)
		expect_end(w, i, 0);
	end(w);
}

/* However long it takes to end them, and whoever is beside it. */
static void
a_slow_poison_takes_no_neighbour_along(void **state)
{
	struct world w;

	(void)state;
	for (size_t stalled = 0; stalled < 2; stalled++)
		for (uint64_t us = 0; us <= 3 * SECOND; us += SECOND / 10) {
			assert_int_equal(play_beside(&w, stalled, us), RETRY_TRIES);
			finish_beside(&w);
		}
}

static void
what_has_flown_for_long_is_not_blamed(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	for (size_t i = 1; i < 5; i++)
		submit(&w, 1, i, BLK_WRITE);
	fake_path_pass(&w.f, 4 * SECOND);
	for (unsigned n = 0; n < 6; n++) {
		submit(&w, 0, 0, BLK_WRITE);
		for (unsigned i = 0; i < RETRY_TRIES; i++) {
			w.f.path.no_trial_before_us = w.f.agenda.now_us;
			relogin(&w, false);
			fake_path_pass(&w.f, SECOND);
			fake_target_run(&w.t, &w.f);
		}
		expect_end(&w, 0, -EIO);
		for (size_t i = 1; i < 5; i++)
			assert_int_equal(w.q[i].r.hold.tries, 0);
	}
	for (size_t i = 1; i < 5; i++)
		fake_path_good(&w.f, 0);
	for (size_t i = 1; i < 5; i++)
		expect_end(&w, i, 0);
	end(&w);
}

/* It takes longer than others wait for it, and others are under way each time: it fails all the
 * same. */
static void
a_poison_that_is_slower_than_that_has_an_end(void **state)
{
	struct world w;
	unsigned sent = 0;

	(void)state;
	start(&w, 2);
	w.f.path.replacement_us = UINT64_MAX;
	submit(&w, 0, 0, BLK_WRITE);
	while (w.q[0].done == 0) {
		assert_true(++sent <= RETRY_EXCUSED + RETRY_TRIES);
		fake_path_pass(&w.f, 10 * SECOND);
		submit(&w, 1, 1, BLK_WRITE);
		relogin(&w, false);
		while (w.f.n > 0 && lba(&w, w.f.n - 1) == 1)
			fake_path_good(&w.f, w.f.n - 1);
		fake_path_turn(&w.f);
	}
	expect_end(&w, 0, -EIO);
	expect_end(&w, 1, 0);
	end(&w);
}

/* Its way is shut: that is no flight, and the last try is not one among many when it leaves. */
static void
a_last_try_that_cannot_leave_is_taken_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	submit(&w, 0, 0, BLK_WRITE);
	for (unsigned i = 0; i + 1 < RETRY_TRIES; i++) {
		fake_path_pass(&w.f, SECOND);
		w.f.path.no_trial_before_us = w.f.agenda.now_us + SECOND / 10;
		relogin(&w, false);
	}
	w.f.is_unsendable = true;
	fake_path_pass(&w.f, SECOND);
	assert_int_equal(w.f.n, 1);
	submit(&w, 1, 1, BLK_WRITE);
	fake_path_pass(&w.f, 4 * SECOND);
	assert_int_equal(w.f.withdrawn, 1);
	assert_int_equal(w.f.n, 1);
	fake_path_result(&w.f, 0, REQ_UNSENT);
	assert_true(hold_may_end(&w.q[0].r));
	w.f.is_unsendable = false;
	assert_int_equal(lba(&w, 0), 1);
	fake_path_good(&w.f, 0);
	fake_path_pass(&w.f, 5 * SECOND);
	assert_int_equal(lba(&w, 0), 0);
	relogin(&w, false);
	expect_end(&w, 0, -EIO);
	expect_end(&w, 1, 0);
	end(&w);
}

/* What it was blamed for is another's fault, maybe: its first answer against the protocol is not
 * its last. */
static void
an_odd_answer_is_no_connection_that_ended(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	for (unsigned i = 0; i + 1 < RETRY_TRIES; i++)
		relogin(&w, false);
	for (unsigned i = 0; i + 1 < RETRY_TRIES; i++) {
		fake_path_result(&w.f, 0, REQ_VIOLATION);
		fake_path_pass(&w.f, 3 * SECOND);
		assert_int_equal(w.f.n, 1);
	}
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_go_between_two_trials),
		cmocka_unit_test(a_slow_poison_has_five_tries),
		cmocka_unit_test(a_suspect_flies_beside_what_does_not_come_back),
		cmocka_unit_test(a_slow_poison_takes_no_neighbour_along),
		cmocka_unit_test(what_has_flown_for_long_is_not_blamed),
		cmocka_unit_test(a_poison_that_is_slower_than_that_has_an_end),
		cmocka_unit_test(a_last_try_that_cannot_leave_is_taken_back),
		cmocka_unit_test(an_odd_answer_is_no_connection_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
