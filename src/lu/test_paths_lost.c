/* One unit behind several paths: what is lost on one of them, and what that may still do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_ways.h"
#include "lu/lu_impl.h"

/* ---- losses ---- */

static void
what_was_lost_goes_over_another_path_at_once(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	for (size_t i = 0; i < 4; i++)
		ways_submit(&w, i, i % 2 == 0 ? BLK_READ : BLK_WRITE, i);
	fake_path_down(&w.f[0], false);
	assert_int_equal(w.f[1].n, 4);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_FAILED);
	assert_int_equal(lu_state(w.u), LU_SAME);
	while (w.f[1].n > 0)
		fake_path_good(&w.f[1], 0);
	for (size_t i = 0; i < 4; i++)
		ways_expect(&w, i, 0);
	ways_end(&w);
}

/* What the old nexus still holds may be executed late: nothing newer of the same blocks before. */
static void
no_newer_write_overtakes_what_was_lost(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	lunpath_fail(w.lp[1]);
	ways_submit(&w, 0, BLK_WRITE, 5);
	assert_int_equal(w.f[0].n, 1);
	lunpath_restore(w.lp[1]);
	fake_path_down(&w.f[0], false);
	/* The write itself has the same data: it is answered by the other path. */
	assert_int_equal(w.f[1].n, 1);
	fake_path_good(&w.f[1], 0);
	ways_expect(&w, 0, 0);
	ways_submit(&w, 1, BLK_WRITE, 5);
	ways_submit(&w, 2, BLK_WRITE, 6);
	ways_submit(&w, 3, BLK_READ, 5);
	assert_int_equal(w.f[1].n, 2);
	assert_int_equal(ways_lba(&w, 1, 0), 6);
	assert_int_equal(ways_lba(&w, 1, 1), 5);
	assert_int_equal(fake_path_req(&w.f[1], 1)->dir, REQ_READ);
	/* Another path's login kills nothing of this one's. */
	fake_path_up(&w.f[0], false);
	ways_run(&w);
	assert_int_equal(w.f[0].n + w.f[1].n, 2);
	w.f[1].path.dead_nexus = w.f[1].path.nexus;
	lunpath_fenced(w.lp[1]);
	assert_int_equal(w.f[0].n + w.f[1].n, 2);
	w.f[0].path.dead_nexus = 1;
	lunpath_fenced(w.lp[0]);
	assert_int_equal(w.f[0].n + w.f[1].n, 3);
	w.f[1].path.dead_nexus = 0;
	ways_end(&w);
}

/* Strict: who is answered knows that nothing of it comes late, whoever else writes meanwhile. */
static void
strictly_an_answer_waits_until_nothing_of_it_comes_late(void **state)
{
	struct ways w;

	(void)state;
	for (int how = 0; how < 3; how++) {
		ways_start(&w, 2, 0);
		w.f[0].path.is_strict = true;
		w.f[0].path.replacement_us = w.f[1].path.replacement_us = 60 * SECOND;
		lunpath_fail(w.lp[1]);
		ways_submit(&w, 0, BLK_WRITE, 5);
		ways_submit(&w, 1, BLK_READ, 6);
		lunpath_restore(w.lp[1]);
		fake_path_down(&w.f[0], false);
		assert_int_equal(w.f[1].n, 2);
		fake_path_good(&w.f[1], 0);
		fake_path_good(&w.f[1], 0);
		ways_expect(&w, 1, 0);
		assert_int_equal(w.q[0].done, 0);
		assert_false(lu_is_idle(w.u));
		/* A write that was not lost is answered. */
		ways_submit(&w, 2, BLK_WRITE, 9);
		fake_path_good(&w.f[1], 0);
		ways_expect(&w, 2, 0);
		if (how == 0) {
			fake_path_up(&w.f[0], true);
			ways_expect(&w, 0, 0);
			ways_run(&w);
		} else if (how == 1) {
			ways_pass(&w, 59 * SECOND);
			assert_int_equal(w.q[0].done, 0);
			ways_pass(&w, 2 * SECOND);
			ways_expect(&w, 0, -EIO);
		}
		ways_end(&w);
		if (how == 2)
			assert_int_equal(w.q[0].r.result, -ENXIO);
	}
}

/* It is executed after the unit was closed, and its first try may be yet. */
static void
a_unit_that_is_closed_withholds_nothing(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.is_strict = true;
	lunpath_fail(w.lp[1]);
	ways_submit(&w, 0, BLK_WRITE, 5);
	lunpath_restore(w.lp[1]);
	fake_path_down(&w.f[0], false);
	assert_int_equal(w.f[1].n, 1);
	lu_close(w.u, -ENXIO);
	fake_path_good(&w.f[1], 0);
	ways_expect(&w, 0, -ENXIO);
	ways_end(&w);
}

