/* One unit behind several paths: what their ports are to it, and what they say of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_ways.h"
#include "lu/lu_impl.h"

static void
nothing_goes_to_a_standby_group(void **state)
{
	static const enum alua_state idle[] = { ALUA_STANDBY, ALUA_UNAVAILABLE, ALUA_OFFLINE,
		ALUA_TRANSITIONING };
	struct ways w;

	(void)state;
	ways_start(&w, 2, 1);
	for (size_t k = 0; k < sizeof idle / sizeof *idle; k++) {
		ways_set_access(&w, 0, idle[k]);
		for (size_t i = 0; i < 5; i++)
			ways_submit(&w, i, BLK_READ, i);
		assert_int_equal(w.f[0].n, 0);
		assert_int_equal(w.f[1].n, 5);
		while (w.f[1].n > 0)
			fake_path_good(&w.f[1], 0);
		fake_path_turn(&w.f[0]);
	}
	ways_end(&w);
}

static void
optimized_paths_come_first(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 3, 1);
	ways_set_access(&w, 0, ALUA_ACTIVE_NON_OPTIMIZED);
	ways_set_access(&w, 1, ALUA_STANDBY);
	for (size_t i = 0; i < 6; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[2].n, 6);
	/* Without it the longer way does. */
	fake_path_down(&w.f[2], true);
	assert_int_equal(w.f[0].n, 6);
	assert_int_equal(w.f[1].n, 0);
	ways_end(&w);
}

/* The target does not tell: a command meets it. */
static void
a_command_that_meets_standby_goes_elsewhere(void **state)
{
	unsigned asked;
	struct ways w;

	(void)state;
	ways_start(&w, 2, 1);
	ways_submit(&w, 0, BLK_WRITE, 0);
	ways_submit(&w, 1, BLK_WRITE, 1);
	assert_int_equal(w.f[0].n, 1);
	w.units[0].access = ALUA_STANDBY;
	fake_path_check(&w.f[0], 0, SENSE_KEY_NOT_READY, 0x04, 0x0b);
	assert_int_equal(w.f[0].n, 0);
	assert_int_equal(w.f[1].n, 2);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_STANDBY);
	/* It may be over at once: it is looked at soon, */
	asked = w.units[0].commands;
	ways_pass(&w, SECOND / 2);
	assert_true(w.units[0].commands > asked);
	/* again and again, and found when it is active. */
	ways_pass(&w, 20 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_STANDBY);
	w.units[0].access = ALUA_ACTIVE_OPTIMIZED;
	ways_pass(&w, 6 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_ACTIVE_OPTIMIZED);
	ways_submit(&w, 2, BLK_READ, 2);
	assert_int_equal(w.f[0].n, 1);
	ways_end(&w);
}

/* It says that it has changed: what it is now comes before anything that moves data. */
static void
nothing_goes_before_it_is_known_what_the_group_is_now(void **state)
{
	struct ways w;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		size_t n = 0;

		ways_start(&w, 2, 1);
		ways_submit(&w, 0, BLK_READ, 0);
		ways_submit(&w, 1, BLK_READ, 1);
		assert_int_equal(w.f[0].n, 1);
		w.units[0].access = ALUA_STANDBY;
		w.units[0].is_ready_anyway = how == 1;
		fake_path_check(&w.f[0], 0, SENSE_KEY_UNIT_ATTENTION, 0x2a, 0x06);
		while (w.f[0].n > 0) {
			assert_int_equal(ways_moving(&w, 0), 0);
			assert_true(fake_target_answer(&w.t[0], &w.f[0]));
			if (n < 10)
				ways_submit(&w, 2 + n, BLK_READ, n);
			n++;
		}
		assert_true(n > 4);
		assert_int_equal(lunpath_shown(w.lp[0]), PATH_STANDBY);
		ways_end(&w);
	}
}

static void
doubt_both(struct ways *w)
{
	fake_path_pass(&w->f[0], SECOND);
	for (size_t i = 0; i < 2; i++)
		lunpath_doubt(w->lp[i]);
}

/* How large the unit is, a standby path does not know, and another that was asked earlier says
 * wrongly. */