/* Two paths, `Fences strict`, a write cache, and a flush that tells of its loss. */
static void
start_strict(struct ways *w, bool has_fua)
{
	ways_start(w, 2, 0);
	w->f[0].path.is_strict = w->f[0].path.volatile_loss_fails = true;
	w->u->info.has_mode = true;
	w->u->info.mode = (struct mode){
		.has_caching = true, .is_write_cache_enabled = true, .has_fua = has_fua
	};
}

/* Its data lay in a cache, which is lost before it is answered: a flush that fails meanwhile does
 * not speak of it. */
static void
what_is_lost_before_it_is_answered_is_written_again(void **state)
{
	struct sense power_on = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
	struct ways w;

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		start_strict(&w, true);
		lunpath_fail(w.lp[1]);
		if (how == 2)
			fake_submit(w.u, &w.q[0], BLK_WRITE, 512 * 5, 512, true);
		else
			ways_submit(&w, 0, BLK_WRITE, 5);
		lunpath_restore(w.lp[1]);
		fake_path_down(&w.f[0], false);
		fake_path_good(&w.f[1], 0);
		assert_int_equal(w.q[0].done, 0);
		if (how > 0)
			(void)lunpath_overheard(w.lp[1], w.lp[1]->wire, &power_on);
		fake_path_up(&w.f[0], true);
		ways_run(&w);
		assert_int_equal(w.q[0].done, how != 1);
		if (how == 1) {
			assert_int_equal(w.f[0].n + w.f[1].n, 1);
			fake_path_good(&w.f[w.f[1].n > 0 ? 1 : 0], 0);
		}
		ways_expect(&w, 0, 0);
		ways_end(&w);
	}
}

/* Before it can be written again its unit is another one, is closed, or its path leaves. */
static void
what_was_lost_before_it_is_answered_ends_with_its_unit(void **state)
{
	struct sense power_on = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
	struct ways w;

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		start_strict(&w, false);
		lunpath_fail(w.lp[1]);
		ways_submit(&w, 0, BLK_WRITE, 5);
		lunpath_restore(w.lp[1]);
		fake_path_down(&w.f[0], false);
		fake_path_good(&w.f[1], 0);
		assert_int_equal(w.q[0].done, 0);
		(void)lunpath_overheard(w.lp[1], w.lp[1]->wire, &power_on);
		if (how == 0) {
			w.units[0].naa = w.units[1].naa = WAYS_NAA + 1;
			lunpath_doubt(w.lp[1]);
			ways_run(&w);
			/* The lost path may still have it: waiting is not failing. */
			assert_int_equal(w.q[0].done, 0);
			fake_path_up(&w.f[0], true);
			ways_run(&w);
			assert_int_equal(lu_state(w.u), LU_OTHER);
			ways_expect(&w, 0, -EIO);
		} else if (how == 1) {
			lu_close(w.u, -ENXIO);
			ways_expect(&w, 0, -ENXIO);
		} else {
			lunpath_stop(w.lp[0]);
			lu_leave(w.u, w.lp[0], agenda_now(&w.f[0].agenda) + SECOND);
			w.f[0].n_units = 0;
			assert_int_equal(w.f[1].n, 0);
			ways_pass(&w, 2 * SECOND);
			assert_int_equal(ways_moving(&w, 1), 1);
			fake_path_good(&w.f[1], 0);
			ways_expect(&w, 0, 0);
		}
		ways_end(&w);
	}
}

static void
a_path_that_leaves_is_minded(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 3, 0);
	lunpath_fail(w.lp[1]);
	lunpath_fail(w.lp[2]);
	ways_submit(&w, 0, BLK_WRITE, 5);
	lunpath_restore(w.lp[1]);
	fake_path_down(&w.f[0], false);
	assert_int_equal(w.f[1].n, 1);
	fake_path_good(&w.f[1], 0);
	ways_expect(&w, 0, 0);
	/* The first one goes for good, what it had sent does not. */
	lunpath_stop(w.lp[0]);
	assert_true(lunpath_is_idle(w.lp[0]));
	lu_leave(w.u, w.lp[0], agenda_now(&w.f[0].agenda) + 22 * SECOND);
	w.f[0].n_units = 0;
	ways_submit(&w, 1, BLK_WRITE, 5);
	ways_pass(&w, 21 * SECOND);
	assert_int_equal(w.f[1].n, 0);
	ways_pass(&w, 2 * SECOND);
	assert_int_equal(w.f[1].n, 1);
	assert_int_equal(lu_info(w.u)->number, 0);
	ways_end(&w);
}