static void
a_size_is_what_was_told_last(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 1);
	ways_set_access(&w, 1, ALUA_STANDBY);
	doubt_both(&w);
	w.units[0].blocks = 2 * FAKE_BLOCKS;
	fake_target_run(&w.t[0], &w.f[0]);
	fake_target_run(&w.t[1], &w.f[1]);
	assert_int_equal(lu_blk(w.u)->size_bytes, 2 * FAKE_BLOCKS * 512);
	/* Both can tell.  This one is asked before the unit grew, and answers later: it is asked
	 * again. */
	w.units[1].blocks = 2 * FAKE_BLOCKS;
	ways_set_access(&w, 1, ALUA_ACTIVE_OPTIMIZED);
	doubt_both(&w);
	w.units[0].blocks = 3 * FAKE_BLOCKS;
	fake_target_run(&w.t[0], &w.f[0]);
	assert_int_equal(lu_blk(w.u)->size_bytes, 3 * FAKE_BLOCKS * 512);
	fake_target_run(&w.t[1], &w.f[1]);
	assert_int_equal(lu_blk(w.u)->size_bytes, 3 * FAKE_BLOCKS * 512);
	w.units[1].blocks = 3 * FAKE_BLOCKS;
	ways_pass(&w, 2 * SECOND);
	assert_int_equal(lu_blk(w.u)->size_bytes, 3 * FAKE_BLOCKS * 512);
	assert_int_equal(lunpath_shown(w.lp[1]), PATH_ACTIVE_OPTIMIZED);
	ways_end(&w);
}

/* A scan told it before another unit stood there, and over a standby path nobody can ask again. */
static void
a_size_that_nobody_is_sure_of_yields_to_a_path_that_serves(void **state)
{
	(void)state;
	for (unsigned is_sure = 0; is_sure < 2; is_sure++) {
		struct lu_info info = fake_info(0, WAYS_NAA);
		struct ways w;

		ways_start(&w, 2, 1);
		lunpath_stop(w.lp[1]);
		fake_path_turn(&w.f[0]);
		lu_leave(w.u, w.lp[1], 0);
		info.capacity.bytes *= 2;
		info.nexus = 0;
		lu_adopt(w.u, &info);
		if (!is_sure)
			ways_set_access(&w, 0, ALUA_STANDBY);
		ways_run(&w);
		assert_int_equal(lu_blk(w.u)->size_bytes, (is_sure ? 1 : 2) * FAKE_BLOCKS * 512);
		info.capacity.bytes = 3 * FAKE_BLOCKS * 512;
		assert_int_equal(lu_fits(w.u, &info), !is_sure);
		info.capacity.bytes = FAKE_BLOCKS * 512;
		assert_true(lu_fits(w.u, &info));
		info.nexus = w.f[1].path.nexus;
		w.lp[1] = lu_join(w.u, &w.f[1].path, &info);
		fake_path_add_way(&w.f[1], w.lp[1]);
		ways_run(&w);
		assert_int_equal(lu_blk(w.u)->size_bytes, FAKE_BLOCKS * 512);
		assert_int_equal(lunpath_shown(w.lp[1]), PATH_ACTIVE_OPTIMIZED);
		ways_end(&w);
	}
}

/* Of two that call themselves the same the one that came later is not believed; a unit that was
 * resized says so over each path. */
static void
a_path_that_comes_back_with_another_size_waits_until_another_one_says_so(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	fake_path_down(&w.f[0], true);
	w.units[0].blocks = 2 * FAKE_BLOCKS;
	fake_path_up(&w.f[0], true);
	ways_pass(&w, 20 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_CHECKING);
	assert_non_null(strstr(fault_kept(w.lp[0]->why)->message, "another path says"));
	assert_int_equal(lu_blk(w.u)->size_bytes, FAKE_BLOCKS * 512);
	for (size_t i = 0; i < 4; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(ways_moving(&w, 0), 0);
	assert_int_equal(ways_moving(&w, 1), 4);
	/* It was a resize; nobody has told the other path, which is asked because of it. */
	w.units[1].blocks = 2 * FAKE_BLOCKS;
	ways_pass(&w, 20 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_ACTIVE_OPTIMIZED);
	assert_int_equal(lu_blk(w.u)->size_bytes, 2 * FAKE_BLOCKS * 512);
	/* The one that is used is lost: nobody contradicts any more. */
	fake_path_down(&w.f[0], true);
	w.units[0].blocks = 5 * FAKE_BLOCKS;
	fake_path_up(&w.f[0], true);
	ways_pass(&w, 20 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_CHECKING);
	fake_path_down(&w.f[1], true);
	ways_run(&w);
	fake_path_pass(&w.f[0], 0);
	ways_run(&w);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_ACTIVE_OPTIMIZED);
	assert_int_equal(lu_blk(w.u)->size_bytes, 5 * FAKE_BLOCKS * 512);
	fake_path_up(&w.f[1], true);
	w.units[1].blocks = 5 * FAKE_BLOCKS;
	ways_pass(&w, SECOND);
	/* Where no other one serves there is nobody else to ask. */
	for (size_t i = 0; i < 2; i++) {
		fake_path_down(&w.f[i], true);
		w.units[i].blocks = 3 * FAKE_BLOCKS;
	}
	fake_path_up(&w.f[0], true);
	ways_pass(&w, SECOND);
	assert_int_equal(lu_blk(w.u)->size_bytes, 3 * FAKE_BLOCKS * 512);
	ways_end(&w);
}

/* All of them change at once: requests wait for as long as that takes, and nothing fails. */
static void
a_transition_is_waited_for(void **state)
{
	struct ways w;

	(void)state;
	for (int how = 0; how < 3; how++) {
		ways_start(&w, 2, 1);
		w.units[0].is_access_untold = w.units[1].is_access_untold = how == 1;
		w.units[0].has_short_report = w.units[1].has_short_report = how == 2;
		ways_submit(&w, 0, BLK_WRITE, 0);
		ways_submit(&w, 1, BLK_WRITE, 1);
		for (size_t i = 0; i < 2; i++) {
			w.units[i].access = ALUA_TRANSITIONING;
			while (w.f[i].n > 0)
				fake_path_check(&w.f[i], 0, SENSE_KEY_NOT_READY, 0x04, 0x0a);
		}
		ways_pass(&w, 30 * SECOND);
		assert_int_equal(ways_moving(&w, 0) + ways_moving(&w, 1), 0);
		assert_int_equal(w.q[0].done, 0);
		w.units[1].access = ALUA_ACTIVE_OPTIMIZED;
		ways_pass(&w, SECOND);
		assert_int_equal(ways_moving(&w, 0), 0);
		assert_int_equal(ways_moving(&w, 1), 2);
		ways_end(&w);
	}
}

/* A path that carries nothing is asked for a sign of life, with one question; one that does, not.
 */
static void
an_idle_path_is_looked_after(void **state)
{
	unsigned before[2];
	struct ways w;

	(void)state;
	ways_start(&w, 2, 1);
	ways_pass(&w, 5 * SECOND);
	for (size_t i = 0; i < 2; i++)
		before[i] = w.units[i].commands;
	ways_pass(&w, 30 * SECOND);
	for (size_t i = 0; i < 2; i++)
		assert_in_range(w.units[i].commands - before[i], 2, 4);
	/* The target does not tell, and nobody asks for anything. */
	w.units[0].access = ALUA_STANDBY;
	ways_pass(&w, 11 * SECOND);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_STANDBY);
	/* I/O is a sign of life. */
	before[1] = w.units[1].commands;
	for (unsigned i = 0; i < 60; i++) {
		ways_submit(&w, 0, BLK_READ, i);
		fake_path_good(&w.f[1], 0);
		ways_expect(&w, 0, 0);
		ways_pass(&w, SECOND / 2);
	}
	assert_int_equal(w.units[1].commands - before[1], 0);
	ways_end(&w);
}