static void
without_any_path_they_wait_and_then_fail(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.replacement_us = 60 * SECOND;
	w.f[1].path.replacement_us = 90 * SECOND;
	ways_submit(&w, 0, BLK_READ, 0);
	fake_path_down(&w.f[0], true);
	fake_path_down(&w.f[1], true);
	assert_int_equal(lu_state(w.u), LU_UNKNOWN);
	ways_submit(&w, 1, BLK_READ, 1);
	fake_path_give_up(&w.f[0]);
	fake_path_turn(&w.f[0]);
	assert_int_equal(w.q[0].done + w.q[1].done, 0);
	ways_pass(&w, 89 * SECOND);
	assert_int_equal(w.q[0].done + w.q[1].done, 0);
	fake_path_give_up(&w.f[1]);
	ways_expect(&w, 0, -EIO);
	ways_expect(&w, 1, -EIO);
	ways_submit(&w, 2, BLK_READ, 1);
	ways_expect(&w, 2, -EIO);
	/* One of them is enough. */
	fake_path_up(&w.f[1], true);
	ways_run(&w);
	ways_submit(&w, 3, BLK_READ, 3);
	assert_int_equal(w.f[1].n, 1);
	ways_end(&w);
}

/* What ends connections does so on every path, and is found out. */
static void
a_poison_ends_no_more_than_five_connections(void **state)
{
	unsigned losses = 0;
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	ways_submit(&w, 0, BLK_READ, 1);
	while (w.q[0].done == 0 && losses < 20) {
		size_t i = w.f[0].n > 0 ? 0 : 1;

		if (w.f[i].n == 0) {
			ways_pass(&w, 100000);
			continue;
		}
		losses++;
		fake_path_down(&w.f[i], false);
		fake_path_turn(&w.f[0]);
		fake_path_up(&w.f[i], true);
		ways_run(&w);
	}
	ways_expect(&w, 0, -EIO);
	assert_int_equal(losses, 5);
	ways_end(&w);
}

/* ---- identity ---- */

static void
another_unit_at_one_path_is_no_trouble_of_the_others(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.units[0].naa = WAYS_NAA + 1;
	ways_submit(&w, 0, BLK_WRITE, 0);
	lunpath_doubt(w.lp[0]);
	ways_run(&w);
	assert_int_equal(lunpath_state(w.lp[0]), LU_OTHER);
	assert_int_equal(lu_state(w.u), LU_SAME);
	ways_submit(&w, 1, BLK_WRITE, 1);
	ways_submit(&w, 2, BLK_WRITE, 2);
	assert_int_equal(w.f[1].n, 2);
	/* All of them: then it is gone. */
	w.units[1].naa = WAYS_NAA + 1;
	lunpath_doubt(w.lp[1]);
	ways_run(&w);
	assert_int_equal(lu_state(w.u), LU_OTHER);
	ways_submit(&w, 3, BLK_WRITE, 3);
	ways_expect(&w, 3, -EIO);
	ways_end(&w);
}

static void
nothing_goes_over_a_path_before_it_has_said_who_is_there(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	fake_path_down(&w.f[1], true);
	fake_path_up(&w.f[1], true);
	assert_int_equal(lunpath_shown(w.lp[1]), PATH_CHECKING);
	for (size_t i = 0; i < 4; i++)
		ways_submit(&w, i, BLK_WRITE, i);
	assert_int_equal(w.f[0].n, 4);
	for (size_t i = 0; i < w.f[1].n; i++)
		assert_true(fake_is_question(fake_path_req(&w.f[1], i)));
	ways_run(&w);
	ways_submit(&w, 4, BLK_WRITE, 4);
	assert_int_equal(w.f[1].n, 1);
	ways_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_lost_goes_over_another_path_at_once),
		cmocka_unit_test(no_newer_write_overtakes_what_was_lost),
		cmocka_unit_test(strictly_an_answer_waits_until_nothing_of_it_comes_late),
		cmocka_unit_test(a_unit_that_is_closed_withholds_nothing),
		cmocka_unit_test(what_is_lost_before_it_is_answered_is_written_again),
		cmocka_unit_test(what_was_lost_before_it_is_answered_ends_with_its_unit),
		cmocka_unit_test(a_path_that_leaves_is_minded),
		cmocka_unit_test(without_any_path_they_wait_and_then_fail),
		cmocka_unit_test(a_poison_ends_no_more_than_five_connections),
		cmocka_unit_test(another_unit_at_one_path_is_no_trouble_of_the_others),
		cmocka_unit_test(nothing_goes_over_a_path_before_it_has_said_who_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