/* Where nobody serves, and the target lets us choose, one is asked to; not again and again. */
static void
a_group_is_asked_to_serve_where_none_does(void **state)
{
	struct ways w;

	(void)state;
	for (int how = 0; how < 4; how++) {
		ways_start(&w, 2, how == 1 ? 1 : 3);
		w.f[0].path.may_set_groups = w.f[1].path.may_set_groups = how != 2;
		w.f[1].path.is_preferred = true;
		ways_set_access(&w, 0, how == 3 ? ALUA_TRANSITIONING : ALUA_STANDBY);
		ways_set_access(&w, 1, ALUA_STANDBY);
		/* Nobody wants it: nothing is asked for. */
		ways_pass(&w, 10 * SECOND);
		assert_int_equal(w.units[0].sets + w.units[1].sets, 0);
		ways_submit(&w, 0, BLK_WRITE, 1);
		ways_pass(&w, 5 * SECOND);
		assert_int_equal(w.units[0].sets, 0);
		assert_int_equal(w.units[1].sets, how == 0);
		assert_int_equal(ways_moving(&w, 1), how == 0);
		/* Another initiator takes it back: there is a pace. */
		if (how == 0) {
			ways_set_access(&w, 1, ALUA_STANDBY);
			while (ways_moving(&w, 1) > 0)
				fake_path_check(&w.f[1], 0, SENSE_KEY_NOT_READY, 0x04, 0x0b);
			ways_pass(&w, 20 * SECOND);
			assert_int_equal(w.units[0].sets + w.units[1].sets, 1);
			ways_pass(&w, 20 * SECOND);
			assert_int_equal(w.units[0].sets + w.units[1].sets, 2);
		}
		ways_end(&w);
	}
}

/* The answer to that may be the one in which the target tells that a cache is lost (tests/sim,
 * seed 50346020): a write was answered, and the next flush fails; and that units may be others. */
static void
a_loss_is_heard_in_the_answer_of_a_group_that_was_asked_to_serve(void **state)
{
	struct ways w;

	(void)state;
	for (unsigned is_lost = 0; is_lost < 2; is_lost++) {
		uint64_t doubts;

		ways_start(&w, 2, 3);
		w.f[0].path.may_set_groups = w.f[1].path.may_set_groups = true;
		w.f[1].path.is_preferred = true;
		ways_submit(&w, 0, BLK_WRITE, 1);
		fake_path_good(&w.f[ways_moving(&w, 1) > 0], 0);
		ways_expect(&w, 0, 0);
		for (size_t i = 0; i < 2; i++)
			ways_set_access(&w, i, ALUA_STANDBY);
		ways_submit(&w, 1, BLK_FLUSH, 0);
		ways_pass(&w, SECOND / 2);
		doubts = w.f[1].path.doubts;
		w.units[1].set_attention = is_lost ? 0x01 : 0x07;
		ways_pass(&w, 5 * SECOND);
		assert_int_equal(w.units[1].set_attention, 0);
		assert_int_equal(w.units[1].sets, 0);
		assert_true(w.f[1].path.doubts > doubts);
		ways_set_access(&w, 1, ALUA_ACTIVE_OPTIMIZED);
		ways_pass(&w, 5 * SECOND);
		while (ways_moving(&w, 1) > 0)
			fake_path_good(&w.f[1], 0);
		ways_expect(&w, 1, is_lost ? -EIO : 0);
		ways_end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_goes_to_a_standby_group),
		cmocka_unit_test(optimized_paths_come_first),
		cmocka_unit_test(a_command_that_meets_standby_goes_elsewhere),
		cmocka_unit_test(nothing_goes_before_it_is_known_what_the_group_is_now),
		cmocka_unit_test(a_size_is_what_was_told_last),
		cmocka_unit_test(a_size_that_nobody_is_sure_of_yields_to_a_path_that_serves),
		cmocka_unit_test(
		    a_path_that_comes_back_with_another_size_waits_until_another_one_says_so),
		cmocka_unit_test(a_transition_is_waited_for),
		cmocka_unit_test(an_idle_path_is_looked_after),
		cmocka_unit_test(a_group_is_asked_to_serve_where_none_does),
		cmocka_unit_test(a_loss_is_heard_in_the_answer_of_a_group_that_was_asked_to_serve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
